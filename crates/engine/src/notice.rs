//! Notices to senders (RFC 3464, RFC 3461): what failed, what takes long, what was relayed.
//!
//! Promise: only a sender that was authenticated here is told (a message without an account,
//! such as a notice, never causes another), only to its own return path, only for what was
//! asked (NOTIFY), and once. A notice has the null sender and is signed as the sender's domain.

use repute_spool::NewMessage;

use crate::fresh::Loaded;
use crate::settle::Finished;
use crate::works::Works;

/// The notices that finished recipients cause: failures together in one, relays in another.
pub(crate) async fn about(_works: &Works, _loaded: &Loaded, _finished: &[Finished]) -> Vec<NewMessage> {
    Vec::new()
}

/// The notice that delivery takes long.
pub(crate) async fn delay(_works: &Works, _loaded: &Loaded) -> Vec<NewMessage> {
    Vec::new()
}
