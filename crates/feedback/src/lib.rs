//! What comes back about mail that was sent, understood: the tokens that it comes back by
//! ([`Tokens`]), and what it says ([`read`]).
//!
//! Pure: octets in, values out; no I/O, no clock. Nothing here decides what is done about it, and
//! nothing here believes it: what a stranger's message says is theirs to say, so whoever acts on
//! it asks a token first. Promise: [`read`] never fails and never panics, whatever the octets are, and its time
//! and memory are linear in them.

mod cause;
mod complaint;
mod find;
mod freeform;
mod letter;
mod mail;
mod original;
mod report;
mod standard;
pub mod token;

pub use cause::Cause;
pub use complaint::Complaint;
pub use letter::Letter;
pub use original::Original;
pub use report::{Action, Report, Reported};
pub use token::{Token, Tokens};

use mail::Mail;

/// What a message that came back is. More kinds may be added: the rest is mail for a human.
#[derive(Clone, Debug, PartialEq)]
pub enum Comeback {
    /// A notice about a delivery: bounce, delay, success.
    Report(Report),
    /// Somebody called it spam.
    Complaint(Box<Complaint>),
    /// Somebody wants no more of it.
    Unsubscribe(Letter),
    /// A filter wants the sender to prove that it is human. Not to be answered.
    Challenge(Letter),
    /// An answer of a machine: absent, received, read. Not to be answered.
    AutoReply(Letter),
    /// An answer of a human, or what could not be told from one.
    Reply(Letter),
}

/// Reads a message that came back.
pub fn read(content: &[u8]) -> Comeback {
    let mail = Mail::read(content);
    if let Some(complaint) = complaint::read(&mail) {
        return Comeback::Complaint(Box::new(complaint));
    }
    if let Some(report) = standard::read(&mail) {
        return Comeback::Report(report);
    }
    let letter = letter::letter(&mail);
    let kind = letter::kind(&mail, &letter);
    if kind != letter::Kind::Unsubscribe
        && let Some(report) = freeform::read(&mail)
    {
        return Comeback::Report(report);
    }
    match kind {
        letter::Kind::Unsubscribe => Comeback::Unsubscribe(letter),
        letter::Kind::Challenge => Comeback::Challenge(letter),
        letter::Kind::Automatic => Comeback::AutoReply(letter),
        letter::Kind::Human => Comeback::Reply(letter),
    }
}
