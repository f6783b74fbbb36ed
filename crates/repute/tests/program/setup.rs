//! `repute setup` and `repute records` without DNS: what is written, printed and refused.

use crate::common::{Place, Run};

/// Port 9: nobody answers, at once.
const NOBODY: [&str; 4] = ["--resolver", "127.0.0.1:9", "--wait", "0s"];
const NEW: [&str; 7] =
    ["--yes", "--hostname", "mail.example.test", "--domain", "example.test", "--address", "203.0.113.10"];

fn empty() -> Place {
    let place = Place::new("");
    std::fs::remove_file(place.path("repute.toml")).unwrap();
    place
}

fn setup(place: &Place, more: &[&str]) -> Run {
    place.run(&[&["setup"], &NOBODY[..], more].concat())
}

#[test]
fn a_configuration_is_written_once_and_only_added_to() {
    let place = empty();
    let first = setup(&place, &NEW);
    // Nobody could be asked, which is neither right nor missing.
    assert_eq!(first.code, 1, "{}", first.err);
    assert!(first.out.contains("records could be looked at: no resolver answers"), "{}", first.out);
    assert!(first.out.contains("203.0.113.10 is not an address of this machine"), "{}", first.out);
    let written = place.read("repute.toml");
    assert!(written.contains("hostname = \"mail.example.test\"\nstate = \"state\"\n"), "{written}");
    assert!(written.contains("[[egress]]\naddress = \"203.0.113.10\"\n"), "{written}");
    assert!(
        written.contains("[[domain]]\nname = \"example.test\"\nreturn_path = \"bounces.example.test\"\n"),
        "{written}"
    );
    place.run(&["config", "check"]).good();

    let second = setup(&place, &["--yes"]);
    assert!(second.out.contains("is right as it is"), "{}", second.out);
    assert!(second.out.contains("every domain has its keys"), "{}", second.out);
    assert_eq!(place.read("repute.toml"), written);

    let more = ["--yes", "--domain", "example.org", "--address", "2001:db8::10", "--no-return-path"];
    setup(&place, &more);
    let added = place.read("repute.toml");
    assert_eq!(
        added.strip_prefix(&written).unwrap(),
        "\n[[egress]]\naddress = \"2001:db8::10\"\n\n[[domain]]\nname = \"example.org\"\n"
    );
    place.run(&["config", "check"]).good();
}

#[test]
fn what_is_not_known_or_contradicts_is_said_and_nothing_is_written() {
    let place = empty();
    let inner: Vec<&str> = NEW.iter().map(|word| if *word == "203.0.113.10" { "10.0.0.5" } else { word }).collect();
    let inner = setup(&place, &inner);
    assert!(inner.code == 2 && inner.err.contains("no receiver ever sees 10.0.0.5: it is private"), "{}", inner.err);
    let no_server = setup(&place, &[&NEW[..], &["--publish", "rfc2136"]].concat());
    assert_eq!(no_server.code, 2);
    assert!(no_server.err.contains("--server") && no_server.err.contains("--key-file"), "{}", no_server.err);
    assert!(!place.path("repute.toml").exists());
    let refused = |more: &[&str], says: &str| {
        let got = setup(&place, &[&NEW[..], more].concat());
        assert_eq!(got.code, 2, "{more:?}: {}", got.err);
        assert!(got.err.contains(says), "{more:?}: {}", got.err);
        assert!(!place.path("repute.toml").exists(), "{more:?}");
    };
    refused(&["--publish", "hetzner"], "which token Hetzner knows: --token-file FILE, or REPUTE_DNS_TOKEN");
    refused(&["--publish", "desec", "--key-file", "k"], "a DNS host knows a token, not a key: --token-file");
    refused(&["--publish", "rfc2136", "--token-file", "t"], "a DNS server knows a key, not a token: --key-file");
    std::fs::write(place.path("t"), "s3cret\n").unwrap();
    // A key that is not there was told after the configuration and the keys were written, without the flag's name.
    let of = |file: &'static str| ["--publish", "rfc2136", "--server", "192.0.2.1", "--key-file", file];
    refused(&of("nosuch"), "--key-file nosuch: No such file");
    refused(&["--publish", "desec", "--token-file", "nosuch"], "--token-file nosuch: No such file");
    let file = place.path("t").display().to_string();
    let no_key = ["--publish", "rfc2136", "--server", "192.0.2.1", "--key-file", &file];
    refused(&no_key, &format!("--key-file {file}: "));
    let clear = ["--publish", "desec", "--server", "http://dns.example/api", "--token-file", &file];
    refused(&clear, "a token is sent over https alone");

    let place = empty();
    setup(&place, &NEW);
    let before = place.read("repute.toml");
    let other = setup(&place, &["--yes", "--hostname", "mx.example.test"]);
    assert_eq!(other.code, 2);
    assert!(other.err.contains("the server is called mail.example.test"), "{}", other.err);
    assert_eq!(place.read("repute.toml"), before);
}

#[test]
fn records_are_printed_in_every_form_and_always_the_same() {
    let place = empty();
    setup(&place, &NEW);
    let table = place.run(&["records"]).good();
    assert_eq!(place.run(&["records", "example.test"]).good(), table);
    assert!(table.contains("10.113.0.203.in-addr.arpa."), "{table}");

    let zone = place.run(&["records", "--format", "zone"]).good();
    assert!(zone.contains("mail.example.test. 3600 IN A 203.0.113.10\n"), "{zone}");
    assert!(zone.contains("; 10.113.0.203.in-addr.arpa. 3600 IN PTR mail.example.test.\n"), "{zone}");
    assert!(
        zone.contains("_dmarc.example.test. 3600 IN TXT \"v=DMARC1; p=none; rua=mailto:dmarc@bounces.example.test\"\n")
    );
    assert!(!zone.contains("_mta-sts"), "{zone}");
    let strings = zone.lines().filter_map(|line| line.split_once(" TXT ")).flat_map(|(_, data)| data.split("\" \""));
    assert!(strings.into_iter().all(|string| string.trim_matches('"').len() <= 255));

    let json: serde_json::Value = serde_json::from_str(&place.run(&["records", "--json"]).good()).unwrap();
    let dkim = json.as_array().unwrap().iter().filter(|r| r["purpose"] == "dkim");
    assert_eq!(dkim.count(), 2);
    let commands = place.run(&["records", "--format", "nsupdate"]).good();
    assert!(commands.ends_with("send\n") || commands.contains("send\n; "), "{commands}");

    let sts = place.run(&["records", "--mta-sts"]).good();
    assert!(sts.contains("_mta-sts.bounces.example.test."), "{sts}");
    assert!(sts.contains("\nmx: mail.example.test\n"), "{sts}");

    let unknown = place.run(&["records", "other.test"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("repute domain add other.test"), "{}", unknown.err);
}
