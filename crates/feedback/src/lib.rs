//! What comes back about mail that was sent, understood: the tokens that it comes back by
//! ([`Tokens`]), and what it says ([`read`]).
//!
//! Pure: octets in, values out; no I/O, no clock. Nothing here decides what is done about it, and
//! nothing here believes it: what a stranger's message says is theirs to say, so whoever acts on
//! it asks a token first. Promise: [`read`] never fails and never panics, whatever the octets are, and its time
//! and memory are linear in them.

#[cfg(test)]
extern crate self as repute_feedback;

mod authfail;
mod cause;
mod circumstances;
mod complaint;
mod dmarc;
mod find;
mod freeform;
mod hints;
#[cfg(test)]
mod left_out;
mod letter;
mod mail;
mod original;
mod packed;
mod plain;
mod registered;
mod report;
mod ses;
mod stage;
mod standard;
mod tlsrpt;
mod token;
mod unpack;
mod xarf;
mod zip;

pub use authfail::AuthFailure;
pub use cause::Cause;
pub use complaint::Complaint;
pub use dmarc::{Aggregate, Policy, Record, Signature};
pub use letter::Letter;
pub use original::Original;
pub use packed::Unreadable;
pub use report::{Action, Report, Reported};
pub use tlsrpt::{
    DateRange, Failure, Reporter, SessionCount, Summary, TlsPolicy, TlsPolicyReport, TlsReport, tls_report,
    tls_report_file,
};
pub use token::{Token, Tokens};

use mail::Mail;

/// Who reports, for people: the first of these words that says something.
fn named(words: [&str; 2]) -> &str {
    words.into_iter().map(str::trim).find(|word| !word.is_empty()).unwrap_or("an unnamed receiver")
}

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
    /// Who sent in the name of one of our domains, and whether it passed.
    DmarcReport(Box<Aggregate>),
    /// One message in the name of one of our domains that did not pass.
    DmarcFailure(Box<AuthFailure>),
    /// How often servers could not be reached safely.
    TlsReport(Box<TlsReport>),
    /// A report by what is written on it, which cannot be read: damaged, not of that form, or a bomb.
    Unreadable(Unreadable),
    /// An answer of a human, or what could not be told from one.
    Reply(Letter),
}

/// Reads a message that came back; of several reports in one mail, the first.
pub fn read(content: &[u8]) -> Comeback {
    read_all(content).swap_remove(0)
}

/// Reads a message that came back. Never empty; several are DMARC and TLS reports that came together, those that can be
/// read before those that cannot.
pub fn read_all(content: &[u8]) -> Vec<Comeback> {
    let mail = Mail::read(content);
    // Its document is JSON, as that of a report on TLS is.
    if let Some(complaint) = xarf::read(&mail) {
        return vec![Comeback::Complaint(Box::new(complaint))];
    }
    let reports = packed::read(&mail);
    if reports.is_empty() { vec![of_mail(&mail)] } else { reports }
}

fn of_mail(mail: &Mail<'_>) -> Comeback {
    if let Some(complaint) = complaint::read(mail) {
        return match AuthFailure::of(complaint) {
            Ok(failure) => Comeback::DmarcFailure(Box::new(failure)),
            Err(complaint) => Comeback::Complaint(Box::new(complaint)),
        };
    }
    if let Some(told) = ses::read(mail) {
        return told;
    }
    if let Some(report) = standard::read(mail) {
        return Comeback::Report(report);
    }
    if let Some(report) = wrapped(mail) {
        return Comeback::Report(report);
    }
    let letter = letter::letter(mail);
    let kind = letter::kind(mail, &letter);
    if kind != letter::Kind::Unsubscribe
        && let Some(report) = freeform::read(mail)
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

/// A report that a gateway has put whole into a message that says it is one (`report-type`), or says nothing of its own,
/// and has no fields itself.
fn wrapped(mail: &Mail<'_>) -> Option<Report> {
    if mail.report_type.as_deref() != Some("delivery-status") && freeform::says_something(mail) {
        return None;
    }
    let inner = mail.leaf(&["message/rfc822"])?.octets(mail::TEXT_OCTETS);
    let inner = Mail::read(&inner);
    if inner.report_type.as_deref() != Some("delivery-status") {
        return None;
    }
    standard::read(&inner)
}

/// Reads a file by hand: messages as [`read_all`] does (one, or those of an mbox), or DMARC and TLS reports as they were
/// attached, packed or not. Never empty.
pub fn read_file(octets: &[u8]) -> Vec<Comeback> {
    if !packed::is_report_file(octets) {
        return mail::messages(octets).into_iter().flat_map(read_all).collect();
    }
    let unreadable = |why| Comeback::Unreadable(Unreadable { why });
    let files = packed::of_file(octets, &mut unpack::Room::new());
    if files.is_empty() {
        return vec![unreadable(packed::NEITHER.to_owned())];
    }
    files.into_iter().map(|file| file.unwrap_or_else(unreadable)).collect()
}
