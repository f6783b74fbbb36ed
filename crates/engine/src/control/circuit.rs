//! What an operator may ask of the circuit breakers.

use std::time::Duration;

use repute_spool::PartState;
use serde::Serialize;

use super::{Changes, Control, ControlError, Selector};
use crate::circuit::{self, CircuitRow, HabitRow, Subject, Word};

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

    /// Closes a circuit and lets what it held go; counting starts from nothing.
    pub async fn continue_circuit(&self, name: &str) -> Result<Changes, ControlError> {
        let subject = self.close(name, Word::Continue).await?;
        let begins = subject.held_by();
        let held = Selector { held: true, ..Selector::default() };
        self.make_due(&held, |part| matches!(&part.state, PartState::Held(reason) if reason.starts_with(&begins))).await
    }

    /// Takes everything of the account or campaign out of the queue, without notices, and closes its circuit.
    pub async fn cancel_circuit(&self, name: &str) -> Result<Changes, ControlError> {
        let subject = Subject::parse(name);
        self.known(&subject, name)?;
        let all = Selector { all: true, ..Selector::default() };
        let changes = self.cancel_which(&all, |meta| subject.covers(meta)).await?;
        self.close(name, Word::Cancel).await?;
        Ok(changes)
    }

    async fn close(&self, name: &str, word: Word) -> Result<Subject, ControlError> {
        let subject = Subject::parse(name);
        match circuit::close(&self.works, &subject, word).await.map_err(ControlError::Circuit)? {
            true => Ok(subject),
            false => Err(ControlError::NoSuchCircuit(name.to_owned())),
        }
    }

    fn known(&self, subject: &Subject, name: &str) -> Result<(), ControlError> {
        let known = self.works.circuits.list().iter().any(|row| Subject::parse(&row.name) == *subject);
        if known { Ok(()) } else { Err(ControlError::NoSuchCircuit(name.to_owned())) }
    }
}
