//! An authoritative name server (RFC 1034, 1035) over UDP and TCP for zones that are data.
//!
//! Promise: NXDOMAIN, no data and failure are told apart as RFC 2308 asks (negative answers
//! carry the SOA); what is in none of its zones is REFUSED; zones and troubles change while
//! it runs. Known limits: no delegations below its own zones, no DNSSEC, no zone transfers.

mod ask;
mod asking;
mod list_zones;
mod server;
mod zone;
mod zones;

pub use ask::ask;
pub use asking::Asking;
pub use list_zones::{Entry, lists};
pub use server::DnsServer;
pub use zone::{Zone, ZoneError};
pub use zones::{Trouble, Zones};
