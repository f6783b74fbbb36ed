//! What an operator may ask of the circuit breakers.

use std::time::Duration;

use repute_spool::{CampaignState, PartState};
use serde::Serialize;

use super::{Changes, Control, ControlError, Selector};
use crate::circuit::{self, CircuitRow, HabitRow, Subject, Word, campaigns};

/// For how long much may be meant to come.
const MEANT_AT_MOST: Duration = Duration::from_secs(30 * 24 * 3600);

#[derive(Clone, Debug, Serialize)]
pub struct CircuitList {
    pub open: Vec<CircuitRow>,
}

/// What a person's word let go on.
#[derive(Clone, Debug, Serialize)]
pub struct Continued {
    #[serde(flatten)]
    pub changes: Changes,
    /// What holds mail of it still, each with the command that lets it go.
    pub still: Vec<StillHeld>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StillHeld {
    /// An account, or ACCOUNT/CAMPAIGN.
    pub name: String,
    /// Why.
    pub text: String,
    pub cure: String,
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
    pub async fn continue_circuit(&self, name: &str, who: &str) -> Result<Continued, ControlError> {
        let subject = self.close(name, Word::Continue, who).await?;
        let mut changes = self.let_go(&subject).await?;
        changes.now += campaigns::let_go(&self.works, &subject).await.map_err(ControlError::Spool)?;
        Ok(Continued { changes, still: self.still_held(&subject) })
    }

    /// Takes everything of the account or campaign out of the queue, without notices, and closes its circuit.
    pub async fn cancel_circuit(&self, name: &str, who: &str) -> Result<Changes, ControlError> {
        let subject = Subject::parse(name);
        self.known(&subject, name)?;
        let mut cancelled = 0;
        for known in campaigns::under(&self.works, &subject) {
            let id = known.id.to_string();
            let waiting = self.campaign(&id).await.map_err(ControlError::Campaign)?.waiting;
            if waiting > 0 {
                self.cancel_campaign(&id).await.map_err(ControlError::Campaign)?;
                cancelled += usize::try_from(waiting).unwrap_or(usize::MAX);
            }
        }
        let all = Selector { all: true, ..Selector::default() };
        let mut changes = self.cancel_which(&all, |meta| subject.covers(meta) && meta.letter.is_none()).await?;
        changes.now += cancelled;
        self.close(name, Word::Cancel, who).await?;
        Ok(changes)
    }

    async fn close(&self, name: &str, word: Word, who: &str) -> Result<Subject, ControlError> {
        let subject = Subject::parse(name);
        match circuit::close(&self.works, &subject, word, who).await.map_err(ControlError::Circuit)? {
            true => Ok(subject),
            false => Err(ControlError::NoSuchCircuit(name.to_owned())),
        }
    }

    /// Parts that a circuit held, which is closed, go on; those that another stops are held by that.
    async fn let_go(&self, subject: &Subject) -> Result<Changes, ControlError> {
        let begins = subject.held_by();
        let (mut changes, now) = (Changes::default(), self.works.now());
        let held = Selector { held: true, ..Selector::default() };
        for (meta, part) in self.select_to_change(&held).await? {
            if !matches!(&part.state, PartState::Held(reason) if reason.starts_with(&begins)) {
                continue;
            }
            match self.works.circuits.stops(&meta).filter(|_| meta.letter.is_none()) {
                Some(reason) => drop(self.works.write_held(&meta, part, reason)),
                None => changes.count(self.due_now(meta, part, now)),
            }
        }
        self.flushed(changes).await
    }

    /// What stops mail of an account or campaign whose circuit was closed.
    fn still_held(&self, subject: &Subject) -> Vec<StillHeld> {
        let overlaps = |row: &CircuitRow| {
            let other = Subject::parse(&row.name);
            subject.is_part_of(&other) || other.is_part_of(subject)
        };
        let open = self.works.circuits.list().into_iter().filter(overlaps);
        let mut still: Vec<_> = open.map(|row| StillHeld { name: row.name, text: row.text, cure: row.cure }).collect();
        for known in campaigns::under(&self.works, subject) {
            let CampaignState::Paused(reason) = known.state() else { continue };
            if !self.works.queue(|queue| queue.has_parts(known.id)) {
                continue;
            }
            let name = format!("{}/{}", known.account, known.name);
            let cure = format!("go on with `repute bulk resume {name:?}`");
            still.push(StillHeld { text: format!("the campaign is paused: {reason}"), cure, name });
        }
        still
    }

    fn known(&self, subject: &Subject, name: &str) -> Result<(), ControlError> {
        let known = self.works.circuits.list().iter().any(|row| Subject::parse(&row.name) == *subject);
        if known { Ok(()) } else { Err(ControlError::NoSuchCircuit(name.to_owned())) }
    }
}
