//! Transactional mail while much bulk mail is due to the same site, which takes its time: how long
//! from its 250 to the beginning of its own transaction.

use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::client::{Client, letter};
use crate::fill::{Fill, fill};
use crate::process::{Server, empty_folder, spool_folder};
use crate::sink::Sink;
use crate::{Result, spread};

/// How long the site takes for each message.
const DELAY: Duration = Duration::from_millis(200);
const LETTERS: usize = 300;

pub fn measure(parts: u64) -> Result<()> {
    let dir = empty_folder()?;
    fill(&spool_folder(&dir), Fill { messages: parts, domains: 100, octets: 2000 })?;
    let (tell, told) = channel();
    let sink = Sink::start(DELAY, "receipt", tell)?;
    let mut server = Server::start(&dir, sink.port)?;
    server.wait_for("are in the queue")?;
    let mut client = Client::connect(&server.address)?;
    client.hello()?;
    let mut waits = Vec::new();
    for number in 0..LETTERS {
        let subject = format!("receipt {number}");
        client.submit("you@example.net", &letter(&subject, 1000))?;
        let accepted = Instant::now();
        let (started, arrived) = told.recv_timeout(Duration::from_secs(60))?;
        assert_eq!(arrived, subject, "one is under way at a time");
        waits.push(started.saturating_duration_since(accepted));
        std::thread::sleep(Duration::from_millis(50));
    }
    let bulk = sink.taken.load(Ordering::Relaxed) as usize - LETTERS;
    println!("{bulk} bulk messages of {parts} went out meanwhile, {DELAY:?} each");
    println!("from 250 to the start of its transaction: {}", spread(waits));
    Ok(())
}
