//! Submitted messages and what becomes of them. A case in `tests/whole` is a folder: `readme`,
//! `message` (LF line ends; `@xN@` stands for N times x) and `expect`, which is what goes out or,
//! after the word `refused`, the reply. `UPDATE_EXPECT=1` rewrites `expect`.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use repute_message::scan::scan;
use repute_message::whole::{Made, Received, Whole, make_whole};
use repute_message::{Fault, Header};
use repute_types::{Content, Domain, MessageId, Timestamp};

fn make(content: Content, smtputf8: bool) -> Result<Made, Fault> {
    let now = Timestamp(1_795_485_950_120);
    let hostname = Domain::parse("mail.example.com").unwrap();
    let received = Received { helo: "", client: None, protocol: "local", tls: None, private: true, recipient: None };
    make_whole(
        content,
        &Whole { now, date: now, id: MessageId::first_at(now), hostname: &hostname, received, smtputf8, hops: 9 },
    )
}

/// `@xN@` becomes N times x, `@\xHH@` an octet.
fn expand(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut pieces = text.split(|b| *b == b'@');
    out.extend_from_slice(pieces.next().unwrap());
    let mut before_was_mark = false;
    for piece in pieces {
        let text = std::str::from_utf8(piece).unwrap_or_default();
        let repeat = text.get(1..).and_then(|n| n.parse::<usize>().ok());
        let octet = text.strip_prefix("\\x").and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (before_was_mark, repeat, octet) {
            (false, Some(n), _) => out.extend(std::iter::repeat_n(piece[0], n)),
            (false, _, Some(octet)) => out.push(octet),
            (true, ..) => {
                out.extend_from_slice(piece);
                before_was_mark = false;
                continue;
            }
            _ => {
                out.push(b'@');
                out.extend_from_slice(piece);
                continue;
            }
        }
        before_was_mark = true;
    }
    out
}

fn outcome(case: &Path) -> Vec<u8> {
    let text = expand(&std::fs::read(case.join("message")).unwrap());
    let octets = String::from_utf8_lossy(&text).contains("\r");
    assert!(!octets, "cases have LF line ends");
    let mut message = Vec::new();
    for &b in &text {
        if b == b'\n' {
            message.push(b'\r');
        }
        message.push(b);
    }
    let smtputf8 = case.to_string_lossy().contains("smtputf8");
    let whole = make(Content::from(message.clone()), smtputf8);
    // The same however it is cut.
    for size in [1, 7, 100] {
        let mut cut = Content::new();
        message.chunks(size).for_each(|chunk| cut.push(chunk.to_vec()));
        let cut = make(cut, smtputf8).map(|made| made.content.to_vec());
        assert_eq!(cut, whole.as_ref().map(|made| made.content.to_vec()).map_err(Clone::clone), "{case:?} {size}");
    }
    match whole {
        Ok(made) => {
            let found = scan(&made.content);
            assert!(!found.long_line, "{case:?}");
            assert_eq!(found.eight_bit, made.needs_eight_bit || made.needs_smtputf8, "{case:?}");
            let mut out = made.content.to_vec();
            out.retain(|b| *b != b'\r');
            if made.needs_eight_bit {
                out.extend_from_slice(b"(needs 8BITMIME)\n");
            }
            out
        }
        Err(fault) => format!("refused {}\n", fault.into_reply()).into_bytes(),
    }
}

#[test]
fn the_cases_come_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/whole");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 15);
    for case in cases {
        assert!(case.join("readme").exists(), "{case:?}");
        let out = outcome(&case);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(case.join("expect"), &out).unwrap();
        }
        let expect = std::fs::read(case.join("expect")).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expect), "{case:?}");
    }
}

fn fields() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=b\r\n"),
        Just("Content-Type: multipart/signed; boundary=\"c\"\r\n"),
        Just("Content-Type: multipart/mixed\r\n"),
        Just("Content-Type: message/rfc822\r\n"),
        Just("Content-Type: text/plain; name=\"ü.txt\"\r\n"),
        Just("Content-Transfer-Encoding: 8bit\r\n"),
        Just("Content-Transfer-Encoding: quoted-printable\r\n"),
        Just("Content-Transfer-Encoding: base64\r\n"),
        Just("X-Tag : Grüße\r\n  =?utf-8?q?x?=\r\n"),
    ];
    proptest::collection::vec(field, 0..4).prop_map(|fields| fields.concat())
}

/// Fields, boundaries and bodies in any order, so that the walk meets what no sane sender makes.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("--b\r\n".to_owned()),
        Just("--b--\r\n".to_owned()),
        Just("--c\r\n".to_owned()),
        Just("--c--\r\n".to_owned()),
        Just("\r\n".to_owned()),
        fields(),
        Just(format!("{}\r\n", "y".repeat(1200))),
        "[ -~é]{0,40}\r\n",
    ];
    proptest::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_goes_out_is_safe_and_stays_as_it_is(header in fields(), body in pieces(), size in 1usize..2000) {
        let text = format!("From: a@b.example\r\n{header}\r\n{body}");
        let mut content = Content::new();
        text.as_bytes().chunks(size).for_each(|chunk| content.push(chunk.to_vec()));
        if let Ok(made) = make(content, false) {
            let found = scan(&made.content);
            prop_assert!(!found.long_line);
            prop_assert!(!found.eight_bit || made.needs_eight_bit, "{}", String::from_utf8_lossy(&made.content.to_vec()));
            prop_assert!(Header::read(&made.content).is_ok());
            let again = make(made.content.clone(), false).unwrap();
            prop_assert!(again.changed.is_empty(), "{:?}", again.changed);
        }
    }
}
