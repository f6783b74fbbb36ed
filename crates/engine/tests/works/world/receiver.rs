//! A receiver with a will of its own, speaking SMTP over a stream in memory.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::Instant;

/// A message as a receiver took it.
#[derive(Clone, Debug)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

/// What a receiver says to RCPT, given the address and how often it was asked about it.
pub type Judge = dyn Fn(&str, u32) -> &'static str + Send + Sync;

pub struct Receiver {
    pub taken: Mutex<Vec<Taken>>,
    pub sessions: Mutex<u32>,
    open: Mutex<u32>,
    most: Mutex<u32>,
    /// What it offers beside what it always does: lines of EHLO's reply.
    offers: Mutex<&'static str>,
    /// Before it answers the end of a message.
    ponders: Mutex<Duration>,
    /// What it says first; anything but 220 ends the session.
    greeting: Mutex<&'static str>,
    /// Before it greets, session by session.
    greets_after: Mutex<VecDeque<Duration>>,
    /// When it heard MAIL.
    heard: Mutex<Vec<Instant>>,
    /// What it says to BDAT.
    to_chunks: Mutex<&'static str>,
    /// Whether it takes no session any more from the first BDAT on.
    leaves_at_chunks: Mutex<bool>,
    judge: Box<Judge>,
    asked: Mutex<HashMap<String, u32>>,
    /// Addresses from which it takes no mail, and what it says to RCPT of those.
    unwelcome: Mutex<HashMap<IpAddr, &'static str>>,
    /// How often those came by with a recipient.
    turned_away: Mutex<usize>,
}

impl Receiver {
    pub fn new(judge: impl Fn(&str, u32) -> &'static str + Send + Sync + 'static) -> Receiver {
        Receiver {
            taken: Mutex::default(),
            sessions: Mutex::default(),
            open: Mutex::default(),
            most: Mutex::new(u32::MAX),
            offers: Mutex::default(),
            ponders: Mutex::default(),
            greeting: Mutex::new("220 receiver.test"),
            greets_after: Mutex::default(),
            heard: Mutex::default(),
            leaves_at_chunks: Mutex::default(),
            to_chunks: Mutex::new("502 5.5.1 what is that"),
            judge: Box::new(judge),
            asked: Mutex::default(),
            unwelcome: Mutex::default(),
            turned_away: Mutex::default(),
        }
    }

    pub async fn serve(
        self: Arc<Self>,
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
        client: Option<IpAddr>,
    ) {
        let mut wire = BufReader::new(stream);
        if *self.open.lock().unwrap() >= *self.most.lock().unwrap() {
            let _ = wire.write_all(b"421 4.7.0 too many sessions\r\n").await;
            return;
        }
        *self.sessions.lock().unwrap() += 1;
        *self.open.lock().unwrap() += 1;
        self.clone().converse(wire, client).await;
        *self.open.lock().unwrap() -= 1;
    }

    async fn converse<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
        self: Arc<Self>,
        mut wire: BufReader<S>,
        client: Option<IpAddr>,
    ) {
        let (mut from, mut to) = (String::new(), Vec::new());
        let greets_after = self.greets_after.lock().unwrap().pop_front().unwrap_or_default();
        tokio::time::sleep(greets_after).await;
        let unwelcome = client.and_then(|client| self.unwelcome.lock().unwrap().get(&client).copied());
        let greeting = *self.greeting.lock().unwrap();
        let _ = wire.write_all(format!("{greeting}\r\n").as_bytes()).await;
        if !greeting.starts_with("220") {
            return;
        }
        let mut line = String::new();
        while wire.read_line(&mut line).await.is_ok_and(|n| n > 0) {
            let command = line.trim_end().to_owned();
            line.clear();
            let upper = command.to_ascii_uppercase();
            let reply = if upper.starts_with("EHLO") {
                let offers = *self.offers.lock().unwrap();
                format!("250-receiver.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n{offers}250 ENHANCEDSTATUSCODES")
            } else if upper.starts_with("MAIL FROM:") {
                from = inside(&command);
                self.heard.lock().unwrap().push(Instant::now());
                to.clear();
                "250 2.1.0 ok".to_owned()
            } else if upper.starts_with("RCPT TO:") {
                let who = inside(&command);
                let times = {
                    let mut asked = self.asked.lock().unwrap();
                    let times = asked.entry(who.clone()).or_default();
                    *times += 1;
                    *times
                };
                let reply = unwelcome.unwrap_or_else(|| (self.judge)(&who, times));
                *self.turned_away.lock().unwrap() += usize::from(unwelcome.is_some());
                if reply.starts_with('2') {
                    to.push(who);
                }
                reply.to_owned()
            } else if upper == "DATA" && to.is_empty() {
                "554 5.5.1 no recipients".to_owned()
            } else if upper == "DATA" {
                let _ = wire.write_all(b"354 go\r\n").await;
                let mut text = String::new();
                loop {
                    line.clear();
                    if wire.read_line(&mut line).await.is_ok_and(|n| n == 0) {
                        return;
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                line.clear();
                let ponders = *self.ponders.lock().unwrap();
                tokio::time::sleep(ponders).await;
                self.taken.lock().unwrap().push(Taken { from: from.clone(), to: std::mem::take(&mut to), text });
                "250 2.0.0 taken".to_owned()
            } else if let Some(octets) = upper.strip_prefix("BDAT ").and_then(|rest| rest.split(' ').next()) {
                let mut chunk = vec![0; octets.parse().unwrap()];
                if wire.read_exact(&mut chunk).await.is_err() {
                    return;
                }
                if *self.leaves_at_chunks.lock().unwrap() {
                    self.at_most(0);
                }
                (*self.to_chunks.lock().unwrap()).to_owned()
            } else if upper == "QUIT" {
                let _ = wire.write_all(b"221 2.0.0 bye\r\n").await;
                return;
            } else {
                "250 2.0.0 ok".to_owned()
            };
            let _ = wire.write_all(format!("{reply}\r\n").as_bytes()).await;
        }
    }

    /// From now on it says this to RCPT from an address of ours.
    pub fn turns_away(&self, address: IpAddr, reply: &'static str) {
        self.unwelcome.lock().unwrap().insert(address, reply);
    }

    /// It takes mail from all addresses again.
    pub fn welcomes_all(&self) {
        self.unwelcome.lock().unwrap().clear();
    }

    /// How many recipients were refused because of an address.
    pub fn turned_away(&self) -> usize {
        *self.turned_away.lock().unwrap()
    }

    /// From now on one more session than this is refused.
    pub fn at_most(&self, sessions: u32) {
        *self.most.lock().unwrap() = sessions;
    }

    /// From now on it offers this too, `250-LIMITS MAILMAX=1\r\n`.
    pub fn offers(&self, line: &'static str) {
        *self.offers.lock().unwrap() = line;
    }

    /// From now on it offers CHUNKING, and takes nothing by it.
    pub fn fails_chunks(&self, reply: &'static str) {
        self.offers("250-CHUNKING\r\n");
        *self.to_chunks.lock().unwrap() = reply;
    }

    /// From the first BDAT on it takes no session.
    pub fn leaves_at_chunks(&self) {
        *self.leaves_at_chunks.lock().unwrap() = true;
    }

    pub fn greets(&self, with: &'static str) {
        *self.greeting.lock().unwrap() = with;
    }

    /// The next sessions are greeted so late.
    pub fn greets_after(&self, times: &[Duration]) {
        self.greets_after.lock().unwrap().extend(times);
    }

    /// Between one MAIL and the next.
    pub fn distances(&self) -> Vec<Duration> {
        self.heard.lock().unwrap().windows(2).map(|two| two[1] - two[0]).collect()
    }

    /// From now on it takes so long to answer the end of a message.
    pub fn ponders(&self, time: Duration) {
        *self.ponders.lock().unwrap() = time;
    }

    /// Sessions that are open now.
    pub fn open(&self) -> u32 {
        *self.open.lock().unwrap()
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

fn inside(command: &str) -> String {
    command.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
