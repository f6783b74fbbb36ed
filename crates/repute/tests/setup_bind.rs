//! `repute setup` against BIND: from an empty folder and a zone that takes DNS UPDATE to every record
//! right, and nothing changed by a second run.
//!
//! Needs `named` and `tsig-keygen` (package bind9); run with
//! `cargo test -p repute --test setup_bind -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::net::Ipv4Addr;
use std::process::Command;

use common::{Place, Run};
use repute_publish::{Directory, Server};
use repute_testkit::Bind;
use repute_trust::records::{Data, Found, Kind};
use repute_types::Domain;

const FORWARD: &str = "$TTL 300
@       SOA  ns1 root 1 3600 600 86400 60
        NS   ns1
        MX   10 mx
        TXT  \"google-site-verification=abc\"
        TXT  \"v=spf1 include:_spf.crm.test a:www.example.test ~all\"
ns1     A    127.0.0.1
mx      A    192.0.2.1
www     A    192.0.2.2
*       A    198.51.100.1
mail    A    34.54.65.23
_dmarc  TXT  \"v=DMARC1; p=quarantine; pct=20; rua=mailto:me@example.test\"
";

const REVERSE: &str = "$TTL 300
@       SOA  ns1.example.test. root.example.test. 1 3600 600 86400 60
        NS   ns1.example.test.
10      PTR  static-10.isp.test.
";

/// Serves both zones, and lets the key `setup` change them.
fn start(place: &Place) -> Bind {
    let key = Command::new("tsig-keygen").args(["-a", "hmac-sha512", "setup"]).output().expect("tsig-keygen");
    let key = String::from_utf8(key.stdout).unwrap();
    std::fs::write(place.path("setup.key"), &key).unwrap();
    std::fs::write(place.path("wrong.key"), key.replace("secret \"", "secret \"AAAA")).unwrap();
    std::fs::write(place.path("forward"), FORWARD).unwrap();
    std::fs::write(place.path("reverse"), REVERSE).unwrap();
    let zone = |name: &str, file: &str| {
        format!("zone \"{name}\" {{ type primary; file \"{file}\"; update-policy {{ grant setup zonesub ANY; }}; }};\n")
    };
    let zones = [key, zone("example.test", "forward"), zone("113.0.203.in-addr.arpa", "reverse")].concat();
    Bind::start(&place.path(""), Ipv4Addr::LOCALHOST.into(), "", &zones)
}

/// What the server has, sorted.
fn records(bind: &Bind, name: &str, kind: Kind) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server { name: Domain::parse("ns1.example.test").unwrap(), address: bind.address };
    let directory = Directory::new(vec![bind.address]);
    let name = Domain::parse(name).unwrap();
    let answer = runtime.block_on(directory.look_at(&server, &name, kind));
    let Found::Records { records, .. } = answer.found else { panic!("{answer:?}") };
    records.iter().map(Data::to_string).collect()
}

fn setup(place: &Place, bind: &Bind, key: &str, more: &[&str]) -> Run {
    let (address, key) = (bind.address.to_string(), place.path(key).display().to_string());
    let publish = ["--publish", "rfc2136", "--server", &address, "--key-file", &key];
    let zones = ["--zone", "example.test", "--zone", "113.0.203.in-addr.arpa"];
    let common = ["--yes", "--wait", "20s", "--resolver", &address];
    place.run(&[&["setup"], &publish[..], &zones, &common, more].concat())
}

fn empty() -> Place {
    let place = Place::new("");
    std::fs::remove_file(place.path("repute.toml")).unwrap();
    place
}

const NEW: [&str; 6] = ["--hostname", "mail.example.test", "--domain", "example.test", "--address", "203.0.113.10"];

#[test]
#[ignore = "needs BIND 9"]
fn from_nothing_to_every_record_right_and_a_second_run_changes_nothing() {
    let place = empty();
    let bind = start(&place);
    let first = setup(&place, &bind, "setup.key", &[&NEW[..], &["--json"]].concat()).good();
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["ready"], true, "{first:#}");
    assert_eq!(first["keys_made"].as_array().unwrap().len(), 2);
    assert_eq!(first["changed"], first["records"].as_array().unwrap().len(), "{first:#}");

    // The address of before is gone, though a wildcard answers for names that have none.
    assert_eq!(records(&bind, "mail.example.test", Kind::A), ["203.0.113.10"]);
    assert_eq!(records(&bind, "10.113.0.203.in-addr.arpa", Kind::Ptr), ["mail.example.test."]);
    assert_eq!(records(&bind, "bounces.example.test", Kind::Mx), ["10 mail.example.test."]);
    // What others put there has stayed.
    assert_eq!(
        records(&bind, "example.test", Kind::Txt),
        [
            "\"google-site-verification=abc\"",
            "\"v=spf1 ip4:203.0.113.10 include:_spf.crm.test a:www.example.test ~all\"",
        ]
    );
    assert_eq!(records(&bind, "example.test", Kind::Mx), ["10 mx.example.test."]);
    assert_eq!(
        records(&bind, "_dmarc.example.test", Kind::Txt),
        ["\"v=DMARC1; p=quarantine; rua=mailto:me@example.test; t=y\""]
    );

    let config = place.read("repute.toml");
    place.run(&["config", "check"]).good();
    let second = setup(&place, &bind, "setup.key", &["--json"]).good();
    let second: serde_json::Value = serde_json::from_str(&second).unwrap();
    assert_eq!((&second["changed"], &second["ready"]), (&0.into(), &true.into()), "{second:#}");
    assert_eq!((second["written"].as_array().unwrap().len(), second["keys_made"].as_array().unwrap().len()), (0, 0));
    assert_eq!(place.read("repute.toml"), config);

    let address = bind.address.to_string();
    let diff = ["records", "--diff", "--server", &address];
    let told = place.run(&diff).good();
    assert!(told.lines().all(|line| line.starts_with('✓')), "{told}");
    let nothing = place.run(&[&diff[..], &["--format", "nsupdate"]].concat()).good();
    assert_eq!(nothing, "");
}

/// New keys sign only when every server has their records; the old ones' stay, and are emptied in their time.
#[test]
#[ignore = "needs BIND 9"]
fn keys_are_exchanged_without_a_message_that_does_not_verify() {
    let place = empty();
    let bind = start(&place);
    setup(&place, &bind, "setup.key", &[&NEW[..], &["--json"]].concat()).good();
    let (address, key) = (bind.address.to_string(), place.path("setup.key").display().to_string());
    let rotate = |more: &[&str]| {
        let common = ["domain", "rotate", "example.test", "--json", "--resolver", &address, "--server", &address];
        let run = place.run(&[&common[..], more].concat());
        let told: serde_json::Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
        (run.code, told)
    };
    let publish = ["--publish", "rfc2136", "--key-file", &key, "--zone", "example.test", "--yes", "--wait", "20s"];
    let words = |told: &serde_json::Value, what: &str| -> Vec<String> {
        told[what].as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_owned()).collect()
    };

    // Not published: nothing is exchanged, and the next run goes on with the same keys.
    let (code, waiting) = rotate(&[]);
    assert_eq!((code, &waiting["exchanged"]), (1, &false.into()), "{waiting:#}");
    let (old, new) = (words(&waiting, "signing"), words(&waiting, "coming"));
    assert_eq!((old.len(), new.len()), (2, 2));
    place.run(&["config", "check"]).good();

    let (code, done) = rotate(&publish);
    assert_eq!((code, &done["exchanged"], &done["made"]), (0, &true.into(), &serde_json::json!([])), "{done:#}");
    assert_eq!((words(&done, "signing"), done["leaving"].as_array().unwrap().len()), (new.clone(), 2));
    let key_of = |selector: &str| records(&bind, &format!("{selector}._domainkey.example.test"), Kind::Txt);
    for selector in old.iter().chain(&new) {
        assert!(!key_of(selector)[0].ends_with("p=\""), "{selector}: {:?}", key_of(selector));
    }
    let diff = place.run(&["records", "--diff", "--server", &address]).good();
    assert!(diff.contains(&format!("{}._domainkey", old[0])) && diff.contains(&format!("{}._domainkey", new[0])));

    let (code, early) = rotate(&publish);
    assert_eq!((code, early["leaving"].as_array().unwrap().len()), (0, 2), "their time has not come: {early:#}");
    let (code, end) = rotate(&[&publish[..], &["--keep", "0s"]].concat());
    assert_eq!((code, words(&end, "revoked")), (0, old.clone()), "{end:#}");
    assert!(key_of(&old[0])[0].ends_with("p=\""), "{:?}", key_of(&old[0]));
    assert_eq!(words(&end, "signing"), new);
    place.run(&["config", "check"]).good();
}

#[test]
#[ignore = "needs BIND 9"]
fn records_can_be_published_by_nsupdate_too() {
    let place = empty();
    let bind = start(&place);
    let address = bind.address.to_string();
    // Printed and not published: something is left to do.
    let printed = place.run(&[&["setup", "--yes", "--resolver", &address, "--server", &address], &NEW[..]].concat());
    assert_eq!(printed.code, 1, "{}", printed.err);
    assert!(printed.out.contains("Not yet: "), "{}", printed.out);
    assert!(printed.out.contains("10.113.0.203.in-addr.arpa. PTR mail.example.test."), "{}", printed.out);

    let diff = ["records", "--diff", "--server", &address];
    let commands = place.run(&[&diff[..], &["--format", "nsupdate"]].concat());
    assert_eq!(commands.code, 1);
    let input = format!("server 127.0.0.1 {}\n{}", bind.address.port(), commands.out);
    std::fs::write(place.path("input"), input).unwrap();
    let key = place.path("setup.key");
    let done = Command::new("nsupdate").arg("-k").arg(key).arg(place.path("input")).output().expect("nsupdate");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let left = place.run(&[&diff[..], &["--json"]].concat());
    let left: serde_json::Value = serde_json::from_str(&left.out).unwrap();
    let open: Vec<_> = left.as_array().unwrap().iter().filter(|r| r["state"] != "right").collect();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!(open[0]["purpose"], "reverse");
    assert_eq!(open[0]["who"], "hoster");
}

#[test]
#[ignore = "needs BIND 9"]
fn a_refused_change_says_why_and_changes_nothing() {
    let place = empty();
    let bind = start(&place);
    let wrong = setup(&place, &bind, "wrong.key", &NEW);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("has another secret for the key setup"), "{}", wrong.err);
    let unknown = setup(&place, &bind, "setup.key", &["--key-name", "other"]);
    assert!(unknown.err.contains("does not know the key other"), "{}", unknown.err);
    assert_eq!(records(&bind, "mail.example.test", Kind::A), ["34.54.65.23"]);
}
