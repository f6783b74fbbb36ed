//! What the receivers got, held against what was sent and against the server's books.
//!
//! Promise: the demo ends well only if every check here holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use repute_playground::Received;
use repute_playground::judge::{Algorithm, Report, Verdict};
use repute_playground::receiver::header_field;

use super::books::Books;
use super::letters::{HILL, Letter, NOBODY, NUMBER_FIELD, RIVER, SHOP};
use super::world::{Home, World};

const MISSING_SHOWN: usize = 5;

/// One domain's line, or their sum. Recipients, except where it says messages.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Row {
    /// `all` for the sum.
    pub domain: String,
    pub recipients: u64,
    pub delivered: u64,
    /// Put off at first.
    pub retried: u64,
    /// Refused for good: their sender was told.
    pub bounced: u64,
    /// More than one copy of a message.
    pub copies: u64,
    /// Transactions at the receiver, each with a report.
    pub messages: u64,
    pub over_tls: u64,
    pub rsa_verified: u64,
    pub ed25519_verified: u64,
    pub spf_pass: u64,
    pub dmarc_pass: u64,
    /// The address has a name that leads back to it and that EHLO said.
    pub names_agree: u64,
}

#[derive(Debug, serde::Serialize)]
pub struct Check {
    pub what: String,
    pub holds: bool,
}

#[derive(Debug, serde::Serialize)]
pub struct Tally {
    pub accepted: u64,
    pub in_queue: usize,
    pub domains: Vec<Row>,
    pub all: Row,
    pub checks: Vec<Check>,
    /// The first few recipients that did not get theirs, or not once.
    pub missing: Vec<String>,
    /// How a newsletter fared as one rule after the other was put right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub story: Option<Vec<super::story::Told>>,
}

impl Tally {
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|c| c.holds)
    }
}

/// How many (letter, recipient) pairs have arrived so far, and how many notices.
pub fn arrived(world: &World) -> (u64, u64) {
    let homes = world.homes.iter().map(|h| h.receiver.inbox().counts().recipients).sum();
    (homes, world.shop.receiver.inbox().counts().messages)
}

pub fn tally(world: &World, letters: &[Arc<Letter>], accepted: &[u32], books: &Books, in_queue: usize) -> Tally {
    let mut missing = Vec::new();
    let domains: Vec<Row> = world.homes.iter().map(|home| row(home, letters, books, &mut missing)).collect();
    missing.truncate(MISSING_SHOWN);
    let mut all = Row { domain: "all".to_owned(), ..Row::default() };
    domains.iter().for_each(|row| all.add(row));
    let accepted = accepted.len() as u64;
    let mut tally = Tally { accepted, in_queue, domains, all, checks: Vec::new(), missing, story: None };
    tally.checks = checks(world, letters, books, &tally);
    tally
}

fn row(home: &Home, letters: &[Arc<Letter>], books: &Books, missing: &mut Vec<String>) -> Row {
    let inbox = home.receiver.inbox();
    let messages = inbox.messages();
    let at_home = |address: &&String| address.ends_with(&format!("@{}", home.domain));
    let wanted: BTreeSet<(u32, &str)> =
        letters.iter().flat_map(|l| l.to.iter().filter(at_home).map(|to| (l.number, to.as_str()))).collect();
    let mut got: BTreeMap<(u32, &str), u64> = BTreeMap::new();
    for message in &messages {
        for recipient in &message.facts.recipients {
            *got.entry((number(message), recipient)).or_default() += 1;
        }
    }
    let lost = wanted.iter().filter(|pair| got.get(*pair) != Some(&1));
    missing.extend(lost.map(|pair| format!("letter {} to {}", pair.0, pair.1)));
    let line = books.domains.get(home.domain).copied().unwrap_or_default();
    let mut row = Row {
        domain: home.domain.to_owned(),
        recipients: letters.iter().flat_map(|l| l.to.iter().chain(&l.unknown)).filter(at_home).count() as u64,
        delivered: wanted.iter().filter(|pair| got.contains_key(*pair)).count() as u64,
        retried: line.retried,
        bounced: line.failed,
        copies: got.values().map(|count| count - 1).sum(),
        messages: messages.len() as u64,
        over_tls: messages.iter().filter(|m| m.facts.tls.is_some()).count() as u64,
        ..Row::default()
    };
    for report in messages.iter().filter_map(|m| m.report.as_ref()) {
        row.judge(report);
    }
    row
}

impl Row {
    fn judge(&mut self, report: &Report) {
        let yes = |holds: bool| u64::from(holds);
        // A signature that fails beside one that passes is not as it should be either.
        let by = |algorithm| yes(report.all_verified() && report.verified(algorithm));
        self.rsa_verified += by(Algorithm::RsaSha256);
        self.ed25519_verified += by(Algorithm::Ed25519Sha256);
        self.spf_pass += yes(report.spf == Verdict::Pass);
        self.dmarc_pass += yes(report.dmarc == Verdict::Pass);
        self.names_agree += yes(report.reverse == Verdict::Pass && report.helo == Verdict::Pass);
    }

    fn add(&mut self, other: &Row) {
        self.recipients += other.recipients;
        self.delivered += other.delivered;
        self.retried += other.retried;
        self.bounced += other.bounced;
        self.copies += other.copies;
        self.messages += other.messages;
        self.over_tls += other.over_tls;
        self.rsa_verified += other.rsa_verified;
        self.ed25519_verified += other.ed25519_verified;
        self.spf_pass += other.spf_pass;
        self.dmarc_pass += other.dmarc_pass;
        self.names_agree += other.names_agree;
    }
}

/// The letter's number, as its receiver reads it; 0 where it is lost.
fn number(message: &Received) -> u32 {
    header_field(&message.facts.content, &NUMBER_FIELD.to_ascii_lowercase()).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn checks(world: &World, letters: &[Arc<Letter>], books: &Books, tally: &Tally) -> Vec<Check> {
    let all = &tally.all;
    let existing: u64 = letters.iter().map(|l| l.to.len() as u64).sum();
    let unknown: BTreeSet<u32> = letters.iter().filter(|l| l.unknown.is_some()).map(|l| l.number).collect();
    let delivered: u64 = world.homes.iter().filter_map(|h| books.domains.get(h.domain)).map(|l| l.delivered).sum();
    let (told, wrong) = notices(&world.shop);
    let faults: u64 = world.all().map(|h| h.receiver.inbox().counts().protocol_errors).sum();
    let retried = |domain: &str| tally.domains.iter().find(|row| row.domain == domain).map_or(0, |row| row.retried);
    let greylisted: u64 = world.homes.iter().map(|h| h.receiver.inbox().counts().greylisted).sum();
    let check = |what: String, holds: bool| Check { what, holds };
    vec![
        check(
            format!("{} of {} messages accepted, and the server's books agree", tally.accepted, letters.len()),
            tally.accepted == letters.len() as u64 && books.accepted == tally.accepted,
        ),
        check(
            format!("{} of {existing} recipients got theirs, each exactly once", all.delivered),
            all.delivered == existing && all.copies == 0 && delivered == existing,
        ),
        check(
            format!(
                "{} of {} unknown recipients bounced, and the sender was told of each, by a signed notice",
                told.len(),
                unknown.len()
            ),
            all.bounced == unknown.len() as u64 && told == unknown && wrong == 0 && books.notices == told.len() as u64,
        ),
        check(
            format!(
                "{} of {} messages carry two signatures, RSA and Ed25519, and both verify",
                both(all),
                all.messages
            ),
            both(all) == all.messages && all.messages > 0,
        ),
        check(
            format!("SPF passes for {} and DMARC for {}", all.spf_pass, all.dmarc_pass),
            all.spf_pass == all.messages && all.dmarc_pass == all.messages,
        ),
        check(
            format!("forward name, reverse name and EHLO agree for {}", all.names_agree),
            all.names_agree == all.messages,
        ),
        check(format!("{} came over TLS", all.over_tls), all.over_tls == all.messages),
        check(
            format!("{} recipients were retried: {RIVER} greylisted, {HILL} was down", all.retried),
            retried(RIVER) > 0 && retried(HILL) > 0 && greylisted > 0,
        ),
        check(
            format!("{} left in the queue, {} without an end in the books", tally.in_queue, books.open.len()),
            tally.in_queue == 0 && books.open.is_empty(),
        ),
        check(format!("{faults} breaches of the protocol seen by the receivers"), faults == 0),
    ]
}

fn both(row: &Row) -> u64 {
    row.rsa_verified.min(row.ed25519_verified)
}

/// The letters that notices came for, and how many messages at the shop are not a right one:
/// a null sender, a delivery report, the unknown user, status 5.1.1, and signed as all else.
fn notices(shop: &Home) -> (BTreeSet<u32>, usize) {
    let (mut told, mut wrong) = (BTreeSet::new(), 0);
    for message in shop.receiver.inbox().messages() {
        let text = String::from_utf8_lossy(&message.facts.content).into_owned();
        let about = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{NUMBER_FIELD}: "))?.parse().ok());
        let names_nobody = ["rfc822;", "rfc822; "].iter().any(|kind| text.contains(&format!("{kind}{NOBODY}")));
        let signed = message.report.as_ref().is_some_and(|r| {
            r.all_verified() && r.verified(Algorithm::RsaSha256) && r.verified(Algorithm::Ed25519Sha256)
        });
        let right = signed
            && message.facts.from.is_none()
            && message.facts.recipients.iter().all(|r| r.ends_with(&format!("@{SHOP}")))
            && text.contains("report-type=delivery-status")
            && names_nobody
            && text.contains("5.1.1");
        match about {
            Some(number) if right && told.insert(number) => {}
            _ => wrong += 1,
        }
    }
    (told, wrong)
}
