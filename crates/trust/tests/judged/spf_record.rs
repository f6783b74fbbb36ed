//! The care of one's own SPF record: what it costs, what is wrong with it, what to publish.

use repute_trust::spf::{
    Level, Network, Qualifier, Record, Step, Survey, Tree, Use, Voids, Wanted, lint, propose, propose_ahead, strings,
    survey, zone_file_text,
};

use crate::zone::Zone;

const BOTH: Use = Use { v4: true, v6: true, tcp: Some(true) };

fn tree(zone: &str) -> Tree {
    let zone = Zone::parse(zone);
    survey("example.com", |query| zone.answer(query))
}

const CRM: &str = "
    example.com TXT v=spf1 ip4:203.0.113.10 include:_spf.crm.example mx -all
    example.com MX mx.example.com
    mx.example.com A 203.0.113.10
    _spf.crm.example TXT v=spf1 include:a.crm.example include:b.crm.example a:gone.crm.example ~all
    a.crm.example TXT v=spf1 ip4:198.51.100.0/24 ip4:198.51.100.128/25 ip6:2001:db8::/62 -all
    b.crm.example TXT v=spf1 exists:%{i}.ok.crm.example ip4:192.0.2.0/31 -all
    zzz.example TXT unasked
";

#[test]
fn everything_is_counted_whoever_would_match_first() {
    let tree = tree(CRM);
    assert_eq!(tree.root.lookups(), 6);
    // gone.crm.example has neither address; mx.example.com has no AAAA.
    assert_eq!(tree.root.voids(), Voids { v4: 1, v6: 2 });
    let shares: Vec<(&str, u32)> = tree.root.branches.iter().map(|b| (b.term.text.as_str(), b.lookups)).collect();
    assert_eq!(shares, [("ip4:203.0.113.10", 0), ("include:_spf.crm.example", 5), ("mx", 1), ("-all", 0)]);
}

#[test]
fn breadth_counts_each_address_once_and_tells_what_cannot_be_counted() {
    let tree = tree(CRM);
    let breadth = tree.breadth();
    assert_eq!((breadth.v4, breadth.v6_subnets, breadth.open), (1 + 256 + 2, 4, true));
    assert_eq!(tree.root.branches[1].breadth().v4, 258);
    let wide: Vec<_> = tree.grants().into_iter().filter(|g| g.network.prefix == 24).collect();
    assert_eq!((wide[0].through, wide[0].domain), ("include:_spf.crm.example", "a.crm.example"));
}

#[test]
fn questions_of_one_depth_come_at_once() {
    let zone = Zone::parse(CRM);
    let mut survey = Survey::new("Example.COM.");
    let mut rounds = Vec::new();
    while let Step::Ask(queries) = survey.step() {
        rounds.push(queries.len());
        for query in queries {
            let answer = zone.answer(&query);
            survey.answer(query, answer);
        }
    }
    assert_eq!(rounds, [1, 2, 6], "the record; include and mx; what these lead to");
    assert!(!zone.asked.borrow().iter().any(|q| q.name.contains("%")), "macros cannot be followed");
}

#[test]
fn a_loop_and_a_bush_of_records_end() {
    let looped = tree("example.com TXT v=spf1 include:b.example -all\nb.example TXT v=spf1 include:example.com -all");
    assert_eq!(looped.root.lookups(), 2);
    check(
        "example.com TXT v=spf1 include:b.example -all\nb.example TXT v=spf1 include:example.com -all",
        &["spf.syntax Fail include:example.com in the record of b.example leads back to example.com"],
    );
    let mut asked = 0;
    let bush = survey("example.com", |query| {
        asked += 1;
        let includes: Vec<String> = (0..9).map(|n| format!("include:{n}.{}", query.name)).collect();
        repute_trust::spf::Answer::Texts(vec![format!("v=spf1 {} -all", includes.join(" ")).into_bytes()])
    });
    assert!(bush.cut_short);
    assert!(asked <= 400 && bush.root.lookups() > 10, "{asked}");
}

/// `expected`: check, level, and a part of the sentence.
#[track_caller]
fn check(zone: &str, expected: &[&str]) {
    let remarks = lint(&tree(zone), BOTH);
    let found: Vec<String> = remarks.iter().map(|r| format!("{} {:?} {}", r.check, r.level, r.found)).collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected) || found.contains(expected), "{found}\nexpected {expected}");
    }
    assert!(remarks.iter().all(|r| !r.fix.is_empty()));
}

#[test]
fn a_good_record_has_no_remarks() {
    check("example.com TXT v=spf1 ip4:203.0.113.10 ip6:2001:db8::10 -all", &[]);
    check("example.com TXT v=spf1 redirect=_spf.example.com\n_spf.example.com TXT v=spf1 ip4:203.0.113.10 ~all", &[]);
}

#[test]
fn each_fault_has_its_remark() {
    check("example.com A 192.0.2.1", &["spf.exists Fail example.com has no SPF record"]);
    check("example.com FAIL", &["spf.exists Unknown the TXT records of example.com could not be found out"]);
    check("example.com TXT v=spf1 mx -all\nexample.com TXT v=spf1 a -all", &["spf.exists Fail example.com has 2"]);
    check("example.com TXT v=spf1 ip4:1.2.3 -all", &["spf.syntax Fail"]);
    check("example.com TXT v=spf1 ip4:192.0.2.1 +all", &["spf.all Fail the record of example.com lets every address"]);
    check("example.com TXT v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all", &["spf.breadth Warn"]);
    check("example.com TXT v=spf1 ip4:192.0.2.1 ?all", &["spf.all Warn the record of example.com ends in ?all"]);
    check("example.com TXT v=spf1 ip4:192.0.2.1", &["spf.all Warn the record of example.com does not end in all"]);
    check("example.com TXT v=spf1 ptr -all", &["spf.ptr Warn"]);
    check("example.com TXT v=spf1 -all ip4:192.0.2.1", &["spf.syntax Warn ip4:192.0.2.1 in the record"]);
    check("example.com TXT v=spf1 foo=bar -all", &["spf.syntax Warn foo=bar"]);
    check(
        "example.com TXT v=spf1 ip4:10.0.0.0/8 -all",
        &["spf.breadth Warn the record lets 16777216 IPv4 addresses send, some by very wide networks: ip4:10.0.0.0/8"],
    );
    check("example.com TXT v=spf1 include:gone.example -all", &["leads to a name without SPF record"]);
    check(
        "example.com TXT v=spf1 include:lame.example -all\nlame.example FAIL",
        &["spf.syntax Unknown the record of lame"],
    );
    check(
        "example.com TXT v=spf1 a:x.example a:y.example -all",
        &["spf.void Warn 2 look-ups find nothing, and 2 may: A x.example (a:x.example), AAAA x.example"],
    );
    check("example.com TXT v=spf1 a:x.example a:y.example a:z.example -all", &["spf.void Fail 3"]);
}

#[test]
fn look_ups_warn_at_nine_and_fail_at_eleven() {
    let zone = |n: u32| {
        let mut terms: String = (0..n - 4).map(|k| format!("a:h{k}.example.com ")).collect();
        let mut zone: String =
            (0..n).map(|k| format!("h{k}.example.com A 192.0.2.1\nh{k}.example.com AAAA 2001:db8::1\n")).collect();
        terms += "include:_spf.crm.example";
        zone += "_spf.crm.example TXT v=spf1 a:h0.example.com a:h1.example.com a:h2.example.com -all\n";
        format!("{zone}example.com TXT v=spf1 {terms} -all")
    };
    check(&zone(8), &[]);
    check(&zone(9), &["spf.lookups Warn 9 of 10 DNS look-ups are used, 4 of them by include:_spf.crm.example"]);
    check(&zone(10), &["spf.lookups Warn 10 of 10"]);
    check(&zone(11), &["spf.lookups Fail 11 of 10 DNS look-ups are used, 4 of them by include:_spf.crm.example: rec"]);
}

#[test]
fn more_than_ten_mx_hosts_are_an_error() {
    let hosts: String = (0..11).map(|n| format!("example.com MX m{n}.example.com\n")).collect();
    let zone = format!("{hosts}example.com TXT v=spf1 mx -all");
    assert!(lint(&tree(&zone), BOTH).iter().any(|r| r.check == "spf.mx10" && r.level == Level::Fail));
}

#[test]
fn size_matters_most_where_tcp_is_closed() {
    let terms: String = (0..40).map(|n| format!("ip4:203.0.113.{n} ")).collect();
    let zone = format!("example.com TXT v=spf1 {terms}-all");
    let level = |tcp| lint(&tree(&zone), Use { tcp, ..BOTH }).first().map(|r| (r.check, r.level));
    assert_eq!(level(Some(true)), Some(("spf.size", Level::Warn)));
    assert_eq!(level(None), Some(("spf.size", Level::Warn)));
    assert_eq!(level(Some(false)), Some(("spf.size", Level::Fail)));
}

fn wanted(terms: &[&str]) -> Wanted {
    let record = Record::parse(format!("v=spf1 {}", terms.join(" ")).as_bytes()).unwrap();
    let mut wanted = Wanted { networks: Vec::new(), includes: Vec::new(), all: Qualifier::Fail };
    for (_, _, mechanism) in record.directives() {
        match mechanism {
            repute_trust::spf::Mechanism::Network(network) => wanted.networks.push(*network),
            repute_trust::spf::Mechanism::Include(spec) => wanted.includes.push(spec.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    }
    wanted
}

/// `before` holds the records there are; the notes are not looked at.
#[track_caller]
fn merge(before: &[&str], ours: &[&str], after: &str) {
    let texts: Vec<Vec<u8>> = before.iter().map(|t| t.as_bytes().to_vec()).collect();
    let proposal = propose(&texts, &wanted(ours));
    assert_eq!(proposal.text, after);
    assert_eq!(
        proposal.changed,
        !before.contains(&after) || before.iter().filter(|t| t.starts_with("v=spf1")).count() > 1
    );
    let again = propose(&[after.as_bytes().to_vec()], &wanted(ours));
    assert_eq!((again.text.as_str(), again.changed), (after, false), "applied twice");
    Record::parse(after.as_bytes()).unwrap();
}

#[test]
fn ours_is_added_in_front_and_the_rest_stays() {
    merge(&[], &["ip4:203.0.113.10", "ip6:2001:db8::10"], "v=spf1 ip4:203.0.113.10 ip6:2001:db8::10 -all");
    merge(&["v=spf1 -all"], &["ip4:203.0.113.10"], "v=spf1 ip4:203.0.113.10 -all");
    merge(
        &["some-verification=1", "v=spf1 include:_spf.crm.example mx ~all exp=why.example.com"],
        &["ip4:203.0.113.10", "include:_spf.mail.example"],
        "v=spf1 ip4:203.0.113.10 include:_spf.mail.example include:_spf.crm.example mx ~all exp=why.example.com",
    );
    merge(
        &["v=spf1 a redirect=_spf.x.example"],
        &["ip4:203.0.113.10"],
        "v=spf1 ip4:203.0.113.10 a redirect=_spf.x.example",
    );
}

#[test]
fn what_is_permitted_already_is_not_added() {
    let there = "v=spf1 a ip4:203.0.113.0/24 include:_SPF.mail.example -all";
    merge(&[there], &["ip4:203.0.113.10", "include:_spf.mail.example"], there);
    // Something before it takes it away again: ours has to stand in front.
    merge(
        &["v=spf1 -ip4:203.0.113.10 ip4:203.0.113.0/24 ?all"],
        &["ip4:203.0.113.10"],
        "v=spf1 ip4:203.0.113.10 -ip4:203.0.113.10 ip4:203.0.113.0/24 ?all",
    );
    // A wider network is not permitted by a narrower one.
    merge(
        &["v=spf1 ip4:203.0.113.0/25 -all"],
        &["ip4:203.0.113.0/24"],
        "v=spf1 ip4:203.0.113.0/24 ip4:203.0.113.0/25 -all",
    );
}

#[test]
fn several_records_become_one() {
    merge(
        &[
            "v=spf1 mx include:_spf.crm.example -all",
            "v=spf1 include:_spf.shop.example mx ~all",
            "v=spf1 redirect=r.example",
        ],
        &["ip4:203.0.113.10"],
        "v=spf1 ip4:203.0.113.10 mx include:_spf.crm.example include:_spf.shop.example include:r.example ~all",
    );
    let texts = [b"v=spf1 mx -all".to_vec(), b"v=spf1 mx -all".to_vec()];
    let proposal = propose(&texts, &wanted(&[]));
    assert_eq!((proposal.text.as_str(), proposal.changed), ("v=spf1 mx -all", true));
}

#[test]
fn what_cannot_stay_is_noted() {
    for (before, after, note) in [
        ("v=spf1 a +all", "v=spf1 a ~all", "+all lets everyone send"),
        ("v=spf1 all", "v=spf1 ~all", "+all lets everyone send"),
        ("v=spf1 ipv4:1.2.3.4 mx -all", "v=spf1 mx -all", "did you mean ip4:?"),
    ] {
        let proposal = propose(&[before.as_bytes().to_vec()], &wanted(&[]));
        assert_eq!((proposal.text.as_str(), proposal.changed), (after, true));
        assert!(proposal.notes[0].contains(note), "{:?}", proposal.notes);
    }
}

/// Found by fuzzing: it was left there, and nobody who reads the record comes to it.
#[test]
fn what_we_need_does_not_stay_behind_an_all() {
    merge(&["v=spf1 +all ip4:203.0.113.10"], &["ip4:203.0.113.10"], "v=spf1 ip4:203.0.113.10 ~all");
}

#[test]
fn a_long_record_is_published_in_strings_of_255() {
    let record = format!("v=spf1 {}-all", "ip4:203.0.113.10 ".repeat(30));
    let parts = strings(&record);
    assert_eq!(parts.iter().map(String::len).collect::<Vec<_>>(), [255, 255, record.len() - 510]);
    assert_eq!(parts.concat(), record);
    assert_eq!(zone_file_text("v=spf1 a -all"), "\"v=spf1 a -all\"");
    assert_eq!(zone_file_text(&"x".repeat(256)), format!("\"{}\" \"x\"", "x".repeat(255)));
}

#[test]
fn networks_are_shown_as_terms() {
    for text in ["ip4:203.0.113.10", "ip4:203.0.113.0/24", "ip6:2001:db8::10", "ip6:2001:db8::/32", "ip6:::/0"] {
        assert_eq!(wanted(&[text]).networks.iter().map(Network::to_string).collect::<Vec<_>>(), [text]);
    }
}

#[test]
fn a_proposal_left_ours_behind_eleven_look_ups_and_kept_an_include_of_itself() {
    let check = |before: &str, nowhere: &[&str], after: &str| {
        let nowhere: Vec<String> = nowhere.iter().map(|term| (*term).to_owned()).collect();
        let proposal = propose_ahead(&[before.as_bytes().to_vec()], &wanted(&["ip4:203.0.113.10"]), &nowhere);
        assert_eq!((proposal.text.as_str(), proposal.notes.len()), (after, nowhere.len()));
    };
    let many: Vec<String> = (0..11).map(|n| format!("include:i{n}.example")).collect();
    let many = many.join(" ");
    check(&format!("v=spf1 {many} ip4:203.0.113.10 -all"), &[], &format!("v=spf1 ip4:203.0.113.10 {many} -all"));
    check("v=spf1 include:example.com -all", &["include:example.com"], "v=spf1 ip4:203.0.113.10 -all");
    check("v=spf1 redirect=gone.example", &["redirect=gone.example"], "v=spf1 ip4:203.0.113.10 -all");
}
