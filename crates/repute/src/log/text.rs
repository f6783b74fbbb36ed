//! A line for people and grep: time, what happened, then `key=value`; a value with blanks
//! stands in quotes.

use std::fmt::{self, Display, Write as _};

use repute_types::event::Level;
use repute_types::{Address, Cause, Event, EventKind, Outcome, PartId, Timestamp};

/// Appends the event's line.
pub fn line(out: &mut Vec<u8>, event: &Event) {
    let mut line = Line(out);
    // Writing into memory cannot fail.
    let _ = line.event(event);
    line.0.push(b'\n');
}

struct Line<'a>(&'a mut Vec<u8>);

impl fmt::Write for Line<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0.extend_from_slice(s.as_bytes());
        Ok(())
    }
}

impl Line<'_> {
    fn event(&mut self, event: &Event) -> fmt::Result {
        write!(self, "{} ", event.at)?;
        match &event.kind {
            EventKind::Accepted {
                message,
                account,
                from,
                recipients,
                recipient_count,
                size,
                header_id,
                client,
                tls,
                labels,
            } => {
                write!(self, "accepted id={message}")?;
                self.maybe("account", account.as_ref())?;
                self.address("from", from.as_ref())?;
                match recipients.is_empty() {
                    true => write!(self, " recipients={recipient_count}")?,
                    false => {
                        write!(self, " to=")?;
                        self.list(recipients)?;
                    }
                }
                write!(self, " size={size}")?;
                self.text("message-id", header_id)?;
                self.maybe("client", client.as_ref())?;
                self.maybe("tls", tls.as_ref().map(|t| &t.version))?;
                let campaign = labels.as_ref().and_then(|l| l.campaign.as_deref());
                campaign.map_or(Ok(()), |campaign| self.text("campaign", campaign))
            }
            EventKind::Refused { account, client, reply } => {
                write!(self, "refused")?;
                self.maybe("account", account.as_ref())?;
                self.maybe("client", client.as_ref())?;
                self.quoted("reply", reply)
            }
            EventKind::Settled { part, recipient, attempt, outcome, cause, next_attempt, age, egress, .. } => {
                write!(self, "{}", outcome.verdict.as_str())?;
                self.part(*part)?;
                write!(self, " to={recipient}")?;
                if *attempt > 0 {
                    write!(self, " attempt={attempt}")?;
                }
                self.outcome(outcome)?;
                if let Some(Cause { rule, class, fault }) = cause {
                    write!(self, " cause={rule} class={class} fault={fault}")?;
                }
                self.maybe("egress", egress.as_ref())?;
                write!(self, " after={}.{:03}s", age.as_secs(), age.subsec_millis())?;
                self.maybe::<Timestamp>("next", next_attempt.as_ref())
            }
            EventKind::Held { part, reason, .. } => {
                write!(self, "held")?;
                self.part(*part)?;
                self.text("reason", reason)
            }
            EventKind::Released { part, .. } => {
                write!(self, "released")?;
                self.part(*part)
            }
            EventKind::Noticed { about, notice, kind } => {
                write!(self, "noticed id={about} notice={notice} kind={kind}")
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
                write!(self, "{} {what}", level_name(*level))?;
                self.text("text", text)
            }
        }
    }

    fn outcome(&mut self, outcome: &Outcome) -> fmt::Result {
        if let Some(peer) = &outcome.peer {
            write!(self, " host={}", peer.name)?;
            self.maybe("ip", peer.address.as_ref())?;
            if peer.port != 25 {
                write!(self, " port={}", peer.port)?;
            }
        }
        match &outcome.tls {
            Some(tls) => {
                write!(self, " tls={}", tls.version)?;
                self.maybe("tls_asked", tls.asked.demand().as_ref())?;
            }
            None if outcome.peer.is_some() => write!(self, " tls=none")?,
            None => {}
        }
        write!(self, " stage={}", outcome.stage.as_str())?;
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
        write!(self, " id={} part={}", part.message, part.number)
    }

    fn address(&mut self, key: &str, address: Option<&Address>) -> fmt::Result {
        match address {
            Some(address) => write!(self, " {key}={address}"),
            None => write!(self, " {key}=<>"),
        }
    }

    /// One, or the first and how many more: a line stays a line.
    fn list(&mut self, recipients: &[Address]) -> fmt::Result {
        match recipients {
            [] => Ok(()),
            [one] => write!(self, "{one}"),
            [first, rest @ ..] => write!(self, "{first},+{}", rest.len()),
        }
    }

    fn maybe<T: Display>(&mut self, key: &str, value: Option<&T>) -> fmt::Result {
        value.map_or(Ok(()), |value| write!(self, " {key}={value}"))
    }

    fn text(&mut self, key: &str, value: &str) -> fmt::Result {
        let bare = !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'=');
        match bare {
            true => write!(self, " {key}={value}"),
            false => self.quoted(key, &value),
        }
    }

    /// Quotes and control characters are escaped: what a stranger said stays within its quotes.
    fn quoted(&mut self, key: &str, value: &dyn Display) -> fmt::Result {
        write!(self, " {key}=\"")?;
        write!(Escaped(self.0), "{value}")?;
        self.write_char('"')
    }
}

struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if !s.bytes().any(|b| b == b'"' || b == b'\\' || b.is_ascii_control()) {
            self.0.extend_from_slice(s.as_bytes());
            return Ok(());
        }
        for b in s.bytes() {
            match b {
                b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', b]),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                b if b.is_ascii_control() => self.0.push(b'?'),
                b => self.0.push(b),
            }
        }
        Ok(())
    }
}

pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}
