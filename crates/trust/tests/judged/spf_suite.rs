//! The public test suite of RFC 7208, all 203 cases of it (`spf/rfc7208-tests.yml`, unchanged,
//! under its own licence beside it). A case that allows several results is met by any of them.

use std::collections::HashMap;
use std::net::IpAddr;

use repute_trust::spf::{Answer, Kind, Query, Report, Request, evaluate};
use yaml_rust2::{Yaml, YamlLoader};

const SUITE: &str = include_str!("../spf/rfc7208-tests.yml");
const CASES: usize = 203;

#[test]
fn every_case_of_the_suite() {
    let mut ran = 0;
    let mut wrong = Vec::new();
    for scenario in YamlLoader::load_from_str(SUITE).unwrap() {
        let zone = Zone::read(&scenario["zonedata"]);
        for (name, case) in scenario["tests"].as_hash().unwrap() {
            ran += 1;
            let report = run(case, &zone);
            for fault in judge(case, &report) {
                let place = (scenario["description"].as_str().unwrap(), name.as_str().unwrap());
                wrong.push(format!("{} / {}: {fault}\n{report}", place.0, place.1));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases failed\n\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(ran, CASES, "the suite has {CASES} cases, {ran} ran");
    println!("{ran} cases of the RFC 7208 suite passed");
}

fn run(case: &Yaml, zone: &Zone) -> Report {
    let ip: IpAddr = case["host"].as_str().unwrap().parse().unwrap();
    let request = Request::mail_from(ip, case["helo"].as_str().unwrap(), case["mailfrom"].as_str().unwrap());
    evaluate(request, |query| zone.answer(query))
}

fn judge(case: &Yaml, report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    let verdict = report.verdict.as_str();
    let allowed: Vec<&str> = match &case["result"] {
        Yaml::Array(several) => several.iter().map(|r| r.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    };
    if !allowed.contains(&verdict) {
        faults.push(format!("gave {verdict}, expected {allowed:?}"));
    }
    // DEFAULT is what the suite calls a receiver's own text, given where `exp` gives none.
    if let Some(expected) = case["explanation"].as_str() {
        let text = report.explanation.as_deref().unwrap_or("DEFAULT");
        if text != expected {
            faults.push(format!("explained {text:?}, expected {expected:?}"));
        }
    }
    faults
}

/// The `zonedata` of a scenario, as its authors mean it: SPF entries stand for TXT records
/// unless the name has TXT entries (of which `NONE` is an empty one); `TIMEOUT` is the answer
/// to every type that the name has no record of.
struct Zone(HashMap<String, Vec<(String, Yaml)>>);

impl Zone {
    fn read(data: &Yaml) -> Zone {
        let mut names = HashMap::new();
        for (name, entries) in data.as_hash().unwrap() {
            let mut records = Vec::new();
            for entry in entries.as_vec().unwrap() {
                match entry {
                    Yaml::String(word) => records.push((word.clone(), Yaml::Null)),
                    other => {
                        let (kind, value) = other.as_hash().unwrap().front().unwrap();
                        records.push((kind.as_str().unwrap().to_owned(), value.clone()));
                    }
                }
            }
            if !records.iter().any(|(kind, _)| kind == "TXT") {
                let texts: Vec<_> =
                    records.iter().filter(|r| r.0 == "SPF").map(|r| ("TXT".into(), r.1.clone())).collect();
                records.extend(texts);
            }
            records.retain(|(kind, value)| !(kind == "TXT" && value.as_str() == Some("NONE")));
            names.insert(name.as_str().unwrap().to_lowercase(), records);
        }
        Zone(names)
    }

    fn answer(&self, query: &Query) -> Answer {
        let mut name = query.name.clone();
        for _hop in 0..8 {
            let Some(records) = self.0.get(&name) else { return Answer::NoName };
            let of = |kind: &str| records.iter().filter(|r| r.0 == kind).map(|r| r.1.clone()).collect::<Vec<Yaml>>();
            let found = of(&query.kind.to_string());
            if !found.is_empty() {
                return answer(query.kind, &found);
            }
            if records.iter().any(|(kind, _)| kind == "TIMEOUT") {
                return Answer::Failure("time-out".into());
            }
            match of("CNAME").first() {
                Some(target) => name = target.as_str().unwrap().trim_end_matches('.').to_lowercase(),
                None => return Answer::NoData,
            }
        }
        Answer::Failure("the CNAME chain does not end".into())
    }
}

fn answer(kind: Kind, values: &[Yaml]) -> Answer {
    let text = |value: &Yaml| value.as_str().unwrap().to_owned();
    match kind {
        Kind::A | Kind::Aaaa => Answer::Addresses(values.iter().map(|v| text(v).parse().unwrap()).collect()),
        Kind::Ptr => Answer::Names(values.iter().map(text).collect()),
        Kind::Mx => Answer::Names(values.iter().map(|v| text(&v[1])).collect()),
        Kind::Txt => Answer::Texts(values.iter().map(octets).collect()),
    }
}

/// The suite writes octets as characters of the same number, and several strings as a list.
fn octets(value: &Yaml) -> Vec<u8> {
    let strings: Vec<&str> = match value {
        Yaml::Array(strings) => strings.iter().map(|s| s.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    };
    strings.concat().chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}
