//! Reports are kept once and answer who sends as us.

use std::net::IpAddr;
use std::time::Duration;

use repute_feedback::{Aggregate, AuthFailure, Comeback, Policy, Record, TlsReport};
use repute_ledger::{Reports, ReportsOptions};
use repute_types::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 3600);
const NOW: Timestamp = Timestamp(1_795_485_950_120);

fn report(id: &str, records: &[(&str, u64, bool)]) -> Aggregate {
    let record = |(source, count, passes): &(&str, u64, bool)| Record {
        source: source.parse::<IpAddr>().unwrap(),
        count: *count,
        disposition: if *passes { "none" } else { "reject" }.into(),
        dkim: *passes,
        spf: false,
        reasons: Vec::new(),
        header_from: "example.com".into(),
        envelope_from: String::new(),
        signatures: Vec::new(),
        spf_domain: "example.com".into(),
        spf_result: "fail".into(),
    };
    Aggregate {
        reporter: "example.net".into(),
        id: id.into(),
        policy: Policy { domain: "example.com".into(), p: "reject".into(), ..Policy::default() },
        records: records.iter().map(record).collect(),
        ..Aggregate::default()
    }
}

fn open(folder: &tempfile::TempDir, options: ReportsOptions) -> Reports {
    Reports::open(&folder.path().join("reports.sqlite"), options).unwrap()
}

#[tokio::test]
async fn who_sends_as_us_and_how_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let reports = open(&folder, ReportsOptions::default());
    let (ours, theirs) = ("192.0.2.1", "198.51.100.9");
    assert!(reports.keep_dmarc(report("1", &[(ours, 100, true)]), NOW - DAY * 10).await.unwrap());
    assert!(reports.keep_dmarc(report("2", &[(ours, 50, true), (theirs, 70, false)]), NOW - DAY).await.unwrap());
    assert!(reports.keep_dmarc(report("3", &[(ours, 5, false)]), NOW - DAY).await.unwrap());

    let sources = reports.sources(Some("example.com"), DAY * 7, NOW).unwrap();
    let told: Vec<_> = sources
        .iter()
        .map(|s| (s.source.as_str(), s.count, s.passed, s.refused, s.count_before, s.passed_before))
        .collect();
    assert_eq!(told, [(theirs, 70, 0, 70, 0, 0), (ours, 55, 50, 5, 100, 100)]);
    assert_eq!(reports.sources(Some("example.org"), DAY * 7, NOW).unwrap(), []);
    assert_eq!(reports.sources(None, DAY * 7, NOW).unwrap(), sources);
}

#[tokio::test]
async fn a_report_is_kept_once_and_shown_whole_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let reports = open(&folder, ReportsOptions::default());
    let one = report("1", &[("192.0.2.1", 2, true), ("2001:db8::1", 3, false)]);
    assert!(reports.keep_dmarc(one.clone(), NOW).await.unwrap());
    assert!(!reports.keep_dmarc(one, NOW + DAY).await.unwrap());
    let tls = r#"{"organization-name": "mail.example.net", "report-id": "t", "date-range": {}, "policies": [{"policy":
        {"policy-type": "sts", "policy-domain": "example.com"}, "summary": {"total-successful-session-count": 9,
        "total-failure-session-count": 1}, "failure-details": [{"result-type": "sts-webpki-invalid",
        "receiving-mx-hostname": "mx.example.com", "failed-session-count": 1}]}]}"#;
    let tls: TlsReport = serde_json::from_str(tls).unwrap();
    assert!(reports.keep_tls(tls, NOW).await.unwrap());
    drop(reports);

    let reports = open(&folder, ReportsOptions::default());
    let list = reports.list(None, 10).unwrap();
    let told: Vec<_> = list.iter().map(|r| (r.kind.as_str(), r.domain.as_str(), r.good, r.bad)).collect();
    assert_eq!(told, [("tls", "example.com", 9, 1), ("dmarc", "example.com", 2, 3)]);
    assert_eq!(reports.list(None, 1).unwrap().len(), 1);
    let detail = reports.show(list[1].id).unwrap().unwrap();
    assert_eq!((detail.records.len(), detail.records[0].source.as_str()), (2, "2001:db8::1"));
    let detail = reports.show(list[0].id).unwrap().unwrap();
    assert_eq!(detail.failures[0].result, "sts-webpki-invalid");
    assert_eq!(reports.show(99).unwrap(), None);
}

#[tokio::test]
async fn the_oldest_go_at_each_bound() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReportsOptions { reports: 3, records: 5, age: DAY * 30 };
    let reports = open(&folder, options);
    let kept = || reports.list(None, 10).unwrap().into_iter().map(|r| r.name).collect::<Vec<_>>();
    for n in 1..=4 {
        reports.keep_dmarc(report(&n.to_string(), &[("192.0.2.1", 1, true)]), NOW).await.unwrap();
    }
    assert_eq!(kept(), ["4", "3", "2"]);
    reports.keep_dmarc(report("5", &[("192.0.2.1", 1, true); 4]), NOW).await.unwrap();
    assert_eq!(kept(), ["5", "4"]);
    reports.keep_dmarc(report("6", &[("192.0.2.1", 1, true)]), NOW + DAY * 31).await.unwrap();
    assert_eq!(kept(), ["6"]);
    // Numbers that nobody can have counted do not break the sums.
    reports.keep_dmarc(report("7", &[("192.0.2.1", u64::MAX, true); 2]), NOW + DAY * 31).await.unwrap();
    assert_eq!(reports.sources(None, DAY * 7, NOW + DAY * 31).unwrap().len(), 1);
}

fn failure(id: &str) -> AuthFailure {
    let text = format!(
        "From: a@b.test\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nVersion: 1\r\n\
         User-Agent: Lua/1.0\r\nAuth-Failure: dmarc\r\nDelivery-Result: reject\r\nIdentity-Alignment: none\r\n\
         Source-IP: 198.51.100.9\r\nReported-Domain: example.com\r\nOriginal-Mail-From: <ann@else.test>\r\n\
         Arrival-Date: Wed, 25 Nov 2026 10:00:00 +0000\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: Boss <boss@example.com>\r\nMessage-ID: <{id}>\r\n\r\n\
         --b--\r\n"
    );
    match repute_feedback::read(text.as_bytes()) {
        Comeback::DmarcFailure(failure) => *failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_failure_report_is_a_record_without_people_and_counts_as_no_aggregate() {
    let folder = tempfile::tempdir().unwrap();
    let reports = open(&folder, ReportsOptions::default());
    assert!(reports.keep_failure(failure("1@else.test"), NOW).await.unwrap());
    assert!(!reports.keep_failure(failure("1@else.test"), NOW).await.unwrap());
    assert!(reports.keep_failure(failure("2@else.test"), NOW).await.unwrap());
    let list = reports.list(Some("example.com"), 10).unwrap();
    let told: Vec<_> = list.iter().map(|r| (r.kind.as_str(), r.name.as_str(), r.good, r.bad)).collect();
    assert_eq!(told, [("failure", "dmarc 2@else.test", 0, 1), ("failure", "dmarc 1@else.test", 0, 1)]);
    let record = reports.show(list[0].id).unwrap().unwrap().records.remove(0);
    let told = (record.source.as_str(), record.header_from.as_str(), record.envelope_from.as_str());
    assert_eq!(told, ("198.51.100.9", "example.com", "else.test"));
    assert_eq!((record.disposition.as_str(), record.reasons.as_str(), record.dkim), ("reject", "dmarc", false));
    assert_eq!(reports.sources(None, DAY * 7, NOW).unwrap(), []);
}

#[tokio::test]
async fn one_report_of_a_stranger_takes_a_bounded_room() {
    let folder = tempfile::tempdir().unwrap();
    let reports = open(&folder, ReportsOptions::default());
    let detail = r#"{"result-type": "x"},"#.repeat(999) + "{}";
    let policy = format!(r#"{{"policy": {{"policy-domain": "Example.com"}}, "failure-details": [{detail}]}}"#);
    let name = "é".repeat(100_000);
    let policies = vec![policy; 30].join(",");
    let text = format!(r#"{{"organization-name": "{name}", "date-range": {{}}, "policies": [{policies}]}}"#);
    let tls: TlsReport = serde_json::from_str(&text).unwrap();
    assert!(reports.keep_tls(tls, NOW).await.unwrap());
    let found = reports.list(Some("example.com"), 10).unwrap().remove(0);
    assert_eq!(found.reporter.chars().count(), 255);
    assert_eq!(reports.show(found.id).unwrap().unwrap().failures.len(), 20_000);
}
