//! The fuzz targets (`fuzz/`), fed with the seeds in every test run: the dialogues, messages and
//! records that the tests of the house are made of, each also cut short and with octets
//! flipped. The fuzzer itself goes on where this ends; see fuzz/README.md.
//!
//! `REPUTE_CORPUS=fuzz/corpus cargo test -p repute --test fuzz_corpus` writes the seeds for it.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../../../fuzz/src/targets.rs"]
mod targets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use repute_types::{Random as _, SeededRandom};

/// Changed copies of each seed.
const COPIES: usize = 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(under: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(under).unwrap_or_else(|e| panic!("{}: {e}", under.display())) {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, into),
            false => into.push(path),
        }
    }
}

fn all(folder: &str) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    files(&root().join(folder), &mut paths);
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// One side of a dialogue as it goes over the wire.
fn side(dialogue: &[u8], mark: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(dialogue);
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix(mark));
    lines.map(|line| format!("{}\r\n", line.trim_start())).collect::<String>().into_bytes()
}

fn with_crlf(octets: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(octets).replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

fn seeds() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let front = |choices: &[u8], octets: Vec<u8>| [choices, &octets].concat();
    let to_server = all("crates/submission/tests/dialogues");
    let to_client = all("crates/delivery/tests/dialogues");
    let mut messages: Vec<_> = all("crates/trust/tests/dkim");
    messages.extend(all("crates/message/tests"));
    let messages: Vec<_> = messages.iter().map(|m| with_crlf(m)).collect();
    let replies: Vec<_> = to_client.iter().map(|d| side(d, "S:")).collect();
    let texts = |list: &[&str]| list.iter().map(|t| t.as_bytes().to_vec()).collect::<Vec<_>>();
    BTreeMap::from([
        ("server_session", to_server.iter().map(|d| front(&[1, 3, 40], side(d, "C:"))).collect()),
        ("client_session", replies.iter().map(|r| front(&[0, 1, 0, 1, 5, 1], r.clone())).collect()),
        ("reply", replies.iter().map(|r| front(&[5], r.clone())).collect()),
        ("message", messages.iter().map(|m| front(&[64, 0, 0], m.clone())).collect()),
        (
            "address",
            texts(&[
                "a@example.com",
                "\"a b\"@example.com",
                "a@[192.0.2.1]",
                "ä@bücher.example",
                "xn--bcher-kva.example",
            ]),
        ),
        ("comeback", comebacks()),
        ("dkim", messages.iter().map(|m| front(&[9], m.clone())).collect()),
        ("dsn", messages.iter().map(|m| front(&[0, 1, 20], m.clone())).collect()),
        ("spool_record", texts(&["\u{1}\u{1}\u{4}shop\0\0\0\0\0\0", "\u{1}\u{b}example.net\0\0\u{1}"])),
        (
            "spf",
            texts(&[
                "xv=spf1 ip4:192.0.2.0/24 a mx include:other.example -all",
                "xv=spf1 exists:%{ir}.%{v}._spf.%{d2} redirect=_spf.%{d}\nv=spf1 ptr ?all",
                "xv=spf1 a:%{l1r-}.example mx/24//64 exp=why.%{o}\n%{i} may not send as %{s}",
            ]),
        ),
    ])
}

/// Every sixth real notice, and reports in the forms in which they are attached.
fn comebacks() -> Vec<Vec<u8>> {
    let notices = all("crates/feedback/tests/bounces");
    let mut seeds: Vec<_> = notices.into_iter().filter(|n| n.len() < 32 * 1024).step_by(6).collect();
    seeds.push(b"{\"date-range\":{},\"policies\":[{\"policy\":{}}]}".to_vec());
    seeds.push(
        b"<feedback><policy_published><domain>a</domain></policy_published><record><row><source_ip>192.0.2.1</source_ip>\
          <count>1</count></row></record></feedback>"
            .to_vec(),
    );
    seeds.push(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0r<".to_vec());
    seeds
}

#[test]
fn the_targets_hold_for_the_seeds_and_their_near_relations() {
    let seeds = seeds();
    let random = SeededRandom::new(76);
    let corpus = std::env::var_os("REPUTE_CORPUS").map(|folder| root().join(folder));
    for (name, target) in targets::ALL {
        let seeds = seeds.get(name).unwrap_or_else(|| panic!("no seeds for {name}"));
        assert!(!seeds.is_empty(), "{name}");
        for (number, seed) in seeds.iter().enumerate() {
            if let Some(corpus) = &corpus {
                std::fs::create_dir_all(corpus.join(name)).unwrap();
                std::fs::write(corpus.join(name).join(format!("seed-{number}")), seed).unwrap();
            }
            target(seed);
            for _ in 0..COPIES {
                let mut copy = seed.clone();
                copy.truncate(1 + random.below(copy.len() as u64) as usize);
                for _ in 0..random.below(4) {
                    let at = random.below(copy.len() as u64) as usize;
                    copy[at] = random.next() as u8;
                }
                target(&copy);
            }
        }
    }
}

/// What the fuzzer found, kept for ever.
#[test]
fn what_was_found_stays_found() {
    let folder = root().join("fuzz/found");
    for (name, target) in targets::ALL {
        let mut paths = Vec::new();
        if folder.join(name).is_dir() {
            files(&folder.join(name), &mut paths);
        }
        for path in paths {
            println!("{}", path.display());
            target(&std::fs::read(path).unwrap());
        }
    }
}
