//! How fast and how much an account sends: what clients that pace themselves ask before they do.
//!
//! What was sent within a day is counted at most once a minute for each account, since it is read from the history.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use repute_types::Timestamp;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;

const HOLDS: Duration = Duration::from_secs(60);

/// Counts of accounts, and when they were made.
#[derive(Default)]
pub(crate) struct Sent(Mutex<HashMap<String, (Timestamp, u64)>>);

pub(super) struct Quota {
    /// Messages a second, as the token's pace has it. There is no limit of a day.
    pub rate: f64,
    /// Recipients within a day.
    pub sent: f64,
}

pub(super) async fn of(app: &App, caller: &Caller) -> Result<Quota, Problem> {
    let minute = app.settings().pace_of(&caller.token);
    let sent = app.sent.in_a_day(app, &caller.sends()?.name).await?;
    Ok(Quota { rate: (f64::from(minute) / 60.0).max(1.0), sent: sent as f64 })
}

impl Sent {
    async fn in_a_day(&self, app: &App, account: &str) -> Result<u64, Problem> {
        let now = app.control.now();
        let counted = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, count)) = counted().get(account)
            && (*at..*at + HOLDS).contains(&now)
        {
            return Ok(*count);
        }
        let count = app.control.sent_in_a_day(account).await?;
        // Tokens, and so accounts, are of the configuration: they are few.
        counted().insert(account.to_owned(), (now, count));
        Ok(count)
    }
}
