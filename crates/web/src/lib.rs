//! Floor 5: the HTTP face. JSON for applications, the pages that recipients see, and the calls
//! of other services that applications were written for.
//!
//! It converts and calls `engine`; storage and policy are unknown here. The description of the
//! API ([`description`]) is made from the handlers themselves.
//!
//! Promises: a 202 for a message is written only with the door's `Committed`; every refusal is
//! a problem (RFC 9457) that says what to do; everything has a bound ([`Limits`]) and every
//! wait a deadline; bodies and tokens are never logged; when the future of [`serve`] returns,
//! every connection has ended.

mod app;
mod body;
mod caller;
mod crowd;
mod describe;
#[doc(hidden)]
pub mod dry;
mod form;
mod http;
mod linger;
mod metrics;
mod moved;
mod names;
mod object;
mod once;
mod pace;
mod pairs;
mod postmark;
mod problem;
mod rights;
mod router;
mod serve;
mod ses;
mod settings;
mod sigv4;
mod site;
mod slow;
mod tokens;
mod unsubscribe;
mod v1;

pub use app::{Face, Services};
pub use router::description;
pub use serve::{Transport, serve};
pub use settings::{Action, Limits, Settings, Token, TokenHash};
pub use tokens::Tokens;
