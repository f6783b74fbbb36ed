//! What an SPF evaluation says about the way it went.

use repute_trust::spf::{Answer, Evaluation, Kind, Problem, Query, Record, Report, Request, Step, Verdict, evaluate};
use repute_types::{Random, SeededRandom};

use crate::zone::Zone;

const ZONE: &str = "
    example.com TXT v=spf1 include:_spf.crm.example mx ip4:203.0.113.0/28 -all exp=why.example.com
    example.com TXT some-verification=1
    example.com MX mx1.example.com
    example.com MX mx2.example.com
    mx1.example.com A 192.0.2.1
    mx2.example.com A 192.0.2.2
    why.example.com TXT %{i} is not ours, see https://example.com/spf?s=%{S}
    _spf.crm.example TXT v=spf1 a:out.crm.example include:more.crm.example ~all
    more.crm.example TXT v=spf1 exists:%{i}.gone.crm.example ip4:198.51.100.7 ?all
    out.crm.example A 198.51.100.1
    broken.example TXT v=spf1 include:lame.example -all
    lame.example FAIL
";

fn judge(zone: &str, ip: &str, sender: &str) -> Report {
    let zone = Zone::parse(zone);
    evaluate(Request::mail_from(ip.parse().unwrap(), "mail.example.com", sender), |query| zone.answer(query))
}

#[test]
fn the_whole_way_is_told_for_people() {
    let expected = "\
fail: -all in the record of example.com decides
the domain explains: 192.0.2.9 is not ours, see https://example.com/spf?s=bob%40example.com
5 of 10 look-ups, 1 of 2 found nothing
example.com: v=spf1 include:_spf.crm.example mx ip4:203.0.113.0/28 -all exp=why.example.com (78 octets)
  include:_spf.crm.example: no match (4 look-ups)
    _spf.crm.example: v=spf1 a:out.crm.example include:more.crm.example ~all (54 octets)
      a:out.crm.example: no match (1 look-up)
        A out.crm.example: 198.51.100.1
      include:more.crm.example: no match (2 look-ups)
        more.crm.example: v=spf1 exists:%{i}.gone.crm.example ip4:198.51.100.7 ?all (57 octets)
          exists:%{i}.gone.crm.example: no match (1 look-up)
            A 192.0.2.9.gone.crm.example: no such name
          ip4:198.51.100.7: no match
          ?all: matches
      ~all: matches
  mx: no match (1 look-up)
    MX example.com: mx1.example.com., mx2.example.com.
    A mx1.example.com: 192.0.2.1
    A mx2.example.com: 192.0.2.2
  ip4:203.0.113.0/28: no match
  -all: matches
";
    assert_eq!(judge(ZONE, "192.0.2.9", "bob@example.com").to_string(), expected);
}

#[test]
fn the_deciding_term_is_the_innermost_one() {
    let report = judge(ZONE, "198.51.100.7", "bob@example.com");
    assert_eq!(report.verdict, Verdict::Pass);
    assert_eq!(report.deciding(), Some(("ip4:198.51.100.7", "more.crm.example")));
    assert_eq!((report.lookups, report.voids), (4, 1));
    // Evaluation stops at the match: mx was not looked at.
    assert_eq!(report.visit.terms.len(), 1);
    assert_eq!(report.visit.terms[0].lookups, 4);
}

#[test]
fn a_failure_of_dns_is_temperror_and_names_the_question() {
    let report = judge(ZONE, "192.0.2.9", "bob@broken.example");
    assert_eq!(report.verdict, Verdict::TempError);
    let query = Query { name: "lame.example".into(), kind: Kind::Txt };
    assert_eq!(report.problem, Some(Problem::Dns { query, why: "time-out".into() }));
}

#[test]
fn each_way_to_have_no_result_says_what_to_do() {
    for (zone, verdict, sentence) in [
        ("other.example A 192.0.2.1", Verdict::None, "example.com has no SPF record"),
        ("example.com TXT v=spf1 -all\nexample.com TXT v=spf1 mx", Verdict::PermError, "merge them into one"),
        ("example.com TXT v=spf1 ipv4:1.2.3.4", Verdict::PermError, "did you mean ip4:?"),
        (
            "example.com TXT v=spf1 include:gone.example",
            Verdict::PermError,
            "include:gone.example leads to gone.example",
        ),
        ("example.com TXT v=spf1 redirect=example.com", Verdict::PermError, "the one too many is redirect=example.com"),
        ("example.com TXT v=spf1 a:x.a a:y.a a:z.a -all", Verdict::PermError, "the one too many is z.a"),
    ] {
        let report = judge(zone, "192.0.2.9", "bob@example.com");
        assert_eq!(report.verdict, verdict, "{zone}");
        let problem = report.problem.unwrap().to_string();
        assert!(problem.contains(sentence), "{zone}: {problem}");
    }
    let report = judge("", "192.0.2.9", "bob@localhost");
    assert_eq!(report.verdict, Verdict::None);
    assert_eq!(report.problem, Some(Problem::NoDomain { domain: "localhost".into() }));
}

#[test]
fn hosts_of_an_mx_are_asked_for_together() {
    let zone = Zone::parse(ZONE.replace("include:_spf.crm.example ", "").as_str());
    let mut evaluation = Evaluation::new(Request::helo("192.0.2.2".parse().unwrap(), "example.com"));
    let mut rounds = Vec::new();
    let report = loop {
        match evaluation.step() {
            Step::Done(report) => break report,
            Step::Ask(queries) => {
                rounds.push(queries.len());
                for query in queries {
                    let answer = zone.answer(&query);
                    evaluation.answer(query, answer);
                }
            }
        }
    };
    assert_eq!(report.verdict, Verdict::Pass);
    assert_eq!(rounds, [1, 1, 2]);
}

#[test]
fn ptr_respects_label_borders() {
    let zone = "
        example.com TXT v=spf1 ptr -all
        9.2.0.192.in-addr.arpa PTR mail.badexample.com
        mail.badexample.com A 192.0.2.9
        8.2.0.192.in-addr.arpa PTR mail.example.com.
        mail.example.com A 192.0.2.8
    ";
    assert_eq!(judge(zone, "192.0.2.9", "a@example.com").verdict, Verdict::Fail);
    assert_eq!(judge(zone, "192.0.2.8", "a@example.com").verdict, Verdict::Pass);
}

/// RFC 7208 §4.6.4: names beyond the tenth are passed over, and it is no error.
#[test]
fn ptr_looks_at_ten_names() {
    for (before, verdict) in [(9, Verdict::Pass), (10, Verdict::Fail)] {
        let mut zone = String::from("example.com TXT v=spf1 ptr -all\n");
        for n in 0..before {
            zone += &format!("9.2.0.192.in-addr.arpa PTR n{n}.example.com\n");
        }
        zone += "9.2.0.192.in-addr.arpa PTR mail.example.com\nmail.example.com A 192.0.2.9\n";
        assert_eq!(judge(&zone, "192.0.2.9", "a@example.com").verdict, verdict, "{before} names before it");
    }
}

#[test]
fn a_failing_reverse_zone_is_a_miss_and_no_error() {
    let zone = "example.com TXT v=spf1 ptr -all\n9.2.0.192.in-addr.arpa FAIL";
    assert_eq!(judge(zone, "192.0.2.9", "a@example.com").verdict, Verdict::Fail);
}

/// The PTR question of a `ptr` term may be a void look-up too (RFC 7208 §4.6.4).
#[test]
fn an_address_without_name_is_a_void_look_up_of_ptr() {
    let zone = "example.com TXT v=spf1 ptr a:x.example a:y.example ?all";
    let named = format!("{zone}\n9.2.0.192.in-addr.arpa PTR other.example\nother.example A 192.0.2.9");
    assert_eq!(judge(&named, "192.0.2.9", "a@example.com").verdict, Verdict::Neutral);
    let report = judge(zone, "192.0.2.9", "a@example.com");
    assert_eq!((report.verdict, report.voids), (Verdict::PermError, 3));
}

#[test]
fn a_mapped_address_is_an_ipv4_address() {
    assert_eq!(judge(ZONE, "::ffff:203.0.113.3", "bob@example.com").verdict, Verdict::Pass);
}

/// Whatever DNS holds, the questions end: here every name is an `mx` with ten hosts and leads
/// to itself.
#[test]
fn the_number_of_questions_is_bounded() {
    let mut asked = 0;
    let request = Request::mail_from("192.0.2.9".parse().unwrap(), "h.example", "a@example.com");
    let report = evaluate(request, |query| {
        asked += 1;
        match query.kind {
            Kind::Txt => {
                Answer::Texts(vec![b"v=spf1 ?mx:%{i}.%{d1r}.x.example ?mx:y.%{d} ?include:a%{d} -all".to_vec()])
            }
            Kind::Mx => Answer::Names((0..10).map(|n| format!("{n}.{}", query.name)).collect()),
            Kind::Ptr => Answer::Names((0..500).map(|n| format!("p{n}.example")).collect()),
            Kind::A | Kind::Aaaa => Answer::Addresses(vec!["198.51.100.1".parse().unwrap()]),
        }
    });
    assert_eq!(report.verdict, Verdict::PermError);
    assert!(asked <= 140, "{asked} questions");
}

/// Records of strangers: every octet may stand anywhere.
#[test]
fn no_record_makes_the_parser_stumble() {
    let good = b"v=spf1 ip4:192.0.2.0/24 a:%{d2r-}.example.com/24//64 mx//0 exists:%{ir}.x.example exp=e.example ~all";
    let random = SeededRandom::new(7208);
    for _ in 0..20_000 {
        let mut record = good.to_vec();
        for _ in 0..1 + random.below(4) {
            let place = random.below(record.len() as u64) as usize;
            match random.below(3) {
                0 => record[place] = random.below(256) as u8,
                1 => drop(record.remove(place)),
                _ => record.insert(place, b" :/%{}=-.0~r"[random.below(12) as usize]),
            }
        }
        if let Ok(parsed) = Record::parse(&record) {
            assert!(parsed.text.is_ascii());
        }
        let request = Request::mail_from("2001:db8::1".parse().unwrap(), "[x]", "@");
        evaluate(request, |_| Answer::Texts(vec![record.clone()]));
        let request = Request::mail_from("192.0.2.1".parse().unwrap(), "h.example", "b@example.com");
        evaluate(request, |_| Answer::Texts(vec![record.clone()]));
    }
}
