//! A server that runs as a process, a client that speaks to it line by line, and a receiver.

#![allow(clippy::unwrap_used, dead_code, reason = "a test fails by a panic; each test file uses its part")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Place;

/// Long, because tests may run on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A server in its own folder; killed if a test leaves it behind.
pub struct Server {
    pub place: Place,
    pub child: Child,
    lines: Receiver<String>,
    pub said: String,
    /// Of the first listener.
    pub address: String,
}

impl Server {
    /// All its mail goes to `relay`, a port on loopback.
    pub fn start(relay: u16) -> Server {
        Server::with(relay, "")
    }

    pub fn with(relay: u16, more: &str) -> Server {
        let user = if nix::unistd::geteuid().is_root() { "user = \"root\"\n" } else { "" };
        let place = Place::new(&format!(
            "hostname = \"mail.example.com\"\nstate = \"state\"\n{user}\
             [resolver]\nservers = \"127.0.0.1:9\"\ndnssec = false\n\
             [retry]\nfirst = \"1s\"\npause = \"1s\"\n\
             [[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n\
             [[route]]\nhost = \"127.0.0.1\"\nport = {relay}\ntls = \"none\"\n\
             [sendmail]\naccount = \"local\"\n\
             [[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n\
             [[account]]\nname = \"local\"\ndomains = \"example.com\"\naddresses = \"127.0.0.1\"\n{more}"
        ));
        Server::start_in(place)
    }

    pub fn start_in(place: Place) -> Server {
        let command = place.command(&["serve"]);
        Server::run(place, command)
    }

    /// Started by a command of the test's own.
    pub fn run(place: Place, mut command: std::process::Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut server = Server { place, child, lines, said: String::new(), address: String::new() };
        let ready = server.wait_for("repute: ready");
        server.address = ready.split("submission=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        server
    }

    /// The next line that holds `text`.
    pub fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.said += &format!("{line}\n");
            if line.contains(text) {
                return line;
            }
        }
        panic!("the server did not say {text:?}; it said:\n{}", self.said);
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub fn wait_for_end(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not end; it said:\n{}", self.said);
    }

    /// `kill -9`, and waits until it is gone. A server that had ended by itself fails the test.
    pub fn kill(mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the server had ended by itself with {status}; it said:\n{}", self.said);
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends one message over SMTP; the reply to its end.
    pub fn submit(&self, to: &str) -> String {
        let mut talk = Talk::to(&self.address);
        talk.say("EHLO client.example", "250");
        talk.say("MAIL FROM:<shop@example.com>", "250");
        talk.say(&format!("RCPT TO:<{to}>"), "250");
        talk.say("DATA", "354");
        talk.say(&format!("From: shop@example.com\r\nTo: {to}\r\nSubject: hello\r\n\r\nhello\r\n."), "250")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A dialogue, line by line.
pub struct Talk(BufReader<Box<dyn Stream>>);

pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Talk {
    pub fn to(address: &str) -> Talk {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Talk::over(stream)
    }

    /// Over the socket of the sendmail command, behind its welcome.
    pub fn locally(socket: &Path) -> Talk {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut octet = [0];
        while octet != *b"\n" {
            stream.read_exact(&mut octet).unwrap();
        }
        Talk::over(stream)
    }

    pub fn over(stream: impl Stream + 'static) -> Talk {
        let mut talk = Talk(BufReader::new(Box::new(stream)));
        talk.hear("220");
        talk
    }

    /// The server has closed the connection.
    pub fn ended(&mut self) {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }

    pub fn say(&mut self, line: &str, expect: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.hear(expect)
    }

    pub fn hear(&mut self, expect: &str) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            assert!(line.starts_with(expect), "expected {expect}, heard {line:?}");
            if line.as_bytes().get(3) == Some(&b' ') {
                return line;
            }
        }
    }
}

/// A receiver that takes everything and passes it to the test.
pub fn receiver() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (send, got) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let send = send.clone();
            std::thread::spawn(move || receive(stream, &send));
        }
    });
    (port, got)
}

fn receive(stream: TcpStream, send: &std::sync::mpsc::Sender<String>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut say = move |text: &str| writer.write_all(format!("{text}\r\n").as_bytes()).ok();
    let mut lines = BufReader::new(stream).lines();
    say("220 sink.test")?;
    loop {
        let line = lines.next()?.ok()?;
        match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                say("354 go on")?;
                let mut content = String::new();
                loop {
                    let line = lines.next()?.ok()?;
                    if line == "." {
                        break;
                    }
                    content += &format!("{line}\n");
                }
                send.send(content).ok()?;
                say("250 2.0.0 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        };
    }
}

/// A port that nobody listens on.
pub fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
