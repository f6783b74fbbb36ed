//! Answers that hickory's validator refuses although they are proven, judged piece by piece (RFC 4035 §5.3.4, RFC 6672 §5.3.1).
//!
//! hickory judges a response as a whole, by the name that was asked for. So it refuses what unbound puts beside an answer
//! while it follows an alias (proofs about other names), an alias that leads to nothing, an answer of the wildcard that
//! stands right above the name, and what follows from a DNAME. It also takes an answer for none where the proof beside it
//! has too many rounds of NSEC3. Here a name is asked for its alias first, and what that leads to by a question of its own.
//!
//! Promise: no record is believed whose signature, or its zone's being unsigned, hickory has not validated; no wildcard
//! without a proof that the name does not exist and that this wildcard is the nearest, but where the proof is too costly:
//! then the answer counts as one of an unsigned zone. What is not proven stays a failure. Asked only where an answer was
//! refused: it costs a question or two more.

use std::time::Duration;

use hickory_proto::dnssec::Proof;
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::net::{DnsError, NetError};

use crate::answer::{TTL_MOST, negative, positive};
use crate::{BoxFuture, Lookup, Records};

/// Aliases that are followed, as resolvers do.
const ALIASES_MOST: usize = 8;

/// Who asks, and has what comes validated by hickory.
pub(crate) trait Ask: Sync {
    fn ask(&self, query: Query) -> BoxFuture<'_, Result<Message, NetError>>;
}

/// Whether the validator's word alone keeps an answer away. Where it only finds the proof beside an answer too costly
/// (RFC 9276 §3.2), there is an answer all the same, and it is not validated.
pub(crate) fn is_refused(error: &NetError) -> bool {
    match error {
        NetError::Dns(DnsError::DnssecBogus | DnsError::Nsec { proof: Proof::Bogus, .. }) => true,
        NetError::Dns(DnsError::Nsec { response, proof: Proof::Insecure, .. }) => !response.answers.is_empty(),
        _ => false,
    }
}

/// The answer, and how long it may be kept. The caller bounds the time.
pub(crate) async fn look_up<T>(
    asker: &dyn Ask,
    mut name: Name,
    kind: RecordType,
    take: fn(&RData) -> Option<T>,
) -> (Lookup<T>, Duration) {
    let (mut authentic, mut most) = (true, TTL_MOST);
    for _ in 0..ALIASES_MOST {
        let (answer, ttl) = match piece(asker, &name, kind).await {
            Ok(Piece::Alias { to, proof, ttl }) => {
                authentic &= proof == Proof::Secure;
                most = most.min(ttl);
                name = to;
                continue;
            }
            Ok(Piece::Records(records)) => {
                let ttl = records.iter().map(|record| record.ttl).min().unwrap_or_default();
                positive(&records, kind, take, Duration::from_secs(ttl.into()).min(most))
            }
            Err(error) => negative(error),
        };
        return (after_aliases(answer, authentic), ttl.min(most));
    }
    (Lookup::Failure("the name is an alias too many times".into()), Duration::ZERO)
}

/// What stands at a name.
enum Piece {
    Records(Vec<Record>),
    /// Where it leads to, and how well that is known.
    Alias {
        to: Name,
        proof: Proof,
        ttl: Duration,
    },
}

/// The alias is asked for first, and by itself; the answer to the whole question may have it too, as where unbound
/// knows what follows from a DNAME and fails at that alias alone.
async fn piece(asker: &dyn Ask, name: &Name, kind: RecordType) -> Result<Piece, NetError> {
    let may_be_alias = kind != RecordType::CNAME;
    if may_be_alias
        && let Ok(heard) = Heard::from(asker, name, RecordType::CNAME).await
        && let Some(alias) = heard.alias(name)
    {
        return Ok(alias);
    }
    let heard = Heard::from(asker, name, kind).await?;
    let alias = may_be_alias.then(|| heard.alias(name)).flatten();
    alias.or_else(|| heard.records(name, kind).map(Piece::Records)).ok_or(NetError::Dns(DnsError::DnssecBogus))
}

/// A response, of which hickory has judged each record.
struct Heard {
    message: Message,
    /// And the whole.
    accepted: bool,
}

impl Heard {
    async fn from(asker: &dyn Ask, name: &Name, kind: RecordType) -> Result<Heard, NetError> {
        match asker.ask(Query::query(name.clone(), kind)).await {
            Ok(message) => Ok(Heard { message, accepted: true }),
            Err(NetError::Dns(DnsError::Nsec { response, proof: Proof::Bogus, .. })) => {
                Ok(Heard { message: response.into_message(), accepted: false })
            }
            Err(NetError::Dns(DnsError::Nsec { response, proof: Proof::Insecure, .. }))
                if !response.answers.is_empty() =>
            {
                let mut message = response.into_message();
                let signed = message.answers.iter_mut().filter(|record| record.proof == Proof::Secure);
                signed.for_each(|record| record.proof = Proof::Insecure);
                Ok(Heard { message, accepted: true })
            }
            Err(error) => Err(error),
        }
    }

    fn alias(&self, name: &Name) -> Option<Piece> {
        let answers = &self.message.answers;
        let record = answers.iter().find(|r| r.name == *name && r.record_type() == RecordType::CNAME)?;
        let RData::CNAME(to) = &record.data else { return None };
        // What follows from a DNAME is not signed by itself (RFC 6672 §5.3.1).
        let signed = match record.proof {
            Proof::Bogus => answers.iter().find(|dname| renames(dname, name, to))?,
            _ => record,
        };
        self.records(&signed.name, signed.record_type())?;
        let ttl = Duration::from_secs(record.ttl.into());
        Some(Piece::Alias { to: to.0.clone(), proof: signed.proof, ttl })
    }

    /// The records at a name, if they can be believed.
    fn records(&self, name: &Name, kind: RecordType) -> Option<Vec<Record>> {
        if !self.accepted {
            return proven(&self.message, name, kind);
        }
        let records = at(&self.message, name, kind);
        let known = |record: &Record| matches!(record.proof, Proof::Secure | Proof::Insecure);
        (!records.is_empty() && records.iter().all(known)).then_some(records)
    }
}

fn at(response: &Message, name: &Name, kind: RecordType) -> Vec<Record> {
    response.answers.iter().filter(|record| record.name == *name && record.record_type() == kind).cloned().collect()
}

/// The records at the name, where each is signed, and proven to be the wildcard's turn if a wildcard gave them.
fn proven(response: &Message, name: &Name, kind: RecordType) -> Option<Vec<Record>> {
    let records = at(response, name, kind);
    if records.is_empty() || records.iter().any(|record| record.proof != Proof::Secure) {
        return None;
    }
    let signed_labels = response.answers.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) if record.name == *name && record.proof == Proof::Secure => {
            (rrsig.input().type_covered == kind).then_some(rrsig.input().num_labels)
        }
        _ => None,
    });
    // One signature of them may be the one that verified; another could be made up to say that it is no wildcard.
    let signed_labels = signed_labels.min()?;
    let by_wildcard = signed_labels < name.num_labels();
    let mut nsecs = response.authorities.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) if record.proof == Proof::Secure => Some((&record.name, nsec)),
        _ => None,
    });
    (!by_wildcard || nsecs.any(|(owner, nsec)| leaves_to_wildcard(owner, nsec, name, signed_labels))).then_some(records)
}

/// Whether an NSEC record proves that the name does not exist, and that the nearest name above it which does has so
/// many labels: then the wildcard under that one is the nearest (RFC 4592 §3.3.1).
fn leaves_to_wildcard(owner: &Name, nsec: &NSEC, name: &Name, labels: u8) -> bool {
    let next = nsec.next_domain_name();
    // The last record of a zone leads back to its first name.
    let is_between = owner < name && (name < next || next <= owner && next.zone_of(name));
    // What is below a cut, or renamed, is not this record's to speak of (RFC 6840 §4.1).
    let is_elsewhere = owner.zone_of(name) && nsec.is_ancestor_delegation();
    let nearest = in_common(owner, name).max(in_common(next, name));
    is_between && !is_elsewhere && nearest == usize::from(labels)
}

/// Labels that two names end in together.
fn in_common(one: &Name, other: &Name) -> usize {
    one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

/// Whether a record is the DNAME by which `name` leads to `to`.
fn renames(record: &Record, name: &Name, to: &Name) -> bool {
    let RData::Unknown { code: RecordType::DNAME, rdata } = &record.data else { return false };
    let Some(target) = uncompressed(&rdata.anything) else { return false };
    let below = usize::from(name.num_labels()).checked_sub(usize::from(record.name.num_labels()));
    let Some(below @ 1..) = below else { return false };
    let labels = name.iter().take(below).chain(target.iter());
    record.name.zone_of(name)
        && Name::from_labels(labels).is_ok_and(|renamed| {
            renamed.iter().count() == to.iter().count() && in_common(&renamed, to) == to.iter().count()
        })
}

/// A name as it stands in a record of a kind that hickory does not read: never compressed (RFC 6672 §2.5).
fn uncompressed(mut octets: &[u8]) -> Option<Name> {
    let mut labels = Vec::new();
    loop {
        let (length, rest) = octets.split_first()?;
        let (label, rest) = rest.split_at_checked(usize::from(*length))?;
        if label.is_empty() {
            return rest.is_empty().then(|| Name::from_labels(labels).ok()).flatten();
        }
        labels.push(label);
        octets = rest;
    }
}

/// An answer is as well known as what led to it.
fn after_aliases<T>(answer: Lookup<T>, proven: bool) -> Lookup<T> {
    match answer {
        Lookup::Found(records) => Lookup::Found(Records { authentic: records.authentic && proven, ..records }),
        Lookup::NoData { authentic } => Lookup::NoData { authentic: authentic && proven },
        Lookup::NoName { authentic } => Lookup::NoName { authentic: authentic && proven },
        unknown => unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn proves(owner: &str, next: &str, types: &[RecordType], asked: &str, labels: u8) -> bool {
        let nsec = NSEC::new(name(next), types.iter().copied());
        leaves_to_wildcard(&name(owner), &nsec, &name(asked), labels)
    }

    #[test]
    fn a_wildcard_right_above_the_name_is_proven_by_its_own_record() {
        assert!(proves("*.example.", "mail.example.", &[RecordType::A], "foo.example.", 1));
        assert!(proves("*.w.example.", "xw.example.", &[RecordType::MX], "a.b.w.example.", 2));
        // The last name of the zone leads back to the first one.
        assert!(proves("*.example.", "example.", &[RecordType::A], "foo.example.", 1));
    }

    #[test]
    fn a_wildcard_is_not_believed_for_a_name_that_exists_or_is_nearer_to_another() {
        // The name itself, and one that exists since something is below it.
        assert!(!proves("foo.example.", "mail.example.", &[RecordType::A], "foo.example.", 1));
        assert!(!proves("*.example.", "x.foo.example.", &[RecordType::A], "foo.example.", 1));
        // Above it stands b.example: *.example is not its turn.
        assert!(!proves("b.example.", "mail.example.", &[RecordType::A], "a.b.example.", 1));
        assert!(!proves("a.b.example.", "mail.example.", &[RecordType::A], "c.b.example.", 1));
        // Another range of names, and another zone's last record.
        assert!(!proves("mail.example.", "ns.example.", &[RecordType::A], "foo.example.", 1));
        assert!(!proves("z.other.", "other.", &[RecordType::A], "foo.example.", 1));
    }

    #[test]
    fn what_is_below_a_cut_or_renamed_is_not_the_upper_records_to_deny() {
        assert!(!proves("sub.example.", "t.example.", &[RecordType::NS], "foo.sub.example.", 2));
        assert!(!proves("sub.example.", "t.example.", &[RecordType::DNAME], "foo.sub.example.", 2));
        assert!(proves("sub.example.", "t.sub.example.", &[RecordType::NS, RecordType::SOA], "foo.sub.example.", 2));
    }

    #[test]
    fn a_dname_renames_what_is_below_it_and_nothing_else() {
        let octets = b"\x03new\x07example\0".to_vec();
        let mut rdata = hickory_proto::rr::rdata::NULL::new();
        rdata.anything = octets;
        let dname = Record::from_rdata(name("old.example."), 60, RData::Unknown { code: RecordType::DNAME, rdata });
        assert!(renames(&dname, &name("a.b.old.example."), &name("A.b.new.example.")));
        assert!(!renames(&dname, &name("a.b.old.example."), &name("b.new.example.")));
        assert!(!renames(&dname, &name("old.example."), &name("new.example.")));
        assert!(!renames(&dname, &name("a.bold.example."), &name("a.new.example.")));
        assert!(!renames(&dname, &name("a.old.example."), &name("a.evil.example.")));
    }

    #[test]
    fn a_name_that_is_cut_short_or_goes_on_is_none() {
        assert_eq!(uncompressed(b"\x01a\x02bc\0"), Some(name("a.bc.")));
        assert_eq!(uncompressed(b"\0"), Some(Name::root()));
        for octets in [&b""[..], b"\x01", b"\x01a", b"\x05a\0", b"\x01a\0x", b"\xc0\x0c"] {
            assert_eq!(uncompressed(octets), None, "{octets:?}");
        }
    }
}
