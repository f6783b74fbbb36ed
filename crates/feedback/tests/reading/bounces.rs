//! Real notices and complaints of many families of servers (`tests/bounces/`, see its README and LICENSE), each with
//! what another program understands it to say. The rate of agreement is held; every
//! disagreement is printed. So it is with notices that are composed in the manner of many programs (`tests/composed/`).

use std::fs;

use repute_feedback::{Comeback, read_file};

use crate::agreement::{Rates, expected, folder, judge};

/// Of a hundred recipients so many have to be read as the collection has them, status and cause.
const HELD: f64 = 96.5;

/// The sets of composed notices, and of a hundred recipients how many have to be read with their status and cause.
const COMPOSED: [(&str, f64); 8] = [
    ("first.txt", 95.0),
    ("second.txt", 97.5),
    ("third.txt", 95.0),
    ("fourth.txt", 95.0),
    ("fifth.tsv", 95.0),
    ("sixth.txt", 91.0),
    ("seventh.tsv", 98.0),
    ("eighth.tsv", 98.0),
];

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
        let text = fs::read_to_string(folder().with_file_name("composed").join(set)).unwrap();
        let notices = if set.ends_with(".tsv") { text.lines().map(around).collect() } else { whole(&text) };
        let mut rates = Rates::default();
        for (expected, mail) in notices {
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

/// The notices of a file, each behind what it is expected to say.
fn whole(text: &str) -> Vec<(String, String)> {
    let notices = text.strip_prefix("=== ").unwrap().split("\n=== ").map(|notice| notice.split_once('\n').unwrap());
    notices.map(|(expected, mail)| (expected.to_owned(), mail.to_owned())).collect()
}

/// A notice around a reply, of a line that says its status and reason first.
fn around(line: &str) -> (String, String) {
    let [status, reason, reply] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let mail = format!(
        "From: MAILER-DAEMON@mail.shop.example (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n\
         <ann@there.example>: host mx.there.example[203.0.113.5] said: {reply} (in reply to RCPT TO command)\n\n--b\n\
         Content-Type: message/delivery-status\n\nReporting-MTA: dns; mail.shop.example\n\n\
         Final-Recipient: rfc822; ann@there.example\nAction: failed\nStatus: {status}\nRemote-MTA: dns; mx.there.example\n\
         Diagnostic-Code: smtp; {reply}\n\n--b--\n"
    );
    (format!("ann@there.example {status} {reason}"), mail)
}

fn is_named(address: &str, found: &[Comeback]) -> bool {
    let reports = found.iter().filter_map(|f| if let Comeback::Report(report) = f { Some(report) } else { None });
    reports.flat_map(|report| &report.recipients).any(|r| r.address() == address || r.last == address)
}
