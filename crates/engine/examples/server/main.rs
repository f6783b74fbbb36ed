//! The real program under conditions that take long to make: `cargo run --release -p repute-engine
//! --example server -- restart|priority|accept|idle|backlog [number]`, after `cargo build --release -p
//! repute`. State is made in `BENCH_DIR` (`/var/tmp/repute-server`), which should be on a real disk; the
//! program is `REPUTE` (`target/release/repute`). Linux only. What was measured stands in
//! docs/performance.md.

mod accept;
mod backlog;
mod client;
mod fill;
mod idle;
mod priority;
mod process;
mod restart;
mod sink;

use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "server restart [PARTS]      start with PARTS (1000000) queued for a relay that does not answer
server priority [PARTS]     transactional mail while PARTS (200000) bulk ones are due to the same site
server accept [RATE]        how long accepting takes at RATE (2000) messages a second, against the disk's own sync
server idle [CLIENTS]       memory of CLIENTS (1000) idle connections, and all of them closed at once
server backlog [MESSAGES]   the file's size after MESSAGES (12000) of 100 KiB were queued and are gone";

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let number = words.next().map(|word| word.parse()).transpose()?;
    match what.as_str() {
        "restart" => restart::measure(number.unwrap_or(1_000_000)),
        "priority" => priority::measure(number.unwrap_or(200_000)),
        "accept" => accept::measure(number.unwrap_or(2_000)),
        "idle" => idle::measure(number.unwrap_or(1_000)),
        "backlog" => backlog::measure(number.unwrap_or(12_000)),
        _ => {
            println!("{HELP}");
            Ok(())
        }
    }
}

/// Median, 99 % and the longest, in milliseconds.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times.get(((times.len().max(1) - 1) as f64 * share) as usize).map_or(0.0, millis);
    format!("{:.2} / {:.2} / {:.2} ms (median, 99 %, longest of {})", at(0.5), at(0.99), at(1.0), times.len())
}

fn millis(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
