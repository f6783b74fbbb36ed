//! What is fuzzed, as plain functions of octets: each throws what comes at one parser or machine
//! and checks what must hold whatever it is. A panic is a find. The fuzzer's binaries call
//! these; so does `crates/repute/tests/fuzz_corpus.rs`, with the seeds, in every test run.

#![allow(clippy::unwrap_used, reason = "a find is a panic")]

pub mod back;
pub mod dns;
pub mod http;
pub mod inside;
pub mod mail;
pub mod outside;
pub mod people;
pub mod smtp;

use repute_types::{Content, Domain};

/// Takes octets; a panic is a find.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const ALL: &[(&str, Target)] = &[
    ("address", mail::address),
    ("client_session", smtp::client_session),
    ("comeback", back::comeback),
    ("config", inside::config),
    ("control", inside::control),
    ("dane", outside::dane),
    ("dkim", mail::dkim),
    ("dns_answer", outside::dns_answer),
    ("dns_record", dns::dns_record),
    ("dsn", mail::notice),
    ("event", inside::event),
    ("host_record", outside::host_record),
    ("http", http::http),
    ("judge", mail::judged),
    ("key_file", dns::key_file),
    ("letter", mail::letter),
    ("list", http::list),
    ("list_answer", outside::list_answer),
    ("message", mail::message),
    ("proxy", smtp::proxy),
    ("receiver_reply", smtp::receiver_reply),
    ("receiver_session", people::receiver_session),
    ("reply", smtp::replies),
    ("report", back::report),
    ("sendmail", people::sendmail),
    ("server_session", smtp::server_session),
    ("spf", dns::spf_record),
    ("spool_journal", inside::spool_journal),
    ("spool_record", inside::spool_record),
    ("sts", outside::sts),
    ("suppressions", people::suppressions),
    ("web_answer", outside::web_answer),
    ("words", inside::words),
];

/// Takes octets off the front as small numbers, for choices.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

fn domain() -> Domain {
    Domain::parse("example.com").unwrap()
}

fn content_in_cuts(octets: &[u8], cut: u8) -> Content {
    let mut content = Content::new();
    octets.chunks(usize::from(cut).max(1)).for_each(|piece| content.push(piece.to_vec()));
    content
}

fn has_bare(octets: &[u8]) -> bool {
    let is_bare = |(at, octet): (usize, &u8)| match octet {
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    octets.iter().enumerate().any(is_bare)
}

/// Octets as text, cut into so many pieces at the first line ends.
fn pieces<const N: usize>(octets: &[u8]) -> [String; N] {
    let text = String::from_utf8_lossy(octets);
    let mut lines = text.splitn(N, '\n');
    std::array::from_fn(|_| lines.next().unwrap_or_default().to_owned())
}
