//! The fuzz targets (`fuzz/`), fed with the seeds in every test run: the dialogues, messages and
//! records that the tests of the house are made of, each also cut short and with octets
//! flipped. The fuzzer itself goes on where this ends; see fuzz/README.md.
//!
//! `REPUTE_CORPUS=fuzz/corpus cargo test -p repute --test fuzz_corpus` writes the seeds for it.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../../../fuzz/src/targets/mod.rs"]
mod targets;

mod fuzz_seeds;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use repute_types::{Random as _, SeededRandom};

/// Changed copies of each seed; `REPUTE_COPIES=3000` makes more, and `REPUTE_COPIES_SEED` others.
const COPIES: u64 = 30;

fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

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
    let to_client = all("crates/delivery/tests/dialogues");
    let mut messages: Vec<_> = all("crates/trust/tests/dkim");
    messages.extend(all("crates/message/tests"));
    let messages: Vec<_> = messages.iter().map(|m| with_crlf(m)).collect();
    let replies: Vec<_> = to_client.iter().map(|d| side(d, "S:")).collect();
    let mut seeds = BTreeMap::from([
        ("server_session", to_server()),
        ("client_session", replies.iter().flat_map(|said| to_clients(said)).collect()),
        ("receiver_session", to_server().into_iter().map(|s| front(&[7], s[3..].to_vec())).collect()),
        ("dane", dane()),
        ("dns_answer", fuzz_seeds::dns_answers()),
        ("reply", replies.iter().map(|r| front(&[5], r.clone())).collect()),
        ("receiver_reply", receiver_replies()),
        ("message", messages.iter().map(|m| front(&[64, 0, 0], m.clone())).collect()),
        ("judge", messages.iter().map(|m| front(&[1], m.clone())).collect()),
        ("comeback", comebacks()),
        ("report", reports().into_iter().map(|r| front(&[u8::from(r[0] == b'{')], r)).collect()),
        ("config", configs()),
        ("dkim", messages.iter().map(|m| front(&[9], m.clone())).collect()),
        ("dsn", messages.iter().map(|m| front(&[0, 1, 20], m.clone())).collect()),
        ("http", requests()),
        (
            "event",
            (0..9).map(|n| front(&[n, n], b"ann@example.net\nTLSv1.3\n550 \"no\"\nmx.example.net".to_vec())).collect(),
        ),
    ]);
    seeds.extend(fuzz_seeds::texts());
    seeds
}

/// What clients say in the dialogues, to a server that knows them as it does there.
fn to_server() -> Vec<Vec<u8>> {
    let folders = [("return", 0), ("trusted", 1), ("tls", 3), ("submission", 5)];
    let said = |(folder, choice): (&str, u8)| {
        let dialogues = all(&format!("crates/submission/tests/dialogues/{folder}"));
        dialogues.into_iter().map(move |d| front(&[choice, 3, 40], side(&d, "C:"))).collect::<Vec<_>>()
    };
    let many = "RCPT TO:<b@example.net>\r\n".repeat(25);
    let many = format!("EHLO a.example\r\nMAIL FROM:<a@example.com>\r\n{many}DATA\r\nFrom: a@example.com\r\n\r\n.\r\n");
    folders.into_iter().flat_map(said).chain([front(&[1, 3, 40], many.into_bytes())]).collect()
}

/// What servers say, to a client that wants no TLS, takes it, needs it, or begins with it; without a login, and with one.
fn to_clients(replies: &[u8]) -> Vec<Vec<u8>> {
    let choices = [[0, 1, 0, 1, 5, 1], [1, 1, 1, 0, 9, 0], [2, 0, 1, 4, 1, 2], [3, 0, 0, 2, 200, 3]];
    choices.iter().map(|choices| front(choices, replies.to_vec())).collect()
}

/// A chain of two certificates, with records that promise the one or the other.
fn dane() -> Vec<Vec<u8>> {
    let pem = |name| repute_testkit::tls::server_config_and_certificate(&[name]).1;
    let der = |text: String| {
        let lines: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        base64::engine::general_purpose::STANDARD.decode(lines).unwrap()
    };
    let with_length = |der: Vec<u8>| [&(der.len() as u16).to_be_bytes()[..], &der].concat();
    let chain = [with_length(der(pem("mx.example.com"))), with_length(der(pem("authority.example")))].concat();
    let hash = [&[3, 1, 1, 32][..], &[7; 32]].concat();
    let whole = [&[2, 0, 0, 4][..], b"0\x03\x02\x01"].concat();
    [vec![1, 0], vec![0, 1], [&[1][..], &hash, &[1]].concat(), [&[2][..], &hash, &whole, &[1]].concat()]
        .map(|first| [first, chain.clone()].concat())
        .into()
}

/// Octets for the choices that a target makes, and what they are made about.
fn front(choices: &[u8], octets: Vec<u8>) -> Vec<u8> {
    [choices, &octets].concat()
}

/// Configurations: those that are wrong, and the ten lines of the README.
fn configs() -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    files(&root().join("crates/repute/tests/bad_configs"), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    let mut seeds: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    seeds
        .extend(readme.split("```toml").skip(1).filter_map(|part| Some(part.split_once("```")?.0.as_bytes().to_vec())));
    seeds
}

/// What real receivers say, from the notices.
fn receiver_replies() -> Vec<Vec<u8>> {
    let notices = all("crates/feedback/tests/bounces");
    let said = |notice: &Vec<u8>| {
        let text = String::from_utf8_lossy(notice);
        let start = text.to_ascii_lowercase().find("diagnostic-code:")?;
        let text: String = text.get(start..)?.chars().take(300).collect();
        Some(text.replace("Diagnostic-Code: smtp; ", "").into_bytes())
    };
    notices.iter().filter_map(said).step_by(5).collect()
}

/// A request to each of the paths that the target knows.
fn requests() -> Vec<Vec<u8>> {
    let bodies = fuzz_seeds::BODIES;
    bodies.iter().map(|(which, whose, body)| front(&[*which, *whose], body.as_bytes().to_vec())).collect()
}

/// Every sixth real notice, and reports in the forms in which they are attached.
fn comebacks() -> Vec<Vec<u8>> {
    let notices = all("crates/feedback/tests/bounces");
    let mut seeds: Vec<_> = notices.into_iter().filter(|n| n.len() < 32 * 1024).step_by(6).collect();
    seeds.extend(reports());
    seeds.extend(fuzz_seeds::BACK.iter().map(|text| with_crlf(text.as_bytes())));
    seeds
}

fn reports() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = fuzz_seeds::REPORTS.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.push(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0r<".to_vec());
    seeds
}

#[test]
fn the_targets_hold_for_the_seeds_and_their_near_relations() {
    let seeds = seeds();
    let random = SeededRandom::new(from_environment("REPUTE_COPIES_SEED", 76));
    let copies = from_environment("REPUTE_COPIES", COPIES);
    let corpus = std::env::var_os("REPUTE_CORPUS").map(|folder| root().join(folder));
    let mut fallen = Vec::new();
    for (name, target) in targets::ALL {
        let seeds = seeds.get(name).unwrap_or_else(|| panic!("no seeds for {name}"));
        assert!(!seeds.is_empty(), "{name}");
        let began = std::time::Instant::now();
        for (number, seed) in seeds.iter().filter(|seed| !seed.is_empty()).enumerate() {
            if let Some(corpus) = &corpus {
                std::fs::create_dir_all(corpus.join(name)).unwrap();
                std::fs::write(corpus.join(name).join(format!("seed-{number}")), seed).unwrap();
            }
            fallen.extend(tried(name, *target, seed));
            for _ in 0..copies {
                fallen.extend(tried(name, *target, &near(seed, &random)));
            }
        }
        println!("{name}: {} seeds, {} ms", seeds.len(), began.elapsed().as_millis());
    }
    assert!(fallen.is_empty(), "{} times:\n{}", fallen.len(), fallen.join("\n"));
}

/// A copy, cut short and with some octets changed.
fn near(seed: &[u8], random: &SeededRandom) -> Vec<u8> {
    let mut copy = seed.to_vec();
    copy.truncate(1 + random.below(copy.len() as u64) as usize);
    for _ in 0..random.below(4) {
        let at = random.below(copy.len() as u64) as usize;
        copy[at] = random.next() as u8;
    }
    copy
}

/// Says with which octets the target fell over, if it did; why is above it.
fn tried(name: &str, target: targets::Target, octets: &[u8]) -> Option<String> {
    let fell = std::panic::catch_unwind(|| target(octets)).is_err();
    fell.then(|| format!("{name}: b\"{}\"", octets.escape_ascii()))
}

/// The seeds of the SMTP server lead through every state, and not only to the first line that is refused.
#[test]
fn the_seeds_of_the_server_go_deep() {
    use repute_smtp::server::{Kind, Security, Start, dry::converse_from};
    let mut codes = std::collections::BTreeSet::new();
    let (mut messages, mut secured) = (0, 0);
    for seed in to_server() {
        let kind = if seed[0] & 1 == 1 { Kind::Submission } else { Kind::Return };
        let security = if seed[0] == 5 { Security::CanStartTls } else { Security::Tls };
        let start = Start { security, known: seed[0] == 1 };
        let outcome = converse_from(start, kind, &seed[3..], &[1]);
        let replies = String::from_utf8(outcome.replies).unwrap();
        codes.extend(replies.lines().map(|line| line[..3].parse::<u16>().unwrap()));
        messages += outcome.messages.len();
        secured += usize::from(outcome.secured);
    }
    for code in [220, 221, 235, 250, 334, 354, 421, 452, 500, 501, 502, 503, 504, 530, 535, 550, 552, 553, 555] {
        assert!(codes.contains(&code), "no seed is answered {code}: {codes:?}");
    }
    assert!(messages >= 15 && secured >= 2, "{messages} messages, {secured} times TLS");
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
