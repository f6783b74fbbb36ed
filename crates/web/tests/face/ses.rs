//! The door of Amazon SES as its clients come to it, signed: what a stranger costs, what an answer is called by, and what is
//! read of a message's own fields.

use crate::world::{Answer, JSON, World};
use aws_lc_rs::{digest, hmac};
use repute_spool::Spool as _;
use repute_types::{Clock as _, Labels, Stream, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const OUTBOUND: &str = "/v2/email/outbound-emails";
const LETTER: &str = r#"{"FromEmailAddress": "a@example.com", "Destination": {"ToAddresses": ["b@a.test"]},
    "Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}}"#;

fn hex(octets: impl AsRef<[u8]>) -> String {
    octets.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

fn hash(octets: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, octets))
}

/// The fields of a request that a token signs; `announced` says in one of them what the body's hash is.
fn signed(token: &str, secret: &str, request: &str, body: &[u8], announced: bool) -> Vec<String> {
    let now = SystemClock.now().to_string().replace(['-', ':'], "");
    let (date, day) = (format!("{}Z", &now[..15]), &now[..8]);
    let (method, path) = request.split_once(' ').unwrap();
    let (scope, body) = (format!("{day}/eu-west-1/ses/aws4_request"), hash(body));
    let mut fields = vec![("host", "localhost".to_owned())];
    fields.extend(announced.then(|| ("x-amz-content-sha256", body.clone())));
    fields.push(("x-amz-date", date.clone()));
    let names = fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = fields.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{body}");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
    let mut key = format!("AWS4{secret}").into_bytes();
    for piece in [day, "eu-west-1", "ses", "aws4_request", &to_sign] {
        key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), piece.as_bytes()).as_ref().to_vec();
    }
    let credential = format!("Credential={token}/{scope}, SignedHeaders={names}, Signature={}", hex(key));
    let own = fields.iter().skip(1).map(|(name, value)| format!("{name}: {value}"));
    own.chain([format!("Authorization: AWS4-HMAC-SHA256 {credential}")]).collect()
}

async fn ask(world: &World, token: &str, request: &str, body: &str, announced: bool) -> Answer {
    let fields = signed(token, &format!("secret of {token}"), request, body.as_bytes(), announced);
    let fields: Vec<&str> = fields.iter().map(String::as_str).chain([JSON]).collect();
    world.ask(request, &fields, body.as_bytes()).await
}

/// The answer to a request whose body never comes.
async fn without_body(world: &World, fields: &[String]) -> String {
    let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let head = format!("POST {OUTBOUND} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 50000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let octets = stream.read_buf(&mut answer);
        let octets =
            tokio::time::timeout(std::time::Duration::from_secs(20), octets).await.expect("it waits for the body");
        assert_ne!(octets.unwrap(), 0, "closed without an answer");
    }
    String::from_utf8(answer).unwrap()
}

/// The whole body was read and a request taken out of the pace before the signature was looked at.
#[tokio::test]
async fn a_stranger_who_knows_a_key_id_used_up_its_pace_and_was_waited_for() {
    let world = World::new().await;
    let post = format!("POST {OUTBOUND}");
    // `slow` may send two requests a minute.
    for _ in 0..4 {
        for announced in [true, false] {
            let forged = signed("slow", "guessed", &post, LETTER.as_bytes(), announced);
            let fields: Vec<&str> = forged.iter().map(String::as_str).chain([JSON]).collect();
            assert_eq!(world.ask(&post, &fields, LETTER.as_bytes()).await.status, 403);
        }
    }
    let answer = ask(&world, "slow", &post, LETTER, true).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = ask(&world, "slow", &post, LETTER, false).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = ask(&world, "slow", &post, LETTER, true).await;
    assert_eq!(
        (answer.status, answer.field("x-amzn-errortype")),
        (429, Some("TooManyRequestsException")),
        "{answer:?}"
    );
    // Who is no client, is not it now, or has signed something else is told so before the body comes.
    let stranger = signed("nobody", "guessed", &post, b"", false);
    let forged = signed("shop", "guessed", &post, b"", true);
    let mut late = signed("shop", "secret of shop", &post, b"", false);
    late[0] = "x-amz-date: 20200101T000000Z".into();
    let mut of_other_day = late.clone();
    of_other_day[1] = of_other_day[1].replace("Credential=shop/20", "Credential=shop/19");
    for fields in [stranger, forged, late, of_other_day] {
        let answer = without_body(&world, &fields).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        // Also of who is late, so that its client sets its clock by the answer.
        assert!(answer.contains("x-amzn-errortype: SignatureDoesNotMatch\r\n"), "{answer}");
    }
    world.end().await;
}

/// What was announced is what has to come.
#[tokio::test]
async fn another_body_than_the_signed_one_is_refused() {
    let world = World::new().await;
    let post = format!("POST {OUTBOUND}");
    for announced in [true, false] {
        let fields = signed("shop", "secret of shop", &post, LETTER.as_bytes(), announced);
        let fields: Vec<&str> = fields.iter().map(String::as_str).chain([JSON]).collect();
        let other = LETTER.replace("b@a.test", "c@a.test");
        let answer = world.ask(&post, &fields, other.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.field("x-amzn-errortype")),
            (403, Some("SignatureDoesNotMatch")),
            "{answer:?}"
        );
        assert_eq!(world.ask(&post, &fields, LETTER.as_bytes()).await.status, 200);
    }
    world.end().await;
}

#[tokio::test]
async fn every_answer_of_ses_says_what_the_request_is_called_by() {
    let world = World::new().await;
    let called = |answer: &Answer| answer.field("x-amzn-requestid").unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    let sent = ask(&world, "shop", &format!("POST {OUTBOUND}"), LETTER, true).await;
    // A message is found by it.
    let id: repute_types::MessageId = called(&sent).parse().unwrap();
    assert_eq!(sent.json()["MessageId"], id.to_string());
    let query =
        "Action=SendEmail&Source=a%40example.com&Destination.ToAddresses.member.1=b%40a.test&Message.Body.Text.Data=x";
    let mut seen = vec![called(&sent)];
    for (request, body, status) in [
        ("POST /", query, 200),
        ("POST /", "Action=GetSendQuota", 200),
        ("POST /", "Action=Dance", 400),
        ("GET /v2/email/account", "", 200),
        ("GET /v2/email/identities", "", 404),
        ("GET /v2/email/suppression/addresses/b%40a.test", "", 404),
        (&format!("POST {OUTBOUND}"), r#"{"Content": {"Template": {"TemplateName": "x"}}}"#, 404),
        ("POST /v2/email/outbound-emails", "{", 400),
    ] {
        // The path is encoded once more in what is signed.
        let fields = signed("shop", "secret of shop", &request.replace('%', "%25"), body.as_bytes(), false);
        let fields: Vec<&str> = fields.iter().map(String::as_str).chain([JSON]).collect();
        let answer = world.ask(request, &fields, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{request} {body}: {answer:?}");
        let id = called(&answer);
        let is_xml = answer.field("content-type") == Some("text/xml");
        assert!(!is_xml || answer.body.contains(&format!("<RequestId>{id}</RequestId>")), "{answer:?}");
        seen.push(id);
    }
    assert!(seen.iter().all(|id| id.len() == 36), "{seen:?}");
    let unlike: std::collections::HashSet<&String> = seen.iter().collect();
    assert_eq!(unlike.len(), seen.len(), "{seen:?}");
    world.end().await;
}

/// Fields for SES and Postmark went on to the recipients, and nothing was made of them.
#[tokio::test]
async fn fields_that_are_for_ses_or_postmark_are_read_and_go_no_further() {
    let world = World::new().await;
    let message = "From: a@example.com\r\nTo: b@a.test\r\nSubject: x\r\nX-SES-CONFIGURATION-SET: main\r\n\
                   X-SES-MESSAGE-TAGS: kind=receipt, shop=north\r\nX-SES-SOURCE-ARN: arn:aws:ses:1\r\nX-PM-Tag: welcome\r\n\
                   X-PM-Message-Stream: broadcast\r\n\r\nHello.\r\n";
    let raw = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, message);
    let document =
        serde_json::json!({ "Content": { "Raw": { "Data": raw } }, "EmailTags": [{ "Name": "kind", "Value": "own" }] });
    let answer = ask(&world, "shop", &format!("POST {OUTBOUND}"), &document.to_string(), true).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["MessageId"].clone();
    let content = world.content(&id).await;
    assert!(content.contains("Subject: x\r\n") && !content.contains("X-SES") && !content.contains("X-PM"), "{content}");
    assert!(content.contains("List-Unsubscribe: "), "it is bulk mail: {content}");
    let meta = world.spool.meta(id.as_str().unwrap().parse().unwrap()).await.unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let metadata = vec![pair("kind", "own"), pair("ses:configuration-set", "main"), pair("shop", "north")];
    let labels = Labels { tags: vec!["welcome".into()], metadata, ..Labels::default() };
    assert_eq!((meta.stream, meta.labels.as_deref()), (Stream::Bulk, Some(&labels)));
    world.end().await;
}
