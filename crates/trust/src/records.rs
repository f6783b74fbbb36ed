//! The DNS records of a sender: which are wanted, and how they differ from what stands there.
//!
//! Pure: [`wanted`] turns hostname, addresses, domains and keys into [`Wanted`] records;
//! [`Wanted::compare`] lays one beside what a name server answered and gives a [`Verdict`]:
//! right, missing, different, or too much, with the very records to add and to take away.
//!
//! Promise: what others put at the same name stays. An SPF record keeps every well-formed
//! term, other TXT records are not looked at, a DMARC or TLS-RPT policy that works is kept as it
//! is. Taken away is only what contradicts what is wanted: a second SPF record, another key
//! under our selector, a reverse name beside ours, an address of a host that is not this one.

mod compare;
mod data;
pub mod hosters;
mod render;
mod tags;
mod wanted;

pub use compare::{Found, State, Verdict};
pub use data::{Data, Kind};
pub use render::{nsupdate, nsupdate_changes, zone_file};
pub use wanted::{Purpose, Wanted, Who, first_mx, mta_sts, mta_sts_policy, wanted};

/// An hour: within the 5 minutes to a day that keep both mistakes and name servers' work small.
pub const TTL: u32 = 3600;
