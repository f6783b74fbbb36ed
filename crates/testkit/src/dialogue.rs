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
use crate::player;
use crate::stream::Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A parsed dialogue.
#[derive(Clone, Debug)]
pub struct Dialogue {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
    values: HashMap<String, String>,
    pub(crate) patience: Duration,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// In the file, from 1.
    pub(crate) number: usize,
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
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
        player::play(self, Side::Client, stream).await
    }

    /// Says what `S` says, expects what `C` says.
    pub async fn as_server(&self, stream: impl Stream) -> Result<(), Mismatch> {
        player::play(self, Side::Server, stream).await
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

    /// A text of a step, with its values and escapes.
    pub(crate) fn pattern(&self, text: &str) -> Result<Pattern, String> {
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
