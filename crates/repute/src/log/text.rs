//! A line for people and grep: time, what happened, then `key=value`; a value with blanks
//! stands in quotes.

use std::fmt::{self, Display, Write as _};
use std::net::IpAddr;

use repute_types::event::{Accepted, Settled};
use repute_types::{Address, Cause, Event, EventKind, Outcome, PartId, Timestamp, short};

/// Appends the event's line.
pub fn line(out: &mut Vec<u8>, event: &Event) {
    let mut line = Line(out);
    // Writing into memory cannot fail.
    let _ = line.event(event);
    line.0.push(b'\n');
}

struct Line<'a>(&'a mut Vec<u8>);

impl fmt::Write for Line<'_> {
    /// Addresses and names may be beyond ASCII: what cannot be seen in them is spelt out.
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if s.is_ascii() {
            self.0.extend_from_slice(s.as_bytes());
        } else {
            s.chars().for_each(|c| put(self.0, c));
        }
        Ok(())
    }
}

/// A character as it is; where it would break the line or turn it around, its number.
fn put(out: &mut Vec<u8>, c: char) {
    if c.is_control() || is_unseen(c) {
        out.extend_from_slice(c.escape_unicode().to_string().as_bytes());
    } else {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Characters that break a line without being control characters, or turn the text around them (Unicode's line and
/// paragraph separators, and its controls of direction): a stranger must not make a line look like another.
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Line<'_> {
    fn event(&mut self, event: &Event) -> fmt::Result {
        self.0.extend_from_slice(event.at.rfc3339().as_str().as_bytes());
        self.0.push(b' ');
        match &event.kind {
            EventKind::Accepted(accepted) => self.accepted(accepted),
            EventKind::Refused { account, client, reply } => {
                write!(self, "refused")?;
                self.maybe("account", account.as_ref())?;
                self.maybe("client", client.as_ref())?;
                self.quoted("reply", reply)
            }
            EventKind::Settled(settled) => self.settled(settled),
            EventKind::Held { message, part, reason, .. } => {
                write!(self, "held id={message}")?;
                self.maybe("part", part.as_ref())?;
                self.text("reason", reason)
            }
            EventKind::Released { message, part, .. } => {
                write!(self, "released id={message}")?;
                self.maybe("part", part.as_ref())
            }
            EventKind::Noticed { about, notice, kind } => {
                write!(self, "noticed id={about} notice={notice} kind={}", kind.as_str())
            }
            EventKind::Returned { message, recipient, client } => {
                write!(self, "returned id={message} to={recipient}")?;
                self.maybe("client", client.as_ref())
            }
            EventKind::CameBack { what, account, message, recipient, status, cause, text, .. } => {
                write!(self, "{}", what.as_str())?;
                self.maybe("id", message.as_ref())?;
                self.maybe("account", account.as_ref())?;
                write!(self, " to={recipient}")?;
                self.maybe("status", status.as_ref())?;
                if let Some(Cause { rule, class, fault }) = cause {
                    write!(self, " cause={rule} class={class} fault={fault}")?;
                }
                if text.is_empty() { Ok(()) } else { self.text("text", text) }
            }
            EventKind::Suppressed { message, account, recipient, why, text, .. } => {
                write!(self, "suppressed id={message}")?;
                self.maybe("account", account.as_ref())?;
                write!(self, " to={recipient} why={why}")?;
                self.text("text", text)
            }
            EventKind::Cancelled { message, account, labels, recipient_count } => {
                write!(self, "cancelled id={message}")?;
                self.maybe("account", account.as_ref())?;
                write!(self, " recipients={recipient_count}")?;
                let campaign = labels.as_ref().and_then(|l| l.campaign.as_deref());
                campaign.map_or(Ok(()), |campaign| self.text("campaign", campaign))
            }
            EventKind::Incident { id, state, what, subject, text, cure } => {
                write!(self, "incident {} incident={id} what={what}", state.as_str())?;
                self.text("subject", subject)?;
                self.text("text", text)?;
                if cure.is_empty() { Ok(()) } else { self.text("cure", cure) }
            }
            EventKind::Note { level, what, text } => {
                write!(self, "{} {what}", level.as_str())?;
                self.text("text", text)
            }
        }
    }

    fn accepted(&mut self, accepted: &Accepted) -> fmt::Result {
        self.write_str("accepted")?;
        self.bare("id", accepted.message.text().as_str())?;
        accepted.account.as_deref().map_or(Ok(()), |account| self.bare("account", account))?;
        self.address("from", accepted.from.as_ref())?;
        match accepted.recipients.is_empty() {
            true => write!(self, " recipients={}", accepted.recipient_count)?,
            false => {
                self.write_str(" to=")?;
                self.list(&accepted.recipients)?;
            }
        }
        self.bare("size", short::number(accepted.size as u64).as_str())?;
        self.text("message-id", &accepted.header_id)?;
        self.ip("client", accepted.client)?;
        accepted.tls.as_ref().map_or(Ok(()), |tls| self.bare("tls", &tls.version))?;
        let campaign = accepted.labels.as_ref().and_then(|l| l.campaign.as_deref());
        campaign.map_or(Ok(()), |campaign| self.text("campaign", campaign))
    }

    fn settled(&mut self, settled: &Settled) -> fmt::Result {
        self.write_str(settled.outcome.verdict.as_str())?;
        self.part(settled.part)?;
        self.address("to", Some(&settled.recipient))?;
        if settled.attempt > 0 {
            self.bare("attempt", short::number(settled.attempt.into()).as_str())?;
        }
        self.outcome(&settled.outcome)?;
        if let Some(Cause { rule, class, fault }) = settled.cause {
            write!(self, " cause={rule} class={class} fault={fault}")?;
        }
        self.ip("egress", settled.egress)?;
        self.bare("after", short::seconds(settled.age).as_str())?;
        self.maybe::<Timestamp>("next", settled.next_attempt.as_ref())
    }

    fn outcome(&mut self, outcome: &Outcome) -> fmt::Result {
        if let Some(peer) = &outcome.peer {
            self.bare("host", &peer.name)?;
            self.ip("ip", peer.address)?;
            if peer.port != 25 {
                self.bare("port", short::number(peer.port.into()).as_str())?;
            }
        }
        match &outcome.tls {
            Some(tls) => {
                self.bare("tls", &tls.version)?;
                self.maybe("tls_asked", tls.asked.demand().as_ref())?;
            }
            None if outcome.peer.is_some() => self.bare("tls", "none")?,
            None => {}
        }
        self.bare("stage", outcome.stage.as_str())?;
        match &outcome.reply {
            Some(reply) => self.quoted("reply", reply)?,
            None => write!(self, " status={}", outcome.status)?,
        }
        match outcome.text.is_empty() {
            true => Ok(()),
            false => self.text("text", &outcome.text),
        }
    }

    fn part(&mut self, part: PartId) -> fmt::Result {
        self.bare("id", part.message.text().as_str())?;
        self.bare("part", short::number(part.number.into()).as_str())
    }

    fn address(&mut self, key: &str, address: Option<&Address>) -> fmt::Result {
        for text in [" ", key, "="] {
            self.0.extend_from_slice(text.as_bytes());
        }
        match address {
            Some(address) => self.whole(address),
            None => self.write_str("<>"),
        }
    }

    fn whole(&mut self, address: &Address) -> fmt::Result {
        [address.local(), "@", address.domain().as_str()].into_iter().try_for_each(|text| self.write_str(text))
    }

    /// One, or the first and how many more: a line stays a line.
    fn list(&mut self, recipients: &[Address]) -> fmt::Result {
        match recipients {
            [] => Ok(()),
            [one] => self.whole(one),
            [first, rest @ ..] => {
                self.whole(first)?;
                write!(self, ",+{}", rest.len())
            }
        }
    }

    fn maybe<T: Display>(&mut self, key: &str, value: Option<&T>) -> fmt::Result {
        value.map_or(Ok(()), |value| write!(self, " {key}={value}"))
    }

    fn ip(&mut self, key: &str, address: Option<IpAddr>) -> fmt::Result {
        address.map_or(Ok(()), |address| self.bare(key, short::ip(address).as_str()))
    }

    /// A value that needs no quotes.
    fn bare(&mut self, key: &str, value: &str) -> fmt::Result {
        for text in [" ", key, "=", value] {
            self.0.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    fn text(&mut self, key: &str, value: &str) -> fmt::Result {
        let bare = !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'=');
        match bare {
            true => self.bare(key, value),
            false => self.quoted(key, &value),
        }
    }

    /// Quotes and control characters are escaped: what a stranger said stays within its quotes.
    fn quoted(&mut self, key: &str, value: &dyn Display) -> fmt::Result {
        for text in [" ", key, "=\""] {
            self.0.extend_from_slice(text.as_bytes());
        }
        write!(Escaped(self.0), "{value}")?;
        self.write_char('"')
    }
}

struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if s.bytes().all(|b| b.is_ascii() && b != b'"' && b != b'\\' && !b.is_ascii_control()) {
            self.0.extend_from_slice(s.as_bytes());
            return Ok(());
        }
        for c in s.chars() {
            match c {
                '"' | '\\' => self.0.extend_from_slice(&[b'\\', c as u8]),
                '\n' => self.0.extend_from_slice(b"\\n"),
                c if c.is_ascii_control() => self.0.push(b'?'),
                c => put(self.0, c),
            }
        }
        Ok(())
    }
}
