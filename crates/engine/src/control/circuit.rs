//! What an operator may ask of the circuit breakers.

use repute_spool::PartState;
use serde::Serialize;

use super::{Changes, Control, ControlError, Selector};
use crate::circuit::{self, CircuitRow, Subject};

#[derive(Clone, Debug, Serialize)]
pub struct CircuitList {
    pub open: Vec<CircuitRow>,
}

impl Control {
    /// The circuits that are open.
    pub fn circuits(&self) -> CircuitList {
        CircuitList { open: self.works.circuits.list() }
    }

    /// Closes a circuit and lets what it held go; counting starts from nothing.
    pub async fn continue_circuit(&self, name: &str) -> Result<Changes, ControlError> {
        let subject = self.close(name).await?;
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
        self.close(name).await?;
        Ok(changes)
    }

    async fn close(&self, name: &str) -> Result<Subject, ControlError> {
        let subject = Subject::parse(name);
        match circuit::close(&self.works, &subject).await.map_err(ControlError::Circuit)? {
            true => Ok(subject),
            false => Err(ControlError::NoSuchCircuit(name.to_owned())),
        }
    }

    fn known(&self, subject: &Subject, name: &str) -> Result<(), ControlError> {
        let known = self.works.circuits.list().iter().any(|row| Subject::parse(&row.name) == *subject);
        if known { Ok(()) } else { Err(ControlError::NoSuchCircuit(name.to_owned())) }
    }
}
