//! What can be asked of the history. Everything here blocks; lists are newest first where a
//! limit cuts them, and in the order of time within one message.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use repute_types::{Address, Domain, MessageId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use super::batch::minute;
use super::find;
use super::schema::open_reader;
use super::step::{Cause, Settled, Step, StepKind};
use crate::{LedgerError, id_of_key, key};

/// How often something happened: `accepted`, `refused`, `held`, `released`, `noticed`,
/// `returned`, and the verdicts `delivered`, `deferred`, `failed`.
pub type Counts = BTreeMap<String, u64>;

pub struct Questions {
    db: Connection,
}

impl Questions {
    /// Opens a history that exists, also beside a server that writes it.
    pub fn open(path: &Path) -> Result<Questions, LedgerError> {
        Ok(Questions { db: open_reader(path, 1024)? })
    }

    pub(super) fn db(&self) -> &Connection {
        &self.db
    }

    /// All that happened to one message. Of a campaign these may be millions.
    pub fn steps_of(&self, id: MessageId) -> Result<Vec<Step>, LedgerError> {
        self.last_steps(id, usize::MAX)
    }

    /// How a message was accepted, and the last `limit` things that happened to it.
    pub fn last_steps(&self, id: MessageId, limit: usize) -> Result<Vec<Step>, LedgerError> {
        let mut statement =
            self.db.prepare_cached("SELECT * FROM step WHERE message = ?1 ORDER BY seq DESC LIMIT ?2")?;
        let rows = statement.query_map((key(id), as_limit(limit)), |row| step_of(id, row))?;
        let mut steps: Vec<Step> = rows.collect::<Result<_, _>>()?;
        steps.extend(self.acceptance(id)?);
        Ok(in_order(steps))
    }

    /// What happened to a message as far as it concerns a recipient.
    pub fn steps_to(&self, id: MessageId, address: &Address) -> Result<Vec<Step>, LedgerError> {
        let acceptance = self.acceptance(id)?;
        let wanted = address.to_string();
        let mut steps = match &acceptance {
            Some(Step { kind: StepKind::Accepted { recipients, .. }, .. }) if !recipients.is_empty() => Vec::new(),
            _ => self.steps_to_member(id, address)?,
        };
        if steps.is_empty() {
            return Ok(self.steps_of(id)?.into_iter().filter(|step| step.concerns(&wanted)).collect());
        }
        steps.reverse();
        steps.extend(acceptance);
        Ok(in_order(steps))
    }

    /// Those to one recipient of a campaign.
    fn steps_to_member(&self, id: MessageId, address: &Address) -> Result<Vec<Step>, LedgerError> {
        let mut statement = self.db.prepare_cached(
            "SELECT s.* FROM volume v CROSS JOIN lookup l CROSS JOIN step s
             WHERE l.volume = v.id AND l.hash = ?1 AND l.message = ?2 AND l.step > 0 AND s.message = l.message AND s.seq = l.step
             ORDER BY s.seq",
        )?;
        let rows = statement.query_map((find::of_recipient(address), key(id)), |row| step_of(id, row))?;
        let wanted = address.to_string();
        let mut steps: Vec<Step> = rows.collect::<Result<_, _>>()?;
        steps.retain(|step| step.concerns(&wanted));
        Ok(steps)
    }

    /// The last `limit` messages to an address, newest first. To the recipients of a campaign it is known from the first
    /// step about them on.
    pub fn by_recipient(&self, address: &Address, limit: usize) -> Result<Vec<MessageId>, LedgerError> {
        let wanted = address.to_string();
        let mut ids = self.found(find::of_recipient(address), limit, |message| message.has_recipient(&wanted))?;
        ids.extend(self.campaigns_to(address, limit)?);
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        ids.dedup();
        ids.truncate(limit);
        Ok(ids)
    }

    fn campaigns_to(&self, address: &Address, limit: usize) -> Result<BTreeSet<MessageId>, LedgerError> {
        let mut ids = BTreeSet::new();
        let mut statement = self.db.prepare_cached(
            "SELECT s.message, s.recipient FROM volume v CROSS JOIN lookup l CROSS JOIN step s
             WHERE l.volume = v.id AND l.hash = ?1 AND l.step > 0 AND s.message = l.message AND s.seq = l.step
             ORDER BY v.id DESC, l.message DESC",
        )?;
        let mut rows = statement.query([find::of_recipient(address)])?;
        let wanted = address.to_string();
        while ids.len() < limit {
            let Some(row) = rows.next()? else { break };
            if row.get_ref(1)?.as_str().is_ok_and(|recipient| recipient.eq_ignore_ascii_case(&wanted)) {
                ids.insert(id_of_key(row.get(0)?));
            }
        }
        Ok(ids)
    }

    /// The last messages to anybody at a domain, campaigns aside.
    pub fn by_domain(&self, domain: &Domain, limit: usize) -> Result<Vec<MessageId>, LedgerError> {
        let wanted = format!("@{domain}");
        self.found_about(find::of_recipient_domain(domain), limit, |message| {
            message.recipients.iter().any(|recipient| recipient.ends_with(&wanted))
        })
    }

    /// The last messages from a return path.
    pub fn by_sender(&self, address: &Address, limit: usize) -> Result<Vec<MessageId>, LedgerError> {
        let wanted = address.to_string();
        self.found_about(find::of_sender(address), limit, |message| {
            message.sender.as_deref().is_some_and(|sender| sender.eq_ignore_ascii_case(&wanted))
        })
    }

    /// Messages by the header field Message-ID, with or without brackets.
    pub fn by_header_id(&self, header_id: &str) -> Result<Vec<MessageId>, LedgerError> {
        let wanted = header_id.trim().trim_start_matches('<').trim_end_matches('>');
        self.found(find::of_header_id(wanted), 100, |message| message.header_id.eq_ignore_ascii_case(wanted))
    }

    /// Messages accepted from `from` until before `to`, oldest first.
    pub fn by_time(&self, from: Timestamp, to: Timestamp, limit: usize) -> Result<Vec<MessageId>, LedgerError> {
        let mut statement =
            self.db.prepare_cached("SELECT id FROM message WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3")?;
        let (from, to) = (key(MessageId::first_at(from)), key(MessageId::first_at(to)));
        let ids = statement.query_map((from, to, as_limit(limit)), |row| row.get(0).map(id_of_key))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// How often what happened in a span, in whole minutes: those that it touches.
    pub fn counts(&self, from: Timestamp, to: Timestamp) -> Result<Counts, LedgerError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT what, sum(n) FROM tally WHERE minute >= ?1 AND minute <= ?2 GROUP BY what")?;
        let counts = statement.query_map([minute(from), minute(to)], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.max(0) as u64))
        })?;
        Ok(counts.collect::<Result<_, _>>()?)
    }

    /// The last refused submissions and notes, newest first.
    pub fn notes(&self, limit: usize) -> Result<Vec<Step>, LedgerError> {
        let mut statement = self.db.prepare_cached(
            "SELECT at, kind, level, what, text, account, client FROM note ORDER BY seq DESC LIMIT ?1",
        )?;
        let notes = statement.query_map([as_limit(limit)], |row| {
            let kind = if row.get_ref(1)?.as_str()? == "refused" {
                StepKind::Refused { reply: row.get(4)?, account: row.get(5)?, client: row.get(6)? }
            } else {
                StepKind::Note {
                    level: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                    what: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                    text: row.get(4)?,
                }
            };
            Ok(Step { at: Timestamp(row.get(0)?), message: None, kind })
        })?;
        Ok(notes.collect::<Result<_, _>>()?)
    }

    /// The last message whose acceptance it has.
    pub fn newest(&self) -> Result<Option<MessageId>, LedgerError> {
        let newest: Option<i64> = self.db.query_row("SELECT max(id) FROM message", [], |row| row.get(0))?;
        Ok(newest.map(id_of_key))
    }

    /// Those of some messages whose acceptance it does not have.
    pub fn unknown(&self, ids: Vec<MessageId>) -> Result<Vec<MessageId>, LedgerError> {
        let mut statement = self.db.prepare_cached("SELECT 1 FROM message WHERE id = ?1")?;
        let mut unknown = Vec::new();
        for id in ids {
            if !statement.exists([key(id)])? {
                unknown.push(id);
            }
        }
        Ok(unknown)
    }

    /// How a message was accepted.
    pub fn acceptance(&self, id: MessageId) -> Result<Option<Step>, LedgerError> {
        let mut statement = self.db.prepare_cached("SELECT * FROM message WHERE id = ?1")?;
        let step = statement.query_row([key(id)], |row| {
            let recipients: String = row.get("recipients")?;
            let kind = StepKind::Accepted {
                account: row.get("account")?,
                from: row.get("sender")?,
                recipients: recipients.split('\n').filter(|text| !text.is_empty()).map(str::to_owned).collect(),
                recipient_count: row.get::<_, Option<i64>>("count")?.map(|count| count.max(0) as u64),
                size: row.get::<_, i64>("size")?.max(0) as u64,
                header_id: row.get("header_id")?,
                client: row.get("client")?,
                tls: row.get("tls")?,
            };
            Ok(Step { at: Timestamp(row.get("at")?), message: Some(id), kind })
        });
        Ok(step.optional()?)
    }

    /// The last messages under a hash that are what was asked for.
    fn found(&self, hash: i64, limit: usize, is_it: impl Fn(&Found) -> bool) -> Result<Vec<MessageId>, LedgerError> {
        let mut statement = self.db.prepare_cached(
            "SELECT l.message, m.sender, m.recipients, m.header_id,
                    (SELECT group_concat(s.recipient, char(10)) FROM step s
                     WHERE s.message = l.message AND s.kind = 'returned')
             FROM volume v CROSS JOIN lookup l LEFT JOIN message m ON m.id = l.message
             WHERE l.volume = v.id AND l.hash = ?1 AND l.step = 0 ORDER BY v.id DESC, l.message DESC",
        )?;
        let mut rows = statement.query([hash])?;
        let mut ids = BTreeSet::new();
        while ids.len() < limit {
            let Some(row) = rows.next()? else { break };
            let mut recipients: String = row.get::<_, Option<String>>(2)?.unwrap_or_default();
            if let Some(returned) = row.get::<_, Option<String>>(4)? {
                recipients.push('\n');
                recipients.push_str(&returned);
            }
            let found = Found {
                sender: row.get(1)?,
                recipients: recipients.split('\n').map(str::to_ascii_lowercase).collect(),
                header_id: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
            };
            if is_it(&found) {
                ids.insert(id_of_key(row.get(0)?));
            }
        }
        Ok(ids.into_iter().rev().collect())
    }

    /// The last messages of the spans under a hash that are what was asked for. What an earlier version wrote is an entry
    /// a message: it stands for its span as well.
    fn found_about(
        &self,
        hash: i64,
        limit: usize,
        is_it: impl Fn(&Found) -> bool,
    ) -> Result<Vec<MessageId>, LedgerError> {
        let mut spans = self.db.prepare_cached(
            "SELECT l.message FROM volume v CROSS JOIN lookup l WHERE l.volume = v.id AND l.hash = ?1
             ORDER BY v.id DESC, l.message DESC",
        )?;
        let mut messages = self.db.prepare_cached(
            "SELECT id, sender, recipients, header_id FROM message WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC",
        )?;
        let mut ids = BTreeSet::new();
        let mut before = None;
        let mut rows = spans.query([hash])?;
        while let Some(row) = rows.next()? {
            let span = find::span_of(id_of_key(row.get(0)?));
            if before.replace(span) == Some(span) {
                continue;
            }
            let mut rows = messages.query([key(span.0), key(span.1)])?;
            while let Some(row) = rows.next()? {
                let recipients: String = row.get(2)?;
                let found = Found {
                    sender: row.get(1)?,
                    recipients: recipients.split('\n').map(str::to_ascii_lowercase).collect(),
                    header_id: row.get(3)?,
                };
                if is_it(&found) {
                    ids.insert(id_of_key(row.get(0)?));
                    if ids.len() >= limit {
                        return Ok(ids.into_iter().rev().collect());
                    }
                }
            }
        }
        Ok(ids.into_iter().rev().collect())
    }
}

struct Found {
    sender: Option<String>,
    /// In lower case.
    recipients: Vec<String>,
    header_id: String,
}

impl Found {
    fn has_recipient(&self, wanted: &str) -> bool {
        self.recipients.iter().any(|recipient| recipient.eq_ignore_ascii_case(wanted))
    }
}

/// Two writers of events may overtake each other by a moment. Steps are given from the last to the first.
fn in_order(mut steps: Vec<Step>) -> Vec<Step> {
    steps.reverse();
    steps.sort_by_key(|step| step.at);
    steps
}

fn as_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// `None` too in the file of an earlier version that no server has opened yet: it has no such columns.
fn cause_of(row: &Row<'_>) -> rusqlite::Result<Option<Cause>> {
    let column = |name: &str| match row.get::<_, Option<String>>(name) {
        Err(rusqlite::Error::InvalidColumnName(_)) => Ok(None),
        other => other,
    };
    let cause = (column("cause")?, column("class")?, column("fault")?);
    let (Some(rule), Some(class), Some(fault)) = cause else { return Ok(None) };
    Ok(Some(Cause { rule, class, fault }))
}

fn step_of(id: MessageId, row: &Row<'_>) -> rusqlite::Result<Step> {
    let text = |name: &str| row.get::<_, Option<String>>(name).map(Option::unwrap_or_default);
    let part = || row.get::<_, Option<u32>>("part").map(Option::unwrap_or_default);
    let kind = match row.get_ref("kind")?.as_str()? {
        "held" => StepKind::Held { part: row.get("part")?, reason: text("text")? },
        "released" => StepKind::Released { part: row.get("part")? },
        "noticed" => {
            StepKind::Noticed { notice: row.get::<_, Option<i64>>("other")?.map(id_of_key), kind: text("text")? }
        }
        "cancelled" => {
            StepKind::Cancelled { recipients: row.get::<_, Option<i64>>("other")?.unwrap_or_default().max(0) as u64 }
        }
        "returned" => StepKind::Returned { recipient: text("recipient")?, client: row.get("peer_ip")? },
        what @ ("bounced" | "complained" | "unsubscribed" | "suppressed") => StepKind::CameBack {
            what: what.to_owned(),
            recipient: text("recipient")?,
            status: row.get("status")?,
            text: row.get("text")?,
            cause: cause_of(row)?,
        },
        _ => StepKind::Settled(Box::new(Settled {
            part: part()?,
            recipient: text("recipient")?,
            verdict: text("verdict")?,
            attempt: row.get::<_, Option<u32>>("attempt")?.unwrap_or_default(),
            stage: text("stage")?,
            culprit: text("culprit")?,
            status: text("status")?,
            reply: row.get("reply")?,
            text: row.get("text")?,
            peer: row.get("peer")?,
            peer_ip: row.get("peer_ip")?,
            peer_port: row.get("peer_port")?,
            tls: row.get("tls")?,
            egress: row.get("egress")?,
            cause: cause_of(row)?,
            next_attempt: row.get::<_, Option<i64>>("next")?.map(Timestamp),
            age: row.get::<_, Option<i64>>("age")?.unwrap_or_default().max(0) as u64,
        })),
    };
    Ok(Step { at: Timestamp(row.get("at")?), message: Some(id), kind })
}
