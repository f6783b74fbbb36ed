//! The part that a person reads: what happened, to whom, the receiver's words, what to do.

use repute_types::event::NoticeKind;
use repute_types::{Outcome, Stage};

use super::advice::advice;
use super::{Notice, Told, printable, quoted};
use crate::header::Header;

pub(super) fn part(notice: &Notice<'_>, original: Option<&Header>) -> Vec<u8> {
    let text = write(notice, original).replace('\n', "\r\n");
    let (charset, encoding) = match text.is_ascii() {
        true => ("us-ascii", "7bit"),
        false => ("utf-8", "quoted-printable"),
    };
    let head = format!("Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    let body = if text.is_ascii() { text.into_bytes() } else { quoted(text.as_bytes()) };
    [head.as_bytes(), &body].concat()
}

fn write(notice: &Notice<'_>, original: Option<&Header>) -> String {
    let mut out = format!("This is the mail server {}.\n\n", notice.hostname);
    out.push_str(&format!("Your message of {}\n", notice.original.received.rfc5322()));
    let subject = original.and_then(|h| h.find("Subject").map(|f| String::from_utf8_lossy(&f.text()).into_owned()));
    if let Some(subject) = subject.filter(|s| !s.is_empty()) {
        wrapped(&mut out, "    Subject: ", &printable(&subject));
    }
    out.push_str(match notice.kind {
        NoticeKind::Failure => "could not be delivered to these recipients, and will not be tried again:\n",
        NoticeKind::Delay => {
            "has not been delivered to these recipients yet. You need do nothing:\nit is tried again.\n"
        }
        NoticeKind::Relay => {
            "was handed on for these recipients to a server that will not report\nwhether it arrives:\n"
        }
    });
    for told in &notice.recipients {
        recipient(notice.kind, told, &mut out);
    }
    out.push_str(&format!(
        "\nThe number of your message here is {}.\n\
         What follows is a report for programs, and your message or its header.\n",
        notice.original.id
    ));
    out
}

fn recipient(kind: NoticeKind, told: &Told<'_>, out: &mut String) {
    out.push_str(&format!("\n  {}\n", told.recipient.address));
    wrapped(out, "    ", &said(told.outcome));
    if let Some(reply) = &told.outcome.reply {
        wrapped(out, "      ", &printable(&reply.to_string()));
    }
    match (kind, told.until) {
        (NoticeKind::Failure, _) => wrapped(out, "    ", advice(told.outcome)),
        (NoticeKind::Delay, Some(until)) => {
            wrapped(out, "    ", &format!("It is tried until {}; if that fails, you are told.", until.rfc5322()));
        }
        _ => {}
    }
}

/// Who spoke, or what went wrong before anyone could.
fn said(outcome: &Outcome) -> String {
    let peer = outcome.peer.as_ref().map(|peer| match peer.address {
        Some(address) => format!("{} [{address}]", printable(&peer.name)),
        None => printable(&peer.name),
    });
    let ours = printable(outcome.text.trim_end_matches('.'));
    match (peer, &outcome.reply) {
        (Some(peer), Some(_)) if ours.is_empty() => format!("{peer} said{}:", when(outcome.stage)),
        (Some(peer), Some(_)) => format!("{ours}. {peer} said{}:", when(outcome.stage)),
        (None, Some(_)) => "The answer was:".to_owned(),
        (Some(peer), None) => format!("{peer}: {ours}."),
        (None, None) if ours.is_empty() => "No reason is known.".to_owned(),
        (None, None) => format!("{ours}."),
    }
}

fn when(stage: Stage) -> &'static str {
    match stage {
        Stage::Greeting | Stage::Ehlo => " when we called",
        Stage::StartTls => " when asked for encryption",
        Stage::Auth => " when we logged in",
        Stage::Mail => " about your address",
        Stage::Rcpt => " about the recipient",
        Stage::Data | Stage::Body => " about the message",
        Stage::Queue | Stage::Route | Stage::Connect => "",
    }
}

/// Lines of at most 76, each after the margin.
fn wrapped(out: &mut String, margin: &str, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        if column == 0 {
            out.push_str(margin);
            column = margin.len();
        } else if column + 1 + word.chars().count() > 76 {
            out.push('\n');
            let blank = " ".repeat(margin.len() - margin.trim_start().len());
            out.push_str(&blank);
            column = blank.len();
        } else {
            out.push(' ');
            column += 1;
        }
        // A word that no line can hold is cut, so that the part stays within 998 octets a line.
        let word: String = word.chars().take(200).collect();
        out.push_str(&word);
        column += word.chars().count();
    }
    out.push('\n');
}
