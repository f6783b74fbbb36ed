//! Notices in a form of their own: those of servers that write sentences instead of the fields of RFC 3464.
//!
//! One reader for all, because they have one shape: a sentence that something failed, the address
//! on a line of its own (or in the sentence), what was said about it, and the message returned
//! behind a line that says so. What differs between families is data: how the notice is known
//! ([`FORMS`]) and how the returned message begins ([`ORIGINALS`]).
//!
//! Only what comes from a machine is taken for a notice: a human who quotes one has written a reply.

mod forms;
mod named;

use repute_types::EnhancedCode;

use self::forms::{FORMS, NOTICES, ORIGINALS};
use self::named::{blocks, in_sentence, one_line, screen_names, transcribed};
use crate::cause::{self, Said};
use crate::find;
use crate::letter::mail_is_from_a_machine;
use crate::mail::{Leaf, Mail, split};
use crate::original::Original;
use crate::report::{Action, Report, Reported};

/// Octets of text that are looked at.
const TEXT: usize = 64 * 1024;
const RECIPIENTS: usize = 100;

/// `None` where it is no notice.
pub(crate) fn read(mail: &Mail<'_>) -> Option<Report> {
    let subject = mail.header.decoded("subject").unwrap_or_default().to_lowercase();
    let text = explanation(mail);
    let form = form(mail, &subject, &text)?;
    let (said, after) = notice_and_original(&text);
    let original = original(mail, after);
    let action = action(&subject, said);
    let failed: Vec<String> = mail
        .header
        .all("x-failed-recipients")
        .flat_map(|v| find::addresses(&v).take(RECIPIENTS).collect::<Vec<_>>())
        .collect();
    let sender = mail.header.first("to").and_then(|to| find::address(&to)).unwrap_or_default().to_lowercase();
    let mut blocks = if form == "list" { Vec::new() } else { blocks(said, &failed, &sender) };
    if blocks.is_empty() {
        blocks = transcribed(said);
    }
    if blocks.is_empty() {
        blocks = screen_names(said, reporter(mail).as_deref());
    }
    if blocks.is_empty() {
        let address = in_sentence(said, &failed, &sender, &original).or_else(|| find::address(&subject));
        blocks.push((address.unwrap_or_default(), one_line(said)));
    }
    blocks.truncate(RECIPIENTS);
    let named: Vec<String> = blocks.iter().map(|(address, _)| address.clone()).collect();
    let whole = Whole { said, named: &named, subject: &subject, form };
    let recipients = blocks.into_iter().map(|(address, text)| reported(address, &text, &whole, action));
    let recipients = recipients.collect();
    Some(Report { form, reporter: reporter(mail), envelope: None, recipients, original })
}

/// Whether a text before the returned message names an address or quotes a reply.
pub(crate) fn says_something(mail: &Mail<'_>) -> bool {
    let text = explanation(mail);
    find::address(&text).is_some() || find::reply_codes(&text).any(|(code, _)| code >= 400)
}

/// The text that people are to read: what stands before the returned message.
fn explanation(mail: &Mail<'_>) -> String {
    let before = || mail.leaves.iter().take_while(|leaf| !leaf.is_message());
    let plain: Vec<String> = before().filter(|leaf| leaf.kind == "text/plain").take(3).map(Leaf::text).collect();
    let mut text = plain.join("\n");
    if text.trim().is_empty() {
        text = before().find(|leaf| leaf.kind == "text/html").map(Leaf::text).unwrap_or_default();
    }
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

fn form(mail: &Mail<'_>, subject: &str, text: &str) -> Option<&'static str> {
    let from = mail.header.first("from").unwrap_or_default().to_lowercase();
    const DAEMONS: [&str; 17] = [
        "mail service",
        "mailer-daemon",
        "mailer daemon",
        "mailerdaemon",
        "postmaster",
        "post_master",
        "mail delivery",
        "mail.delivery",
        "delivery subsystem",
        "mail administrator",
        "ndr administrator",
        "mdaemon",
        "bounce",
        "<>",
        "listserv",
        "mail server",
        "system@",
    ];
    let start = &text[..text.floor_char_boundary(8 * 1024)].to_lowercase();
    let is_daemon = DAEMONS.iter().any(|name| from.contains(name))
        || mail.header.has("x-failed-recipients")
        || mail.header.has("x-mlserver");
    let is_report = mail.report_type.as_deref() == Some("delivery-status");
    let known = FORMS.iter().find(|(_, marks)| marks.iter().any(|mark| start.contains(mark))).map(|(name, _)| *name);
    let is_notice = NOTICES.iter().any(|words| subject.contains(words))
        || (is_daemon && NOTICES.iter().any(|words| start.contains(words)));
    // A human who answers has something to answer to.
    let is_answer = ["in-reply-to", "references"].iter().any(|name| mail.header.has(name))
        || ["re:", "aw:", "fw:", "fwd:", "sv:"].iter().any(|prefix| subject.trim_start().starts_with(prefix));
    let says_twice = !is_answer
        && NOTICES.iter().any(|words| subject.contains(words))
        && (known.is_some() || NOTICES.iter().any(|words| start.contains(words)));
    let is_machine = is_daemon
        || says_twice
        || mail_is_from_a_machine(mail)
        || is_report
        || mail.leaves.iter().any(Leaf::is_message);
    let without_sender = from.trim().is_empty();
    // In whatever language it speaks: a daemon that returns a message has not delivered it.
    let returns = is_daemon && !is_answer && mail.leaves.iter().any(Leaf::is_message);
    match known {
        Some(known) if is_machine || without_sender => Some(known),
        _ if is_report || returns || (is_notice && (is_machine || without_sender)) => Some(known.unwrap_or("other")),
        _ if is_daemon && !is_answer && find::address(start).is_some() && cause::is_about_a_recipient(start) => {
            Some("other")
        }
        _ => None,
    }
}

/// The notice, and what follows the line that announces the returned message.
pub(crate) fn notice_and_original(text: &str) -> (&str, &str) {
    let mut at = 0;
    let mut seen_text = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim().trim_start_matches(['-', '=', '*', '>', '_', ' ', '#', '|']).to_lowercase();
        if seen_text
            && bare.len() < 200
            && ORIGINALS.iter().any(|begin| bare.starts_with(begin))
            && !bare.contains(" was received at")
        {
            return (&text[..at], &text[at + line.len()..]);
        }
        // The kinds of parts show where a notice has lost its own header, and so its structure.
        const HEADERS: [&str; 6] = [
            "Received: ",
            "Return-Path: <",
            "DKIM-Signature: ",
            "Return-path: <",
            "Content-Type: message/rfc822",
            "Content-Type: text/rfc822-headers",
        ];
        let begins_header = HEADERS.iter().any(|f| line.starts_with(f));
        if begins_header {
            return (&text[..at], &text[at..]);
        }
        seen_text |= !bare.is_empty();
        at += line.len();
    }
    (text, "")
}

fn original(mail: &Mail<'_>, after: &str) -> Original {
    let returned = Original::of_mail(mail);
    if returned.fields.is_empty() {
        let start = after.find(|c: char| !c.is_whitespace() && c != '-').unwrap_or(after.len());
        let mut quoted = Original::of_header(&split(&after.as_bytes()[start..]).0);
        if !quoted.fields.is_empty() {
            quoted.message_id = quoted.message_id.or(returned.message_id);
            return quoted;
        }
    }
    returned
}

fn action(subject: &str, text: &str) -> Action {
    const DELAYS: [&str; 19] = [
        "has been postponed",
        "continue to try to deliver",
        "delivery attempts will continue to be made",
        "has been delayed",
        "delivery delayed",
        "delayed mail",
        "is delayed for",
        "not yet been delivered",
        "still being retried",
        "(delay)",
        "warning only",
        "warning message only",
        "will be retried",
        "will continue trying",
        "delivery attempts will continue",
        "temporary failure report",
        "delivery incomplete",
        "could not be delivered for more than",
        "will keep trying",
    ];
    const FINAL: [&str; 4] = ["permanent error", "failed permanently", "has been a permanent", "given up"];
    let text = text[..text.floor_char_boundary(8 * 1024)].to_lowercase();
    let is_final = FINAL.iter().any(|words| text.contains(words));
    if !is_final && DELAYS.iter().any(|words| text.contains(words) || subject.contains(words)) {
        Action::Delayed
    } else {
        Action::Failed
    }
}

/// The notice that a recipient is named in.
struct Whole<'a> {
    said: &'a str,
    /// All whom it is about.
    named: &'a [String],
    subject: &'a str,
    form: &'static str,
}

fn reported(last: String, text: &str, whole: &Whole<'_>, action: Action) -> Reported {
    let remote = remote(text);
    let elsewhere = sole_reply(text, whole);
    let quoted = reason_of_exchange(text);
    let reason = reason(text).or(quoted.map(|(_, reply)| reply)).or(elsewhere.as_deref());
    let said = Said {
        status: quoted.map(|(status, _)| status),
        diagnostic: reason.unwrap_or(text),
        explanation: whole.said,
        subject: whole.subject,
        recipients: whole.named,
        remote: remote.as_deref(),
        recipient: &last,
        action,
    };
    let mut read = cause::read(&said);
    if whole.form == "exim"
        && !read.is_status_told
        && read.cause.is_some_and(|c| c.class == repute_trust::replies::Class::Expired)
    {
        // Exim gives up on what has only ever been put off.
        read.status.0 = 4;
    }
    let diagnostic = text[..text.floor_char_boundary(2000)].to_owned();
    Reported {
        original: None,
        last,
        action,
        status: read.status,
        is_status_told: read.is_status_told,
        reply: read.reply,
        diagnostic,
        remote,
        cause: read.cause,
    }
}

/// What the other side said, where the notice marks it.
fn reason(text: &str) -> Option<&str> {
    error_details(text).or_else(|| reason_of_sendmail(text))
}

/// What Exchange quotes, and its own status before it: `<mail.example.net #5.5.0 smtp;550 no such user>`.
pub(crate) fn reason_of_exchange(text: &str) -> Option<(EnhancedCode, &str)> {
    let (before, behind) = text.split_once(" smtp;")?;
    let status = before.rsplit_once('#')?.1;
    let inside = behind.split_once('\n').map_or(behind, |(line, _)| line).trim_start();
    let inside = inside.trim_end().strip_suffix('>').unwrap_or(inside);
    let is_reply = find::reply_code(inside).is_some_and(|(code, place)| code >= 400 && place == 0);
    let status = find::status(status).filter(|_| status.len() < 10)?;
    is_reply.then_some((status, inside))
}

/// The reply that stands in a paragraph of its own, before or behind the one recipient that the notice is about.
fn sole_reply(text: &str, whole: &Whole<'_>) -> Option<String> {
    let refuses = |text: &str| find::reply_codes(text).any(|(code, _)| code >= 400);
    if whole.named.len() != 1 || refuses(text) {
        return None;
    }
    let begins = |line: &&str| find::reply_code(line).is_some_and(|(code, place)| code >= 400 && place == 0);
    let mut lines = whole.said.lines().map(str::trim).skip_while(|line| !begins(line));
    let reply: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let reply = one_line(&reply.join(" "));
    // Mere numbers are no reply.
    (reply.len() > 8).then_some(reply)
}

/// What Exchange Online writes at the end, behind advice for users and administrators: `Error: 550 5.1.10
/// RESOLVER.ADR.RecipientNotFound; …`.
fn error_details(text: &str) -> Option<&str> {
    let (_, inside) = text.rsplit_once(" Error: ")?;
    let end = [" Message rejected by: ", " Notification Details "].iter().filter_map(|end| inside.find(end)).min();
    let inside = &inside[..end.unwrap_or(inside.len())];
    let is_reply = find::reply_code(inside).is_some_and(|(code, place)| code >= 400 && place == 0);
    (is_reply && find::status(&inside[3..]).is_some()).then_some(inside)
}

/// What sendmail says that the other side said: `(reason: 550 5.7.1 no)`. The transcript behind it holds sendmail's own
/// words as well, which call whatever it was "User unknown".
fn reason_of_sendmail(text: &str) -> Option<&str> {
    let (_, inside) = text.split_once("(reason: ")?;
    let ends = [") (expanded from: ", ") ----- ", ")  "].iter().filter_map(|end| inside.find(end)).min();
    let inside = &inside[..ends.unwrap_or_else(|| inside.trim_end().trim_end_matches(')').len())];
    find::reply_code(inside).is_some_and(|(code, place)| code >= 400 && place == 0).then_some(inside)
}

/// The host that is said to have refused: `host mx.example.net [192.0.2.1]`, `by mx.example.net. [192.0.2.1]`.
fn remote(text: &str) -> Option<String> {
    let names = ["host ", "by ", "Server ", "Server <", "connect to "].iter().filter_map(|lead| {
        let (_, after) = text.split_once(lead)?;
        let name = after.split(['[', ' ', ':', ',', ';', '(', '>']).next()?.trim_end_matches('.');
        let good = name.contains('.')
            && name.len() < 255
            && !name.contains('@')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        good.then(|| name.to_ascii_lowercase())
    });
    names.into_iter().next()
}

fn reporter(mail: &Mail<'_>) -> Option<String> {
    let from = mail.header.first("from").and_then(|from| find::address(&from))?;
    from.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase())
}
