//! What happened, told to the outside: webhooks, JSON lines, and a stream that can be taken up again.
//!
//! One [`Feed`] reads the stream of events beside the log and the history. It gives each event an
//! id, keeps the last ones in memory and, where there are webhooks, all of them in a file of its
//! own; [`Subscription`]s, the file of [`lines`] and the webhooks ([`Hooks`]) are its readers.
//!
//! Promise: [`Feed::record`] never blocks, whatever a receiver or a disk does; what has to be left
//! out is counted and told. A webhook gets every event that was kept at least once, those of one
//! message in their order, and a receiver that fails holds up nothing but itself.

mod caller;
mod feed;
mod guard;
mod health;
mod hooks;
mod incident;
pub mod lines;
mod outbox;
mod ring;
mod schedule;
mod secret;
mod store;
mod subscription;
mod target;
mod webhook;
mod wire;
mod worker;

pub use caller::{Answer, Caller};
pub use feed::{Feed, FeedOptions};
pub use hooks::{Hooks, HooksError, Redelivered, Selection, Shown, Tried};
pub use incident::WHAT as INCIDENT;
pub use secret::{Secret, SecretError, sign};
pub use store::{Bounds, StoreError};
pub use subscription::{Batch, Since, Subscription};
pub use target::{Target, TargetError};
pub use webhook::Webhook;
#[doc(hidden)]
pub use wire::told;
pub use wire::{EventId, Filter, Told, Type, Types, VERSION};
