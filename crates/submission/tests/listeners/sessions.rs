//! What a dialogue cannot say: bounds over several connections, proxies, SCRAM, time, and the
//! end of a server.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use repute_engine::door::{Crowd, Protocol};
use repute_submission::{Limits, ListenerConfig, ListenerKind, LocalListener, SharedBounds, SharedLimits, TlsSource};
use repute_testkit::{Client, Dialogue, Wire};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use crate::common::talk::{ask, begin_message, expect, is_closed, is_closed_with};
use crate::common::{FakeDoor, Listener, Setup, domain, scram};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn connect(listener: &Listener) -> Wire {
    Wire::new(TcpStream::connect(listener.address).await.unwrap())
}

/// Greeted, named, and inside DATA.
async fn in_data(listener: &Listener) -> Wire {
    let mut wire = connect(listener).await;
    begin_message(&mut wire, "b@example.net").await;
    wire
}

#[tokio::test]
async fn connections_in_all_have_a_bound() {
    let bounds = SharedBounds { connections: 2, ..SharedBounds::default() };
    let listener = Setup { bounds, ..Setup::trusted() }.start();
    let (mut a, mut b) = (connect(&listener).await, connect(&listener).await);
    expect(&mut a, "220").await;
    expect(&mut b, "220").await;
    let mut c = connect(&listener).await;
    expect(&mut c, "421 4.3.2").await;
    is_closed(&mut c).await;
    // Told, once for all that follow within the minute, with what an operator has to know.
    is_closed_with(&mut connect(&listener).await, "421 4.3.2").await;
    let most = Some((IpAddr::from([127, 0, 0, 1]), 2));
    let told = Crowd { of: Protocol::Smtp, clients: 2, addresses: 1, most, sent_away: 1, lasts: Duration::ZERO };
    assert_eq!(*listener.door.crowds.lock().unwrap(), [told]);
    ask(&mut a, "QUIT", "221").await;
    is_closed(&mut a).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    expect(&mut connect(&listener).await, "220").await;
    drop(b);
    listener.stop().await;
}

#[tokio::test]
async fn connections_of_one_client_have_a_bound() {
    let bounds = SharedBounds { connections_per_client: 1, ..SharedBounds::default() };
    let listener = Setup { bounds, ..Setup::trusted() }.start();
    let mut a = connect(&listener).await;
    expect(&mut a, "220").await;
    let mut b = connect(&listener).await;
    expect(&mut b, "421 4.7.0").await;
    is_closed(&mut b).await;
    drop(a);
    listener.stop().await;
}

#[tokio::test]
async fn content_memory_of_all_sessions_has_a_bound() {
    // Room for two first chunks of 8 KiB, and not for a third.
    let bounds = SharedBounds { content_octets: 20_000, ..SharedBounds::default() };
    let listener = Setup { bounds, ..Setup::trusted() }.start();
    let mut a = in_data(&listener).await;
    let mut b = in_data(&listener).await;
    let mut c = connect(&listener).await;
    expect(&mut c, "220").await;
    ask(&mut c, "EHLO client.invalid", "250").await;
    ask(&mut c, "MAIL FROM:<a@example.com>", "250").await;
    ask(&mut c, "RCPT TO:<b@example.net>", "250").await;
    ask(&mut c, "DATA", "452 4.3.1").await;
    // One that grows where there is no room is read to its end and refused for now.
    let line = [vec![b'x'; 78], b"\r\n".to_vec()].concat();
    a.send(&[line.repeat(500), b".\r\n".to_vec()].concat()).await.unwrap();
    expect(&mut a, "452 4.3.1").await;
    // Its memory is free again, and the other was not touched.
    b.send(b"Subject: x\r\n.\r\n").await.unwrap();
    expect(&mut b, "250").await;
    ask(&mut c, "MAIL FROM:<a@example.com>", "250").await;
    ask(&mut c, "RCPT TO:<b@example.net>", "250").await;
    ask(&mut c, "DATA", "354").await;
    // A client that leaves within its data gives its memory back: `stop` looks.
    drop(c);
    drop((a, b));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(listener.stop().await.len(), 1);
}

#[tokio::test]
async fn a_large_message_arrives_whole() {
    let mut setup = Setup::trusted();
    setup.limits.message_size = 10_000_000;
    let listener = setup.start();
    let mut wire = in_data(&listener).await;
    let line = b"..a line that begins with a dot and has some length to it\r\n".repeat(100_000);
    wire.send(&line).await.unwrap();
    wire.send(b".\r\n").await.unwrap();
    expect(&mut wire, "250").await;
    drop(wire);
    let taken = listener.stop().await;
    let expected = b".a line that begins with a dot and has some length to it\r\n".repeat(100_000);
    assert_eq!(taken[0].content.len(), expected.len());
    assert!(taken[0].content.to_vec() == expected);
    assert!(taken[0].content.chunks().len() < 40);
}

#[tokio::test]
async fn a_small_message_is_one_chunk() {
    let listener = Setup::trusted().start();
    let mut wire = in_data(&listener).await;
    wire.send(&[b"Subject: x\r\n".repeat(340), b".\r\n".to_vec()].concat()).await.unwrap();
    expect(&mut wire, "250").await;
    drop(wire);
    let taken = listener.stop().await;
    assert_eq!((taken[0].content.chunks().len(), taken[0].content.len()), (1, 4080));
}

#[tokio::test]
async fn failures_to_authenticate_have_a_bound_for_each_client() {
    let bounds = SharedBounds { auth_failures: 2, ..SharedBounds::default() };
    let listener = Setup { bounds, ..Setup::new(ListenerKind::SubmissionTls) }.start();
    let text = "TLS\nS: 220 *\nC: EHLO x\nS~ 250\nC: AUTH PLAIN AHNob3AAd3Jvbmc=\nS: 535 5.7.8 *\n";
    for _ in 0..2 {
        let stream = TcpStream::connect(listener.address).await.unwrap();
        Dialogue::parse("wrong", text).as_client(stream).await.unwrap();
    }
    // Also the right password has to wait now.
    let text = "TLS\nS: 220 *\nC: EHLO x\nS~ 250\nC: AUTH PLAIN AHNob3AAc2VjcmV0\nS: 454 4.7.0 *\n";
    let stream = TcpStream::connect(listener.address).await.unwrap();
    Dialogue::parse("right", text).as_client(stream).await.unwrap();
    listener.stop().await;
}

/// Logs in by SCRAM inside TLS; what the server said at the end.
/// One octet a minute kept a place for ever, and a few such clients all of them.
#[tokio::test(start_paused = true)]
async fn a_stranger_who_crawls_does_not_keep_his_place() {
    let network = repute_net::MemoryNetwork::new(repute_net::TlsClient::without_roots());
    let at = "192.0.2.1:587".parse().unwrap();
    let (shutdown, stopping) = watch::channel(false);
    let config = ListenerConfig {
        kind: ListenerKind::Submission,
        hostname: domain("mail.example.com"),
        tls: TlsSource::new(None),
        proxies: Default::default(),
        limits: Limits::default(),
    };
    let known = "198.51.100.7".parse().unwrap();
    let shared = SharedLimits::new(SharedBounds::default());
    let (listener, door) = (network.listen(at), FakeDoor::new(Some(known)));
    let served = tokio::spawn(repute_submission::serve_in_memory(listener, config, door, shared.clone(), stopping));
    for (from, minutes) in [("198.51.100.8".parse().unwrap(), 5), (known, 200)] {
        let stream = repute_net::Network::connect(&network, at, Some(from), Duration::from_secs(1)).await.unwrap();
        let (mut client, _) = Client::over(stream).await.unwrap();
        let began = tokio::time::Instant::now();
        while began.elapsed() < Duration::from_secs(200 * 60) && client.send(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert!(began.elapsed().as_secs().abs_diff(minutes * 60) <= 60, "{from}: {:?}", began.elapsed());
    }
    shutdown.send_replace(true);
    served.await.unwrap();
    assert_eq!(shared.connections(), 0);
}

async fn scram(listener: &Listener, name: &str, password: &str) -> String {
    let mut wire = connect(listener).await;
    wire.start_tls_as_client("server.invalid").await.unwrap();
    expect(&mut wire, "220").await;
    ask(&mut wire, "EHLO client.invalid", "250").await;
    scram::log_in(&mut wire, name, password).await.unwrap()
}

#[tokio::test]
async fn scram_lets_the_right_one_in_and_nobody_else() {
    let listener = Setup::new(ListenerKind::SubmissionTls).start();
    assert!(scram(&listener, "shop", "pencil").await.starts_with("235 2.7.0"));
    assert!(scram(&listener, "shop", "pencil2").await.starts_with("535 5.7.8"));
    // The fake door gives an unknown name the same secret, so even a right proof is refused.
    assert!(scram(&listener, "nobody", "pencil").await.starts_with("535 5.7.8"));
    listener.stop().await;
}

const PROXY_HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x04\x00\0\x19";

#[tokio::test]
async fn a_named_proxy_says_who_the_client_is() {
    for kind in [ListenerKind::Return, ListenerKind::SubmissionTls] {
        let listener = Setup { proxies: vec![LOOPBACK], ..Setup::new(kind) }.start();
        let mut wire = connect(&listener).await;
        wire.send(PROXY_HEADER).await.unwrap();
        if kind == ListenerKind::SubmissionTls {
            wire.start_tls_as_client("server.invalid").await.unwrap();
        }
        expect(&mut wire, "220").await;
        ask(&mut wire, "EHLO client.invalid", "250").await;
        if kind == ListenerKind::Return {
            ask(&mut wire, "MAIL FROM:<>", "250").await;
            ask(&mut wire, "RCPT TO:<b@return.example.com>", "250").await;
            ask(&mut wire, "DATA", "354").await;
            ask(&mut wire, ".", "250").await;
        }
        drop(wire);
        let taken = listener.stop().await;
        assert!(taken.iter().all(|t| t.client == Some("192.0.2.7".parse().unwrap())));
    }
}

#[tokio::test]
async fn a_named_proxy_must_send_its_header() {
    let listener = Setup { proxies: vec![LOOPBACK], ..Setup::trusted() }.start();
    let mut wire = connect(&listener).await;
    wire.send(b"EHLO client.invalid\r\n").await.unwrap();
    is_closed(&mut wire).await;
    // It is known by its address, but as a proxy it speaks for others.
    let mut wire = connect(&listener).await;
    wire.send(PROXY_HEADER).await.unwrap();
    expect(&mut wire, "220").await;
    ask(&mut wire, "EHLO client.invalid", "250").await;
    ask(&mut wire, "MAIL FROM:<a@example.com>", "530").await;
    // LOCAL: the proxy looks whether we are there.
    let mut wire = connect(&listener).await;
    wire.send(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await.unwrap();
    expect(&mut wire, "220").await;
    ask(&mut wire, "EHLO client.invalid", "250").await;
    ask(&mut wire, "MAIL FROM:<a@example.com>", "530").await;
    drop(wire);
    listener.stop().await;
}

#[tokio::test]
async fn errors_are_forgiven_with_a_message_and_refused_recipients_are_none() {
    let listener = Setup::trusted().start();
    let mut wire = in_data(&listener).await;
    for _ in 0..3 {
        ask(&mut wire, ".", "250").await;
        for _ in 0..9 {
            ask(&mut wire, "XYZZY", "500").await;
        }
        ask(&mut wire, "MAIL FROM:<a@example.com>", "250").await;
        ask(&mut wire, "RCPT TO:<b@example.net>", "250").await;
        ask(&mut wire, "DATA", "354").await;
    }
    ask(&mut wire, ".", "250").await;
    for _ in 0..20 {
        ask(&mut wire, "MAIL FROM:<a@example.com>", "250").await;
        ask(&mut wire, "RCPT TO:<refused@example.net>", "550").await;
        ask(&mut wire, "DATA", "554").await;
        ask(&mut wire, "RSET", "250").await;
    }
    drop(wire);
    assert_eq!(listener.stop().await.len(), 4);
}

#[tokio::test]
async fn a_silent_client_is_sent_away() {
    let mut setup = Setup::trusted();
    setup.limits.idle = Duration::from_millis(150);
    let listener = setup.start();
    let mut wire = in_data(&listener).await;
    expect(&mut wire, "421 4.4.2").await;
    is_closed(&mut wire).await;
    listener.stop().await;
}

#[tokio::test]
async fn a_handshake_that_never_comes_ends() {
    let mut setup = Setup::new(ListenerKind::SubmissionTls);
    setup.limits.handshake = Duration::from_millis(100);
    let listener = setup.start();
    is_closed(&mut connect(&listener).await).await;
    listener.stop().await;
}

#[tokio::test]
async fn a_shutdown_lets_transactions_end_and_dismisses_the_idle() {
    let listener = Setup::trusted().start();
    let mut idle = connect(&listener).await;
    expect(&mut idle, "220").await;
    let mut busy = in_data(&listener).await;
    listener.shutdown.send(true).unwrap();
    expect(&mut idle, "421 4.3.2").await;
    is_closed(&mut idle).await;
    assert!(!listener.served.is_finished());
    busy.send(b"Subject: x\r\n.\r\n").await.unwrap();
    expect(&mut busy, "250").await;
    expect(&mut busy, "421 4.3.2").await;
    is_closed(&mut busy).await;
    assert_eq!(listener.stop().await.len(), 1);
}

#[tokio::test]
async fn a_shutdown_waits_for_a_commit_and_its_reply() {
    let listener = Setup::trusted().start();
    let mut busy = in_data(&listener).await;
    let gate = listener.door.gate.write().await;
    busy.send(b"Subject: x\r\n.\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    listener.shutdown.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(gate);
    expect(&mut busy, "250").await;
    expect(&mut busy, "421 4.3.2").await;
    assert_eq!(listener.stop().await.len(), 1);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let mut setup = Setup::trusted();
    setup.limits.drain = Duration::from_millis(100);
    let listener = setup.start();
    let mut busy = in_data(&listener).await;
    listener.shutdown.send(true).unwrap();
    expect(&mut busy, "421 4.3.2").await;
    drop(busy);
    assert!(listener.stop().await.is_empty());
}

#[tokio::test]
async fn certificates_are_replaced_while_it_runs() {
    let listener = Setup::new(ListenerKind::Submission).start();
    let greeting = "S: 220 *\nC: EHLO x\nS~ 250 STARTTLS\n";
    let play = async |text: String| {
        let stream = TcpStream::connect(listener.address).await.unwrap();
        Dialogue::parse("reload", &text).as_client(stream).await.unwrap();
    };
    play(format!("{greeting}C: STARTTLS\nS: 220 *\nTLS\n")).await;
    listener.tls.replace(Some(repute_testkit::tls::server_config(&["other.example.com"])));
    play(format!("{greeting}C: STARTTLS\nS: 220 *\nTLS\n")).await;
    listener.tls.replace(None);
    play("S: 220 *\nC: EHLO x\nS~ 250\nC: STARTTLS\nS: 502 5.5.1 *\n".into()).await;
    listener.stop().await;
}

/// A conversation of a program of this machine, greeted and named.
async fn local(listener: &std::sync::Arc<LocalListener>, door: &FakeDoor) -> Wire {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (listener, account) = (listener.clone(), door.shop.clone());
    tokio::spawn(async move { listener.converse(theirs, account).await });
    let mut wire = Wire::new(ours);
    expect(&mut wire, "220").await;
    ask(&mut wire, "EHLO localhost", "250").await;
    wire
}

async fn begin_data(wire: &mut Wire, code: &str) {
    ask(wire, "MAIL FROM:<a@example.com>", "250").await;
    ask(wire, "RCPT TO:<b@example.net>", "250").await;
    ask(wire, "DATA", code).await;
}

#[tokio::test]
async fn a_local_program_is_bound_as_any_client() {
    let door = FakeDoor::new(None);
    let shared = SharedLimits::new(SharedBounds { content_octets: 10_000, ..SharedBounds::default() });
    let (shutdown, stopping) = watch::channel(false);
    let (name, limits) = (domain("mail.example.com"), Limits::default());
    let listener = std::sync::Arc::new(LocalListener::new(name, limits, door.clone(), shared.clone(), stopping));
    let mut first = local(&listener, &door).await;
    ask(&mut first, "AUTH PLAIN AHNob3AAc2VjcmV0", "502").await;
    ask(&mut first, "MAIL FROM:<a@other.invalid>", "553").await;
    begin_data(&mut first, "354").await;
    // The memory of content is the one that all listeners share.
    let mut second = local(&listener, &door).await;
    begin_data(&mut second, "452 4.3.1").await;
    // A transaction may end after the signal; who has none is sent away.
    shutdown.send(true).unwrap();
    expect(&mut second, "421 4.3.2").await;
    is_closed(&mut second).await;
    first.send(b"From: a@example.com\r\n\r\nhello\r\n.\r\n").await.unwrap();
    expect(&mut first, "250").await;
    expect(&mut first, "421 4.3.2").await;
    is_closed(&mut first).await;
    let taken = std::mem::take(&mut *door.taken.lock().unwrap());
    assert_eq!((taken.len(), taken[0].client, taken[0].protocol), (1, None, "ESMTP"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(shared.content_octets(), 0, "memory is still held");
}
