//! What is written is read back, and what is not what was written is refused.

use std::sync::Arc;

use proptest::prelude::*;
use repute_types::envelope::EnvelopeOptions;
use repute_types::{
    Address, Body, Culprit, Domain, EnhancedCode, Labels, MessageId, Notify, Outcome, PartId, Peer, Recipient, Reply,
    Ret, Stage, Stream, Timestamp, TlsAsked, TlsUsed, Verdict,
};

use super::*;
use crate::campaign::{Campaign, CampaignState, Tally};
use crate::{Hold, Holder, MessageMeta, PartRecord, PartState, Pending};

fn address() -> impl Strategy<Value = Address> {
    "[a-zé]{1,20}(\\.[0-9]{1,5})?@[a-z]{1,20}\\.(example|xn--p1ai)".prop_map(|text| Address::parse(&text).unwrap())
}

fn code() -> impl Strategy<Value = EnhancedCode> {
    (2u8..6, any::<u16>(), any::<u16>()).prop_map(|(a, b, c)| EnhancedCode(a, b, c))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use Stage::*;
    let stages = [Queue, Route, Connect, Greeting, Ehlo, StartTls, Auth, Mail, Rcpt, Data, Stage::Body].to_vec();
    let reply = (200u16..600, proptest::option::of(code()), proptest::collection::vec(".{0,60}", 1..4))
        .prop_map(|(code, enhanced, lines)| Reply { code, enhanced, lines });
    let peer = (".{0,30}", proptest::option::of(any::<std::net::IpAddr>()), any::<u16>())
        .prop_map(|(name, address, port)| Peer { name, address, port });
    use TlsAsked::{Dane, MtaSts, Opportunistic, RequireTls};
    let asked = proptest::sample::select(vec![Opportunistic, TlsAsked::Route, RequireTls, Dane, MtaSts]);
    let tls = ("[ -~]{0,10}", "[ -~]{0,30}", any::<bool>(), asked)
        .prop_map(|(version, cipher, verified, asked)| TlsUsed { version, cipher, verified, asked });
    (
        prop_oneof![Just(Verdict::Delivered), Just(Verdict::Deferred), Just(Verdict::Failed)],
        proptest::sample::select(stages),
        prop_oneof![Just(Culprit::Receiver), Just(Culprit::Network), Just(Culprit::Dns), Just(Culprit::Us)],
        code(),
        proptest::option::of(reply),
        ".{0,60}",
        proptest::option::of(peer),
        proptest::option::of(tls),
    )
        .prop_map(|(verdict, stage, culprit, status, reply, text, peer, tls)| Outcome {
            verdict,
            stage,
            culprit,
            status,
            reply,
            text,
            peer,
            tls,
        })
}

fn recipient() -> impl Strategy<Value = Recipient> {
    let notify = prop_oneof![
        Just(Notify::Unsaid),
        Just(Notify::Never),
        any::<(bool, bool, bool)>().prop_map(|(success, failure, delay)| Notify::On { success, failure, delay }),
    ];
    (address(), notify, proptest::option::of("rfc822;.{0,30}")).prop_map(|(address, notify, orcpt)| Recipient {
        address,
        notify,
        orcpt,
    })
}

fn part() -> impl Strategy<Value = PartRecord> {
    let pending =
        (recipient(), proptest::option::of(outcome())).prop_map(|(recipient, last)| Pending { recipient, last });
    use Holder::*;
    let by = proptest::sample::select(vec![Operator, Start, AccountCircuit, CampaignCircuit, Letter, Damage]);
    let held = (by, ".{0,40}").prop_map(|(by, reason)| PartState::Held(Hold { by, reason }));
    let state = prop_oneof![Just(PartState::Due), held];
    let values = prop_oneof![Just(Vec::new()), proptest::collection::vec(".{0,12}", 1..4)];
    let numbers = any::<(u64, u32, u32, i64, bool)>();
    (numbers, "[a-z]{1,20}\\.example", proptest::collection::vec(pending, 1..5), state, values).prop_map(
        |((message, number, attempts, due, delay_noticed), domain, recipients, state, values)| PartRecord {
            id: PartId { message: MessageId(message), number },
            // A letter's part is at the domain of its recipient.
            domain: match values.is_empty() {
                true => Domain::parse(&domain).unwrap(),
                false => recipients[0].recipient.address.domain().clone(),
            },
            values,
            recipients,
            attempts,
            state,
            due: Timestamp(due),
            delay_noticed,
        },
    )
}

fn meta() -> impl Strategy<Value = MessageMeta> {
    let options = (
        prop_oneof![Just(Body::SevenBit), Just(Body::EightBitMime), Just(Body::BinaryMime)],
        any::<(bool, bool, bool)>(),
        proptest::option::of(prop_oneof![Just(Ret::Full), Just(Ret::Headers)]),
        proptest::option::of(".{0,20}"),
    )
        .prop_map(|(body, (smtputf8, require_tls, tls_optional), ret, envid)| EnvelopeOptions {
            body,
            smtputf8,
            require_tls,
            tls_optional,
            ret,
            envid,
        });
    (
        any::<(u64, i64, i64, u64, bool)>(),
        (any::<bool>(), proptest::option::of(any::<Vec<String>>()), proptest::option::of(labels())),
        proptest::option::of(".{0,20}"),
        (proptest::option::of(address()), proptest::option::of(address()), any::<bool>()),
        options,
        ".{0,80}",
    )
        .prop_map(
            |((id, received, expires, size, bulk), (members, letter, labels), account, who, options, header_id)| {
                MessageMeta {
                    id: MessageId(id),
                    account: account.map(Into::into),
                    stream: if bulk { Stream::Bulk } else { Stream::Transactional },
                    author: if who.2 { &who.0 } else { &who.1 }.as_ref().map(|a| a.domain().clone()),
                    from: who.0,
                    options,
                    received: Timestamp(received),
                    expires: Timestamp(expires),
                    header_id,
                    size,
                    labels: labels.map(Arc::new),
                    letter: letter.map(Into::into),
                    members,
                }
            },
        )
}

fn labels() -> impl Strategy<Value = Labels> {
    let name = || proptest::option::of(".{0,9}");
    (name(), name(), any::<Vec<String>>(), any::<Vec<(String, String)>>())
        .prop_map(|(campaign, list, tags, metadata)| Labels { campaign, list, tags, metadata })
}

proptest! {
    #[test]
    fn a_message_reads_as_it_was_written(meta in meta()) {
        let mut octets = vec![1, 2, 3];
        meta_to_octets(&meta, &mut octets);
        prop_assert_eq!(meta_from_octets(meta.id, &octets), Ok(meta));
    }

    #[test]
    fn a_part_reads_as_it_was_written(part in part()) {
        let mut octets = Vec::new();
        part_to_octets(&part, &mut octets);
        prop_assert_eq!(part_from_octets(part.id, &octets), Ok(part));
    }

    #[test]
    fn a_damaged_record_is_refused(part in part(), at in any::<proptest::sample::Index>(), flip in 1u8..=255) {
        let mut octets = Vec::new();
        part_to_octets(&part, &mut octets);
        let at = at.index(octets.len());
        octets[at] ^= flip;
        prop_assert_eq!(part_from_octets(part.id, &octets), Err(Bad));
        octets[at] ^= flip;
        prop_assert_eq!(part_from_octets(part.id, &octets[..at]), Err(Bad));
    }

    /// With a right checksum, so that the parser itself is asked.
    #[test]
    fn octets_at_random_neither_panic_nor_ask_for_memory(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut octets = vec![1];
        octets.extend(body);
        octets.extend(crc32fast::hash(&octets).to_le_bytes());
        let id = PartId { message: MessageId(1), number: 0 };
        let _ = part_from_octets(id, &octets);
        let _ = meta_from_octets(id.message, &octets);
    }
}

#[test]
fn a_record_of_a_later_version_is_refused() {
    let mut octets = vec![99, 0, 0];
    octets.extend(crc32fast::hash(&octets).to_le_bytes());
    assert_eq!(meta_from_octets(MessageId(1), &octets), Err(Bad));
}

#[test]
fn a_campaign_and_its_members_read_as_they_were_written() {
    let states = [
        CampaignState::Loading,
        CampaignState::Running,
        CampaignState::Paused("too many bounces".into()),
        CampaignState::Cancelled,
        CampaignState::Cancelling,
    ];
    let (mut octets, tally) = (Vec::new(), Tally { taken: 5, failed: 1, ..Tally::default() });
    for state in states {
        let launched = (state != CampaignState::Loading).then_some(Timestamp(9));
        let campaign = Campaign {
            id: MessageId(4),
            name: "autumn".into(),
            account: "news".into(),
            list: "letters".into(),
            state,
            begun: Timestamp(3),
            launched,
            rows: 7,
            tally,
        };
        campaign_to_octets(&campaign, &mut octets);
        assert_eq!(campaign_from_octets(campaign.id, 7, tally, &octets), Ok(campaign));
    }
    let bob = Address::parse("bob@example.net").unwrap();
    member_to_octets([&bob].into_iter(), None, &mut octets);
    assert_eq!(member_from_octets(&octets), Ok((vec![bob.clone()], None)));
    member_to_octets([&bob, &bob].into_iter(), Some((Some("news"), Some("letters"))), &mut octets);
    let of = Some((Some("news".into()), Some("letters".to_owned())));
    assert_eq!(member_from_octets(&octets), Ok((vec![bob.clone(), bob], of)));
}

/// Records of the version before the author's domain was kept are read, without one.
#[test]
fn a_record_without_an_author_is_read() {
    let now = MessageMeta {
        account: Some("shop".into()),
        stream: Stream::Bulk,
        from: Address::parse("a@example.com").ok(),
        header_id: "x@example.com".into(),
        size: 3,
        ..MessageMeta::new(MessageId(1), Timestamp(1), Timestamp(2))
    };
    let mut octets = Vec::new();
    meta_to_octets(&now, &mut octets);
    octets.truncate(octets.len() - 5);
    octets[0] = 4;
    octets.extend(crc32fast::hash(&octets).to_le_bytes());
    assert_eq!(meta_from_octets(now.id, &octets), Ok(now));
}

/// Records of the versions that kept the reason of a hold alone: who holds the part is read from it.
#[test]
fn a_hold_without_its_holder_is_read() {
    let check = |reason: &str, by: Holder| {
        let held = PartState::Held(Hold::new(by, reason));
        let bob = Recipient::to(Address::parse("bob@example.net").unwrap());
        let id = PartId { message: MessageId(1), number: 0 };
        let part = PartRecord {
            state: held,
            ..PartRecord::new(id, Domain::parse("example.net").unwrap(), vec![bob], Timestamp(2))
        };
        let mut octets = Vec::new();
        part_to_octets(&part, &mut octets);
        octets.truncate(octets.len() - CHECKSUM_OCTETS);
        let at = octets.windows(reason.len()).position(|w| w == reason.as_bytes()).unwrap() - 2;
        octets[at] = 1;
        octets.extend(crc32fast::hash(&octets).to_le_bytes());
        assert_eq!(part_from_octets(id, &octets), Ok(part));
    };
    check("held by an operator", Holder::Operator);
    check("held at the start (serve --held): cancel it if it has arrived, else release it", Holder::Start);
    check("the circuit of account shop is open: 11 of 11", Holder::AccountCircuit);
    check("the circuit of campaign \"june\" of account shop is open: 11 of 11", Holder::CampaignCircuit);
    check("its content is damaged on disk (the checksum does not match)", Holder::Damage);
}
