//! What is counted of accounts and campaigns, and which circuits are open: which one is to open, and what that means for the
//! counts of the other. It tells nobody and writes nothing: that is [`super`]'s.

use std::collections::BTreeMap;
use std::time::Duration;

use repute_ledger::{Counted, Opened};
use repute_spool::MessageMeta;
use repute_types::{AccountName, Map, Timestamp};

use super::count::{CircuitSettings, Slice, Sums, Trouble, Window};
use super::words::Subject;

/// Accounts and campaigns that are counted at a time; one more waits until others are quiet.
pub(super) const SUBJECTS: usize = 10_000;

#[derive(Default)]
pub(super) struct State {
    pub windows: Map<Subject, Window>,
    pub open: BTreeMap<Subject, Opened>,
}

impl State {
    /// What was known at the last stop.
    pub fn restored(counted: Vec<Counted>, opened: Vec<Opened>) -> State {
        let mut state = State::default();
        let subject = |account: String, campaign: String| Subject {
            account: account.into(),
            campaign: Some(campaign).filter(|name| !name.is_empty()),
        };
        for c in counted {
            let sums = Sums { sent: c.sent, unknown: c.unknown, complaints: c.complaints, spam: c.spam };
            let slice = Slice { since: c.since, sums, changed: false };
            state.windows.entry(subject(c.account, c.campaign)).or_default().slices.push_back(slice);
        }
        for window in state.windows.values_mut() {
            window.slices.make_contiguous().sort_by_key(|slice| slice.since);
        }
        state.open = opened.into_iter().map(|o| (subject(o.account.clone(), o.campaign.clone()), o)).collect();
        state
    }

    /// The counts that changed since they were last written down, and all that is open.
    pub fn take_changed(&mut self) -> (Vec<Counted>, Vec<Opened>) {
        let mut changed = Vec::new();
        for (subject, window) in &mut self.windows {
            for slice in &mut window.slices {
                if !std::mem::take(&mut slice.changed) {
                    continue;
                }
                let Sums { sent, unknown, complaints, spam } = slice.sums;
                changed.push(Counted {
                    account: subject.account.to_string(),
                    campaign: subject.campaign.clone().unwrap_or_default(),
                    since: slice.since,
                    sent,
                    unknown,
                    complaints,
                    spam,
                });
            }
        }
        (changed, self.open.values().cloned().collect())
    }

    /// Whether one more may be counted: who was silent for a window makes room.
    pub fn has_room(&mut self, now: Timestamp, window: Duration) -> bool {
        if self.windows.len() >= SUBJECTS {
            let oldest = now - window;
            self.windows.retain(|_, w| w.slices.back().is_some_and(|slice| slice.since >= oldest));
        }
        self.windows.len() < SUBJECTS
    }

    /// The open circuit of a message, its account's before its campaign's.
    pub fn stopping(&self, meta: &MessageMeta) -> Option<(&Subject, &Opened)> {
        let account = meta.account.as_ref()?;
        let campaign = meta.labels.as_ref().and_then(|labels| labels.campaign.clone());
        let of = |campaign| self.open.get_key_value(&Subject { account: account.clone(), campaign });
        of(None).or_else(|| of(Some(campaign?)))
    }

    /// Which circuit is to open after something was counted: the campaign's own before the account's, and of
    /// others the one that explains the account's figures alone.
    pub fn too_much(
        &self,
        account: &AccountName,
        campaign: Option<String>,
        trouble: Trouble,
        oldest: Timestamp,
        settings: &CircuitSettings,
    ) -> Option<(Subject, Trouble, String)> {
        let told = |subject: Subject, sums: Sums| {
            let examples = self.windows.get(&subject).map_or(&[][..], |window| window.examples(trouble));
            let text = sums.words(trouble, examples);
            Some((subject, trouble, text))
        };
        let sums = |subject: &Subject| self.windows.get(subject).map(|window| window.sums(oldest));
        if let Some(campaign) = campaign {
            let subject = Subject { account: account.clone(), campaign: Some(campaign) };
            let of_campaign = sums(&subject).filter(|sums| sums.is_too_much(trouble, settings));
            if let Some(sums) = of_campaign.filter(|_| !self.open.contains_key(&subject)) {
                return told(subject, sums);
            }
        }
        let whole = Subject { account: account.clone(), campaign: None };
        let all = sums(&whole).filter(|sums| sums.is_too_much(trouble, settings))?;
        if self.open.contains_key(&whole) {
            return None;
        }
        let held = self.open.keys().filter(|subject| subject.account == *account).filter_map(sums);
        let rest = held.fold(all, Sums::without);
        if !rest.is_too_much(trouble, settings) {
            return None;
        }
        match self.culprit(account, rest, trouble, oldest, settings) {
            Some((subject, sums)) => told(subject, sums),
            None => told(whole, rest),
        }
    }

    /// The campaign that has most of the account's trouble, and without which the account's figures are good.
    fn culprit(
        &self,
        account: &AccountName,
        rest: Sums,
        trouble: Trouble,
        oldest: Timestamp,
        settings: &CircuitSettings,
    ) -> Option<(Subject, Sums)> {
        let goes_on = |subject: &&Subject| {
            subject.account == *account && subject.campaign.is_some() && !self.open.contains_key(subject)
        };
        let campaigns = self.windows.iter().filter(|(subject, _)| goes_on(subject));
        let (subject, sums) = campaigns
            .map(|(subject, window)| (subject, window.sums(oldest)))
            .max_by_key(|(_, sums)| sums.of(trouble))?;
        let explains = sums.is_bad(trouble, settings)
            && sums.of(trouble) * 2 > rest.of(trouble)
            && !rest.without(sums).is_too_much(trouble, settings);
        explains.then(|| (subject.clone(), sums))
    }

    /// What is told of the account's other mail has no examples from a campaign that is stopped.
    pub fn set_apart(&mut self, subject: &Subject) {
        let whole = Subject { account: subject.account.clone(), campaign: None };
        if subject.campaign.is_none() {
            return;
        }
        let Some(mut account) = self.windows.remove(&whole) else { return };
        if let Some(window) = self.windows.get(subject) {
            account.leave_to(window);
        }
        self.windows.insert(whole, account);
    }

    /// What went wrong so far counts no more, neither for who was stopped nor for what that is a part of.
    pub fn forgive(&mut self, subject: &Subject) {
        if subject.campaign.is_none() {
            let of_account = self.windows.iter_mut().filter(|(of, _)| of.account == subject.account);
            return of_account.for_each(|(_, window)| drop(window.forgive()));
        }
        let Some(mut window) = self.windows.remove(subject) else { return };
        let whole = Subject { account: subject.account.clone(), campaign: None };
        if let Some(account) = self.windows.get_mut(&whole) {
            account.leave_to(&window);
            account.take_away(&window.forgive());
        } else {
            window.forgive();
        }
        self.windows.insert(subject.clone(), window);
    }
}

#[cfg(test)]
mod tests;
