//! DANE for mail (RFC 7672): what the TLSA records of a host promise, and whether it is kept.
//!
//! Asked for only where MX and addresses are validated by DNSSEC; records that are not count as none.
//!
//! Known limit: a host that is an alias into a zone without DNSSEC has no DANE here, also where records
//! stand at its first name.

use repute_dns::{Lookup, Resolver};
use repute_net::{CertificateFault, tls};
use repute_trust::certificate::Certificate;
use repute_trust::dane;
use repute_trust::tlsrpt::{PolicyType, ResultType};
use repute_types::{Culprit, Domain, Outcome, Tlsa};

use crate::Route;
use crate::route::unknown_for_now;
use crate::tally::{AppliedPolicy, Flaw};

/// Aliases that are followed, as resolvers do.
const ALIASES_MOST: usize = 8;

pub(crate) enum Promise {
    /// No validated records.
    Nothing,
    /// Records that no mail client can act on.
    Unusable(AppliedPolicy),
    Records(Dane),
}

/// Why a host gets no mail, with what its domain is told of it.
pub(crate) struct NoWay {
    pub outcome: Outcome,
    pub seen: Option<(Option<AppliedPolicy>, Flaw)>,
}

/// What a session has to show.
#[derive(Clone, Debug)]
pub(crate) struct Dane {
    /// Where the records stand: the name that the server is asked for.
    pub base: Domain,
    /// Names of the host; an authority's certificate has to bear one of them or of the next (RFC 7672 §3.2.2).
    hosts: Vec<Domain>,
    /// Names of the domain that mail is for: what only they vouch for is for its mail alone.
    domains: Vec<Domain>,
    /// Usable ones.
    records: Vec<Tlsa>,
    /// All of them, for reports.
    pub applied: AppliedPolicy,
}

/// Whose mail may go over a session that is as promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vouched {
    ForAll,
    /// The certificate bears the domain's name, not the host's: of other domains it says nothing.
    ForDomain,
}

impl Dane {
    /// Whether the certificates, the server's own first, are what was promised.
    pub fn judge(&self, chain: &[Vec<u8>]) -> Result<Vouched, Flaw> {
        if dane::promises_server(&self.records, chain) {
            return Ok(Vouched::ForAll);
        }
        let mut flaw = None;
        for anchor in dane::anchors(&self.records, chain) {
            let of_host = self.hosts.iter().map(|name| (name, Vouched::ForAll));
            for (name, vouched) in of_host.chain(self.domains.iter().map(|name| (name, Vouched::ForDomain))) {
                match tls::leads_to(&anchor, chain, name.as_str()) {
                    Ok(()) => return Ok(vouched),
                    // All but the names is in order then.
                    Err(CertificateFault::OtherName) if names_in_subject(chain, name) => return Ok(vouched),
                    Err(fault) => {
                        flaw.get_or_insert(Flaw::of_certificate(fault, "it comes from the promised authority"));
                    }
                }
            }
        }
        Err(flaw.unwrap_or_else(|| Flaw::new(ResultType::TlsaInvalid, "no TLSA record fits the certificate")))
    }
}

/// RFC 7672 §3.2.3: the common name counts where there is no DNS name.
fn names_in_subject(chain: &[Vec<u8>], name: &Domain) -> bool {
    let own = chain.first().and_then(|der| Certificate::parse(der).ok());
    own.is_some_and(|own| own.names_in_subject(name.as_str()))
}

/// What a host promises, whose addresses are validated: at the name that its aliases lead to, else
/// at its own (RFC 7672 §2.2.2). `Err` where that cannot be found out: then mail waits (§2.1.2), since
/// whoever can keep the answer away could else take the protection away.
pub(crate) async fn promise(
    host: &Domain,
    route: &Route,
    domain: &Domain,
    resolver: &dyn Resolver,
) -> Result<Promise, NoWay> {
    let end = end_of_aliases(host, resolver).await;
    for base in [end.as_ref(), Some(host)].into_iter().flatten() {
        let Ok(at) = Domain::parse(&format!("_{}._tcp.{base}", route.port)) else { continue };
        match resolver.tlsa(&at).await {
            Lookup::Found(found) if found.authentic => {
                let applied = applied(base, &found.items);
                let records = dane::usable(&found.items);
                if records.is_empty() {
                    return Ok(Promise::Unusable(applied));
                }
                let hosts = vec![base.clone(), host.clone()];
                let domains = names_of(domain, &records, resolver).await;
                return Ok(Promise::Records(Dane { base: base.clone(), hosts, domains, records, applied }));
            }
            Lookup::Found(_) | Lookup::NoData { .. } | Lookup::NoName { .. } => {}
            Lookup::Failure(why) => {
                let flaw = Flaw::new(ResultType::DnssecInvalid, format!("the TLSA records of {at}: {why}"));
                let seen = Some((Some(applied(base, &[])), flaw));
                return Err(NoWay { outcome: cannot_be_found_out(Culprit::Dns, host, &at, &why), seen });
            }
            // Our resolver says nothing: no fault of theirs that is known.
            Lookup::NoAnswer(why) => {
                return Err(NoWay { outcome: cannot_be_found_out(Culprit::Dns, host, &at, &why), seen: None });
            }
            Lookup::NotAsked(why) => {
                return Err(NoWay { outcome: cannot_be_found_out(Culprit::Us, host, &at, &why), seen: None });
            }
        }
    }
    Ok(Promise::Nothing)
}

fn cannot_be_found_out(culprit: Culprit, host: &Domain, at: &Domain, why: &str) -> Outcome {
    unknown_for_now(
        culprit,
        format!(
            "whether {host} asks for TLS by DANE cannot be found out (the TLSA records of {at}: {why}), so nothing is sent to it"
        ),
    )
}

fn applied(base: &Domain, records: &[Tlsa]) -> AppliedPolicy {
    let hex = |data: &[u8]| data.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    let text = |r: &Tlsa| format!("{} {} {} {}", r.usage, r.selector, r.matching, hex(&r.data));
    AppliedPolicy::new(PolicyType::Tlsa, base, records.iter().map(text).collect(), Vec::new())
}

/// The domain, and where its aliases lead: with authorities its names are as good as the host's (RFC 7672 §3.2.2).
async fn names_of(domain: &Domain, records: &[Tlsa], resolver: &dyn Resolver) -> Vec<Domain> {
    if !records.iter().any(dane::is_of_authority) {
        return Vec::new();
    }
    std::iter::once(domain.clone()).chain(end_of_aliases(domain, resolver).await).collect()
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
