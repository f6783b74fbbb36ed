//! `repute check` against real name servers on loopback: two that serve our zones, of which one
//! can be stale, and the black lists.

use std::net::SocketAddr;

use crate::common::{Place, Run};
use repute_playground::dns::{DnsServer, Trouble, Zones, lists};

/// Example's own zone; KEYS stands for the records that `repute domain records` prints.
const GOOD: &str = "
$ORIGIN com.
@        3600 TXT \"top\"
$ORIGIN example.com.
@        3600 NS  ns1
@        3600 NS  ns2
ns1      3600 A   127.0.0.1
ns2      3600 A   127.0.0.2
mail     3600 A   125.42.17.10
mail     3600 TXT \"v=spf1 a -all\"
@        3600 MX  10 mail
@        3600 TXT \"v=spf1 ip4:125.42.17.10 -all\"
_dmarc   3600 TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@example.com\"
_smtp._tls 3600 TXT \"v=TLSRPTv1; rua=mailto:tls@example.com\"
KEYS
$ORIGIN 17.42.125.in-addr.arpa.
10       3600 PTR mail.example.com.
$ORIGIN origin.asn.cymru.com.
10.17.42.125 3600 TXT \"64500 | 125.42.17.0/24 | IN | apnic | 2009-05-01\"
";

struct Stage {
    place: Place,
    runtime: tokio::runtime::Runtime,
    zone: String,
    first: DnsServer,
    second: DnsServer,
}

impl Stage {
    /// `None` where this machine has no 127.0.0.2, as only Linux does.
    fn new() -> Option<Stage> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (first, second) = runtime.block_on(async {
            let first = DnsServer::start("127.0.0.1:0".parse().unwrap(), Zones::new()).await.unwrap();
            let port = first.address().port();
            let second = DnsServer::start(SocketAddr::from(([127, 0, 0, 2], port)), Zones::new()).await;
            second.ok().map(|second| (first, second))
        })?;
        let config = format!(
            "hostname = \"mail.example.com\"\nstate = \"state\"\n[[egress]]\naddress = \"125.42.17.10\"\n\
             [resolver]\nservers = [\"127.0.0.1:{}\"]\ntimeout = \"1s\"\n",
            first.address().port()
        );
        let place = Place::new(&config);
        place.run(&["domain", "add", "example.com", "--write"]).good();
        let keys = place.run(&["domain", "records", "example.com"]).good().replace(" IN TXT ", " 3600 IN TXT ");
        let zone = GOOD.replace("KEYS", &keys);
        first.zones().load(&zone).unwrap();
        second.zones().load(&zone).unwrap();
        first.zones().load(&lists(&[])).unwrap();
        Some(Stage { place, runtime, zone, first, second })
    }

    fn check(&self, args: &[&str]) -> Run {
        let _running = self.runtime.enter();
        let port = self.first.address().port().to_string();
        self.place.run(&[&["check", "--dns-only", "--dns-port", &port], args].concat())
    }

    fn change(&self, from: &str, to: &str) {
        assert!(self.zone.contains(from));
        let zone = self.zone.replace(from, to);
        self.first.zones().load(&zone).unwrap();
        self.second.zones().load(&zone).unwrap();
    }
}

#[test]
fn a_right_set_up_is_green_and_what_breaks_is_told() {
    let Some(stage) = Stage::new() else { return };
    let good = stage.check(&[]);
    // The little name server signs nothing, which is all that there is to say.
    assert_eq!(good.code, 1, "{}{}", good.out, good.err);
    assert!(good.out.contains("!   DNS               our resolver does not validate DNSSEC"), "{}", good.out);
    assert_eq!(good.out.matches("  ! ").count(), 1, "{}", good.out);
    for line in [
        "mail.example.com  125.42.17.10   sending as example.com",
        "trust 100/100",
        "✓ 1 Static IP         125.42.17.10, not in an end-user range",
        "✓ 2 Forward/reverse   125.42.17.10 → mail.example.com → 125.42.17.10, and EHLO says the same",
        "✓ 3 Black lists       125.42.17.10 is clean on",
        "✓ 4 SPF               125.42.17.10 passes for example.com by ip4:125.42.17.10",
        "✓ 5 DomainKeys        e2",
        "is the key at all 2 name servers",
        "+   since then        _dmarc.example.com asks for p=reject",
        "Who takes this mail today:  Gmail ✓   Outlook ✓   Yahoo ✓   iCloud ✓   GMX ✓   T-Online ?",
    ] {
        assert!(good.out.contains(line), "{line}\n{}", good.out);
    }

    // The hoster took the reverse name away.
    stage.change("10       3600 PTR mail.example.com.", "");
    let broken = stage.check(&[]);
    assert_eq!(broken.code, 2, "{}", broken.out);
    for line in [
        "✗ 2 Forward/reverse   125.42.17.10 has no PTR record; it has to say mail.example.com",
        "10.17.42.125.in-addr.arpa. IN PTR mail.example.com.",
        "Gmail ✗ 5.7.25",
        "name.ptr.exists (125.42.17.10): pass → fail",
        "trust 75/100",
    ] {
        assert!(broken.out.contains(line), "{line}\n{}", broken.out);
    }
    let again = stage.check(&[]);
    assert!(again.out.contains("Nothing has changed since the last run"), "{}", again.out);

    // Nobody answers for it: that is no verdict.
    stage.change("", "");
    stage.first.zones().trouble("10.17.42.125.in-addr.arpa", Some(Trouble::Silence)).unwrap();
    let silent = stage.check(&["--only", "name.ptr,name.fcrdns", "--json"]);
    assert_eq!(silent.code, 3, "{}{}", silent.out, silent.err);
    let json: serde_json::Value = serde_json::from_str(&silent.out).unwrap();
    assert_eq!(json["exit_code"], 3);
    assert_eq!(json["findings"][0]["outcome"], "unknown");
    assert_eq!(json["findings"][0]["rule"], 2);
    assert!(json["findings"].as_array().unwrap().iter().all(|f| f["outcome"] != "fail" && f["outcome"] != "pass"));
}

#[test]
fn a_server_that_is_behind_or_lame_is_named() {
    let Some(stage) = Stage::new() else { return };
    let stale = stage.zone.replace("v=spf1 ip4:125.42.17.10 -all", "v=spf1 -all");
    stage.second.zones().load(&stale).unwrap();
    let run = stage.check(&["--only", "dns.authoritative"]);
    assert_eq!(run.code, 2, "{}{}", run.out, run.err);
    assert!(run.out.contains("example.com TXT differs: ns1.example.com says"), "{}", run.out);
    stage.second.zones().remove_zone("example.com").unwrap();
    stage.second.zones().remove_zone("com").unwrap();
    let run = stage.check(&["--only", "dns.authoritative"]);
    let words = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let lame = "ns2.example.com is a name server of example.com and does not serve it (Query Refused)";
    assert!(words.contains(lame), "{}", run.out);
    assert_eq!(words.matches("does not serve it").count(), 1, "the same is told once: {}", run.out);
}

#[test]
fn listed_and_refused_are_told_apart() {
    let Some(stage) = Stage::new() else { return };
    let listed = "$ORIGIN zen.spamhaus.org.\n2.0.0.127 60 A 127.0.0.2\n10.17.42.125 60 A 127.0.0.3\n\
                  10.17.42.125 60 TXT \"see the page\"\n";
    stage.first.zones().load(listed).unwrap();
    let run = stage.check(&["--only", "bl.ip"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.out.contains("125.42.17.10 is on Spamhaus ZEN: CSS (127.0.0.3)"), "{}", run.out);
    let refused = "$ORIGIN zen.spamhaus.org.\n* 60 A 127.255.255.254\n";
    stage.first.zones().load(refused).unwrap();
    let run = stage.check(&["--only", "bl.ip,dns.resolver"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.out.contains("no answer about black lists can be trusted"), "{}", run.out);
    assert!(run.out.contains("more gave no usable answer: Spamhaus ZEN"), "{}", run.out);
}

#[test]
fn checks_are_listed_and_explained_and_wrong_ids_have_a_nearest_one() {
    let place = Place::new("hostname = \"mail.example.com\"\n");
    let list = place.run(&["check", "--list"]).good();
    assert_eq!(list.lines().count(), 120);
    assert!(list.contains("not built: a draft"), "{list}");
    let explained = place.run(&["check", "--explain", "name.fcrdns"]).good();
    assert!(explained.contains("Gmail 5.7.25") && explained.contains("RFC 1912"), "{explained}");
    let wrong = place.run(&["check", "--only", "name.fcrdn"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("did you mean `name.fcrdns`?"), "{}", wrong.err);
    let unbuilt = place.run(&["check", "--only", "watch.dkim2"]);
    assert_eq!(unbuilt.code, 2);
    assert!(unbuilt.err.contains("not built, and left out: a draft"), "{}", unbuilt.err);
}

#[test]
fn a_reply_is_explained() {
    let place = Place::new("hostname = \"mail.example.com\"\n");
    let reply = "550-5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup";
    let text = place.run(&["explain", reply, "--host", "gmail-smtp-in.l.google.com"]).good();
    assert!(text.contains("whose fault") && text.contains("repute check --only name."), "{text}");
    let json: serde_json::Value = serde_json::from_str(&place.run(&["--json", "explain", reply]).good()).unwrap();
    assert_eq!(json["class"], "reverse-dns");
    assert!(json["checks"].as_array().unwrap().iter().any(|c| c == "name.ptr.exists"), "{json}");
    let nothing = place.run(&["explain", "hello"]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.err.contains("there is no reply in it"), "{}", nothing.err);
}
