//! One letter to a list, over HTTP.

use std::fmt::Write as _;

use crate::world::{JSON, NEWS, READER, SHOP, World};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const LINES: &str = "Content-Type: application/x-ndjson";
const CSV: &str = "Content-Type: text/csv; charset=utf-8";
const LETTER: &str = "From: News <news@example.com>\nTo: {{ email }}\nSubject: Hello {{ name }}\n\nDear {{ name }}, leave: {{ unsubscribe_url }}\n";

fn letter(campaign: &str) -> Value {
    json!({"campaign": campaign, "list": "weekly", "letter": LETTER, "fields": ["name"]})
}

async fn begun(world: &World, campaign: &str) -> String {
    let begun = world.ask("POST /v1/campaigns", &[NEWS, JSON], letter(campaign).to_string().as_bytes()).await;
    assert_eq!((begun.status, begun.json()["next_row"].as_u64()), (201, Some(0)), "{begun:?}");
    begun.json()["id"].as_str().unwrap().to_owned()
}

/// Rows of JSON lines, from one number to another.
fn rows(from: usize, to: usize) -> String {
    (from..to).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{{\"email\": \"p{n}@d{}.test\", \"name\": \"Person {n}\"}}", n % 7);
        text
    })
}

async fn shown(world: &World, campaign: &str) -> Value {
    world.ask(&format!("GET /v1/campaigns/{campaign}"), &[NEWS], b"").await.json()
}

#[tokio::test]
async fn nobody_at_a_domain_that_takes_no_mail_is_written_to() {
    let world = World::new().await;
    begun(&world, "winter").await;
    let gone = "{\"email\": \"x@gone.test\", \"name\": \"X\"}\n";
    let first = world.ask("POST /v1/campaigns/winter/recipients", &[NEWS, LINES], (rows(0, 3) + gone).as_bytes()).await;
    assert_eq!(first.json()["refused"], json!({"domain": 1}), "{first:?}");
    assert_eq!(first.json()["refused_rows"][0]["email"], json!("x@gone.test"));
    // No answer refuses nobody, and who does not want to ask need not.
    let rest = "POST /v1/campaigns/winter/recipients?first_row=4&domains=false";
    let second = world.ask(rest, &[NEWS, LINES], gone.as_bytes()).await;
    assert_eq!((second.json()["taken"].as_u64(), &second.json()["refused"]), (Some(1), &json!({})), "{second:?}");
    world.end().await;
}

#[tokio::test]
async fn a_list_comes_in_as_one_body_and_is_launched() {
    let world = World::new().await;
    begun(&world, "autumn").await;
    let text = rows(0, 3_000)
        + "{\"email\": \"p7@d0.test\", \"name\": \"again\"}\nno json\n{\"email\": \"x@y.test\"}\n{\"email\": \"noreply@y.test\", \"name\": \"N\"}";
    let taken = world.ask("POST /v1/campaigns/autumn/recipients", &[NEWS, LINES], text.as_bytes()).await;
    let json = taken.json();
    assert_eq!(
        (taken.status, json["taken"].as_u64(), json["next_row"].as_u64()),
        (200, Some(3_000), Some(3_004)),
        "{taken:?}"
    );
    assert_eq!(json["refused"], json!({"duplicate": 1, "syntax": 1, "field": 1, "role": 1}));
    let told: Vec<_> =
        json["refused_rows"].as_array().unwrap().iter().map(|r| (r["row"].as_u64(), r["why"].as_str())).collect();
    assert_eq!(told[0], (Some(3_000), Some("duplicate")));
    assert_eq!(told[3], (Some(3_003), Some("role")));
    let launched = world.ask("POST /v1/campaigns/autumn/launch", &[NEWS], b"").await;
    assert_eq!((launched.status, launched.json()["state"].as_str()), (202, Some("running")), "{launched:?}");
    assert_eq!(shown(&world, "autumn").await["waiting"].as_u64(), Some(3_000));
    let again = world.ask("POST /v1/campaigns/autumn/launch", &[NEWS], b"").await;
    assert_eq!((again.status, again.json()["type"].as_str()), (409, Some("/problems/conflict")));
    let late = world.ask("POST /v1/campaigns/autumn/recipients", &[NEWS, LINES], b"{}").await;
    assert_eq!((late.status, late.json()["type"].as_str()), (409, Some("/problems/conflict")));
    world.end().await;
}

#[tokio::test]
async fn a_campaign_is_not_launched_while_its_list_comes_in() {
    let world = World::new().await;
    begun(&world, "autumn").await;
    let mut coming = TcpStream::connect(world.address).await.unwrap();
    let text = rows(0, 1_500);
    let head = format!(
        "POST /v1/campaigns/autumn/recipients?domains=false HTTP/1.1\r\nHost: localhost\r\n{NEWS}\r\n{LINES}\r\nContent-Length: {}\r\n\r\n",
        text.len() + rows(1_500, 1_501).len()
    );
    coming.write_all(head.as_bytes()).await.unwrap();
    coming.write_all(text.as_bytes()).await.unwrap();
    while shown(&world, "autumn").await["taken"] == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let launch = async || world.ask("POST /v1/campaigns/autumn/launch", &[NEWS], b"").await;
    let refused = launch().await;
    assert_eq!(
        (refused.status, refused.json()["type"].as_str()),
        (409, Some("/problems/list-coming-in")),
        "{refused:?}"
    );
    assert!(refused.json()["detail"].as_str().unwrap().contains("still coming in: launch it when"), "{refused:?}");
    coming.write_all(rows(1_500, 1_501).as_bytes()).await.unwrap();
    while shown(&world, "autumn").await["taken"] != 1_501 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The answer to the list comes a moment after its last row is on disk.
    let launched = loop {
        let answer = launch().await;
        if answer.status != 409 {
            break answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!((launched.status, launched.json()["taken"].as_u64()), (202, Some(1_501)), "{launched:?}");
    world.end().await;
}

#[tokio::test]
async fn what_broke_off_goes_on_at_the_row_that_was_kept() {
    let world = World::new().await;
    begun(&world, "autumn").await;
    let text = rows(0, 2_500);
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /v1/campaigns/autumn/recipients HTTP/1.1\r\nHost: x\r\n{NEWS}\r\n{LINES}\r\nContent-Length: 999999\r\n\r\n{text}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for attempt in 0.. {
        if shown(&world, "autumn").await["rows"].as_u64() == Some(2_000) {
            break;
        }
        assert!(attempt < 1_000, "two batches were not kept");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    drop(stream);
    let gap = world.ask("POST /v1/campaigns/autumn/recipients?first_row=2001", &[NEWS, LINES], b"{}").await;
    assert_eq!((gap.status, gap.json()["next_row"].as_u64()), (409, Some(2_000)), "{gap:?}");
    let rest = world
        .ask("POST /v1/campaigns/autumn/recipients?first_row=2000", &[NEWS, LINES], rows(2_000, 2_500).as_bytes())
        .await;
    assert_eq!((rest.json()["taken"].as_u64(), rest.json()["next_row"].as_u64()), (Some(500), Some(2_500)), "{rest:?}");
    let whole =
        world.ask("POST /v1/campaigns/autumn/recipients", &[NEWS, LINES], rows(0, 2_600).as_bytes()).await.json();
    assert_eq!(
        (whole["passed_over"].as_u64(), whole["taken"].as_u64(), &whole["refused"]),
        (Some(2_500), Some(100), &json!({}))
    );
    let told = shown(&world, "autumn").await;
    assert_eq!((told["rows"].as_u64(), told["taken"].as_u64()), (Some(2_600), Some(2_600)), "{told}");
    world.end().await;
}

#[tokio::test]
async fn a_list_of_csv_names_its_fields_and_says_where_it_cannot_be_read() {
    let world = World::new().await;
    begun(&world, "autumn").await;
    let post =
        async |text: &str| world.ask("POST /v1/campaigns/autumn/recipients", &[NEWS, CSV], text.as_bytes()).await;
    let wrong = post("email,age\r\na@b.test,7\r\n").await;
    assert_eq!((wrong.status, wrong.json()["next_row"].as_u64()), (400, Some(0)), "{wrong:?}");
    assert!(wrong.json()["detail"].as_str().unwrap().contains("the campaign has no field \"age\""), "{wrong:?}");
    let good = post("E-Mail,Name\r\na@b.test,\"Ann, A\"\r\nb@b.test\r\n").await.json();
    assert_eq!((good["taken"].as_u64(), &good["refused"]), (Some(1), &json!({"syntax": 1})), "{good}");
    for (kind, status) in [(JSON, 400), ("X: y", 415)] {
        let answer = world.ask("POST /v1/campaigns/autumn/recipients", &[NEWS, kind], b"{}").await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    // An array was refused: what does not fit is told as in any list.
    let array = br#"[{"email": "c@b.test", "name": "C"}, {"email": "d@b.test", "age": 7}]"#;
    let more = world.ask("POST /v1/campaigns/autumn/recipients?first_row=2", &[NEWS, JSON], array).await.json();
    assert_eq!((more["taken"].as_u64(), &more["refused"]), (Some(1), &json!({"syntax": 1})), "{more}");
    world.end().await;
}

/// Its faults were told of row 0, which is the first after it, and a list as Excel saves it in UTF-16 as one row of it.
#[tokio::test]
async fn a_fault_of_the_header_row_was_told_of_the_row_behind_it() {
    let world = World::new().await;
    let path = format!("POST /v1/campaigns/{}/recipients", begun(&world, "autumn").await);
    let wide: Vec<u8> = "email\tname\na@a.test\tAnn\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let lists: [(&[u8], &str); 3] = [
        (b"name\nAnn\n", "the header row: no column is called `email`"),
        (&[&b"\xff\xfe"[..], &wide].concat(), "the header row: the list is in UTF-16: save it as CSV in UTF-8"),
        (b"email,age\na@a.test,7\n", "the header row: the campaign has no field \"age\""),
    ];
    for (list, said) in lists {
        let answer = world.ask(&path, &[NEWS, CSV], list).await;
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == 400 && detail.starts_with(said), "{answer:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_campaign_is_its_accounts_alone() {
    let world = World::new().await;
    let id = begun(&world, "autumn").await;
    for name in ["autumn", id.as_str(), "news%2Fautumn", "nothing"] {
        for (method, fields) in
            [("GET", ""), ("POST", "/launch"), ("POST", "/cancel"), ("POST", "/resume"), ("POST", "/recipients")]
        {
            let answer = world.ask(&format!("{method} /v1/campaigns/{name}{fields}"), &[SHOP, LINES], b"").await;
            assert_eq!(answer.status, 404, "{method} {name}{fields}: {answer:?}");
        }
    }
    assert_eq!(shown(&world, &id).await["campaign"].as_str(), Some("autumn"));
    let all = world.ask("GET /v1/campaigns", &[SHOP], b"").await.json();
    assert_eq!(all["campaigns"], json!([]));
    let read_only = world.ask("POST /v1/campaigns", &[READER, JSON], letter("x").to_string().as_bytes()).await;
    assert_eq!(read_only.status, 403);
    world.end().await;
}

#[tokio::test]
async fn what_the_state_of_a_campaign_does_not_allow_is_a_conflict_and_a_wrong_letter_is_not() {
    let world = World::new().await;
    begun(&world, "a").await;
    let post = async |path: &str, body: &str| {
        let answer = world.ask(&format!("POST /v1/campaigns{path}"), &[NEWS, JSON], body.as_bytes()).await;
        (answer.status, answer.json()["type"].as_str().unwrap_or_default().to_owned())
    };
    let conflict = (409, "/problems/conflict".to_owned());
    for word in ["launch", "pause", "resume"] {
        assert_eq!(post(&format!("/a/{word}"), "{}").await, conflict, "{word} of a campaign without recipients");
    }
    let mut other = letter("a");
    other["fields"] = json!(["name", "town"]);
    assert_eq!(post("", &other.to_string()).await, conflict, "begun with other fields");
    world.ask("POST /v1/campaigns/a/recipients", &[NEWS, LINES], rows(0, 1).as_bytes()).await;
    assert_eq!(post("/a/launch", "").await.0, 202);
    assert_eq!(post("", &letter("a").to_string()).await, conflict, "its name is taken");
    other["letter"] = json!("no letter");
    other["campaign"] = json!("b");
    assert_eq!(post("", &other.to_string()).await, (422, "/problems/campaign".to_owned()));
    assert_eq!(post("/nothing/resume", "").await.0, 404);
    world.end().await;
}

/// A preview took a list's name of any length where the rest of it was blanks.
#[tokio::test]
async fn a_list_is_named_by_one_rule_wherever_it_is_named() {
    let world = World::new().await;
    let long = format!("weekly{}", " ".repeat(60));
    for (list, good) in [
        ("weekly", true),
        (" Weekly ", true),
        ("", false),
        ("   ", false),
        (&long, false),
        ("\tweekly", false),
        ("a b", false),
    ] {
        let mut begin = letter("x");
        begin["list"] = json!(list);
        let preview = json!({"begin": begin, "rows": []});
        let check = json!({"list": list, "emails": []});
        for (path, asked, taken) in [("/preview", preview, 200), ("/check", check, 200), ("", begin, 201)] {
            let answer =
                world.ask(&format!("POST /v1/campaigns{path}"), &[NEWS, JSON], asked.to_string().as_bytes()).await;
            assert_eq!(answer.status, if good { taken } else { 422 }, "{list:?} {path}: {answer:?}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_campaign_is_paused_resumed_cancelled_and_listed_in_pages() {
    let world = World::new().await;
    for campaign in ["a", "b", "c"] {
        begun(&world, campaign).await;
    }
    world.ask("POST /v1/campaigns/a/recipients", &[NEWS, LINES], rows(0, 3).as_bytes()).await;
    world.ask("POST /v1/campaigns/a/launch", &[NEWS], b"").await;
    let change = async |path: &str, body: &str| {
        let answer = world.ask(&format!("POST /v1/campaigns/a/{path}"), &[NEWS, JSON], body.as_bytes()).await;
        (answer.status, answer.json()["state"].as_str().map(str::to_owned))
    };
    assert_eq!(change("pause", r#"{"reason": "wrong price"}"#).await, (200, Some("paused".into())));
    assert_eq!(shown(&world, "a").await["reason"].as_str(), Some("wrong price"));
    assert_eq!(change("resume", "").await, (200, Some("running".into())));
    // Its siblings take no body, so clients send none here either: 415 was the answer.
    let bare = world.ask("POST /v1/campaigns/a/pause", &[NEWS], b"").await;
    assert_eq!((bare.status, bare.json()["state"].as_str()), (200, Some("paused")), "{bare:?}");
    assert!(bare.json()["reason"].as_str().is_some_and(|why| why.starts_with("paused by ")), "{bare:?}");
    assert_eq!(world.ask("POST /v1/campaigns/a/pause", &[NEWS], b"reason=x").await.status, 415);
    assert_eq!(change("resume", "").await, (200, Some("running".into())));
    let (status, state) = change("cancel", "").await;
    assert!(status == 200 && matches!(state.as_deref(), Some("cancelling" | "cancelled")), "{status} {state:?}");
    while shown(&world, "a").await["state"] != "cancelled" {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(change("cancel", "").await, (200, Some("cancelled".into())), "cancelling twice does it once");
    assert_eq!(change("resume", "").await.0, 409);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = world.ask(&format!("GET /v1/campaigns?limit=2{after}"), &[NEWS], b"").await.json();
        seen.extend(page["campaigns"].as_array().unwrap().iter().map(|c| c["campaign"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, ["c", "b", "a"]);
    world.end().await;
}

#[tokio::test]
async fn addresses_are_checked_and_letters_shown_before_anything_is_begun() {
    let world = World::new().await;
    world.ask("POST /v1/suppressions", &[NEWS, JSON], br#"{"address": "gone@b.test"}"#).await;
    let emails = json!({"list": "weekly", "emails": ["a@b.test", "A@b.test", "x", "noreply@b.test", "gone@b.test"], "domains": true});
    let checked = world.ask("POST /v1/campaigns/check", &[NEWS, JSON], emails.to_string().as_bytes()).await.json();
    let why: Vec<_> = checked["refused"].as_array().unwrap().iter().map(|r| r["why"].as_str().unwrap()).collect();
    assert_eq!(
        (checked["good"].as_u64(), why),
        (Some(1), vec!["duplicate", "syntax", "role", "suppressed"]),
        "{checked}"
    );
    assert_eq!(checked["unknown_domains"], json!(["b.test"]), "nobody answers in this test");
    let row = json!([{"email": "ann@b.test", "values": ["Ann"]}]);
    let preview = json!({"begin": letter("autumn"), "rows": row});
    let shown = world.ask("POST /v1/campaigns/preview", &[NEWS, JSON], preview.to_string().as_bytes()).await;
    let message = shown.json()["messages"][0]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("Subject: Hello Ann") && message.contains("List-Unsubscribe-Post"), "{shown:?}");
    assert_eq!(shown.json()["messages"][0]["left_out"], json!(null));
    // Rows that nothing is sent to were shown as if it were.
    let row = |email: &str| json!({"email": email, "values": ["X"]});
    let rows = ["noreply@b.test", "gone@b.test", "ann@b.test", "Ann@b.test"].map(row);
    let preview = json!({"begin": letter("autumn"), "rows": rows});
    let shown = world.ask("POST /v1/campaigns/preview", &[NEWS, JSON], preview.to_string().as_bytes()).await.json();
    let why = shown["messages"].as_array().unwrap().iter().map(|one| one["left_out"]["why"].as_str());
    assert_eq!(why.collect::<Vec<_>>(), [Some("role"), Some("suppressed"), None, Some("duplicate")], "{shown}");
    let wrong = json!({"begin": {"campaign": "a b", "letter": "x", "tags": [""]}, "rows": []});
    let told = world.ask("POST /v1/campaigns/preview", &[NEWS, JSON], wrong.to_string().as_bytes()).await;
    assert_eq!(told.errors(), ["/begin/tags/0 write 1 to 128 characters, not blank, without control characters"]);
    let all = world.ask("GET /v1/campaigns", &[NEWS], b"").await.json();
    assert_eq!(all["campaigns"], json!([]), "nothing was begun");
    world.end().await;
}
