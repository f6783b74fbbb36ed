//! A receiver that takes everything after a delay and says when each subject arrived.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use crate::Result;

pub struct Sink {
    pub port: u16,
    pub taken: Arc<AtomicU64>,
}

impl Sink {
    /// Tells of the subjects that begin with a word.
    pub fn start(delay: Duration, word: &'static str, tell: Sender<(Instant, String)>) -> Result<Sink> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let taken = Arc::new(AtomicU64::new(0));
        let count = taken.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(|socket| socket.ok()) {
                let (tell, count) = (tell.clone(), count.clone());
                std::thread::spawn(move || {
                    // The server ends sessions as it likes.
                    let _ = session(socket, delay, word, &tell, &count);
                });
            }
        });
        Ok(Sink { port, taken })
    }
}

fn session(
    mut socket: TcpStream,
    delay: Duration,
    word: &str,
    tell: &Sender<(Instant, String)>,
    taken: &AtomicU64,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    socket.write_all(b"220 sink.example.net\r\n")?;
    let mut lines = BufReader::new(socket.try_clone()?).lines();
    while let Some(line) = lines.next().transpose()? {
        let reply = match line.get(..4).unwrap_or(&line) {
            "EHLO" => "250-sink.example.net\r\n250 PIPELINING\r\n",
            "QUIT" => return socket.write_all(b"221 bye\r\n"),
            "DATA" => {
                socket.write_all(b"354 go\r\n")?;
                let begun = Instant::now();
                for line in lines.by_ref().map_while(|line| line.ok()).take_while(|line| line != ".") {
                    if let Some(subject) = line.strip_prefix("Subject: ").filter(|s| s.starts_with(word)) {
                        // Nobody listens any more at the end of a run.
                        let _ = tell.send((begun, subject.to_owned()));
                    }
                }
                std::thread::sleep(delay);
                taken.fetch_add(1, Ordering::Relaxed);
                "250 2.0.0 taken\r\n"
            }
            _ => "250 2.0.0 ok\r\n",
        };
        socket.write_all(reply.as_bytes())?;
    }
    Ok(())
}
