//! How much an account sent.

use std::time::Duration;

use super::{Control, ControlError};
use crate::works::HISTORY_PATIENCE;

const DAY: Duration = Duration::from_secs(86_400);

impl Control {
    /// Recipients that messages and campaigns of an account were accepted for within the last day, as far as the history goes
    /// back. Reads all that was accepted in that time, so it is not for every request.
    pub async fn sent_in_a_day(&self, account: &str) -> Result<u64, ControlError> {
        let since = self.works.now() - DAY;
        let messages = match &self.works.doors.history {
            Some(history) => {
                let (account, told) = (account.to_owned(), history.clone());
                let asked = history.ask(move |questions| {
                    // What was accepted a moment ago counts; where the history is behind, the rest does.
                    told.flush_within(HISTORY_PATIENCE);
                    questions.accepted_of(&account, since)
                });
                asked.await.map_err(ControlError::History)?
            }
            None => 0,
        };
        let campaigns = self.works.doors.spool.campaigns().await.map_err(ControlError::Spool)?;
        let of_day = campaigns.iter().filter(|c| &*c.account == account && c.launched.is_some_and(|at| at >= since));
        Ok(messages + of_day.map(|campaign| campaign.tally.taken).sum::<u64>())
    }
}
