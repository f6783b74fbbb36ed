//! The server as a process: it says that it is ready, takes mail, keeps it, answers the
//! command line, reloads, and ends in order.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::Place;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(30);

/// A server in its own folder; killed if a test leaves it behind.
struct Server {
    place: Place,
    child: Child,
    lines: Receiver<String>,
    said: String,
    address: String,
}

impl Server {
    /// All its mail goes to `relay`, a port on loopback.
    fn start(relay: u16) -> Server {
        Server::with(relay, "")
    }

    fn with(relay: u16, more: &str) -> Server {
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

    fn start_in(place: Place) -> Server {
        let mut child = place.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut server = Server { place, child, lines, said: String::new(), address: String::new() };
        let ready = server.wait_for("repute: ready");
        server.address = ready.split("submission=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        server
    }

    /// The next line that holds `text`.
    fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.said += &format!("{line}\n");
            if line.contains(text) {
                return line;
            }
        }
        panic!("the server did not say {text:?}; it said:\n{}", self.said);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn wait_for_end(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not end; it said:\n{}", self.said);
    }

    /// Sends one message over SMTP; the reply to its end.
    fn submit(&self, to: &str) -> String {
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
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn to(address: &str) -> Talk {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut talk = Talk(BufReader::new(stream));
        talk.hear("220");
        talk
    }

    fn say(&mut self, line: &str, expect: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.hear(expect)
    }

    fn hear(&mut self, expect: &str) -> String {
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
fn receiver() -> (u16, Receiver<String>) {
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
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_message_is_taken_delivered_and_accounted_for() {
    let (port, got) = receiver();
    let mut server = Server::start(port);
    let reply = server.submit("bob@example.net");
    let content = got.recv_timeout(PATIENCE).unwrap();
    assert!(content.contains("Message-ID: <"), "{content}");
    server.wait_for("delivered ");
    let id = reply.split(' ').find(|word| word.len() == 13).unwrap_or_else(|| panic!("no id in {reply}")).to_owned();
    for about in [id.as_str(), "bob@example.net"] {
        let why = server.place.run(&["why", about]).good();
        assert!(why.contains("accepted from <shop@example.com>"), "{why}");
        assert!(why.contains("delivered bob@example.net"), "{why}");
    }
    let status = server.place.run(&["status"]).good();
    assert!(status.starts_with("running: 0 part(s) queued"), "{status}");

    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_for_end(), 0);
    // What happened is known without a server, too.
    let why = server.place.run(&["why", &id]).good();
    assert!(why.contains("delivered bob@example.net"), "{why}");
    assert!(!server.place.path("state/control.sock").exists());
}

#[test]
fn what_waits_can_be_listed_held_released_and_cancelled() {
    let mut server = Server::start(closed_port());
    server.submit("bob@example.net");
    server.wait_for("deferred ");
    let list = server.place.run(&["queue", "list"]).good();
    assert!(list.contains("bob@example.net"), "{list}");
    let show = server.place.run(&["queue", "show", "--domain", "example.net"]).good();
    assert!(show.contains("shop@example.com"), "{show}");

    server.place.run(&["queue", "hold", "--domain", "example.net", "--reason", "a test"]).good();
    let held = server.place.run(&["queue", "list", "--held"]).good();
    assert!(held.contains("a test"), "{held}");
    assert_eq!(server.place.run(&["queue", "hold", "--domain", "other.test"]).code, 1);

    // It outlives a restart.
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_for_end(), 0);
    let offline = server.place.run(&["queue", "list", "--held"]).good();
    assert!(offline.contains("a test"), "{offline}");
    let config = server.place.read("repute.toml");
    let state = server.place.path("state");
    let again = Place::new(&config.replace("\"state\"", &format!("\"{}\"", state.display())));
    let mut second = Server::start_in(again);
    let held = second.place.run(&["queue", "list", "--held"]).good();
    assert!(held.contains("a test"), "{held}");

    second.place.run(&["queue", "release", "--all"]).good();
    second.wait_for("deferred ");
    let gone = second.place.run(&["queue", "cancel", "--sender", "@example.com"]).good();
    assert!(gone.contains('1'), "{gone}");
    let until = Instant::now() + PATIENCE;
    while second.place.run(&["queue", "list"]).code == 0 {
        assert!(Instant::now() < until, "the cancelled message stays");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn sendmail_submits_as_its_user() {
    let (port, got) = receiver();
    let server = Server::start(port);
    let mail = "From: root (Cron Daemon)\nTo: bob@example.net\nBcc: secret@example.net\nSubject: cron\n\nit ran\n";
    let run = server.place.run_with(&["sendmail", "-t", "-oi"], mail);
    assert_eq!(run.code, 0, "{}", run.err);
    let content = got.recv_timeout(PATIENCE).unwrap();
    assert!(content.contains("From: root@example.com (Cron Daemon)"), "{content}");
    assert!(!content.contains("secret@example.net"), "{content}");

    let forged = server.place.run_with(&["sendmail", "-f", "ceo@other.test", "bob@example.net"], "hello\n");
    assert_eq!(forged.code, 77, "{}", forged.err);
    assert!(forged.err.contains("other.test"), "{}", forged.err);

    let smtp = "EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n\
                From: a@example.com\r\nSubject: by pipe\r\n\r\nhello\r\n.\r\nQUIT\r\n";
    let piped = server.place.run_with(&["sendmail", "-bs"], smtp);
    assert_eq!(piped.code, 0, "{}", piped.err);
    assert!(piped.out.starts_with("220 mail.example.com"), "{}", piped.out);
    assert!(piped.out.contains("\r\n221 "), "{}", piped.out);
    let content = got.recv_timeout(PATIENCE).unwrap();
    assert!(content.contains("Subject: by pipe"), "{content}");
}

#[test]
fn send_prints_the_conversation() {
    let (port, got) = receiver();
    let server = Server::start(port);
    let ca = server.place.path("state/tls/certificate.pem");
    let to = ["--from", "shop@example.com", "--to", "bob@example.net", "--server", &server.address];
    let plain =
        server.place.run(&[&["send", "--tls", "none", "--subject", "Grüße", "--text", "hällo"], &to[..]].concat());
    assert!(plain.good().contains("C: MAIL FROM:<shop@example.com>"));
    let content = got.recv_timeout(PATIENCE).unwrap();
    assert!(content.contains("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?="), "{content}");
    // The self-signed certificate names the server, not 127.0.0.1.
    let strict = server.place.run(&[&["send", "--ca", ca.to_str().unwrap(), "--text", "x"], &to[..]].concat());
    assert_eq!(strict.code, 1, "{}", strict.out);
    let lax = server.place.run(&[&["send", "--insecure", "--text", "x", "--html", "<p>x"], &to[..]].concat()).good();
    assert!(lax.contains("TLSv1.3"), "{lax}");
    let refused = server.place.run(&[
        "send",
        "--from",
        "x@other.test",
        "--to",
        "bob@example.net",
        "--tls",
        "none",
        "--server",
        &server.address,
    ]);
    assert_eq!(refused.code, 1, "{}", refused.out);
}

#[test]
fn a_reload_takes_on_what_it_can_and_says_what_it_cannot() {
    let (port, _got) = receiver();
    let mut server = Server::start(port);
    let config = server.place.read("repute.toml");
    let changed = config
        .replace("mail.example.com", "mx.example.com")
        .replace("[sendmail]", "[[domain]]\nname = \"example.org\"\ndanger_unsigned = true\n[sendmail]")
        .replace("domains = \"example.com\"", "domains = [\"example.com\", \"example.org\"]");
    std::fs::write(server.place.path("repute.toml"), changed).unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for("repute: reloaded");
    server.wait_for("hostname has changed and needs a restart");
    let mut talk = Talk::to(&server.address);
    talk.say("EHLO client.example", "250");
    talk.say("MAIL FROM:<new@example.org>", "250");

    std::fs::write(server.place.path("repute.toml"), "host = 5\n").unwrap();
    server.signal(Signal::SIGHUP);
    server.wait_for("not reloaded, everything stays as it was");
    talk.say("RSET", "250");
    talk.say("MAIL FROM:<new@example.org>", "250");
}

#[test]
fn a_second_server_on_the_same_state_is_refused() {
    let server = Server::start(closed_port());
    let mut second = server.place.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(1));
    assert!(said.contains("another server runs already"), "{said}");
    server.place.run(&["status"]).good();
}
