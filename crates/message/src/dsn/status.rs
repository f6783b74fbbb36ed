//! The part that programs read: message/delivery-status (RFC 3464 §2), or
//! message/global-delivery-status where an address is beyond ASCII (RFC 6533 §3).

use repute_types::event::NoticeKind;
use repute_types::{EnhancedCode, Outcome};

use super::{Notice, Told, printable, quoted};
use crate::encode::{Folder, fold};

pub(super) fn part(notice: &Notice<'_>) -> Vec<u8> {
    let mut out = per_message(notice);
    for told in &notice.recipients {
        out.push_str("\r\n");
        per_recipient(notice, told, &mut out);
    }
    let (media, encoding) = match out.is_ascii() {
        true => ("message/delivery-status", "7bit"),
        false => ("message/global-delivery-status", "quoted-printable"),
    };
    let head = format!(
        "Content-Description: Delivery report\r\nContent-Type: {media}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    );
    let body = if out.is_ascii() { out.into_bytes() } else { quoted(out.as_bytes()) };
    [head.as_bytes(), &body].concat()
}

fn per_message(notice: &Notice<'_>) -> String {
    let mut out = format!("Reporting-MTA: dns; {}\r\n", notice.hostname);
    if let Some(envid) = notice.original.envid {
        out.push_str(&field("Original-Envelope-Id", envid));
    }
    out.push_str(&format!("Arrival-Date: {}\r\n", notice.original.received.rfc5322()));
    out
}

fn per_recipient(notice: &Notice<'_>, told: &Told<'_>, out: &mut String) {
    let Told { recipient, outcome, attempted, until } = told;
    if let Some(original) = &recipient.orcpt {
        let (kind, address) = original.split_once(';').unwrap_or(("rfc822", original));
        out.push_str(&field("Original-Recipient", &format!("{kind}; {address}")));
    }
    let kind = if recipient.address.needs_smtputf8() { "utf-8" } else { "rfc822" };
    out.push_str(&field("Final-Recipient", &format!("{kind}; {}", recipient.address)));
    let action = match notice.kind {
        NoticeKind::Failure => "failed",
        NoticeKind::Delay => "delayed",
        NoticeKind::Relay => "relayed",
    };
    out.push_str(&format!("Action: {action}\r\nStatus: {}\r\n", status(notice.kind, outcome)));
    if let Some(peer) = &outcome.peer {
        out.push_str(&field("Remote-MTA", &format!("dns; {}", peer.name)));
    }
    out.push_str(&diagnostic(outcome));
    if let Some(attempted) = attempted {
        out.push_str(&format!("Last-Attempt-Date: {}\r\n", attempted.rfc5322()));
    }
    if let (NoticeKind::Delay, Some(until)) = (notice.kind, until) {
        out.push_str(&format!("Will-Retry-Until: {}\r\n", until.rfc5322()));
    }
}

/// The class must say what the action says (RFC 3464 §2.3.4).
fn status(kind: NoticeKind, outcome: &Outcome) -> EnhancedCode {
    let class = match kind {
        NoticeKind::Failure => 5,
        NoticeKind::Delay => 4,
        NoticeKind::Relay => 2,
    };
    let EnhancedCode(_, subject, detail) = outcome.status;
    EnhancedCode(class, subject, detail)
}

/// The receiver's reply as it was (`smtp`), else our own words under a name of our own.
fn diagnostic(outcome: &Outcome) -> String {
    let (kind, text) = match &outcome.reply {
        Some(reply) => ("smtp", reply.to_string()),
        None if outcome.text.is_empty() => return String::new(),
        None => ("x-repute", outcome.text.clone()),
    };
    // Only addresses may be beyond ASCII here.
    let text: String = text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    field("Diagnostic-Code", &format!("{kind}; {text}"))
}

fn field(name: &str, value: &str) -> String {
    let mut folder = Folder::field(name);
    fold::unstructured(&mut folder, &fold::breakable(&printable(value)));
    folder.finish()
}
