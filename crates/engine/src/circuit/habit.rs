//! What an account is used to, and what is too much of strangers, pure.
//!
//! A habit is learnt in days: the recipients of the busiest hour, and those of the day. The largest of [`DAYS`] days
//! count, without those of the last [`RIPE`] days: a thief who raises the level by night has to do so for a week. What a
//! person said was meant counts at once. The hour and the day slide: what came in the one before counts by the share of it
//! that still lies within.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use repute_ledger::LearntAccount;
use repute_types::{Address, Timestamp};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// What is older is no habit any more: longer than a quarter of a year, so that a quarterly letter is one.
const DAYS: i64 = 91;
/// What is younger is not yet a habit.
const RIPE: i64 = 7;
/// For how long an account or a server is new.
pub(crate) const NEW: Duration = Duration::from_secs(14 * 24 * 3600);
/// On how many days an account has sent before it has a habit.
const NEW_DAYS: u32 = 7;
/// So many times what is never too much within an hour is never too much within a day.
const DAY_LEAST: u64 = 5;
/// Strangers that an incident names.
const EXAMPLES: usize = 5;

/// Days before this one are not needed any more.
pub(crate) fn oldest(now: Timestamp) -> i64 {
    now.day() - DAYS
}

/// What is too much for one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How many times its habit; 0 holds nothing.
    pub factor: u64,
    /// Strangers within an hour that are never too much.
    pub least: u64,
    /// The server learns, and holds nothing.
    pub learns: bool,
}

/// Recipients within an hour and within a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub hour: u64,
    pub day: u64,
}

impl Level {
    fn raise(&mut self, day: &Day) {
        self.hour = self.hour.max(day.busiest.into());
        self.day = self.day.max(day.recipients.into());
    }
}

/// What came within the hour or day until now.
#[derive(Clone, Copy, Debug, Default)]
struct Slide {
    slot: i64,
    now: u32,
    before: u32,
}

impl Slide {
    fn add(&mut self, n: u32, at: Timestamp, length: i64) {
        self.turn(at, length);
        self.now = self.now.saturating_add(n);
    }

    fn turn(&mut self, at: Timestamp, length: i64) {
        let slot = at.0.div_euclid(length);
        // A clock that is set back goes on in the newest.
        if slot > self.slot {
            self.before = if slot == self.slot + 1 { self.now } else { 0 };
            (self.slot, self.now) = (slot, 0);
        }
    }

    fn sum(&self, at: Timestamp, length: i64) -> u64 {
        let slot = at.0.div_euclid(length).max(self.slot);
        let left = (length - at.0.rem_euclid(length)) as u64;
        let part = |n: u32| u64::from(n) * left / length as u64;
        match slot - self.slot {
            0 => u64::from(self.now) + part(self.before),
            1 => part(self.now),
            _ => 0,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Day {
    /// Since 1970, UTC.
    pub day: i64,
    pub busiest: u32,
    pub recipients: u32,
    pub strangers: u32,
    pub meant: bool,
    /// Not written down since it changed.
    pub changed: bool,
}

#[derive(Debug)]
pub(crate) struct Habit {
    pub since: Timestamp,
    pub last: Timestamp,
    /// Different days on which it sent.
    pub days_sent: u32,
    pub meant_until: Timestamp,
    /// Oldest first; the last may be today.
    pub days: VecDeque<Day>,
    pub changed: bool,
    level: Level,
    strangers: Slide,
    strangers_day: Slide,
    recipients: Slide,
    examples: Vec<String>,
}

impl Habit {
    pub fn new(now: Timestamp) -> Habit {
        Habit {
            since: now,
            last: now,
            days_sent: 0,
            meant_until: Timestamp(0),
            days: VecDeque::new(),
            changed: true,
            level: Level::default(),
            strangers: Slide::default(),
            strangers_day: Slide::default(),
            recipients: Slide::default(),
            examples: Vec::new(),
        }
    }

    /// As it was at the last stop; the hour is forgotten, the day is not.
    pub fn restored(learnt: &LearntAccount, days: VecDeque<Day>) -> Habit {
        let mut habit = Habit {
            last: learnt.last,
            days_sent: learnt.days,
            meant_until: learnt.meant_until,
            days,
            changed: false,
            ..Habit::new(learnt.since)
        };
        if let Some(last) = habit.days.back().copied() {
            let before = habit.days.iter().rev().nth(1).filter(|d| d.day == last.day - 1).map_or(0, |d| d.strangers);
            habit.strangers_day = Slide { slot: last.day, now: last.strangers, before };
            habit.level = habit.learnt(last.day);
        }
        habit
    }

    /// What has become a habit until a day.
    fn learnt(&self, today: i64) -> Level {
        let mut level = Level::default();
        self.days.iter().filter(|d| d.meant || d.day <= today - RIPE).for_each(|day| level.raise(day));
        level
    }

    pub fn is_new(&self, now: Timestamp) -> bool {
        self.days_sent < NEW_DAYS || now < self.since + NEW
    }

    pub fn is_meant(&self, now: Timestamp) -> bool {
        now < self.meant_until
    }

    pub fn level(&self) -> Level {
        self.level
    }

    /// Strangers within the last hour and day.
    pub fn strangers(&self, now: Timestamp) -> Level {
        Level { hour: self.strangers.sum(now, HOUR), day: self.strangers_day.sum(now, DAY) }
    }

    /// More strangers than this are too much.
    pub fn bounds(&self, now: Timestamp, terms: Terms) -> Level {
        let least = Level { hour: terms.least, day: terms.least.saturating_mul(DAY_LEAST) };
        let level = if self.is_new(now) { least } else { self.level };
        let bound = |habit: u64, least: u64| habit.saturating_mul(terms.factor).max(least);
        Level { hour: bound(level.hour, least.hour), day: bound(level.day, least.day) }
    }

    /// Counts recipients of one message and those of them that are strangers, and says in words if that is too much.
    pub fn count(
        &mut self,
        recipients: u32,
        strangers: &[&Address],
        from: Option<IpAddr>,
        now: Timestamp,
        terms: Terms,
    ) -> Option<String> {
        let unknown = u32::try_from(strangers.len()).unwrap_or(u32::MAX);
        self.learn(recipients, unknown, now);
        if terms.factor == 0 || terms.learns || self.is_meant(now) {
            return None;
        }
        let (count, bounds) = (self.strangers(now), self.bounds(now, terms));
        // Examples are kept where it may soon be needed to name some.
        if count.hour * 2 <= bounds.hour && count.day * 2 <= bounds.day {
            self.examples.clear();
            return None;
        }
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(strangers.iter().take(room).map(|address| match from {
            Some(ip) => format!("{address} (handed in from {ip})"),
            None => address.to_string(),
        }));
        let words = |count: u64, bound: u64, habit: u64, within: &str| {
            let habit = match self.is_new(now) {
                true => "the account is new".to_owned(),
                false => format!("its habit is {habit} recipients in its busiest {within}"),
            };
            format!(
                "{count} recipients within one {within} to whom it never wrote before; {habit}, and {bound} strangers are not \
                 too much: {}",
                self.examples.join("; ")
            )
        };
        if count.hour > bounds.hour {
            return Some(words(count.hour, bounds.hour, self.level.hour, "hour"));
        }
        (count.day > bounds.day).then(|| words(count.day, bounds.day, self.level.day, "day"))
    }

    fn learn(&mut self, recipients: u32, strangers: u32, now: Timestamp) {
        self.recipients.add(recipients, now, HOUR);
        self.strangers.add(strangers, now, HOUR);
        self.strangers_day.add(strangers, now, DAY);
        self.last = self.last.max(now);
        self.changed = true;
        let busiest = u32::try_from(self.recipients.sum(now, HOUR)).unwrap_or(u32::MAX);
        let meant = self.is_meant(now);
        let today = self.today(now);
        today.busiest = today.busiest.max(busiest);
        today.recipients = today.recipients.saturating_add(recipients);
        today.strangers = today.strangers.saturating_add(strangers);
        today.meant |= meant;
        today.changed = true;
        let today = *today;
        if today.meant {
            self.level.raise(&today);
        }
    }

    fn today(&mut self, now: Timestamp) -> &mut Day {
        let day = now.day();
        if self.days.back().is_none_or(|last| last.day < day) {
            self.days.push_back(Day { day, ..Day::default() });
            self.days_sent = self.days_sent.saturating_add(1);
            while self.days.front().is_some_and(|first| first.day < day - DAYS) {
                self.days.pop_front();
            }
            self.level = self.learnt(day);
        }
        let last = self.days.len() - 1;
        &mut self.days[last]
    }

    /// Much is meant to come until then; what came today was meant, too.
    pub fn mean(&mut self, until: Timestamp, now: Timestamp) {
        self.meant_until = self.meant_until.max(until);
        self.changed = true;
        self.examples.clear();
        let day = now.day();
        if let Some(today) = self.days.back_mut().filter(|last| last.day == day) {
            (today.meant, today.changed) = (true, true);
            let today = *today;
            self.level.raise(&today);
        }
    }

    /// What came today and within the last day was not the account's own: it is no habit, and strangers count from nothing.
    pub fn disown(&mut self) {
        (self.strangers, self.strangers_day, self.recipients) = Default::default();
        self.examples.clear();
        for day in self.days.iter_mut().rev().take(2) {
            (day.strangers, day.changed) = (0, true);
        }
        if let Some(last) = self.days.back_mut() {
            *last = Day { day: last.day, changed: true, ..Day::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_795_485_950_000 / DAY * DAY);
    const TERMS: Terms = Terms { factor: 10, least: 300, learns: false };

    fn name() -> Address {
        Address::parse("q@b.test").unwrap()
    }

    fn at(days: i64, hours: i64) -> Timestamp {
        Timestamp(START.0 + days * DAY + hours * HOUR)
    }

    /// Counts recipients one by one, of whom the first so many are strangers; after how many it was too much.
    fn send(habit: &mut Habit, recipients: u32, strangers: u32, when: Timestamp) -> Option<u32> {
        let name = name();
        (1..=recipients).find(|n| {
            let strangers = if *n <= strangers { vec![&name] } else { Vec::new() };
            habit.count(1, &strangers, None, when, TERMS).is_some()
        })
    }

    /// A month of days with so many recipients at noon, of whom a third are strangers.
    fn month(each: impl Fn(i64) -> u32) -> Habit {
        let mut habit = Habit::new(START);
        for day in 0..30 {
            let n = each(day);
            assert_eq!(send(&mut habit, n, n / 3, at(day, 12)), None, "day {day}");
        }
        habit
    }

    #[test]
    fn a_thief_is_stopped_at_the_least_or_at_ten_times_the_habit() {
        assert_eq!(send(&mut month(|_| 20), 5000, 5000, at(30, 3)), Some(301));
        // What is left of the strangers of the day before counts within the day.
        assert_eq!(send(&mut month(|_| 150), 5000, 5000, at(30, 3)), Some(1501 - 50 * 21 / 24));
        // Known people are none of his.
        assert_eq!(send(&mut month(|_| 20), 5000, 0, at(30, 3)), None);
    }

    #[test]
    fn a_patient_thief_is_stopped_by_the_day_and_teaches_no_habit_within_a_week() {
        let mut habit = month(|_| 20);
        let hours = (0..24).find(|hour| send(&mut habit, 140, 140, at(30, *hour)).is_some());
        assert_eq!(hours, Some(10), "1,501 in the eleventh hour");
        habit.disown();
        // Below the bound of the day, night after night.
        for night in 31..37 {
            assert_eq!(send(&mut habit, 290, 290, at(night, 3)), None);
        }
        assert_eq!(send(&mut habit, 5000, 5000, at(37, 3)), Some(301));
    }

    #[test]
    fn whoever_grows_is_not_stopped() {
        // Twice as much each week, for five weeks.
        let grown = month(|day| 300 << (day / 7));
        assert_eq!(grown.level().hour, 2400, "a week behind 4,800, of whom 1,600 were strangers");
    }

    #[test]
    fn a_weekly_letter_is_not_stopped_at_its_second_issue_nor_a_quarterly_one() {
        let mut habit = Habit::new(START);
        let learns = Terms { learns: true, ..TERMS };
        let name = name();
        let all = vec![&name; 20_000];
        assert_eq!(habit.count(20_000, &all, None, START, learns), None, "the server is new");
        for week in 1..10 {
            assert_eq!(habit.count(22_000, &all[..2000], None, at(7 * week, 9), TERMS), None, "issue {week}");
        }
        assert!(!habit.is_new(at(70, 0)));
        assert_eq!(habit.count(25_000, &all[..5000], None, at(7 * 9 + 90, 9), TERMS), None);
    }

    #[test]
    fn a_new_account_has_an_allowance() {
        let mut habit = Habit::new(START);
        assert_eq!(send(&mut habit, 3000, 3000, at(0, 1)), None);
        assert_eq!(send(&mut habit, 1, 1, at(0, 1)), Some(1));
    }

    #[test]
    fn what_a_person_means_goes_on_and_is_habit_at_once_and_what_is_disowned_is_not() {
        let mut habit = month(|_| 20);
        assert_eq!(send(&mut habit, 5000, 5000, at(30, 3)), Some(301));
        habit.mean(at(31, 3), at(30, 3));
        assert_eq!(send(&mut habit, 5000, 5000, at(30, 4)), None);
        assert_eq!(send(&mut habit, 5000, 5000, at(31, 5)), None, "ten times what was meant");
        let mut habit = month(|_| 20);
        send(&mut habit, 301, 301, at(30, 3));
        habit.disown();
        assert_eq!(habit.strangers(at(30, 3)), Level::default());
        assert_eq!(send(&mut habit, 5000, 5000, at(40, 3)), Some(301));
    }

    #[test]
    fn it_says_who_how_many_and_from_where() {
        let mut habit = month(|_| 20);
        let from = Some("198.51.100.7".parse().unwrap());
        let name = name();
        let all = vec![&name; 301];
        let said = habit.count(301, &all, from, at(30, 3), TERMS).unwrap();
        let begins = "301 recipients within one hour to whom it never wrote before; its habit is 20 recipients in its busiest \
                      hour, and 300 strangers are not too much: q@b.test (handed in from 198.51.100.7); q@";
        assert!(said.starts_with(begins), "{said}");
    }

    #[test]
    fn it_is_the_same_after_a_restart() {
        let mut habit = month(|_| 150);
        let days = habit.days.clone();
        let learnt = LearntAccount {
            account: "shop".into(),
            since: habit.since,
            last: habit.last,
            days: habit.days_sent,
            meant_until: habit.meant_until,
            first_layer: 0,
        };
        let mut again = Habit::restored(&learnt, days);
        assert_eq!(again.level(), habit.level());
        assert_eq!(send(&mut again, 5000, 5000, at(30, 3)), send(&mut habit, 5000, 5000, at(30, 3)));
    }
}
