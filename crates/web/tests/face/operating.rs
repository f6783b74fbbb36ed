//! What an operator may do: permits, incidents, circuits, webhooks; and what others may see of it.

use crate::world::{JSON, METRICS, NEWS, OPERATOR, READER, SHOP, World};
use repute_ledger::Opened;
use repute_types::Timestamp;
use serde_json::json;

#[tokio::test]
async fn an_operator_allows_suspends_and_takes_it_back() {
    let world = World::with_trust().await;
    let post = async |who: &str, path: &str, body: serde_json::Value| {
        world.ask(&format!("POST /v1/permits/{path}"), &[who, JSON], body.to_string().as_bytes()).await
    };
    let word = json!({"domain": "example.com", "reason": "the PTR changes tonight", "seconds": 60});
    for (path, state, may) in [("suspend", "barred", false), ("allow", "allowed", true)] {
        let said = post(OPERATOR, path, word.clone()).await;
        let permit = said.json()["permits"][0].clone();
        assert_eq!(
            (said.status, permit["state"].as_str(), permit["may"].as_bool()),
            (200, Some(state), Some(may)),
            "{said:?}"
        );
        assert_eq!(permit["said"]["who"].as_str(), Some("token ops"));
    }
    assert_eq!(
        post(OPERATOR, "reset", json!({"domain": "example.com"})).await.json()["permits"][0]["said"],
        json!(null)
    );
    for who in [SHOP, READER] {
        assert_eq!(post(who, "allow", word.clone()).await.status, 403);
        assert_eq!(post(who, "reset", json!({})).await.status, 403);
    }
    let wrong = post(OPERATOR, "allow", json!({"address": "x", "domain": "-", "reason": " ", "seconds": 0})).await;
    assert_eq!((wrong.status, wrong.errors().len()), (422, 4), "{wrong:?}");
    let unknown = post(OPERATOR, "allow", json!({"address": "203.0.113.9", "reason": "x"})).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let history = world.ask("GET /v1/trust", &[OPERATOR], b"").await.json();
    let words: Vec<_> = history["changes"].as_array().unwrap().iter().filter(|c| c["what"] == "override").collect();
    assert_eq!(words.len(), 3, "{history}");
    world.end().await;
}

#[tokio::test]
async fn what_concerns_the_whole_server_is_not_an_accounts_to_see() {
    let world = World::with_trust().await;
    for path in
        ["/v1/incidents", "/v1/incidents?closed=10", "/v1/trust", "/v1/trust?since=2026-01-01T00:00:00Z&limit=1"]
    {
        for (who, status) in [(OPERATOR, 200), (SHOP, 403), (READER, 403)] {
            let answer = world.ask(&format!("GET {path}"), &[who], b"").await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
        }
    }
    for path in ["/v1/incidents?closed=501", "/v1/trust?limit=0", "/v1/trust?since=x", "/v1/trust?x=y"] {
        assert_eq!(world.ask(&format!("GET {path}"), &[OPERATOR], b"").await.status, 400, "{path}");
    }
    for path in ["/v1/permits", "/v1/checks", "/v1/domains"] {
        let mine = world.ask(&format!("GET {path}"), &[SHOP], b"").await;
        assert_eq!(mine.status, 200, "{mine:?}");
    }
    let mine = world.ask("GET /v1/permits", &[SHOP], b"").await.json();
    assert_eq!(
        (mine["permits"][0]["domain"].as_str(), &mine["waiting"]),
        (Some("example.com"), &json!(null)),
        "{mine}"
    );
    assert_eq!(world.ask("POST /v1/checks", &[OPERATOR], b"").await.status, 202);
    assert_eq!(world.ask("POST /v1/checks", &[SHOP], b"").await.status, 403);
    world.end().await;
}

#[tokio::test]
async fn a_circuit_is_not_closed_by_the_account_that_opened_it() {
    let world = World::new().await;
    for (path, of_shop) in [("continue", 403), ("cancel", 404)] {
        let post =
            async |who| world.ask(&format!("POST /v1/circuits/{path}"), &[who, JSON], br#"{"name": "shop"}"#).await;
        assert_eq!(post(SHOP).await.status, of_shop, "the account may have its mail not sent, and nothing is open");
        assert_eq!(post(READER).await.status, 403);
        let none = post(OPERATOR).await;
        assert_eq!(
            (none.status, none.json()["type"].as_str()),
            (404, Some("/problems/not-found")),
            "nothing is open: {none:?}"
        );
    }
    assert_eq!(world.get("/v1/circuits").await.json()["circuits"], json!([]));
    world.end().await;
}

/// An open circuit of the campaign `bad` of the account `news`.
fn open() -> Vec<Opened> {
    let text = "11 of 11 recipients do not exist: gone0@a.test: 550 5.1.1 no such user".to_owned();
    vec![Opened {
        account: "news".into(),
        campaign: "bad".into(),
        what: "circuit.unknown".into(),
        at: Timestamp(1_795_485_950_000),
        text,
        incident: 77,
    }]
}

#[tokio::test]
async fn an_open_circuit_is_told_wherever_somebody_looks_and_goes_on_by_an_operators_word() {
    let world = World::with_circuits(open()).await;
    let letter = json!({"campaign": "bad", "list": " Weekly ", "fields": [],
        "letter": "From: News <news@example.com>\nTo: {{ email }}\nSubject: x\n\nLeave: {{ unsubscribe_url }}\n"});
    let begun = world.ask("POST /v1/campaigns", &[NEWS, JSON], letter.to_string().as_bytes()).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let rows = "{\"email\": \"ann@a.test\"}\n{\"email\": \"ben@a.test\"}\n";
    let lines = "Content-Type: application/x-ndjson";
    let list = "POST /v1/campaigns/bad/recipients?domains=false";
    assert_eq!(world.ask(list, &[NEWS, lines], rows.as_bytes()).await.status, 200);
    assert_eq!(world.ask("POST /v1/campaigns/bad/launch", &[NEWS], b"").await.status, 202);

    let get = async |who: &str, path: &str| world.ask(&format!("GET {path}"), &[who], b"").await.json();
    let incident = get(OPERATOR, "/v1/incidents").await["incidents"][0].clone();
    assert_eq!((incident["id"].as_u64(), incident["what"].as_str()), (Some(77), Some("circuit.unknown")));
    let says = |told: &serde_json::Value| {
        let (text, cure) = (told["text"].as_str().unwrap_or_default(), told["cure"].as_str().unwrap_or_default());
        text.contains("gone0@a.test: 550 5.1.1") && cure.contains("repute circuit continue news/bad`")
    };
    assert!(says(&incident), "{incident}");
    for who in [OPERATOR, NEWS] {
        let status = get(who, "/v1/status").await;
        assert!(says(&status["circuits"][0]), "{status}");
    }
    assert_eq!(get(SHOP, "/v1/status").await["circuits"], json!([]), "it is another account's");
    let shown = get(NEWS, "/v1/campaigns/bad").await;
    let listed = get(NEWS, "/v1/campaigns").await["campaigns"][0].clone();
    for told in [&shown, &listed] {
        assert!(says(&told["circuit"]) && told["list"] == "weekly", "{told}");
    }
    let queued = get(NEWS, "/v1/queue").await;
    assert_eq!(queued["rows"][0]["state"].as_str(), Some("held"), "{queued}");

    let answer = world.ask("POST /v1/circuits/continue", &[OPERATOR, JSON], br#"{"name": "news/bad"}"#).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"now": 2, "after_attempt": 0, "still": []})));
    assert_eq!(get(OPERATOR, "/v1/incidents").await["incidents"], json!([]));
    assert_eq!(get(NEWS, "/v1/campaigns/bad").await["circuit"], json!(null));
    world.end().await;
}

#[tokio::test]
async fn webhooks_are_shown_tested_paused_and_sent_to_again() {
    let world = World::new().await;
    world.webhooks(&[("of-shop", Some("shop")), ("of-all", None)]).await;
    let names = async |who: &str| {
        let list = world.ask("GET /v1/webhooks", &[who], b"").await.json();
        list["webhooks"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(OPERATOR).await, ["of-all", "of-shop"]);
    assert_eq!((names(SHOP).await, names(NEWS).await), (vec!["of-shop".to_owned()], vec![]));
    assert_eq!(world.get("/v1/webhooks/of-shop").await.json()["state"].as_str(), Some("active"));
    assert_eq!(world.get("/v1/webhooks/of-all").await.status, 404);
    let post = async |who: &str, path: &str, body: &str| {
        world.ask(&format!("POST /v1/webhooks/of-all/{path}"), &[who, JSON], body.as_bytes()).await
    };
    let tried = post(OPERATOR, "test", "").await;
    assert_eq!(
        (tried.status, tried.json()["taken"].as_bool()),
        (200, Some(false)),
        "nobody answers in this test: {tried:?}"
    );
    assert_eq!(post(OPERATOR, "pause", "").await.status, 200);
    for attempt in 0.. {
        let shown = world.ask("GET /v1/webhooks/of-all", &[OPERATOR], b"").await.json();
        if shown["state"] == "paused" {
            break;
        }
        assert!(attempt < 500, "{shown}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(post(OPERATOR, "resume", "").await.status, 200);
    let again = post(OPERATOR, "redeliver", r#"{"since": "2026-01-01T00:00:00Z"}"#).await;
    assert_eq!((again.status, again.json()["events"].as_u64()), (200, Some(0)), "{again:?}");
    assert_eq!(post(OPERATOR, "redeliver", "{}").await.status, 422);
    let wrong = post(OPERATOR, "redeliver", r#"{"events": ["x"], "message": "x", "since": "x"}"#).await;
    assert_eq!(wrong.errors().len(), 3, "{wrong:?}");
    for path in ["test", "pause", "resume"] {
        assert_eq!(post(SHOP, path, "").await.status, 403);
    }
    world.end().await;
}

/// It was told what is wrong with its document first, after that had been read: a token that may only read heard of a
/// wrong selection by what it would have taken out of the queue.
#[tokio::test]
async fn who_may_not_do_a_thing_hears_that_whatever_else_is_wrong() {
    let world = World::new().await;
    let described: serde_json::Value = serde_json::from_str(&repute_web::description()).unwrap();
    let mut asked = 0;
    for (path, operations) in
        described["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/"))
    {
        let path = path.replace('{', "no-").replace('}', "");
        for method in operations.as_object().unwrap().keys() {
            let request = format!("{} {path}?no=such", method.to_uppercase());
            let answer = world.ask(&request, &[METRICS, JSON], b"{").await;
            assert_eq!(answer.status, 403, "{request}: {answer:?}");
            assert!(answer.json()["detail"].as_str().unwrap().contains("the token `metrics` may not"), "{answer:?}");
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
    world.end().await;
}
