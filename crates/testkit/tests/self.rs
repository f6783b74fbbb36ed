//! The test tools tested: dialogues played against each other, and departures shown.

use std::time::Duration;

use repute_testkit::{Client, Dialogue, Peer};

const WHOLE: &str = "
    S: 220 mx.invalid ESMTP
    C: EHLO client.invalid
    S: 250-mx.invalid
    S: 250-STARTTLS
    S: 250 SIZE 1000
    C: STARTTLS
    S: 220 go
    TLS
    C: MAIL FROM:<${sender}>
    C: RCPT TO:<b@b.invalid>
    S: 250 ok
    S: 250 ok
    C= DATA\\r
    --
    C= \\n
    S: 354 go
    C* 3000 xy
    C: 
    C: .
    S: 250 ok
    C: QUIT
    S: 221 bye
    S! close
";

fn whole() -> Dialogue {
    let mut dialogue = Dialogue::parse("whole", WHOLE);
    dialogue.set("sender", "a*b@a.invalid").patience(Duration::from_secs(2));
    dialogue
}

#[tokio::test]
async fn a_dialogue_plays_against_itself() {
    let (here, there) = tokio::io::duplex(100_000);
    let (client, server) = (whole(), whole());
    let (a, b) = tokio::join!(client.as_client(here), server.as_server(there));
    a.unwrap();
    b.unwrap();
}

#[tokio::test]
async fn a_departure_names_the_line_and_shows_what_came() {
    let (here, there) = tokio::io::duplex(1000);
    let client = Dialogue::parse("client", "S: 220 *\nC: HELO x\nS~ 250 STARTTLS\n");
    let server = Dialogue::parse("server", "S: 220 hi\nC: HELO *\nS: 250-hi\nS: 250 PIPELINING\nC: QUIT");
    let (a, b) = tokio::join!(client.as_client(here), server.as_server(there));
    let a = a.unwrap_err();
    assert_eq!((a.line, a.expected.as_str()), (3, "S~ 250 STARTTLS"));
    assert!(a.to_string().contains("C: HELO x"), "{a}");
    assert!(a.actual.contains("PIPELINING"), "{a}");
    assert_eq!(b.unwrap_err().actual, "the connection was closed");
}

#[tokio::test]
async fn what_is_left_unread_is_a_departure() {
    let (here, there) = tokio::io::duplex(1000);
    let client = Dialogue::parse("client", "S: 220 *");
    let server = Dialogue::parse("server", "S: 220 hi\nS: 250 too much");
    let (a, _) = tokio::join!(client.as_client(here), server.as_server(there));
    assert_eq!(a.unwrap_err().actual, "\"250 too much\\r\\n\"");
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_departure() {
    let (here, _there) = tokio::io::duplex(1000);
    let a = Dialogue::parse("client", "S: 220 *").as_client(here).await.unwrap_err();
    assert!(a.actual.starts_with("nothing came"), "{a}");
}

#[tokio::test]
async fn a_peer_plays_one_dialogue_a_connection() {
    let script = "S: 220 one\nC: NOOP\nS: 250 ok\nC! close\n===\nS: 220 two\nC! close";
    let peer = Peer::script("peer", script).await;
    let (mut one, greeting) = Client::connect(peer.address()).await.unwrap();
    assert_eq!(greeting.text(), "one");
    assert_eq!(one.say("NOOP").await.unwrap().code, 250);
    drop(one);
    let (two, greeting) = Client::connect(peer.address()).await.unwrap();
    assert_eq!(greeting.text(), "two");
    drop(two);
    peer.finish(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_child_dies_without_warning() {
    let mut child = repute_testkit::Child::start("sh", ["-c", "echo ready; sleep 60"]);
    child.wait_for("ready", Duration::from_secs(5)).await;
    child.kill_hard().await;
    assert!(!child.ended(Duration::from_secs(5)).await.success());
}
