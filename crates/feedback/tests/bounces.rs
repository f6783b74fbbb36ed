//! Real notices and complaints of many families of servers (`tests/bounces/`, see its README and LICENSE), each with
//! what another program understands it to say. The rate of agreement is held; every
//! disagreement is printed.

mod agreement;

use std::fs;

use repute_feedback::{Comeback, read_file};

use self::agreement::{Rates, expected, folder, judge};

/// Of a hundred recipients so many have to be read as the collection has them, status and cause.
const HELD: f64 = 96.5;

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
