//! Measures the spool: commits and settles messages from many producers, and says what one
//! costs. `cargo run --release -p repute-spool --example load -- --help`
//!
//! CPU is the whole process's (user and system, producers included), bytes written are what
//! the kernel charged to it (`/proc/self/io`), so it runs on Linux only. Beside them it times
//! a bare sync of the same disk, because that is what the rate hangs on.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use repute_spool::sqlite::Options;
use repute_spool::{Change, MessageMeta, NewMessage, PartRecord, Settlement, Spool, SqliteSpool};
use repute_types::{Address, Content, Domain, MessageId, PartId, Recipient, Timestamp};

const HELP: &str = "load [--dir DIR] [--messages N] [--octets N] [--producers N] [--keep N] [--scan]
  --dir DIR       where the spool is made (default ./load-spool); it must not exist
  --messages N    how many in all (100000)
  --octets N      content of each (4096)
  --producers N   that commit at the same time (64)
  --keep N        every Nth message stays (0: none); the rest is settled at once
  --scan          afterwards, open it again and time the scan of all that stayed
  --leave         do not delete it
  --scan-only     nothing but the scan of one that was left";

struct Load {
    dir: PathBuf,
    messages: u64,
    octets: usize,
    producers: u64,
    keep: u64,
    scan: bool,
    leave: bool,
    scan_only: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(load) = arguments() else {
        println!("{HELP}");
        return Ok(());
    };
    if load.scan_only {
        return time_scan(&load).await;
    }
    std::fs::create_dir(&load.dir)?;
    println!("sync of 4 KiB: {:?} (median of 50)", bare_sync(&load.dir)?);
    let spool = Arc::new(SqliteSpool::open(&load.dir, Options::default())?);
    let (cpu, written) = (cpu(), written());
    let begun = Instant::now();
    let waits = run(&load, &spool).await?;
    spool.flush().await?;
    report(&load, begun.elapsed(), cpu, written, waits);
    drop(spool);
    println!("written after closing {:.2} of the content", (self::written() - written) as f64 / content(&load));
    files(&load)?;
    if load.scan {
        time_scan(&load).await?;
    }
    if !load.leave {
        std::fs::remove_dir_all(&load.dir)?;
    }
    Ok(())
}

fn arguments() -> Option<Load> {
    let mut load = Load {
        dir: "load-spool".into(),
        messages: 100_000,
        octets: 4096,
        producers: 64,
        keep: 0,
        scan: false,
        leave: false,
        scan_only: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let flag = match word.as_str() {
            "--scan" => Some(&mut load.scan),
            "--leave" => Some(&mut load.leave),
            "--scan-only" => Some(&mut load.scan_only),
            _ => None,
        };
        if let Some(flag) = flag {
            *flag = true;
            continue;
        }
        let value = words.next()?;
        match word.as_str() {
            "--dir" => load.dir = value.into(),
            "--messages" => load.messages = value.parse().ok()?,
            "--octets" => load.octets = value.parse().ok()?,
            "--producers" => load.producers = value.parse().ok()?,
            "--keep" => load.keep = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(load)
}

/// Commits everything; gives how long each commit took, sorted.
async fn run(load: &Load, spool: &Arc<SqliteSpool>) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let next = Arc::new(AtomicU64::new(1));
    let content = Content::from(vec![b'x'; load.octets]);
    let producers: Vec<_> = (0..load.producers)
        .map(|_| {
            let (spool, next, content) = (spool.clone(), next.clone(), content.clone());
            let (messages, keep) = (load.messages, load.keep);
            tokio::spawn(async move {
                let mut waits = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n > messages {
                        return Ok::<_, repute_spool::SpoolError>(waits);
                    }
                    let message = message(n, content.clone());
                    let begun = Instant::now();
                    let committed = spool.commit(message).await?;
                    waits.push(begun.elapsed());
                    if keep == 0 || !n.is_multiple_of(keep) {
                        let part = PartId { message: committed.id(), number: 0 };
                        spool.settle(Settlement { part, change: Change::Done, notices: Vec::new() });
                    }
                }
            })
        })
        .collect();
    let mut waits = Vec::new();
    for producer in producers {
        waits.extend(producer.await??);
    }
    waits.sort();
    Ok(waits)
}

fn message(n: u64, content: Content) -> NewMessage {
    let now = Timestamp(1_795_485_950_000);
    let id = MessageId(MessageId::first_at(now).0 + n * 1000);
    let domain = format!("example{}.net", n % 1000);
    let recipient = Address::parse(&format!("somebody{n}@{domain}")).expect("an address");
    NewMessage {
        meta: MessageMeta {
            account: Some("shop".into()),
            from: Address::parse("shop@example.com").ok(),
            author: Domain::parse("example.com").ok(),
            header_id: format!("{id}@mail.example.com"),
            size: content.len() as u64,
            ..MessageMeta::new(id, now, Timestamp(1_795_917_950_000))
        },
        parts: vec![PartRecord::new(
            PartId { message: id, number: 0 },
            Domain::parse(&domain).expect("a domain"),
            vec![Recipient::to(recipient)],
            now,
        )],
        content,
    }
}

fn report(load: &Load, took: Duration, cpu_before: Duration, written_before: u64, waits: Vec<Duration>) {
    let n = load.messages as f64;
    let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
    println!(
        "{} messages of {} octets, {} producers, {}: {:.0}/s, {:.1} µs of CPU each, {:.2} of the content written",
        load.messages,
        load.octets,
        load.producers,
        if load.keep == 0 { "all settled".into() } else { format!("one in {} stays", load.keep) },
        n / took.as_secs_f64(),
        (cpu() - cpu_before).as_secs_f64() * 1e6 / n,
        (written() - written_before) as f64 / content(load),
    );
    println!("a commit waits {:?} (median), {:?} (99 %), {:?} (longest)", at(0.5), at(0.99), at(1.0));
}

fn content(load: &Load) -> f64 {
    load.messages as f64 * load.octets as f64
}

async fn time_scan(load: &Load) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let spool = SqliteSpool::open(&load.dir, Options::default())?;
    println!("opened in {:?}", begun.elapsed());
    let (mut after, mut parts) = (None, 0);
    let begun = Instant::now();
    loop {
        let page = spool.scan(after, 10_000).await?;
        let Some((_, last)) = page.last() else { break };
        after = Some(last.id);
        parts += page.len();
    }
    println!("{parts} parts scanned in {:?}", begun.elapsed());
    Ok(())
}

fn files(load: &Load) -> std::io::Result<()> {
    for entry in std::fs::read_dir(&load.dir)? {
        let entry = entry?;
        println!("{:>12} {}", entry.metadata()?.len(), entry.file_name().display());
    }
    Ok(())
}

fn bare_sync(dir: &std::path::Path) -> std::io::Result<Duration> {
    let path = dir.join("sync");
    let mut file = std::fs::File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..50 {
        file.write_all(&[1; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    std::fs::remove_file(path)?;
    times.sort();
    Ok(times[25])
}

/// User and system time of this process, in steps of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|t| t.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}

fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").expect("Linux");
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("a count");
    line.parse().expect("a number")
}
