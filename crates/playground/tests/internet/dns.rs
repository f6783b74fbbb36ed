//! The name server asked by others: hickory's resolver, and `dig` where the machine has it.

use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use repute_playground::{DnsServer, Trouble, Zones};

const ZONES: &str = include_str!("../zones/small.zones");

async fn server() -> DnsServer {
    let zones = Zones::new();
    zones.load(ZONES).unwrap();
    DnsServer::start("127.0.0.1:0".parse().unwrap(), zones).await.unwrap()
}

fn resolver(server: &DnsServer) -> TokioResolver {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = server.address().port();
        connection
    };
    let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
    let config = ResolverConfig::from_parts(
        None,
        Vec::new(),
        vec![NameServerConfig::new(server.address().ip(), true, connections)],
    );
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().use_hosts_file = ResolveHosts::Never;
    builder.options_mut().timeout = Duration::from_millis(500);
    builder.options_mut().attempts = 1;
    builder.options_mut().cache_size = 0;
    builder.build().unwrap()
}

/// The data of the answer in order, or the kind of the negative answer.
async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> String {
    match resolver.lookup(name, kind).await {
        Ok(found) => {
            let mut data: Vec<String> = found.answers().iter().map(|r| r.data.to_string()).collect();
            data.sort();
            data.join(" ; ")
        }
        Err(e) if e.is_nx_domain() => "NXDOMAIN".into(),
        Err(e) if e.is_no_records_found() => "no data".into(),
        Err(e) => format!("{e}"),
    }
}

#[tokio::test]
async fn a_resolver_finds_each_kind_of_record_and_tells_the_negatives_apart() {
    let server = server().await;
    let resolver = resolver(&server);
    for (name, kind, expected) in [
        ("shop.test.", RecordType::MX, "10 mx1.shop.test. ; 20 mx2.shop.test."),
        ("mx1.shop.test.", RecordType::A, "127.0.1.1"),
        ("mx1.shop.test.", RecordType::AAAA, "::1"),
        ("mx2.shop.test.", RecordType::AAAA, "no data"),
        ("nobody.shop.test.", RecordType::A, "NXDOMAIN"),
        ("nobody.test.", RecordType::MX, "NXDOMAIN"),
        ("null.test.", RecordType::MX, "0 ."),
    ] {
        assert_eq!(ask(&resolver, name, kind).await, expected, "{name} {kind}");
    }
}

#[tokio::test]
async fn reverse_names_of_loopback_are_asked_for_without_a_resolver() {
    let server = server().await;
    let name = "1.1.0.127.in-addr.arpa.".parse().unwrap();
    let (code, data) = repute_playground::dns::ask(server.address(), name, RecordType::PTR).await.unwrap();
    assert_eq!(code, ResponseCode::NoError);
    assert_eq!(data[0].to_string(), "mx1.shop.test.");
}

#[tokio::test]
async fn what_is_too_long_for_udp_comes_over_tcp() {
    let server = server().await;
    let long = "x".repeat(3000);
    server.zones().set_txt("long.shop.test.", &long).unwrap();
    let found = resolver(&server).lookup("long.shop.test.", RecordType::TXT).await.unwrap();
    assert_eq!(found.answers()[0].data.to_string().replace(' ', ""), long);
}

#[tokio::test]
async fn zones_change_and_fail_while_they_are_served() {
    let server = server().await;
    let resolver = resolver(&server);
    let zones = server.zones();
    let code_of = async |name: &str| resolver.lookup(name, RecordType::A).await.unwrap_err().to_string();
    zones.trouble("mx1.shop.test.", Some(Trouble::Fail)).unwrap();
    assert!(code_of("mx1.shop.test.").await.contains(&ResponseCode::ServFail.to_string()));
    zones.trouble("mx1.shop.test.", Some(Trouble::Refuse)).unwrap();
    assert!(code_of("mx1.shop.test.").await.contains(&ResponseCode::Refused.to_string()));
    zones.trouble("mx1.shop.test.", Some(Trouble::Silence)).unwrap();
    assert!(code_of("mx1.shop.test.").await.contains("timed out"));
    zones.trouble("mx1.shop.test.", Some(Trouble::Delay(Duration::from_millis(50)))).unwrap();
    assert_eq!(ask(&resolver, "mx1.shop.test.", RecordType::A).await, "127.0.1.1");
    zones.trouble("mx1.shop.test.", None).unwrap();
    zones.load("$ORIGIN shop.test.\nmx1 A 127.0.9.9\n").unwrap();
    assert_eq!(ask(&resolver, "mx1.shop.test.", RecordType::A).await, "127.0.9.9");
    assert_eq!(ask(&resolver, "mx2.shop.test.", RecordType::A).await, "NXDOMAIN");
}

#[tokio::test]
async fn dig_agrees() {
    let server = server().await;
    let dig = async |arguments: &str| {
        let port = server.address().port().to_string();
        let mut command = tokio::process::Command::new("dig");
        command.args(["@127.0.0.1", "-p", &port, "+tries=1", "+time=2"]).args(arguments.split(' '));
        Some(String::from_utf8(command.output().await.ok()?.stdout).unwrap())
    };
    let Some(out) = dig("shop.test MX").await else {
        eprintln!("dig is not on this machine: the resolver above has asked the same");
        return;
    };
    assert!(out.contains("status: NOERROR") && out.contains("qr aa rd"), "{out}");
    assert!(out.contains("10 mx1.shop.test."), "{out}");
    let out = dig("nobody.shop.test A").await.unwrap();
    assert!(out.contains("status: NXDOMAIN") && out.contains("SOA"), "{out}");
    let out = dig("+tcp shop.test TXT").await.unwrap();
    assert!(out.contains("\"v=spf1 ip4:127.0.0.1 -all\""), "{out}");
}
