//! The conversation: which command may come when, and what a line leads to.
//!
//! The states are [`Phase`]; a transaction (RFC 5321 §4.1.4) is beside them, because MAIL and
//! RCPT leave the phase as it is. Each verb's own work is in a file of its own.

use std::fmt::Display;
use std::sync::Arc;

use bytes::BytesMut;
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Recipient, Reply};

use super::auth::Exchange;
use super::content::Incoming;
use super::hello::Helo;
use super::{Config, Host, Kind, LineEnds, Security, Start, Step, say};
use crate::command::{Command, CommandError};
use crate::reply::{ReplyReader, encode};

/// The longest line of an AUTH exchange (RFC 4954 §4), CRLF aside.
const LONGEST_AUTH_LINE: usize = 12_288;
/// A line of more octets than this has no end; its client is let go.
const ENDLESS: usize = 1 << 20;
/// MAIL and RCPT with all parameters; others 1,000 (RFC 5321 §4.5.3.1.4 asks for 512 and more
/// with extensions).
const LONGEST_ENVELOPE_LINE: usize = 2_000;
const LONGEST_LINE: usize = 1_000;

#[derive(Debug)]
pub struct Session {
    pub(super) config: Arc<Config>,
    pub(super) security: Security,
    pub(super) authenticated: bool,
    /// Known by its address.
    pub(super) known: bool,
    pub(super) helo: Option<Helo>,
    pub(super) transaction: Option<Transaction>,
    pub(super) phase: Phase,
    pub(super) auth_failures: u32,
    errors: u32,
    chatter: u32,
    pub(super) begun: bool,
    /// Its lines end in LF alone; not known before the first.
    pub(super) bare: Option<bool>,
    quit: bool,
    output: BytesMut,
}

#[derive(Debug)]
pub(super) enum Phase {
    Command,
    /// The rest of a line that was too long: what is said at its end, and its octets so far.
    LongLine(&'static str, usize),
    Auth(Exchange),
    /// A password is being checked.
    Checking,
    /// DATA or BDAT octets are coming.
    Content(Box<Incoming>),
    /// The message is being committed.
    Accepting,
    Handshake,
    Closed,
}

#[derive(Debug)]
pub(super) struct Transaction {
    pub from: Option<Address>,
    pub options: EnvelopeOptions,
    /// What SIZE= said, or 0.
    pub size: u64,
    pub recipients: Vec<Recipient>,
    /// RCPT commands, refused ones too.
    pub asked: usize,
    /// Between BDAT commands: what was gathered so far, or that it was refused.
    pub chunks: Option<Box<Incoming>>,
}

/// Where a line led: on to the next, or to a step for the caller.
pub(super) type Turn = Option<Step>;

/// Why we end a session of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dismissal {
    Idle,
    /// Another gets its place.
    Crowded,
    ShuttingDown,
}

impl Session {
    /// A new session, its greeting in the output.
    pub fn new(config: Arc<Config>, start: Start) -> Session {
        let mut session = Session {
            config,
            security: start.security,
            authenticated: false,
            known: start.known,
            helo: None,
            transaction: None,
            phase: Phase::Command,
            auth_failures: 0,
            errors: 0,
            chatter: 0,
            begun: false,
            bare: None,
            quit: false,
            output: BytesMut::with_capacity(512),
        };
        let greeting = format!("220 {} ESMTP Repute\r\n", session.config.hostname);
        session.say(&greeting);
        session
    }

    /// Takes octets off the front of `input`; returns how many, and what is needed next.
    /// After a step other than `Read`, the octets that were not taken are to be offered again.
    pub fn advance(&mut self, input: &[u8], host: &mut dyn Host) -> (usize, Step) {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let (taken, turn) = match &self.phase {
                Phase::Content(_) => self.content(rest, host),
                Phase::Closed => return (input.len(), Step::Close),
                Phase::Handshake => return (input.len(), Step::StartTls),
                // The caller owes an answer; until then nothing is taken.
                Phase::Checking | Phase::Accepting => return (used, Step::Read),
                Phase::Command | Phase::LongLine(..) | Phase::Auth(_) => self.line(rest, host),
            };
            used += taken;
            if let Some(step) = turn {
                return (used, step);
            }
        }
    }

    /// What is to be written to the client.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The output was written.
    pub fn written(&mut self) {
        self.output.clear();
    }

    /// Memory held for content, in octets; see [`Host::room`].
    pub fn reserved(&self) -> usize {
        let incoming = match &self.phase {
            Phase::Content(incoming) => Some(incoming),
            _ => self.transaction.as_ref().and_then(|t| t.chunks.as_ref()),
        };
        incoming.map_or(0, |i| i.reserved())
    }

    /// Whether a transaction is under way, which a shutdown lets finish.
    pub fn is_in_transaction(&self) -> bool {
        self.transaction.is_some() || matches!(self.phase, Phase::Accepting)
    }

    /// Whether content is coming, so that larger reads pay.
    pub fn is_in_content(&self) -> bool {
        matches!(self.phase, Phase::Content(_))
    }

    /// Whether the client said QUIT, and so sends nothing more.
    pub fn has_quit(&self) -> bool {
        self.quit
    }

    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// The name of EHLO or HELO; empty before.
    pub fn helo(&self) -> &str {
        self.helo.as_ref().map_or("", |h| &h.name)
    }

    /// The answer to [`Step::Accept`]: the message's id, or why it was not taken.
    pub fn accepted(&mut self, answer: Result<&dyn Display, &Reply>) {
        self.phase = Phase::Command;
        match answer {
            Ok(id) => {
                // Whoever brings mail may err now and then, over a connection of days.
                self.chatter = 0;
                self.errors = 0;
                let line = format!("250 2.0.0 {id} accepted\r\n");
                self.say(&line);
            }
            // Too many of a stranger's errors close the session at the next step.
            Err(reply) => drop(self.refuse_by_host(reply)),
        }
    }

    /// Ends the session with a 421.
    pub fn dismiss(&mut self, why: Dismissal) {
        self.close_with(match why {
            Dismissal::Idle => say::IDLE,
            Dismissal::Crowded => say::CROWDED,
            Dismissal::ShuttingDown => say::SHUTTING_DOWN,
        });
    }

    fn line(&mut self, input: &[u8], host: &mut dyn Host) -> (usize, Turn) {
        if !self.begun
            && let Some(&first) = input.first()
        {
            self.begun = true;
            // A TLS or PROXY header begins with what no command begins with.
            if !(b' '..=b'~').contains(&first) {
                return (input.len(), self.close_with(say::NOT_SMTP));
            }
        }
        let Some(end) = memchr::memchr(b'\n', input) else {
            return self.unended_line(input);
        };
        let used = end + 1;
        if end > LONGEST_AUTH_LINE + 1 || matches!(self.phase, Phase::LongLine(..)) {
            let (reply, octets) = self.too_long(end);
            if octets > ENDLESS {
                return (input.len(), self.close_with(reply));
            }
            self.phase = Phase::Command;
            return (used, self.fail(reply));
        }
        let Some(line) = self.without_end(&input[..end]).filter(|l| memchr::memchr2(b'\r', 0, l).is_none()) else {
            self.phase = Phase::Command;
            return (used, self.fail(say::LINE_ENDS));
        };
        if let Phase::Auth(_) = self.phase {
            return (used, self.auth_response(line, host));
        }
        if line.len() + 2 > longest(line) {
            return (used, self.fail(say::LINE_TOO_LONG));
        }
        let turn = match Command::parse(line) {
            Ok(command) => self.command(command, host),
            Err(error) => self.bad_command(&error),
        };
        match self.phase {
            // Whoever pipelines behind STARTTLS wants it to be taken for what comes inside.
            Phase::Handshake | Phase::Closed => (input.len(), turn),
            _ => (used, turn),
        }
    }

    /// The line without what stands before its LF; `None` where a CR has to and does not.
    fn without_end<'a>(&mut self, line: &'a [u8]) -> Option<&'a [u8]> {
        let before = line.strip_suffix(b"\r");
        let may_be_bare = self.config.line_ends == LineEnds::AsTheFirst;
        let bare = *self.bare.get_or_insert(may_be_bare && before.is_none());
        if bare { Some(before.unwrap_or(line)) } else { before }
    }

    /// Whether an LF alone ends a line of content, too.
    pub(super) fn is_bare(&self) -> bool {
        self.bare == Some(true)
    }

    /// No line end in sight: more, unless the line is too long for anything.
    fn unended_line(&mut self, input: &[u8]) -> (usize, Turn) {
        if input.len() <= LONGEST_AUTH_LINE + 1 && !matches!(self.phase, Phase::LongLine(..)) {
            return (0, Some(Step::Read));
        }
        let (reply, octets) = self.too_long(input.len());
        if octets > ENDLESS {
            return (input.len(), self.close_with(reply));
        }
        self.phase = Phase::LongLine(reply, octets);
        (input.len(), Some(Step::Read))
    }

    /// What a line is answered that is so many octets longer now, and how many they are.
    fn too_long(&self, more: usize) -> (&'static str, usize) {
        match self.phase {
            Phase::LongLine(reply, octets) => (reply, octets + more),
            Phase::Auth(_) => (say::AUTH_LINE_TOO_LONG, more),
            _ => (say::LINE_TOO_LONG, more),
        }
    }

    fn command(&mut self, command: Command<'_>, host: &mut dyn Host) -> Turn {
        match command {
            Command::Mail(mail) => self.mail(mail, host),
            Command::Rcpt(rcpt) => self.rcpt(rcpt, host),
            Command::Data => self.data(host),
            Command::Bdat { size, last } => self.bdat(size, last, host),
            Command::Quit => {
                self.quit = true;
                self.close_with(say::BYE)
            }
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial, host),
            Command::StartTls => self.starttls(),
            Command::Ehlo(name) => self.ehlo(name),
            Command::Helo(name) => self.helo_command(name),
            Command::Rset => {
                self.transaction = None;
                self.chat(say::OK)
            }
            Command::Noop => self.chat(say::OK),
            Command::Vrfy => self.chat(say::VRFY),
            Command::Expn => self.chat(say::EXPN),
            Command::Help => self.chat(say::HELP),
        }
    }

    fn bad_command(&mut self, error: &CommandError) -> Turn {
        encode(&say::command_error(error), &mut self.output);
        match error {
            // Octets of a chunk whose size cannot be read would be taken for commands.
            CommandError::WrongProtocol | CommandError::ChunkSize => self.close(),
            _ => self.count_error(),
        }
    }

    pub(super) fn say(&mut self, line: &str) {
        debug_assert!(is_encoded(line), "{line:?}");
        self.output.extend_from_slice(line.as_bytes());
    }

    /// A refusal that is the client's fault, counted until a message is accepted.
    pub(super) fn fail(&mut self, line: &str) -> Turn {
        self.say(line);
        self.count_error()
    }

    fn count_error(&mut self) -> Turn {
        self.errors += 1;
        if self.errors >= self.config.max_errors {
            return self.close_with(say::TOO_MANY_ERRORS);
        }
        None
    }

    /// A refusal that the host decided. Strangers' are counted as errors (they try names); an
    /// account may have many recipients that are refused.
    pub(super) fn refuse_by_host(&mut self, reply: &Reply) -> Turn {
        encode(reply, &mut self.output);
        if self.config.kind == Kind::Return { self.count_error() } else { None }
    }

    /// A reply to what brings no message nearer, counted until one is accepted.
    pub(super) fn chat(&mut self, text: &str) -> Turn {
        self.say(text);
        self.chatter += 1;
        if self.chatter > self.config.max_chatter {
            return self.close_with(say::TOO_MUCH_CHATTER);
        }
        None
    }

    pub(super) fn close_with(&mut self, line: &str) -> Turn {
        self.say(line);
        self.close()
    }

    fn close(&mut self) -> Turn {
        self.transaction = None;
        self.phase = Phase::Closed;
        Some(Step::Close)
    }
}

/// Whether a text is a reply as `encode` writes it.
fn is_encoded(text: &str) -> bool {
    let mut written = BytesMut::new();
    if let Ok(Some(reply)) = ReplyReader::new().read(&mut BytesMut::from(text)) {
        encode(&reply, &mut written);
    }
    written == text.as_bytes()
}

/// How long a line of its verb may be, CRLF counted.
fn longest(line: &[u8]) -> usize {
    match line.get(..4) {
        Some(verb) if verb.eq_ignore_ascii_case(b"AUTH") => LONGEST_AUTH_LINE + 2,
        Some(verb) if verb.eq_ignore_ascii_case(b"MAIL") || verb.eq_ignore_ascii_case(b"RCPT") => LONGEST_ENVELOPE_LINE,
        _ => LONGEST_LINE,
    }
}
