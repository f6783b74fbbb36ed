//! Validation against BIND with a zone that it signs: the proof is real, and so are the
//! proofs of absence.
//!
//! Needs `named`, `dnssec-keygen` and `dnssec-signzone` (package bind9); run with
//! `cargo test -p repute-dns --test bind -- --ignored`.

#![allow(clippy::unwrap_used, reason = "what cannot be set up has failed")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use repute_dns::{DnsSettings, HickoryResolver, Lookup, Resolver};
use repute_types::Domain;

const ZONE: &str = "$TTL 300
@       SOA  ns root 1 3600 600 86400 60
        NS   ns
        MX   10 mx
ns      A    127.0.0.1
mx      A    192.0.2.1
alias   CNAME mx
";

struct Bind {
    child: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Drop for Bind {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).current_dir(folder).output().expect(program);
    assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

impl Bind {
    /// Serves `good.test`, signed; `bad.test`, whose record was changed after signing;
    /// `plain.test`, which has no signature; and under `good.test` three zones: `unsigned`, which the
    /// parent proves to be so (there is no DS), `safe`, signed with its DS in the parent, and
    /// `stripped`, whose DS is there and whose signatures are not.
    fn start() -> Bind {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let mut config = String::new();
        // Children first: the signed ones leave their DS for the parent.
        let zones =
            ["safe.good.test", "stripped.good.test", "unsigned.good.test", "good.test", "bad.test", "plain.test"];
        for zone in zones {
            let mut text = ZONE.to_owned();
            if zone == "good.test" {
                for child in ["safe", "stripped", "unsigned"] {
                    text += &format!("{child} NS ns\n");
                }
                for child in ["safe", "stripped"] {
                    text += &std::fs::read_to_string(at.join(format!("dsset-{child}.good.test."))).unwrap();
                }
            }
            std::fs::write(at.join(zone), text).unwrap();
            let mut file = zone.to_owned();
            if !["plain.test", "unsigned.good.test"].contains(&zone) {
                let sign = ["-a", "ECDSAP256SHA256", "-f", "KSK", zone];
                let key = run(at, "dnssec-keygen", &sign);
                run(at, "dnssec-signzone", &["-S", "-z", "-o", zone, zone]);
                std::fs::copy(at.join(format!("{key}.key")), at.join(format!("{zone}.anchor"))).unwrap();
                if zone != "stripped.good.test" {
                    file += ".signed";
                }
            }
            if zone == "bad.test" {
                let signed = std::fs::read_to_string(at.join(&file)).unwrap();
                std::fs::write(at.join(&file), signed.replace("192.0.2.1", "192.0.2.66")).unwrap();
            }
            config += &format!("zone \"{zone}\" {{ type primary; file \"{}\"; }};\n", at.join(&file).display());
        }
        let port = free_port();
        let path = at.display();
        let head = format!(
            "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
             pid-file none; recursion no; dnssec-validation no; }};\ncontrols {{ }};\n"
        );
        std::fs::write(at.join("named.conf"), head + &config).unwrap();
        let arguments = ["-g", "-c", "named.conf", "-n", "1"];
        let child =
            Command::new("named").args(arguments).current_dir(at).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let bind = Bind { child: child.expect("named"), folder, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        bind.wait();
        bind
    }

    fn wait(&self) {
        for _ in 0..100 {
            if std::net::TcpStream::connect(self.address).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("named does not listen");
    }

    fn resolver(&self, anchor: &str) -> HickoryResolver {
        HickoryResolver::new(&DnsSettings {
            servers: vec![self.address],
            dnssec: true,
            trust_anchor: Some(self.folder.path().join(format!("{anchor}.anchor"))),
            ..DnsSettings::default()
        })
        .unwrap()
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn d(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn a_signed_zone_is_authentic_in_what_it_has_and_in_what_it_has_not() {
    let bind = Bind::start();
    let dns = bind.resolver("good.test");
    let got = dns.mx(&d("good.test")).await;
    let Lookup::Found(mx) = got else { panic!("no MX: {got:?}") };
    assert!(mx.authentic);
    let Lookup::Found(a) = dns.a(&d("alias.good.test")).await else { panic!("no address") };
    assert!(a.authentic);
    assert_eq!(dns.aaaa(&d("mx.good.test")).await, Lookup::NoData { authentic: true });
    assert_eq!(dns.a(&d("none.good.test")).await, Lookup::NoName { authentic: true });
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn a_changed_record_is_a_failure_and_never_an_answer() {
    let bind = Bind::start();
    let dns = bind.resolver("bad.test");
    let got = dns.a(&d("mx.bad.test")).await;
    assert!(matches!(got, Lookup::Failure(_)), "{got:?}");
    let got = dns.a(&d("ns.bad.test")).await;
    assert!(matches!(&got, Lookup::Found(a) if a.authentic), "{got:?}");
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn a_plain_zone_is_an_answer_without_proof() {
    let bind = Bind::start();
    let unvalidated = HickoryResolver::new(&DnsSettings { servers: vec![bind.address], ..DnsSettings::default() });
    let Lookup::Found(a) = unvalidated.unwrap().a(&d("mx.plain.test")).await else { panic!("no address") };
    assert!(!a.authentic);
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn an_unsigned_zone_under_a_signed_one_is_an_answer_without_proof() {
    let bind = Bind::start();
    let dns = bind.resolver("good.test");
    let got = dns.mx(&d("unsigned.good.test")).await;
    assert!(matches!(&got, Lookup::Found(mx) if !mx.authentic && mx.items.len() == 1), "{got:?}");
    let got = dns.a(&d("alias.unsigned.good.test")).await;
    assert!(matches!(&got, Lookup::Found(a) if !a.authentic), "{got:?}");
    assert_eq!(dns.aaaa(&d("mx.unsigned.good.test")).await, Lookup::NoData { authentic: false });
    assert_eq!(dns.a(&d("none.unsigned.good.test")).await, Lookup::NoName { authentic: false });
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn a_chain_of_keys_is_followed_and_a_broken_one_is_a_failure() {
    let bind = Bind::start();
    let dns = bind.resolver("good.test");
    let got = dns.a(&d("mx.safe.good.test")).await;
    assert!(matches!(&got, Lookup::Found(a) if a.authentic), "{got:?}");
    assert_eq!(dns.a(&d("none.safe.good.test")).await, Lookup::NoName { authentic: true });
    for answer in [dns.a(&d("mx.stripped.good.test")).await, dns.a(&d("none.stripped.good.test")).await] {
        assert!(matches!(&answer, Lookup::Failure(_)), "{answer:?}");
    }
}
