//! The counting, pure: what was sent in a sliding window, how much of it went wrong in which way, and
//! whether that is too much.
//!
//! A window is [`SLICES`] slices of time; the oldest goes when a new one begins. A share is judged as if at least
//! [`CircuitSettings::least`] had been sent, so that a handful of refusals at the beginning opens nothing, and
//! a list that is bad from its first line is stopped long before its end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use repute_types::{AccountName, Timestamp};

const SLICES: u32 = 24;
/// Fewer than this open nothing, whatever their share is.
const FEWEST: u64 = 3;
/// Examples that are kept of each trouble.
const EXAMPLES: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircuitSettings {
    /// What is older is not counted.
    pub window: Duration,
    /// A share is one of so many at least.
    pub least: u64,
    /// In a thousand; 0 never opens.
    pub unknown: u64,
    pub complaints: u64,
    pub spam: u64,
    /// How many times its habit an account may write to strangers; 0 never opens.
    pub brake: u64,
    /// Strangers within an hour that are never too much.
    pub brake_least: u64,
    /// Accounts whose `brake` is another.
    pub brakes: BTreeMap<AccountName, u64>,
}

impl CircuitSettings {
    pub(crate) fn factor(&self, account: &AccountName) -> u64 {
        self.brakes.get(account).copied().unwrap_or(self.brake)
    }
}

impl Default for CircuitSettings {
    fn default() -> CircuitSettings {
        let day = Duration::from_secs(24 * 3600);
        CircuitSettings {
            window: day,
            least: 200,
            unknown: 50,
            complaints: 3,
            spam: 50,
            brake: 10,
            brake_least: 300,
            brakes: BTreeMap::new(),
        }
    }
}

/// What a recipient's outcome is to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// An outcome without trouble for our name.
    Sent,
    /// Refused: nobody of that name. Counts as sent, too.
    SentToUnknown,
    /// Refused: taken for spam. Counts as sent, too.
    SentAsSpam,
    /// News about what was counted as sent before.
    LaterUnknown,
    Complaint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Trouble {
    Unknown,
    Complaints,
    Spam,
}

impl Trouble {
    pub fn what(self) -> &'static str {
        match self {
            Trouble::Unknown => "circuit.unknown",
            Trouble::Complaints => "circuit.complaints",
            Trouble::Spam => "circuit.spam",
        }
    }

    /// Behind a number.
    fn sentence(self) -> &'static str {
        match self {
            Trouble::Unknown => "do not exist",
            Trouble::Complaints => "complained",
            Trouble::Spam => "were refused as spam",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub since: Timestamp,
    pub sent: u64,
    pub unknown: u64,
    pub complaints: u64,
    pub spam: u64,
    /// Not written down since it changed.
    pub changed: bool,
}

impl Slice {
    pub fn of(&self, trouble: Trouble) -> u64 {
        match trouble {
            Trouble::Unknown => self.unknown,
            Trouble::Complaints => self.complaints,
            Trouble::Spam => self.spam,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Oldest first.
    pub slices: VecDeque<Slice>,
    examples: [Vec<String>; 3],
}

impl Window {
    /// Counts, and says which trouble is too much because of it, in words.
    pub fn count(
        &mut self,
        told: Told,
        example: impl FnOnce() -> String,
        now: Timestamp,
        settings: &CircuitSettings,
    ) -> Option<(Trouble, String)> {
        let slice = self.slice(now, settings);
        slice.changed = true;
        let trouble = match told {
            Told::Sent => None,
            Told::SentToUnknown | Told::LaterUnknown => Some(Trouble::Unknown),
            Told::SentAsSpam => Some(Trouble::Spam),
            Told::Complaint => Some(Trouble::Complaints),
        };
        slice.sent += u64::from(!matches!(told, Told::LaterUnknown | Told::Complaint));
        match trouble? {
            Trouble::Unknown => slice.unknown += 1,
            Trouble::Complaints => slice.complaints += 1,
            Trouble::Spam => slice.spam += 1,
        }
        let trouble = trouble?;
        let examples = &mut self.examples[trouble as usize];
        if examples.len() < EXAMPLES {
            examples.push(example());
        }
        self.is_too_much(trouble, settings).then(|| (trouble, self.words(trouble)))
    }

    /// Counts from nothing; slices that were written down become empty ones.
    pub fn forget(&mut self) {
        for s in &mut self.slices {
            *s = Slice { since: s.since, sent: 0, unknown: 0, complaints: 0, spam: 0, changed: true };
        }
        self.examples = Default::default();
    }

    fn slice(&mut self, now: Timestamp, settings: &CircuitSettings) -> &mut Slice {
        let length =
            i64::try_from(settings.window.as_millis()).unwrap_or(i64::MAX).max(i64::from(SLICES)) / i64::from(SLICES);
        let since = Timestamp(now.0.div_euclid(length) * length);
        let oldest = now - settings.window;
        while self.slices.front().is_some_and(|s| s.since < oldest) {
            self.slices.pop_front();
        }
        // A clock that is set back goes on in the newest slice.
        if self.slices.back().is_none_or(|last| last.since < since) {
            self.slices.push_back(Slice { since, sent: 0, unknown: 0, complaints: 0, spam: 0, changed: true });
        }
        let last = self.slices.len() - 1;
        &mut self.slices[last]
    }

    fn sum(&self, of: impl Fn(&Slice) -> u64) -> u64 {
        self.slices.iter().map(of).sum()
    }

    fn is_too_much(&self, trouble: Trouble, settings: &CircuitSettings) -> bool {
        let most = match trouble {
            Trouble::Unknown => settings.unknown,
            Trouble::Complaints => settings.complaints,
            Trouble::Spam => settings.spam,
        };
        let (bad, sent) = (self.sum(|s| s.of(trouble)), self.sum(|s| s.sent));
        most > 0 && bad >= FEWEST && bad * 1000 > most * sent.max(settings.least)
    }

    fn words(&self, trouble: Trouble) -> String {
        let (bad, sent) = (self.sum(|s| s.of(trouble)), self.sum(|s| s.sent));
        let examples = self.examples[trouble as usize].join("; ");
        format!("{bad} of {sent} recipients {}: {examples}", trouble.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_795_485_950_000);
    const HOUR: Duration = Duration::from_secs(3600);

    /// Counts `each` in turn `times`; returns after how many something opened.
    fn opens(window: &mut Window, each: &[Told], times: u64, at: Timestamp) -> Option<(u64, Trouble)> {
        let settings = CircuitSettings::default();
        for n in 1..=times {
            for told in each {
                if let Some((trouble, _)) = window.count(*told, || "ann@a.test".into(), at, &settings) {
                    return Some((n, trouble));
                }
            }
        }
        None
    }

    #[test]
    fn a_good_list_goes_on_and_a_bad_one_is_stopped_early() {
        use Told::{Complaint, LaterUnknown, Sent, SentAsSpam, SentToUnknown};
        let check = |each: &[Told], expected: Option<(u64, Trouble)>| {
            assert_eq!(opens(&mut Window::default(), each, 2000, START), expected, "{each:?}");
        };
        // One in thirty does not exist: 3 %.
        let mut some = vec![Sent; 29];
        some.push(SentToUnknown);
        check(&some, None);
        // All of them: after the eleventh, as if 200 had been sent.
        check(&[SentToUnknown], Some((11, Trouble::Unknown)));
        check(&[Sent, LaterUnknown], Some((11, Trouble::Unknown)));
        check(&[SentAsSpam], Some((11, Trouble::Spam)));
        let mut few = vec![Sent; 400];
        few.push(Complaint);
        check(&few, None);
        check(&[Sent, Sent, Complaint], Some((3, Trouble::Complaints)));
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = Window::default();
        assert_eq!(opens(&mut window, &[Told::SentToUnknown], 10, START), None);
        assert_eq!(opens(&mut window, &[Told::SentToUnknown], 10, START + 26 * HOUR), None);
        assert_eq!(opens(&mut window, &[Told::SentToUnknown], 1, START + 27 * HOUR), Some((1, Trouble::Unknown)));
        assert!(window.slices.len() <= SLICES as usize + 1);
    }

    #[test]
    fn it_is_told_with_numbers_and_examples() {
        let settings = CircuitSettings { least: 1, ..CircuitSettings::default() };
        let mut window = Window::default();
        let mut said = None;
        for n in 1..=3 {
            said = window.count(Told::SentToUnknown, || format!("p{n}@a.test"), START, &settings);
        }
        assert_eq!(said.unwrap().1, "3 of 3 recipients do not exist: p1@a.test; p2@a.test; p3@a.test");
    }
}
