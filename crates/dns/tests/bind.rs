//! Validation against BIND with a zone that it signs: the proof is real, and so are the
//! proofs of absence.
//!
//! Needs `named`, `dnssec-keygen` and `dnssec-signzone` (package bind9); run with
//! `cargo test -p repute-dns --test bind -- --ignored`.

#![allow(clippy::unwrap_used, reason = "what cannot be set up has failed")]

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use repute_dns::{DnsSettings, HickoryResolver, Lookup, Resolver};
use repute_testkit::Bind;
use repute_types::Domain;

const ZONE: &str = "$TTL 300
@       SOA  ns root 1 3600 600 86400 60
        NS   ns
        MX   10 mx
ns      A    127.0.0.1
mx      A    192.0.2.1
alias   CNAME mx
";

struct Signed {
    bind: Bind,
    folder: tempfile::TempDir,
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).current_dir(folder).output().expect(program);
    assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

impl Signed {
    /// Serves `good.test`, signed; `bad.test`, whose record was changed after signing;
    /// `plain.test`, which has no signature; and under `good.test` three zones: `unsigned`, which the
    /// parent proves to be so (there is no DS), `safe`, signed with its DS in the parent, and
    /// `stripped`, whose DS is there and whose signatures are not.
    fn start() -> Signed {
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
            config += &format!("zone \"{zone}\" {{ type primary; file \"{file}\"; }};\n");
        }
        let bind = Bind::start(at, Ipv4Addr::LOCALHOST.into(), "", &config);
        Signed { bind, folder }
    }

    fn resolver(&self, anchor: &str) -> HickoryResolver {
        HickoryResolver::new(&DnsSettings {
            servers: vec![self.bind.address],
            dnssec: true,
            trust_anchor: Some(self.folder.path().join(format!("{anchor}.anchor"))),
            ..DnsSettings::default()
        })
        .unwrap()
    }
}

fn d(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn a_signed_zone_is_authentic_in_what_it_has_and_in_what_it_has_not() {
    let signed = Signed::start();
    let dns = signed.resolver("good.test");
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
    let signed = Signed::start();
    let dns = signed.resolver("bad.test");
    let got = dns.a(&d("mx.bad.test")).await;
    assert!(matches!(got, Lookup::Failure(_)), "{got:?}");
    let got = dns.a(&d("ns.bad.test")).await;
    assert!(matches!(&got, Lookup::Found(a) if a.authentic), "{got:?}");
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn a_plain_zone_is_an_answer_without_proof() {
    let signed = Signed::start();
    let unvalidated =
        HickoryResolver::new(&DnsSettings { servers: vec![signed.bind.address], ..DnsSettings::default() });
    let Lookup::Found(a) = unvalidated.unwrap().a(&d("mx.plain.test")).await else { panic!("no address") };
    assert!(!a.authentic);
}

#[tokio::test]
#[ignore = "needs BIND 9"]
async fn an_unsigned_zone_under_a_signed_one_is_an_answer_without_proof() {
    let signed = Signed::start();
    let dns = signed.resolver("good.test");
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
    let signed = Signed::start();
    let dns = signed.resolver("good.test");
    let got = dns.a(&d("mx.safe.good.test")).await;
    assert!(matches!(&got, Lookup::Found(a) if a.authentic), "{got:?}");
    assert_eq!(dns.a(&d("none.safe.good.test")).await, Lookup::NoName { authentic: true });
    for answer in [dns.a(&d("mx.stripped.good.test")).await, dns.a(&d("none.stripped.good.test")).await] {
        assert!(matches!(&answer, Lookup::Failure(_)), "{answer:?}");
    }
}
