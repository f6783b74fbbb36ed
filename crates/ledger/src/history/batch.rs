//! Events as rows of one transaction: what is kept of each, what is counted, and by what it is found again.
//!
//! Promise: mail is found by its sender, its recipients, their domains and its Message-ID, from its acceptance on; a
//! campaign, whose recipients its acceptance does not name, by each step about one of them.

use std::fmt::{Display, Write};
use std::net::IpAddr;

use repute_types::event::{Accepted, IncidentState, Level, Settled};
use repute_types::short::{self, Short};
use repute_types::{Address, Event, EventKind, Labels, Map, MessageId, Outcome, Set, Timestamp};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::find;
use super::volume::{Entry, Volume};
use crate::key;

/// Messages of which it is remembered whether they are campaigns.
const CAMPAIGNS: usize = 4096;

fn has_campaign(labels: Option<&Labels>) -> bool {
    labels.is_some_and(|labels| labels.campaign.is_some())
}

pub(super) fn minute(at: Timestamp) -> i64 {
    at.0.div_euclid(60_000)
}

/// As the column has it, made without an allocation.
struct Ip(Short<45>);

fn ip(address: Option<IpAddr>) -> Option<Ip> {
    address.map(|address| Ip(short::ip(address)))
}

impl ToSql for Ip {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_str()))
    }
}

/// As it reads, in one piece of memory: most of such texts are short.
fn written(value: &impl Display) -> String {
    let mut text = String::with_capacity(64);
    // Writing into memory cannot fail.
    let _ = write!(text, "{value}");
    text
}

/// Which of the messages that bear a campaign's name are campaigns: one letter to a list, whose recipients are not
/// named when it is accepted. Mail that a program sends one by one may bear such a name as well.
#[derive(Default)]
pub(super) struct Campaigns(Map<i64, bool>);

impl Campaigns {
    fn keep(&mut self, message: i64, is_one: bool) {
        if self.0.len() == CAMPAIGNS {
            self.0.clear();
        }
        self.0.insert(message, is_one);
    }

    /// One whose acceptance is not here is still loading, or was lost.
    fn has(&mut self, db: &Connection, message: i64) -> rusqlite::Result<bool> {
        if let Some(known) = self.0.get(&message) {
            return Ok(*known);
        }
        let mut find = db.prepare_cached("SELECT recipients = '' FROM message WHERE id = ?1")?;
        let is_one = find.query_row([message], |row| row.get(0)).optional()?.unwrap_or(true);
        self.keep(message, is_one);
        Ok(is_one)
    }
}

pub(super) struct Batch<'a> {
    db: &'a Connection,
    seq: i64,
    campaigns: &'a mut Campaigns,
    tally: Map<(i64, &'static str), i64>,
    /// They go in at the end.
    entries: Vec<Entry>,
    /// Those of them that stand for several messages.
    shared: Set<Entry>,
}

impl<'a> Batch<'a> {
    pub fn new(db: &'a Connection, seq: i64, campaigns: &'a mut Campaigns) -> Batch<'a> {
        Batch { db, seq, campaigns, tally: Map::default(), entries: Vec::new(), shared: Set::default() }
    }

    pub fn event(&mut self, event: &Event) -> rusqlite::Result<()> {
        let at = event.at;
        match &event.kind {
            EventKind::Accepted(accepted) => self.accepted(at, accepted),
            EventKind::Settled(settled) => self.settled(at, settled),
            EventKind::Refused { account, client, reply } => {
                self.count(at, "refused");
                let seq = self.next_seq();
                let mut add = self.db.prepare_cached(
                    "INSERT INTO note (seq, at, kind, text, account, client) VALUES (?1, ?2, 'refused', ?3, ?4, ?5)",
                )?;
                add.execute(params![seq, at.0, reply.to_string(), account.as_deref(), ip(*client)])?;
                Ok(())
            }
            EventKind::Held { message, part, reason, .. } => {
                self.count(at, "held");
                self.plain(at, "held", (*message, *part), Some(reason))
            }
            EventKind::Released { message, part, .. } => {
                self.count(at, "released");
                self.plain(at, "released", (*message, *part), None)
            }
            EventKind::Noticed { about, notice, kind } => {
                self.count(at, "noticed");
                let seq = self.next_seq();
                let mut add = self.db.prepare_cached(
                    "INSERT INTO step (message, seq, at, kind, text, other) VALUES (?1, ?2, ?3, 'noticed', ?4, ?5)",
                )?;
                add.execute(params![key(*about), seq, at.0, kind.as_str(), key(*notice)])?;
                Ok(())
            }
            EventKind::Returned { message, recipient, client } => {
                self.count(at, "returned");
                let seq = self.next_seq();
                let mut add = self.db.prepare_cached(
                    "INSERT INTO step (message, seq, at, kind, recipient, peer_ip)
                     VALUES (?1, ?2, ?3, 'returned', ?4, ?5)",
                )?;
                add.execute(params![key(*message), seq, at.0, recipient.to_string(), ip(*client)])?;
                self.find(find::of_recipient(recipient), *message);
                Ok(())
            }
            EventKind::CameBack { .. } | EventKind::Suppressed { .. } => self.about_recipient(at, &event.kind),
            EventKind::Cancelled { message, recipient_count, .. } => {
                self.count(at, "cancelled");
                let seq = self.next_seq();
                let mut add = self.db.prepare_cached(
                    "INSERT INTO step (message, seq, at, kind, other) VALUES (?1, ?2, ?3, 'cancelled', ?4)",
                )?;
                add.execute(params![key(*message), seq, at.0, *recipient_count as i64])?;
                Ok(())
            }
            EventKind::Incident { state, what, subject, text, cure, .. } => {
                self.count(at, "incidents");
                let level = if *state == IncidentState::Opened { Level::Warning } else { Level::Info };
                let end = if cure.is_empty() { String::new() } else { format!("; {cure}") };
                self.note(at, level, what, &format!("{} for {subject}: {text}{end}", state.as_str()))
            }
            EventKind::Note { level, what, text } => self.note(at, *level, what, text),
        }
    }

    fn accepted(&mut self, at: Timestamp, accepted: &Accepted) -> rusqlite::Result<()> {
        let Accepted { message, account, from, recipients, recipient_count, size, header_id, client, tls, labels } =
            accepted;
        if has_campaign(labels.as_deref()) {
            self.campaigns.keep(key(*message), recipients.is_empty());
        }
        let count = recipients.is_empty().then_some(*recipient_count as i64);
        self.count(at, "accepted");
        let mut joined = String::with_capacity(recipients.len() * 24);
        for (n, recipient) in recipients.iter().enumerate() {
            if n > 0 {
                joined.push('\n');
            }
            joined.push_str(recipient.local());
            joined.push('@');
            joined.push_str(recipient.domain().as_str());
        }
        let mut add = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?;
        add.execute(params![
            key(*message),
            at.0,
            account.as_deref(),
            from.as_ref().map(written),
            joined,
            *size as i64,
            header_id,
            ip(*client),
            tls.as_ref().map(|t| t.version.as_str()),
            count,
        ])?;
        drop(add);
        if let Some(from) = from {
            self.find_about(find::of_sender(from), *message);
        }
        if !header_id.is_empty() {
            self.find(find::of_header_id(header_id), *message);
        }
        for recipient in recipients {
            self.find(find::of_recipient(recipient), *message);
            self.find_about(find::of_recipient_domain(recipient.domain()), *message);
        }
        Ok(())
    }

    fn settled(&mut self, at: Timestamp, settled: &Settled) -> rusqlite::Result<()> {
        let Settled { part, labels, recipient, attempt, outcome, next_attempt, age, egress, cause, .. } = settled;
        let Outcome { verdict, stage, culprit, status, reply, text, peer, tls } = &**outcome;
        self.count(at, verdict.as_str());
        let seq = self.next_seq();
        self.find_member((part.message, seq), labels.as_deref(), recipient)?;
        let mut add = self.db.prepare_cached(
            "INSERT INTO step (message, seq, at, kind, part, recipient, attempt, verdict, stage, culprit, status,
                               reply, text, peer, peer_ip, peer_port, tls, egress, next, age, cause, class, fault)
             VALUES (?1, ?2, ?3, 'settled', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                     ?20, ?21, ?22)",
        )?;
        add.execute(params![
            key(part.message),
            seq,
            at.0,
            part.number,
            written(recipient),
            attempt,
            verdict.as_str(),
            stage.as_str(),
            culprit.as_str(),
            written(status),
            reply.as_ref().map(written),
            Some(text.as_str()).filter(|text| !text.is_empty()),
            peer.as_ref().map(|p| p.name.as_str()),
            ip(peer.as_ref().and_then(|p| p.address)),
            peer.as_ref().map(|p| p.port),
            tls.as_ref().map(ToString::to_string),
            ip(*egress),
            next_attempt.map(|t| t.0),
            i64::try_from(age.as_millis()).unwrap_or(i64::MAX),
            cause.map(|c| c.rule),
            cause.map(|c| c.class),
            cause.map(|c| c.fault),
        ])?;
        Ok(())
    }

    /// A step about a recipient of a campaign is found by them; those of other mail by their acceptance.
    fn find_member(
        &mut self,
        (message, step): (MessageId, i64),
        labels: Option<&Labels>,
        recipient: &Address,
    ) -> rusqlite::Result<()> {
        if has_campaign(labels) && self.campaigns.has(self.db, key(message))? {
            self.entries.push(Entry { hash: find::of_recipient(recipient), message: key(message), step });
        }
        Ok(())
    }

    /// What came back about a recipient, or why it was left out.
    fn about_recipient(&mut self, at: Timestamp, kind: &EventKind) -> rusqlite::Result<()> {
        let (word, message, recipient, labels, status, cause, text) = match kind {
            EventKind::CameBack { what, message, recipient, labels, status, cause, text, .. } => {
                (what.as_str(), *message, recipient, labels, status.map(|s| s.to_string()), *cause, text)
            }
            EventKind::Suppressed { message, recipient, labels, text, .. } => {
                ("suppressed", Some(*message), recipient, labels, None, None, text)
            }
            _ => return Ok(()),
        };
        self.count(at, word);
        let Some(message) = message else { return Ok(()) };
        let seq = self.next_seq();
        self.find_member((message, seq), labels.as_deref(), recipient)?;
        let mut add = self.db.prepare_cached(
            "INSERT INTO step (message, seq, at, kind, recipient, status, text, cause, class, fault)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        add.execute(params![
            key(message),
            seq,
            at.0,
            word,
            recipient.to_string(),
            status,
            Some(text).filter(|t| !t.is_empty()),
            cause.map(|c| c.rule),
            cause.map(|c| c.class),
            cause.map(|c| c.fault),
        ])?;
        Ok(())
    }

    /// Of a part of a message, or of all of a campaign.
    fn plain(
        &mut self,
        at: Timestamp,
        kind: &str,
        (message, part): (MessageId, Option<u32>),
        text: Option<&str>,
    ) -> rusqlite::Result<()> {
        let seq = self.next_seq();
        let mut add = self
            .db
            .prepare_cached("INSERT INTO step (message, seq, at, kind, part, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        add.execute(params![key(message), seq, at.0, kind, part, text])?;
        Ok(())
    }

    pub fn note(&mut self, at: Timestamp, level: Level, what: &str, text: &str) -> rusqlite::Result<()> {
        let seq = self.next_seq();
        let mut add = self.db.prepare_cached(
            "INSERT INTO note (seq, at, kind, level, what, text) VALUES (?1, ?2, 'note', ?3, ?4, ?5)",
        )?;
        add.execute(params![seq, at.0, level.as_str(), what, text])?;
        Ok(())
    }

    fn find(&mut self, hash: i64, message: MessageId) {
        self.entries.push(Entry { hash, message: key(message), step: 0 });
    }

    /// For what many messages share: one row stands for all of them that came within some seconds.
    fn find_about(&mut self, hash: i64, message: MessageId) {
        let entry = Entry { hash, message: key(find::span_of(message).0), step: 0 };
        if self.shared.insert(entry) {
            self.entries.push(entry);
        }
    }

    fn count(&mut self, at: Timestamp, what: &'static str) {
        *self.tally.entry((minute(at), what)).or_default() += 1;
    }

    fn next_seq(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }

    /// Writes down what was counted and by what all of it is found; the number of the last step, and the volume as it now is.
    pub fn finish(self, mut volume: Volume) -> rusqlite::Result<(i64, Volume)> {
        volume.add(self.db, self.entries)?;
        let mut add = self
            .db
            .prepare_cached("INSERT INTO tally VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + excluded.n")?;
        for ((minute, what), n) in &self.tally {
            add.execute(params![minute, what, n])?;
        }
        Ok((self.seq, volume))
    }
}
