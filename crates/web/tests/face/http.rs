//! HTTP itself: paths, methods, framing, bounds and the end.

use std::time::Duration;

use crate::world::{JSON, METRICS, READER, SHOP, World};
use repute_web::{Limits, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let world = World::new().await;
    for (request, status) in [
        ("GET /nothing", 404),
        ("GET /v1/nothing", 404),
        ("DELETE /v1/messages", 405),
        ("POST /healthz", 405),
        ("GET /.well-known/mta-sts.txt", 404),
        ("GET /problems/none", 404),
    ] {
        let answer = world.ask(request, &[SHOP], b"").await;
        answer.errors();
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.field("allow").is_some(), status == 405, "{request}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_request_says_once_which_host_it_is_for() {
    let world = World::new().await;
    for (version, fields, status) in [
        ("1.1", "Host: x\r\n", 200),
        ("1.1", "Host:\r\n", 200),
        ("1.1", "", 400),
        ("1.1", "Host: x\r\nHost: y\r\n", 400),
        ("1.0", "", 200),
        ("1.0", "Host: x\r\n", 200),
    ] {
        let request = format!("GET /healthz HTTP/{version}\r\n{fields}Connection: close\r\n\r\n");
        let answer = world.raw(request.as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(status.to_string().as_str()), "{request} {answer}");
    }
    world.end().await;
}

/// "The token `shop` may not metrics."
#[tokio::test]
async fn a_token_that_lacks_an_action_reads_which_in_a_sentence() {
    let world = World::new().await;
    let told = world.ask("GET /v1/queue", &[METRICS], b"").await;
    let detail = told.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.starts_with("the token `metrics` may not ask what became of messages and how the server is: "),
        "{detail}"
    );
    assert!(detail.ends_with("`repute token add NAME --allow read`"), "{detail}");
    let told = world.ask("GET /metrics", &[READER], b"").await.json();
    assert!(told["detail"].as_str().unwrap().starts_with("the token `reader` may not read the metrics: "), "{told}");
    world.end().await;
}

#[tokio::test]
async fn pages_need_no_token() {
    let world = World::new().await;
    for (path, expect) in [("/", "Example Ltd."), ("/healthz", "alive\n"), ("/readyz", "ready\n")] {
        let answer = world.ask(&format!("GET {path}"), &[], b"").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, expect));
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    }
    let text = world.raw(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.Bounces.Example.com:443\r\nConnection: close\r\n\r\n").await;
    assert!(text.ends_with("version: STSv1\r\n"), "{text}");
    let described = world.ask("GET /openapi.json", &[], b"").await;
    assert_eq!(described.json()["openapi"], "3.1.0");
    assert_eq!(described.body, repute_web::description());
    world.end().await;
}

#[tokio::test]
async fn a_body_has_bounds() {
    let limits = Limits { body: 1000, body_idle: Duration::from_millis(50), ..Limits::default() };
    let world = World::with(limits, Transport::default()).await;
    let large = world.post("/v1/messages", &" ".repeat(1001)).await;
    assert_eq!(large.status, 413, "{large:?}");
    let head = "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let chunked = format!("{head}{SHOP}\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n{}\r\n0\r\n\r\n", " ".repeat(1024));
    assert!(world.raw(chunked.as_bytes()).await.starts_with("HTTP/1.1 413 "));
    let slow = world.raw(format!("{head}{SHOP}\r\nContent-Length: 5\r\n\r\nabc").as_bytes()).await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    world.end().await;
}

/// Closed with the rest unread, the connection was reset: the client met a broken pipe and never read the 413.
#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_body_first_reads_why() {
    let limits = Limits { body: 1000, ..Limits::default() };
    let world = World::with(limits, Transport::default()).await;
    let large = vec![b' '; 16 << 20];
    for (fields, status) in [(vec![SHOP, JSON], 413), (vec![JSON], 401)] {
        let answer = world.ask("POST /v1/messages", &fields, &large).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.field("connection"), Some("close"), "{answer:?}");
    }
    let head =
        format!("POST /v1/messages HTTP/1.1\r\nHost: x\r\n{JSON}\r\n{SHOP}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [b"100000\r\n".as_slice(), &large[..1 << 20], b"\r\n"].concat();
    let chunked = [head.as_bytes(), &chunk.repeat(16), b"0\r\n\r\n"].concat();
    assert!(world.raw(&chunked).await.starts_with("HTTP/1.1 413 "));
    let no_request = [b"nonsense\r\n\r\n".as_slice(), &large].concat();
    assert!(world.raw(&no_request).await.starts_with("HTTP/1.1 400 "));
    world.end().await;
}

#[tokio::test]
async fn what_is_left_of_a_refused_body_is_read_within_bounds() {
    let bounded = Limits { body: 1000, unread: 1 << 20, ..Limits::default() };
    let world = World::with(bounded, Transport::default()).await;
    let mut endless = TcpStream::connect(world.address).await.unwrap();
    let head =
        format!("POST /v1/messages HTTP/1.1\r\nHost: x\r\n{JSON}\r\n{SHOP}\r\nContent-Length: {}\r\n\r\n", 1u64 << 40);
    endless.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b' '; 1 << 20];
    let mut sent = 0;
    while endless.write_all(&piece).await.is_ok() {
        sent += 1;
        assert!(sent < 1000, "it goes on for ever");
    }
    world.end().await;
    // Who is silent is not waited for, and who was not told to go on sends nothing.
    let silent = Limits { body: 1000, unread_idle: Duration::from_millis(50), ..Limits::default() };
    let world = World::with(silent, Transport::default()).await;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut silent = TcpStream::connect(world.address).await.unwrap();
        silent.write_all(head.replace("\r\n\r\n", &format!("\r\n{expect}\r\n")).as_bytes()).await.unwrap();
        let mut answer = String::new();
        silent.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_request_framed_twice_ends_the_connection() {
    let world = World::new().await;
    // What a proxy that believes in Content-Length would pass on as a part of the body.
    let smuggled = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for framing in [
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}", smuggled.len()),
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked", smuggled.len()),
    ] {
        let text =
            world.raw(format!("POST /readyz HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{smuggled}").as_bytes()).await;
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{framing}: {text}");
    }
    for bad in [
        "Transfer-Encoding: xchunked",
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: +1",
        "Transfer-Encoding : chunked",
    ] {
        let text = world.raw(format!("POST /readyz HTTP/1.1\r\nHost: x\r\n{bad}\r\n\r\n").as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 400 ") && text.matches("HTTP/1.1 ").count() == 1, "{bad}: {text}");
    }
    world.end().await;
}

/// Two large bodies come at once, and there is room for one: the other is told to come again, and loses nothing.
#[tokio::test]
async fn all_bodies_together_have_a_bound() {
    let limits = Limits { bodies: 30_000, ..Limits::default() };
    let world = World::with(limits, Transport::default()).await;
    let text = "x".repeat(9_000);
    let body = format!(r#"{{"from":"shop@example.com","to":"a@example.net","subject":"x","text":"{text}"}}"#);
    let mut first = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: x\r\n{JSON}\r\n{SHOP}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (most, rest) = body.split_at(body.len() - 10);
    first.write_all(format!("{head}{most}").as_bytes()).await.unwrap();
    // The second is refused as soon as the first is there, and only then.
    let refused = loop {
        let answer = world.post("/v1/messages", &body).await;
        if answer.status != 202 {
            break answer;
        }
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.field("retry-after").is_some(), "{refused:?}");
    first.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(world.post("/v1/messages", &body).await.status, 202, "there is room again");
    world.end().await;
}

/// It was said of SMTP's listeners alone.
#[tokio::test]
async fn that_no_more_clients_can_be_taken_in_is_told() {
    let world = World::new().await;
    // A socket that does not listen, with something to look at: to accept from it fails.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let broken = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    std::io::Write::write_all(&mut listener.accept().unwrap().0, b"x").unwrap();
    let note = world.note_of(std::os::fd::OwnedFd::from(broken).into()).await;
    assert!(note.starts_with("clients wait, because no more can be taken in"), "{note}");
    world.end().await;
}

/// As many connections as there are places, which sent nothing, kept everybody else out for half a minute.
#[tokio::test]
async fn a_crowd_of_silent_connections_keeps_nobody_out() {
    let world = World::with(Limits { connections: 16, ..Limits::default() }, Transport::default()).await;
    let mut known = TcpStream::connect(world.address).await.unwrap();
    let request = format!("GET /v1/queue HTTP/1.1\r\nHost: x\r\n{READER}\r\n");
    known.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
    let mut answers = vec![0; 4096];
    let first = known.read(&mut answers).await.unwrap();
    answers.truncate(first);
    let mut crowd = Vec::new();
    for number in 0..15 {
        let mut silent = TcpStream::connect(world.address).await.unwrap();
        if number % 2 == 0 {
            silent.write_all(b"GET /heal").await.unwrap();
        }
        crowd.push(silent);
    }
    assert_eq!(world.get("/healthz").await.status, 200);
    let gone = crowd[0].read(&mut [0; 99]).await;
    assert!(gone.as_ref().is_ok_and(|octets| *octets == 0) || gone.is_err(), "{gone:?}");
    // Who has shown a token stays.
    known.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    known.read_to_end(&mut answers).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 200 ").count(), 2);
    world.end().await;
}

/// A connection for which there is no place was closed without a word, and no operator heard of it.
#[tokio::test]
async fn who_finds_all_places_taken_is_told_so_and_so_is_the_operator() {
    let bound =
        |connections, connections_per_client| Limits { connections, connections_per_client, ..Limits::default() };
    for (limits, says, is_told) in [
        (bound(2, 100), "too many connections: ", true),
        (bound(100, 2), "too many connections from your address: ", false),
    ] {
        let world = World::with(limits, Transport::default()).await;
        // Known by their tokens: nobody else gets their places.
        let mut known = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(world.address).await.unwrap();
            stream
                .write_all(format!("GET /v1/queue HTTP/1.1\r\nHost: x\r\n{READER}\r\n\r\n").as_bytes())
                .await
                .unwrap();
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            known.push(stream);
        }
        for request in ["GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "P".repeat(40_000), String::new()] {
            let answer = world.raw(request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer:?}");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("\r\nretry-after: 5") && head.contains("\r\nconnection: close"), "{head}");
            assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{answer}");
            let problem: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(problem["detail"].as_str().unwrap().starts_with(says), "{answer}");
        }
        let notes = world.notes();
        let told = "2 clients of HTTP at once, which is all that `connections` in [limits] lets in, from 1 address(es), 2 of them \
                    from 127.0.0.1: ";
        assert_eq!(notes.iter().filter(|note| note.starts_with(told)).count(), usize::from(is_told), "{notes:?}");
        assert_eq!(
            notes.iter().filter(|note| note.contains(" with 503 since ")).count(),
            usize::from(is_told),
            "{notes:?}"
        );
        drop(known);
        let came_in = async {
            while !world.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.contains(" 200 ") {
            }
        };
        tokio::time::timeout(Duration::from_secs(20), came_in).await.unwrap();
        world.end().await;
    }
}

/// It was told that its JSON is none; and a mark in front of a text spoils nothing.
#[tokio::test]
async fn a_compressed_body_is_told_so() {
    let world = World::new().await;
    let gzip = b"\x1f\x8b\x08\x00\x00";
    for coding in ["Content-Encoding: gzip", "Content-Encoding: identity, br"] {
        let answer = world.ask("POST /v1/messages", &[SHOP, JSON, coding], gzip).await;
        assert_eq!((answer.status, answer.field("accept-encoding")), (415, Some("identity")), "{answer:?}");
        assert!(answer.json()["detail"].as_str().unwrap().starts_with("Content-Encoding is "), "{answer:?}");
    }
    let message = r#"{"from": "a@example.com", "to": "b@a.test", "text": "x"}"#;
    let marked = format!("\u{feff}{message}");
    let answer = world.ask("POST /v1/messages", &[SHOP, JSON, "Content-Encoding: identity"], marked.as_bytes()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    world.end().await;
}
