//! The text as a collector reads it: the whole of a small page, and the rules of the format over a full one.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::time::Duration;

use repute_metrics::{self as metrics, ALL, Counters, Form, Kind, Page};
use repute_types::event::{self, Back, IncidentState, Level, NoticeKind};
use repute_types::{
    Cause, Culprit, EnhancedCode, Event, EventKind, MessageId, Outcome, PartId, Reply, Stage, Timestamp, TlsAsked,
    TlsUsed, Verdict,
};

fn told(counters: &Counters, kind: EventKind) {
    counters.record(&Event { at: Timestamp(1_795_485_950_120), kind });
}

fn accepted(account: Option<&str>, recipients: usize, count: u64) -> EventKind {
    EventKind::Accepted(event::Accepted {
        message: MessageId(1),
        account: account.map(Into::into),
        from: None,
        recipients: vec!["bob@example.net".parse().unwrap(); recipients],
        recipient_count: count,
        size: 1000,
        header_id: String::new(),
        client: None,
        tls: None,
        labels: None,
    })
}

fn settled(outcome: Outcome, cause: Option<Cause>, seconds: u64) -> EventKind {
    EventKind::Settled(event::Settled {
        part: PartId { message: MessageId(1), number: 0 },
        account: None,
        labels: None,
        recipient: "bob@example.net".parse().unwrap(),
        attempt: 1,
        outcome: Arc::new(outcome),
        cause,
        next_attempt: None,
        age: Duration::from_secs(seconds),
        egress: None,
    })
}

fn delivered(asked: Option<TlsAsked>) -> Outcome {
    let mut outcome = Outcome::from_reply(Stage::Body, Reply::new(250, EnhancedCode(2, 0, 0), "ok"));
    outcome.tls = asked.map(|asked| TlsUsed { version: String::new(), cipher: String::new(), verified: false, asked });
    outcome
}

/// The value of one series.
fn value(counters: &Counters, series: &str) -> f64 {
    let mut page = Page::default();
    counters.read(&mut page);
    let text = page.write(Form::Text);
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

#[test]
fn each_event_is_counted_where_it_belongs() {
    let counters = Counters::default();
    told(&counters, accepted(Some("shop"), 2, 2));
    told(&counters, accepted(Some("news"), 0, 5000));
    told(&counters, accepted(None, 1, 1));
    for (code, enhanced) in [(535, (5, 7, 8)), (550, (5, 7, 1)), (554, (5, 6, 0)), (452, (4, 3, 1))] {
        let reply = Reply::new(code, EnhancedCode(enhanced.0, enhanced.1, enhanced.2), "no");
        told(&counters, EventKind::Refused { account: None, client: None, reply });
    }
    told(&counters, settled(delivered(None), None, 0));
    told(&counters, settled(delivered(Some(TlsAsked::Dane)), None, 16));
    told(&counters, settled(delivered(Some(TlsAsked::MtaSts)), None, 500_000));
    let greylisted = Outcome::from_reply(Stage::Rcpt, Reply::new(450, EnhancedCode(4, 7, 1), "later"));
    let cause = Cause { rule: "none", class: "greylisting", fault: "remote" };
    told(&counters, settled(greylisted.clone(), Some(cause), 1));
    let silent = Outcome::ours(Verdict::Deferred, Stage::Connect, Culprit::Network, EnhancedCode(4, 4, 1), "");
    told(&counters, settled(silent, None, 1));
    // What expires carries the last reply.
    let expired = Outcome { verdict: Verdict::Failed, stage: Stage::Queue, ..greylisted };
    told(&counters, settled(expired, Some(cause), 432_001));
    for (series, expect) in [
        ("repute_messages_accepted_total{origin=\"client\"}", 1.0),
        ("repute_messages_accepted_total{origin=\"campaign\"}", 1.0),
        ("repute_messages_accepted_total{origin=\"server\"}", 1.0),
        ("repute_recipients_accepted_total{origin=\"client\"}", 2.0),
        ("repute_recipients_accepted_total{origin=\"campaign\"}", 5000.0),
        ("repute_accepted_bytes_total", 3000.0),
        ("repute_submissions_refused_total{reason=\"authentication\"}", 1.0),
        ("repute_submissions_refused_total{reason=\"policy\"}", 1.0),
        ("repute_submissions_refused_total{reason=\"message\"}", 1.0),
        ("repute_submissions_refused_total{reason=\"temporary\"}", 1.0),
        ("repute_deliveries_total{outcome=\"delivered\"}", 3.0),
        ("repute_deliveries_total{outcome=\"deferred\"}", 2.0),
        ("repute_deliveries_total{outcome=\"failed\"}", 1.0),
        ("repute_delivered_tls_total{tls=\"none\"}", 1.0),
        ("repute_delivered_tls_total{tls=\"dane\"}", 1.0),
        ("repute_delivered_tls_total{tls=\"mta-sts\"}", 1.0),
        ("repute_refusals_total{outcome=\"deferred\",fault=\"remote\",class=\"greylisting\"}", 1.0),
        ("repute_refusals_total{outcome=\"failed\",fault=\"remote\",class=\"greylisting\"}", 0.0),
        ("repute_unanswered_total{outcome=\"deferred\",stage=\"connect\"}", 1.0),
        ("repute_unanswered_total{outcome=\"failed\",stage=\"queue\"}", 1.0),
        ("repute_delivery_seconds_bucket{le=\"1\"}", 1.0),
        ("repute_delivery_seconds_bucket{le=\"60\"}", 2.0),
        ("repute_delivery_seconds_bucket{le=\"432000\"}", 2.0),
        ("repute_delivery_seconds_bucket{le=\"+Inf\"}", 3.0),
        ("repute_delivery_seconds_sum", 500_016.0),
        ("repute_delivery_seconds_count", 3.0),
    ] {
        assert_eq!(value(&counters, series), expect, "{series}");
    }
}

#[test]
fn words_of_events_that_belong_to_no_message() {
    let counters = Counters::default();
    let incident = |what: &str, state| EventKind::Incident {
        id: 1,
        state,
        what: what.into(),
        subject: String::new(),
        text: String::new(),
        cure: String::new(),
    };
    told(&counters, incident("name.fcrdns", IncidentState::Opened));
    told(&counters, incident("name.fcrdns", IncidentState::Closed));
    told(&counters, incident("circuit.unknown", IncidentState::Opened));
    told(&counters, incident("webhook", IncidentState::Opened));
    told(&counters, EventKind::Note { level: Level::Error, what: "spool", text: String::new() });
    for kind in NoticeKind::ALL {
        told(&counters, EventKind::Noticed { about: MessageId(1), notice: MessageId(2), kind });
    }
    for what in [Back::Bounced, Back::Complained, Back::Unsubscribed] {
        let recipient = "bob@example.net".parse().unwrap();
        let (account, labels, message, status, cause) = (None, None, None, None, None);
        let text = String::new();
        told(&counters, EventKind::CameBack { what, account, labels, message, recipient, status, cause, text });
    }
    for series in [
        "repute_incidents_opened_total{of=\"check\"}",
        "repute_incidents_opened_total{of=\"circuit\"}",
        "repute_incidents_opened_total{of=\"webhook\"}",
        "repute_notes_total{level=\"error\"}",
        "repute_notices_total{kind=\"failure\"}",
        "repute_notices_total{kind=\"delay\"}",
        "repute_notices_total{kind=\"relay\"}",
        "repute_came_back_total{what=\"bounced\"}",
        "repute_came_back_total{what=\"complained\"}",
        "repute_came_back_total{what=\"unsubscribed\"}",
    ] {
        assert_eq!(value(&counters, series), 1.0, "{series}");
    }
}

#[test]
fn every_class_of_reply_and_every_stage_has_its_series() {
    let counters = Counters::default();
    for class in repute_trust::replies::Class::ALL {
        let refused = Outcome::from_reply(Stage::Rcpt, Reply::new(550, EnhancedCode(5, 0, 0), "no"));
        let cause = Cause { rule: "none", class: class.as_str(), fault: class.fault().as_str() };
        told(&counters, settled(refused, Some(cause), 1));
        let (fault, class) = (class.fault().as_str(), class.as_str());
        let series = format!("repute_refusals_total{{outcome=\"failed\",fault=\"{fault}\",class=\"{class}\"}}");
        assert_eq!(value(&counters, &series), 1.0, "{series}");
    }
    for stage in [Stage::Queue, Stage::Route, Stage::StartTls, Stage::Body] {
        told(
            &counters,
            settled(Outcome::ours(Verdict::Failed, stage, Culprit::Us, EnhancedCode(5, 0, 0), ""), None, 1),
        );
        let series = format!("repute_unanswered_total{{outcome=\"failed\",stage=\"{}\"}}", stage.as_str());
        assert_eq!(value(&counters, &series), 1.0, "{series}");
    }
}

fn small() -> Page {
    let mut page = Page::default();
    page.add(&metrics::SITE_READY, &["a\"b\\c\nd", "any"], 7.0);
    page.set(&metrics::PROCESS_CPU, 1.25);
    let mut more = Page::default();
    more.add(&metrics::SITE_READY, &["example.net", "192.0.2.1"], 0.0);
    page.join(more);
    page
}

#[test]
fn a_page_reads_as_the_prometheus_format_has_it() {
    let expect = "\
# HELP process_cpu_seconds_total Processor time, of the program and for it, in seconds.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.25
# HELP repute_site_ready_parts Parts that could be sent now, at the 20 sites with the most of them and of sessions.
# TYPE repute_site_ready_parts gauge
repute_site_ready_parts{site=\"a\\\"b\\\\c\\nd\",egress=\"any\"} 7
repute_site_ready_parts{site=\"example.net\",egress=\"192.0.2.1\"} 0
";
    assert_eq!(small().write(Form::Text), expect);
}

#[test]
fn a_page_reads_as_openmetrics_has_it() {
    let text = small().write(Form::OpenMetrics);
    assert!(text.starts_with("# HELP process_cpu_seconds "), "{text}");
    assert!(text.contains("\n# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total 1.25\n"), "{text}");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    let mut page = Page::default();
    Counters::default().read(&mut page);
    let text = page.write(Form::OpenMetrics);
    assert!(text.contains("repute_delivery_seconds_bucket{le=\"1.0\"} 0\n"), "{text}");
    assert!(text.contains("repute_delivery_seconds_bucket{le=\"+Inf\"} 0\n"), "{text}");
}

#[test]
fn every_line_follows_its_metric() {
    let mut page = Page::default();
    Counters::default().read(&mut page);
    let text = page.write(Form::Text);
    let (mut family, mut seen) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap().to_owned();
            assert!(!seen.contains(&family), "{family} stands twice");
            seen.push(family.clone());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let metric = ALL.iter().find(|metric| metric.name == family).unwrap();
            assert_eq!(rest, format!("{family} {}", metric.kind.as_str()));
        } else {
            assert!(line.starts_with(&family), "{line} stands under {family}");
            assert!(line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok(), "{line}");
        }
    }
    let counted = seen.iter().filter(|name| ALL.iter().any(|m| m.name == **name && m.kind == Kind::Counter)).count();
    assert!(counted > 15, "{seen:?}");
}

#[test]
fn the_form_is_what_the_client_asks_for() {
    for (accept, form) in [
        ("", Form::Text),
        ("*/*", Form::Text),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Form::Text),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Form::OpenMetrics),
        ("text/plain, application/openmetrics-text; version=1.0.0; q=0.75", Form::OpenMetrics),
        ("application/openmetrics-text;q=0,text/plain", Form::Text),
    ] {
        assert_eq!(Form::accepted(accept), form, "{accept}");
    }
}

/// The rules that docs/alerts.yml begins with name metrics, and values of labels, that there are.
#[test]
fn the_rules_to_begin_with_name_what_there_is() {
    let rules = include_str!("../../../docs/alerts.yml");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let exprs = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    let mut named = 0;
    for expr in exprs {
        for word in expr.split(|c| !is_name(c)).filter(|w| w.starts_with("repute_") || w.starts_with("process_")) {
            let of =
                |name: &str| word == name || ["_bucket", "_sum", "_count"].iter().any(|s| word == format!("{name}{s}"));
            assert!(ALL.iter().any(|metric| of(metric.name)), "there is no metric {word}: {expr}");
            named += 1;
        }
    }
    assert!(named >= 10, "{named}");
}
