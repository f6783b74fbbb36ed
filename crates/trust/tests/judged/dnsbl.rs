//! Answers of black lists, the odd ones above all.

use std::net::IpAddr;

use repute_trust::dnsbl::{Health, Holds, Keys, List, Meaning, Subject, Table, Tier, Verdict};
use repute_trust::lookup::{Answer, Kind, Query};

fn list(name: &str) -> &'static List {
    Table::shipped().lists().iter().find(|l| l.name == name).unwrap()
}

fn codes(codes: &[&str]) -> Answer {
    Answer::Addresses(codes.iter().map(|c| c.parse().unwrap()).collect())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// `expected`: `listed A, B`, `clean`, `clean A`, `refused …`, `unknown …`, with a part of the reason.
#[track_caller]
fn check(name: &str, answer: &Answer, expected: &str) {
    let verdict = list(name).judge(answer);
    let names = |hits: &[repute_trust::dnsbl::Hit]| hits.iter().map(|h| h.name.clone()).collect::<Vec<_>>().join(", ");
    let found = match &verdict {
        Verdict::Listed(hits) => format!("listed {}", names(hits)),
        Verdict::Clean { noted } => format!("clean {}", names(noted)).trim_end().to_owned(),
        Verdict::Refused(why) => format!("refused {why}"),
        Verdict::Unknown(why) => format!("unknown {why}"),
    };
    let (kind, reason) = expected.split_once(' ').unwrap_or((expected, ""));
    let exact = matches!(kind, "listed" | "clean");
    assert!(
        if exact { found == expected } else { found.starts_with(kind) && found.contains(reason) },
        "{name}: {found}\nexpected {expected}"
    );
}

#[test]
fn known_codes_list() {
    check("Spamhaus ZEN", &codes(&["127.0.0.2"]), "listed SBL");
    check("Spamhaus ZEN", &codes(&["127.0.0.4", "127.0.0.11"]), "listed XBL, PBL (Spamhaus)");
    check("Spamhaus ZEN", &Answer::NoName, "clean");
    check("Spamhaus ZEN", &Answer::NoData, "clean");
    check("SURBL", &codes(&["127.0.0.72"]), "listed PH, ABUSE");
    check("URIBL", &codes(&["127.0.0.2"]), "listed black");
    check("Spamhaus DBL", &codes(&["127.0.1.104"]), "listed abused");
}

#[test]
fn odd_answers_are_never_a_listing() {
    check("Spamhaus ZEN", &codes(&["127.255.255.254"]), "refused public or unattributable resolver");
    check("Spamhaus ZEN", &codes(&["127.255.255.252"]), "refused misspelt");
    check("Spamhaus ZEN", &codes(&["127.0.0.2", "127.255.255.255"]), "refused DQS key");
    check("SpamCop", &codes(&["127.255.255.254"]), "refused public or unattributable resolver");
    check("URIBL", &codes(&["127.0.0.1"]), "refused public resolver");
    check("URIBL", &codes(&["127.0.0.3"]), "refused public resolver");
    check("SURBL", &codes(&["127.0.0.1"]), "refused public resolver");
    check("DNSWL", &codes(&["127.0.0.255"]), "refused public resolver");
    check("Spamhaus DBL", &codes(&["127.0.1.255"]), "refused holds domains");
    check("SpamCop", &codes(&["203.0.113.7"]), "unknown outside 127/8");
    check("SpamCop", &codes(&["127.0.0.2", "203.0.113.7"]), "unknown outside 127/8");
    check("SpamCop", &codes(&["127.0.0.77"]), "unknown not known of it");
    check("SURBL", &codes(&["127.0.0.2"]), "unknown not known of it");
    check("SURBL", &codes(&["127.0.1.8"]), "unknown not known of it");
    check("SpamCop", &codes(&["::1"]), "unknown which no list does");
    check("SpamCop", &Answer::Failure("SERVFAIL".into()), "unknown SERVFAIL");
    // A known code beside an unknown one is a listing all the same.
    check("SpamCop", &codes(&["127.0.0.77", "127.0.0.2"]), "listed SCBL");
}

#[test]
fn praise_is_no_reproach() {
    check("Hostkarma", &codes(&["127.0.0.1"]), "clean white");
    check("Hostkarma", &codes(&["127.0.0.3"]), "clean yellow");
    check("Hostkarma", &codes(&["127.0.0.1", "127.0.0.2"]), "listed black");
    check("Mailspike reputation", &codes(&["127.0.0.18"]), "clean good");
    check("DNSWL", &codes(&["127.0.10.3"]), "clean trusted");
}

#[test]
fn questions_are_octets_nibbles_or_domains() {
    let zen = list("Spamhaus ZEN");
    let ask = |list: &List, subject| list.query("zone.example", subject).map(|q| (q.kind, q.name));
    let a = |name: &str| Some((Kind::A, name.to_owned()));
    assert_eq!(ask(zen, Subject::Address(ip("203.0.113.10"))), a("10.113.0.203.zone.example"));
    assert_eq!(ask(zen, Subject::Address(ip("::ffff:203.0.113.10"))), a("10.113.0.203.zone.example"));
    let v6 = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zone.example";
    assert_eq!(ask(zen, Subject::Address(ip("2001:db8::10"))), a(v6));
    assert_eq!(ask(list("SpamCop"), Subject::Address(ip("2001:db8::10"))), None);
    assert_eq!(ask(zen, Subject::Domain("example.com")), None);
    let dbl = list("Spamhaus DBL");
    assert_eq!(ask(dbl, Subject::Domain("Example.COM.")), a("example.com.zone.example"));
    assert_eq!(ask(dbl, Subject::Domain("203.0.113.10")), None);
    assert_eq!(ask(dbl, Subject::Domain(&"a.".repeat(125))), None);
    assert_eq!(
        zen.lookup_page(Subject::Address(ip("203.0.113.10"))),
        "https://check.spamhaus.org/results?query=203.0.113.10"
    );
}

#[test]
fn test_points_are_those_of_rfc_5782() {
    let points = list("Spamhaus ZEN").test_points("zen.spamhaus.org");
    let names: Vec<&str> = points.iter().flat_map(|p| [p.listed.name.as_str(), p.clean.name.as_str()]).collect();
    assert_eq!(
        names,
        [
            "2.0.0.127.zen.spamhaus.org",
            "1.0.0.127.zen.spamhaus.org",
            "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.zen.spamhaus.org",
            "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.zen.spamhaus.org",
        ]
    );
    let only_v6 = list("Spam Eating Monkey IPv6").test_points("z");
    assert_eq!(only_v6.len(), 1);
    assert!(only_v6[0].listed.name.starts_with("2.0.0.0.0.0.f.7."));
    let domains = list("NordSpam DBL").test_points("z");
    let query = |name: &str| Query { name: name.into(), kind: Kind::A };
    assert_eq!((&domains[0].listed, &domains[0].clean), (&query("test.z"), &query("invalid.z")));
    assert_eq!(list("Spamhaus DBL").test_points("z")[0].listed, query("dbltest.com.z"));
}

#[test]
fn a_list_has_to_prove_itself() {
    let zen = list("Spamhaus ZEN");
    let two = codes(&["127.0.0.2", "127.0.0.4", "127.0.0.10"]);
    assert_eq!(zen.health(&two, &Answer::NoName), Health::Sound);
    assert_eq!(zen.health(&Answer::NoName, &Answer::NoName), Health::Empty);
    assert_eq!(zen.health(&two, &two), Health::Wildcard);
    // A lapsed domain whose new owner answers everything with the address of a web site.
    assert_eq!(zen.health(&codes(&["203.0.113.7"]), &codes(&["203.0.113.7"])), Health::Wildcard);
    assert!(matches!(zen.health(&codes(&["203.0.113.7"]), &Answer::NoName), Health::Unknown(_)));
    let refusal = codes(&["127.255.255.254"]);
    assert!(matches!(zen.health(&refusal, &refusal), Health::Refused(_)));
    let servfail = Answer::Failure("SERVFAIL".into());
    assert!(matches!(zen.health(&two, &servfail), Health::Unknown(_)));
    assert!(matches!(zen.health(&servfail, &Answer::NoName), Health::Unknown(_)));
    assert_eq!(list("SURBL").health(&codes(&["127.0.0.254"]), &Answer::NoName), Health::Sound);
    // The test entry may carry a code of its own.
    assert_eq!(list("SpamCop").health(&codes(&["127.0.0.99"]), &Answer::NoName), Health::Sound);
    assert_eq!(list("Hostkarma").health(&codes(&["127.0.0.2"]), &codes(&["127.0.0.3"])), Health::Wildcard);
    assert!(Health::Empty.complaint().is_some() && Health::Sound.complaint().is_none());
}

#[test]
fn a_key_changes_where_a_list_is_asked() {
    let mut keys = Keys::new();
    assert_eq!(Table::zone(list("Spamhaus ZEN"), &keys).as_deref(), Some("zen.spamhaus.org"));
    assert_eq!(Table::zone(list("Abusix combined"), &keys), None);
    keys.insert("spamhaus".into(), "k3y".into());
    assert_eq!(Table::zone(list("Spamhaus ZEN"), &keys).as_deref(), Some("k3y.zen.dq.spamhaus.net"));
    assert_eq!(Table::zone(list("SpamCop"), &keys).as_deref(), Some("bl.spamcop.net"));
}

const OWN: &str = "
[[list]]
name = 'House list'
zone = 'bl.example.org'
holds = 'addresses'
v4 = true
tier = 'notice'
lookup = 'https://bl.example.org/{q}'
[[list.code]]
code = '127.0.0.2'
name = 'house'
cause = 'We say so.'
";

#[test]
fn a_user_extends_the_table() {
    let table = Table::shipped().with(&Table::parse(OWN).unwrap()).unwrap();
    assert_eq!(table.lists().len(), Table::shipped().lists().len() + 1);
    assert_eq!(table.named("bl.example.org").unwrap().name, "House list");
    // The same name replaces.
    let other = OWN.replace("House list", "SpamCop");
    let table = Table::shipped().with(&Table::parse(&other).unwrap()).unwrap();
    assert_eq!(table.lists().len(), Table::shipped().lists().len());
    assert_eq!(table.lists().iter().find(|l| l.name == "SpamCop").unwrap().zone.as_deref(), Some("bl.example.org"));
    // A user may bury a list.
    let burial = "[[dead]]\nzone = 'bl.spamcop.net'\nsince = '2026'\nwhy = 'I say so'";
    let table = Table::shipped().with(&Table::parse(burial).unwrap()).unwrap();
    assert!(table.lists().iter().all(|l| l.name != "SpamCop"));
}

#[test]
fn a_wrong_table_is_named() {
    for (from, to, fault) in [
        ("zone = 'bl.example.org'", "", "neither zone nor keyed_zone"),
        ("v4 = true", "", "which addresses it holds"),
        ("127.0.0.2", "127.0.0", "is no code"),
        ("tier = 'notice'", "tier = 'loud'", "unknown variant"),
        ("lookup", "look_up", "unknown field"),
        ("zone = 'bl.example.org'", "keyed_zone = 'bl.example.org'", "needs {key}"),
    ] {
        let error = Table::parse(&OWN.replace(from, to)).unwrap_err();
        assert!(error.contains(fault), "{error}");
    }
    let dead = Table::parse(&OWN.replace("bl.example.org", "spam.dnsbl.sorbs.net")).unwrap();
    assert!(Table::shipped().with(&dead).unwrap_err().contains("dead since 2024-06-05"));
}

#[test]
fn dead_zones_are_known_with_what_is_below_them() {
    let table = Table::shipped();
    assert_eq!(table.dead("dul.dnsbl.sorbs.net.").unwrap().since, "2024-06-05");
    assert!(table.dead("DNSBL.njabl.org").is_some());
    assert!(table.dead("notahbl.org").is_none());
    assert!(table.dead("zen.spamhaus.org").is_none());
}

#[test]
fn a_list_is_found_by_the_name_in_a_reply() {
    let named = |name: &str| Table::shipped().named(name).map(|l| l.name.as_str());
    assert_eq!(named("zen.spamhaus.org"), Some("Spamhaus ZEN"));
    assert_eq!(named("spamhaus"), Some("Spamhaus ZEN"));
    assert_eq!(named("barracuda"), Some("Barracuda"));
    assert_eq!(named("k3y.dbl.dq.spamhaus.net"), Some("Spamhaus DBL"));
    assert_eq!(named("bl.example.net"), None);
}

#[test]
fn the_shipped_table_is_whole() {
    let table = Table::shipped();
    for list in table.lists() {
        assert!(list.lookup.starts_with("http"), "{}", list.name);
        assert!(list.codes.iter().all(|c| !c.cause.is_empty()), "{}", list.name);
        // What blocks has been seen alive, and says how a listing ends and who may ask.
        let told = list.alive_as_of.is_some() && list.expiry.is_some() && list.terms.is_some();
        assert!(list.tier != Tier::Blocking || told, "{}", list.name);
        let has_bad = list.codes.iter().map(|c| c.meaning).chain(list.bits.iter().map(|b| b.meaning));
        assert!(list.name == "DNSWL" || has_bad.into_iter().any(|m| m == Meaning::Bad), "{}", list.name);
    }
    let zones: std::collections::HashSet<_> = table.lists().iter().map(|l| (&l.zone, &l.keyed_zone)).collect();
    assert_eq!(zones.len(), table.lists().len(), "a zone stands twice");
    let blocking = |holds| table.lists().iter().filter(|l| l.holds == holds && l.tier == Tier::Blocking).count();
    assert_eq!((blocking(Holds::Addresses), blocking(Holds::Domains)), (6, 3));
    let covering = table.covering(Subject::Address(ip("203.0.113.10")));
    assert_eq!(covering[0].name, "Spamhaus ZEN");
    assert!(covering.is_sorted_by_key(|l| l.tier));
}
