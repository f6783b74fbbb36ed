//! Notices of families of servers that the collection in `bounces/` has none of, written as these servers write
//! them (`families/`), and notices and replies that servers and providers tell of on their own pages (`documented/`, each
//! with its source): whom each is about, with which status, and why.

use std::fs;
use std::path::Path;

use repute_feedback::{Comeback, read};

#[test]
fn notices_of_other_families_are_understood() {
    assert!(judge("families", false) > 70);
}

#[test]
fn notices_that_servers_and_providers_document_are_understood() {
    assert!(judge("documented", true) > 70);
}

/// Compares what the files of a folder expect with what is read; how many there are.
fn judge(folder: &str, has_source: bool) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    files.sort();
    let all = files.len();
    let mut wrong = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let (expected, mut notice) = text.split_once('\n').unwrap();
        let expected = expected.strip_prefix("Expect: ").unwrap();
        if has_source {
            let (source, mail) = notice.split_once('\n').unwrap();
            assert!(source.strip_prefix("Source: ").is_some_and(|named| !named.is_empty()), "{}", path.display());
            notice = mail;
        }
        let found = match read(notice.replace('\n', "\r\n").as_bytes()) {
            Comeback::Report(report) => {
                let of_one = |r: &repute_feedback::Reported| {
                    let class = r.cause.map_or("none", |cause| cause.class.as_str());
                    format!("{} {} {class}", r.address(), r.status)
                };
                report.recipients.iter().map(of_one).collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}").chars().take(80).collect(),
        };
        if found != expected {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            wrong.push(format!("{name}: expected {expected}\n    read as {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {all} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    all
}

/// A report by the book about one recipient, of whom nothing but this was said.
fn refusal(said: &str) -> String {
    format!(
        "From: MAILER-DAEMON@there.example\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; there.example\r\n\r\n\
         Final-Recipient: rfc822; ann@there.example\r\nAction: failed\r\nDiagnostic-Code: smtp; {said}\r\n\r\n--b--\r\n"
    )
}

#[test]
fn words_of_many_servers_are_understood_and_a_guess_suppresses_nobody() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/families");
    let table = ["phrases.tsv", "variations.tsv"].map(|name| fs::read_to_string(folder.join(name)).unwrap()).concat();
    let rows: Vec<_> = table.lines().filter_map(|line| line.split_once('\t')).collect();
    assert!(rows.len() > 1300, "{}", rows.len());
    for (classes, said) in rows {
        let Comeback::Report(report) = read(refusal(said).as_bytes()) else { panic!("{said}") };
        let cause = report.recipients[0].cause.unwrap();
        let class = cause.class.as_str();
        assert!(
            classes.split(',').any(|expected| expected == class),
            "{said}: {class}, not {classes} ({})",
            cause.rule
        );
        assert!(!(cause.suppresses && cause.rule.starts_with("guess")), "{said}");
    }
}

/// Of a thousand sentences so many are understood.
const COMBINED: usize = 985;

#[test]
fn sentences_put_together_of_common_words_are_understood_and_suppress_nobody_wrongly() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/families");
    let table = fs::read_to_string(folder.join("combined.tsv")).unwrap();
    let (mut all, mut wrong) = (0, Vec::new());
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let [classes, begins, ends] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        for (begin, end) in begins.split('|').flat_map(|begin| ends.split('|').map(move |end| (begin, end))) {
            let said = format!("550 {begin} {end}");
            let Comeback::Report(report) = read(refusal(&said).as_bytes()) else { panic!("{said}") };
            let cause = report.recipients[0].cause.unwrap();
            all += 1;
            if !classes.split(',').any(|expected| expected == cause.class.as_str()) {
                assert!(!cause.suppresses, "{said}: {} ({})", cause.class, cause.rule);
                wrong.push(format!("{said}: {}, not {classes} ({})", cause.class, cause.rule));
            }
        }
    }
    assert!(all > 3000, "{all}");
    assert!(wrong.len() * 1000 <= all * (1000 - COMBINED), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
}
