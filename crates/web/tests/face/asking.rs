//! What is told of messages, the queue and the list of those who are left alone.

use crate::world::{JSON, OPERATOR, READER, SHOP, World};
use repute_ledger::suppression::{Entry, Scope, Selection, Why};
use repute_types::Timestamp;
use serde_json::json;

const MESSAGE: &str = r#"{"from": "a@example.com", "to": ["b@a.test", "c@b.test"], "text": "x"}"#;

#[tokio::test]
async fn a_message_is_told_of_to_whom_it_belongs() {
    let world = World::new().await;
    let id = world.post("/v1/messages", MESSAGE).await.json()["id"].as_str().unwrap().to_owned();
    let told = world.get(&format!("/v1/messages/{id}")).await;
    let json = told.json();
    assert_eq!(
        (told.status, json["account"].as_str(), json["from"].as_str()),
        (200, Some("shop"), Some("a@example.com"))
    );
    assert_eq!(json["recipients"].as_array().unwrap().len(), 2, "{told:?}");
    let by_address = world.get("/v1/recipients/b@a.test").await.json();
    assert_eq!(by_address["messages"][0]["id"].as_str(), Some(id.as_str()));
    for path in [format!("/v1/messages/{id}"), "/v1/messages/0000000000000".into(), "/v1/messages/x".into()] {
        let other = world.ask(&format!("GET {path}"), &[READER], b"").await;
        assert_eq!(other.status, 404, "{other:?}");
    }
    let none = world.ask("GET /v1/recipients/b@a.test", &[READER], b"").await.json();
    assert_eq!(none["messages"].as_array().unwrap().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn the_queue_is_listed_in_pages_and_changed() {
    let world = World::new().await;
    for _ in 0..2 {
        world.post("/v1/messages", MESSAGE).await;
    }
    let (mut seen, mut after) = (0, String::new());
    loop {
        let page = world.get(&format!("/v1/queue?limit=3{after}")).await.json();
        seen += page["rows"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, 4, "two messages, each of two parts");
    let held = world.post("/v1/queue/hold", r#"{"domain": "a.test", "reason": "wait"}"#).await;
    assert_eq!((held.status, held.json()["now"].as_u64()), (200, Some(2)), "{held:?}");
    let rows = world.get("/v1/queue?held=true").await.json()["rows"].as_array().unwrap().clone();
    assert_eq!((rows.len(), rows[0]["reason"].as_str()), (2, Some("wait")));
    let none = world.post("/v1/queue/cancel", "{}").await;
    assert_eq!(
        none.errors(),
        [" say which messages are meant: ids, domain, sender, recipient, older_than, held, or `\"all\": true`"]
    );
    assert_eq!(none.status, 422);
    world.post("/v1/queue/hold", r#"{"domain": "b.test"}"#).await;
    let rows = world.get("/v1/queue?domain=b.test").await.json()["rows"].as_array().unwrap().clone();
    assert_eq!(rows[0]["reason"].as_str(), Some("held by token shop"), "as the command line says by whom");
    let gone = world.post("/v1/queue/cancel", r#"{"all": true}"#).await.json();
    assert_eq!(gone["now"].as_u64().unwrap() + gone["after_attempt"].as_u64().unwrap(), 4);
    let others = world.ask("POST /v1/queue/cancel", &[READER, JSON], br#"{"all": true}"#).await;
    assert_eq!(others.status, 403);
    for bad in ["limit=0", "limit=501", "limit=x", "domain=-", "after=x", "other=1"] {
        assert_eq!(world.get(&format!("/v1/queue?{bad}")).await.errors(), [] as [&str; 0], "{bad}");
    }
    world.end().await;
}

#[tokio::test]
async fn an_address_is_left_alone_and_written_to_again() {
    let world = World::new().await;
    let added = world.post("/v1/suppressions", r#"{"address": "b@a.test", "reason": "asked by telephone"}"#).await;
    assert_eq!((added.status, added.json()["account"].as_str()), (201, Some("shop")), "{added:?}");
    let listed = world.get("/v1/suppressions").await.json();
    assert_eq!(listed["suppressions"][0]["why"].as_str(), Some("manual"));
    let others = world.ask("GET /v1/suppressions", &[READER], b"").await.json();
    assert_eq!(others["suppressions"].as_array().unwrap().len(), 0);
    let released = world.ask("DELETE /v1/suppressions?address=b@a.test", &[SHOP], b"").await;
    assert_eq!((released.status, released.json()["released"].as_u64()), (200, Some(1)), "{released:?}");
    let bad =
        world.post("/v1/suppressions", r#"{"address": "b", "list": "", "expires": "2001-01-01T00:00:00Z"}"#).await;
    assert_eq!((bad.status, bad.errors().len()), (422, 3), "{bad:?}");
    world.end().await;
}

#[tokio::test]
async fn what_counts_for_everybody_is_not_released_by_an_accounts_token_and_it_is_said() {
    let world = World::new().await;
    let gone = Entry::new("gone@a.test".parse().unwrap(), Scope::All, Why::Unknown, Timestamp(0));
    let gone = Entry { reason: "no such mailbox".into(), ..gone };
    world.engine.control().suppress(vec![gone]).await.unwrap();
    let delete = async |who| world.ask("DELETE /v1/suppressions?address=gone@a.test", &[who], b"").await;
    let refused = delete(SHOP).await;
    assert_eq!((refused.status, refused.json()["type"].as_str()), (403, Some("/problems/not-allowed")), "{refused:?}");
    let said = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        said.contains("every account")
            && said.contains("no such mailbox")
            && said.contains("repute suppression release gone@a.test"),
        "{said}"
    );
    // What the account put there itself goes, and it is told what stands still.
    assert_eq!(world.post("/v1/suppressions", r#"{"address": "gone@a.test"}"#).await.status, 201);
    let own = delete(SHOP).await;
    assert_eq!(
        (own.status, own.json()["released"].as_u64(), own.json()["still"]["why"].as_str()),
        (200, Some(1), Some("unknown")),
        "{own:?}"
    );
    world.engine.control().release_suppressed(Selection::default(), true).await.unwrap();
    assert_eq!(delete(SHOP).await.json()["released"].as_u64(), Some(0), "nothing stands");
    world.end().await;
}

#[tokio::test]
async fn the_server_tells_of_itself() {
    let world = World::new().await;
    let domains = world.get("/v1/domains").await.json();
    assert_eq!(
        (domains["domains"][0]["name"].as_str(), domains["domains"][0]["usable"].as_bool()),
        (Some("example.com"), Some(true))
    );
    assert_eq!(world.get("/v1/egress").await.json()["egresses"].as_array().unwrap().len(), 0);
    let status = world.ask("GET /v1/status", &[OPERATOR], b"").await;
    assert_eq!(status.json()["queued"].as_u64(), Some(0), "{status:?}");
    world.end().await;
}

/// It saw how much waited, of all accounts, and where it went at which rate.
#[tokio::test]
async fn an_accounts_token_does_not_see_what_all_accounts_share() {
    let world = World::new().await;
    world.post("/v1/messages", MESSAGE).await;
    let status = async |who| world.ask("GET /v1/status", &[who], b"").await.json();
    assert_eq!(status(OPERATOR).await["queued"].as_u64(), Some(2));
    for who in [SHOP, READER] {
        let nothing = json!({"queued": null, "barred": null, "sessions": null, "circuits": []});
        let expected = ["sites", "warm_up", "unwelcome"].into_iter().fold(nothing, |mut all, name| {
            all[name] = json!([]);
            all
        });
        assert_eq!(status(who).await, expected);
    }
    world.end().await;
}

/// `still` named the message, which may be another account's, by which it was learnt that there is no such mailbox.
#[tokio::test]
async fn what_counts_for_everybody_does_not_tell_whose_message_showed_it() {
    let world = World::new().await;
    let gone = Entry::new("gone@a.test".parse().unwrap(), Scope::All, Why::Unknown, Timestamp(0));
    let gone = Entry { message: Some(repute_types::MessageId(5)), ..gone };
    world.engine.control().suppress(vec![gone]).await.unwrap();
    world.post("/v1/suppressions", r#"{"address": "gone@a.test"}"#).await;
    let released = world.ask("DELETE /v1/suppressions?address=gone@a.test", &[SHOP], b"").await.json();
    assert_eq!((released["still"]["why"].as_str(), &released["still"]["message"]), (Some("unknown"), &json!(null)));
    world.end().await;
}

/// Its mail was refused for an entry that the list did not show.
#[tokio::test]
async fn an_account_that_asks_for_an_address_is_told_what_counts_for_all() {
    let world = World::new().await;
    let gone = Entry::new("gone@a.test".parse().unwrap(), Scope::All, Why::Unknown, Timestamp(0));
    world.engine.control().suppress(vec![gone]).await.unwrap();
    let told = |path: &'static str| {
        let world = &world;
        async move { world.get(path).await.json()["suppressions"].as_array().unwrap().len() }
    };
    assert_eq!(told("/v1/suppressions?address=Gone@a.test").await, 1);
    assert_eq!(told("/v1/suppressions?address=gone@a.test&why=unknown").await, 1);
    assert_eq!(told("/v1/suppressions?address=gone@a.test&why=manual").await, 0);
    assert_eq!(told("/v1/suppressions?address=gone@a.test&domain=b.test").await, 0);
    assert_eq!(told("/v1/suppressions").await, 0, "whom others wrote to is not told");
    world.end().await;
}

/// A form sends its empty inputs, and the first page has no `after` to give.
#[tokio::test]
async fn an_empty_value_of_a_query_is_not_given() {
    let world = World::new().await;
    for path in
        ["/v1/queue?after=&domain=&held=&limit=10", "/v1/suppressions?after=&why=&address=", "/v1/campaigns?after="]
    {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
    assert_eq!(world.ask("DELETE /v1/suppressions?address=", &[crate::world::SHOP], b"").await.status, 400);
    assert_eq!(world.get("/v1/queue?after=x").await.status, 400);
    let unknown = world.get("/v1/suppressions?colour=red").await.json();
    assert!(unknown["detail"].as_str().unwrap().starts_with("in the query: colour: unknown field"), "{unknown}");
    for limit in ["x", "-1", "99999999999999999999"] {
        let told = world.get(&format!("/v1/queue?limit={limit}")).await.json();
        assert_eq!(told["detail"], "in the query: limit: write a whole number, in digits alone");
    }
    world.end().await;
}
