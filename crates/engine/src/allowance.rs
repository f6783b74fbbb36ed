//! How much mail an account may hand in: a bucket for each account that has a rate, filled evenly. What is too much is refused for now at
//! the door, and whoever brought it keeps it (RFC 5321 §4.2.1): accepted mail never waits for this.
//!
//! Promise: at most as many recipients as the rate says at once, and in the long run no more than it says; the message that empties the
//! bucket is taken whole, and what comes next waits until that is made up for. Known to this process alone: after a start
//! every bucket is full. Recipients of a campaign count when its list comes in, like those of a message: what the rate is to
//! keep whoever stole an account from, a list would else let it do.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use repute_queue::Rate;
use repute_types::{AccountName, EnhancedCode, Map, Reply, Timestamp};

use crate::works::Works;

/// What an account may still hand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub rate: Rate,
    /// Recipients.
    pub left: u32,
    /// Until the bucket is full.
    pub full_in: Duration,
    /// Until one more is taken; zero where that is now.
    pub wait: Duration,
}

struct Bucket {
    /// Below zero after a message that was larger than what was left.
    left: f64,
    at: Timestamp,
}

/// As many as there are accounts with a rate that sent something.
#[derive(Default)]
pub(crate) struct Allowances(Mutex<Map<AccountName, Bucket>>);

impl Allowances {
    /// What is left; and where there is something, so many recipients are taken.
    fn take(&self, name: &AccountName, rate: Rate, recipients: u32, now: Timestamp) -> Allowance {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (most, per_second) = (f64::from(rate.count), f64::from(rate.count) / rate.per.as_secs_f64());
        let bucket = buckets.entry(name.clone()).or_insert(Bucket { left: most, at: now });
        // A clock that was set back fills nothing.
        bucket.left = (bucket.left + now.since(bucket.at).as_secs_f64() * per_second).min(most);
        bucket.at = now;
        let lacks = |wanted: f64, left: f64| Duration::from_secs_f64(((wanted - left) / per_second).max(0.0));
        let wait = lacks(1.0, bucket.left);
        if wait.is_zero() {
            bucket.left -= f64::from(recipients);
        }
        Allowance { rate, left: bucket.left.max(0.0) as u32, full_in: lacks(most, bucket.left), wait }
    }

    /// What was not kept is not counted.
    fn give_back(&self, name: &AccountName, recipients: u32) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(name) {
            bucket.left += f64::from(recipients);
        }
    }
}

/// So many recipients that an account hands in; given back unless they are kept.
pub(crate) struct Taken<'a> {
    works: &'a Works,
    name: AccountName,
    recipients: u32,
}

impl Taken<'_> {
    /// They are on disk.
    pub fn keep(mut self) {
        self.recipients = 0;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.recipients > 0 {
            self.works.allowances.give_back(&self.name, self.recipients);
        }
    }
}

/// What an account may hand in now; `None` where it has no rate.
pub(crate) fn of(works: &Works, account: &str) -> Option<Allowance> {
    look(works, account, 0)
}

/// Whether an account may hand in anything, before it brings the rest.
pub(crate) fn check(works: &Works, account: &str) -> Result<(), Reply> {
    of(works, account).map_or(Ok(()), |allowance| answer(account, &allowance))
}

/// Takes so many recipients.
pub(crate) fn take<'a>(works: &'a Works, account: &AccountName, recipients: usize) -> Result<Taken<'a>, Reply> {
    let count = u32::try_from(recipients).unwrap_or(u32::MAX);
    let Some(allowance) = look(works, account, count) else {
        return Ok(Taken { works, name: account.clone(), recipients: 0 });
    };
    answer(account, &allowance)?;
    Ok(Taken { works, name: account.clone(), recipients: count })
}

fn look(works: &Works, account: &str, recipients: u32) -> Option<Allowance> {
    let settings = works.settings();
    let known = settings.account(account)?;
    Some(works.allowances.take(&known.account.name, known.rate?, recipients, works.now()))
}

fn answer(account: &str, allowance: &Allowance) -> Result<(), Reply> {
    if allowance.wait.is_zero() {
        return Ok(());
    }
    let seconds = allowance.wait.as_secs() + u64::from(allowance.wait.subsec_nanos() > 0);
    let text = format!(
        "account {account} has handed in as much mail as its rate allows ({}): send the rest in {seconds} s, or raise `rate` of its \
         [[account]]",
        allowance.rate
    );
    Err(Reply::new(450, EnhancedCode(4, 7, 1), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_485_950_000);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_bucket_is_emptied_at_once_and_filled_evenly() {
        let (all, rate) = (Allowances::default(), Rate { count: 60, per: HOUR });
        let name: AccountName = "shop".into();
        let check = |recipients: u32, after: u64, left: u32, wait: u64| {
            let now = NOW + Duration::from_secs(after);
            let found = all.take(&name, rate, recipients, now);
            assert_eq!((found.left, found.wait.as_secs()), (left, wait), "{recipients} after {after} s");
        };
        check(0, 0, 60, 0);
        check(59, 0, 1, 0);
        // What empties it is taken whole, and made up for.
        check(11, 0, 0, 0);
        check(1, 0, 0, 660);
        check(1, 659, 0, 1);
        check(1, 660, 0, 0);
        check(0, 2 * 3600 + 660, 60, 0);
        all.take(&name, rate, 10, NOW + 3 * HOUR);
        all.give_back(&name, 10);
        check(0, 3 * 3600, 60, 0);
        // A clock that was set back.
        check(1, 0, 59, 0);
        // Another rate holds at once.
        assert_eq!(all.take(&name, Rate { count: 5, per: HOUR }, 0, NOW).left, 5);
    }
}
