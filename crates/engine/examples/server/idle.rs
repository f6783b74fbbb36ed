//! Clients that connect, greet and say nothing more: what each takes of memory, whether the server
//! sleeps, and what happens when all of them leave at once.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::Result;
use crate::client::{Client, letter};
use crate::process::{Server, empty_folder};
use crate::sink::Sink;

pub fn measure(clients: u64) -> Result<()> {
    let dir = empty_folder()?;
    let (tell, _told) = channel();
    let sink = Sink::start(Duration::ZERO, "none", tell)?;
    let server = Server::start(&dir, sink.port)?;
    std::thread::sleep(Duration::from_secs(2));
    let before = server.memory();
    println!("nobody there: {before:.1} MiB");
    let mut open = Vec::new();
    for _ in 0..clients {
        let mut client = Client::connect(&server.address)?;
        client.hello()?;
        open.push(client);
    }
    each("greeted", &server, before, clients);
    let letter = letter("hello", 4096);
    for client in &mut open {
        client.submit("you@example.net", &letter)?;
    }
    std::thread::sleep(Duration::from_secs(7));
    each("after a message of 4 KiB each", &server, before, clients);
    let cpu = server.cpu();
    std::thread::sleep(Duration::from_secs(5));
    println!("processor time in 5 s of silence: {:?}", server.cpu() - cpu);
    let (cpu, begun) = (server.cpu(), Instant::now());
    drop(open);
    let mut client = Client::connect(&server.address)?;
    client.hello()?;
    let taken = client.submit("you@example.net", &letter)?;
    println!("all closed at once: another client's message {taken:.1?}, after {:.1?}", begun.elapsed());
    std::thread::sleep(Duration::from_secs(2));
    println!("that took {:?} of processor time; memory then {:.1} MiB", server.cpu() - cpu, server.memory());
    Ok(())
}

fn each(what: &str, server: &Server, before: f64, clients: u64) {
    let memory = server.memory();
    println!("{clients} {what}: {memory:.1} MiB, {:.1} KiB each", (memory - before) * 1024.0 / clients as f64);
}
