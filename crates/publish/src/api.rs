//! Changing zones through the programming interfaces of DNS hosts, for whoever has no server that takes DNS UPDATE.
//!
//! The same promise as DNS UPDATE as far as a host can keep it: what is taken away is named record by record and only
//! where the set still stands as it was seen, so that records of others are never overwritten; a zone's changes are one
//! request where the host has one for several (Cloudflare, deSEC). Where it has none (Hetzner, DigitalOcean), a failure in
//! between leaves the changes before it made, and the next run makes the rest. The token is sent to the host and nowhere
//! else: `Debug` and errors do not show it, and a clear connection is made to this machine alone.
//!
//! Written here and not taken from a library: `dns-update` 0.6 knows seventy hosts, but brings a second HTTP client with
//! HTTP/2, gives most failures as text alone, joins the strings of a TXT record, and cannot be led to a server under test.

mod cloudflare;
mod desec;
mod digitalocean;
mod hetzner;
mod http;
mod text;

use std::time::Duration;

use repute_trust::records::{Data, Found, Kind};
use repute_types::Domain;

use self::http::Http;
pub use self::http::{Base, BaseError};
#[doc(hidden)]
pub use self::text::try_record;
use crate::Change;

/// Whose programming interface is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Cloudflare,
    Desec,
    DigitalOcean,
    Hetzner,
}

impl Host {
    pub fn name(self) -> &'static str {
        match self {
            Host::Cloudflare => "Cloudflare",
            Host::Desec => "deSEC",
            Host::DigitalOcean => "DigitalOcean",
            Host::Hetzner => "Hetzner",
        }
    }

    /// Where its interface is.
    fn base(self) -> &'static str {
        match self {
            Host::Cloudflare => "https://api.cloudflare.com/client/v4",
            Host::Desec => "https://desec.io/api/v1",
            Host::DigitalOcean => "https://api.digitalocean.com/v2",
            Host::Hetzner => "https://api.hetzner.cloud/v1",
        }
    }

    /// Where a person makes a token, and what it has to be allowed.
    fn token(self) -> &'static str {
        match self {
            Host::Cloudflare => "My Profile, API Tokens: Zone / DNS / Edit for the zone",
            Host::Desec => "Token Management",
            Host::DigitalOcean => "API, Tokens: the scopes of `domain`",
            Host::Hetzner => "the Console project that has the zone, Security, API Tokens: Read & Write",
        }
    }
}

/// Why a zone was not read or not changed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{host} cannot be reached: {text}")]
    Unreachable { host: &'static str, text: String },
    #[error("{0} does not know the token: copy it again, or make one ({1})")]
    Token(&'static str, &'static str),
    #[error("{host} does not let the token do this{said}: give it more rights ({cure})")]
    NotAllowed { host: &'static str, said: String, cure: &'static str },
    #[error(
        "{0} has no zone {1} that the token may see: name the right one with --zone, or take a token of the account that has it"
    )]
    NoZone(&'static str, Domain),
    #[error("{0} takes no more requests for {1} s: run this again then")]
    TooMany(&'static str, u64),
    #[error("{host} failed ({status}){said}: run this again later; it changes nothing that was changed already")]
    Failed { host: &'static str, status: u16, said: String },
    #[error("{host} refused the change ({status}){said}")]
    Refused { host: &'static str, status: u16, said: String },
    #[error("the answer of {0} is not what it documents: {1}")]
    Form(&'static str, String),
    #[error("the records of {0} were changed by somebody else meanwhile: run this again")]
    Conflict(Domain),
    #[error("{0} is proxied at Cloudflare, which takes no mail: set it to \"DNS only\" there, then run this again")]
    Proxied(Domain),
}

/// A record as a host lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    data: Data,
    ttl: u32,
    /// What the host calls it, where it names records and not sets.
    id: String,
}

/// A change beside what stands at its name now.
struct Planned<'a> {
    change: &'a Change,
    there: Vec<Listed>,
}

impl Planned<'_> {
    /// What is to be added and does not stand there yet.
    fn missing(&self) -> impl Iterator<Item = &Data> {
        self.change.add.iter().filter(|data| self.there.iter().all(|listed| listed.data != **data))
    }

    fn to_remove(&self) -> impl Iterator<Item = &Listed> {
        self.there.iter().filter(|listed| self.change.remove.contains(&listed.data))
    }
}

/// A host's interface, with a token for it.
pub struct Api {
    host: Host,
    http: Http,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Api({})", self.host.name())
    }
}

impl std::fmt::Display for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.host.name())
    }
}

impl Api {
    /// `base` is where the interface is, if not at the host's own place.
    pub fn new(host: Host, token: &str, base: Option<Base>) -> Api {
        let base = base.unwrap_or_else(|| Base::parse(host.base()).expect("the table has good URLs"));
        let scheme = if host == Host::Desec { "Token" } else { "Bearer" };
        Api { host, http: Http::new(host, base, scheme, token) }
    }

    /// What stands at a name, and how long others may remember it. An alias is given without what stands at its end.
    pub async fn read(&self, zone: &Domain, name: &Domain, kind: Kind) -> Result<(Found, Duration), ApiError> {
        let listed = self.list(zone, name).await?;
        let alias =
            listed.iter().find_map(|l| if let Data::Cname(target) = &l.data { Some(target.clone()) } else { None });
        let of_kind = listed.into_iter().filter(|l| l.data.kind() == kind || l.data.kind() == Kind::Cname);
        let (mut records, mut ttl) = (Vec::new(), None);
        for one in of_kind {
            ttl = Some(ttl.map_or(one.ttl, |least: u32| least.min(one.ttl)));
            if one.data.kind() == kind {
                records.push(one.data);
            }
        }
        records.sort();
        Ok((Found::Records { records, alias }, Duration::from_secs(ttl.unwrap_or(0).into())))
    }

    /// Makes the changes, all of them in `zone`.
    pub async fn change(&self, zone: &Domain, changes: &[Change]) -> Result<(), ApiError> {
        let mut planned = Vec::new();
        for change in changes {
            let there = self.list(zone, &change.name).await?;
            if !is_as_seen(change, &there) {
                return Err(ApiError::Conflict(change.name.clone()));
            }
            planned.push(Planned { change, there });
        }
        match self.host {
            Host::Cloudflare => cloudflare::apply(&self.http, zone, &planned).await,
            Host::Desec => desec::apply(&self.http, zone, &planned).await,
            Host::DigitalOcean => digitalocean::apply(&self.http, zone, &planned).await,
            Host::Hetzner => hetzner::apply(&self.http, zone, &planned).await,
        }
    }

    /// All records at a name, of the types that mail needs.
    async fn list(&self, zone: &Domain, name: &Domain) -> Result<Vec<Listed>, ApiError> {
        match self.host {
            Host::Cloudflare => cloudflare::list(&self.http, zone, name).await,
            Host::Desec => desec::list(&self.http, zone, name).await,
            Host::DigitalOcean => digitalocean::list(&self.http, zone, name).await,
            Host::Hetzner => hetzner::list(&self.http, zone, name).await,
        }
    }
}

/// What is only added to needs no guard: nothing of anybody's goes.
fn is_as_seen(change: &Change, there: &[Listed]) -> bool {
    if change.remove.is_empty() {
        return true;
    }
    let kinds: Vec<Kind> = change.seen.iter().map(Data::kind).collect();
    let mut now: Vec<&Data> = there.iter().map(|l| &l.data).filter(|data| kinds.contains(&data.kind())).collect();
    let mut seen: Vec<&Data> = change.seen.iter().collect();
    now.sort();
    seen.sort();
    now == seen
}

/// The name within its zone, as hosts want it: empty for the zone itself.
fn relative(name: &Domain, zone: &Domain) -> String {
    let name = name.as_str();
    name.strip_suffix(zone.as_str()).map_or(name, |rest| rest.trim_end_matches('.')).to_owned()
}

/// The same with the sign that most hosts have for the zone itself.
fn relative_or_at(name: &Domain, zone: &Domain) -> String {
    let relative = relative(name, zone);
    if relative.is_empty() { "@".to_owned() } else { relative }
}
