//! What an answer says, read out of hickory's records and errors: what there is, and for how long that may be kept.
//!
//! Promise: that something is not there is told apart from that it was not found out, by the response code and the proof.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_proto::dnssec::Proof;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::net::{DnsError as Semantic, NetError, NoRecords};
use repute_types::{Domain, Tlsa};

use crate::{Exchange, Lookup, Mx, Records};

/// What is kept for a negative answer without a TTL of its own (a validated one carries it
/// where it cannot be read): long enough for one round of deliveries.
const NEGATIVE_TTL: Duration = Duration::from_secs(60);
/// RFC 2308 §5: negative answers are not kept longer than hours.
pub(crate) const NEGATIVE_TTL_MOST: Duration = Duration::from_secs(3600);
/// A day: what is said to live longer is asked again all the same (RFC 8767 §4).
pub(crate) const TTL_MOST: Duration = Duration::from_secs(86_400);

pub(crate) fn positive<T>(
    records: &[Record],
    kind: RecordType,
    take: fn(&RData) -> Option<T>,
    ttl: Duration,
) -> (Lookup<T>, Duration) {
    // Signatures stand beside what they sign, and prove themselves by it.
    let chain = records.iter().filter(|r| r.record_type() == kind || r.record_type() == RecordType::CNAME);
    let authentic = chain.clone().all(|r| r.proof == Proof::Secure);
    let asked: Vec<_> = chain.filter(|r| r.record_type() == kind).collect();
    if asked.is_empty() {
        return (Lookup::NoData { authentic }, ttl.min(NEGATIVE_TTL_MOST));
    }
    let items: Vec<T> = asked.iter().filter_map(|r| take(&r.data)).collect();
    if items.is_empty() {
        // The domain says something, and nobody can act on it: an address as MX, say.
        return (Lookup::Failure(format!("no {kind} record names anything usable")), Duration::ZERO);
    }
    (Lookup::Found(Records { items, authentic, ttl }), ttl)
}

pub(crate) fn negative<T>(error: NetError) -> (Lookup<T>, Duration) {
    let unknown = |lookup| (lookup, Duration::ZERO);
    match error {
        NetError::Dns(Semantic::NoRecordsFound(none)) => no_records(none),
        // The zone is known to be unsigned in a way that needs a proof (too many NSEC3 rounds).
        NetError::Dns(Semantic::Nsec { response, proof: Proof::Insecure, .. }) => {
            let ttl = response.negative_ttl().map_or(NEGATIVE_TTL, |s| Duration::from_secs(s.into()));
            (of_code(response.response_code, false), ttl.min(NEGATIVE_TTL_MOST))
        }
        NetError::Dns(Semantic::Nsec { .. }) => {
            unknown(Lookup::Failure("the DNSSEC proof of absence is not valid".into()))
        }
        NetError::Dns(Semantic::DnssecBogus) => unknown(Lookup::Failure("the DNSSEC signatures are not valid".into())),
        NetError::Dns(Semantic::ResponseCode(code)) => unknown(Lookup::Failure(code.to_string())),
        NetError::Timeout => unknown(Lookup::NoAnswer("no answer in time".into())),
        NetError::NoConnections | NetError::Io(_) | NetError::Busy => {
            unknown(Lookup::NoAnswer(format!("no name server could be reached: {error}")))
        }
        other => unknown(Lookup::Failure(format!("the answer cannot be used: {other}"))),
    }
}

fn no_records<T>(none: NoRecords) -> (Lookup<T>, Duration) {
    // Name servers and no SOA: it points elsewhere instead of answering (RFC 2308 §2.2).
    if none.response_code == ResponseCode::NoError && none.soa.is_none() && none.ns.is_some() {
        return (Lookup::Failure("the name server does not recurse".into()), Duration::ZERO);
    }
    // A validated proof of absence reaches us only where it proves this absence.
    let proves =
        |r: &Record| r.proof == Proof::Secure && matches!(r.record_type(), RecordType::NSEC | RecordType::NSEC3);
    let authentic = none.authorities.iter().flat_map(|a| a.iter()).any(proves);
    // RFC 2308 §5; hickory leaves it out where it validates.
    let of_soa = || none.soa.as_ref().map(|soa| soa.ttl.min(soa.data.minimum));
    let ttl = none.negative_ttl.or_else(of_soa).map_or(NEGATIVE_TTL, |s| Duration::from_secs(s.into()));
    (of_code(none.response_code, authentic), ttl.min(NEGATIVE_TTL_MOST))
}

fn of_code<T>(code: ResponseCode, authentic: bool) -> Lookup<T> {
    match code {
        ResponseCode::NXDomain => Lookup::NoName { authentic },
        ResponseCode::NoError => Lookup::NoData { authentic },
        other => Lookup::Failure(other.to_string()),
    }
}

pub(crate) fn absolute(name: &Domain) -> Option<Name> {
    let mut name = Name::from_ascii(name.as_str()).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// A name as mail uses it; what no host can be called is passed over.
pub(crate) fn domain(name: &Name) -> Option<Domain> {
    Domain::parse(&name.to_ascii()).ok()
}

pub(crate) fn take_mx(data: &RData) -> Option<Mx> {
    let RData::MX(mx) = data else { return None };
    Some(Mx { preference: mx.preference, exchange: Exchange::named(&mx.exchange.to_ascii()) })
}

pub(crate) fn take_a(data: &RData) -> Option<Ipv4Addr> {
    if let RData::A(a) = data { Some(a.0) } else { None }
}

pub(crate) fn take_aaaa(data: &RData) -> Option<Ipv6Addr> {
    if let RData::AAAA(a) = data { Some(a.0) } else { None }
}

/// The strings of one record are one text (RFC 7208 §3.3).
pub(crate) fn take_txt(data: &RData) -> Option<Vec<u8>> {
    if let RData::TXT(txt) = data { Some(txt.txt_data.concat()) } else { None }
}

pub(crate) fn take_ptr(data: &RData) -> Option<Domain> {
    if let RData::PTR(name) = data { domain(name) } else { None }
}

pub(crate) fn take_tlsa(data: &RData) -> Option<Tlsa> {
    let RData::TLSA(tlsa) = data else { return None };
    let (usage, selector, matching) = (tlsa.cert_usage.into(), tlsa.selector.into(), tlsa.matching.into());
    Some(Tlsa { usage, selector, matching, data: tlsa.cert_data.clone() })
}

pub(crate) fn take_cname(data: &RData) -> Option<Domain> {
    if let RData::CNAME(name) = data { domain(name) } else { None }
}
