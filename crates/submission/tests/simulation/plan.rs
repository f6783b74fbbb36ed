//! What a seed decides before a day begins: who the receivers are, what is submitted when, and
//! what breaks.

use std::time::Duration;

use repute_net::ConnectKind;
use repute_types::{Notify, Random, SeededRandom, Timestamp};

use super::book::{MOMENTS, Moment};
use super::client::{Ends, Login, Manner};
use super::site::{Habit, Will};
use super::text::Text;

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub sites: usize,
    pub messages: usize,
    /// In which the messages come in.
    pub day: Duration,
    /// After which a message is given up.
    pub expire: Duration,
    pub faults: usize,
    /// Sessions to all sites at most; few, so that the bound is met.
    pub sessions: u32,
}

#[derive(Clone, Debug)]
pub struct Letter {
    pub tag: usize,
    pub at: Duration,
    pub bulk: bool,
    pub null_sender: bool,
    /// Index of the site, users there.
    pub to: Vec<(usize, usize)>,
    pub notify: Notify,
    /// Lines of text.
    pub lines: usize,
    /// How it is submitted over SMTP; `None` is straight through the door, as HTTP and programs of this machine do.
    pub manner: Option<Manner>,
}

impl Letter {
    /// Its recipients in the n-th round; no two rounds share one, so that each has its own answer.
    pub fn addresses(&self, round: u32) -> Vec<String> {
        let users = self.to.iter().flat_map(|(site, users)| (0..*users).map(move |user| (site, user)));
        users.map(|(site, user)| format!("u{}r{round}x{user}@{}", self.tag, domain_of(*site))).collect()
    }
}

pub fn domain_of(site: usize) -> String {
    format!("d{site}.test")
}

#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Stops in order and starts again after a while.
    Restart(Duration),
    /// Dies between two instructions, and starts again after a while.
    Crash(Duration),
    /// Dies so long after the n-th of these moments from now on, and starts again at once.
    CrashAt(Moment, u32, Duration),
    DiskFull(Duration),
    DiskUnreadable(Duration),
    DnsSilence(Duration),
    /// The machine's clock is set forward by so many milliseconds, or back.
    ClockSet(i64),
    /// Mail to a site is held for so long.
    Hold(usize, Duration),
}

pub struct Plan {
    pub habits: Vec<Habit>,
    pub letters: Vec<Letter>,
    pub faults: Vec<(Duration, Fault)>,
    pub sync: Duration,
}

struct Dice(SeededRandom);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Clone>(&self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    fn within(&self, most: Duration) -> Duration {
        Duration::from_millis(self.0.below(most.as_millis() as u64 + 1))
    }
}

pub fn plan(seed: u64, size: Size, start: Timestamp) -> Plan {
    let dice = Dice(SeededRandom::new(seed));
    let habits = (0..size.sites).map(|_| habit(&dice, size, start)).collect();
    let mut letters: Vec<_> = (0..size.messages).map(|tag| letter(&dice, size, tag)).collect();
    letters.sort_by_key(|letter| letter.at);
    let mut faults: Vec<_> = (0..size.faults).map(|_| (dice.within(size.day), fault(&dice, size))).collect();
    faults.sort_by_key(|(at, _)| *at);
    Plan { habits, letters, faults, sync: dice.of(&[Duration::from_millis(2), Duration::from_millis(40)]) }
}

fn habit(dice: &Dice, size: Size, start: Timestamp) -> Habit {
    let kinds = [ConnectKind::Refused, ConnectKind::TimedOut, ConnectKind::Unreachable, ConnectKind::Reset];
    let step = dice.below(9) as u32;
    let will = match dice.below(26) {
        0..=4 => Will::Good,
        5 | 6 => Will::Greylists(dice.of(&[MINUTE, 5 * MINUTE, 30 * MINUTE])),
        7 | 8 => Will::Down(dice.of(&kinds)),
        9 | 10 => Will::Says421(step),
        11 | 12 => Will::Leaves(step),
        13 => Will::LeavesInContent,
        14 => Will::Slow(dice.of(&[100 * Duration::from_millis(1), SECOND, MINUTE])),
        15 => Will::Silent,
        16 => Will::RejectsUsers,
        17 => Will::TakesFew(1 + dice.below(5)),
        18 => Will::LosesReply,
        19 => Will::Endless,
        20 => Will::BrokenTls,
        21 => Will::FullBox,
        22 => Will::RefusesContent,
        23 => Will::FewSessions(1 + dice.below(2)),
        _ => Will::TurnsAway(dice.below(2)),
    };
    // One in five never gets better.
    let until = if dice.one_in(5) { size.day + 100 * size.expire } else { dice.within(size.day) };
    Habit {
        will,
        until: start + until,
        pipelining: !dice.one_in(4),
        chunking: dice.one_in(3),
        dsn: dice.one_in(4),
        latency: dice.of(&[Duration::from_millis(1), Duration::from_millis(80), SECOND]),
    }
}

fn letter(dice: &Dice, size: Size, tag: usize) -> Letter {
    // Half of all mail comes in a rush, so that windows matter.
    let at = if dice.one_in(2) { size.day / 3 + dice.within(MINUTE) } else { dice.within(size.day) };
    let mut to = Vec::new();
    for _ in 0..1 + dice.below(4) {
        let users = if dice.one_in(40) { 130 } else { 1 + dice.below(3) };
        to.push((dice.below(size.sites), users));
    }
    to.sort_unstable();
    to.dedup_by_key(|(site, _)| *site);
    let notify = match dice.below(6) {
        0 => Notify::Never,
        1 => Notify::On { success: true, failure: true, delay: true },
        2 => Notify::On { success: true, failure: false, delay: false },
        3 => Notify::On { success: false, failure: true, delay: false },
        _ => Notify::Unsaid,
    };
    let lines = if dice.one_in(20) { 2000 } else { dice.below(20) };
    let manner = (!dice.one_in(5)).then(|| manner(dice));
    Letter { tag, at, bulk: dice.one_in(2), null_sender: dice.one_in(12), to, notify, lines, manner }
}

fn manner(dice: &Dice) -> Manner {
    let step = 1 + dice.below(9) as u32;
    let (port, login) = match dice.below(20) {
        0 => (465, Login::Right),
        1 => (587, Login::Right),
        2 => (587, Login::Wrong),
        3 => (587, Login::Nobody),
        4 => (25, Login::Address),
        _ => (587, Login::Address),
    };
    let ends = match dice.below(12) {
        0 | 1 => Ends::At(step),
        2 => Ends::InContent,
        3 => Ends::BeforeAnswer,
        4 => Ends::Idle(step),
        5 | 6 => Ends::Leaves,
        _ => Ends::Quit,
    };
    let text = match dice.below(20) {
        0 | 1 => Text::BareLf,
        2 | 3 => Text::LongLine,
        4 => Text::Endless,
        _ => Text::Good,
    };
    let pace =
        (dice.one_in(6)).then(|| (1 + dice.below(20), dice.of(&[Duration::from_millis(50), SECOND, 20 * SECOND])));
    Manner {
        port,
        login,
        text,
        chunks: dice.one_in(3),
        pipelining: dice.one_in(2),
        pace,
        ends,
        messages: if dice.one_in(4) { 1 + dice.below(3) as u32 } else { 1 },
        crowd: if dice.one_in(12) { 1 + dice.below(30) as u32 } else { 0 },
    }
}

fn fault(dice: &Dice, size: Size) -> Fault {
    let while_down = dice.of(&[Duration::ZERO, MINUTE, HOUR]);
    match dice.below(14) {
        0 => Fault::Restart(while_down),
        1 => Fault::Crash(while_down),
        // Mail that comes back to life after its time.
        2 if dice.one_in(4) => Fault::Crash(size.expire + HOUR),
        2..=6 => {
            let delay = dice.of(&[0, 1, 3, 50, 99, 101, 150]);
            Fault::CrashAt(dice.of(&MOMENTS), 1 + dice.below(20) as u32, Duration::from_millis(delay))
        }
        7 => Fault::DiskFull(dice.of(&[MINUTE, HOUR])),
        8 => Fault::DiskUnreadable(dice.of(&[MINUTE, HOUR])),
        9 => Fault::DnsSilence(dice.of(&[MINUTE, HOUR])),
        10 | 11 => Fault::ClockSet(dice.of(&[3_600_000, 90_000, -3_600_000, -86_400_000])),
        _ => Fault::Hold(dice.below(size.sites), dice.of(&[MINUTE, 5 * HOUR])),
    }
}
