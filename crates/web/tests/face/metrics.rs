//! `GET /metrics`: who reads it, in which form, and that what it says is what happened.

use crate::world::{Answer, JSON, METRICS, OPERATOR, SHOP, World};

impl Answer {
    /// The value of one series; `None` where there is no such.
    fn value(&self, series: &str) -> Option<f64> {
        self.body
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
            .map(|text| text.parse().unwrap())
    }
}

async fn read(world: &World, fields: &[&str]) -> Answer {
    world.ask("GET /metrics", fields, b"").await
}

#[tokio::test]
async fn only_a_token_that_may_read_metrics_reads_them() {
    let world = World::new().await;
    assert_eq!(read(&world, &[]).await.status, 401);
    for other in [SHOP, OPERATOR] {
        // One may, and is of an account; the other is of none, and may not.
        let answer = read(&world, &[other]).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let answer = read(&world, &[METRICS]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(world.ask("GET /v1/status", &[METRICS], b"").await.status, 403);
    world.end().await;
}

#[tokio::test]
async fn a_program_of_this_machine_needs_no_token_where_the_configuration_says_so() {
    let world = World::new().await;
    world.open_metrics();
    assert_eq!(read(&world, &[]).await.status, 200);
    // What comes through a proxy is not of this machine, and a token is looked at where there is one.
    for field in
        ["X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "Via: 1.1 proxy", "X-Real-IP: 203.0.113.9"]
    {
        assert_eq!(read(&world, &[field]).await.status, 401, "{field}");
    }
    assert_eq!(read(&world, &["Authorization: Bearer repute_nobody"]).await.status, 401);
    assert_eq!(world.ask("GET /v1/status", &[], b"").await.status, 401, "nothing else is open");
    world.end().await;
}

#[tokio::test]
async fn what_happens_is_counted_and_what_waits_is_measured() {
    let world = World::with_trust().await;
    let before = read(&world, &[METRICS]).await;
    assert_eq!(before.value("repute_messages_accepted_total{origin=\"client\"}"), Some(0.0), "{}", before.body);
    let body = r#"{"from": "shop@example.com", "to": "bob@example.net", "subject": "x", "text": "x"}"#;
    assert_eq!(world.post("/v1/messages", body).await.status, 202);
    assert_eq!(world.ask("POST /v1/messages", &["Authorization: Bearer repute_nobody", JSON], b"{}").await.status, 401);
    let after = read(&world, &[METRICS]).await;
    for (series, expect) in [
        ("repute_messages_accepted_total{origin=\"client\"}", 1.0),
        ("repute_recipients_accepted_total{origin=\"client\"}", 1.0),
        ("repute_submissions_refused_total{reason=\"authentication\"}", 1.0),
        ("repute_ready", 1.0),
        ("repute_sessions", 0.0),
        ("repute_circuits_open{of=\"account\"}", 0.0),
        ("repute_incidents_open{of=\"check\"}", 0.0),
        ("repute_metrics_unread{what=\"incidents\"}", 0.0),
        ("repute_metrics_unread{what=\"spool\"}", 0.0),
        ("repute_metrics_unread{what=\"webhooks\"}", 0.0),
        ("repute_metrics_unread{what=\"machine\"}", 0.0),
        ("repute_build_info{version=\"test\"}", 1.0),
    ] {
        assert_eq!(after.value(series), Some(expect), "{series} in\n{}", after.body);
    }
    let states = ["waiting", "routing", "barred", "ready", "sending", "held"];
    let parts = states.map(|state| after.value(&format!("repute_queue_parts{{state=\"{state}\"}}")).unwrap());
    assert_eq!(parts.iter().sum::<f64>(), 1.0, "{parts:?}");
    world.end().await;
}

/// By SMTP it was counted and stood in the log.
#[tokio::test]
async fn what_an_account_may_not_send_is_counted_over_http_too() {
    let world = World::new().await;
    let refused = async || {
        let answer = read(&world, &[METRICS]).await;
        answer.value("repute_submissions_refused_total{reason=\"policy\"}").unwrap()
    };
    let body = |from: &str, to: &str| format!(r#"{{"from": "{from}", "to": "{to}", "subject": "x", "text": "x"}}"#);
    assert_eq!(world.post("/v1/messages", &body("me@elsewhere.test", "bob@example.net")).await.status, 403);
    assert_eq!(refused().await, 1.0);
    let added = world.post("/v1/suppressions", r#"{"address": "bob@example.net"}"#).await;
    assert_eq!(added.status, 201, "{added:?}");
    let answer = world.post("/v1/messages", &body("me@example.com", "bob@example.net")).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert_eq!(refused().await, 2.0);
    world.end().await;
}

#[tokio::test]
async fn webhooks_are_measured_by_name() {
    let world = World::new().await;
    world.webhooks(&[("shop-events", Some("shop"))]).await;
    let answer = read(&world, &[METRICS]).await;
    for series in ["repute_webhook_active", "repute_webhook_behind_events", "repute_webhook_waiting_events"] {
        let value = answer.value(&format!("{series}{{webhook=\"shop-events\"}}"));
        assert_eq!(value, Some(if series == "repute_webhook_active" { 1.0 } else { 0.0 }), "{}", answer.body);
    }
    assert_eq!(answer.value("repute_webhook_events_total{webhook=\"shop-events\",end=\"taken\"}"), Some(0.0));
    world.end().await;
}

#[tokio::test]
async fn a_client_that_asks_for_openmetrics_gets_it() {
    let world = World::new().await;
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let answer = read(&world, &[METRICS, accept]).await;
    assert_eq!(answer.field("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    assert!(answer.body.contains("# TYPE repute_deliveries counter\n"), "{}", answer.body);
    world.end().await;
}
