//! What a part costs in the queue, from a thousand to a million: `cargo run --release -p
//! repute-queue --example million`. Ten parts a domain, each domain its own site; all are entered,
//! tried once and deferred over an hour; then the hour passes in steps, everything that comes due is
//! picked and deferred again. Each size has a process of its own, so that memory is its own.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use repute_queue::{Entry, Feedback, Flow, LaneId, LaneKey, LaneSettings, Lease, Next, Queue, Sender, Step, Then};
use repute_types::{Domain, MessageId, PartId, Random, SeededRandom, Stream, Timestamp};

const PARTS_A_DOMAIN: u32 = 10;
const HOUR: Duration = Duration::from_secs(3600);
/// Steps in which the hour passes.
const STEPS: u32 = 720;

fn main() {
    if let Some(size) = std::env::args().nth(1).and_then(|n| n.parse().ok()) {
        return measure(size);
    }
    println!("    parts  octets each   entered  came due    picked   settled  (ns each)");
    let program = std::env::current_exe().expect("a running program has a path");
    for size in [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000] {
        let status = Command::new(&program).arg(size.to_string()).status().expect("it runs once already");
        assert!(status.success(), "{size}: {status}");
    }
}

fn measure(size: u32) {
    let random = SeededRandom::new(u64::from(size));
    let mut now = Timestamp(1_795_485_950_000);
    let domains: Vec<_> = (0..size.div_ceil(PARTS_A_DOMAIN)).map(domain).collect();
    let before = resident();
    let mut queue = Queue::new(LaneSettings::default());
    let start = Instant::now();
    for number in 0..size {
        let name = &domains[(number % domains.len() as u32) as usize];
        queue.enter(entry(number, name.clone(), now), now);
    }
    let entered = start.elapsed();
    let mut first = Spent::default();
    work_off(&mut queue, now, &random, &mut first);
    assert_eq!((queue.len(), first.parts), (size as usize, size), "every part was tried once and is still there");
    let octets = (resident() - before) as f64 / f64::from(size);

    let mut spent = Spent::default();
    for _ in 0..STEPS {
        now = now + HOUR / STEPS;
        work_off(&mut queue, now, &random, &mut spent);
    }
    assert!(spent.parts >= size, "an hour later every part was tried again");
    let each = |time: Duration| time.as_nanos() as f64 / f64::from(spent.parts);
    println!(
        "{size:>9}  {octets:>11.0}  {:>8.0}  {:>8.0}  {:>8.0}  {:>8.0}",
        entered.as_nanos() as f64 / f64::from(size),
        each(spent.advance),
        each(spent.pick),
        each(spent.settle),
    );
}

#[derive(Default)]
struct Spent {
    parts: u32,
    advance: Duration,
    pick: Duration,
    settle: Duration,
}

/// Everything that is due now is picked by sessions, as many as may be, and deferred by up to an hour.
fn work_off(queue: &mut Queue, now: Timestamp, random: &dyn Random, spent: &mut Spent) {
    loop {
        let start = Instant::now();
        let steps = queue.advance(now);
        for step in steps {
            let Step::Route(flow) = step else { panic!("no alarm is due: {step:?}") };
            let site: Arc<str> = flow.domain.as_str().into();
            queue.routed(&flow, LaneKey { site, way: 0 }, now + HOUR, now);
        }
        let routed = Instant::now();
        let leases = pick(queue, now);
        let picked = Instant::now();
        for (_, lease) in &leases {
            let due = now + Duration::from_millis(1 + random.below(HOUR.as_millis() as u64));
            queue.settle(lease.part, Then::Again(due), Feedback::Reached, now);
        }
        spent.advance += routed - start;
        spent.pick += picked - routed;
        spent.settle += picked.elapsed();
        spent.parts += leases.len() as u32;
        // The sessions of a round end together.
        let ended = Instant::now();
        for lane in leases.iter().filter_map(|(lane, _)| *lane) {
            queue.session_ended(lane, now);
        }
        spent.pick += ended.elapsed();
        if leases.is_empty() {
            return;
        }
    }
}

/// One round: every session that may be opened, and the second part of each. With the first lease of
/// a session stands its lane.
fn pick(queue: &mut Queue, now: Timestamp) -> Vec<(Option<LaneId>, Lease)> {
    let mut leases = Vec::new();
    while let Some((lane, lease)) = queue.next_session(now) {
        leases.push((Some(lane), lease));
        match queue.lease(lane, now) {
            Next::Work(lease) => leases.push((None, lease)),
            Next::Idle => queue.no_longer_idle(lane),
            Next::Close => {}
        }
    }
    leases
}

fn domain(number: u32) -> Domain {
    Domain::parse(&format!("customer-{number}.example")).expect("it is well formed")
}

fn entry(number: u32, domain: Domain, now: Timestamp) -> Entry {
    let message = MessageId(MessageId::first_at(now).0 + u64::from(number));
    let stream = if number.is_multiple_of(4) { Stream::Transactional } else { Stream::Bulk };
    let alarm = now + 100 * HOUR;
    Entry {
        part: PartId { message, number: 0 },
        flow: Flow { domain, sender: Sender(0), tls_optional: false },
        stream,
        due: now,
        alarm,
        attempts: 0,
        held: false,
    }
}

/// Octets of memory that this process holds.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages: u64 =
        text.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("its second number is what is resident");
    pages * 4096
}
