//! Applications that were written for other services: the same calls, another URL.

use crate::world::{JSON, World};

const TOKEN: &str = "X-Postmark-Server-Token: repute_shop";

#[tokio::test]
async fn postmark_sends_one_and_many() {
    let world = World::new().await;
    let email = r#"{"From": "Ann <a@example.com>", "To": "b@a.test, Carol <c@b.test>", "Subject": "x", "TextBody": "y",
        "Tag": "t", "Metadata": {"k": "v"}, "Headers": [{"Name": "X-A", "Value": "1"}], "TrackOpens": true,
        "Attachments": [{"Name": "a.txt", "Content": "QUJD", "ContentType": "text/plain", "ContentID": "cid:a"}]}"#;
    let answer = world.ask("POST /email", &[JSON, TOKEN], email.as_bytes()).await;
    let json = answer.json();
    assert_eq!(
        (answer.status, json["ErrorCode"].as_u64(), json["Message"].as_str()),
        (200, Some(0), Some("OK")),
        "{answer:?}"
    );
    // The client for .NET reads a GUID and nothing else.
    assert_eq!(json["MessageID"].as_str().map(str::len), Some(36), "{answer:?}");
    let content = world.content(&json["MessageID"]).await;
    assert!(content.contains("To: b@a.test, Carol <c@b.test>\r\n") && content.contains("X-A: 1\r\n"), "{content}");
    let both = format!("[{email}, {}]", email.replace("a@example.com", "a@elsewhere.test"));
    let batch = world.ask("POST /email/batch", &[JSON, TOKEN], both.as_bytes()).await;
    let codes: Vec<_> = batch.json().as_array().unwrap().iter().map(|r| r["ErrorCode"].as_u64().unwrap()).collect();
    assert_eq!((batch.status, codes), (200, vec![0, 400]), "{batch:?}");
    let odd = format!(r#"[5, {{"From": 7}}, {email}]"#);
    let batch = world.ask("POST /email/batch", &[JSON, TOKEN], odd.as_bytes()).await.json();
    let codes: Vec<_> = batch.as_array().unwrap().iter().map(|r| r["ErrorCode"].as_u64().unwrap()).collect();
    assert_eq!(codes, [300, 300, 0], "{batch}");
    let wrong = world.ask("POST /email", &[JSON, "X-Postmark-Server-Token: x"], email.as_bytes()).await;
    assert_eq!((wrong.status, wrong.json()["ErrorCode"].as_u64()), (401, Some(10)));
    let bad = world.ask("POST /email", &[JSON, TOKEN], br#"{"From": "a@example.com", "To": "bad"}"#).await;
    assert_eq!((bad.status, bad.json()["ErrorCode"].as_u64()), (422, Some(300)), "{bad:?}");
    // Its answers have no list of faults: each is in the sentence.
    let said = bad.json()["Message"].as_str().unwrap().to_owned();
    assert!(said.contains("/To: \"bad\" is not an address") && !said.contains("`errors`"), "{said}");
    world.end().await;
}

/// The library `mail` of Ruby copies all fields of a message into Headers, and Anymail's users write numbers into Metadata:
/// both were refused.
#[tokio::test]
async fn what_clients_of_postmark_send_beside_the_message_does_no_harm() {
    let world = World::new().await;
    let email = r#"{"From": "a@example.com", "To": "b@a.test", "Subject": "x", "TextBody": "y", "Metadata": {"order": 7, "paid": true},
        "Headers": [{"Name": "Mime-Version", "Value": "1.0"}, {"Name": "Content-Transfer-Encoding", "Value": "7bit"},
        {"Name": "Content-Type", "Value": "multipart/mixed; boundary=x"}]}"#;
    let answer = world.ask("POST /email", &[JSON, TOKEN], email.as_bytes()).await;
    assert_eq!((answer.status, answer.json()["ErrorCode"].as_u64()), (200, Some(0)), "{answer:?}");
    let content = world.content(&answer.json()["MessageID"]).await;
    assert_eq!(content.to_ascii_lowercase().matches("mime-version:").count(), 1, "{content}");
    assert!(!content.contains("boundary=x"), "{content}");
    world.end().await;
}

/// Symfony writes fields into Headers as they stand in a message, in encoded words: they were encoded a second time.
#[tokio::test]
async fn a_field_of_postmark_that_was_encoded_already_was_encoded_twice() {
    let world = World::new().await;
    let email = r#"{"From": "=?utf-8?Q?J=C3=BCrgen?= <a@example.com>", "To": "b@a.test", "TextBody": "y",
        "Headers": [{"Name": "X-City", "Value": "=?UTF-8?B?TcO8bmNoZW4=?="}]}"#;
    let answer = world.ask("POST /email", &[JSON, TOKEN], email.as_bytes()).await;
    let content = world.content(&answer.json()["MessageID"]).await;
    assert!(content.contains("X-City: =?utf-8?q?M=C3=BCnchen?=\r\n"), "{content}");
    assert!(content.contains("From: =?utf-8?q?J=C3=BCrgen?= <a@example.com>\r\n"), "{content}");
    world.end().await;
}

/// One sender is what a message has; of several the last would have been taken.
#[tokio::test]
async fn a_postmark_message_from_several_is_from_nobody() {
    let world = World::new().await;
    let email = br#"{"From": "a@example.com, b@example.com", "To": "b@a.test", "TextBody": "y"}"#;
    let answer = world.ask("POST /email", &[JSON, TOKEN], email).await;
    assert_eq!((answer.status, answer.json()["ErrorCode"].as_u64()), (422, Some(300)), "{answer:?}");
    let said = answer.json()["Message"].as_str().unwrap().to_owned();
    assert!(said.contains("Invalid 'From' address") && said.contains("a@example.com, b@example.com"), "{said}");
    world.end().await;
}

/// Clients of Postmark take a 406 for recipients that are not to be tried again, and read them from its sentence.
#[tokio::test]
async fn postmark_is_told_who_is_suppressed() {
    let world = World::new().await;
    for who in ["b@a.test", "c@a.test"] {
        let suppress = format!(r#"{{"address": "{who}"}}"#);
        assert_eq!(world.post("/v1/suppressions", &suppress).await.status, 201);
    }
    let email = r#"{"From": "a@example.com", "To": "b@a.test", "Cc": "c@a.test", "TextBody": "y"}"#;
    let one = world.ask("POST /email", &[JSON, TOKEN], email.as_bytes()).await;
    assert_eq!((one.status, one.json()["ErrorCode"].as_u64()), (422, Some(406)), "{one:?}");
    let says = "Found inactive addresses: b@a.test, c@a.test. Inactive recipients are ";
    assert!(one.json()["Message"].as_str().unwrap().contains(says), "{one:?}");
    let both = format!("[{email}, {}]", email.replace("b@a.test", "d@a.test"));
    let batch = world.ask("POST /email/batch", &[JSON, TOKEN], both.as_bytes()).await.json();
    assert_eq!((batch[0]["ErrorCode"].as_u64(), batch[1]["ErrorCode"].as_u64()), (Some(406), Some(0)), "{batch}");
    // It goes to one of two, and the clients are told of the other as they read it.
    let says = "Message OK, but will not deliver to these inactive addresses: c@a.test. Inactive recipients are ";
    assert!(batch[1]["Message"].as_str().unwrap().starts_with(says), "{batch}");
    world.end().await;
}

#[tokio::test]
async fn postmark_keeps_its_list_of_suppressions() {
    let world = World::new().await;
    let ask = async |request: &str, body: &str| {
        let answer = world.ask(request, &[JSON, TOKEN], body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        let all = answer.json()["Suppressions"].as_array().unwrap().clone();
        let text = |one: &serde_json::Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let second = |one: &serde_json::Value| text(one, "Status") + &text(one, "SuppressionReason");
        all.iter().map(|one| format!("{} {}", text(one, "EmailAddress"), second(one))).collect::<Vec<_>>()
    };
    let two = r#"{"Suppressions": [{"EmailAddress": "Bob@a.test"}, {"EmailAddress": "nobody"}]}"#;
    let list = "/message-streams/outbound/suppressions";
    assert_eq!(ask(&format!("POST {list}"), two).await, ["Bob@a.test Suppressed", "nobody Failed"]);
    world.post("/v1/suppressions", r#"{"address": "eve@a.test", "why": "complaint"}"#).await;
    assert_eq!(
        ask(&format!("GET {list}/dump"), "").await,
        ["Bob@a.test ManualSuppression", "eve@a.test SpamComplaint"]
    );
    assert_eq!(ask(&format!("GET {list}/dump?SuppressionReason=SpamComplaint"), "").await.len(), 1);
    assert_eq!(ask(&format!("GET {list}/dump?EmailAddress=bob%40a.test&Origin=Customer"), "").await.len(), 1);
    assert_eq!(ask(&format!("GET {list}/dump?ToDate=2020-01-01"), "").await, [""; 0]);
    // Its client for Node and its own documents spell them so; unknown names were passed over, and all was answered.
    assert_eq!(ask(&format!("GET {list}/dump?suppressionReason=SpamComplaint"), "").await.len(), 1);
    assert_eq!(ask(&format!("GET {list}/dump?emailAddress=bob%40a.test&origin=Customer"), "").await.len(), 1);
    for day in ["toDate=2020-01-01", "todate=2020-01-01", "fromDate=2999-01-01", "fromdate=2999-01-01"] {
        assert_eq!(ask(&format!("GET {list}/dump?{day}"), "").await, [""; 0], "{day}");
    }
    let one = r#"{"From": "a@example.com", "To": "bob@a.test", "TextBody": "y"}"#;
    let refused = world.ask("POST /email", &[JSON, TOKEN], one.as_bytes()).await;
    assert_eq!(refused.json()["ErrorCode"].as_u64(), Some(406), "{refused:?}");
    let gone = r#"{"Suppressions": [{"EmailAddress": "bob@a.test"}]}"#;
    assert_eq!(ask(&format!("POST {list}/delete"), gone).await, ["bob@a.test Deleted"]);
    assert_eq!(ask(&format!("GET {list}/dump"), "").await, ["eve@a.test SpamComplaint"]);
    for (request, body, status) in [
        (format!("GET {list}/dump?FromDate=yesterday"), "", 422),
        (format!("POST {list}"), "{}", 422),
        (format!("POST {list}"), "{", 422),
    ] {
        let answer = world.ask(&request, &[JSON, TOKEN], body.as_bytes()).await;
        assert_eq!((answer.status, answer.json()["ErrorCode"].as_u64()), (status, Some(300)), "{request}: {answer:?}");
    }
    let reader = "X-Postmark-Server-Token: repute_reader";
    let answer = world.ask(&format!("POST {list}"), &[JSON, reader], two.as_bytes()).await;
    assert_eq!((answer.status, answer.json()["ErrorCode"].as_u64()), (422, Some(400)), "{answer:?}");
    world.end().await;
}

/// What is not understood is said in the form in which the service's client reads it.
#[tokio::test]
async fn calls_that_are_not_known_are_refused_in_the_form_of_the_service() {
    let world = World::new().await;
    for call in ["/email/withTemplate", "/email/batchWithTemplates"] {
        let answer = world.ask(&format!("POST {call}"), &[JSON, TOKEN], br#"{"TemplateAlias": "welcome"}"#).await;
        assert_eq!((answer.status, answer.json()["ErrorCode"].as_u64()), (422, Some(1101)), "{answer:?}");
    }
    let answer = world.ask("GET /message-streams", &[TOKEN], b"").await;
    assert_eq!((answer.status, answer.json()["ErrorCode"].as_u64()), (404, Some(404)), "{answer:?}");
    assert_eq!(world.get("/message-streams").await.field("content-type"), Some("application/problem+json"));
    let answer = world.ask("GET /v2/email/identities", &[], b"").await;
    assert_eq!(
        (answer.status, answer.field("x-amzn-errortype")),
        (404, Some("UnknownOperationException")),
        "{answer:?}"
    );
    world.end().await;
}

#[tokio::test]
async fn ses_wants_a_signature() {
    let world = World::new().await;
    for fields in [
        vec![],
        vec![
            "Authorization: AWS4-HMAC-SHA256 Credential=shop/20261125/us-east-1/ses/aws4_request, SignedHeaders=host;x-amz-date, Signature=00",
            "X-Amz-Date: 20261125T000000Z",
        ],
    ] {
        let answer = world.ask("POST /v2/email/outbound-emails", &fields, b"{}").await;
        assert_eq!(answer.status, 403, "{answer:?}");
        let query = world.ask("POST /", &fields, b"Action=SendEmail").await;
        assert_eq!((query.status, query.field("content-type")), (403, Some("text/xml")), "{query:?}");
    }
    world.end().await;
}
