//! Measures the history: what an event costs. `cargo run --release -p repute-ledger --example
//! events -- 1000000` emits so many (half of them acceptances) to random recipients and says
//! the CPU time and the octets of each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use repute_ledger::{History, HistoryOptions};
use repute_types::event::{self, EventSink};
use repute_types::{
    Address, Event, EventKind, MessageId, Outcome, PartId, Peer, Random, Reply, SeededRandom, Stage, Timestamp,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let events: u64 = std::env::args().nth(1).map_or(Ok(200_000), |n| n.parse())?;
    let dir = std::path::PathBuf::from("load-history");
    std::fs::create_dir(&dir)?;
    let path = dir.join("history.sqlite");
    let history = History::open(&path, HistoryOptions::default())?;
    let random = SeededRandom::new(1);
    let making = cpu();
    for n in 0..events / 2 {
        std::hint::black_box((accepted(n, &random), settled(n, &random)));
    }
    let making = cpu() - making;
    let (before, begun) = (cpu(), Instant::now());
    for n in 0..events / 2 {
        history.emit(accepted(n, &random));
        history.emit(settled(n, &random));
        if n % 10_000 == 0 {
            history.flush();
        }
    }
    history.flush();
    let each = |total: f64| total / events as f64;
    println!(
        "{events} events: {:.0}/s, {:.1} µs of CPU each without making them, {:.0} octets of file each",
        events as f64 / begun.elapsed().as_secs_f64(),
        each((cpu() - before).saturating_sub(making).as_secs_f64() * 1e6),
        each(std::fs::metadata(&path)?.len() as f64),
    );
    let recipient = Address::parse("somebody5@example5.net")?;
    let (asked, begun) = (history.questions()?, Instant::now());
    let found = asked.by_recipient(&recipient, 10)?.len();
    println!("{found} found by recipient in {:?}", begun.elapsed());
    drop((asked, history));
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

fn id(n: u64) -> MessageId {
    MessageId(MessageId::first_at(Timestamp(1_795_485_950_000)).0 + n * 4_000_000)
}

fn recipient(n: u64) -> Address {
    Address::parse(&format!("somebody{}@example{}.net", n % 1_000_000, n % 1000)).expect("an address")
}

fn accepted(n: u64, random: &SeededRandom) -> Event {
    let kind = EventKind::Accepted(event::Accepted {
        message: id(n),
        account: Some("shop".into()),
        from: Address::parse("shop@example.com").ok(),
        recipients: vec![recipient(n)],
        recipient_count: 1,
        size: 4096,
        header_id: format!("{:x}@mail.example.com", random.next()),
        client: "192.0.2.7".parse().ok(),
        tls: None,
        labels: None,
    });
    Event { at: id(n).time(), kind }
}

fn settled(n: u64, _: &SeededRandom) -> Event {
    let reply = Reply { code: 250, enhanced: None, lines: vec!["2.0.0 Ok: queued as 4F1xYz3abcz9sW".into()] };
    let mut outcome = Outcome::from_reply(Stage::Body, reply);
    outcome.peer = Some(Peer { name: "mx1.example.net".into(), address: "198.51.100.25".parse().ok(), port: 25 });
    let kind = EventKind::Settled(event::Settled {
        account: None,
        labels: None,
        part: PartId { message: id(n), number: 0 },
        recipient: recipient(n),
        attempt: 1,
        outcome: Arc::new(outcome),
        cause: None,
        next_attempt: None,
        age: Duration::from_millis(1234),
        egress: "203.0.113.10".parse().ok(),
    });
    Event { at: id(n).time(), kind }
}

/// User and system time of this process, in steps of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|t| t.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}
