//! The page by which recipients leave, and the one click of mail programs (RFC 8058).

use crate::world::{JSON, NEWS, World};
use repute_ledger::suppression::{Query, Scope};
use repute_web::{Limits, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const CLICK: &[u8] = b"List-Unsubscribe=One-Click";

/// The path that a message to the list `weekly` links to.
async fn link(world: &World) -> String {
    let body = br#"{"from": "news@example.com", "to": "ann@b.test", "list": "weekly", "text": "x"}"#;
    let sent = world.ask("POST /v1/messages", &[NEWS, JSON], body).await;
    let content = world.content(&sent.json()["id"]).await;
    let field =
        content.split("List-Unsubscribe: <https://mail.example.com").nth(1).unwrap_or_else(|| panic!("{content}"));
    field.split('>').next().unwrap().to_owned()
}

/// The scopes that are left, in the order of the list.
async fn left(world: &World) -> Vec<Scope> {
    let control = world.engine.control();
    let found = control.suppressions(Query { limit: 10, ..Query::default() }).await.unwrap();
    found.entries.into_iter().map(|entry| entry.scope).collect()
}

#[tokio::test]
async fn looking_changes_nothing_and_asks_for_nothing() {
    let world = World::new().await;
    let path = link(&world).await;
    let page = world.ask(&format!("GET {path}"), &[], b"").await;
    assert_eq!((page.status, page.field("content-type")), (200, Some("text/html; charset=utf-8")), "{page:?}");
    assert!(
        page.body.contains("<strong><bdi>ann@b.test</bdi></strong>") && page.body.contains("Leave the list weekly"),
        "{page:?}"
    );
    let policy = page.field("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.contains("frame-ancestors 'none'"));
    for absent in ["set-cookie", "location"] {
        assert_eq!(page.field(absent), None, "{page:?}");
    }
    assert_eq!((page.field("cache-control"), page.field("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    assert_eq!(world.ask(&format!("HEAD {path}"), &[], b"").await.status, 200);
    assert_eq!(left(&world).await, []);
    world.end().await;
}

#[tokio::test]
async fn one_click_leaves_the_list_and_a_replay_changes_nothing() {
    let world = World::new().await;
    let path = link(&world).await;
    let weekly = Scope::of(Some("news"), Some("weekly"));
    let post = async |kind: &str, body: &[u8]| world.ask(&format!("POST {path}"), &[kind], body).await;
    let done = post(FORM, CLICK).await;
    assert_eq!((done.status, done.field("location"), done.field("set-cookie")), (200, None, None));
    assert!(done.body.contains("<h1>You have left</h1>"), "{done:?}");
    assert_eq!(left(&world).await, std::slice::from_ref(&weekly));
    let multipart = b"--q\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--q--\r\n";
    for again in [post(FORM, CLICK).await, post("Content-Type: multipart/form-data; boundary=q", multipart).await] {
        assert!(again.status == 200 && again.body.contains("Nothing has changed."), "{again:?}");
    }
    let looked = world.ask(&format!("GET {path}"), &[], b"").await;
    assert!(looked.body.contains("<h1>You have left</h1>") && !looked.body.contains("Leave the list"), "{looked:?}");
    assert_eq!(left(&world).await, [weekly]);
    world.end().await;
}

/// A person saw a problem in JSON.
#[tokio::test]
async fn a_link_works_with_what_a_mail_program_took_for_a_part_of_it() {
    let world = World::new().await;
    let path = link(&world).await;
    for behind in ["/", ".", "),", "%3E"] {
        let page = world.ask(&format!("GET {path}{behind}"), &[], b"").await;
        assert!(page.status == 200 && page.body.contains("Leave the list weekly"), "{behind}: {page:?}");
    }
    assert_eq!(world.ask(&format!("GET {path}/x"), &[], b"").await.status, 404);
    let done = world.ask(&format!("POST {path}/"), &[FORM], CLICK).await;
    assert!(done.status == 200 && left(&world).await.len() == 1, "{done:?}");
    world.end().await;
}

#[tokio::test]
async fn the_button_leaves_everything() {
    let world = World::new().await;
    let path = link(&world).await;
    let done = world.ask(&format!("POST {path}"), &[FORM], b"scope=everything").await;
    assert!(done.status == 200 && done.body.contains("from this sender"), "{done:?}");
    assert_eq!(left(&world).await, [Scope::of(Some("news"), None)]);
    let click = world.ask(&format!("POST {path}"), &[FORM], CLICK).await;
    assert!(click.body.contains("You had left before"), "{click:?}");
    assert_eq!(left(&world).await.len(), 1, "the list is a part of everything");
    world.end().await;
}

#[tokio::test]
async fn what_is_no_wish_to_leave_changes_nothing() {
    let world = World::new().await;
    let path = link(&world).await;
    for (kind, body) in [(FORM, "x=y"), (FORM, "List-Unsubscribe=Later"), (JSON, "{}"), ("X: y", "")] {
        let asked = world.ask(&format!("POST {path}"), &[kind], body.as_bytes()).await;
        assert!(asked.status == 400 && asked.body.contains("Leave the list weekly"), "{body}: {asked:?}");
    }
    assert_eq!(world.ask(&format!("POST {path}"), &[FORM], &[b'x'; 20_000]).await.status, 413);
    assert_eq!(world.ask(&format!("DELETE {path}"), &[], b"").await.status, 405);
    assert_eq!(left(&world).await, []);
    world.end().await;
}

#[tokio::test]
async fn a_link_that_is_not_ours_is_answered_the_same_whatever_is_wrong_with_it() {
    let world = World::new().await;
    let path = link(&world).await;
    let last = path.chars().next_back().unwrap();
    let forged = format!("{}{}", &path[..path.len() - 1], if last == 'a' { 'b' } else { 'a' });
    let unknown = repute_feedback::Tokens::new(&[1; 32]);
    let part =
        repute_types::PartId { message: repute_types::MessageId::first_at(world.engine.control().now()), number: 0 };
    let nobodys = unknown.write(&repute_feedback::Token::Unsubscribe { part, recipient: 0 });
    let mut answers = Vec::new();
    for path in [forged, format!("/unsubscribe/{nobodys}"), "/unsubscribe/x".into(), "/unsubscribe/%00".into()] {
        for (method, body) in [("GET", &b""[..]), ("POST", CLICK), ("POST", b"scope=everything")] {
            let answer = world.ask(&format!("{method} {path}"), &[FORM], body).await;
            answers.push((answer.status, answer.body));
        }
    }
    assert_eq!(answers[0].0, 404);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(left(&world).await, []);
    world.end().await;
}

#[tokio::test]
async fn who_asks_too_often_waits_and_the_api_does_not() {
    let limits = Limits { leaving_per_minute: 2, ..Limits::default() };
    let world = World::with(limits, Transport::default()).await;
    for status in [404, 404, 429] {
        let answer = world.ask("GET /unsubscribe/x", &[], b"").await;
        assert_eq!((answer.status, answer.field("retry-after").is_some()), (status, status == 429));
    }
    assert_eq!(world.get("/v1/status").await.status, 200);
    world.end().await;
}

/// The answer said that a message to nobody was on its way, or that the token might not do this.
#[tokio::test]
async fn who_left_the_list_is_told_in_the_answer() {
    let world = World::new().await;
    let path = link(&world).await;
    world.ask(&format!("POST {path}"), &[FORM], CLICK).await;
    let send = async |to: &str| {
        let body = format!(r#"{{"from": "news@example.com", "to": {to}, "list": "weekly", "text": "x"}}"#);
        world.ask("POST /v1/messages", &[NEWS, JSON], body.as_bytes()).await
    };
    let both = send(r#"["ann@b.test", "bob@b.test"]"#).await;
    assert_eq!(both.status, 202, "{both:?}");
    assert_eq!((&both.json()["recipients"], &both.json()["refused"][0]["address"]), (&1.into(), &"ann@b.test".into()));
    let alone = send(r#""ann@b.test""#).await;
    assert_eq!((alone.status, &alone.json()["type"]), (422, &"/problems/refused".into()), "{alone:?}");
    assert_eq!(alone.json()["errors"][0]["pointer"], "/to");
    world.end().await;
}

/// A few forms that came an octet a minute had the turns of everybody who wanted to leave.
#[tokio::test]
async fn who_sends_the_form_slowly_keeps_nobody_else_from_leaving() {
    let world = World::with(Limits { leaving: 1, ..Limits::default() }, Transport::default()).await;
    let path = link(&world).await;
    let mut slow = TcpStream::connect(world.address).await.unwrap();
    let length = CLICK.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut heard = [0; 100];
    let count = slow.read(&mut heard).await.unwrap();
    assert!(heard[..count].starts_with(b"HTTP/1.1 100 "), "its form is being read");
    assert_eq!(world.ask(&format!("POST {path}"), &[FORM], CLICK).await.status, 200);
    slow.write_all(CLICK).await.unwrap();
    let count = slow.read(&mut heard).await.unwrap();
    assert!(heard[..count].starts_with(b"HTTP/1.1 200 "), "and it is heard when it is there");
    world.end().await;
}
