//! Receivers with a will of their own. Each has a habit until some time; then it is a good
//! server, so that what waits for it goes out; or it never gets better, and mail to it expires.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use repute_net::ConnectKind;
use repute_testkit::TokioClock;
use repute_types::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

use super::book::Book;
use super::text::fault;

/// Where mail leaves from.
pub const EGRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), IpAddr::V4(Ipv4Addr::new(203, 0, 113, 11))];

pub const TURNED_AWAY: &str = "550 5.7.1 Client host blocked: part of its network is on our block list (S3150)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Will {
    Good,
    /// 451 until so long after a recipient was first named.
    Greylists(Duration),
    /// No connection can be made.
    Down(ConnectKind),
    /// 421, and closes, at the n-th command of each session; 0 is the greeting.
    Says421(u32),
    /// Closes without a word at the n-th command; 0 is the greeting.
    Leaves(u32),
    LeavesInContent,
    /// An octet of its replies in so long.
    Slow(Duration),
    /// Listens, and says nothing for ever.
    Silent,
    /// 550 for one user in three.
    RejectsUsers,
    /// 452 for more recipients in a transaction.
    TakesFew(usize),
    /// Takes the message and closes before it has said so.
    LosesReply,
    /// Its reply to EHLO has no end.
    Endless,
    /// Offers STARTTLS and cannot.
    BrokenTls,
    /// 452 after the content.
    FullBox,
    /// 554 after the content.
    RefusesContent,
    /// 421 to sessions beyond this many.
    FewSessions(usize),
    /// 550 for all that comes from the address of ours of this place.
    TurnsAway(usize),
}

#[derive(Clone, Debug)]
pub struct Habit {
    pub will: Will,
    pub until: Timestamp,
    pub pipelining: bool,
    pub chunking: bool,
    pub dsn: bool,
    /// What a network and a server take before a reply.
    pub latency: Duration,
}

pub struct Site {
    pub habit: Habit,
    pub book: Arc<Book>,
    pub clock: TokioClock,
    first_named: Mutex<HashMap<String, Timestamp>>,
    sessions: AtomicUsize,
    pub most_sessions: AtomicUsize,
}

/// A session ends early.
struct Gone;

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Gone {
        Gone
    }
}

/// One session, as the receiver lives it.
struct Visit<'a> {
    site: &'a Site,
    wire: BufReader<DuplexStream>,
    will: Will,
    /// Our address.
    client: Option<IpAddr>,
    commands: u32,
    null_sender: bool,
    /// When MAIL was heard.
    mail_at: Timestamp,
    to: Vec<String>,
    /// The session's line that was read last.
    line: String,
}

impl Site {
    pub fn new(habit: Habit, book: Arc<Book>, clock: TokioClock) -> Site {
        Site {
            habit,
            book,
            clock,
            first_named: Mutex::default(),
            sessions: AtomicUsize::new(0),
            most_sessions: AtomicUsize::new(0),
        }
    }

    fn will(&self) -> Will {
        if self.clock.steady() < self.habit.until { self.habit.will } else { Will::Good }
    }

    pub async fn serve(self: Arc<Self>, stream: DuplexStream, client: Option<IpAddr>) {
        let now = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_sessions.fetch_max(now, Ordering::Relaxed);
        let wire = BufReader::new(stream);
        let will = self.will();
        let mut visit = Visit {
            site: &self,
            wire,
            will,
            client,
            commands: 0,
            null_sender: false,
            mail_at: Timestamp(0),
            to: Vec::new(),
            line: String::new(),
        };
        let _ = visit.session().await;
        drop(visit);
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }

    /// How long after its beginning an attempt may get to MAIL here: the time that opening the
    /// session can have taken.
    fn patience(&self) -> Duration {
        match self.habit.will {
            Will::Slow(_) | Will::Silent | Will::Endless | Will::Down(_) => Duration::from_secs(3600),
            // A hundred recipients may have come in a transaction before this one.
            _ => 150 * self.habit.latency + Duration::from_millis(50),
        }
    }
}

impl Visit<'_> {
    async fn session(&mut self) -> Result<(), Gone> {
        match self.will {
            Will::Silent => return self.hear_all().await,
            Will::FewSessions(most) if self.site.sessions.load(Ordering::Relaxed) > most => {
                return self.say("421 4.7.0 too many connections").await;
            }
            _ => {}
        }
        self.check_step().await?;
        self.say("220 receiver.test").await?;
        loop {
            self.line.clear();
            if self.wire.read_line(&mut self.line).await? == 0 {
                return Ok(());
            }
            self.commands += 1;
            let command = self.line.trim_end().to_owned();
            self.check_step().await?;
            if !self.command(&command).await? {
                return Ok(());
            }
        }
    }

    /// Ends the session here if that is this receiver's will.
    async fn check_step(&mut self) -> Result<(), Gone> {
        match self.will {
            Will::Leaves(at) if at == self.commands => Err(Gone),
            Will::Says421(at) if at == self.commands => {
                self.say("421 4.3.2 not now").await?;
                Err(Gone)
            }
            _ => Ok(()),
        }
    }

    /// Whether the session goes on.
    async fn command(&mut self, command: &str) -> Result<bool, Gone> {
        let upper = command.to_ascii_uppercase();
        if upper.starts_with("EHLO") {
            self.ehlo().await?;
        } else if upper == "STARTTLS" {
            self.say("220 2.0.0 go on").await?;
            self.say("this is no TLS").await?;
            return Ok(false);
        } else if upper.starts_with("MAIL FROM:") {
            self.null_sender = command.contains("<>");
            self.mail_at = self.site.clock.steady();
            self.to.clear();
            self.say("250 2.1.0 ok").await?;
        } else if upper.starts_with("RCPT TO:") {
            let who = inside(command);
            let reply = self.rcpt(&who);
            if reply.starts_with('2') {
                self.to.push(who);
            }
            self.say(reply).await?;
        } else if upper == "DATA" {
            if self.to.is_empty() {
                self.say("554 5.5.1 no recipients").await?;
            } else {
                self.say("354 go on").await?;
                let content = self.data().await?;
                self.take(&content).await?;
            }
        } else if upper.starts_with("BDAT") {
            let size = upper.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
            let mut content = vec![0; size];
            self.wire.read_exact(&mut content).await?;
            if !upper.ends_with("LAST") {
                self.site.book.breach(format!("content in several BDATs: {upper}"));
            }
            if self.to.is_empty() {
                self.say("554 5.5.1 no recipients").await?;
            } else {
                self.take(&String::from_utf8_lossy(&content)).await?;
            }
        } else if upper == "QUIT" {
            self.say("221 2.0.0 bye").await?;
            return Ok(false);
        } else {
            self.say("250 2.0.0 ok").await?;
        }
        Ok(true)
    }

    async fn ehlo(&mut self) -> Result<(), Gone> {
        if self.will == Will::Endless {
            loop {
                for _ in 0..100 {
                    self.say("250-and another thing").await?;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let habit = &self.site.habit;
        let mut reply = String::from("250-receiver.test\r\n250-8BITMIME\r\n");
        for (offered, word) in [
            (habit.pipelining, "PIPELINING"),
            (habit.chunking, "CHUNKING"),
            (habit.dsn, "DSN"),
            (self.will == Will::BrokenTls, "STARTTLS"),
        ] {
            if offered {
                reply += &format!("250-{word}\r\n");
            }
        }
        self.say(&(reply + "250 ENHANCEDSTATUSCODES")).await
    }

    fn rcpt(&self, who: &str) -> &'static str {
        // Notices go to the submitters' own domain, which no line is about.
        if !who.ends_with("@example.com") {
            self.site.book.asked(who, self.mail_at, self.site.patience());
        }
        match self.will {
            Will::TurnsAway(place) if self.client == Some(EGRESSES[place]) => TURNED_AWAY,
            Will::RejectsUsers if who.len().is_multiple_of(3) => "550 5.1.1 no such user",
            Will::TakesFew(most) if self.to.len() >= most => "452 4.5.3 too many recipients",
            Will::Greylists(wait) => {
                let now = self.site.clock.steady();
                let mut named = self.site.first_named.lock().unwrap();
                let first = *named.entry(who.to_owned()).or_insert(now);
                if now.since(first) < wait { "451 4.7.1 greylisted, come back" } else { "250 2.1.5 ok" }
            }
            _ => "250 2.1.5 ok",
        }
    }

    /// The content, or `Gone` where the client or we leave before its end.
    async fn data(&mut self) -> Result<String, Gone> {
        let mut content = String::new();
        loop {
            self.line.clear();
            if self.wire.read_line(&mut self.line).await? == 0 {
                return Err(Gone);
            }
            if self.line == ".\r\n" {
                return Ok(content);
            }
            content.push_str(self.line.strip_prefix('.').unwrap_or(&self.line));
            if self.will == Will::LeavesInContent {
                return Err(Gone);
            }
        }
    }

    async fn take(&mut self, content: &str) -> Result<(), Gone> {
        match self.will {
            Will::FullBox => return self.say("452 4.2.2 the box is full").await,
            Will::RefusesContent => return self.say("554 5.7.1 we do not want this").await,
            _ => {}
        }
        let to = std::mem::take(&mut self.to);
        let (book, life) = (&self.site.book, self.site.book.life());
        let own = to.iter().any(|who| who.ends_with("@example.com"));
        if own && self.null_sender {
            self.notice(content);
        }
        for who in to.iter().filter(|_| !own) {
            if let Some(fault) = fault(content, who) {
                book.breach(format!("{who} {fault}: {content:?}"));
            }
            book.taken(who, self.site.habit.dsn);
        }
        if self.will == Will::LosesReply {
            return Err(Gone);
        }
        self.say("250 2.0.0 taken").await?;
        for who in &to {
            book.answered(who, life);
        }
        Ok(())
    }

    fn notice(&self, content: &str) {
        let value = |name: &str| {
            let line = content.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let id = value("Message-ID:");
        let lines: Vec<&str> = content.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(who) = line.strip_prefix("Final-Recipient: rfc822; ") else { continue };
            let action = lines[at..].iter().find_map(|line| line.strip_prefix("Action: ")).unwrap_or_default();
            self.site.book.notice(&id, action, who);
        }
    }

    async fn say(&mut self, reply: &str) -> Result<(), Gone> {
        let octets = format!("{reply}\r\n");
        if let Will::Slow(pause) = self.will {
            for octet in octets.as_bytes() {
                tokio::time::sleep(pause).await;
                self.wire.write_all(std::slice::from_ref(octet)).await?;
            }
            return Ok(());
        }
        if self.will != Will::Endless {
            tokio::time::sleep(self.site.habit.latency).await;
        }
        Ok(self.wire.write_all(octets.as_bytes()).await?)
    }

    async fn hear_all(&mut self) -> Result<(), Gone> {
        let mut some = [0; 512];
        while self.wire.read(&mut some).await? > 0 {}
        Ok(())
    }
}

fn inside(command: &str) -> String {
    command.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
