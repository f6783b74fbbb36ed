//! A start with a large queue: when the first client is greeted, how long its messages take while the
//! queue is filled, when all is scheduled, and what memory it takes then.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::client::{Client, letter};
use crate::fill::{Fill, fill};
use crate::process::{Server, empty_folder, spool_folder};
use crate::{Result, millis, spread};

pub fn measure(parts: u64) -> Result<()> {
    let dir = empty_folder()?;
    let begun = Instant::now();
    fill(&spool_folder(&dir), Fill { messages: parts, domains: (parts / 10).max(1), octets: 500 })?;
    println!("{parts} parts over {} domains queued in {:.1?}", (parts / 10).max(1), begun.elapsed());

    // A port that nobody listens on: bound, so that nobody else takes it, and not listening.
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut server = Server::start(&dir, closed)?;
    let mut client = Client::connect(&server.address)?;
    client.hello()?;
    println!("ready after {:.0} ms", millis(&server.ready_after));
    let (mut times, letter) = (Vec::new(), letter("hello", 1000));
    let scheduled = loop {
        times.push(client.submit("you@example.net", &letter)?);
        if let Some(after) = server.has_said("are in the queue") {
            break after;
        }
    };
    println!("all scheduled after {:.0} ms, {:.1?} of processor time", millis(&scheduled), server.cpu());
    println!("accepting meanwhile: {}", spread(times));
    for _ in 0..3 {
        std::thread::sleep(Duration::from_secs(5));
        let octets = server.memory() * 1_048_576.0 / parts as f64;
        println!(
            "memory {:.0} MiB ({octets:.0} octets a part), {:.1?} of processor time",
            server.memory(),
            server.cpu()
        );
    }
    Ok(())
}
