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
    /// So many in a thousand are not too much yet; 0 where nothing is.
    fn most(&self, trouble: Trouble) -> u64 {
        match trouble {
            Trouble::Unknown => self.unknown,
            Trouble::Complaints => self.complaints,
            Trouble::Spam => self.spam,
        }
    }

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
    LaterSpam,
    Complaint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Trouble {
    Unknown,
    Complaints,
    Spam,
}

impl Trouble {
    pub const fn what(self) -> &'static str {
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
    pub sums: Sums,
    /// Not written down since it changed.
    pub changed: bool,
}

impl Slice {
    fn take(&mut self, gone: Sums) {
        *self = Slice { sums: self.sums.without(gone), changed: true, ..*self };
    }
}

/// What a window or a slice of it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub sent: u64,
    pub unknown: u64,
    pub complaints: u64,
    pub spam: u64,
}

impl Sums {
    pub fn of(&self, trouble: Trouble) -> u64 {
        match trouble {
            Trouble::Unknown => self.unknown,
            Trouble::Complaints => self.complaints,
            Trouble::Spam => self.spam,
        }
    }

    pub fn without(self, other: Sums) -> Sums {
        Sums {
            sent: self.sent.saturating_sub(other.sent),
            unknown: self.unknown.saturating_sub(other.unknown),
            complaints: self.complaints.saturating_sub(other.complaints),
            spam: self.spam.saturating_sub(other.spam),
        }
    }

    pub fn is_too_much(&self, trouble: Trouble, settings: &CircuitSettings) -> bool {
        self.is_beyond(trouble, settings.most(trouble), settings.least)
    }

    /// Whether its share alone is too much, however little was sent.
    pub fn is_bad(&self, trouble: Trouble, settings: &CircuitSettings) -> bool {
        self.is_beyond(trouble, settings.most(trouble), 0)
    }

    fn is_beyond(&self, trouble: Trouble, most: u64, least: u64) -> bool {
        let bad = self.of(trouble);
        most > 0 && bad >= FEWEST && bad * 1000 > most * self.sent.max(least)
    }

    /// The numbers, and examples.
    pub fn words(&self, trouble: Trouble, examples: &[String]) -> String {
        let text = format!("{} of {} recipients {}", self.of(trouble), self.sent, trouble.sentence());
        if examples.is_empty() { text } else { format!("{text}: {}", examples.join("; ")) }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Oldest first.
    pub slices: VecDeque<Slice>,
    examples: [Vec<String>; 3],
}

impl Window {
    /// Counts, and says which trouble it was, if it was one.
    pub fn add(&mut self, told: Told, now: Timestamp, settings: &CircuitSettings) -> Option<Trouble> {
        let slice = self.slice(now, settings);
        slice.changed = true;
        slice.sums.sent += u64::from(matches!(told, Told::Sent | Told::SentToUnknown | Told::SentAsSpam));
        let trouble = match told {
            Told::Sent => return None,
            Told::SentToUnknown | Told::LaterUnknown => Trouble::Unknown,
            Told::SentAsSpam | Told::LaterSpam => Trouble::Spam,
            Told::Complaint => Trouble::Complaints,
        };
        match trouble {
            Trouble::Unknown => slice.sums.unknown += 1,
            Trouble::Complaints => slice.sums.complaints += 1,
            Trouble::Spam => slice.sums.spam += 1,
        }
        Some(trouble)
    }

    /// Keeps an example, of the first few.
    pub fn exemplify(&mut self, trouble: Trouble, example: impl FnOnce() -> String) {
        let examples = &mut self.examples[trouble as usize];
        if examples.len() < EXAMPLES {
            examples.push(example());
        }
    }

    pub fn examples(&self, trouble: Trouble) -> &[String] {
        &self.examples[trouble as usize]
    }

    /// Takes away the examples that another window has, too.
    pub fn leave_to(&mut self, other: &Window) {
        for (mine, others) in self.examples.iter_mut().zip(&other.examples) {
            mine.retain(|example| !others.contains(example));
        }
    }

    /// All that was counted from then on.
    pub fn sums(&self, oldest: Timestamp) -> Sums {
        let add = |all: Sums, Slice { sums, .. }: &Slice| Sums {
            sent: all.sent + sums.sent,
            unknown: all.unknown + sums.unknown,
            complaints: all.complaints + sums.complaints,
            spam: all.spam + sums.spam,
        };
        self.slices.iter().filter(|slice| slice.since >= oldest).fold(Sums::default(), add)
    }

    /// What went wrong so far counts no more, what went well still does. By slice, what was taken away.
    pub fn forgive(&mut self) -> Vec<(Timestamp, Sums)> {
        self.examples = Default::default();
        let forgive = |slice: &mut Slice| {
            // Refusals were counted as sent, too.
            let sent = slice.sums.sent.min(slice.sums.unknown + slice.sums.spam);
            let gone = Sums { sent, ..slice.sums };
            slice.take(gone);
            (slice.since, gone)
        };
        self.slices.iter_mut().map(forgive).collect()
    }

    /// What was forgiven of a part of this mail.
    pub fn take_away(&mut self, gone: &[(Timestamp, Sums)]) {
        for (since, gone) in gone {
            if let Some(slice) = self.slices.iter_mut().find(|slice| slice.since == *since) {
                slice.take(*gone);
            }
        }
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
            self.slices.push_back(Slice { since, sums: Sums::default(), changed: true });
        }
        let last = self.slices.len() - 1;
        &mut self.slices[last]
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
                let trouble = window.add(*told, at, &settings);
                let sums = window.sums(at - settings.window);
                if let Some(trouble) = trouble.filter(|trouble| sums.is_too_much(*trouble, &settings)) {
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
        for n in 1..=9 {
            let trouble = window.add(Told::SentToUnknown, START, &settings).unwrap();
            window.exemplify(trouble, || format!("p{n}@a.test"));
        }
        let said = window.sums(START - HOUR).words(Trouble::Unknown, window.examples(Trouble::Unknown));
        let five = "9 of 9 recipients do not exist: p1@a.test; p2@a.test; p3@a.test; p4@a.test; p5@a.test";
        assert_eq!(said, five);
        assert_eq!(window.sums(START - HOUR).words(Trouble::Spam, &[]), "0 of 9 recipients were refused as spam");
    }

    #[test]
    fn what_is_forgiven_counts_no_more_and_what_went_well_still_does() {
        let (mut window, settings) = (Window::default(), CircuitSettings::default());
        let mut add = |told: Told, times: u64, at: Timestamp| {
            for _ in 0..times {
                window.add(told, at, &settings);
            }
        };
        add(Told::Sent, 950, START);
        add(Told::SentToUnknown, 40, START + HOUR);
        add(Told::LaterUnknown, 20, START + HOUR);
        let before = window.sums(START - HOUR);
        assert!(before.is_too_much(Trouble::Unknown, &settings), "{before:?}");
        let gone = window.forgive();
        let sums = window.sums(START - HOUR);
        assert_eq!((sums.sent, sums.unknown), (950, 0), "a bounce that came later was a delivery in another hour");
        let later = START + HOUR + HOUR;
        assert_eq!(opens(&mut window, &[Told::SentToUnknown], 100, later), Some((51, Trouble::Unknown)), "5 % of all");
        // Of the account's figures the same is taken away.
        let mut account = Window::default();
        for _ in 0..60 {
            account.add(Told::SentToUnknown, START + HOUR, &settings);
        }
        account.take_away(&gone);
        assert_eq!(account.sums(START - HOUR), Sums { sent: 20, ..Sums::default() });
    }
}
