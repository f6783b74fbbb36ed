//! Handing in messages: what becomes of the fields, and what is said about wrong ones.

use crate::world::{JSON, NEWS, RATED, READER, SHOP, World};
use repute_web::{Limits, Transport};

#[tokio::test]
async fn a_message_from_fields_is_on_disk() {
    let world = World::new().await;
    let answer = world
        .post(
            "/v1/messages",
            r#"{"from": "Ann Lee <ann@example.com>", "to": ["Bob <bob@a.test>", {"address": "carol@b.test"}],
                "bcc": "dan@c.test", "subject": "Grüße\r\nBcc: evil@d.test", "text": "Hi", "html": "<p>Hi",
                "headers": {"X-Order": "1\r\nX-Evil: 2"}, "tags": ["receipt"], "metadata": {"b": "1", "a": "2"},
                "campaign": "autumn", "attachments": [{"name": "a.txt", "type": "text/plain", "content": "QUJD"}]}"#,
        )
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let json = answer.json();
    assert_eq!((json["recipients"].as_u64(), json["status"].as_str()), (Some(3), Some("queued")));
    let content = world.content(&json["id"]).await;
    for line in [
        "From: Ann Lee <ann@example.com>\r\n",
        "To: Bob <bob@a.test>, carol@b.test\r\n",
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=  Bcc: evil@d.test\r\n",
        "X-Order: 1  X-Evil: 2\r\n",
        "Received: from [127.0.0.1] ([127.0.0.1])\r\n\tby mail.example.com with HTTP id ",
        "QUJD\r\n",
    ] {
        assert!(content.contains(line), "{line:?} in {content}");
    }
    assert!(!content.contains("dan@c.test"), "{content}");
    let id = json["id"].as_str().unwrap().parse().unwrap();
    let labels = repute_spool::Spool::meta(&*world.spool, id).await.unwrap().labels.unwrap();
    assert_eq!(
        (labels.campaign.as_deref(), labels.tags.as_slice()),
        (Some("autumn"), ["receipt".to_owned()].as_slice())
    );
    assert_eq!(labels.metadata, [("b".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]);
    world.end().await;
}

/// Both got it, where one mailbox was meant.
#[tokio::test]
async fn a_recipient_that_is_named_in_two_spellings_gets_one_message() {
    let world = World::new().await;
    let message = r#"{"from": "ann@example.com", "to": ["bob@a.test", "BOB@A.test"], "cc": ["\"Bob\"@a.test", "bob+x@a.test"], "text": "x"}"#;
    let answer = world.post("/v1/messages", message).await;
    assert_eq!((answer.status, answer.json()["recipients"].as_u64()), (202, Some(2)), "{answer:?}");
    let waiting = world.get("/v1/queue").await.json();
    let mut got: Vec<_> =
        waiting["rows"][0]["recipients"].as_array().unwrap().iter().map(|r| r["address"].clone()).collect();
    got.sort_by_key(|address| address.to_string());
    assert_eq!(got, ["bob+x@a.test", "bob@a.test"], "as it was written first");
    world.end().await;
}

#[tokio::test]
async fn an_account_that_hands_in_more_than_its_rate_is_told_when_to_go_on() {
    let world = World::new().await;
    let send = async |to: &str| {
        let message = format!(r#"{{"from": "ann@example.com", "to": [{to}], "text": "x"}}"#);
        world.ask("POST /v1/messages", &[RATED, JSON], message.as_bytes()).await
    };
    let two = send(r#""a@a.test", "b@a.test""#).await;
    assert_eq!(two.status, 202, "{two:?}");
    assert_eq!(two.field("ratelimit-policy"), Some("\"token\";q=6000;w=60, \"account\";q=3;w=3600"));
    assert!(two.field("ratelimit").unwrap().contains(", \"account\";r=1;t=24"), "{two:?}");
    assert_eq!(send(r#""c@a.test", "d@a.test""#).await.status, 202, "what empties it is taken whole");
    let over = send(r#""e@a.test""#).await;
    assert_eq!((over.status, over.json()["type"].as_str()), (429, Some("/problems/too-many-requests")), "{over:?}");
    let wait: u64 = over.field("retry-after").unwrap().parse().unwrap();
    assert!((2_395..=2_401).contains(&wait), "one to make up for, and one to have: {wait}");
    assert!(over.json()["detail"].as_str().unwrap().contains("its rate allows (3/h): send the rest in "), "{over:?}");
    assert_eq!(world.get("/v1/queue").await.json()["rows"].as_array().unwrap().len(), 0, "another account's");
    assert_eq!(world.post("/v1/messages", MESSAGE_OF_SHOP).await.status, 202);
    world.end().await;
}

const MESSAGE_OF_SHOP: &str = r#"{"from": "ann@example.com", "to": "a@a.test", "text": "x"}"#;

#[tokio::test]
async fn a_whole_message_is_taken_as_it_is() {
    let world = World::new().await;
    let message = "From: ann@example.com\nTo: bob@a.test\nBcc: carol@b.test\nSubject: x\n\nHi\n";
    let fields = [SHOP, "Content-Type: message/rfc822"];
    let answer = world.ask("POST /v1/messages?tag=a&campaign=b", &fields, message.as_bytes()).await;
    assert_eq!((answer.status, answer.json()["recipients"].as_u64()), (202, Some(2)), "{answer:?}");
    let content = world.content(&answer.json()["id"]).await;
    assert!(content.contains("Subject: x\r\n") && !content.contains("carol"), "{content}");
    let bare = world.ask("POST /v1/messages", &fields, b"From: ann@example.com\r\nTo: b@a.test\r\n\r\na\rb").await;
    assert_eq!(bare.status, 422);
    assert!(bare.errors()[0].starts_with("/raw a CR without LF"), "{bare:?}");
    world.end().await;
}

/// Programs that fill in all the members they have were told that null is no list.
#[tokio::test]
async fn a_member_that_need_not_be_there_may_be_null() {
    let world = World::new().await;
    let mut message =
        serde_json::json!({"from": "ann@example.com", "to": {"address": "bob@a.test", "name": null}, "text": "x"});
    for member in [
        "cc",
        "bcc",
        "reply_to",
        "subject",
        "html",
        "attachments",
        "headers",
        "raw",
        "tags",
        "metadata",
        "campaign",
        "list",
        "stream",
        "send_at",
    ] {
        message[member] = serde_json::Value::Null;
    }
    let answer = world.post("/v1/messages", &message.to_string()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    message["attachments"] = serde_json::json!([{"content": "eA==", "name": null, "type": null, "content_id": null}]);
    assert_eq!(world.post("/v1/messages", &message.to_string()).await.status, 202);
    world.end().await;
}

#[tokio::test]
async fn every_fault_is_told_at_once_and_where_it_is() {
    let world = World::new().await;
    let check = async |body: &str, status: u16, expect: &[&str]| {
        let answer = world.post("/v1/messages", body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.errors(), expect, "{body}");
    };
    check(
        r#"{"from": "x", "to": ["bad", "bob@a.test"], "headers": {"Bcc": "x"}, "tags": [""], "send_at": "soon",
            "attachments": [{"content": "!"}, {"content": "eA==", "type": "pdf"}, {"content": "eA==", "type": "pdf"},
            {"content": "!", "type": "a/b", "content_id": "<x>"}]}"#,
        422,
        &[
            "/tags/0 \"\": write 1 to 128 characters, not blank, without control characters",
            "/send_at this is not a time: write it as RFC 3339 has it, 2026-11-27T08:00:00Z or 2026-11-27T09:00:00+01:00",
            "/from \"x\" is not an address: write Name <name@domain>",
            "/to/0 \"bad\" is not an address: write Name <name@domain>",
            "/text the message says nothing: give it text, html or both",
            "/headers/Bcc Bcc is made by the server: use the member of that meaning, or leave it out",
            "/attachments/0/content this is not base64: encode the octets with the standard alphabet and padding",
            "/attachments/1/type \"pdf\" is not a media type that can be attached: write type/subtype, such as application/pdf",
            "/attachments/2/type \"pdf\" is not a media type that can be attached: write type/subtype, such as application/pdf",
            "/attachments/3/content this is not base64: encode the octets with the standard alphabet and padding",
            "/attachments/3/content_id \"<x>\" is not a Content-ID: write letters, digits and .-_@ without brackets",
        ],
    )
    .await;
    check(
        r#"{"from": "a@example.com", "text": "x"}"#,
        422,
        &["/to nobody gets the message: name a recipient in to, cc or bcc"],
    )
    .await;
    check(r#"{"form": "a@example.com"}"#, 422, &["/form unknown field `form`, expected one of `from`, `to`, `cc`, `bcc`, \
        `reply_to`, `subject`, `text`, `html`, `attachments`, `headers`, `raw`, `tags`, `metadata`, `campaign`, `list`, \
        `stream`, `send_at`"]).await;
    check("{", 400, &[]).await;
    check(r#"{"from": "a@elsewhere.test", "to": "b@a.test", "text": "x"}"#, 403, &[]).await;
    world.end().await;
}

#[tokio::test]
async fn a_token_does_what_it_may_and_no_more() {
    let world = World::new().await;
    let body = br#"{"from": "a@example.com", "to": "b@a.test", "text": "x"}"#;
    let check = async |fields: &[&str], status: u16| {
        let answer = world.ask("POST /v1/messages", fields, body).await;
        answer.errors();
        assert_eq!(answer.status, status, "{answer:?}");
    };
    check(&[JSON], 401).await;
    check(&[JSON, "Authorization: Bearer repute_shop2"], 401).await;
    check(&[JSON, "Authorization: Basic repute_shop"], 401).await;
    check(&[JSON, READER], 403).await;
    check(&[SHOP, "Content-Type: text/plain"], 415).await;
    check(&[SHOP], 415).await;
    for left in [1, 0] {
        let answer = world.ask("POST /v1/messages", &[crate::world::SLOW, JSON], body).await;
        assert_eq!((answer.status, answer.field("ratelimit-policy")), (202, Some("\"token\";q=2;w=60")));
        assert!(answer.field("ratelimit").unwrap().starts_with(&format!("\"token\";r={left};t=")));
    }
    let over = world.ask("POST /v1/messages", &[crate::world::SLOW, JSON], body).await;
    assert_eq!((over.status, over.field("retry-after")), (429, Some("30")), "{over:?}");
    world.end().await;
}

#[tokio::test]
async fn a_batch_has_a_result_for_each_message() {
    let world = World::new().await;
    let good = r#"{"from": "a@example.com", "to": "b@a.test", "text": "x"}"#;
    let body = format!(r#"{{"messages": [{good}, {{"from": "a@example.com", "to": "bad", "text": "x"}}, {good}]}}"#);
    let answer = world.post("/v1/messages/batch", &body).await;
    let results = answer.json()["results"].as_array().unwrap().clone();
    let statuses: Vec<_> = results.iter().map(|r| r["status"].as_u64().unwrap()).collect();
    assert_eq!((answer.status, statuses), (200, vec![202, 422, 202]), "{answer:?}");
    assert_eq!(results[1]["problem"]["errors"][0]["pointer"], "/messages/1/to");
    world.content(&results[2]["accepted"]["id"]).await;
    let none = world.post("/v1/messages/batch", r#"{"messages": []}"#).await;
    assert_eq!(none.errors(), ["/messages a batch has 1 to 500 messages, this one has 0"]);
    // Three messages are more than two a minute: they are taken, and counted.
    let slow = async || world.ask("POST /v1/messages/batch", &[crate::world::SLOW, JSON], body.as_bytes()).await;
    let (taken, over) = (slow().await, slow().await);
    assert_eq!((taken.status, over.status), (200, 429), "{taken:?} {over:?}");
    assert!(taken.field("ratelimit").unwrap().starts_with("\"token\";r=0;t="), "{taken:?}");
    let wait: u64 = over.field("retry-after").unwrap().parse().unwrap();
    assert!(wait > 30, "longer than for one: {over:?}");
    world.end().await;
}

#[tokio::test]
async fn what_is_to_be_sent_later_can_be_cancelled() {
    let world = World::new().await;
    let at = |ahead: u64| {
        let now = repute_types::Clock::now(&repute_types::SystemClock);
        (now + std::time::Duration::from_secs(ahead)).to_string()
    };
    let message =
        |at: &str| format!(r#"{{"from": "a@example.com", "to": "b@a.test", "text": "x", "send_at": "{at}"}}"#);
    let when = at(3 * 24 * 3600);
    let answer = world.post("/v1/messages", &message(&when)).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (202, Some("scheduled")), "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let parsed: repute_types::Timestamp = when.parse().unwrap();
    assert!(world.content(&answer.json()["id"]).await.contains(&format!("Date: {}\r\n", parsed.rfc5322())));
    let queued = world.engine.control().list(&Default::default(), 10).await.unwrap();
    assert_eq!((queued.rows[0].next, queued.rows[0].state), (Some(parsed), "waiting"));
    let others = world.ask(&format!("DELETE /v1/messages/{id}"), &[READER], b"").await;
    assert_eq!(others.status, 403);
    let cancelled = world.ask(&format!("DELETE /v1/messages/{id}"), &[SHOP], b"").await;
    assert_eq!((cancelled.status, cancelled.json()["now"].as_u64()), (200, Some(1)), "{cancelled:?}");
    let again = world.ask(&format!("DELETE /v1/messages/{id}"), &[SHOP], b"").await;
    assert_eq!((again.status, again.json()["type"].as_str()), (409, Some("/problems/conflict")), "{again:?}");
    let nobodys = world.ask("DELETE /v1/messages/1m7qw3g0w000h", &[SHOP], b"").await;
    assert_eq!((nobodys.status, nobodys.json()["type"].as_str()), (404, Some("/problems/not-found")), "{nobodys:?}");
    let others = world.ask(&format!("DELETE /v1/messages/{id}"), &[NEWS], b"").await;
    assert_eq!(others.status, 404, "{others:?}");
    let far = world.post("/v1/messages", &message(&at(8 * 24 * 3600))).await;
    assert_eq!(far.status, 422, "{far:?}");
    world.end().await;
}

/// It was refused as a whole where one of its messages had a member that is not known, or was no object.
#[tokio::test]
async fn a_message_of_a_batch_that_is_none_spoils_no_other() {
    let world = World::new().await;
    let good = r#"{"from": "a@example.com", "to": "b@a.test", "text": "x", "headers": {"X-B": "1", "X-A": "2"}}"#;
    let odd = r#"{"from": "a@example.com", "to": "b@a.test", "text": "x", "txt": "y"}"#;
    let body = format!(r#"{{"messages": [{odd}, 5, {good}, [{good}]]}}"#);
    let answer = world.post("/v1/messages/batch", &body).await;
    let json = answer.json();
    let statuses: Vec<_> = json["results"].as_array().unwrap().iter().map(|r| r["status"].as_u64().unwrap()).collect();
    assert_eq!((answer.status, statuses), (200, vec![422, 422, 202, 422]), "{json}");
    assert_eq!(json["results"][0]["problem"]["errors"][0]["pointer"], "/messages/0/txt", "{json}");
    assert!(world.content(&json["results"][2]["accepted"]["id"]).await.contains("X-B: 1\r\nX-A: 2\r\n"));
    world.end().await;
}

/// It carried that date in Date, and filters count what is years old.
#[tokio::test]
async fn a_time_to_send_that_has_passed_is_not_the_date() {
    let world = World::new().await;
    let message = r#"{"from": "a@example.com", "to": "b@a.test", "text": "x", "send_at": "2001-01-01T00:00:00Z"}"#;
    let answer = world.post("/v1/messages", message).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (202, Some("queued")), "{answer:?}");
    let content = world.content(&answer.json()["id"]).await;
    let now = repute_types::Clock::now(&repute_types::SystemClock).rfc5322();
    let (day, _) = now.split_at(16);
    assert!(content.contains(&format!("Date: {day}")), "{content}");
    world.end().await;
}

/// A whole message without a date leaves with that of the day on which it leaves.
#[tokio::test]
async fn a_whole_message_without_a_date_has_that_of_its_sending() {
    let world = World::new().await;
    let now = repute_types::Clock::now(&repute_types::SystemClock);
    let later = now + std::time::Duration::from_secs(3 * 24 * 3600);
    let raw = b"From: a@example.com\r\nTo: b@a.test\r\nSubject: x\r\n\r\nx\r\n";
    let ask = format!("POST /v1/messages?send_at={later}");
    let answer = world.ask(&ask, &[SHOP, "Content-Type: message/rfc822"], raw).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let content = world.content(&answer.json()["id"]).await;
    assert!(content.contains(&format!("Date: {}\r\n", later.rfc5322())), "{content}");
    world.end().await;
}

/// A text in JSON is smaller than the same in base64: bodies have room for that, and messages larger than `size` came in by it.
#[tokio::test]
async fn a_message_is_as_large_as_by_smtp_and_no_larger() {
    let limits = Limits { message: 3000, ..Limits::default() };
    let world = World::with(limits, Transport::default()).await;
    let message = |octets: usize| {
        let text = "x".repeat(60) + "\\n";
        let text = text.repeat(octets / 61);
        format!(r#"{{"from": "a@example.com", "to": "b@a.test", "text": "{text}"}}"#)
    };
    assert_eq!(world.post("/v1/messages", &message(2000)).await.status, 202);
    let large = world.post("/v1/messages", &message(4000)).await;
    assert_eq!((large.status, large.json()["type"].as_str()), (413, Some("/problems/too-large")), "{large:?}");
    assert!(large.json()["detail"].as_str().unwrap().contains("3000"), "{large:?}");
    let batch = format!(r#"{{"messages": [{}, {}]}}"#, message(4000), message(100));
    let results = world.post("/v1/messages/batch", &batch).await.json();
    assert_eq!(
        (results["results"][0]["status"].as_u64(), results["results"][1]["status"].as_u64()),
        (Some(413), Some(202))
    );
    world.end().await;
}

/// It was said to have two faults, of which the second was the first one's.
#[tokio::test]
async fn a_sole_recipient_that_is_none_is_one_fault() {
    let world = World::new().await;
    let answer = world.post("/v1/messages", r#"{"from": "a@example.com", "to": "nobody", "text": "x"}"#).await;
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!((answer.status, detail.as_str()), (422, "/to: \"nobody\" is not an address: write Name <name@domain>"));
    world.end().await;
}
