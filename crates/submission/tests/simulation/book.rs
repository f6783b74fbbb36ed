//! The book: what was promised about each recipient, what the receivers saw, and the rules
//! that both have to agree with. It is written by everybody and believes nobody: the works'
//! events are one witness, the receivers another, the disk the third.
//!
//! A rule that is broken is written down with the time and told at the end, all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use repute_testkit::TokioClock;
use repute_types::event::{self, EventSink};
use repute_types::{EnhancedCode, Event, EventKind, MessageId, Notify, Timestamp, Verdict};
use tokio::sync::mpsc;

use super::site::TURNED_AWAY;

/// How long after a jump of the clock what is too old by it may be tried, and the time in which the jump is found.
const TO_BE_TRIED: Duration = Duration::from_secs(11 * 60);

const EXPIRED: EnhancedCode = EnhancedCode(5, 4, 7);

/// Where a crash may be aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Moment {
    Committed,
    Settled,
    Taken,
}

pub const MOMENTS: [Moment; 3] = [Moment::Committed, Moment::Settled, Moment::Taken];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// The client has asked and not heard.
    Offered,
    Accepted,
    Refused,
    /// The works ended before they answered: both are right.
    Unknown,
}

/// A message at a receiver, for one recipient.
#[derive(Clone, Copy, Debug)]
struct Take {
    life: u32,
    /// Whether the 250 went out.
    answered: bool,
}

/// All about one recipient; each recipient belongs to one message alone.
#[derive(Debug)]
struct Line {
    promise: Promise,
    message: Option<MessageId>,
    notify: Notify,
    /// Not for messages from the null sender.
    has_sender: bool,
    /// The receiver promised to tell of success by itself.
    relay_tells: bool,
    expires: Timestamp,
    not_before: Timestamp,
    takes: Vec<Take>,
    /// On disk it is done.
    gone: bool,
    /// The life in which it was said to be done, and how.
    last_word: Option<(u32, Verdict)>,
    held: bool,
    /// A crash on a full disk lost what was said of it: notices may have been sent twice.
    told_again: bool,
    attempts: u32,
    /// Message-IDs of notices, by action.
    notices: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Default)]
struct Pages {
    lines: BTreeMap<String, Line>,
    life: u32,
    /// The lives that ended in a crash.
    crashed: BTreeSet<u32>,
    broken: Vec<String>,
    /// What each notice is about.
    notices: BTreeMap<MessageId, MessageId>,
    /// Messages of which a notice expired itself: the works were down for longer than it lives.
    untold: BTreeSet<MessageId>,
    seen: BTreeMap<Moment, u32>,
    aimed: Option<(Moment, u32, Duration)>,
    crash: Option<mpsc::UnboundedSender<Duration>>,
    /// When the machine's clock was set, and by how many milliseconds.
    sets: Vec<(Timestamp, i64)>,
    /// What clients heard over SMTP; of the sums, only those are kept here that no line tells.
    heard: Sums,
    /// Everything that happened, for comparing one run with its replay.
    trace: u64,
}

pub struct Book {
    clock: TokioClock,
    pages: Mutex<Pages>,
}

/// What a day came to.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub struct Sums {
    pub accepted: usize,
    pub refused: usize,
    pub delivered: usize,
    pub failed: usize,
    pub twice: usize,
    pub attempts: u32,
    pub notices: usize,
    /// Messages said over SMTP and not answered; said, and refused; not said to their end.
    pub unanswered: u32,
    pub turned_down: u32,
    pub broken_off: u32,
    pub trace: u64,
}

impl Book {
    pub fn new(clock: TokioClock) -> Book {
        Book { clock, pages: Mutex::default() }
    }

    fn write<T>(&self, with: impl FnOnce(&mut Pages, Timestamp) -> T) -> T {
        with(&mut self.pages.lock().unwrap(), self.clock.steady())
    }

    // ---- what the driver writes ----

    pub fn offer(&self, address: &str, notify: Notify, has_sender: bool, expires: Timestamp) {
        self.write(|pages, _| {
            let line = Line {
                promise: Promise::Offered,
                message: None,
                notify,
                has_sender,
                relay_tells: false,
                expires,
                not_before: Timestamp(0),
                takes: Vec::new(),
                gone: false,
                last_word: None,
                held: false,
                told_again: false,
                attempts: 0,
                notices: BTreeMap::new(),
            };
            pages.lines.insert(address.to_owned(), line);
        });
    }

    pub fn promised(&self, address: &str, promise: Promise) {
        self.write(|pages, _| pages.line(address).promise = promise);
    }

    /// The last of the message was said: it expires so long after it.
    pub fn handed_over(&self, addresses: &[String], expires: Timestamp) {
        self.write(|pages, _| addresses.iter().for_each(|address| pages.line(address).expires = expires));
    }

    /// A client counts what it heard.
    pub fn heard(&self, count: impl FnOnce(&mut Sums)) {
        self.write(|pages, _| count(&mut pages.heard));
    }

    /// Another life of the works begins; how the one before ended.
    pub fn new_life(&self, by_crash: bool) {
        self.write(|pages, _| {
            let ended = pages.life;
            if by_crash {
                pages.crashed.insert(ended);
            }
            pages.life += 1;
            for line in pages.lines.values_mut() {
                // Times that were not on disk are forgotten; the disk's are told by `is_due`.
                line.not_before = Timestamp(0);
                line.held = false;
            }
        });
    }

    pub fn life(&self) -> u32 {
        self.pages.lock().unwrap().life
    }

    /// What the disk says at the start of a life, after so many attempts. Where the clock was set back meanwhile, no
    /// wait is longer than the longest that there is.
    pub fn is_due(&self, address: &str, at: Timestamp, attempts: u32, longest: Duration) {
        self.write(|pages, now| {
            let at = pages.steady(at).min(if attempts == 0 { now } else { now + longest });
            if let Some(line) = pages.lines.get_mut(address) {
                line.not_before = at;
            }
        });
    }

    /// The machine's clock is set.
    pub fn clock_set(&self, millis: i64) {
        self.clock.jump(millis);
        self.write(|pages, now| {
            pages.sets.push((now, millis));
            // What is due by the clock may be tried; where it is set back, the works go on as they would have.
            let earlier = millis.max(0);
            pages.lines.values_mut().for_each(|line| line.not_before.0 -= earlier);
        });
    }

    pub fn held(&self, addresses: &[String], held: bool) {
        self.write(|pages, _| {
            for address in addresses {
                if let Some(line) = pages.lines.get_mut(address) {
                    line.held = held;
                    line.not_before = Timestamp(0);
                }
            }
        });
    }

    pub fn may_be_told_again(&self, addresses: &[String]) {
        self.write(|pages, _| {
            for address in addresses {
                if let Some(line) = pages.lines.get_mut(address) {
                    line.told_again = true;
                }
            }
        });
    }

    pub fn is_gone(&self, address: &str) {
        self.write(|pages, _| {
            if let Some(line) = pages.lines.get_mut(address) {
                line.gone = true;
            }
        });
    }

    /// From now on, the n-th such moment says over the channel that it is time to crash.
    pub fn aim(&self, moment: Moment, nth: u32, delay: Duration, tell: mpsc::UnboundedSender<Duration>) {
        self.write(|pages, _| {
            let so_far = pages.seen.get(&moment).copied().unwrap_or(0);
            pages.aimed = Some((moment, so_far + nth, delay));
            pages.crash = Some(tell);
        });
    }

    pub fn moment(&self, moment: Moment) {
        self.write(|pages, _| {
            let seen = pages.seen.entry(moment).or_default();
            *seen += 1;
            if let Some((aimed, nth, delay)) = pages.aimed
                && aimed == moment
                && *seen == nth
            {
                pages.aimed = None;
                // The day may be over; then nobody crashes any more.
                let _ = pages.crash.take().map(|tell| tell.send(delay));
            }
        });
    }

    pub fn breach(&self, what: String) {
        self.write(|pages, now| pages.broken.push(format!("{now} {what}")));
    }

    // ---- what receivers write ----

    /// RCPT was heard, in a transaction that began at `mail_at`: is this the time for it?
    /// `patience` is what this receiver may have kept the attempt waiting before.
    pub fn asked(&self, address: &str, mail_at: Timestamp, patience: Duration) {
        self.write(|pages, now| {
            let life = pages.life;
            let Some(line) = pages.lines.get_mut(address) else {
                return pages.broken.push(format!("{now} {address} was tried and never submitted"));
            };
            line.attempts += 1;
            let mut broken = Vec::new();
            if now < line.not_before {
                broken.push(format!("tried before its time, {}", line.not_before));
            }
            // An attempt that was under way when the clock was set forward may end after its expiry; what waited then has
            // ten minutes to be tried, from the minute on in which that is found.
            let slack = slack(&pages.sets, now, patience);
            let all: i64 = pages.sets.iter().map(|(_, by)| by).sum();
            if mail_at.0 + all > (line.expires + patience).0 + slack {
                broken.push(format!("tried after its expiry, {}", line.expires));
            }
            if line.gone {
                broken.push("tried after it was done on disk".into());
            }
            if line.held {
                broken.push("tried while it was held".into());
            }
            if line.promise == Promise::Refused {
                broken.push("tried, and its client was told that it is not kept".into());
            }
            if let Some((said_in, verdict)) = line.last_word.filter(|(said_in, _)| *said_in == life) {
                broken.push(format!("tried again in life {said_in}, in which it was {}", verdict.as_str()));
            }
            if line.takes.last().is_some_and(|take| take.life == life && take.answered) {
                broken.push("tried again after a 250 that was not followed by a crash".into());
            }
            pages.broken.extend(broken.into_iter().map(|what| format!("{now} {address} was {what}")));
        });
    }

    /// The final dot was heard. Returns a number by which `answered` names it.
    pub fn taken(&self, address: &str, relay_tells: bool) {
        self.write(|pages, now| {
            pages.mix(now, address, 1);
            let life = pages.life;
            if let Some(line) = pages.lines.get_mut(address) {
                line.relay_tells = relay_tells;
                line.takes.push(Take { life, answered: false });
            }
        });
        self.moment(Moment::Taken);
    }

    /// The 250 after the last `taken` of this recipient went out.
    pub fn answered(&self, address: &str, life: u32) {
        self.write(|pages, _| {
            let take = pages.lines.get_mut(address).and_then(|line| line.takes.last_mut());
            if let Some(take) = take.filter(|take| take.life == life) {
                take.answered = true;
            }
        });
    }

    /// The submitter's own server has a notice.
    pub fn notice(&self, header_id: &str, action: &str, about: &str) {
        self.write(|pages, now| match pages.lines.get_mut(about) {
            Some(line) => drop(line.notices.entry(action.to_owned()).or_default().insert(header_id.to_owned())),
            None => pages.broken.push(format!("{now} a notice about {about}, which was never submitted")),
        });
    }

    // ---- the judgement ----

    /// All rules that can only be looked at when everything is over. Empties the list.
    pub fn judge(&self) -> (Sums, Vec<String>) {
        let mut pages = self.pages.lock().unwrap();
        let mut broken = std::mem::take(&mut pages.broken);
        let mut sums = Sums { trace: pages.trace, ..pages.heard };
        for (address, line) in &pages.lines {
            line.count(&mut sums);
            broken.extend(line.faults(&pages).into_iter().map(|what| format!("at the end: {address} {what}")));
        }
        (sums, broken)
    }
}

/// By how many milliseconds after its expiry something may be tried: what the clock was set forward by not long ago, and the
/// time in which that is found and what is too old by it is tried. A jump that comes in the time of another makes it longer.
fn slack(sets: &[(Timestamp, i64)], now: Timestamp, patience: Duration) -> i64 {
    let (mut slack, mut until) = (0, now);
    for (at, by) in sets.iter().rev() {
        if until.since(*at) > patience + TO_BE_TRIED {
            break;
        }
        (slack, until) = (slack + by.max(&0), *at);
    }
    if slack > 0 { slack + TO_BE_TRIED.as_millis() as i64 } else { 0 }
}

impl Pages {
    fn line(&mut self, address: &str) -> &mut Line {
        self.lines.get_mut(address).unwrap_or_else(|| panic!("{address} was never offered"))
    }

    fn mix(&mut self, now: Timestamp, what: &str, kind: u64) {
        for octet in what.bytes().map(u64::from).chain([now.millis() as u64, kind]) {
            self.trace = (self.trace ^ octet).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
        }
    }

    fn event(&mut self, event: &Event) {
        let (part, recipient, outcome, next_attempt) = match &event.kind {
            EventKind::Settled(event::Settled { part, recipient, outcome, next_attempt, .. }) => {
                (part, recipient, outcome, next_attempt)
            }
            EventKind::Noticed { about, notice, .. } => {
                self.notices.insert(*notice, *about);
                return;
            }
            _ => return,
        };
        if let Some(about) = self.notices.get(&part.message).filter(|_| outcome.verdict == Verdict::Failed) {
            self.untold.insert(*about);
        }
        let address = recipient.to_string();
        let is_final = outcome.verdict == Verdict::Failed && outcome.status != EXPIRED;
        if is_final && outcome.reply.as_ref().is_some_and(|reply| TURNED_AWAY.ends_with(&*reply.text())) {
            self.broken.push(format!("{} {address} failed for our address, and another is welcome", event.at));
        }
        self.mix(event.at, &address, 2 + outcome.verdict as u64);
        let life = self.life;
        let next = self.next_attempt(next_attempt.unwrap_or_default(), event.at);
        // A notice's own recipient is in no line.
        let Some(line) = self.lines.get_mut(&address) else { return };
        line.message = Some(part.message);
        match next_attempt {
            Some(_) => line.not_before = next,
            None => line.last_word = Some((life, outcome.verdict)),
        }
    }
}

impl Pages {
    /// A time of the machine's clock as it is set now, by one that nobody sets.
    fn steady(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0 - self.sets.iter().map(|(_, by)| by).sum::<i64>())
    }

    /// That the clock was set back is noticed within a minute; what was put off in it may be tried earlier by as much.
    fn next_attempt(&self, next: Timestamp, now: Timestamp) -> Timestamp {
        let (set_at, by) = self.sets.last().copied().unwrap_or_default();
        let unnoticed = by < 0 && self.steady(now).since(set_at) <= Duration::from_secs(61);
        Timestamp(self.steady(next).0 + if unnoticed { by } else { 0 })
    }
}

impl Line {
    fn notices(&self, action: &str) -> usize {
        self.notices.get(action).map_or(0, BTreeSet::len)
    }

    fn was_delivered(&self) -> bool {
        self.takes.iter().any(|take| take.answered)
    }

    fn count(&self, sums: &mut Sums) {
        match self.promise {
            Promise::Accepted => sums.accepted += 1,
            Promise::Refused => sums.refused += 1,
            Promise::Offered | Promise::Unknown => {}
        }
        sums.delivered += usize::from(self.was_delivered());
        sums.failed += usize::from(self.last_word.is_some_and(|(_, verdict)| verdict == Verdict::Failed));
        sums.twice += self.takes.len().saturating_sub(1);
        sums.attempts += self.attempts;
        sums.notices += self.notices.values().map(BTreeSet::len).sum::<usize>();
    }

    fn faults(&self, pages: &Pages) -> Vec<String> {
        let mut faults = Vec::new();
        let failed = matches!(self.last_word, Some((_, Verdict::Failed)));
        if self.promise == Promise::Offered {
            faults.push("was offered and its client never heard".to_owned());
        }
        if self.promise == Promise::Accepted && !self.gone {
            faults.push(format!("is still on disk or was lost: {self:?}"));
        }
        if self.promise == Promise::Accepted && !self.was_delivered() && !failed {
            faults.push(format!("was accepted, and neither delivered nor failed: {self:?}"));
        }
        let told = self.notices("failed");
        let wanted = usize::from(failed && self.gone && self.has_sender && self.notify.on_failure());
        let may_lack = self.message.is_some_and(|message| pages.untold.contains(&message));
        let (least, most) = (if may_lack { 0 } else { wanted }, if self.told_again { usize::MAX } else { wanted });
        if told < least || told > most {
            faults.push(format!("had {told} failure notices and not {wanted}: {self:?}"));
        }
        let could_be_known =
            self.takes.iter().filter(|take| take.answered).all(|take| !pages.crashed.contains(&take.life));
        if failed && self.was_delivered() && could_be_known {
            faults.push(format!("was delivered, and its sender told that it failed: {self:?}"));
        }
        let delays = self.notices("delayed");
        if (delays > 1 && !self.told_again) || (delays == 1 && !(self.has_sender && self.notify.on_delay())) {
            faults.push(format!("had {delays} notices of delay: {self:?}"));
        }
        let relays = self.notices("relayed");
        let relay_owed = self.promise == Promise::Accepted && !failed && self.has_sender && self.notify.on_success();
        if relay_owed && !self.relay_tells && relays == 0 && !may_lack {
            faults.push(format!("asked for a notice of success and had none: {self:?}"));
        }
        faults
    }
}

/// The events of one life; what comes after its end is nobody's.
pub struct Witness {
    pub book: std::sync::Arc<Book>,
    pub life: u32,
}

impl EventSink for Witness {
    fn emit(&self, event: Event) {
        self.book.write(|pages, _| {
            if pages.life == self.life {
                pages.event(&event);
            }
        });
    }
}
