//! What happens, as a stream.

use std::time::Duration;

use crate::world::{NEWS, READER, SHOP, World};
use repute_web::{Limits, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MESSAGE: &str = r#"{"from": "a@example.com", "to": "b@a.test", "text": "x"}"#;

/// A reader of the stream.
struct Reader {
    stream: TcpStream,
    text: String,
}

impl Reader {
    async fn open(world: &World, query: &str, fields: &[&str]) -> Reader {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let mut head = format!("GET /v1/events{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        fields.iter().for_each(|field| head += &format!("{field}\r\n"));
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let mut reader = Reader { stream, text: String::new() };
        reader.until("\r\n\r\n").await;
        reader
    }

    /// Reads until something has come.
    async fn until(&mut self, what: &str) -> String {
        while !self.text.contains(what) {
            assert!(self.more().await, "the stream ended before {what:?}: {}", self.text);
        }
        self.text.clone()
    }

    /// Until the reader has come to an event, or beyond it.
    async fn up_to(&mut self, id: &str) {
        while *self.last_id() < *id {
            assert!(self.more().await, "the stream ended before {id}: {}", self.text);
        }
    }

    async fn more(&mut self) -> bool {
        let mut octets = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut octets)).await;
        let read = read.unwrap_or_else(|_| panic!("nothing came after {}", self.text)).unwrap_or(0);
        self.text += &String::from_utf8_lossy(&octets[..read]);
        read > 0
    }

    async fn until_it_ends(mut self) -> String {
        while self.more().await {}
        self.text
    }

    fn last_id(&self) -> String {
        self.text.rsplit("id: ").next().unwrap().split('\n').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn events_come_as_they_happen_and_are_taken_up_again() {
    let world = World::new().await;
    let mut reader = Reader::open(&world, "", &[SHOP]).await;
    assert!(reader.text.starts_with("HTTP/1.1 200 "), "{}", reader.text);
    reader.until("retry: 3000\n").await;
    let first = world.post("/v1/messages", MESSAGE).await.json()["id"].as_str().unwrap().to_owned();
    let text = reader.until("event: accepted\n").await;
    assert!(text.contains("content-type: text/event-stream") && !text.contains("event: gap"), "{text}");
    reader.until(&first).await;
    let last = format!("Last-Event-ID: {}", reader.last_id());
    drop(reader);
    let second = world.post("/v1/messages", MESSAGE).await.json()["id"].as_str().unwrap().to_owned();
    let mut again = Reader::open(&world, "?since=start", &[SHOP, &last]).await;
    let text = again.until(&second).await;
    assert_eq!(text.matches("event: accepted\n").count(), 1, "what the reader had is not told again: {text}");
    world.end().await;
}

#[tokio::test]
async fn a_reader_gets_what_is_of_its_account_and_of_the_types_that_it_wants() {
    let world =
        World::with(Limits { heartbeat: Duration::from_millis(50), ..Limits::default() }, Transport::default()).await;
    let mut other = Reader::open(&world, "?since=start", &[READER]).await;
    let mut bounced = Reader::open(&world, "?since=start&types=bounced,complained", &[SHOP]).await;
    let mut held = Reader::open(&world, "?since=start&types=held", &[SHOP]).await;
    world.post("/v1/messages", MESSAGE).await;
    world.post("/v1/queue/hold", r#"{"all": true}"#).await;
    assert!(!held.until("event: held\n").await.contains("event: accepted"));
    for reader in [&mut other, &mut bounced] {
        // With a heartbeat after it the reader knows that it is up to date.
        reader.up_to(&held.last_id()).await;
        assert!(!reader.text.contains("event: "), "{}", reader.text);
    }
    for (query, status) in [("?types=x", 400), ("?since=x", 400), ("?account=other", 403), ("?account=shop", 200)] {
        let reader = Reader::open(&world, query, &[SHOP]).await;
        assert!(reader.text.starts_with(&format!("HTTP/1.1 {status} ")), "{query}: {}", reader.text);
    }
    let wrong = Reader::open(&world, "", &[SHOP, "Last-Event-ID: 7"]).await;
    assert!(wrong.text.starts_with("HTTP/1.1 400 "), "{}", wrong.text);
    world.end().await;
}

#[tokio::test]
async fn streams_are_bounded_for_each_token() {
    let limits = Limits { streams_per_token: 1, heartbeat: Duration::from_millis(20), ..Limits::default() };
    let world = World::with(limits, Transport::default()).await;
    let one = Reader::open(&world, "", &[SHOP]).await;
    assert!(Reader::open(&world, "", &[SHOP]).await.text.starts_with("HTTP/1.1 429 "));
    assert!(Reader::open(&world, "", &[NEWS]).await.text.starts_with("HTTP/1.1 200 "));
    drop(one);
    // Whoever goes gives the place back, at the next heartbeat at the latest.
    for attempt in 0.. {
        if Reader::open(&world, "", &[SHOP]).await.text.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(attempt < 500, "the place was not given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_server_and_with_its_token() {
    let limits = Limits { heartbeat: Duration::from_millis(20), ..Limits::default() };
    let world = World::with(limits, Transport::default()).await;
    let revoked = Reader::open(&world, "", &[READER]).await;
    let stays = Reader::open(&world, "", &[SHOP]).await;
    world.revoke("reader");
    revoked.until_it_ends().await;
    let ended = tokio::spawn(stays.until_it_ends());
    world.end().await;
    ended.await.unwrap();
}
