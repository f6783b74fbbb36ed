//! More clients than there are places for: silence keeps nobody out, and who is known or at work is not sent away for others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use repute_net::{MemoryNetwork, Network as _, TlsClient};
use repute_submission::{Limits, ListenerConfig, ListenerKind, SharedBounds, SharedLimits, TlsSource};
use repute_testkit::Wire;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::common::talk::{ask, begin_message, expect, is_closed_with};
use crate::common::{FakeDoor, Setup, domain};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// A return path.
const OURS: &str = "b@return.example.com";
const KINDS: [(u16, ListenerKind); 3] =
    [(25, ListenerKind::Return), (587, ListenerKind::Submission), (465, ListenerKind::SubmissionTls)];

/// All three listeners, in simulated time.
struct House {
    network: MemoryNetwork,
    shared: Arc<SharedLimits>,
    door: Arc<FakeDoor>,
    shutdown: watch::Sender<bool>,
    served: Vec<JoinHandle<()>>,
}

impl House {
    fn open(connections: usize) -> House {
        let network = MemoryNetwork::new(TlsClient::without_roots());
        let (shutdown, stopping) = watch::channel(false);
        let shared = SharedLimits::new(SharedBounds { connections, ..SharedBounds::default() });
        let door = FakeDoor::new(None);
        let tls = TlsSource::new(Some(repute_testkit::tls::server_config(&["mail.example.com"])));
        let served = KINDS.map(|(port, kind)| {
            let config = ListenerConfig {
                kind,
                hostname: domain("mail.example.com"),
                tls: tls.clone(),
                proxies: Default::default(),
                limits: Limits::default(),
            };
            let listener = network.listen(SocketAddr::from((SERVER, port)));
            let (door, shared, stopping) = (door.clone(), shared.clone(), stopping.clone());
            tokio::spawn(repute_submission::serve_in_memory(listener, config, door, shared, stopping))
        });
        House { network, shared, door, shutdown, served: served.into() }
    }

    async fn connect(&self, port: u16, from: [u8; 4]) -> Wire {
        let (to, from) = (SocketAddr::from((SERVER, port)), Some(IpAddr::from(from)));
        Wire::new(self.network.connect(to, from, Duration::from_secs(1)).await.unwrap())
    }

    async fn end(self) {
        self.shutdown.send_replace(true);
        for listener in self.served {
            listener.await.unwrap();
        }
        assert_eq!(self.shared.connections(), 0);
    }
}

/// 2,000 clients that connected and said nothing kept everybody else out for five minutes.
#[tokio::test(start_paused = true)]
async fn a_crowd_of_silent_clients_keeps_nobody_out() {
    let house = House::open(2_000);
    let mut at_work = house.connect(25, [198, 51, 100, 1]).await;
    begin_message(&mut at_work, OURS).await;
    let mut crowd = Vec::new();
    for number in 0..1_999u16 {
        let (port, _) = KINDS[usize::from(number) % KINDS.len()];
        let mut wire = house.connect(port, [203, 0, 113, (number / 100) as u8]).await;
        match port {
            465 => wire.send(b"\x16\x03\x01").await.unwrap(),
            _ => drop(expect(&mut wire, "220").await),
        }
        if port == 25 {
            wire.send(b"EH").await.unwrap();
        }
        crowd.push(wire);
    }
    let mut newcomers = Vec::new();
    for (port, _) in KINDS {
        let began = Instant::now();
        let mut newcomer = house.connect(port, [198, 51, 100, 2]).await;
        if port == 465 {
            newcomer.start_tls_as_client("mail.example.com").await.unwrap();
        }
        expect(&mut newcomer, "220").await;
        ask(&mut newcomer, "EHLO client.invalid", "250").await;
        assert!(began.elapsed() < Duration::from_secs(1), "port {port} let him in after {:?}", began.elapsed());
        newcomers.push(newcomer);
    }
    at_work.send(b"Subject: x\r\n\r\nx\r\n.\r\n").await.unwrap();
    expect(&mut at_work, "250").await;
    // The first from the address that has the most places, and then from the next one.
    for number in [0, 100] {
        is_closed_with(&mut crowd[number], "421 4.4.2").await;
    }
    assert_eq!(crowd[200].line().await.unwrap(), None, "in the middle of a handshake nothing can be said");
    let told: Vec<u64> = house.door.crowds.lock().unwrap().iter().map(|crowd| crowd.sent_away).collect();
    assert_eq!(told, [1], "an operator hears of it");
    drop((at_work, crowd, newcomers));
    house.end().await;
}

/// Somebody else can begin a message, and whoever was there is let go for it.
async fn gets_the_place_of(mut first: Wire, house: House) {
    let mut second = house.connect(25, [198, 51, 100, 2]).await;
    begin_message(&mut second, OURS).await;
    is_closed_with(&mut first, "421 4.4.2").await;
    drop(second);
    house.end().await;
}

#[tokio::test(start_paused = true)]
async fn between_two_messages_from_anyone_a_place_is_there_for_others() {
    let house = House::open(1);
    let mut first = house.connect(25, [198, 51, 100, 1]).await;
    begin_message(&mut first, OURS).await;
    is_closed_with(&mut house.connect(25, [198, 51, 100, 2]).await, "421 4.3.2").await;
    ask(&mut first, ".", "250").await;
    gets_the_place_of(first, house).await;
}

/// An octet now and then kept a place on port 25 for ever.
#[tokio::test(start_paused = true)]
async fn a_message_that_crawls_keeps_its_place_for_ten_minutes() {
    let house = House::open(1);
    let mut first = house.connect(25, [198, 51, 100, 1]).await;
    begin_message(&mut first, OURS).await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(4 * 60)).await;
        first.send(b"x\r\n").await.unwrap();
        is_closed_with(&mut house.connect(25, [198, 51, 100, 2]).await, "421 4.3.2").await;
    }
    tokio::time::sleep(Duration::from_secs(4 * 60)).await;
    first.send(b"x\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    gets_the_place_of(first, house).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_logged_in_stays() {
    let house = House::open(1);
    let mut shop = house.connect(465, [198, 51, 100, 1]).await;
    shop.start_tls_as_client("mail.example.com").await.unwrap();
    expect(&mut shop, "220").await;
    ask(&mut shop, "EHLO client.invalid", "250").await;
    ask(&mut shop, "AUTH PLAIN AHNob3AAc2VjcmV0", "235").await;
    for _ in 0..3 {
        is_closed_with(&mut house.connect(587, [198, 51, 100, 2]).await, "421 4.3.2").await;
    }
    ask(&mut shop, "NOOP", "250").await;
    drop(shop);
    house.end().await;
}

#[tokio::test]
async fn a_proxy_that_says_nothing_makes_room_too() {
    let bounds = SharedBounds { connections: 1, ..SharedBounds::default() };
    let proxies = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let listener = Setup { bounds, proxies, ..Setup::new(ListenerKind::Return) }.start();
    let mut silent = Wire::new(TcpStream::connect(listener.address).await.unwrap());
    let mut wire = Wire::new(TcpStream::connect(listener.address).await.unwrap());
    assert_eq!(silent.line().await.unwrap(), None, "to one that begins with a header nothing can be said");
    wire.send(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x04\x00\0\x19").await.unwrap();
    expect(&mut wire, "220").await;
    drop(wire);
    listener.stop().await;
}
