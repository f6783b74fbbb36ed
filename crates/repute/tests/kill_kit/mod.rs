//! What the tests need that kill the server: a house whose state outlives its servers, and a
//! sink whose replies a test holds in its hand.

#![allow(clippy::unwrap_used, dead_code, reason = "a test fails by a panic; each test file uses its part")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::Place;
use crate::common::server::{PATIENCE, Server};

/// A folder with configuration and state, used by one server after the other.
pub struct House {
    pub place: Place,
    pub sink: Sink,
}

impl House {
    /// All mail goes to a sink of its own; deferred mail is tried again after `retry`.
    pub fn new(retry: &str) -> House {
        let sink = Sink::open();
        let user = if nix::unistd::geteuid().is_root() { "user = \"root\"\n" } else { "" };
        let place = Place::new(&format!(
            "hostname = \"mail.example.com\"\nstate = \"state\"\n{user}\
             [resolver]\nservers = \"127.0.0.1:9\"\ndnssec = false\n\
             [suppression]\nunknown = \"1ms\"\n\
             [retry]\nfirst = \"{retry}\"\npause = \"1s\"\n\
             [[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n\
             [[route]]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n\
             [[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n\
             [[account]]\nname = \"local\"\ndomains = \"example.com\"\naddresses = \"127.0.0.1\"\n",
            sink.address.port()
        ));
        House { place, sink }
    }

    pub fn start(&self) -> Server {
        Server::start_in(self.place.clone())
    }

    /// What is on disk, as `repute queue list` reads it where no server runs: the recipients,
    /// the attempts and the state of each part.
    pub fn on_disk(&self) -> Vec<Waiting> {
        let run = self.place.run(&["queue", "list", "--json", "--limit", "100000"]);
        let value: Value = serde_json::from_str(&run.out).unwrap_or_else(|e| panic!("{e}: {}{}", run.out, run.err));
        let rows = value["rows"].as_array().cloned().unwrap_or_default();
        rows.iter().map(Waiting::read).collect()
    }

    /// Waits until nothing waits any more, by asking the running server.
    pub fn wait_until_empty(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.on_disk().is_empty() {
            assert!(Instant::now() < until, "still waiting: {:?}", self.on_disk());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub to: Vec<String>,
    pub state: String,
    pub attempts: u64,
}

impl Waiting {
    fn read(row: &Value) -> Waiting {
        let to = row["recipients"].as_array().unwrap();
        Waiting {
            to: to.iter().map(|r| r["address"].as_str().unwrap().to_owned()).collect(),
            state: row["state"].as_str().unwrap().to_owned(),
            attempts: row["attempts"].as_u64().unwrap(),
        }
    }
}

/// An SMTP client that stops where a test says. Every wait has an end; what cannot be said or
/// heard is `None`.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn to(address: &str) -> Option<Client> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        let mut client = Client(BufReader::new(stream));
        client.hear("220")?;
        client.say("EHLO client.example", "250")?;
        Some(client)
    }

    /// Up to the 354.
    pub fn begin(&mut self, to: &str) -> Option<()> {
        self.say("MAIL FROM:<shop@example.com>", "250")?;
        self.say(&format!("RCPT TO:<{to}>"), "250")?;
        self.say("DATA", "354").map(drop)
    }

    /// Header and body without the final dot.
    pub fn content(&mut self, tag: &str) -> Option<()> {
        self.send(&format!("From: shop@example.com\r\nSubject: killed\r\nX-Tag: {tag}\r\n\r\nhello\r\n"))
    }

    /// A whole message; `Some` where it was taken.
    pub fn submit(&mut self, to: &str, tag: &str) -> Option<()> {
        self.begin(to)?;
        self.content(tag)?;
        self.say(".", "250").map(drop)
    }

    pub fn send(&mut self, text: &str) -> Option<()> {
        self.0.get_mut().write_all(text.as_bytes()).ok()
    }

    pub fn say(&mut self, line: &str, expect: &str) -> Option<String> {
        self.send(&format!("{line}\r\n"))?;
        self.hear(expect)
    }

    /// The reply, which must begin so; `None` where the connection is lost.
    pub fn hear(&mut self, expect: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            // A server that is going down may say so.
            if line.starts_with("421") {
                return None;
            }
            assert!(line.starts_with(expect), "expected {expect}, heard {line:?}");
            if line.as_bytes().get(3) == Some(&b' ') {
                return Some(line);
            }
        }
    }
}

/// What the sink does with mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Takes,
    /// Waits after the final dot, without a reply, until the manner changes.
    HoldsReply,
    /// Waits after the 354 before it reads on.
    HoldsContent,
    /// Does not greet until the manner changes.
    Mute,
    /// 451 to RCPT.
    Defers,
    /// 550 to RCPT.
    Rejects,
}

#[derive(Clone, Debug)]
pub struct Taken {
    pub tag: String,
    /// From the null sender.
    pub notice: bool,
    pub at: Instant,
    pub text: String,
}

struct Shared {
    manner: Mutex<Manner>,
    changed: Condvar,
    taken: Mutex<Vec<Taken>>,
    /// How often it came so far: RCPT heard, DATA answered, content heard.
    heard: Mutex<Vec<&'static str>>,
}

pub struct Sink {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Sink {
    pub fn open() -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Takes),
            changed: Condvar::new(),
            taken: Mutex::default(),
            heard: Mutex::default(),
        });
        let for_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = for_thread.clone();
                std::thread::spawn(move || shared.session(stream));
            }
        });
        Sink { address, shared }
    }

    pub fn set(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
        self.shared.changed.notify_all();
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().unwrap().clone()
    }

    pub fn count(&self, tag: &str) -> usize {
        self.taken().iter().filter(|t| t.tag == tag && !t.notice).count()
    }

    pub fn notices(&self) -> usize {
        self.taken().iter().filter(|t| t.notice).count()
    }

    pub fn wait_for(&self, what: impl Fn(&Sink) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !what(self) {
            assert!(Instant::now() < until, "the sink has {:?} and heard {:?}", self.taken(), self.heard());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn heard(&self) -> Vec<&'static str> {
        self.shared.heard.lock().unwrap().clone()
    }

    pub fn times(&self, what: &str) -> usize {
        self.heard().iter().filter(|h| **h == what).count()
    }
}

impl Shared {
    fn heard(&self, what: &'static str) {
        self.heard.lock().unwrap().push(what);
    }

    fn is(&self, manner: Manner) -> bool {
        *self.manner.lock().unwrap() == manner
    }

    fn wait_while(&self, manner: Manner) {
        let guard = self.manner.lock().unwrap();
        drop(self.changed.wait_timeout_while(guard, PATIENCE, |now| *now == manner).unwrap());
    }

    fn session(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut writer = stream.try_clone().ok()?;
        let mut say = move |text: &str| writer.write_all(format!("{text}\r\n").as_bytes()).ok();
        let mut lines = BufReader::new(stream).lines();
        let mut notice = false;
        if self.is(Manner::Mute) {
            self.wait_while(Manner::Mute);
        }
        say("220 sink.test")?;
        loop {
            let line = lines.next()?.ok()?;
            match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
                "MAIL" => {
                    notice = line.contains("<>");
                    say("250 ok")?;
                }
                "RCPT" => {
                    self.heard("RCPT");
                    say(match *self.manner.lock().unwrap() {
                        Manner::Defers if !notice => "451 4.7.1 not now",
                        Manner::Rejects if !notice => "550 5.1.1 no such user",
                        _ => "250 ok",
                    })?;
                }
                "DATA" => {
                    say("354 go on")?;
                    self.heard("DATA");
                    if self.is(Manner::HoldsContent) {
                        self.wait_while(Manner::HoldsContent);
                    }
                    let mut text = String::new();
                    loop {
                        let line = lines.next()?.ok()?;
                        if line == "." {
                            break;
                        }
                        text += &format!("{line}\n");
                    }
                    let tag = text.lines().find_map(|l| l.strip_prefix("X-Tag: ")).unwrap_or_default().to_owned();
                    self.taken.lock().unwrap().push(Taken { tag, notice, at: Instant::now(), text });
                    self.heard("content");
                    if self.is(Manner::HoldsReply) {
                        self.wait_while(Manner::HoldsReply);
                    }
                    say("250 2.0.0 taken")?;
                    self.heard("reply");
                }
                "QUIT" => return say("221 bye"),
                _ => say("250 ok")?,
            }
        }
    }
}
