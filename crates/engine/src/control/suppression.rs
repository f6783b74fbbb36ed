//! What may be asked of the suppression list, the same for every face.

use repute_ledger::suppression::{Entry, Query, Released, Selection, Suppressions};
use repute_types::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Control, ControlError};

/// Entries in one page at most.
const PAGE_MOST: usize = 1000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SuppressionList {
    pub entries: Vec<Entry>,
    /// Whether there are more than were asked for: the next page comes after the last of these.
    pub more: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// Entries that were not there before.
    pub added: usize,
    pub known: usize,
}

impl Control {
    /// A page of the list, in the order of the addresses; 1,000 at most.
    pub async fn suppressions(&self, query: Query) -> Result<SuppressionList, ControlError> {
        page(self.suppression_list()?, query, self.works.now()).await
    }

    /// Adds entries, durably. Mail to them that waits fails when it is next due.
    pub async fn suppress(&self, entries: Vec<Entry>) -> Result<Suppressed, ControlError> {
        let all = entries.len();
        let added = self.suppression_list()?.import(entries).await.map_err(ControlError::Suppression)?;
        Ok(Suppressed { added, known: all - added })
    }

    /// Takes entries away, durably; an empty selection is refused unless `all` is said.
    pub async fn release_suppressed(&self, selection: Selection, all: bool) -> Result<Released, ControlError> {
        if selection == Selection::default() && !all {
            return Err(ControlError::NoAddressSelected);
        }
        self.suppression_list()?.release(selection).await.map_err(ControlError::Suppression)
    }

    fn suppression_list(&self) -> Result<&Suppressions, ControlError> {
        self.works.doors.suppressions.as_deref().ok_or(ControlError::NoSuppression)
    }
}

/// Also for a list whose works do not run.
pub async fn page(list: &Suppressions, query: Query, now: Timestamp) -> Result<SuppressionList, ControlError> {
    let limit = query.limit.clamp(1, PAGE_MOST);
    let found = list.list(Query { limit: limit + 1, ..query }, now).await;
    let mut entries = found.map_err(ControlError::Suppression)?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok(SuppressionList { entries, more })
}
