//! What an operator may ask of the circuit breakers.

use std::time::Duration;

use serde::Serialize;

use super::{Changes, Control, ControlError, Selector, StillHeld, change};
use crate::circuit::{self, CircuitRow, HabitRow, Subject, Word, campaigns};

/// For how long much may be meant to come.
const MEANT_AT_MOST: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Clone, Debug, Serialize)]
pub struct CircuitList {
    pub open: Vec<CircuitRow>,
}

#[derive(Clone, Debug, Serialize)]
pub struct HabitList {
    pub accounts: Vec<HabitRow>,
}

impl Control {
    /// What each account that has sent is used to, and what would be too much.
    pub fn habits(&self) -> HabitList {
        HabitList { accounts: self.works.circuits.brake.list(&self.works.settings().circuit, self.works.now()) }
    }

    /// Much is meant to come from an account: for so long (30 days at most) nothing is held because of its strangers, and what
    /// it sends is its habit from then on. Durable before it answers.
    pub async fn expect_much(&self, account: &str, lasts: Duration) -> Result<HabitList, ControlError> {
        let works = &self.works;
        let settings = works.settings();
        let Some(known) = settings.account(account) else {
            return Err(ControlError::NoSuchAccount(account.to_owned()));
        };
        works.circuits.brake.mean(&known.account.name, lasts.min(MEANT_AT_MOST), works.now());
        circuit::save(works).await.map_err(ControlError::Circuit)?;
        let mut list = self.habits();
        list.accounts.retain(|row| row.account == account);
        Ok(list)
    }

    /// The circuits that are open.
    pub fn circuits(&self) -> CircuitList {
        CircuitList { open: self.works.circuits.list() }
    }

    /// Closes a circuit and lets what it held go, but for what something else holds, which is told. What went wrong
    /// until now counts no more; what went well still does. `who` says so, for whoever reads it later.
    pub async fn continue_circuit(&self, name: &str, who: &str) -> Result<Changes, ControlError> {
        let subject = self.close(name, Word::Continue, who).await?;
        let held = Selector { held: true, ..Selector::default() };
        let mut changes = self.change(&held, change::Word::Continue(subject.clone())).await?;
        changes.now += campaigns::let_go(&self.works, &subject).await.map_err(ControlError::Spool)?;
        for row in self.still_held(&subject) {
            changes.hold_still(row);
        }
        Ok(changes)
    }

    /// Takes everything of the account or campaign out of the queue, without notices, and closes its circuit.
    pub async fn cancel_circuit(&self, name: &str, who: &str) -> Result<Changes, ControlError> {
        let subject = Subject::parse(name);
        self.known(&subject, name)?;
        let mut cancelled = 0;
        for known in campaigns::under(&self.works, &subject) {
            let waited = self.call_off(&known).await.map_err(ControlError::Campaign)?.unwrap_or_default();
            cancelled += usize::try_from(waited).unwrap_or(usize::MAX);
        }
        let all = Selector { all: true, ..Selector::default() };
        let word = change::Word::Cancel(format!("cancelled by {who}"), Some(subject.clone()));
        let mut changes = self.change(&all, word.clone()).await?;
        changes.now += cancelled;
        self.close(name, Word::Cancel, who).await?;
        // What came in behind the first look and was held before it was closed.
        let held = Selector { held: true, ..Selector::default() };
        changes.add(self.change(&held, word).await?);
        Ok(changes)
    }

    async fn close(&self, name: &str, word: Word, who: &str) -> Result<Subject, ControlError> {
        let subject = Subject::parse(name);
        match circuit::close(&self.works, &subject, word, who).await.map_err(ControlError::Circuit)? {
            true => Ok(subject),
            false => Err(ControlError::NoSuchCircuit(name.to_owned())),
        }
    }

    /// What stops mail of an account or campaign whose circuit was closed.
    fn still_held(&self, subject: &Subject) -> Vec<StillHeld> {
        let overlaps = |row: &CircuitRow| {
            let other = Subject::parse(&row.name);
            subject.is_part_of(&other) || other.is_part_of(subject)
        };
        let open = self.works.circuits.list().into_iter().filter(overlaps);
        let row = |row: CircuitRow| StillHeld { name: row.name, parts: None, text: row.text, cure: row.cure };
        let paused = campaigns::under(&self.works, subject);
        let paused = paused.into_iter().filter(|known| self.works.queue(|queue| queue.has_parts(known.id)));
        open.map(row).chain(paused.filter_map(|known| change::of_campaign(&known))).collect()
    }

    fn known(&self, subject: &Subject, name: &str) -> Result<(), ControlError> {
        let known = self.works.circuits.list().iter().any(|row| Subject::parse(&row.name) == *subject);
        if known { Ok(()) } else { Err(ControlError::NoSuchCircuit(name.to_owned())) }
    }
}
