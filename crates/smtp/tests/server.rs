//! Properties of the server's side: the same result however the input is cut, content that
//! reads back, and no panic whatever the octets.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]

use proptest::collection::vec;
use proptest::prelude::*;
use repute_smtp::client::Stuffed;
use repute_smtp::server::Kind;
use repute_smtp::server::dry::{Outcome, converse, converse_locally};
use repute_smtp::server::gather::Gather;
use repute_smtp::server::lines::{Fault, LineReader};
use repute_types::Content;

/// Content, how many octets were used, whether the end was met, and the fault. Content counts
/// only where there is no fault.
fn read(mut reader: LineReader, input: &[u8], cuts: &[usize]) -> (Vec<u8>, usize, bool, Option<Fault>) {
    let (mut content, mut at, mut ended) = (Vec::new(), 0, false);
    let mut cuts = cuts.iter().cycle();
    while at < input.len() && !ended {
        let to = input.len().min(at + (*cuts.next().unwrap_or(&input.len())).max(1));
        let (used, end) = reader.read(&input[at..to], |piece| content.extend_from_slice(piece));
        at += used;
        ended = end;
    }
    let fault = reader.fault();
    if fault.is_some() {
        content.clear();
    }
    (content, at, ended, fault)
}

/// The rule of RFC 5321 written down plainly, to compare with: cut at CR LF, look at each line.
fn read_plainly(input: &[u8]) -> (Vec<u8>, usize, bool, bool) {
    let (mut content, mut at, mut fault) = (Vec::new(), 0, false);
    while let Some(end) = input[at..].windows(2).position(|w| w == b"\r\n") {
        let line = &input[at..at + end];
        at += end + 2;
        if line == b"." {
            return (content, at, true, fault);
        }
        fault |= line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        content.extend_from_slice(b"\r\n");
    }
    (content, input.len(), false, fault)
}

/// Octets among which those that matter are frequent.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![3 => Just(b'\r'), 3 => Just(b'\n'), 2 => Just(b'.'), 1 => Just(b'x'), 1 => any::<u8>()];
    vec(octet, 0..60)
}

/// Whole lines without bare line ends and NUL.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let plain = any::<u8>().prop_map(|b| if b"\r\n\0".contains(&b) { b'y' } else { b });
    let line = vec(prop_oneof![1 => Just(b'.'), 3 => plain], 0..20);
    vec(line, 0..10).prop_map(|lines| lines.into_iter().flat_map(|l| [l, b"\r\n".to_vec()].concat()).collect())
}

/// Words of a conversation, in an order that may make no sense.
fn talk() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"EHLO x\r\n",
        b"HELO x\r\n",
        b"MAIL FROM:<a@b.c>\r\n",
        b"MAIL FROM:<> SIZE=10 BODY=8BITMIME SMTPUTF8\r\n",
        b"RCPT TO:<a@b.c>\r\n",
        b"DATA\r\n",
        b"Subject: x\r\n",
        b".\r\n",
        b"\r\n",
        b"BDAT 5\r\n",
        b"BDAT 12 LAST\r\n",
        b"BDAT 0 LAST\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"STARTTLS\r\n",
        b"AUTH PLAIN AHNob3AAc2VjcmV0\r\n",
        b"AUTH LOGIN\r\n",
        b"AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9YWJj\r\n",
        b"c2hvcA==\r\n",
        b"*\r\n",
        b"\n",
        b"\r",
        b"QUIT\r\n",
    ];
    let word = prop_oneof![
        12 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..30),
        1 => (990usize..2010).prop_map(|n| vec![b'y'; n]),
        1 => (12_280usize..12_300).prop_map(|n| vec![b'A'; n]),
    ];
    let start = Just(b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n".to_vec());
    (prop_oneof![start, Just(Vec::new())], vec(word, 0..40)).prop_map(|(start, words)| [start, words.concat()].concat())
}

/// A conversation's outcome in a form that can be compared: replies, messages, closed or not.
type Comparable = (String, Vec<(String, Vec<u8>)>, bool);

fn comparable(outcome: &Outcome) -> Comparable {
    let messages = outcome.messages.iter().map(|(e, c)| (format!("{e:?}"), c.to_vec())).collect();
    (String::from_utf8_lossy(&outcome.replies).into_owned(), messages, outcome.closed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn data_is_read_the_same_however_it_is_cut(input in octets(), cuts in vec(1usize..9, 1..9)) {
        let whole = read(LineReader::data(), &input, &[]);
        prop_assert_eq!(&read(LineReader::data(), &input, &cuts), &whole);
        prop_assert_eq!(&read(LineReader::data(), &input, &[1]), &whole);
        prop_assert_eq!(read(LineReader::chunk(), &input, &cuts), read(LineReader::chunk(), &input, &[]));
    }

    #[test]
    fn bare_data_is_read_the_same_however_it_is_cut_and_ends_its_lines_in_both(
        input in octets(), cuts in vec(1usize..9, 1..9)
    ) {
        let whole = read(LineReader::bare_data(), &input, &[]);
        prop_assert_eq!(&read(LineReader::bare_data(), &input, &cuts), &whole);
        prop_assert_eq!(&read(LineReader::bare_data(), &input, &[1]), &whole);
        let (content, _, _, fault) = whole;
        if fault.is_none() {
            prop_assert!(content.windows(2).all(|two| two[1] != b'\n' || two[0] == b'\r') && content.first() != Some(&b'\n'));
        }
    }

    #[test]
    fn data_is_read_as_the_rfc_says(mut input in octets()) {
        input.extend_from_slice(b"\r\n.\r\n");
        let (content, used, ended, fault) = read(LineReader::data(), &input, &[]);
        let (plain, plain_used, plain_ended, plain_fault) = read_plainly(&input);
        prop_assert_eq!((used, ended, fault.is_some()), (plain_used, plain_ended, plain_fault));
        if fault.is_none() {
            prop_assert_eq!(content, plain);
        }
    }

    #[test]
    fn what_our_client_stuffs_reads_back(content in lines(), cuts in vec(1usize..9, 1..9)) {
        let wire = Stuffed::new(&Content::from(content.clone())).collect::<Vec<_>>().concat();
        let (back, used, ended, fault) = read(LineReader::data(), &wire, &cuts);
        prop_assert_eq!((back, used, ended, fault), (content, wire.len(), true, None));
    }

    #[test]
    fn gathered_content_is_what_was_pushed(pieces in vec(vec(any::<u8>(), 0..5_000), 0..20), size in any::<u64>()) {
        let mut room = |_| true;
        let mut gather = Gather::start(size, &mut room).unwrap();
        for piece in &pieces {
            gather.push(piece, &mut room).unwrap();
        }
        prop_assert_eq!(gather.finish().to_vec(), pieces.concat());
    }

    #[test]
    fn random_octets_do_no_harm(input in vec(any::<u8>(), 0..300), cuts in vec(1usize..50, 1..5)) {
        converse(Kind::Submission, &input, &cuts);
    }

    #[test]
    fn a_conversation_is_the_same_however_it_is_cut(input in talk(), cuts in vec(1usize..2_000, 1..9)) {
        for kind in [Kind::Submission, Kind::Return] {
            let whole = comparable(&converse(kind, &input, &[]));
            prop_assert_eq!(&comparable(&converse(kind, &input, &cuts)), &whole);
            prop_assert_eq!(&comparable(&converse(kind, &input, &[3])), &whole);
        }
        let bare: Vec<u8> = input.iter().copied().filter(|octet| *octet != b'\r').collect();
        let whole = comparable(&converse_locally(&bare, &[]));
        prop_assert_eq!(&comparable(&converse_locally(&bare, &cuts)), &whole);
    }

    #[test]
    fn every_reply_is_well_formed(input in talk()) {
        let replies = converse(Kind::Submission, &input, &[]).replies;
        for line in replies.split_inclusive(|b| *b == b'\n') {
            let text = std::str::from_utf8(line).unwrap();
            prop_assert!(text.len() <= 512 && text.ends_with("\r\n"), "{}", text);
            // RFC 2034 §4: all but the greeting, EHLO's reply, and those that ask for more.
            let bare = matches!(&text[..3], "220" | "334" | "354") || text.starts_with("250-") || text.len() < 10;
            let enhanced = text.get(3..6) == Some(&format!(" {}.", &text[..1]));
            prop_assert!(bare || enhanced || text.starts_with("250 mail.example") || text.contains("ENHANCED"), "{}", text);
        }
    }
}

/// RFC 5321 §4.5.3.1.5: also where a reply quotes what the client said.
#[test]
fn a_reply_that_quotes_a_client_is_one_short_line() {
    let long = format!("EHLO x\r\nMAIL FROM:<a@b.example> {}\r\nQUIT\r\n", "x".repeat(900));
    let replies = String::from_utf8(converse(Kind::Submission, long.as_bytes(), &[]).replies).unwrap();
    let quoting: Vec<_> = replies.lines().filter(|line| line.starts_with("555")).collect();
    assert_eq!(quoting, ["555 5.5.4 parameter xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx is not known here"]);
}

/// A program that writes SMTP into `sendmail -bs` writes text: its lines end in LF, and were refused.
#[test]
fn a_program_of_this_machine_may_end_its_lines_in_lf_alone() {
    let text = "EHLO x\nMAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nDATA\nSubject: x\n\n..dot\nCR too\r\n.\nQUIT\n";
    let outcome = converse_locally(text.as_bytes(), &[]);
    let contents: Vec<_> = outcome.messages.iter().map(|(_, content)| content.to_vec()).collect();
    assert_eq!(contents, [b"Subject: x\r\n\r\n.dot\r\nCR too\r\n"]);
    assert!(outcome.closed && outcome.replies.ends_with(b"221 2.0.0 bye\r\n"), "{outcome:?}");
    // From the network it is no line end.
    let refused = converse(Kind::Submission, text.as_bytes(), &[]);
    assert!(refused.messages.is_empty() && refused.replies.starts_with(b"220 mail.example ESMTP Repute\r\n500 5.5.2 "));
}

/// One that ends them in CR LF passes on what others wrote, and what ends a message for it is CR LF . CR LF alone.
#[test]
fn a_program_that_begins_with_cr_lf_cannot_be_made_to_say_a_second_message() {
    let text = "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: x\r\n\r\nhi\n.\nMAIL FROM:<e@b.example>\n\
                RCPT TO:<f@d.example>\nDATA\nSubject: y\n\n.\r\n.\r\nQUIT\r\n";
    let outcome = converse_locally(text.as_bytes(), &[]);
    assert!(
        outcome.messages.is_empty() && String::from_utf8_lossy(&outcome.replies).contains("\r\n550 5.6.0 "),
        "{outcome:?}"
    );
}
