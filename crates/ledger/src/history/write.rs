//! Events as rows, a batch a transaction.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use repute_types::event::{IncidentState, Level};
use repute_types::short::{self, Short};
use repute_types::{Address, Clock, Event, EventKind, Labels, MessageId, Outcome, Timestamp};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

use super::{find, schema};
use crate::{LedgerError, give_back, id_of_key, key};

/// Messages forgotten in one transaction: small, so that events never wait long for it.
const FORGET_STEP: i64 = 500;
/// Pages given back to the file system after a look for what is old: 1 MiB.
const VACUUM_PAGES: u32 = 256;
/// Rows of the index that one statement adds: beginning and ending one costs as much as a row.
const FINDS: usize = 64;
/// Steps forgotten in one transaction: a campaign has one and more for each recipient.
const FORGET_STEPS: i64 = 5_000;
/// Messages of which it is remembered whether they are campaigns.
const CAMPAIGNS: usize = 4096;
/// Between two looks for what is old.
const FORGET_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    db: Connection,
    /// The number of the next step or note.
    seq: i64,
    retention: Duration,
    clock: Arc<dyn Clock>,
    forget_next: Timestamp,
    campaigns: Campaigns,
}

impl Writer {
    pub fn open(path: &Path, retention: Duration, clock: Arc<dyn Clock>) -> Result<Writer, LedgerError> {
        let db = schema::open_writer(path)?;
        // Numbers grow with the time, so that they go on growing without being looked up.
        let seq = clock.now().0.max(0) << 20;
        let (forget_next, campaigns) = (Timestamp(i64::MIN), Campaigns::default());
        Ok(Writer { db, seq, retention, clock, forget_next, campaigns })
    }

    pub fn write(&mut self, events: &[Arc<Event>], lost: u64) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        let mut batch = Batch {
            db: &transaction,
            seq: self.seq,
            tally: HashMap::new(),
            finds: Vec::new(),
            shared: HashSet::new(),
            campaigns: &mut self.campaigns,
        };
        for event in events {
            batch.event(event)?;
        }
        if lost > 0 {
            let text = format!(
                "{lost} events came faster than they could be written, or could not be written, and are not in the history"
            );
            let at = events.last().map_or(Timestamp(0), |event| event.at);
            batch.note(at, Level::Warning, "events_lost", &text)?;
        }
        let seq = batch.finish()?;
        transaction.commit()?;
        self.seq = seq;
        Ok(())
    }

    /// Deletes a little of what is older than the retention, once a minute.
    pub fn forget_old(&mut self) -> rusqlite::Result<()> {
        let now = self.clock.now();
        if now < self.forget_next {
            return Ok(());
        }
        let before = now - self.retention;
        let oldest = key(MessageId::first_at(before));
        let gone = self.forget_messages(oldest)?;
        self.db.execute(
            "DELETE FROM note WHERE seq IN (SELECT seq FROM note WHERE at < ?1 LIMIT ?2)",
            [before.0, FORGET_STEP],
        )?;
        self.db.execute("DELETE FROM tally WHERE minute < ?1", [minute(before)])?;
        if gone < FORGET_STEP as usize {
            self.forget_next = now + FORGET_EVERY;
            give_back(&self.db, VACUUM_PAGES)?;
        }
        Ok(())
    }

    fn forget_messages(&mut self, before: i64) -> rusqlite::Result<usize> {
        let transaction = self.db.transaction()?;
        let mut old = Vec::new();
        {
            let mut statement = transaction.prepare_cached(
                "SELECT id, sender, recipients, header_id FROM message WHERE id < ?1 ORDER BY id LIMIT ?2",
            )?;
            let mut rows = statement.query([before, FORGET_STEP])?;
            while let Some(row) = rows.next()? {
                let (id, sender, recipients, header_id): (i64, Option<String>, String, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                old.push((id, hashes(sender.as_deref(), &recipients, &header_id)));
            }
            let mut drop_find =
                transaction.prepare_cached("DELETE FROM find WHERE hash = ?1 AND message BETWEEN ?2 AND ?3")?;
            for (id, hashes) in &old {
                for hash in hashes {
                    // Its own row, or the one that it shares: the span's first message takes it along, and the others
                    // of the span go soon.
                    drop_find.execute([*hash, key(find::span_of(id_of_key(*id)).0), *id])?;
                }
            }
        }
        // Steps of messages whose acceptance was lost go by the same bound.
        let up_to = if old.len() < FORGET_STEP as usize { before } else { old.last().map_or(before, |(id, _)| id + 1) };
        let steps = transaction.execute(
            "DELETE FROM step WHERE (message, seq) IN
             (SELECT message, seq FROM step WHERE message < ?1 ORDER BY message, seq LIMIT ?2)",
            [up_to, FORGET_STEPS],
        )?;
        let all = steps < FORGET_STEPS as usize;
        if all {
            transaction.execute("DELETE FROM message WHERE id < ?1", [up_to])?;
        }
        transaction.commit()?;
        Ok(if all { old.len() } else { FORGET_STEP as usize })
    }
}

/// Everything by which a message can be found, from its row.
fn hashes(sender: Option<&str>, recipients: &str, header_id: &str) -> Vec<i64> {
    let mut hashes = Vec::new();
    if let Some(Ok(sender)) = sender.map(str::parse) {
        hashes.push(find::of_sender(&sender));
    }
    for recipient in recipients.split('\n').filter_map(|text| text.parse().ok()) {
        hashes.push(find::of_recipient(&recipient));
        hashes.push(find::of_recipient_domain(recipient.domain()));
    }
    if !header_id.is_empty() {
        hashes.push(find::of_header_id(header_id));
    }
    hashes
}

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

/// Which of the messages that bear a campaign's name are campaigns: one letter to a list, whose recipients are not
/// named when it is accepted. Mail that a program sends one by one may bear such a name as well.
#[derive(Default)]
struct Campaigns(HashMap<i64, bool>);

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

struct Batch<'a> {
    db: &'a Connection,
    seq: i64,
    campaigns: &'a mut Campaigns,
    tally: HashMap<(i64, &'static str), i64>,
    /// Hash and message; they go in at the end, sorted, so that neighbours share a page.
    finds: Vec<(i64, i64)>,
    /// Those of them that stand for several messages.
    shared: HashSet<(i64, i64)>,
}

impl Batch<'_> {
    fn event(&mut self, event: &Event) -> rusqlite::Result<()> {
        let at = event.at;
        match &event.kind {
            EventKind::Accepted { .. } => self.accepted(at, &event.kind),
            EventKind::Settled { .. } => self.settled(at, &event.kind),
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
                add.execute(params![key(*about), seq, at.0, kind, key(*notice)])?;
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

    fn accepted(&mut self, at: Timestamp, kind: &EventKind) -> rusqlite::Result<()> {
        let EventKind::Accepted {
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
        } = kind
        else {
            return Ok(());
        };
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
            from.as_ref().map(ToString::to_string),
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

    fn settled(&mut self, at: Timestamp, kind: &EventKind) -> rusqlite::Result<()> {
        let EventKind::Settled { part, labels, recipient, attempt, outcome, next_attempt, age, egress, cause, .. } =
            kind
        else {
            return Ok(());
        };
        let Outcome { verdict, stage, culprit, status, reply, text, peer, tls } = &**outcome;
        self.count(at, verdict.as_str());
        let whom = self.whom(part.message, labels.as_deref(), recipient)?;
        let seq = self.next_seq();
        let mut add = self.db.prepare_cached(
            "INSERT INTO step (message, seq, at, kind, part, recipient, attempt, verdict, stage, culprit, status,
                               reply, text, peer, peer_ip, peer_port, tls, egress, next, age, cause, class, fault, whom)
             VALUES (?1, ?2, ?3, 'settled', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                     ?20, ?21, ?22, ?23)",
        )?;
        add.execute(params![
            key(part.message),
            seq,
            at.0,
            part.number,
            recipient.to_string(),
            attempt,
            verdict.as_str(),
            stage.as_str(),
            super::step::culprit_as_str(*culprit),
            status.to_string(),
            reply.as_ref().map(ToString::to_string),
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
            whom,
        ])?;
        Ok(())
    }

    /// By what a step about a recipient of a campaign is found; those of other mail by their acceptance.
    fn whom(
        &mut self,
        message: MessageId,
        labels: Option<&Labels>,
        recipient: &Address,
    ) -> rusqlite::Result<Option<i64>> {
        let of_campaign = has_campaign(labels) && self.campaigns.has(self.db, key(message))?;
        Ok(of_campaign.then(|| find::of_recipient(recipient)))
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
        let whom = self.whom(message, labels.as_deref(), recipient)?;
        let seq = self.next_seq();
        let mut add = self.db.prepare_cached(
            "INSERT INTO step (message, seq, at, kind, recipient, status, text, cause, class, fault, whom)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
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
            whom,
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

    fn note(&mut self, at: Timestamp, level: Level, what: &str, text: &str) -> rusqlite::Result<()> {
        let seq = self.next_seq();
        let mut add = self.db.prepare_cached(
            "INSERT INTO note (seq, at, kind, level, what, text) VALUES (?1, ?2, 'note', ?3, ?4, ?5)",
        )?;
        add.execute(params![seq, at.0, level.as_str(), what, text])?;
        Ok(())
    }

    fn find(&mut self, hash: i64, message: MessageId) {
        self.finds.push((hash, key(message)));
    }

    /// For what many messages share: one row stands for all of them that came within some seconds.
    fn find_about(&mut self, hash: i64, message: MessageId) {
        let row = (hash, key(find::span_of(message).0));
        if self.shared.insert(row) {
            self.finds.push(row);
        }
    }

    fn count(&mut self, at: Timestamp, what: &'static str) {
        *self.tally.entry((minute(at), what)).or_default() += 1;
    }

    fn next_seq(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }

    fn finish(mut self) -> rusqlite::Result<i64> {
        self.finds.sort_unstable();
        let rows = vec!["(?, ?)"; FINDS].join(", ");
        let mut add_many = self.db.prepare_cached(&format!("INSERT OR IGNORE INTO find VALUES {rows}"))?;
        let mut finds = self.finds.chunks_exact(FINDS);
        for many in &mut finds {
            add_many.execute(params_from_iter(many.iter().flat_map(|(hash, message)| [*hash, *message])))?;
        }
        let mut add = self.db.prepare_cached("INSERT OR IGNORE INTO find VALUES (?, ?)")?;
        for (hash, message) in finds.remainder() {
            add.execute([*hash, *message])?;
        }
        let mut add = self
            .db
            .prepare_cached("INSERT INTO tally VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = n + excluded.n")?;
        for ((minute, what), n) in &self.tally {
            add.execute(params![minute, what, n])?;
        }
        Ok(self.seq)
    }
}
