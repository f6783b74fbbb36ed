//! How long accepting takes at a given rate, against what one sync of the same disk takes in the same
//! run: half of the peak, and the disk's, for the promise of two syncs.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::client::{Client, letter};
use crate::process::{Server, empty_folder};
use crate::sink::Sink;
use crate::{Result, millis, spread};

const CLIENTS: u32 = 20;
/// Long enough for a percentile of the disk: it is asked some forty times a second.
const LASTS: Duration = Duration::from_secs(60);

pub fn measure(rate: u64) -> Result<()> {
    let dir = empty_folder()?;
    let (tell, _told) = channel();
    let sink = Sink::start(Duration::ZERO, "none", tell)?;
    let server = Server::start(&dir, sink.port)?;
    println!("one sync of 8 KiB, nothing else going on: {}", spread(syncs(&dir, Duration::from_secs(3))?));
    let pause = Duration::from_secs(1) * CLIENTS / u32::try_from(rate)?;
    let cpu = server.cpu();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let address = server.address.clone();
            std::thread::spawn(move || submit_steadily(&address, pause, pause * number / CLIENTS).unwrap_or_default())
        })
        .collect();
    let beside = syncs(&dir, LASTS)?;
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.join().map_err(|_| "a client failed")?);
    }
    let each = (server.cpu() - cpu).as_secs_f64() * 1e6 / times.len() as f64;
    println!("accepted {:.0}/s, {each:.0} µs of processor time each", times.len() as f64 / LASTS.as_secs_f64());
    println!("one sync beside that load: {}", spread(beside));
    println!("from final dot to 250: {}", spread(times));
    Ok(())
}

/// A message each `pause`, on time: one that took long is followed by the next at once.
fn submit_steadily(address: &str, pause: Duration, first: Duration) -> Result<Vec<Duration>> {
    let mut client = Client::connect(address)?;
    client.hello()?;
    let letter = letter("hello", 4096);
    let (begun, mut due, mut times) = (Instant::now(), first, Vec::new());
    while due < LASTS {
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        times.push(client.submit("you@example.net", &letter)?);
        due += pause;
    }
    Ok(times)
}

/// What the disk itself takes: 8 KiB over what is there, then a sync, a few times a second.
fn syncs(dir: &Path, lasts: Duration) -> Result<Vec<Duration>> {
    let mut file = File::create(dir.join("sync"))?;
    file.write_all(&vec![0; 1 << 20])?;
    file.sync_all()?;
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed() < lasts {
        file.seek(std::io::SeekFrom::Start((times.len() % 128) as u64 * 8192))?;
        file.write_all(&[1; 8192])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    let longest = times.iter().max().map_or(0.0, millis);
    assert!(longest > 0.0, "a sync takes time");
    Ok(times)
}
