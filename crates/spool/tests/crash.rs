//! `kill -9` at every step of the writer and at random instants, under load.
//!
//! A child process commits, settles and says on its output what it was answered; it dies; the
//! spool is opened again. Then every message that was answered and not settled is there whole,
//! every settlement whose flush was answered has happened, and nothing half written shows.
//! `REPUTE_CRASH_ROUNDS=500 cargo test -p repute-spool --test crash` makes a campaign of it.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use repute_spool::sqlite::{Options, Step};
use repute_spool::{NewMessage, Spool, SqliteSpool};
use repute_types::{MessageId, Random, SeededRandom, SystemRandom};

const STEPS: [Step; 11] = [
    Step::Beside,
    Step::BeforeTransaction,
    Step::AfterInsert,
    Step::BeforeCommit,
    Step::AfterCommit,
    Step::AfterAnswer,
    Step::BeforeDrain,
    Step::Drained,
    Step::AfterDrain,
    Step::BeforeCheckpoint,
    Step::AfterCheckpoint,
];

/// Small, so that a round sees the log begun again several times.
fn options() -> Options {
    Options { log_octets: 512 << 10, ..Options::default() }
}

/// The same message for the same number, in child and parent.
fn message_of(number: u64) -> NewMessage {
    let random = SeededRandom::new(number ^ 0x5eed);
    let len = match random.below(20) {
        0 => 1_000_000 + random.below(500_000),
        1..=3 => random.below(100_000),
        _ => random.below(6_000),
    };
    let domains = ["a.example", "b.example", "c.example"];
    message(number, octets(number, len as usize), &domains[..1 + random.below(3) as usize])
}

/// The child. It ends only by being killed.
#[test]
#[ignore = "not a test: the process that the tests below kill"]
fn victim() {
    let dir = std::env::var("VICTIM_DIR").unwrap();
    let (step, count) = (std::env::var("VICTIM_STEP").unwrap(), std::env::var("VICTIM_COUNT").unwrap());
    let (count, seen) = (count.parse::<u64>().unwrap(), AtomicU64::new(0));
    let mut options = options();
    options.hook = Arc::new(Watch(move |at| {
        if format!("{at:?}") == step && seen.fetch_add(1, Ordering::SeqCst) + 1 == count {
            kill(Pid::this(), Signal::SIGKILL).unwrap();
        }
        Ok(())
    }));
    let first: u64 = std::env::var("VICTIM_FIRST").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let spool = Arc::new(SqliteSpool::open(Path::new(&dir), options).unwrap());
    runtime.block_on(async {
        let next = Arc::new(AtomicU64::new(first));
        let producers: Vec<_> = (0..8).map(|_| tokio::spawn(produce(spool.clone(), next.clone()))).collect();
        for producer in producers {
            producer.await.unwrap();
        }
    });
}

async fn produce(spool: Arc<SqliteSpool>, next: Arc<AtomicU64>) {
    loop {
        let number = next.fetch_add(1, Ordering::SeqCst);
        let parts = message_of(number).parts.len() as u32;
        spool.commit(message_of(number)).await.unwrap();
        say("committed", number);
        match number % 4 {
            0 | 1 => {
                say("settling", number);
                (0..parts).for_each(|part| spool.settle(done(number, part)));
            }
            2 => {
                say("settling", number);
                (0..parts).for_each(|part| spool.settle(done(number, part)));
                spool.flush().await.unwrap();
                say("settled", number);
            }
            _ => {}
        }
    }
}

/// One write, so that a line is whole or absent when the process dies.
fn say(what: &str, number: u64) {
    let line = format!("\n{what} {number}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    std::io::stdout().lock().flush().unwrap();
}

#[derive(Default)]
struct Said {
    committed: BTreeSet<u64>,
    settling: BTreeSet<u64>,
    settled: BTreeSet<u64>,
}

/// When a child is killed that has not killed itself by then.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// From its start on: maybe while it opens the spool.
    Start(Duration),
    /// From the first commit that was answered on. A disk that is busy with something else may keep it from that for longer
    /// than any time of the first kind.
    Commit(Duration),
}

/// How long the first commit may take at most.
const FIRST: Duration = Duration::from_secs(60);

/// Starts a child, waits for its end (helped after `patience`), and gives what it said.
fn run_victim(dir: &Path, first: u64, step: &str, count: u64, patience: Patience) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "victim", "--nocapture", "--test-threads=1"])
        .env("VICTIM_DIR", dir)
        .env("VICTIM_FIRST", first.to_string())
        .env("VICTIM_STEP", step)
        .env("VICTIM_COUNT", count.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let output = BufReader::new(child.stdout.take().unwrap());
    let (tell, committed) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut said = Said::default();
        for line in output.lines().map_while(Result::ok) {
            let Some((what, number)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse() else { continue };
            match what {
                "committed" => {
                    // Nobody may be waiting for it.
                    let _ = tell.send(());
                    said.committed.insert(number)
                }
                "settling" => said.settling.insert(number),
                "settled" => said.settled.insert(number),
                _ => continue,
            };
        }
        said
    });
    let patience = match patience {
        Patience::Start(patience) => patience,
        Patience::Commit(patience) => {
            let answered = committed.recv_timeout(FIRST);
            if answered.is_err() {
                // Killed already where it has ended.
                let _ = child.kill();
            }
            assert!(answered.is_ok(), "no commit was answered within {FIRST:?}, or the child ended: {answered:?}");
            patience
        }
    };
    for _ in 0..patience.as_millis() / 5 {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    if child.try_wait().unwrap().is_none() {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "the child was not killed: {status}");
    reader.join().unwrap()
}

/// What the spool holds now must follow from what was held before and what the child said.
async fn check_after(dir: &Path, before: &BTreeSet<u64>, said: &Said, what: &str) -> BTreeSet<u64> {
    let spool = SqliteSpool::open(dir, options()).unwrap();
    let mut parts: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = spool.scan(after, 500).await.unwrap();
        let Some((_, last)) = page.last() else { break };
        after = Some(last.id);
        for (meta, part) in page {
            assert_eq!(meta, message_of(meta.id.0).meta, "{what}");
            parts.entry(meta.id.0).or_default().push(part.id.number);
        }
    }
    for number in said.committed.difference(&said.settling).chain(before) {
        assert!(parts.contains_key(number), "{what}: {number} was answered and is lost");
    }
    for number in &said.settled {
        assert!(!parts.contains_key(number), "{what}: {number} was settled and is back");
    }
    for (number, numbers) in &parts {
        let expected = message_of(*number);
        assert!(spool.content(id(*number)).await.unwrap().to_vec() == expected.content.to_vec(), "{what}: {number}");
        // Only a message that was being settled may have lost a part.
        let all: Vec<u32> = (0..expected.parts.len() as u32).collect();
        assert!(*numbers == all || said.settling.contains(number), "{what}: {number} has parts {numbers:?}");
    }
    let sound: String = rusqlite::Connection::open(dir.join("spool.sqlite"))
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok", "{what}");
    let beside = std::fs::read_dir(dir.join("large")).unwrap().map(|entry| entry.unwrap().file_name());
    for name in beside {
        let large: MessageId = name.to_str().unwrap().parse().unwrap();
        assert!(parts.contains_key(&large.0), "{what}: a content beside is no message's: {large}");
    }
    // Begin the next round small.
    for (number, numbers) in parts.iter().filter(|(number, _)| *number % 5 != 0) {
        numbers.iter().for_each(|part| spool.settle(done(*number, *part)));
    }
    spool.flush().await.unwrap();
    parts.into_keys().filter(|number| number % 5 == 0).collect()
}

#[tokio::test]
async fn killed_at_each_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = BTreeSet::new();
    let mut first = 1;
    for step in STEPS {
        for count in [1, 2, 7, 30] {
            let name = format!("{step:?}");
            let said = run_victim(dir.path(), first, &name, count, Patience::Start(Duration::from_secs(20)));
            kept = check_after(dir.path(), &kept, &said, &format!("killed at {name} {count}")).await;
            first += 1_000_000;
        }
    }
}

#[tokio::test]
async fn killed_at_random_instants() {
    let rounds = std::env::var("REPUTE_CRASH_ROUNDS").map_or(15, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let random = SystemRandom::new();
    let (mut kept, mut committed) = (BTreeSet::new(), 0);
    for round in 0..rounds {
        let wait = Duration::from_millis(20 + random.below(300));
        let patience = if round % 3 == 0 { Patience::Start(wait) } else { Patience::Commit(wait) };
        let first = 1 + (round + 1) * 1_000_000;
        let said = run_victim(dir.path(), first, "", 0, patience);
        committed += said.committed.len();
        kept = check_after(dir.path(), &kept, &said, &format!("round {round}, killed after {patience:?}")).await;
    }
    assert!(committed >= rounds as usize / 2, "{rounds} rounds, and only {committed} commits answered");
    println!("{rounds} rounds, {committed} commits answered");
}
