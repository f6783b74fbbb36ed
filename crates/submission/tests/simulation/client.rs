//! Clients of the SMTP listeners. What each is told about a message is what the book holds the works to: taken, refused,
//! or nothing at all. A client that was not answered may find that the message went; one that went away before it had
//! said the whole message may not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use repute_net::{MemoryNetwork, Network};
use repute_testkit::{TokioClock, Wire};
use repute_types::{Clock, Notify};
use tokio::time::Instant;

use super::book::{Book, Promise};
use super::plan::{Letter, MINUTE};
use super::scram;
use super::text::{Text, text};

/// Where the listeners are.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Longer than the server waits for a client, so that it is the server who loses patience.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// Connections that a client tries to send one letter over.
const TRIES: u32 = 5;

/// How a client behaves; every choice is made by itself.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub port: u16,
    pub login: Login,
    pub text: Text,
    /// Content in two chunks (RFC 3030) and not after DATA.
    pub chunks: bool,
    /// MAIL, RCPT and DATA, or all chunks, in one go (RFC 2920).
    pub pipelining: bool,
    /// So many octets, and then a pause.
    pub pace: Option<(usize, Duration)>,
    pub ends: Ends,
    /// Transactions of a connection, each with recipients of its own.
    pub messages: u32,
    /// Connections beside it that say nothing.
    pub crowd: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Known by its address.
    Address,
    /// TLS and the right password.
    Right,
    /// TLS and a wrong one, again and again.
    Wrong,
    /// Nobody that the server knows.
    Nobody,
}

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// With QUIT.
    Quit,
    /// Without it, once it was answered.
    Leaves,
    /// In the middle of the n-th thing that it says.
    At(u32),
    /// In the middle of the content.
    InContent,
    /// The content is said, and the answer not waited for: the 250 is lost.
    BeforeAnswer,
    /// Says nothing more before the n-th thing, for longer than the server waits.
    Idle(u32),
}

/// What a client needs to know.
#[derive(Clone)]
pub struct Client {
    pub network: Arc<MemoryNetwork>,
    pub book: Arc<Book>,
    pub clock: TokioClock,
    pub expire: Duration,
    /// Its own address where it is known by it, and where not.
    pub known: IpAddr,
    pub unknown: IpAddr,
}

/// The connection is over.
struct Gone;

impl From<std::io::Error> for Gone {
    fn from(_: std::io::Error) -> Gone {
        Gone
    }
}

/// What became of one message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Taken,
    Refused(u16),
    /// It was not said to its end.
    Nothing,
    /// It was, and not answered.
    Unanswered,
}

impl Client {
    /// Sends a letter, over as many connections as it has patience for.
    pub async fn submit(self, letter: Letter, mut manner: Manner) {
        let mut round = 0;
        for _ in 0..TRIES {
            let stream = loop {
                match self.connect(manner).await {
                    Some(stream) => break stream,
                    // Down. Nothing was offered.
                    None => tokio::time::sleep(MINUTE).await,
                }
            };
            let crowd = self.crowd(manner).await;
            let mut visit = Visit { client: &self, wire: stream, manner, said: 0 };
            let sent = visit.session(&letter, &mut round).await;
            drop(visit);
            crowd.into_iter().for_each(|task| task.abort());
            if sent {
                return;
            }
            // Whoever had no answer says it again, and properly.
            manner.ends = Ends::Quit;
            manner.text = if manner.text == Text::Endless { Text::Good } else { manner.text };
            tokio::time::sleep(5 * MINUTE).await;
        }
    }

    async fn connect(&self, manner: Manner) -> Option<Wire> {
        let from = if manner.login == Login::Address { self.known } else { self.unknown };
        let to = SocketAddr::from((SERVER, manner.port));
        let stream = self.network.connect(to, Some(from), PATIENCE).await.ok()?;
        let mut wire = Wire::new(stream);
        wire.patience = PATIENCE;
        if manner.port == 465 {
            // One that was turned away finds no TLS; then its session ends at once.
            let _ = wire.start_tls_as_client("mail.example.com").await;
        }
        Some(wire)
    }

    /// Connections that are only there, half of them open and half in the middle of a word.
    async fn crowd(&self, manner: Manner) -> Vec<tokio::task::JoinHandle<()>> {
        let mut crowd = Vec::new();
        for number in 0..manner.crowd {
            let (from, to) = (Some(self.unknown), SocketAddr::from((SERVER, 587)));
            let Ok(stream) = self.network.connect(to, from, PATIENCE).await else { break };
            crowd.push(tokio::spawn(async move {
                let mut wire = Wire::new(stream);
                wire.patience = PATIENCE;
                if number % 2 == 0 {
                    let _ = wire.send(b"EH").await;
                }
                while matches!(wire.line().await, Ok(Some(_))) {}
            }));
        }
        crowd
    }

    /// Fresh recipients of a letter, written down as offered.
    fn offer(&self, letter: &Letter, round: u32) -> Vec<String> {
        let addresses = letter.addresses(round);
        let expires = self.clock.now() + self.expire;
        for address in &addresses {
            self.book.offer(address, letter.notify, !letter.null_sender, expires);
        }
        addresses
    }
}

/// One connection.
struct Visit<'a> {
    client: &'a Client,
    wire: Wire,
    manner: Manner,
    /// How often it has spoken.
    said: u32,
}

impl Visit<'_> {
    /// Whether the letter is done with: taken, or refused for good.
    async fn session(&mut self, letter: &Letter, round: &mut u32) -> bool {
        if self.hello().await.is_err() {
            return false;
        }
        let mut done = false;
        for _ in 0..self.manner.messages {
            let addresses = self.client.offer(letter, *round);
            let life = self.client.book.life();
            let heard = self.message(letter, *round, &addresses).await;
            *round += 1;
            let promise = match heard {
                Heard::Taken => Promise::Accepted,
                // A word that was under way in the crash: in a process that dies it would not have been said.
                Heard::Refused(_) if self.client.book.life() != life => Promise::Unknown,
                Heard::Refused(_) | Heard::Nothing => Promise::Refused,
                Heard::Unanswered => Promise::Unknown,
            };
            if heard == Heard::Taken && !self.manner.may_be_taken() {
                self.client.book.breach(format!("{addresses:?} were taken of {:?}", self.manner));
            }
            addresses.iter().for_each(|address| self.client.book.promised(address, promise));
            self.client.book.heard(|sums| match heard {
                Heard::Taken => {}
                Heard::Refused(_) => sums.turned_down += 1,
                Heard::Nothing => sums.broken_off += 1,
                Heard::Unanswered => sums.unanswered += 1,
            });
            done = matches!(heard, Heard::Taken | Heard::Refused(500..));
            if matches!(heard, Heard::Nothing | Heard::Unanswered) {
                break;
            }
        }
        if done && self.manner.ends == Ends::Quit {
            let _ = self.command("QUIT").await;
        }
        done
    }

    /// Up to where mail may be sent.
    async fn hello(&mut self) -> Result<(), Gone> {
        self.answer(220).await?;
        self.ehlo().await?;
        if self.manner.login == Login::Address || self.manner.login == Login::Nobody {
            return Ok(());
        }
        if self.manner.port != 465 {
            self.say(b"STARTTLS\r\n").await?;
            self.answer(220).await?;
            self.wire.start_tls_as_client("mail.example.com").await?;
            self.ehlo().await?;
        }
        if self.manner.login == Login::Right {
            let answer = scram::log_in(&mut self.wire, "shop", "pencil").await?;
            return if answer.starts_with("235") { Ok(()) } else { Err(Gone) };
        }
        for _ in 0..10 {
            let answer = scram::log_in(&mut self.wire, "shop", "wrong").await?;
            if answer.starts_with('2') {
                self.client.book.breach("a wrong password was taken".into());
            }
        }
        self.client.book.breach("ten wrong passwords were heard out".into());
        Err(Gone)
    }

    async fn ehlo(&mut self) -> Result<(), Gone> {
        if self.manner.text == Text::Endless {
            self.say(&[b'E'; 100_000]).await?;
        }
        self.say(b"EHLO app.example.com\r\n").await?;
        self.answer(250).await
    }

    async fn message(&mut self, letter: &Letter, round: u32, addresses: &[String]) -> Heard {
        let content = text(letter, round, self.manner.text);
        let told = if self.manner.pipelining {
            self.in_one_go(letter, addresses, &content).await
        } else {
            self.step_by_step(letter, addresses, &content).await
        };
        told.unwrap_or(Heard::Nothing)
    }

    async fn step_by_step(&mut self, letter: &Letter, to: &[String], content: &[u8]) -> Result<Heard, Gone> {
        let envelope = to.iter().map(|address| rcpt(address, letter.notify));
        for command in std::iter::once(mail(letter)).chain(envelope) {
            match self.command(&command).await? {
                250 => {}
                code => return self.give_up(code).await,
            }
        }
        if self.manner.chunks {
            let (first, last) = content.split_at(content.len() / 2);
            self.say(&[format!("BDAT {}\r\n", first.len()).as_bytes(), first].concat()).await?;
            match self.code().await? {
                250 => {}
                code => return self.give_up(code).await,
            }
            return self.content(to, &[format!("BDAT {} LAST\r\n", last.len()).as_bytes(), last].concat()).await;
        }
        match self.command("DATA").await? {
            354 => self.content(to, &self.dotted(content)).await,
            code => self.give_up(code).await,
        }
    }

    async fn in_one_go(&mut self, letter: &Letter, to: &[String], content: &[u8]) -> Result<Heard, Gone> {
        let mut commands = vec![mail(letter)];
        commands.extend(to.iter().map(|address| rcpt(address, letter.notify)));
        if !self.manner.chunks {
            commands.push("DATA".into());
        }
        let mut group = (commands.join("\r\n") + "\r\n").into_bytes();
        if self.manner.chunks {
            group.extend_from_slice(format!("BDAT {} LAST\r\n", content.len()).as_bytes());
            group.extend_from_slice(content);
            let handed_over = self.hand_over(to, &group).await;
            let mut code = 0;
            for _ in 0..=commands.len() {
                match self.code().await {
                    Ok(next) => code = next,
                    Err(Gone) if handed_over => return Ok(Heard::Unanswered),
                    Err(Gone) => return Err(Gone),
                }
            }
            return Ok(if code == 250 { Heard::Taken } else { Heard::Refused(code) });
        }
        self.say(&group).await?;
        let mut code = 0;
        for _ in &commands {
            code = self.code().await?;
        }
        if code == 354 { self.content(to, &self.dotted(content)).await } else { self.give_up(code).await }
    }

    /// RSET, so that another message can follow.
    async fn give_up(&mut self, code: u16) -> Result<Heard, Gone> {
        self.command("RSET").await?;
        Ok(Heard::Refused(code))
    }

    /// The last of the content, and the word on it.
    async fn content(&mut self, to: &[String], octets: &[u8]) -> Result<Heard, Gone> {
        if !self.hand_over(to, octets).await {
            return Err(Gone);
        }
        if self.manner.ends == Ends::BeforeAnswer {
            self.wire.close().await;
            return Ok(Heard::Unanswered);
        }
        match self.code().await {
            Ok(250) => Ok(Heard::Taken),
            Ok(code) => Ok(Heard::Refused(code)),
            Err(Gone) => Ok(Heard::Unanswered),
        }
    }

    /// Whether all of it was said.
    async fn hand_over(&mut self, to: &[String], octets: &[u8]) -> bool {
        if self.manner.ends == Ends::InContent {
            let _ = self.say(&octets[..octets.len() / 2]).await;
            self.wire.close().await;
            return false;
        }
        let said = self.say(octets).await.is_ok();
        if said {
            self.client.book.handed_over(to, self.client.clock.now() + self.client.expire);
        }
        said
    }

    /// The content as it is said after DATA. Whoever smuggles leaves the dots as they are.
    fn dotted(&self, content: &[u8]) -> Vec<u8> {
        match self.manner.text {
            Text::BareLf => [content, b"\r\n.\r\n"].concat(),
            _ => stuffed(content),
        }
    }

    async fn command(&mut self, line: &str) -> Result<u16, Gone> {
        self.say(format!("{line}\r\n").as_bytes()).await?;
        self.code().await
    }

    /// Says it in its manner. `Gone` also where this client goes.
    async fn say(&mut self, octets: &[u8]) -> Result<(), Gone> {
        self.said += 1;
        match self.manner.ends {
            Ends::At(n) if n == self.said => {
                let _ = self.wire.send(&octets[..octets.len() / 2]).await;
                self.wire.close().await;
                return Err(Gone);
            }
            Ends::Idle(n) if n == self.said => tokio::time::sleep(PATIENCE).await,
            _ => {}
        }
        let Some((piece, pause)) = self.manner.pace else { return Ok(self.wire.send(octets).await?) };
        // No pause behind the last: what is said then is known to be said.
        for (n, octets) in octets.chunks(piece.max(octets.len() / 100)).enumerate() {
            if n > 0 {
                tokio::time::sleep(pause).await;
            }
            self.wire.send(octets).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, wanted: u16) -> Result<(), Gone> {
        if self.code().await? == wanted { Ok(()) } else { Err(Gone) }
    }

    /// The code of the next reply. After 421 the server says nothing more, and after none it is gone.
    async fn code(&mut self) -> Result<u16, Gone> {
        let since = Instant::now();
        loop {
            let line = self.wire.line().await?.ok_or(Gone)?;
            let code = std::str::from_utf8(line.get(..3).unwrap_or_default()).ok().and_then(|code| code.parse().ok());
            let Some(code) = code.filter(|_| line.len() <= 510) else {
                self.client.book.breach(format!("the server said {:?}", String::from_utf8_lossy(&line)));
                return Err(Gone);
            };
            if line.get(3) != Some(&b'-') {
                if since.elapsed() > PATIENCE {
                    self.client.book.breach(format!("the server took {:?} to answer", since.elapsed()));
                }
                return Ok(code);
            }
        }
    }
}

impl Manner {
    /// Whether any message of it may be kept.
    fn may_be_taken(self) -> bool {
        let trusted = matches!(self.login, Login::Address | Login::Right);
        trusted && self.port != 25 && !matches!(self.text, Text::BareLf | Text::Endless)
    }
}

fn mail(letter: &Letter) -> String {
    if letter.null_sender { "MAIL FROM:<>".into() } else { "MAIL FROM:<shop@example.com>".into() }
}

fn rcpt(address: &str, notify: Notify) -> String {
    let notify = match notify {
        Notify::Unsaid => String::new(),
        Notify::Never => " NOTIFY=NEVER".into(),
        Notify::On { success, failure, delay } => {
            let words = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
            let words: Vec<_> = words.into_iter().filter(|(wanted, _)| *wanted).map(|(_, word)| word).collect();
            format!(" NOTIFY={}", words.join(","))
        }
    };
    format!("RCPT TO:<{address}>{notify}")
}

/// RFC 5321 §4.5.2.
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut octets: Vec<u8> = Vec::with_capacity(content.len() + 16);
    for line in content.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            octets.push(b'.');
        }
        octets.extend_from_slice(line);
    }
    octets.extend_from_slice(b".\r\n");
    octets
}
