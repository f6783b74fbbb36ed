//! DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030): content comes in, is checked, and becomes a
//! message or a refusal.
//!
//! After a refusal in the midst of content, the rest is read and dropped up to its true end,
//! and the session goes on: the end is found by one strict rule, so client and server cannot
//! disagree about where commands begin again, and an application with one bad message can
//! send its next. Where more than [`DISCARD_BEYOND_LIMIT`] would have to be dropped, the
//! connection is closed instead.

use repute_types::Envelope;

use super::gather::Gather;
use super::lines::LineReader;
use super::session::{Phase, Session, Transaction, Turn};
use super::{Host, Kind, Step, say};

/// Octets read and dropped behind the largest message before the connection is closed.
const DISCARD_BEYOND_LIMIT: u64 = 1024 * 1024;

/// Content on its way in.
#[derive(Debug)]
pub(super) struct Incoming {
    reader: LineReader,
    gather: Gather,
    /// Octets read, dropped ones too.
    seen: u64,
    refused: Option<Refused>,
    /// `None` within DATA.
    chunk: Option<Chunk>,
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    left: u64,
    last: bool,
}

/// Why content is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refused {
    reply: &'static str,
    /// Whether it counts as the client's error.
    fault: bool,
}

const TOO_LARGE: Refused = Refused { reply: say::TOO_LARGE, fault: false };
const NO_ROOM: Refused = Refused { reply: say::NO_ROOM, fault: false };

impl Incoming {
    fn new(reader: LineReader, gather: Gather) -> Incoming {
        Incoming { reader, gather, seen: 0, refused: None, chunk: None }
    }

    /// A BDAT whose octets are dropped: it came where it may not, or after a refusal.
    fn refused(refused: Refused) -> Incoming {
        Incoming { refused: Some(refused), ..Incoming::new(LineReader::chunk(), Gather::default()) }
    }

    pub(super) fn reserved(&self) -> usize {
        self.gather.reserved()
    }

    fn refuse(&mut self, why: Refused) {
        self.refused.get_or_insert(why);
        self.gather = Gather::default();
    }

    /// Reads content; returns octets used and whether the dot was met.
    fn read(&mut self, input: &[u8], max_size: usize, host: &mut dyn Host) -> (usize, bool) {
        let (gather, mut refused) = (&mut self.gather, self.refused);
        let mut room = |n| host.room(n);
        let (used, ended) = self.reader.read(input, |piece| {
            if refused.is_some() {
                return;
            }
            if gather.len() + piece.len() > max_size {
                refused = Some(TOO_LARGE);
            } else if gather.push(piece, &mut room).is_err() {
                refused = Some(NO_ROOM);
            }
        });
        self.seen += used as u64;
        let fault = self.reader.fault().map(|f| Refused { reply: say::fault(f), fault: true });
        if let Some(why) = refused.or(fault) {
            self.refuse(why);
        }
        (used, ended)
    }
}

impl Session {
    pub(super) fn data(&mut self, host: &mut dyn Host) -> Turn {
        let size = match self.ready_for_content() {
            Ok(transaction) if transaction.chunks.is_some() => return self.fail(say::DATA_AFTER_BDAT),
            Ok(transaction) => transaction.size,
            Err(why) => return self.refuse(why),
        };
        let Ok(gather) = Gather::start(size, &mut |n| host.room(n)) else {
            self.say(say::NO_ROOM);
            self.transaction = None;
            return None;
        };
        self.say(say::GO_AHEAD);
        let reader = if self.is_bare() { LineReader::bare_data() } else { LineReader::data() };
        self.phase = Phase::Content(Box::new(Incoming::new(reader, gather)));
        None
    }

    pub(super) fn bdat(&mut self, size: u64, last: bool, host: &mut dyn Host) -> Turn {
        let max_size = self.config.max_size as u64;
        let mut incoming = match self.ready_for_content() {
            Err(why) => Box::new(Incoming::refused(why)),
            Ok(transaction) => match transaction.chunks.take() {
                Some(mut earlier) => {
                    if earlier.refused.is_some() {
                        earlier.refused = Some(Refused { reply: say::CHUNK_LOST, fault: false });
                    }
                    earlier
                }
                None => Box::new(match Gather::start(transaction.size.max(size), &mut |n| host.room(n)) {
                    Ok(gather) => Incoming::new(LineReader::chunk(), gather),
                    Err(_) => Incoming::refused(NO_ROOM),
                }),
            },
        };
        if incoming.seen.saturating_add(size) > max_size {
            incoming.refuse(TOO_LARGE);
        }
        if incoming.refused.is_some() && size > max_size.saturating_add(DISCARD_BEYOND_LIMIT) {
            return self.close_with(say::TOO_LARGE);
        }
        incoming.chunk = Some(Chunk { left: size, last });
        self.phase = Phase::Content(incoming);
        None
    }

    fn ready_for_content(&mut self) -> Result<&mut Transaction, Refused> {
        let untimely = |reply| Err(Refused { reply, fault: true });
        match &mut self.transaction {
            None if self.helo.is_none() => untimely(say::EHLO_FIRST),
            None => untimely(say::MAIL_FIRST),
            // The host refused each of them. Only a stranger is blamed for that.
            Some(t) if t.recipients.is_empty() && t.asked > 0 => {
                Err(Refused { reply: say::NO_RECIPIENTS, fault: self.config.kind == Kind::Return })
            }
            Some(t) if t.recipients.is_empty() => untimely(say::RCPT_FIRST),
            Some(t) => Ok(t),
        }
    }

    fn refuse(&mut self, why: Refused) -> Turn {
        if why.fault {
            return self.fail(why.reply);
        }
        self.say(why.reply);
        None
    }

    /// Octets of content came.
    pub(super) fn content(&mut self, input: &[u8], host: &mut dyn Host) -> (usize, Turn) {
        let max_size = self.config.max_size;
        let Phase::Content(incoming) = &mut self.phase else { return (0, None) };
        let mine = match incoming.chunk {
            Some(chunk) => &input[..input.len().min(usize::try_from(chunk.left).unwrap_or(usize::MAX))],
            None => input,
        };
        let (used, dot) = incoming.read(mine, max_size, host);
        if let Some(chunk) = &mut incoming.chunk {
            chunk.left -= used as u64;
        }
        let ended = dot || incoming.chunk.is_some_and(|chunk| chunk.left == 0);
        if !ended {
            let too_much = incoming.seen > max_size as u64 + DISCARD_BEYOND_LIMIT;
            return match incoming.refused {
                Some(refused) if too_much => (used, self.close_with(refused.reply)),
                _ => (used, Some(Step::Read)),
            };
        }
        let Phase::Content(incoming) = std::mem::replace(&mut self.phase, Phase::Command) else { return (used, None) };
        (used, self.content_ended(incoming, host))
    }

    fn content_ended(&mut self, mut incoming: Box<Incoming>, host: &mut dyn Host) -> Turn {
        let last = incoming.chunk.is_none_or(|chunk| chunk.last);
        if last && incoming.refused.is_none() && incoming.chunk.is_some() {
            close_last_line(&mut incoming, host);
        }
        if let Some(refused) = incoming.refused {
            match &mut self.transaction {
                Some(transaction) if !last => transaction.chunks = Some(incoming),
                _ => self.transaction = None,
            }
            return self.refuse(refused);
        }
        if !last {
            self.say(say::CHUNK_OK);
            if let Some(transaction) = &mut self.transaction {
                transaction.chunks = Some(incoming);
            }
            return None;
        }
        let transaction = self.transaction.take()?;
        self.phase = Phase::Accepting;
        let Transaction { from, recipients, options, .. } = transaction;
        Some(Step::Accept { envelope: Envelope { from, recipients, options }, content: incoming.gather.finish() })
    }
}

/// BDAT may end within a line; what is stored are whole lines.
fn close_last_line(incoming: &mut Incoming, host: &mut dyn Host) {
    let unended = incoming.reader.finish();
    if let Some(fault) = incoming.reader.fault() {
        incoming.refuse(Refused { reply: say::fault(fault), fault: true });
    } else if unended && incoming.gather.push(b"\r\n", &mut |n| host.room(n)).is_err() {
        incoming.refuse(NO_ROOM);
    }
}
