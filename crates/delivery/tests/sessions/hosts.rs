//! Which host and which address a session is opened with, over a network in memory.

use std::net::SocketAddr;
use std::time::Duration;

use repute_delivery::{Connection, DeliverySettings, Egress, Routes, Wanted};
use repute_dns::ZoneFake;
use repute_net::{ConnectKind, MemoryNetwork, TlsClient};
use repute_testkit::Dialogue;
use repute_types::{Culprit, Domain, Outcome, SeededRandom, Verdict};
use tokio::time::Instant;

const ZONE: &str = "
    b.test     MX 10 one.b.test
    b.test     MX 20 two.b.test
    one.b.test A    192.0.2.1
    one.b.test A    192.0.2.2
    one.b.test AAAA 2001:db8::1
    two.b.test A    192.0.2.3
";
const TAKES: &str = "S: 220 mx\nC: EHLO mail.a.test\nS: 250 mx\n";
const LISTED: &str = "S: 554 5.7.1 listed\n";
const NEVER: &str = "S: 521 no mail\n";

struct Scene {
    network: MemoryNetwork,
    zone: ZoneFake,
    settings: DeliverySettings,
    egress: Egress,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            network: MemoryNetwork::new(TlsClient::without_roots()),
            zone: ZoneFake::parse(ZONE),
            settings: DeliverySettings::default(),
            egress: Egress {
                name: "main".into(),
                ehlo: Domain::parse("mail.a.test").unwrap(),
                v4: "192.0.2.99".parse().ok(),
                v6: None,
                narrowed: false,
            },
        }
    }

    /// Whoever connects to the address hears the dialogue.
    fn says(&self, host: &str, dialogue: &'static str) -> &Scene {
        let mut listener = self.network.listen(address(host));
        tokio::spawn(async move {
            while let Some(incoming) = listener.accept().await {
                let dialogue = Dialogue::parse("host", dialogue);
                tokio::spawn(async move { dialogue.as_server(incoming.stream).await });
            }
        });
        self
    }

    fn fails(&self, host: &str, kind: ConnectKind) -> &Scene {
        self.network.fail(address(host), kind);
        self
    }

    async fn open(&self) -> Result<Connection, Outcome> {
        let (domain, random) = (Domain::parse("b.test").unwrap(), SeededRandom::new(1));
        let routes = Routes::default();
        let route = routes.resolve(&domain, &self.egress, &self.settings, &self.zone, &random).await?;
        let wanted = Wanted { domain: &domain, require_tls: false };
        Connection::open(&route, wanted, &self.egress, &self.settings, &self.network, &self.zone).await
    }

    /// `expected`: the address that was reached, or verdict, status and stage.
    async fn check(&self, expected: &str) {
        let got = match self.open().await {
            Ok(connection) => {
                assert_eq!(connection.local_address().is_some(), !self.egress.is_unbound());
                connection.peer().address.unwrap().to_string()
            }
            Err(o) => format!("{} {} {}", o.verdict.as_str(), o.status, o.stage.as_str()),
        };
        assert_eq!(got, expected);
    }
}

fn address(host: &str) -> SocketAddr {
    SocketAddr::new(host.parse().unwrap(), 25)
}

#[tokio::test(start_paused = true)]
async fn the_best_host_is_tried_first() {
    Scene::new().says("192.0.2.1", TAKES).check("192.0.2.1").await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_gives_way_to_its_next_address_and_the_next_host() {
    let scene = Scene::new();
    scene.fails("192.0.2.1", ConnectKind::TimedOut).says("192.0.2.2", TAKES);
    let start = Instant::now();
    scene.check("192.0.2.2").await;
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    // It is remembered: the next session does not wait for it.
    let start = Instant::now();
    scene.check("192.0.2.2").await;
    assert_eq!(start.elapsed(), Duration::ZERO);

    let scene = Scene::new();
    scene.fails("192.0.2.1", ConnectKind::Refused).fails("192.0.2.2", ConnectKind::Unreachable);
    scene.says("192.0.2.3", TAKES).check("192.0.2.3").await;
}

#[tokio::test(start_paused = true)]
async fn a_refusing_host_gives_way_and_the_verdict_is_temporary() {
    let scene = Scene::new();
    scene.says("192.0.2.1", LISTED).says("192.0.2.2", LISTED).says("192.0.2.3", TAKES).check("192.0.2.3").await;
    let scene = Scene::new();
    scene.says("192.0.2.1", LISTED).says("192.0.2.2", LISTED).says("192.0.2.3", LISTED);
    scene.check("deferred 4.7.1 greeting").await;
}

#[tokio::test(start_paused = true)]
async fn only_if_all_hosts_say_never_it_is_never() {
    let scene = Scene::new();
    scene.says("192.0.2.1", NEVER).says("192.0.2.2", NEVER).says("192.0.2.3", NEVER);
    scene.check("failed 5.0.0 greeting").await;
    scene.fails("192.0.2.3", ConnectKind::Refused).check("deferred 4.4.1 connect").await;
}

#[tokio::test(start_paused = true)]
async fn our_own_want_of_sockets_is_ours_and_blames_no_host() {
    let scene = Scene::new();
    for host in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        scene.fails(host, ConnectKind::NoSockets);
    }
    scene.check("deferred 4.3.1 connect").await;
    // None of them is remembered as one that cannot be reached.
    scene.says("192.0.2.1", TAKES).says("192.0.2.2", TAKES).check("192.0.2.1").await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_we_can_open_no_socket_to_ask_for_is_not_blamed() {
    let scene = Scene::new();
    scene.zone.replace("b.test MX 10 one.b.test\none.b.test UNASKED");
    scene.check("deferred 4.3.1 route").await;
    assert_eq!(scene.open().await.err().map(|outcome| outcome.culprit), Some(Culprit::Us));
}

#[tokio::test(start_paused = true)]
async fn when_none_can_be_reached_the_attempt_is_deferred() {
    let scene = Scene::new();
    scene.fails("192.0.2.1", ConnectKind::Refused).fails("192.0.2.2", ConnectKind::Reset);
    scene.fails("192.0.2.3", ConnectKind::TimedOut).check("deferred 4.4.1 connect").await;
    // And what was remembered as unreachable is tried again where there is nothing else.
    scene.says("192.0.2.3", TAKES).check("192.0.2.3").await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_not_here_is_our_fault() {
    let scene = Scene::new();
    scene.says("192.0.2.1", TAKES).says("192.0.2.2", TAKES).says("192.0.2.3", TAKES);
    scene.network.only_from(&[]);
    scene.check("deferred 4.3.5 connect").await;
}

#[tokio::test(start_paused = true)]
async fn the_egress_decides_the_family() {
    let mut scene = Scene::new();
    scene.egress.v6 = "2001:db8::99".parse().ok();
    scene.says("2001:db8::1", TAKES).check("2001:db8::1").await;
    scene.egress.v4 = None;
    scene.check("2001:db8::1").await;
    scene.zone.replace("b.test MX 10 one.b.test\none.b.test A 192.0.2.1");
    scene.check("failed 5.4.4 route").await;
}

#[tokio::test(start_paused = true)]
async fn our_own_address_is_a_loop() {
    let mut scene = Scene::new();
    scene.settings.own_addresses = vec!["192.0.2.3".parse().unwrap()];
    // The better host is tried, and we are not.
    scene.fails("192.0.2.1", ConnectKind::Refused).fails("192.0.2.2", ConnectKind::Refused);
    scene.check("deferred 4.4.1 connect").await;
    scene.zone.replace("b.test MX 10 one.b.test\none.b.test A 192.0.2.99");
    scene.check("failed 5.4.6 route").await;
}

#[tokio::test(start_paused = true)]
async fn loopback_is_no_public_host() {
    let mut scene = Scene::new();
    scene.zone.replace("b.test MX 10 one.b.test\none.b.test A 127.0.0.1\none.b.test A 0.0.0.0");
    scene.check("failed 5.4.4 route").await;
    scene.settings.danger_allow_loopback = true;
    scene.says("127.0.0.1", TAKES).check("127.0.0.1").await;
}

#[tokio::test(start_paused = true)]
async fn hosts_without_addresses_are_told_from_dns_that_fails() {
    let scene = Scene::new();
    scene.zone.replace("b.test MX 10 one.b.test");
    scene.check("failed 5.4.4 route").await;
    scene.zone.replace("b.test MX 10 one.b.test\none.b.test SERVFAIL");
    scene.check("deferred 4.4.3 route").await;
    scene.zone.replace("b.test MX 10 one.b.test\nb.test MX 20 two.b.test\ntwo.b.test A 192.0.2.3\none.b.test TIMEOUT");
    scene.says("192.0.2.3", TAKES).check("192.0.2.3").await;
    // A host that is an alias is tolerated.
    scene.zone.replace("b.test MX 10 one.b.test\none.b.test CNAME real.b.test\nreal.b.test A 192.0.2.3");
    scene.check("192.0.2.3").await;
}

#[tokio::test(start_paused = true)]
async fn tries_are_bounded() {
    let scene = Scene::new();
    let mut zone = String::new();
    for host in 0..10 {
        zone += &format!("b.test MX {host} mx{host}.b.test\n");
        for n in 0..7 {
            let ip = format!("198.51.100.{}", host * 10 + n);
            zone += &format!("mx{host}.b.test A {ip}\n");
            scene.fails(&ip, ConnectKind::TimedOut);
        }
    }
    scene.zone.replace(&zone);
    let start = Instant::now();
    let outcome = scene.open().await.err().unwrap();
    assert_eq!(outcome.verdict, Verdict::Deferred);
    assert!(outcome.text.ends_with("; 10 addresses were tried"), "{}", outcome.text);
    assert_eq!(start.elapsed(), Duration::from_secs(300));
}

/// Only the first ten by name used to be known, so that a domain none of whose first ten lived was never reached.
#[tokio::test(start_paused = true)]
async fn of_fifty_equal_hosts_the_one_that_lives_is_found() {
    let mut scene = Scene::new();
    let hosts: String = (10..60).map(|n| format!("b.test MX 10 m{n}.b.test\nm{n}.b.test A 198.51.100.{n}\n")).collect();
    scene.zone = ZoneFake::parse(&hosts);
    for n in 10..59 {
        scene.fails(&format!("198.51.100.{n}"), ConnectKind::Refused);
    }
    scene.says("198.51.100.59", TAKES);
    let mut attempts = 1;
    while scene.open().await.is_err() {
        attempts += 1;
        assert!(attempts <= 5, "ten are tried each time, and those that were down a moment ago come last");
    }
}
