//! A backlog of large messages goes out: how large the spool's files are at its height and after it.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::Result;
use crate::fill::{Fill, fill};
use crate::process::{Server, empty_folder, spool_folder};
use crate::sink::Sink;

pub fn measure(messages: u64) -> Result<()> {
    let dir = empty_folder()?;
    let spool = spool_folder(&dir);
    fill(&spool, Fill { messages, domains: 100, octets: 100 << 10 })?;
    println!("{messages} messages of 100 KiB: {:.0} MiB", size(&spool)?);
    let (tell, _told) = channel();
    let sink = Sink::start(Duration::ZERO, "none", tell)?;
    let (server, begun) = (Server::start(&dir, sink.port)?, Instant::now());
    while sink.taken.load(Ordering::Relaxed) < messages {
        std::thread::sleep(Duration::from_millis(100));
        assert!(begun.elapsed() < Duration::from_secs(300), "all is delivered within five minutes");
    }
    println!("delivered in {:.1?}: {:.0} MiB, memory {:.0} MiB", begun.elapsed(), size(&spool)?, server.memory());
    for _ in 0..6 {
        std::thread::sleep(Duration::from_secs(5));
        println!("after {:.0?}: {:.0} MiB, memory {:.0} MiB", begun.elapsed(), size(&spool)?, server.memory());
    }
    Ok(())
}

/// Of the database and its log, in MiB; the reserve is not counted.
fn size(spool: &Path) -> Result<f64> {
    let mut octets = 0;
    for entry in std::fs::read_dir(spool)? {
        let entry = entry?;
        if entry.file_name() != "reserve" {
            octets += entry.metadata()?.len();
        }
    }
    Ok(octets as f64 / 1_048_576.0)
}
