//! Messages as receivers see them. Each folder in `arrivals/` has the message, the zone around it
//! (added to the good one), what is known of the connection, and what is to come of it.
//! `REPUTE_BLESS=1` writes the last anew.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use repute_audit::{Arrival, Connection, Limits, Sight, Silent, judge};
use repute_dns::{Inspect, ServersFake};
use repute_trust::checks::Outcome;
use repute_trust::dkim::{SigningKey, sign};
use repute_trust::dnsbl::{Keys, Table};
use repute_trust::receivers::{Decision, receivers, scores};
use repute_types::{Content, Domain, Timestamp};

use crate::common;

/// Wed, 25 Nov 2026 12:00:00 +0000.
const NOW: Timestamp = Timestamp(1_795_608_000_000);

/// Every list that can be asked without a key passes its self-test.
fn sound_lists() -> String {
    let mut text = String::new();
    for list in Table::shipped().lists() {
        let Some(zone) = Table::zone(list, &Keys::new()) else { continue };
        for points in list.test_points(&zone) {
            let code = list.codes.first().map_or("127.0.0.2".to_owned(), |c| c.code.to_string());
            let code = if code.parse::<std::net::Ipv4Addr>().is_ok() { code } else { "127.0.0.2".to_owned() };
            let _ = writeln!(text, "{} A {code}", points.listed.name);
        }
    }
    text
}

struct Case {
    arrival: Arrival,
    zone: String,
}

/// `case.txt` has a line for each thing that is known: `ip`, `helo`, `mail-from`, `tls`, `bulk`,
/// `signed`, `without` (words that lines of the good zone begin with).
fn read(folder: &Path) -> Case {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let known = text("case.txt");
    let all = |key: &str| -> Vec<String> {
        known.lines().filter_map(|l| l.strip_prefix(key)?.strip_prefix(' ')).map(|v| v.trim().to_owned()).collect()
    };
    let has = |key: &str| known.lines().any(|l| l.trim() == key);
    let one = |key: &str| all(key).into_iter().next();
    let mut content = Content::from(text("message.eml").replace('\n', "\r\n").into_bytes());
    if has("signed") {
        let key = SigningKey::from_pem("s1", common::PEM).unwrap();
        content.prepend(sign(&content, &[&key], &Domain::parse("example.com").unwrap(), NOW).unwrap());
    }
    let without = all("without");
    let without: Vec<&str> = without.iter().map(String::as_str).collect();
    let zone = common::zone(&without, &(text("zone.txt") + &sound_lists()));
    let connection = one("ip").map(|ip| Connection {
        ip: ip.parse().unwrap(),
        helo: one("helo").unwrap_or_default(),
        tls: has("tls"),
    });
    let arrival = Arrival { connection, mail_from: one("mail-from"), content, bulk: has("bulk") };
    Case { arrival, zone }
}

async fn seen(case: &Case) -> Sight {
    let dns: Arc<dyn Inspect> = Arc::new(ServersFake::parse(&case.zone));
    judge(&case.arrival, dns, &Limits::default(), NOW).await
}

fn told(case: &Case, sight: &Sight) -> String {
    let mut text = format!("trust {}{}\n", sight.trust, if sight.at_most { " at most" } else { "" });
    let _ = writeln!(text, "signs {}", sight.signs.join(", "));
    for score in scores(&sight.signs, &sight.generic) {
        let _ = writeln!(text, "{score}");
    }
    for finding in sight.findings.iter().filter(|f| f.outcome != Outcome::Pass) {
        let _ = writeln!(text, "{} {}: {}", finding.outcome, finding.id, finding.verdict);
    }
    for receiver in receivers() {
        let said = match receiver.decide(&sight.view(&case.arrival)) {
            Decision::Inbox => "inbox".to_owned(),
            Decision::Junk { check, because } => format!("junk ({check}): {because}"),
            Decision::Refused { check, reply } => format!("refuses ({check}): {reply}"),
        };
        let _ = writeln!(text, "{} {said}", receiver.name);
    }
    text
}

#[tokio::test]
async fn every_case_comes_out_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/arrivals");
    let mut folders: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 8);
    let mut wrong = Vec::new();
    for folder in folders {
        let case = read(&folder);
        let found = told(&case, &seen(&case).await);
        let expected = folder.join("expected.txt");
        if std::env::var_os("REPUTE_BLESS").is_some() {
            std::fs::write(&expected, &found).unwrap();
        }
        if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", folder.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn without_dns_all_that_needs_it_is_unknown_and_nobody_is_refused_for_it() {
    let case = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/arrivals/01-everything-right"));
    let sight = judge(&case.arrival, Arc::new(Silent("nobody is asked")), &Limits::default(), NOW).await;
    let of = |outcome| sight.findings.iter().filter(move |f| f.outcome == outcome).map(|f| f.id).collect::<Vec<_>>();
    assert_eq!(of(Outcome::Fail), Vec::<&str>::new());
    for id in ["name.ptr.exists", "spf.pass.each", "dkim.sign.verify", "dmarc.align"] {
        assert!(of(Outcome::Unknown).contains(&id), "{id}: {:?}", of(Outcome::Unknown));
    }
    assert!(sight.at_most);
    for receiver in receivers() {
        assert_eq!(
            receiver.decide(&sight.view(&case.arrival)),
            Decision::Inbox,
            "{}: {:?}",
            receiver.name,
            sight.signs
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever comes, every receiver decides, and no check but these speaks.
    #[test]
    fn no_message_makes_the_judges_fall_over(
        head in "(From|To|Date|Subject|Message-ID|DKIM-Signature|List-Unsubscribe|Content-Type|X)?:?[ -~]{0,60}\r\n",
        octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
        helo in "[ -~]{0,30}",
        from in "[ -~]{0,30}",
    ) {
        let mut content = head.into_bytes();
        content.extend_from_slice(&octets);
        let connection = Some(Connection { ip: "203.0.113.10".parse().unwrap(), helo, tls: false });
        let arrival = Arrival { connection, mail_from: Some(from), content: content.into(), bulk: true };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dns: Arc<dyn Inspect> = Arc::new(ServersFake::parse(common::GOOD));
        let limits = Limits { lists: false, ..Limits::default() };
        let sight = runtime.block_on(judge(&arrival, dns, &limits, NOW));
        proptest::prop_assert!(sight.trust <= 100);
        for receiver in receivers() {
            let _ = receiver.decide(&sight.view(&arrival));
        }
    }
}
