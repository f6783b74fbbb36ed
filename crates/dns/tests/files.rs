//! A process that may open no more files: alone in its file, because all tests of a file are one process.

#![allow(clippy::unwrap_used, reason = "what cannot be set up has failed")]

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use repute_dns::{DnsSettings, HickoryResolver, Inspect as _, Kind, Lookup, Resolver as _, Said};
use repute_types::Domain;

/// It was said that no name server could be reached, and counted against where the mail was to go.
#[tokio::test]
async fn that_no_socket_can_be_opened_to_ask_with_is_no_word_about_the_name() {
    // There, and silent.
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let settings = DnsSettings {
        servers: vec![server.local_addr().unwrap()],
        timeout: Duration::from_millis(100),
        attempts: 1,
        ..DnsSettings::default()
    };
    let resolver = HickoryResolver::new(&settings).unwrap().with_direct_port(9);
    let name = Domain::parse("example.net").unwrap();
    assert!(matches!(resolver.mx(&name).await, Lookup::NoAnswer(_)));

    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard).unwrap();
    let asked = resolver.mx(&name).await;
    let directly = resolver.ask(IpAddr::from([127, 0, 0, 1]), &name, Kind::Soa).await;
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    let Lookup::NotAsked(why) = asked else { panic!("{asked:?}") };
    assert!(why.contains("LimitNOFILE="), "{why}");
    assert!(matches!(directly, Said::Answered(Lookup::NotAsked(_))), "{directly:?}");
    assert!(matches!(resolver.mx(&name).await, Lookup::NoAnswer(_)));
}
