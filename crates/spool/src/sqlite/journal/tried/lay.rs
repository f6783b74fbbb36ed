//! Blocks as the journal writes them, of whatever is chosen.

use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Content, MessageId, PartId, Recipient, Stream, Timestamp};

use super::super::ALIGNED;
use super::super::block::{Block, HEADER, Record};
use super::{Choices, Disk, MOST_BLOCKS, Range};
use crate::sqlite::beside::Seal;
use crate::{Change, Ended, MessageMeta, PartRecord, PartState, Pending};

/// A block as it was written.
pub(super) struct Written {
    pub at: u64,
    pub records_at: u64,
    pub end: u64,
    pub records: Vec<Record>,
}

impl Written {
    pub fn pages(&self) -> Range<u64> {
        self.at..self.end.next_multiple_of(ALIGNED)
    }
}

/// Blocks from the beginning, as the journal writes them.
pub(super) fn lay(disk: &mut Disk, choices: &mut Choices<'_>, generation: u64) -> Vec<Written> {
    let (mut at, mut written) = (0, Vec::new());
    for _ in 0..u64::from(choices.next()) % MOST_BLOCKS {
        if let Some(block) = put(disk, choices, at, (generation, 76 + generation, written.len() as u64)) {
            at = block.pages().end;
            written.push(block);
        }
    }
    written
}

/// A block, unless a content in it could be read as one: the spool has another place for that.
pub(super) fn put(disk: &mut Disk, choices: &mut Choices<'_>, at: u64, turn: (u64, u64, u64)) -> Option<Written> {
    let (mut block, mut records) = (Block::default(), Vec::new());
    block.clear();
    let (mut is_forged, mut contents_end) = (false, HEADER as u64);
    for number in 0..choices.next() % 5 {
        let id = MessageId(turn.2 << 8 | u64::from(number));
        let kind = choices.next();
        let record = match kind % 8 {
            0..3 => {
                let change = change(PartId { message: id, number: kind.into() }, choices)?;
                block.change(change.0, &change.1);
                Record::Change(change.0, change.1)
            }
            3 => {
                let (meta, parts) = message(id, choices)?;
                let seal = Seal { len: choices.number() as u32, crc: choices.number() as u32 };
                let content = block.large_message(&meta, &parts, seal);
                Record::Message { meta, parts, content }
            }
            kind => {
                is_forged |= kind == 7;
                let content = if kind == 7 { forged(contents_end, choices) } else { content(choices) };
                contents_end += content.len() as u64;
                let (meta, parts) = message(id, choices)?;
                let place = block.message(&meta, &parts, &content);
                Record::Message { meta, parts, content: place.of_block(0, at) }
            }
        };
        records.push(record);
    }
    if block.looks_like_more() {
        return None;
    }
    assert!(!is_forged, "a content can be read as a block");
    let (octets, said) = (block.octets(), block.records_len());
    let sealed = block.seal(turn.0, turn.1, turn.2);
    assert_eq!(sealed.len() as u64, octets, "what it takes was known before");
    disk.put(sealed, at);
    let records_at = at + contents_end;
    Some(Written { at, records_at, end: records_at + said, records })
}

fn content(choices: &mut Choices<'_>) -> Content {
    let (len, few) = (choices.number() as usize % 20_000, usize::from(choices.next() % 16));
    // Another last octet for each length, so that contents differ.
    let some: Vec<u8> = choices.0.by_ref().take(few).chain([len as u8]).collect();
    Content::from(some.iter().copied().cycle().take(len).collect::<Vec<_>>())
}

/// A content that begins there, with a block on its next page.
fn forged(begins: u64, choices: &mut Choices<'_>) -> Content {
    let mut other = Block::default();
    other.clear();
    let sealed = other.seal(u64::from(choices.next()) + 1, choices.number(), 0).to_vec();
    let before = begins.next_multiple_of(ALIGNED) - begins;
    Content::from([vec![b'-'; before as usize], sealed].concat())
}

fn message(id: MessageId, choices: &mut Choices<'_>) -> Option<(MessageMeta, Vec<PartRecord>)> {
    let meta = MessageMeta {
        id,
        account: None,
        stream: Stream::Transactional,
        from: None,
        author: None,
        options: EnvelopeOptions::default(),
        received: Timestamp(choices.number() as i64),
        expires: Timestamp(choices.number() as i64),
        header_id: char::from(choices.next()).to_string().repeat(usize::from(choices.next())),
        size: choices.number(),
        labels: None,
        letter: None,
        members: choices.next() & 1 == 1,
    };
    let parts = (0..choices.next() % 4).map(|number| part(PartId { message: id, number: number.into() }, choices));
    Some((meta, parts.collect::<Option<_>>()?))
}

fn part(id: PartId, choices: &mut Choices<'_>) -> Option<PartRecord> {
    let address = Address::parse("ann@example.net").ok()?;
    Some(PartRecord {
        id,
        domain: address.domain().clone(),
        recipients: vec![Pending { recipient: Recipient::to(address), last: None }],
        attempts: choices.next().into(),
        state: PartState::Due,
        due: Timestamp(choices.number() as i64),
        delay_noticed: choices.next() & 1 == 1,
        values: Vec::new(),
    })
}

fn change(id: PartId, choices: &mut Choices<'_>) -> Option<(PartId, Change)> {
    let ended = [Ended::Delivered, Ended::Failed, Ended::Suppressed, Ended::Cancelled];
    let change = match choices.next() % 6 {
        0 => Change::Done,
        1 => Change::Keep(part(id, choices)?),
        other => Change::Ended(ended[usize::from(other - 2)]),
    };
    Some((id, change))
}
