//! SMTP dialogues as text files, played as the client or as the server.
//!
//! ```text
//! # A comment. Empty lines are ignored.
//! S: 220 *                        the server says a line; `*` is anything
//! C: EHLO client.invalid          the client says a line; CRLF is added
//! S~ 250 STARTTLS | SIZE *        the server says a whole reply with this code, which has lines
//!                                 that match all of these texts, in any order, beside others
//! C: STARTTLS
//! S: 220 *
//! TLS                             both sides shake hands; any certificate will do
//! C: MAIL FROM:<a@a.invalid>      lines of one side that follow each other are sent in one write:
//! C: RCPT TO:<b@b.invalid>        this is pipelining
//! S: 250 *
//! S: 250 *
//! C= DATA\r                       raw octets: no CRLF is added
//! --                              what was said so far is written out; then the same side goes on
//! C= \n
//! C* 3000 x                       a text, so many times, no CRLF
//! C: AUTH PLAIN ${token}          a value that the test gave by `set`
//! WAIT 200ms                      nothing is said for so long
//! C! close                        the client closes the connection; `S! close`: the server does
//! ```
//!
//! Escapes: `\r \n \t \0 \\ \* \xHH`. The same file is played by [`Dialogue::as_client`]
//! against a server under test, or by [`Dialogue::as_server`] against a client under test.
//!
//! ```text
//! for mut dialogue in Dialogue::folder("tests/dialogues") {
//!     let socket = TcpStream::connect(server.address()).await.unwrap();
//!     dialogue.set("token", "AGFsaWNlAHNlY3JldA==").as_client(socket).await.unwrap();
//! }
//! ```
//!
//! Promise: strict. Another line than the expected one, silence, an early end, and octets
//! left unread at the end are each a [`Mismatch`] that shows the dialogue up to there.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::pattern::Pattern;
use crate::stream::{Stream, Wire};
use crate::tls;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A parsed dialogue.
#[derive(Clone, Debug)]
pub struct Dialogue {
    name: String,
    steps: Vec<Step>,
    values: HashMap<String, String>,
    patience: Duration,
    tls: Option<Arc<rustls::ServerConfig>>,
}

#[derive(Clone, Debug)]
struct Step {
    /// In the file, from 1.
    number: usize,
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Line(Side, String),
    Raw(Side, String),
    Repeat(Side, usize, String),
    /// A whole reply of the server: code, and texts that must be among its lines.
    Reply(String, Vec<String>),
    Close(Side),
    Tls,
    Flush,
    Wait(Duration),
}

/// Where a dialogue departed from its text. `Debug` shows the same as `Display`, so that
/// `unwrap` in a test prints it well.
#[derive(thiserror::Error)]
#[error(
    "{name}:{line}: the dialogue departs from its text\n{transcript}    expected  {expected}\n    but       {actual}\n"
)]
pub struct Mismatch {
    pub name: String,
    pub line: usize,
    pub expected: String,
    pub actual: String,
    /// What was said before, a line each.
    pub transcript: String,
}

impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl Dialogue {
    /// Parses a dialogue; `name` is for messages.
    ///
    /// # Panics
    /// Where a line is not understood: the test is wrong.
    pub fn parse(name: &str, text: &str) -> Dialogue {
        let mut steps = Vec::new();
        for (index, line) in text.lines().enumerate() {
            // Leading blanks let a dialogue stand indented in a test's source.
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = index + 1;
            let kind = Kind::parse(line).unwrap_or_else(|why| panic!("{name}:{number}: {line}: {why}"));
            steps.push(Step { number, text: line.into(), kind });
        }
        Dialogue { name: name.into(), steps, values: HashMap::new(), patience: Duration::from_secs(10), tls: None }
    }

    /// Reads one file.
    ///
    /// # Panics
    /// Where the file cannot be read or understood.
    pub fn load(path: impl AsRef<Path>) -> Dialogue {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Dialogue::parse(&path.display().to_string(), &text)
    }

    /// All `*.smtp` files of a folder, in the order of their names.
    ///
    /// # Panics
    /// Where there is none, so that a wrong path is no silent success.
    pub fn folder(path: impl AsRef<Path>) -> Vec<Dialogue> {
        let path = path.as_ref();
        let entries = std::fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut files: Vec<_> = entries.flatten().map(|e| e.path()).collect();
        files.retain(|p| p.extension().is_some_and(|x| x == "smtp"));
        files.sort();
        assert!(!files.is_empty(), "{} has no *.smtp file", path.display());
        files.iter().map(Dialogue::load).collect()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `${name}` stands for.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Dialogue {
        self.values.insert(name.into(), value.into());
        self
    }

    /// How long each line may take; 10 s unless told.
    pub fn patience(&mut self, each: Duration) -> &mut Dialogue {
        self.patience = each;
        self
    }

    /// The certificate for `TLS` when played as the server; else one is made.
    pub fn certificate(&mut self, config: Arc<rustls::ServerConfig>) -> &mut Dialogue {
        self.tls = Some(config);
        self
    }

    /// Says what `C` says, expects what `S` says.
    pub async fn as_client(&self, stream: impl Stream) -> Result<(), Mismatch> {
        self.play(Side::Client, stream).await
    }

    /// Says what `S` says, expects what `C` says.
    pub async fn as_server(&self, stream: impl Stream) -> Result<(), Mismatch> {
        self.play(Side::Server, stream).await
    }

    async fn play(&self, side: Side, stream: impl Stream) -> Result<(), Mismatch> {
        let mut wire = Wire::new(stream);
        wire.patience = self.patience;
        let mut player = Player { dialogue: self, side, wire, to_send: Vec::new(), said: String::new() };
        for step in &self.steps {
            player.step(step).await?;
        }
        player.end().await
    }

    fn value_of(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("a ${ has no }")?;
            let value = self.values.get(name).ok_or_else(|| format!("no value was set for ${{{name}}}"))?;
            out.push_str(before);
            // A value is literal: its stars and backslashes mean themselves.
            out.push_str(&value.replace('\\', "\\\\").replace('*', "\\*"));
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn pattern(&self, text: &str) -> Result<Pattern, String> {
        Pattern::parse(&self.value_of(text)?)
    }
}

impl Kind {
    fn parse(line: &str) -> Result<Kind, String> {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["TLS"] => return Ok(Kind::Tls),
            ["--"] => return Ok(Kind::Flush),
            ["WAIT", time] => return Ok(Kind::Wait(duration(time).ok_or("not a time like 200ms or 2s")?)),
            _ => {}
        }
        let side = match line.as_bytes()[0] {
            b'C' => Side::Client,
            b'S' => Side::Server,
            _ => return Err("a line begins with C, S, TLS, WAIT, -- or #".into()),
        };
        let text = line.get(2..).unwrap_or("");
        let text = text.strip_prefix(' ').unwrap_or(text);
        match line.as_bytes().get(1) {
            Some(b':') => Ok(Kind::Line(side, text.into())),
            Some(b'=') => Ok(Kind::Raw(side, text.into())),
            Some(b'!') if text.trim() == "close" => Ok(Kind::Close(side)),
            Some(b'*') => {
                let (count, text) = text.split_once(' ').ok_or("C* wants a count and a text")?;
                let count = count.parse().map_err(|_| "C* wants a count and a text")?;
                Ok(Kind::Repeat(side, count, text.into()))
            }
            Some(b'~') if side == Side::Server => {
                let (code, texts) = text.split_once(' ').unwrap_or((text, ""));
                let texts = texts.split('|').map(str::trim).filter(|t| !t.is_empty()).map(String::from);
                Ok(Kind::Reply(code.into(), texts.collect()))
            }
            _ => Err("after C or S stands one of : = * ! (and ~ after S)".into()),
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(number) => number.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

struct Player<'a> {
    dialogue: &'a Dialogue,
    side: Side,
    wire: Wire,
    /// What our side has said and not yet written.
    to_send: Vec<u8>,
    said: String,
}

impl Player<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Mismatch> {
        let done = match &step.kind {
            Kind::Line(side, text) if *side == self.side => self.say(text, 1, b"\r\n"),
            Kind::Raw(side, text) if *side == self.side => self.say(text, 1, b""),
            Kind::Repeat(side, count, text) if *side == self.side => self.say(text, *count, b""),
            _ => self.listen_or_act(step).await,
        };
        done.map_err(|actual| self.mismatch(step.number, &step.text, actual))?;
        self.said.push_str(&format!("    {}\n", step.text));
        Ok(())
    }

    fn say(&mut self, text: &str, times: usize, end: &[u8]) -> Result<(), String> {
        let octets = self.dialogue.pattern(text)?.octets();
        self.to_send.extend(octets.repeat(times));
        self.to_send.extend_from_slice(end);
        Ok(())
    }

    /// All steps before which our own words have to be written out.
    async fn listen_or_act(&mut self, step: &Step) -> Result<(), String> {
        self.flush().await?;
        match &step.kind {
            Kind::Line(_, text) => {
                let pattern = self.dialogue.pattern(text)?;
                self.line().await.and_then(|line| agree(pattern.matches(&line), &line))
            }
            Kind::Raw(_, text) => self.hear_octets(&self.dialogue.pattern(text)?.octets()).await,
            Kind::Repeat(_, count, text) => {
                self.hear_octets(&self.dialogue.pattern(text)?.octets().repeat(*count)).await
            }
            Kind::Reply(code, texts) => self.hear_reply(code, texts).await,
            Kind::Close(side) if *side == self.side => {
                self.wire.close().await;
                Ok(())
            }
            Kind::Close(_) => match self.wire.line().await {
                Ok(None) => Ok(()),
                Ok(Some(line)) => Err(show(&line)),
                Err(e) => Err(e.to_string()),
            },
            Kind::Tls => self.tls().await.map_err(|e| format!("the handshake failed: {e}")),
            Kind::Flush => {
                // Long enough for the other side to read this part by itself.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(())
            }
            Kind::Wait(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
        }
    }

    async fn flush(&mut self) -> Result<(), String> {
        let octets = std::mem::take(&mut self.to_send);
        if octets.is_empty() {
            return Ok(());
        }
        self.wire.send(&octets).await.map_err(|e| format!("writing the lines before failed: {e}"))
    }

    async fn line(&mut self) -> Result<Vec<u8>, String> {
        match self.wire.line().await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err("the connection was closed".into()),
            Err(e) => Err(format!("{e}; unread: {}", show(self.wire.unread()))),
        }
    }

    async fn hear_octets(&mut self, expected: &[u8]) -> Result<(), String> {
        match self.wire.octets(expected.len()).await {
            Ok(got) => agree(got == expected, &got),
            Err(e) => Err(format!("{e}; unread: {}", show(self.wire.unread()))),
        }
    }

    async fn hear_reply(&mut self, code: &str, texts: &[String]) -> Result<(), String> {
        if self.side == Side::Server {
            return Err("S~ is for dialogues played as the client".into());
        }
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            if !line.starts_with(code.as_bytes()) {
                return Err(show(&line));
            }
            let more = line.get(3) == Some(&b'-');
            lines.push(line.get(4..).unwrap_or_default().to_vec());
            if !more {
                break;
            }
        }
        for text in texts {
            let pattern = self.dialogue.pattern(text)?;
            if !lines.iter().any(|l| pattern.matches(l)) {
                let all: Vec<String> = lines.iter().map(|l| show(l)).collect();
                return Err(format!("no line of the reply is {text:?}: {}", all.join(" | ")));
            }
        }
        Ok(())
    }

    async fn tls(&mut self) -> std::io::Result<()> {
        match self.side {
            Side::Client => self.wire.start_tls_as_client("server.invalid").await,
            Side::Server => {
                let own = || tls::server_config(&["server.invalid"]);
                let config = self.dialogue.tls.clone().unwrap_or_else(own);
                self.wire.start_tls_as_server(config).await
            }
        }
    }

    async fn end(mut self) -> Result<(), Mismatch> {
        let last = self.dialogue.steps.last().map_or(0, |s| s.number);
        self.flush().await.map_err(|e| self.mismatch(last, "the end of the dialogue", e))?;
        if !self.wire.unread().is_empty() {
            let rest = show(self.wire.unread());
            return Err(self.mismatch(last, "the end of the dialogue", rest));
        }
        self.wire.close().await;
        Ok(())
    }

    fn mismatch(&self, line: usize, expected: &str, actual: String) -> Mismatch {
        Mismatch {
            name: self.dialogue.name.clone(),
            line,
            expected: expected.into(),
            actual,
            transcript: self.said.clone(),
        }
    }
}

fn agree(same: bool, got: &[u8]) -> Result<(), String> {
    if same { Ok(()) } else { Err(show(got)) }
}

fn show(octets: &[u8]) -> String {
    format!("\"{}\"", octets.escape_ascii())
}
