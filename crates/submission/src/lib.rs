//! Floor 5: the SMTP listeners, 587, 465 and 25.
//!
//! [`serve`] drives one conversation machine (`repute_smtp::server`) a connection over sockets
//! and TLS, and asks an `Arc<dyn Door>` what only the works know. It knows nothing of storage
//! or policy.
//!
//! Promises: a 250 for a message is written only with the door's `Committed`; port 25 takes
//! what `may_return_to` names and is no relay in any configuration; AUTH is offered only
//! inside TLS; everything has a bound ([`Limits`], [`SharedBounds`]); when the future of
//! [`serve`] returns, every session has ended.

mod accept;
mod buffer;
mod config;
mod connection;
mod host;
mod local;
mod proxy;
mod shared;
mod stream;
mod timer;
mod tls;

pub use accept::{serve, serve_in_memory};
pub use config::{Limits, ListenerConfig, ListenerKind};
pub use local::LocalListener;
#[doc(hidden)]
pub use proxy::try_proxy;
pub use shared::{SharedBounds, SharedLimits};
pub use tls::TlsSource;
