//! Recipients coming in: judged row by row, kept in batches, each batch durable before it is answered.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use repute_ledger::suppression::spelling;
use repute_message::merge::{FormLetter, Given};
use repute_spool::{CampaignState, CampaignWrite, PartRecord, Stretch, Walk};
use repute_types::{Address, EventKind, MessageId, PartId, Recipient, Reply, Timestamp};

use super::words::{self, Add, Added, BulkError, MOST_ROWS, Refused, Row, WhyNot};
use super::{ComingIn, Known, check};
use crate::allowance;
use crate::control::Control;
use crate::works::Works;

/// Rows judged before others have their turn.
const STEP: usize = 50;
const PAGE: usize = 5_000;

impl Control {
    /// What a campaign expects whose list is coming in.
    pub async fn loading(&self, id: MessageId) -> Result<words::Loading, BulkError> {
        let works = &*self.works;
        let known = works.bulk.known(id).ok_or_else(|| BulkError::NoSuchCampaign(id.to_string()))?;
        let loading = known.turn.lock().await;
        still_loads(&known)?;
        let meta = works.doors.spool.meta(id).await.map_err(BulkError::Spool)?;
        let fields = meta.letter.map(|fields| fields.to_vec()).unwrap_or_default();
        Ok(words::Loading { id, fields, next_row: loading.next_row })
    }

    /// Says that a list begins to come in for a campaign that is loading: it is not launched until what this returns
    /// is dropped.
    pub fn coming_in(&self, id: MessageId) -> Result<ComingIn, BulkError> {
        let known = self.works.bulk.known(id).ok_or_else(|| BulkError::NoSuchCampaign(id.to_string()))?;
        Ok(ComingIn::of(known))
    }

    /// Adds recipients to a campaign that is loading. What was refused is told and not tried again;
    /// the rest is on disk when this answers, and nothing is sent before the launch.
    pub async fn add(&self, question: Add) -> Result<Added, BulkError> {
        let works = &*self.works;
        if question.rows.len() > MOST_ROWS {
            return Err(BulkError::Refused(format!("at most {MOST_ROWS} rows can be added at once")));
        }
        let known = works.bulk.known(question.id).ok_or_else(|| BulkError::NoSuchCampaign(question.id.to_string()))?;
        let mut loading = known.turn.lock().await;
        still_loads(&known)?;
        if !question.rows.is_empty() {
            allowance::check(works, &known.account).map_err(|reply| too_much(works, &known, &reply))?;
        }
        if question.first_row > loading.next_row {
            return Err(BulkError::Gap { row: question.first_row, next: loading.next_row });
        }
        let mut seen = match loading.seen.take() {
            Some(seen) => seen,
            None => addresses_so_far(works, &known, loading.next_row).await?,
        };
        let letter = super::render::ready(works, known.id).await.map_err(BulkError::Spool)?;
        let passed_over = (loading.next_row - question.first_row) as usize;
        let rows = question.rows.into_iter().skip(passed_over);
        let mut batch = Batch::new(works, &known, &letter.form, loading.next_row);
        for (n, row) in rows.enumerate() {
            if n % STEP == STEP - 1 {
                tokio::task::yield_now().await;
            }
            batch.judge(row, &mut seen)?;
        }
        let added = batch.keep().await;
        if let Ok(added) = &added {
            loading.next_row = added.next_row;
            // After a batch that was not kept, the addresses are read again.
            loading.seen = Some(seen);
        }
        added
    }
}

fn still_loads(known: &Known) -> Result<(), BulkError> {
    match known.state() {
        CampaignState::Loading => Ok(()),
        _ => {
            let text = format!("the campaign {} takes no more recipients: it was launched or cancelled", known.name);
            Err(BulkError::Conflict(text))
        }
    }
}

/// The rows of one call, as far as they are judged.
struct Batch<'a> {
    works: &'a Works,
    known: &'a Known,
    form: &'a FormLetter,
    now: Timestamp,
    next_row: u32,
    parts: Vec<PartRecord>,
    left_out: Vec<(Address, String)>,
    refused: Vec<Refused>,
}

impl<'a> Batch<'a> {
    fn new(works: &'a Works, known: &'a Known, form: &'a FormLetter, next_row: u32) -> Batch<'a> {
        let now = works.now();
        Batch { works, known, form, now, next_row, parts: Vec::new(), left_out: Vec::new(), refused: Vec::new() }
    }

    fn judge(&mut self, row: Row, seen: &mut HashSet<u64>) -> Result<(), BulkError> {
        let number = self.next_row;
        self.next_row += 1;
        match self.address(&row, seen)? {
            Ok(address) => self.parts.push(part(self.known.id, number, address, row.values, self.now)),
            Err((why, text)) => self.refused.push(Refused { row: number, email: row.email, why, text }),
        }
        Ok(())
    }

    /// Where the row goes, or why it goes nowhere.
    fn address(&mut self, row: &Row, seen: &mut HashSet<u64>) -> Result<Result<Address, (WhyNot, String)>, BulkError> {
        let address = match check::address(&row.email) {
            Ok(address) => address,
            Err(text) => return Ok(Err((WhyNot::Syntax, text))),
        };
        if seen.contains(&hash(&address)) {
            return Ok(Err((WhyNot::Duplicate, "this address was on the list before".into())));
        }
        if let Some(text) = row.too_long() {
            return Ok(Err((WhyNot::Long, text)));
        }
        if let Err(text) = self.fields_fit(row, &address) {
            return Ok(Err((WhyNot::Field, text)));
        }
        if let Some(text) = check::suppressed(self.works, &self.known.account, Some(&self.known.list), &address)? {
            self.left_out.push((address, text.clone()));
            return Ok(Err((WhyNot::Suppressed, text)));
        }
        seen.insert(hash(&address));
        Ok(Ok(address))
    }

    fn fields_fit(&self, row: &Row, email: &Address) -> Result<(), String> {
        let expected = self.form.field_count();
        if row.values.len() != expected {
            return Err(format!("it has {} fields where {expected} are expected", row.values.len()));
        }
        // Merged once now, so that what cannot be is known before anything is sent.
        let given = Given { email, values: &row.values, unsubscribe_url: "https://unsubscribe.example/" };
        self.form.merge(&given).map(drop).map_err(|fault| fault.to_string())
    }

    async fn keep(self) -> Result<Added, BulkError> {
        let Batch { works, known, next_row, parts, left_out, refused, .. } = self;
        let taken = parts.len() as u32;
        // Rows that nobody is written to for cost nothing.
        let allowed = match parts.is_empty() {
            true => None,
            false => Some(
                allowance::take(works, &known.account, parts.len()).map_err(|reply| too_much(works, known, &reply))?,
            ),
        };
        let write = CampaignWrite::Append {
            id: known.id,
            rows: next_row,
            parts,
            refused: (refused.len() - left_out.len()) as u32,
            left_out: left_out.len() as u32,
        };
        let kept = works.doors.spool.change_campaign(write).await;
        kept.map_err(|error| super::refused_by_spool(works, u64::from(taken).max(1), error))?;
        if let Some(allowed) = allowed {
            allowed.keep();
        }
        let labels = known.labels();
        for (recipient, text) in left_out {
            works.emit(EventKind::Suppressed {
                message: known.id,
                account: Some(known.account.clone()),
                labels: labels.clone(),
                recipient,
                why: "suppressed",
                text,
            });
        }
        Ok(Added { next_row, taken, refused })
    }
}

/// Lists count as mail that is handed in, or whoever stole an account would send by campaigns what its rate forbids.
fn too_much(works: &Works, known: &Known, reply: &Reply) -> BulkError {
    let wait = allowance::of(works, &known.account).map_or(Duration::ZERO, |allowance| allowance.wait);
    BulkError::Rate { text: reply.text(), wait }
}

fn part(message: MessageId, number: u32, address: Address, values: Vec<String>, now: Timestamp) -> PartRecord {
    let recipient = Recipient::to(address);
    let domain = recipient.address.domain().clone();
    let part = PartRecord::new(PartId { message, number }, domain, vec![recipient], now);
    PartRecord { delay_noticed: true, values, ..part }
}

/// 64 bits of an address: of a million, two collide once in thirty million lists.
fn hash(address: &Address) -> u64 {
    let mut hasher = DefaultHasher::new();
    spelling(address).hash(&mut hasher);
    hasher.finish()
}

/// For a list that is gone on with after a break.
async fn addresses_so_far(works: &Works, known: &Known, rows: u32) -> Result<HashSet<u64>, BulkError> {
    let mut seen = HashSet::new();
    if rows == 0 {
        return Ok(seen);
    }
    let mut walk = Walk::starting_at(known.id);
    while let Some(stretch) = walk.next(&*works.doors.spool, PAGE).await.map_err(BulkError::Spool)? {
        let Stretch::Parts(page) = stretch else { continue };
        let of_campaign = page.iter().filter(|(meta, _)| meta.id == known.id);
        seen.extend(of_campaign.flat_map(|(_, part)| &part.recipients).map(|p| hash(&p.recipient.address)));
        if page.last().is_some_and(|(meta, _)| meta.id != known.id) {
            break;
        }
    }
    Ok(seen)
}
