//! Floor 3, our own records at the servers that hold them: every authoritative server is asked,
//! and zones are changed by DNS UPDATE, or through the programming interface of a DNS host ([`Api`]).
//!
//! Promise: what one server said is never taken for what another would say, and no cache stands
//! between; a server that is silent, refuses or is not authoritative gives `Unknown`. A change
//! is made whole or not at all (RFC 2136 §3.7), only where nobody changed the same records
//! since they were read, and a success is believed only with the key's signature (RFC 8945).
//!
//! Known limits: four hosts' interfaces are spoken, and two of them make several changes one after the other.

mod api;
mod ask;
mod convert;
mod key;
mod update;
mod wire;

#[doc(hidden)]
pub use api::try_record;
pub use api::{Api, ApiError, Base, BaseError, Host};
pub use ask::{Answer, Directory, Server, Unasked, Zone};
pub use key::{KeyError, TsigKey};
pub use update::{Change, Guard, Primary, UpdateError, update};
