//! DANE for mail (RFC 7672): what the TLSA records of a host promise, and whether it is kept.
//!
//! Asked for only where MX and addresses are validated by DNSSEC; records that are not count as none.
//!
//! Known limit: a host that is an alias into a zone without DNSSEC has no DANE here, also where records
//! stand at its first name.

use repute_dns::{Lookup, Resolver};
use repute_net::tls;
use repute_trust::dane;
use repute_types::{Culprit, Domain, EnhancedCode, Outcome, Stage, Tlsa, Verdict};

use crate::Route;

/// Aliases that are followed, as resolvers do.
const ALIASES_MOST: usize = 8;

pub(crate) enum Promise {
    /// No validated records.
    Nothing,
    /// Records that no mail client can act on.
    Unusable,
    Records(Dane),
}

/// What a session has to show.
#[derive(Clone, Debug)]
pub(crate) struct Dane {
    /// Where the records stand: the name that the server is asked for.
    pub base: Domain,
    /// Names of which an authority's certificate has to bear one (RFC 7672 §3.2.2).
    names: Vec<String>,
    /// Usable ones.
    records: Vec<Tlsa>,
}

impl Dane {
    /// Whether the certificates, the server's own first, are what was promised.
    pub fn holds(&self, chain: &[Vec<u8>]) -> bool {
        dane::promises_server(&self.records, chain)
            || dane::anchors(&self.records, chain).iter().any(|anchor| tls::leads_to(anchor, chain, &self.names))
    }
}

/// What a host promises, whose addresses are validated: at the name that its aliases lead to, else
/// at its own (RFC 7672 §2.2.2). `Err` where that cannot be found out: then mail waits (§2.1.2), since
/// whoever can keep the answer away could else take the protection away.
pub(crate) async fn promise(host: &Domain, route: &Route, resolver: &dyn Resolver) -> Result<Promise, Outcome> {
    let end = end_of_aliases(host, resolver).await;
    for base in [end.as_ref(), Some(host)].into_iter().flatten() {
        let Ok(at) = Domain::parse(&format!("_{}._tcp.{base}", route.port)) else { continue };
        match resolver.tlsa(&at).await {
            Lookup::Found(found) if found.authentic => {
                let records = dane::usable(&found.items);
                if records.is_empty() {
                    return Ok(Promise::Unusable);
                }
                let mut names = vec![base.to_string(), host.to_string()];
                names.extend(route.domain.as_ref().map(Domain::to_string));
                return Ok(Promise::Records(Dane { base: base.clone(), names, records }));
            }
            Lookup::Found(_) | Lookup::NoData { .. } | Lookup::NoName { .. } => {}
            Lookup::Failure(why) | Lookup::NoAnswer(why) => {
                let text = format!(
                    "whether {host} asks for TLS by DANE cannot be found out (the TLSA records of {at}: {why}), so nothing is sent to it"
                );
                return Err(Outcome::ours(Verdict::Deferred, Stage::Route, Culprit::Dns, EnhancedCode(4, 4, 3), text));
            }
        }
    }
    Ok(Promise::Nothing)
}

async fn end_of_aliases(host: &Domain, resolver: &dyn Resolver) -> Option<Domain> {
    let mut end = None;
    for _ in 0..ALIASES_MOST {
        match resolver.cname(end.as_ref().unwrap_or(host)).await {
            Lookup::Found(found) => end = Some(found.items.into_iter().next()?),
            _ => break,
        }
    }
    end
}
