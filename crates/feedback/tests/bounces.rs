//! Real notices and complaints of many families of servers (`tests/bounces/`, see its README and LICENSE), each with
//! what another program understands it to say. The rate of agreement is held; every
//! disagreement is printed. So it is with notices that are composed in the manner of many programs (`tests/composed/`).

mod agreement;

use std::fs;

use repute_feedback::{Comeback, read_file};

use self::agreement::{Rates, expected, folder, judge};

/// Of a hundred recipients so many have to be read as the collection has them, status and cause.
const HELD: f64 = 96.5;

/// The sets of composed notices, and of a hundred recipients how many have to be read with their status and cause.
const COMPOSED: [(&str, f64); 5] =
    [("first", 95.0), ("second", 97.5), ("third", 95.0), ("fourth", 94.0), ("fifth", 96.0)];

#[test]
fn what_real_servers_write_is_understood() {
    let table = fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let mut rates = Rates::default();
    for (file, rows) in &expected(&table) {
        let content = fs::read(folder().join(file)).unwrap();
        judge(file, rows, &read_file(&content), &mut rates);
    }
    let both = rates.percent(rates.both);
    let (status, cause) = (rates.percent(rates.status), rates.percent(rates.cause));
    println!("of {} recipients: status {status:.1} %, cause {cause:.1} %, both {both:.1} %", rates.all);
    assert!(both >= HELD, "{both:.1} % are read as they were; {HELD} % were");
}

/// What is said of addresses in the notices of each family.
#[test]
fn every_notice_names_a_recipient() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "eml") {
            continue;
        }
        let found = read_file(&fs::read(&path).unwrap());
        let reports = found.iter().filter_map(|f| if let Comeback::Report(report) = f { Some(report) } else { None });
        for recipient in reports.flat_map(|report| &report.recipients) {
            println!("{} {}", path.file_name().unwrap().to_string_lossy(), recipient.address());
            assert!(!recipient.last.is_empty(), "{}", path.display());
        }
    }
}

#[test]
fn composed_notices_are_understood() {
    for (set, held) in COMPOSED {
        let text = fs::read_to_string(folder().with_file_name("composed").join(set).with_extension("txt")).unwrap();
        let mut rates = Rates::default();
        for notice in text.strip_prefix("=== ").unwrap().split("\n=== ") {
            let (expected, mail) = notice.split_once('\n').unwrap();
            let found = read_file(mail.replace('\n', "\r\n").as_bytes());
            let expected: Vec<Vec<&str>> = expected.split(", ").map(|one| one.split(' ').collect()).collect();
            for one in &expected {
                assert!(is_named(one[0], &found), "{set}: {} is not named in\n{mail}", one[0]);
            }
            let rows: Vec<Vec<&str>> = expected.iter().map(|one| vec![set, one[0], one[1], "", one[2]]).collect();
            judge(set, &rows, &found, &mut rates);
        }
        let both = rates.percent(rates.both);
        println!("{set}: of {} recipients {both:.1} %", rates.all);
        assert!(both >= held, "{set}: {both:.1} % are understood; {held} % were");
    }
}

fn is_named(address: &str, found: &[Comeback]) -> bool {
    let reports = found.iter().filter_map(|f| if let Comeback::Report(report) = f { Some(report) } else { None });
    reports.flat_map(|report| &report.recipients).any(|r| r.address() == address || r.last == address)
}
