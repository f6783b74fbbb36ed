//! Notices composed in the manner of many programs (`composed/`, see its README): whom each is about, with which status, and
//! why. What is not understood is printed, and the rate of each set is held.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod agreement;

use std::fs;

use repute_feedback::{Comeback, read_file};

use self::agreement::{Rates, folder, judge};

/// The sets, and of a hundred recipients how many have to be read with their status and cause.
const HELD: [(&str, f64); 5] = [("first", 95.0), ("second", 97.5), ("third", 95.0), ("fourth", 94.0), ("fifth", 95.5)];

#[test]
fn composed_notices_are_understood() {
    for (set, held) in HELD {
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
