//! Real notices, cut short, with octets flipped, doubled and wrapped: always read as something, within the bounds.

use std::fs;
use std::path::Path;

use repute_feedback::{Comeback, read};
use repute_types::{Random as _, SeededRandom};

#[track_caller]
fn check(octets: &[u8]) {
    match read(octets) {
        Comeback::Report(report) => {
            assert!(!report.recipients.is_empty() && report.recipients.len() <= 1000);
            for r in &report.recipients {
                assert!(matches!(r.status.0, 2 | 4 | 5), "{r:?}");
                assert!(!r.is_hard() || r.status.0 == 5, "{r:?}");
                assert!(r.cause.is_some() || r.action.is_good(), "{r:?}");
            }
        }
        Comeback::Reply(letter) | Comeback::AutoReply(letter) => assert!(letter.text.len() <= 2000),
        _ => {}
    }
}

#[test]
fn mangled_notices_are_read_as_something() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bounces");
    let random = SeededRandom::new(465);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let whole = fs::read(path).unwrap();
        check(&whole);
        for _ in 0..4 {
            let mut copy = whole.clone();
            copy.truncate(1 + random.below(copy.len() as u64) as usize);
            for _ in 0..random.below(6) {
                let at = random.below(copy.len() as u64) as usize;
                copy[at] = random.next() as u8;
            }
            check(&copy);
        }
    }
}

/// A good status beside a failure is noise, and no reason to write to somebody no more.
#[test]
fn a_failure_with_a_good_status_is_a_failure() {
    let content = "From: mailer-daemon@example.net\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n\
        Final-Recipient: rfc822; u@example.net\r\nAction: failed\r\nStatus: 2.0.0\r\nDiagnostic-Code: smtp; 550 User unknown\r\n";
    let Comeback::Report(report) = read(content.as_bytes()) else { panic!() };
    assert_eq!((report.recipients[0].status.0, report.recipients[0].is_hard()), (5, true));
}

/// Input that is bad for readers that look twice: each ends in a moment.
#[test]
fn time_is_linear_in_the_input() {
    let much = |piece: &str| piece.repeat((1 << 17) / piece.len());
    for piece in [
        "@",
        "a@b",
        "<a@b>:\n",
        "<",
        "<!--",
        "<style></STYLE>",
        "=?a?b?",
        "--x",
        "--x\n",
        "A: b\n",
        "\n",
        "&",
        " ",
        "550 ",
        "5.1.1 ",
        "To: <",
    ] {
        for head in [
            "From: mailer-daemon@example.net\nSubject: failure notice\n\n",
            "From: mailer-daemon@example.net\nSubject: failure notice\nContent-Type: text/html\n\n<",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b\nStatus: 5.0.0\nDiagnostic-Code: smtp; ",
            "Subject: ",
            "",
        ] {
            check(format!("{head}{}", much(piece)).as_bytes());
        }
    }
}
