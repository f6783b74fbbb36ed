//! What others publish and answer: policies for TLS, TLSA records beside chains of certificates, answers of name
//! servers, of lists and of web hosts, records as DNS hosts write them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use repute_dns::{Data, Kind, Lookup, Said, try_answer};
use repute_net::tls::leads_to;
use repute_trust::checks::lists::{self, Asked, Target};
use repute_trust::checks::registration::{Dates, abuse_contact, texts_of_block};
use repute_trust::checks::{tls, web};
use repute_trust::dane;
use repute_trust::dnsbl::{Health, List, Table, Verdict};
use repute_trust::lookup::Answer;
use repute_trust::sts::{Announced, Policy, announced};
use repute_types::Tlsa;

use super::{Choices, domain};

/// TXT records up to an empty line, and the policy behind it (RFC 8461): what is kept of a policy reads as the same, and
/// a stranger's record beside ours changes nothing. The record for TLS reports (RFC 8460) is among the texts.
pub fn sts(octets: &[u8]) {
    let end = octets.windows(2).position(|w| w == b"\n\n").unwrap_or(octets.len());
    let texts: Vec<Vec<u8>> = octets[..end].split(|b| *b == b'\n').map(<[u8]>::to_vec).take(5).collect();
    let policy = octets.get(end + 2..).unwrap_or_default();
    let found = announced(&texts);
    if let Announced::Policy(id) = &found {
        assert!((1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id:?}");
    }
    let beside: Vec<Vec<u8>> = texts.iter().cloned().chain([b"v=spf1 -all".to_vec()]).collect();
    assert_eq!(announced(&beside), found);
    tls::reports(&domain(), &Answer::Texts(texts.clone()));
    let page = web::Page { status: 200, body: String::from_utf8_lossy(policy).into_owned() };
    let mx = vec!["mx.example.com".to_owned()];
    web::mta_sts(&web::Policy { domain: domain(), record: Answer::Texts(texts), policy: Some(Ok(page)), mx });
    let Ok(policy) = Policy::parse(policy) else { return };
    assert_eq!(Policy::parse(policy.to_string().as_bytes()).as_ref(), Ok(&policy));
    assert!(!policy.names("") && policy.max_age <= repute_trust::sts::MAX_AGE_MOST);
    for pattern in &policy.mx {
        let host = pattern.strip_prefix("*.").map_or_else(|| pattern.clone(), |rest| format!("mx.{rest}"));
        assert!(policy.names(&host) && policy.names(&host.to_uppercase()), "{pattern:?} does not name {host:?}");
        assert!(!policy.names(&format!("a.{host}")) || policy.mx.len() > 1, "{pattern:?} names what is below {host:?}");
    }
}

/// TLSA records and a chain of certificates, of the same octets (RFC 6698, RFC 7672): what counts is settled once, and
/// nothing is recognised that no record speaks of.
pub fn dane(octets: &[u8]) {
    let mut choices = Choices(octets);
    let count = choices.next() % 4;
    let mut records: Vec<Tlsa> = (0..count).map(|_| record(&mut choices)).collect();
    let promise = choices.flag();
    let mut chain = Vec::new();
    while chain.len() < 4 && choices.0.len() > 2 {
        let length = usize::from(choices.next()) << 8 | usize::from(choices.next());
        let (der, rest) = choices.0.split_at(length.min(choices.0.len()));
        chain.push(der.to_vec());
        choices.0 = rest;
    }
    if let Some(text) = chain.first().and_then(|own| dane::record(own)) {
        let own = published(&text);
        assert!(dane::promises_server(std::slice::from_ref(&own), &chain), "{text} does not fit what it was made of");
        if promise {
            records.push(own);
        }
    }
    let usable = dane::usable(&records);
    assert_eq!(dane::usable(&usable), usable);
    let anchors = dane::anchors(&usable, &chain);
    let fits = dane::promises_server(&usable, &chain);
    assert_eq!(dane::matches(&records, &chain), fits || !anchors.is_empty());
    assert!(!fits || (!chain.is_empty() && usable.iter().any(|record| record.usage == 3)));
    let held = |anchor: &Vec<u8>| usable.iter().any(|record| record.usage == 2 && record.data == *anchor);
    let above = |anchor: &Vec<u8>| chain.iter().skip(1).any(|der| der == anchor);
    assert!(anchors.iter().all(|anchor| held(anchor) || above(anchor)), "an anchor that nobody spoke of");
    let led = anchors.iter().filter(|anchor| leads_to(anchor, &chain, "mx.example.com").is_ok()).count();
    assert!(led == 0 || !chain.is_empty());
}

fn record(choices: &mut Choices<'_>) -> Tlsa {
    let (usage, selector, matching) = (choices.next(), choices.next(), choices.next());
    let length = usize::from(choices.next()).min(choices.0.len());
    let (data, rest) = choices.0.split_at(length);
    choices.0 = rest;
    Tlsa { usage, selector, matching, data: data.to_vec() }
}

/// `3 1 1` and hexadecimal digits.
fn published(text: &str) -> Tlsa {
    let hash = text.strip_prefix("3 1 1 ").expect("that is what we publish");
    let octet = |at: usize| u8::from_str_radix(&hash[at..at + 2], 16).unwrap();
    Tlsa { usage: 3, selector: 1, matching: 1, data: (0..hash.len()).step_by(2).map(octet).collect() }
}

const KINDS: [Kind; 13] = [
    Kind::A,
    Kind::Aaaa,
    Kind::Mx,
    Kind::Txt,
    Kind::Ptr,
    Kind::Ns,
    Kind::Soa,
    Kind::Cname,
    Kind::Tlsa,
    Kind::Ds,
    Kind::Caa,
    Kind::Spf,
    Kind::Rrsig,
];

/// Octets as a name server's answer to each kind of question: names in it are names, and what was found is something.
pub fn dns_answer(octets: &[u8]) {
    let mut choices = Choices(octets);
    let kind = KINDS[usize::from(choices.next()) % KINDS.len()];
    let Some(Said::Answered(Lookup::Found(found))) = try_answer(choices.0, &domain(), kind) else { return };
    assert!(!found.items.is_empty());
    for item in &found.items {
        match item {
            Data::Name(name) | Data::Alias(name) => assert!(name.as_str().len() <= 253, "{name}"),
            Data::Mx(mx) => assert!(mx.exchange.host().is_none_or(|name| !name.as_str().is_empty())),
            Data::Text(text) => assert!(text.len() <= octets.len()),
            _ => {}
        }
    }
}

/// What lists answer, codes and texts: only a code that is known for a list is a listing there, and each list has a
/// finding at most for each target.
pub fn list_answer(octets: &[u8]) {
    let mut choices = Choices(octets);
    let count = choices.next() % 4;
    let code = |choices: &mut Choices<'_>| {
        let first = if choices.flag() { 127 } else { choices.next() };
        IpAddr::V4(Ipv4Addr::new(first, choices.next(), choices.next(), choices.next()))
    };
    let codes: Vec<IpAddr> = (0..count).map(|_| code(&mut choices)).collect();
    let text = String::from_utf8_lossy(choices.0).into_owned();
    let answer = if codes.is_empty() { Answer::NoName } else { Answer::Addresses(codes.clone()) };
    let target = Target::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    let known: Vec<Arc<List>> = Table::shipped().lists().iter().cloned().map(Arc::new).collect();
    let mut asked = Vec::new();
    for list in known {
        if let Verdict::Listed(hits) = list.judge(&answer) {
            assert!(!hits.is_empty() && codes.iter().all(|code| code.is_ipv4()));
        }
        if matches!(answer, Answer::NoName) {
            assert!(!matches!(list.judge(&answer), Verdict::Listed(_)), "{} lists without an answer", list.name);
        }
        let answers = vec![(target.clone(), answer.clone(), vec![text.clone()])];
        asked.push(Asked { list, health: Health::Sound, answers });
    }
    let findings = lists::judge(std::slice::from_ref(&target), &asked);
    assert!(findings.len() <= 2 * asked.len() + 2, "{} findings", findings.len());
    let IpAddr::V4(_) = codes.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)) else { return };
    let _ = lists::allowed(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), &asked);
}

/// A web host's answer as the checks read it, and what a registry says in it (RFC 9083): the same however it is cut,
/// and half a page is none.
pub fn web_answer(octets: &[u8]) {
    let mut choices = Choices(octets);
    let cut = usize::from(choices.next()) << 8 | usize::from(choices.next());
    let octets = choices.0;
    let (whole, answer) = repute_audit::try_answer(octets);
    let first = &octets[..cut.min(octets.len())];
    if let (true, early) = repute_audit::try_answer(first) {
        assert!(whole, "it was whole, and then it was not");
        assert_eq!(early, answer, "what comes behind an answer changes it");
    }
    let Some((_, body)) = answer else { return };
    let Ok(rdap) = serde_json::from_str(&body) else { return };
    let dates = Dates::read(&rdap);
    assert_eq!(Dates::read(&rdap), dates);
    let _ = (abuse_contact(&rdap), texts_of_block(&rdap));
}

/// A record as a DNS host writes it in its interface.
pub fn host_record(octets: &[u8]) {
    let mut choices = Choices(octets);
    let kind = ["A", "AAAA", "CNAME", "PTR", "MX", "TXT", "SRV"][usize::from(choices.next()) % 7];
    if let Some(repute_trust::records::Data::Txt(strings)) = repute_publish::try_record(kind, choices.0) {
        let octets: usize = strings.iter().map(Vec::len).sum();
        assert!(octets <= choices.0.len(), "more than was written");
    }
}
