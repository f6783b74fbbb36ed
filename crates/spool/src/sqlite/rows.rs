//! The rows of one transaction: messages, campaigns, and the changes that settle their parts.

use std::collections::HashMap;

use repute_types::{Content, MessageId, PartId};
use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::beside::Seal;
use super::database::{Failure, id_of_key, key};
use super::inbox::{Arrival, Work};
use super::{Hook, Step};
use crate::{
    Campaign, CampaignState, CampaignWrite, Change, Ended, MessageMeta, NewMessage, PartRecord, Settlement, Tally,
    codec,
};

/// A content row's octets at most: bounds what is copied at once of a large message.
const CHUNK_OCTETS: usize = 1 << 20;
/// In the place of a number of rows: the content stands beside, and in the place of the first row is its length.
pub(super) const BESIDE: i64 = -1;
/// Members forgotten in one transaction: some megabytes of the log.
const FORGET_STEP: i64 = 20_000;

pub(super) struct Statements<'a> {
    add_message: CachedStatement<'a>,
    add_content: CachedStatement<'a>,
    add_part: CachedStatement<'a>,
    keep_part: CachedStatement<'a>,
    drop_part: CachedStatement<'a>,
    drop_message: CachedStatement<'a>,
    drop_content: CachedStatement<'a>,
}

impl<'a> Statements<'a> {
    pub fn prepare(db: &'a Connection) -> rusqlite::Result<Statements<'a>> {
        Ok(Statements {
            add_message: db.prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5)")?,
            add_content: db.prepare_cached("INSERT INTO content VALUES (?1, ?2)")?,
            add_part: db.prepare_cached("INSERT INTO part VALUES (?1, ?2, ?3)")?,
            keep_part: db.prepare_cached("UPDATE part SET record = ?3 WHERE message = ?1 AND number = ?2")?,
            drop_part: db.prepare_cached("DELETE FROM part WHERE message = ?1 AND number = ?2")?,
            drop_message: db.prepare_cached(
                "DELETE FROM message
                 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM part WHERE message = ?1)
                 RETURNING first, chunks",
            )?,
            drop_content: db.prepare_cached("DELETE FROM content WHERE id BETWEEN ?1 AND ?2")?,
        })
    }
}

pub(super) struct Rows<'s, 'db> {
    db: &'db Connection,
    statements: &'s mut Statements<'db>,
    next_content: &'s mut i64,
    buffer: &'s mut Vec<u8>,
    hook: &'s dyn Hook,
    /// How recipients of campaigns ended in this transaction.
    ended: HashMap<(i64, Ended), i64>,
    /// Messages whose last part goes stay where they are.
    pub leaves_content: bool,
    /// Messages that go with this transaction and whose contents stand beside.
    pub gone: Vec<MessageId>,
}

impl<'s, 'db> Rows<'s, 'db> {
    pub fn new(
        db: &'db Connection,
        statements: &'s mut Statements<'db>,
        next_content: &'s mut i64,
        buffer: &'s mut Vec<u8>,
        hook: &'s dyn Hook,
    ) -> Rows<'s, 'db> {
        Rows {
            db,
            statements,
            next_content,
            buffer,
            hook,
            ended: HashMap::new(),
            leaves_content: false,
            gone: Vec::new(),
        }
    }

    pub fn work(&mut self, work: &Work) -> Result<(), Failure> {
        match work {
            Work::Message(Arrival { message, beside: Some(written) }) => self.insert_large(message, written.seal),
            Work::Message(Arrival { message, beside: None }) => self.insert(message),
            Work::Campaign(write) => self.campaign(write),
            Work::Forget(before) => self.forget(key(*before)),
        }
    }

    fn insert(&mut self, message: &NewMessage) -> Result<(), Failure> {
        self.add(&message.meta, &message.parts, &message.content, None)?;
        self.hook.at(Step::AfterInsert)?;
        Ok(())
    }

    fn insert_large(&mut self, message: &NewMessage, seal: Seal) -> Result<(), Failure> {
        self.add_large(&message.meta, &message.parts, seal)?;
        self.hook.at(Step::AfterInsert)?;
        Ok(())
    }

    /// A message out of the journal whose content stands beside. One that is here already is left as it is.
    pub fn take_large(&mut self, meta: &MessageMeta, parts: &[PartRecord], seal: Seal) -> Result<(), Failure> {
        if holds(self.db, meta.id)? {
            return Ok(());
        }
        self.add_large(meta, parts, seal)
    }

    fn add_large(&mut self, meta: &MessageMeta, parts: &[PartRecord], seal: Seal) -> Result<(), Failure> {
        codec::meta_to_octets(meta, self.buffer);
        self.statements.add_message.execute((key(meta.id), seal.len, BESIDE, seal.crc, &self.buffer[..]))?;
        self.insert_parts(meta, parts)
    }

    /// A message out of the journal, its content under the checksum that it had there: damage is not covered up.
    /// One that is here already is left as it is.
    pub fn take(
        &mut self,
        meta: &MessageMeta,
        parts: &[PartRecord],
        content: &Content,
        crc: u32,
    ) -> Result<(), Failure> {
        if holds(self.db, meta.id)? {
            return Ok(());
        }
        self.add(meta, parts, content, Some(crc))
    }

    /// Without a checksum, the content's own.
    fn add(
        &mut self,
        meta: &MessageMeta,
        parts: &[PartRecord],
        content: &Content,
        crc: Option<u32>,
    ) -> Result<(), Failure> {
        let first = *self.next_content;
        let sum = self.insert_content(content)?;
        let chunks = *self.next_content - first;
        codec::meta_to_octets(meta, self.buffer);
        let row = (key(meta.id), first, chunks, crc.unwrap_or(sum), &self.buffer[..]);
        self.statements.add_message.execute(row)?;
        self.insert_parts(meta, parts)
    }

    /// All of a generation of the journal is here.
    pub fn took(&mut self, generation: u64) -> Result<(), Failure> {
        let mut took = self.db.prepare_cached("UPDATE journal SET generation = max(generation, ?1)")?;
        took.execute([i64::try_from(generation).unwrap_or(i64::MAX)])?;
        Ok(())
    }

    fn insert_parts(&mut self, meta: &MessageMeta, parts: &[PartRecord]) -> Result<(), Failure> {
        for part in parts {
            codec::part_to_octets(part, self.buffer);
            self.statements.add_part.execute((key(meta.id), part.id.number, &self.buffer[..]))?;
            if meta.members {
                let list = meta.labels.as_ref().and_then(|labels| labels.list.as_deref());
                self.add_member(part, Some((meta.account.as_deref(), list)))?;
            }
        }
        Ok(())
    }

    fn campaign(&mut self, write: &CampaignWrite) -> Result<(), Failure> {
        let key = key(write.id());
        match write {
            CampaignWrite::Begin { campaign, meta, letter } => {
                self.add(meta, &[], letter, None)?;
                codec::campaign_to_octets(campaign, self.buffer);
                let mut add = self.db.prepare_cached("INSERT INTO campaign VALUES (?1, ?2, 0, 0, 0, 0, 0, 0, 0, 0)")?;
                add.execute((key, &self.buffer[..]))?;
            }
            CampaignWrite::Append { rows, parts, refused, left_out, .. } => {
                let mut count = self.db.prepare_cached(
                    "UPDATE campaign SET rows = ?2, taken = taken + ?3, refused = refused + ?4, left_out = left_out + ?5
                     WHERE id = ?1",
                )?;
                found(count.execute((key, rows, parts.len() as i64, refused, left_out))?)?;
                for part in parts {
                    codec::part_to_octets(part, self.buffer);
                    self.statements.add_part.execute((key, part.id.number, &self.buffer[..]))?;
                    self.add_member(part, None)?;
                }
            }
            CampaignWrite::Launch { meta, at } => {
                codec::meta_to_octets(meta, self.buffer);
                let mut replace = self.db.prepare_cached("UPDATE message SET meta = ?2 WHERE id = ?1")?;
                found(replace.execute((key, &self.buffer[..]))?)?;
                self.change_campaign(key, |campaign| {
                    (campaign.state, campaign.launched) = (CampaignState::Running, Some(*at));
                })?;
            }
            CampaignWrite::State { state, .. } => {
                self.change_campaign(key, |campaign| campaign.state = state.clone())?;
                if state.is_over() {
                    self.drop_message_if_done(key)?;
                }
            }
            CampaignWrite::TakeOut { parts, never_sent, .. } => self.take_out(key, parts, *never_sent)?,
        }
        self.hook.at(Step::AfterInsert)?;
        Ok(())
    }

    fn take_out(&mut self, key: i64, parts: &[u32], never_sent: bool) -> Result<(), Failure> {
        let mut forget = self.db.prepare_cached("DELETE FROM member WHERE message = ?1 AND number = ?2")?;
        let mut gone = 0;
        for number in parts {
            if self.statements.drop_part.execute((key, number))? == 0 {
                continue;
            }
            gone += 1;
            if never_sent {
                forget.execute((key, number))?;
            }
        }
        if gone > 0 {
            *self.ended.entry((key, Ended::Cancelled)).or_default() += gone;
            self.drop_message_if_done(key)?;
        }
        Ok(())
    }

    fn change_campaign(&mut self, key: i64, change: impl FnOnce(&mut Campaign)) -> Result<(), Failure> {
        let mut read = self.db.prepare_cached("SELECT record FROM campaign WHERE id = ?1")?;
        let record: Option<Vec<u8>> = read.query_row([key], |row| row.get(0)).optional()?;
        let gone = || Failure::Record("there is no such campaign, or its record is damaged".into());
        let record = record.ok_or_else(gone)?;
        let mut campaign =
            codec::campaign_from_octets(id_of_key(key), 0, Tally::default(), &record).map_err(|_| gone())?;
        change(&mut campaign);
        codec::campaign_to_octets(&campaign, self.buffer);
        let mut write = self.db.prepare_cached("UPDATE campaign SET record = ?2 WHERE id = ?1")?;
        write.execute((key, &self.buffer[..]))?;
        Ok(())
    }

    fn add_member(&mut self, part: &PartRecord, of: Option<(Option<&str>, Option<&str>)>) -> Result<(), Failure> {
        codec::member_to_octets(part.recipients.iter().map(|p| &p.recipient.address), of, self.buffer);
        let mut add = self.db.prepare_cached("INSERT INTO member VALUES (?1, ?2, ?3)")?;
        add.execute((key(part.id.message), part.id.number, &self.buffer[..]))?;
        Ok(())
    }

    fn forget(&mut self, before: i64) -> Result<(), Failure> {
        self.db
            .prepare_cached(
                "DELETE FROM member WHERE (message, number) IN
                 (SELECT message, number FROM member WHERE message < ?1 ORDER BY message, number LIMIT ?2)",
            )?
            .execute((before, FORGET_STEP))?;
        self.db
            .prepare_cached(
                "DELETE FROM campaign WHERE id < ?1 AND NOT EXISTS (SELECT 1 FROM message m WHERE m.id = campaign.id)
                 AND NOT EXISTS (SELECT 1 FROM member WHERE message = campaign.id)",
            )?
            .execute([before])?;
        Ok(())
    }

    /// Adds up how recipients of campaigns ended; once, after everything else.
    pub fn count_ends(&mut self) -> Result<(), Failure> {
        for ((key, ended), count) in self.ended.drain() {
            let column = match ended {
                Ended::Delivered => "delivered",
                Ended::Failed => "failed",
                Ended::Suppressed => "suppressed",
                Ended::Cancelled => "cancelled",
            };
            let mut add =
                self.db.prepare_cached(&format!("UPDATE campaign SET {column} = {column} + ?2 WHERE id = ?1"))?;
            add.execute((key, count))?;
        }
        Ok(())
    }

    /// Writes the content's rows and gives its checksum. Slices that are small beside a row
    /// are gathered; what fills a row by itself is not copied.
    fn insert_content(&mut self, content: &Content) -> Result<u32, Failure> {
        let mut sum = crc32fast::Hasher::new();
        self.buffer.clear();
        for slice in content.chunks() {
            sum.update(slice);
            let mut rest = &slice[..];
            while !rest.is_empty() {
                let room = CHUNK_OCTETS - self.buffer.len();
                let (piece, after) = rest.split_at(rest.len().min(room));
                rest = after;
                if self.buffer.is_empty() && (piece.len() == CHUNK_OCTETS || piece.len() == content.len()) {
                    add_content(self.statements, self.next_content, piece)?;
                    continue;
                }
                self.buffer.extend_from_slice(piece);
                if self.buffer.len() == CHUNK_OCTETS {
                    add_content(self.statements, self.next_content, self.buffer)?;
                    self.buffer.clear();
                }
            }
        }
        if !self.buffer.is_empty() {
            add_content(self.statements, self.next_content, self.buffer)?;
        }
        Ok(sum.finalize())
    }

    pub fn settle(&mut self, settlement: &Settlement) -> Result<(), Failure> {
        // A part that is gone was settled before, with its notices.
        if self.change(settlement.part, &settlement.change)? {
            for notice in &settlement.notices {
                self.insert(notice)?;
            }
        }
        Ok(())
    }

    /// Changes a part; whether there is one.
    pub fn change(&mut self, part: PartId, change: &Change) -> Result<bool, Failure> {
        let (key, number) = (key(part.message), part.number);
        let known = match change {
            Change::Done | Change::Ended(_) => self.statements.drop_part.execute((key, number))? > 0,
            Change::Keep(record) => {
                codec::part_to_octets(record, self.buffer);
                self.statements.keep_part.execute((key, number, &self.buffer[..]))? > 0
            }
        };
        if known && let Change::Ended(ended) = change {
            *self.ended.entry((key, *ended)).or_default() += 1;
        }
        if known && change.is_end() {
            self.drop_message_if_done(key)?;
        }
        Ok(known)
    }

    fn drop_message_if_done(&mut self, key: i64) -> Result<(), Failure> {
        if self.leaves_content {
            return Ok(());
        }
        let rows = self.statements.drop_message.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((first, chunks)) = rows {
            let (first, chunks): (i64, i64) = (first, chunks);
            if chunks == BESIDE {
                self.gone.push(id_of_key(key));
            } else {
                self.statements.drop_content.execute((first, first + chunks - 1))?;
            }
        }
        Ok(())
    }
}

/// Whether a message is in the database.
pub(super) fn holds(db: &Connection, id: MessageId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM message WHERE id = ?1")?.exists([key(id)])
}

fn add_content(statements: &mut Statements<'_>, next: &mut i64, octets: &[u8]) -> rusqlite::Result<()> {
    statements.add_content.execute((*next, octets))?;
    *next += 1;
    Ok(())
}

/// A change of a campaign that is gone is refused, and changes nothing.
fn found(rows: usize) -> Result<(), Failure> {
    match rows {
        0 => Err(Failure::Record("there is no such campaign".into())),
        _ => Ok(()),
    }
}
