//! What a line of the log costs the thread that reports it: `cargo run --release -p repute
//! --example log_cost -- [events]`. The event is the commonest and one of the longest: accepted.

#[path = "../src"]
#[allow(dead_code, reason = "the server uses the rest")]
mod server {
    pub mod log;
}

/// What the log takes of the configuration.
mod config {
    pub mod meant {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum LogFormat {
            Text,
            Json,
        }
    }
}

use std::time::{Duration, Instant};

use config::meant::LogFormat;
use repute_types::{Event, EventKind, MessageId, Timestamp, TlsAsked, TlsUsed, event};

/// Events between pauses, in which the writer catches up as it would in service.
const BURST: u32 = 5_000;

fn main() {
    let count: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(500_000);
    for format in [LogFormat::Text, LogFormat::Json] {
        let log = server::log::Log::to(format, std::io::sink()).expect("a thread can be started");
        let event = Event { at: Timestamp(1_795_485_950_120), kind: accepted() };
        let mut bursts = Vec::new();
        for _ in 0..count.div_ceil(BURST) {
            let start = Instant::now();
            (0..BURST).for_each(|_| log.record(&event));
            bursts.push(start.elapsed());
            std::thread::sleep(Duration::from_millis(25));
        }
        // The middle one: other programs had the processor in some.
        bursts.sort();
        let each = bursts[bursts.len() / 2].as_secs_f64() * 1e6 / f64::from(BURST);
        println!("{format:?}: {each:.2} µs an event");
    }
}

fn accepted() -> EventKind {
    EventKind::Accepted(event::Accepted {
        message: MessageId(7_000_000),
        account: Some("shop".into()),
        from: "shop@example.com".parse().ok(),
        recipients: "bob@example.net".parse().into_iter().collect(),
        recipient_count: 1,
        size: 4096,
        header_id: "6h0pkb0n00000@mail.example.com".into(),
        client: "192.0.2.7".parse().ok(),
        tls: Some(TlsUsed {
            version: "TLSv1.3".into(),
            cipher: "TLS13_AES_256_GCM_SHA384".into(),
            verified: false,
            asked: TlsAsked::Opportunistic,
        }),
        labels: None,
    })
}
