//! SMTP commands (RFC 5321 §4.1, and the extensions' own): text to value and back.
//!
//! Promise: [`Command::parse`] takes one line without its CRLF and never panics; what it
//! returns is well formed. Which command may come when is the conversation's business.
//! Fails with [`CommandError`], which has one row in the table of replies.

mod display;
mod params;
mod path;
pub mod xtext;

pub use params::notify;
pub use path::{Path, PathError};
use repute_types::{Body, Notify, Ret};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    Ehlo(&'a str),
    Helo(&'a str),
    Mail(Mail),
    Rcpt(Rcpt),
    Data,
    Bdat {
        size: u64,
        last: bool,
    },
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    Quit,
    StartTls,
    /// The mechanism as written, and the initial response in base64 (`=` is the empty one).
    Auth {
        mechanism: &'a str,
        initial: Option<&'a str>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: Path,
    /// The path holds octets beyond ASCII: only with SMTPUTF8 (RFC 6531 §3.5).
    pub utf8: bool,
    pub params: MailParams,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MailParams {
    /// Octets, as the client counts them.
    pub size: Option<u64>,
    pub body: Body,
    pub smtputf8: bool,
    pub ret: Option<Ret>,
    pub envid: Option<String>,
    pub require_tls: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    pub to: Path,
    pub utf8: bool,
    pub params: RcptParams,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RcptParams {
    pub notify: Notify,
    pub orcpt: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("the line is not text in UTF-8, or holds a control character")]
    NotText,
    #[error("no such command")]
    Unknown,
    /// HTTP, a proxy header, SSH: someone was led here, and what follows is not for us.
    #[error("this is another protocol")]
    WrongProtocol,
    #[error("{0}")]
    Arguments(&'static str),
    #[error("the size of the chunk cannot be read")]
    ChunkSize,
    #[error("the sender's path is not well formed")]
    Sender(PathError),
    #[error("the recipient's path is not well formed")]
    Recipient(PathError),
    #[error("parameter {0} is not known")]
    ParameterUnknown(String),
    #[error("parameter {0} is given twice")]
    ParameterTwice(&'static str),
    #[error("parameter {0} cannot have that value")]
    ParameterValue(&'static str),
}

impl<'a> Command<'a> {
    /// Parses a line without its CRLF.
    pub fn parse(line: &'a [u8]) -> Result<Command<'a>, CommandError> {
        let text = std::str::from_utf8(line).map_err(|_| CommandError::NotText)?;
        if text.bytes().any(|b| b < b' ' && b != b'\t' || b == 0x7f) {
            return Err(CommandError::NotText);
        }
        let text = text.trim_end_matches([' ', '\t']);
        let (verb, arguments) = text.split_once(' ').unwrap_or((text, ""));
        let verb_is = |name: &str| verb.eq_ignore_ascii_case(name);
        match verb.len() {
            4 if verb_is("MAIL") => parse_mail(arguments),
            4 if verb_is("RCPT") => parse_rcpt(arguments),
            4 if verb_is("DATA") => alone(Command::Data, arguments),
            4 if verb_is("BDAT") => parse_bdat(arguments),
            4 if verb_is("EHLO") => Ok(Command::Ehlo(helo_name(arguments)?)),
            4 if verb_is("HELO") => Ok(Command::Helo(helo_name(arguments)?)),
            4 if verb_is("RSET") => alone(Command::Rset, arguments),
            4 if verb_is("NOOP") => Ok(Command::Noop),
            4 if verb_is("QUIT") => alone(Command::Quit, arguments),
            4 if verb_is("VRFY") => Ok(Command::Vrfy),
            4 if verb_is("EXPN") => Ok(Command::Expn),
            4 if verb_is("HELP") => Ok(Command::Help),
            4 if verb_is("AUTH") => parse_auth(arguments),
            8 if verb_is("STARTTLS") => alone(Command::StartTls, arguments),
            _ if is_other_protocol(text) => Err(CommandError::WrongProtocol),
            _ => Err(CommandError::Unknown),
        }
    }
}

/// The first words of what browsers, proxies and scanners send to any port.
fn is_other_protocol(line: &str) -> bool {
    const STARTS: [&str; 13] = [
        "GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "TRACE ", "PRI ", "PROXY ",
        "SSH-", "JSON ",
    ];
    STARTS.iter().any(|start| line.starts_with(start))
}

fn alone<'a>(command: Command<'a>, arguments: &str) -> Result<Command<'a>, CommandError> {
    if arguments.is_empty() { Ok(command) } else { Err(CommandError::Arguments("this command stands alone")) }
}

/// A name or an address literal. What the grammar forbids is let through where it cannot do
/// harm in a Received field: many clients say what their machine happens to be called.
fn helo_name(arguments: &str) -> Result<&str, CommandError> {
    let name = arguments.trim_matches(' ');
    let good = |b: u8| b.is_ascii_graphic() && !b"()<>\",;\\@".contains(&b);
    if !name.is_empty() && name.len() <= 255 && name.bytes().all(good) {
        Ok(name)
    } else {
        Err(CommandError::Arguments("say your host's name, as in EHLO host.example.com"))
    }
}

fn parse_mail<'a>(arguments: &str) -> Result<Command<'a>, CommandError> {
    let path = after_keyword(arguments, "FROM:").ok_or(CommandError::Arguments("say MAIL FROM:<address>"))?;
    let (from, utf8, rest) = path::take(path).map_err(CommandError::Sender)?;
    Ok(Command::Mail(Mail { from, utf8, params: params::mail(rest)? }))
}

fn parse_rcpt<'a>(arguments: &str) -> Result<Command<'a>, CommandError> {
    let path = after_keyword(arguments, "TO:").ok_or(CommandError::Arguments("say RCPT TO:<address>"))?;
    let (to, utf8, rest) = path::take(path).map_err(CommandError::Recipient)?;
    Ok(Command::Rcpt(Rcpt { to, utf8, params: params::rcpt(rest)? }))
}

/// Blanks after the colon are not in the grammar, but common and without ambiguity.
fn after_keyword<'a>(arguments: &'a str, keyword: &str) -> Option<&'a str> {
    let arguments = arguments.trim_start_matches(' ');
    let head = arguments.get(..keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| arguments[keyword.len()..].trim_start_matches(' '))
}

fn parse_bdat<'a>(arguments: &str) -> Result<Command<'a>, CommandError> {
    let mut words = arguments.split(' ').filter(|w| !w.is_empty());
    let size = words.next().filter(|w| w.len() <= 20 && w.bytes().all(|b| b.is_ascii_digit()));
    let size = size.and_then(|w| w.parse().ok()).ok_or(CommandError::ChunkSize)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(CommandError::ChunkSize),
    };
    if words.next().is_some() { Err(CommandError::ChunkSize) } else { Ok(Command::Bdat { size, last }) }
}

fn parse_auth(arguments: &str) -> Result<Command<'_>, CommandError> {
    let mut words = arguments.split(' ').filter(|w| !w.is_empty());
    let usage = CommandError::Arguments("say AUTH and a mechanism");
    let mechanism = words.next().ok_or(usage.clone())?;
    let initial = words.next();
    if words.next().is_some() { Err(usage) } else { Ok(Command::Auth { mechanism, initial }) }
}

#[cfg(test)]
mod tests;
