//! STARTTLS over real sockets on loopback, with certificates that are good, strange, expired,
//! and for another name; and REQUIRETLS.

use std::time::Duration;

use repute_delivery::{
    Connection, DeliverySettings, Egress, HostName, Relay, Routes, Sent, TlsNeed, Transaction, Wanted,
};
use repute_dns::ZoneFake;
use repute_net::TcpNetwork;
use repute_testkit::{Dialogue, Peer};
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Content, Domain, Outcome, Recipient, SeededRandom, Stage, Verdict};

use crate::authority::{Authority, Certificate};

const CLEAR: &str = "S: 220 mx\nC: EHLO mail.a.test\nS: 250-mx\nS: 250 STARTTLS\n";
const START: &str = "C: STARTTLS\nS: 220 go\nTLS\nC: EHLO mail.a.test\nS: 250-mx\nS: 250 REQUIRETLS\n";
const MAIL: &str = "C: MAIL FROM:<a@a.test>${more}\nS: 450 4.7.0 heard\n";

#[derive(Default)]
struct Ask {
    need: Option<TlsNeed>,
    require_tls: bool,
    authentic: bool,
}

/// One message to a server with such a certificate, which plays these dialogues.
async fn send(what: Certificate, ask: Ask, dialogues: &[&str]) -> Outcome {
    let authority = Authority::new();
    let server = authority.server(what).config;
    let network = TcpNetwork::new(authority.client());
    let mut scripts = Vec::new();
    for text in dialogues {
        let mut dialogue = Dialogue::parse("tls", text);
        dialogue.certificate(server.clone()).set("more", if ask.require_tls { " REQUIRETLS" } else { "" });
        scripts.push(dialogue);
    }
    let peer = Peer::listen("127.0.0.1:0", scripts).await;
    let outcome = converse(&network, peer.address().port(), ask).await;
    peer.finish(Duration::from_secs(10)).await;
    outcome
}

async fn converse(network: &TcpNetwork, port: u16, ask: Ask) -> Outcome {
    let mut zone = "b.test MX 10 mx.b.test\nmx.b.test A 127.0.0.1\n".to_owned();
    if ask.authentic {
        zone += "b.test AUTHENTIC\n";
    }
    let zone = ZoneFake::parse(&zone);
    let settings = DeliverySettings { danger_allow_loopback: true, mx_port: port, ..DeliverySettings::default() };
    let egress = Egress::unbound(Domain::parse("mail.a.test").unwrap());
    let mut routes = Routes::default();
    if let Some(tls) = ask.need {
        let hosts = vec![HostName::Name(Domain::parse("mx.b.test").unwrap())];
        routes.add(&[], Relay { hosts, port, tls, implicit_tls: false, login: None });
    }
    let recipient = Recipient::to(Address::parse("x@b.test").unwrap());
    let from = Address::parse("a@a.test").unwrap();
    let options = EnvelopeOptions { require_tls: ask.require_tls, ..EnvelopeOptions::default() };
    let content = Content::from("Subject: hello\r\n\r\nhello\r\n");
    let transaction = Transaction {
        from: Some(&from),
        options: &options,
        recipients: &[&recipient],
        content: &content,
        chunks: true,
    };
    let domain = recipient.address.domain();
    let route = routes.resolve(domain, &egress, &settings, &zone, &SeededRandom::new(1)).await.unwrap();
    let wanted = Wanted { domain, require_tls: ask.require_tls };
    match Connection::open(&route, wanted, &egress, &settings, network, &zone).await {
        Err(outcome) => outcome,
        Ok(mut connection) => {
            assert!(connection.claim(wanted));
            match connection.send(&transaction).await {
                Sent::Done(mut outcomes) => outcomes.remove(0).unwrap(),
                other => panic!("{other:?} over a fresh session"),
            }
        }
    }
}

fn told(outcome: &Outcome) -> String {
    let tls = outcome.tls.as_ref().map_or("clear".to_owned(), |t| format!("{} verified={}", t.version, t.verified));
    format!("{} {} {} {tls}", outcome.verdict.as_str(), outcome.status, outcome.stage.as_str())
}

async fn check(what: Certificate, ask: Ask, dialogues: &[&str], expected: &str) {
    let outcome = send(what, ask, dialogues).await;
    assert_eq!(told(&outcome), expected, "{outcome:?}");
}

fn whole() -> String {
    [CLEAR, START, MAIL].concat()
}

#[tokio::test]
async fn opportunistic_tls_takes_any_certificate_and_says_whether_it_was_good() {
    for (what, verified) in [
        (Certificate::Good, true),
        (Certificate::Expired, false),
        (Certificate::OtherName, false),
        (Certificate::SelfSigned, false),
    ] {
        let expected = format!("deferred 4.7.0 mail TLSv1.3 verified={verified}");
        check(what, Ask::default(), &[&whole()], &expected).await;
    }
}

#[tokio::test]
async fn a_server_whose_tls_is_broken_and_that_takes_nothing_without_it_is_tried_again() {
    let must = "C: MAIL FROM:<a@a.test>\nS: 530 5.7.0 Must issue a STARTTLS command first\n";
    let refuses = format!("{CLEAR}C: STARTTLS\nS: 454 4.7.0 not now\n{must}");
    let outcome = send(Certificate::SelfSigned, Ask::default(), &[&refuses]).await;
    assert_eq!((outcome.verdict, outcome.stage), (Verdict::Deferred, Stage::Mail), "{outcome:?}");
    assert!(outcome.text.contains("over TLS alone"), "{outcome:?}");
    // Who never offered it means something else, such as a password.
    let password = format!("S: 220 mx\nC: EHLO mail.a.test\nS: 250 mx\n{must}");
    let outcome = send(Certificate::SelfSigned, Ask::default(), &[&password]).await;
    assert_eq!(outcome.verdict, Verdict::Failed, "{outcome:?}");
}

#[tokio::test]
async fn a_route_that_verifies_takes_a_good_certificate_alone() {
    let verify = || Ask { need: Some(TlsNeed::Verify), ..Ask::default() };
    check(Certificate::Good, verify(), &[&whole()], "deferred 4.7.0 mail TLSv1.3 verified=true").await;
}

#[tokio::test]
async fn a_route_that_verifies_never_goes_on_with_another_certificate() {
    for what in [Certificate::Expired, Certificate::OtherName, Certificate::SelfSigned] {
        let authority = Authority::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = authority.server(what).config;
        let played = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut dialogue = Dialogue::parse("tls", &whole());
            // The client leaves inside the handshake.
            let left = dialogue.certificate(server).as_server(socket).await.unwrap_err();
            assert_eq!(left.expected, "TLS", "{left}");
        });
        let ask = Ask { need: Some(TlsNeed::Verify), ..Ask::default() };
        let outcome = converse(&TcpNetwork::new(authority.client()), port, ask).await;
        assert_eq!(told(&outcome), "deferred 4.7.10 starttls clear", "{outcome:?}");
        played.await.unwrap();
    }
}

#[tokio::test]
async fn requiretls_needs_a_safe_way_to_a_verified_host_that_promises_the_same() {
    let ask = |authentic| Ask { require_tls: true, authentic, ..Ask::default() };
    check(Certificate::Good, ask(true), &[&whole()], "deferred 4.7.0 mail TLSv1.3 verified=true").await;
    check(Certificate::Good, ask(false), &[], "failed 5.7.30 route clear").await;
    let no_starttls = "S: 220 mx\nC: EHLO mail.a.test\nS: 250 mx\n";
    check(Certificate::Good, ask(true), &[no_starttls], "failed 5.7.30 starttls clear").await;
    let no_promise = [CLEAR, &START.replace("S: 250-mx\nS: 250 REQUIRETLS\n", "S: 250 mx\n")].concat();
    check(Certificate::Good, ask(true), &[&no_promise], "failed 5.7.30 ehlo clear").await;
    // A relay host was named by the operator, and needs no DNSSEC.
    let relay = Ask { need: Some(TlsNeed::Opportunistic), require_tls: true, authentic: false };
    check(Certificate::Good, relay, &[&whole()], "deferred 4.7.0 mail TLSv1.3 verified=true").await;
}
