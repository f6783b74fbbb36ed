//! One mail transaction as a machine: MAIL, RCPT for each recipient, DATA or BDAT, and an
//! outcome for each recipient.
//!
//! 1. [`Exchange::begin`] decides what the server can be given, and how: all commands at once
//!    where it offers PIPELINING, the content behind them where it offers CHUNKING too, one
//!    command at a time where it offers neither.
//! 2. [`Exchange::next`] writes commands and says what to send behind them, or which reply is
//!    waited for.
//! 3. [`Exchange::reply`] takes each reply; [`Exchange::lost`] the end of the connection.
//! 4. [`Exchange::finish`] gives the outcomes.
//!
//! Known limit: with BDAT sent at once, a message all of whose recipients are refused has been
//! sent for nothing; above [`CHUNK_AT_ONCE`] octets the replies to RCPT are waited for.

use std::collections::VecDeque;
use std::fmt::Write;

use bytes::BytesMut;
use repute_types::{Body, Content, Culprit, EnhancedCode, Outcome, Reply, Stage, Verdict};

use super::{Extensions, Transaction};
use crate::reply::ReplyError;

/// Content up to this size is sent behind the RCPT commands without waiting for their
/// replies: a round trip saved is worth more than so many octets now and then wasted.
const CHUNK_AT_ONCE: usize = 256 << 10;

/// The status of a recipient who was one too many for a transaction that took others (RFC 3463
/// §3.6).
pub const TOO_MANY: EnhancedCode = EnhancedCode(4, 5, 3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Rset,
    Mail,
    /// The index of the recipient.
    Rcpt(usize),
    Data,
    /// BDAT with all the content; its reply is the message's.
    Bdat,
    /// The content after a 354; its reply is the message's.
    Content,
}

impl Command {
    fn stage(self) -> Stage {
        match self {
            Command::Rset | Command::Mail => Stage::Mail,
            Command::Rcpt(_) => Stage::Rcpt,
            Command::Data => Stage::Data,
            Command::Bdat | Command::Content => Stage::Body,
        }
    }
}

/// What is to be done now.
#[derive(Debug)]
pub enum Next<'a> {
    /// Write out the commands, and this behind them.
    Send(Payload<'a>),
    /// Wait for a reply, which belongs to this stage.
    Reply(Stage),
    /// All is decided.
    Done,
}

#[derive(Debug)]
pub enum Payload<'a> {
    None,
    /// As it is (BDAT).
    Plain(&'a Content),
    /// With dots doubled and the end of data behind, as [`super::Stuffed`] gives it.
    Stuffed(&'a Content),
}

/// How a connection ended before all replies had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    TimedOut,
    /// The server closed it, or it was reset.
    Closed,
    /// The server left, or stopped reading, while something was being sent to it.
    Unsent,
    /// What came is no reply, or one without an end.
    Malformed(ReplyError),
}

impl Loss {
    /// Who is to blame, by which status, and the words for it.
    pub fn told(self) -> (Culprit, EnhancedCode, String) {
        let network = |what: &str| (Culprit::Network, EnhancedCode(4, 4, 2), what.to_owned());
        match self {
            Loss::TimedOut => network("the server did not answer in time"),
            Loss::Closed => network("the connection was lost"),
            Loss::Unsent => network("the server left or stopped reading"),
            Loss::Malformed(fault) => {
                (Culprit::Receiver, EnhancedCode(4, 5, 0), format!("the server is broken: {fault}"))
            }
        }
    }
}

#[derive(Debug)]
pub struct Exchange<'a> {
    transaction: &'a Transaction<'a>,
    offered: &'a Extensions,
    /// Not sent yet, in order.
    ahead: VecDeque<Command>,
    /// Sent, and not answered.
    waiting: VecDeque<Command>,
    outcomes: Vec<Option<Outcome>>,
    accepted: Vec<bool>,
    /// The connection can be used further.
    alive: bool,
    /// The server may think that a transaction is open.
    unclean: bool,
    replies: usize,
}

impl<'a> Exchange<'a> {
    /// `reset` is what [`Exchange::is_unclean`] said after the transaction before.
    pub fn begin(transaction: &'a Transaction<'a>, offered: &'a Extensions, reset: bool) -> Exchange<'a> {
        let refused = transaction.refused(offered);
        let refused_one = |r: &&_| refused.clone().or_else(|| transaction.recipient_refused(r, offered));
        let outcomes: Vec<_> = transaction.recipients.iter().map(refused_one).collect();
        let mut ahead = VecDeque::with_capacity(outcomes.len() + 3);
        let to_ask = outcomes.iter().enumerate().filter(|(_, o)| o.is_none()).map(|(i, _)| Command::Rcpt(i));
        ahead.extend(to_ask);
        if !ahead.is_empty() {
            ahead.push_front(Command::Mail);
            if reset {
                ahead.push_front(Command::Rset);
            }
            let chunks = transaction.chunks || transaction.options.body == Body::BinaryMime;
            ahead.push_back(if offered.chunking && chunks { Command::Bdat } else { Command::Data });
        }
        Exchange {
            transaction,
            offered,
            ahead,
            waiting: VecDeque::new(),
            accepted: vec![false; outcomes.len()],
            outcomes,
            alive: true,
            unclean: reset,
            replies: 0,
        }
    }

    /// Appends commands to `out`, or says what is waited for.
    pub fn next(&mut self, out: &mut BytesMut) -> Next<'a> {
        if let Some(command) = self.waiting.front() {
            return Next::Reply(command.stage());
        }
        let mut payload = Payload::None;
        while let Some(command) = self.ahead.front().copied() {
            if !self.waiting.is_empty() && !self.may_follow(command) {
                break;
            }
            self.ahead.pop_front();
            payload = self.write(command, out);
            self.waiting.push_back(command);
        }
        if self.waiting.is_empty() { Next::Done } else { Next::Send(payload) }
    }

    /// Whether a command may be sent while replies to others are still to come.
    fn may_follow(&self, command: Command) -> bool {
        match command {
            Command::Content => false,
            Command::Bdat => self.offered.pipelining && self.transaction.content.len() <= CHUNK_AT_ONCE,
            _ => self.offered.pipelining,
        }
    }

    fn write(&mut self, command: Command, out: &mut BytesMut) -> Payload<'a> {
        let content = self.transaction.content;
        let written = match command {
            Command::Rset => out.write_str("RSET\r\n"),
            Command::Mail => self.write_mail(out),
            Command::Rcpt(i) => {
                let recipient = self.transaction.recipients[i];
                let params = Transaction::rcpt_params(recipient, self.offered);
                write!(out, "RCPT TO:<{}>{params}\r\n", recipient.address)
            }
            Command::Data => out.write_str("DATA\r\n"),
            Command::Bdat => write!(out, "BDAT {} LAST\r\n", content.len()),
            Command::Content if self.accepted.contains(&true) => return Payload::Stuffed(content),
            // RFC 2920 §3.1: a 354 without recipients is answered with an empty message.
            Command::Content => out.write_str(".\r\n"),
        };
        // A BytesMut grows as it is written to.
        debug_assert!(written.is_ok());
        if command == Command::Bdat { Payload::Plain(content) } else { Payload::None }
    }

    fn write_mail(&self, out: &mut BytesMut) -> std::fmt::Result {
        let params = self.transaction.mail_params(self.offered);
        match self.transaction.from {
            Some(from) => write!(out, "MAIL FROM:<{from}>{params}\r\n"),
            None => write!(out, "MAIL FROM:<>{params}\r\n"),
        }
    }

    /// Takes the reply that [`Next::Reply`] asked for.
    pub fn reply(&mut self, reply: Reply) {
        let Some(command) = self.waiting.pop_front() else { return };
        self.replies += 1;
        // RFC 5321 §3.8: a server may give up at any time.
        if reply.code == 421 {
            self.alive = false;
            return self.end_all(Outcome::from_reply(command.stage(), reply));
        }
        let expected = match command {
            Command::Data => reply.code == 354 || reply.code >= 400,
            Command::Rset => reply.code < 300,
            _ => reply.code < 300 || reply.code >= 400,
        };
        if !expected {
            return self.out_of_step(command, reply);
        }
        match command {
            Command::Rset => self.unclean = false,
            Command::Mail => self.mail_reply(reply),
            Command::Rcpt(i) => self.rcpt_reply(i, reply),
            Command::Data => self.data_reply(reply),
            Command::Bdat | Command::Content => self.body_reply(reply),
        }
    }

    fn mail_reply(&mut self, reply: Reply) {
        self.unclean = true;
        if reply.code >= 400 {
            self.decide_rest(&Outcome::from_reply(Stage::Mail, reply));
            self.ahead.clear();
        }
    }

    fn rcpt_reply(&mut self, index: usize, reply: Reply) {
        // After a refused MAIL the outcome stands already.
        if reply.code < 300 {
            self.accepted[index] = self.outcomes[index].is_none();
        } else if self.outcomes[index].is_none() {
            self.outcomes[index] = Some(self.rcpt_refused(reply));
        }
        let mut unanswered = self.waiting.iter().chain(&self.ahead);
        if !unanswered.any(|c| matches!(c, Command::Rcpt(_))) && !self.accepted.contains(&true) {
            self.ahead.clear();
        }
    }

    /// RFC 5321 §4.5.3.1.10: 452 is "too many recipients", and so is a 552 that means it. They
    /// are taken so where others were accepted and no enhanced code says that they mean
    /// something else.
    fn rcpt_refused(&self, reply: Reply) -> Outcome {
        let too_many = matches!(reply.code, 452 | 552)
            && self.accepted.contains(&true)
            && reply.enhanced.is_none_or(|e| (e.1, e.2) == (TOO_MANY.1, TOO_MANY.2));
        let outcome = Outcome::from_reply(Stage::Rcpt, reply);
        if !too_many {
            return outcome;
        }
        Outcome { verdict: Verdict::Deferred, status: TOO_MANY, ..outcome }
    }

    fn data_reply(&mut self, reply: Reply) {
        if reply.code == 354 {
            self.ahead.push_front(Command::Content);
        } else {
            self.decide_rest(&Outcome::from_reply(Stage::Data, reply));
        }
    }

    fn body_reply(&mut self, reply: Reply) {
        self.unclean = reply.code >= 300 || !self.accepted.contains(&true);
        self.decide_rest(&Outcome::from_reply(Stage::Body, reply));
    }

    /// A reply that cannot belong to the command: what else comes cannot be told apart.
    fn out_of_step(&mut self, command: Command, reply: Reply) {
        self.alive = false;
        let outcome = |stage, when: &str| {
            let text = format!("the server's reply does not fit the command ({when})");
            let outcome = Outcome::ours(Verdict::Deferred, stage, Culprit::Receiver, EnhancedCode(4, 5, 0), text);
            Outcome { reply: Some(reply.clone()), ..outcome }
        };
        self.broken(Some(command), outcome);
    }

    /// Whether nothing but the message itself, which is to be sent now, waits for an answer: then what the server says before its end
    /// answers nothing.
    pub fn speaks_alone(&self) -> bool {
        self.waiting.len() == 1 && matches!(self.waiting.front(), Some(Command::Bdat | Command::Content))
    }

    /// More was received than was asked for, before the content was sent: what is said of it would be taken from that.
    pub fn answered_early(&mut self) {
        self.alive = false;
        let text = "the server answered before the message was sent";
        self.end_all(Outcome::ours(Verdict::Deferred, Stage::Data, Culprit::Receiver, EnhancedCode(4, 5, 0), text));
    }

    /// The server said this before the end of the message was sent, which is not sent any more. A refusal holds: some
    /// servers refuse what is too large as soon as they see it. Nothing else can be an answer to what they had not seen.
    pub fn answered_midway(&mut self, reply: Reply) {
        self.alive = false;
        if reply.code >= 400 {
            return self.end_all(Outcome::from_reply(Stage::Body, reply));
        }
        let text = "the server answered before the end of the message was sent";
        let outcome = Outcome::ours(Verdict::Deferred, Stage::Body, Culprit::Receiver, EnhancedCode(4, 5, 0), text);
        self.end_all(Outcome { reply: Some(reply), ..outcome });
    }

    /// The connection is gone. What was decided before stays so.
    pub fn lost(&mut self, loss: Loss) {
        self.alive = false;
        let command = self.waiting.front().or(self.ahead.front()).copied();
        let (culprit, status, what) = loss.told();
        let sent = self.waiting.iter().any(|c| matches!(c, Command::Bdat | Command::Content));
        let doubt =
            if sent && loss != Loss::Unsent { "; the message had been sent and may have been delivered" } else { "" };
        self.broken(command, |stage, when| {
            let when = if loss == Loss::Unsent { "before all was sent" } else { when };
            Outcome::ours(Verdict::Deferred, stage, culprit, status, format!("{what} ({when}){doubt}"))
        });
    }

    /// The session broke at a command. Where that is one recipient's RCPT, the outcome at that stage is its own
    /// ([`Outcome::broke_the_session`]), and the others are told that it was not theirs: else one recipient at whom the server breaks every
    /// time would keep all the others waiting.
    fn broken(&mut self, command: Option<Command>, outcome: impl Fn(Stage, &str) -> Outcome) {
        let stage = command.map_or(Stage::Body, Command::stage);
        let Some(Command::Rcpt(index)) = command else {
            return self.end_all(outcome(stage, awaited(stage)));
        };
        self.outcomes[index].get_or_insert_with(|| outcome(stage, awaited(stage)));
        self.end_all(outcome(Stage::Mail, "after RCPT of another recipient"));
    }

    fn end_all(&mut self, outcome: Outcome) {
        self.decide_rest(&outcome);
        self.waiting.clear();
        self.ahead.clear();
    }

    fn decide_rest(&mut self, outcome: &Outcome) {
        for slot in self.outcomes.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(outcome.clone());
        }
    }

    /// Replies that were taken so far. Where there was none, the server has not seen, or not
    /// looked at, any of it.
    pub fn replies(&self) -> usize {
        self.replies
    }

    /// Whether the connection can be used further.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// Whether RSET has to come before the next MAIL.
    pub fn is_unclean(&self) -> bool {
        self.unclean
    }

    /// One outcome for each recipient, in order.
    pub fn finish(self) -> Vec<Outcome> {
        let undecided = || {
            let text = "the transaction was given up before its end";
            Outcome::ours(Verdict::Deferred, Stage::Mail, Culprit::Us, EnhancedCode(4, 3, 0), text)
        };
        self.outcomes.into_iter().map(|o| o.unwrap_or_else(undecided)).collect()
    }
}

fn awaited(stage: Stage) -> &'static str {
    match stage {
        Stage::Mail => "after MAIL",
        Stage::Rcpt => "after RCPT",
        Stage::Data => "after DATA",
        _ => "after the end of the message",
    }
}

#[cfg(test)]
mod tests;
