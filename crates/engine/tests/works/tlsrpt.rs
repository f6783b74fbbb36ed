//! Reports on TLS (RFC 8460), from the session that is counted to the letter that is sent, over days of simulated time.

use repute_feedback::{Comeback, TlsReport, read};
use repute_types::{EventKind, Verdict};

use crate::world::*;

/// What stands in the reports that a receiver got.
fn reports(receiver: &Receiver) -> Vec<TlsReport> {
    let letters = letters(receiver);
    let read = letters.into_iter().filter_map(|letter| match read(letter.as_bytes()) {
        Comeback::TlsReport(report) => Some(*report),
        _ => None,
    });
    read.collect()
}

fn letters(receiver: &Receiver) -> Vec<String> {
    receiver.taken.lock().unwrap().iter().map(|taken| taken.text.clone()).collect()
}

/// Mail to a receiver without TLS, and its record.
async fn scene(record: &str) -> (World, std::sync::Arc<Receiver>) {
    let mut world = World::with_ledger().await;
    let receiver = world.receiver("b.test", |_, _| "250 2.0.0 taken");
    world.text("_smtp._tls.b.test", record);
    world.submit("me@example.com", &["bob@b.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.verdicts("bob@b.test"), [(1, Verdict::Delivered)]);
    (world, receiver)
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_asks_is_told_once_when_the_day_is_over() {
    let (world, receiver) = scene("v=TLSRPTv1; rua=mailto:tls@b.test").await;
    let today = world.control().tls_sessions(None, false, 10).await.unwrap();
    assert_eq!((today.day.as_str(), today.rows.len()), ("2026-11-24", 1));
    assert_eq!(today.rows[0].result.as_deref(), Some("starttls-not-supported"));
    pass(23 * HOUR).await;
    assert!(reports(&receiver).is_empty(), "the day is not over");
    pass(6 * HOUR).await;
    let [report] = &reports(&receiver)[..] else { panic!("{:?}", world.notes()) };
    assert_eq!(report.report_id, "2026-11-24.b.test@mail.example.com");
    assert_eq!(report.organization_name, "example.com");
    assert_eq!(report.contact_info.as_deref(), Some("postmaster@example.com"));
    assert_eq!(report.date_range.start_datetime, "2026-11-24T00:00:00Z");
    assert_eq!(report.date_range.end_datetime, "2026-11-24T23:59:59Z");
    let [policy] = &report.policies[..] else { panic!("{report:?}") };
    assert_eq!(
        (policy.policy.policy_type.as_str(), policy.policy.policy_domain.as_str()),
        ("no-policy-found", "b.test")
    );
    assert_eq!(report.counts(), (0, 1));
    assert_eq!(policy.failure_details[0].receiving_mx_hostname.as_deref(), Some("mx.b.test"));
    assert_eq!(policy.failure_details[0].receiving_ip.as_deref(), Some("192.0.2.1"));
    let letter = letters(&receiver).pop().unwrap();
    for field in [
        "From: Repute <postmaster@example.com>",
        "To: tls@b.test",
        "TLS-Report-Domain: b.test",
        "TLS-Report-Submitter: example.com",
        "TLS-Required: No",
        "Content-Type: multipart/report; report-type=tlsrpt; boundary=",
        "Content-Type: application/tlsrpt+gzip",
        "filename=\"example.com!b.test!1795478400!1795564799.json.gz\"",
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com;",
    ] {
        assert!(letter.contains(field), "no {field:?} in {letter}");
    }
    // The report's own session is no session, and nothing is left of the day.
    pass(3 * DAY).await;
    assert_eq!(reports(&receiver).len(), 1);
    for yesterday in [false, true] {
        assert!(world.control().tls_sessions(None, yesterday, 10).await.unwrap().rows.is_empty());
    }
    world.check_unasked();
}

#[tokio::test(start_paused = true)]
async fn counts_outlive_a_restart_and_a_day_that_was_slept_through_is_reported_after_it() {
    let (mut world, receiver) = scene("v=TLSRPTv1; rua=mailto:tls@b.test").await;
    world.stop().await;
    pass(30 * HOUR).await;
    world.start().await;
    pass(10 * MINUTE).await;
    assert_eq!(reports(&receiver).iter().map(TlsReport::counts).collect::<Vec<_>>(), [(0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_ask_is_not_told_and_who_cannot_be_asked_is_asked_again() {
    let (world, receiver) = scene("v=spf1 -all").await;
    world.silence("_smtp._tls.b.test");
    pass(28 * HOUR).await;
    assert_eq!(world.control().tls_sessions(None, true, 10).await.unwrap().rows.len(), 1, "it is not known yet");
    world.unsilence("_smtp._tls.b.test");
    pass(5 * HOUR).await;
    assert!(world.control().tls_sessions(None, true, 10).await.unwrap().rows.is_empty());
    assert!(reports(&receiver).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_place_that_takes_nothing_is_given_up_after_a_day() {
    let (world, receiver) = scene("v=TLSRPTv1; rua=https://reports.b.test/tls,mailto:tls@b.test").await;
    pass(29 * HOUR).await;
    assert_eq!(reports(&receiver).len(), 1, "one place does not wait for the other");
    let dropped = |world: &World| world.notes().iter().filter(|note| note.contains("and is dropped")).count();
    assert_eq!(dropped(&world), 0);
    pass(24 * HOUR).await;
    assert_eq!(dropped(&world), 1, "{:?}", world.notes());
    let tries = world.notes().iter().filter(|note| note.contains("waits for https://reports.b.test/tls")).count();
    assert!((5..20).contains(&tries), "{tries}");
    pass(DAY).await;
    assert_eq!((dropped(&world), reports(&receiver).len()), (1, 1));
    assert!(world.control().tls_sessions(None, true, 10).await.unwrap().rows.is_empty());
}

impl World {
    /// Nothing of what was sent came back, and nobody was told of it.
    fn check_unasked(&self) {
        assert_eq!(self.count(|kind| matches!(kind, EventKind::Noticed { .. })), 0);
    }
}
