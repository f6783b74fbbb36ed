//! Every outcome has a cause, and the cause decides: what the replies of an attempt mean, and
//! what follows from it for the part's next attempt and for the lane it went by.
//!
//! Promise: a delivered recipient costs nothing; a reply is classified once, also where many
//! recipients got the same one. A receiver's wish is only ever heard where it asks for more
//! patience than our own back-off, with one exception: a receiver that merely wants a new
//! connection gets one soon, [`RECONNECTS`] times.

use std::time::Duration;

use repute_queue::Feedback;
use repute_trust::replies::{self, Action, Class, Fault};
use repute_types::{Cause, Outcome, Timestamp, Verdict};

/// After "go on over a new connection" the next attempt comes this soon, and so often at most:
/// a server that says nothing else is tried by the ordinary back-off.
const RECONNECT_AFTER: Duration = Duration::from_secs(5);
const RECONNECTS: u32 = 3;

/// What one recipient's outcome means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub verdict: Verdict,
    /// `None` for what was delivered, and where no reply was had.
    pub meant: Option<Meant>,
    pub action: Action,
    /// How long the receiver wants us to wait, where that is known.
    pause: Option<Duration>,
}

/// What a reply means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meant {
    rule: &'static str,
    pub class: Class,
    pub fault: Fault,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// When what was deferred is tried again.
    pub next: Timestamp,
    pub feedback: Feedback,
}

/// One reading an outcome, in their order; none at all where everything was delivered.
pub(crate) fn read(outcomes: &[Outcome]) -> Vec<Reading> {
    if outcomes.iter().all(|o| o.verdict == Verdict::Delivered) {
        return Vec::new();
    }
    let mut readings: Vec<Reading> = Vec::with_capacity(outcomes.len());
    for (n, outcome) in outcomes.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| (&outcomes[n], readings[n]));
        readings.push(match before {
            Some((other, reading)) if is_same_answer(other, outcome) => reading,
            _ => read_one(outcome),
        });
    }
    readings
}

fn is_same_answer(a: &Outcome, b: &Outcome) -> bool {
    a.verdict == b.verdict && a.reply == b.reply && a.peer == b.peer
}

fn read_one(outcome: &Outcome) -> Reading {
    let verdict = outcome.verdict;
    let unread = Reading { verdict, meant: None, action: Action::Nothing, pause: None };
    let Some(reply) = outcome.reply.as_ref().filter(|_| verdict != Verdict::Delivered) else { return unread };
    let found = replies::classify(reply, outcome.peer.as_ref().map(|peer| peer.name.as_str()));
    let meant = Meant { rule: found.rule, class: found.class, fault: found.fault };
    Reading { meant: Some(meant), action: found.action, pause: found.pause, ..unread }
}

/// The checks that a receiver's refusal asks for: where it says that our address or our domain is
/// at fault, what is known of them is looked at again.
pub(crate) fn checks(outcomes: &[Outcome], readings: &[Reading]) -> Vec<String> {
    let is_ours =
        |reading: &Reading| reading.meant.is_some_and(|meant| matches!(meant.fault, Fault::Address | Fault::Domain));
    let Some(at) = readings.iter().position(is_ours) else { return Vec::new() };
    let Some(reply) = outcomes.get(at).and_then(|o| o.reply.as_ref()) else { return Vec::new() };
    let host = outcomes[at].peer.as_ref().map(|peer| peer.name.as_str());
    replies::classify(reply, host).checks.into_iter().map(str::to_owned).collect()
}

/// The plan after the `attempt`-th attempt, which ended `now`, with what the receiver asks for.
///
/// What a receiver wants of its whole site counts for the part and for the lane, whether the
/// recipient that heard it was deferred or refused. What it wants of one recipient counts for
/// that one: a part is due when the first of its recipients is.
pub(crate) fn heed(plan: Plan, readings: &[Reading], attempt: u32, now: Timestamp) -> Plan {
    let Plan { mut next, mut feedback } = plan;
    let refused = || readings.iter().filter(|r| r.verdict != Verdict::Delivered);
    let deferred = || readings.iter().filter(|r| r.verdict == Verdict::Deferred);
    let own = deferred().map(|r| r.own_pause()).min().unwrap_or_default();
    next = next.max(now + own);
    if refused().next().is_some() && refused().all(|r| r.action == Action::Reconnect) {
        if feedback == Feedback::PushedBack {
            // 421 ends this connection, and says nothing against the others.
            feedback = Feedback::Reached;
        }
        if attempt <= RECONNECTS {
            next = next.min(now + RECONNECT_AFTER);
        }
    }
    if refused().any(|r| r.action == Action::SlowSite) {
        feedback = feedback.worse(Feedback::PushedBack);
    }
    if let Some(pause) = refused().filter_map(|r| r.site_pause()).max() {
        next = next.max(now + pause);
        feedback = Feedback::ToldToWait(pause);
    }
    Plan { next, feedback }
}

impl Reading {
    /// As events have it.
    pub fn cause(&self) -> Option<Cause> {
        self.meant.map(|Meant { rule, class, fault }| Cause { rule, class: class.as_str(), fault: fault.as_str() })
    }

    /// Whether it is one of those by which an address that warms up goes slower: too much, or not trusted.
    pub fn slows_warm_up(&self) -> bool {
        self.meant
            .is_some_and(|meant| matches!(meant.fault, Fault::Rate | Fault::Address) || meant.class == Class::Content)
    }

    /// Whether it proves a permanent fault of the recipient's own.
    pub fn suppresses(&self) -> bool {
        self.action == Action::Suppress
    }

    fn site_pause(&self) -> Option<Duration> {
        self.pause.filter(|_| matches!(self.action, Action::PauseSite | Action::SlowSite))
    }

    fn own_pause(&self) -> Duration {
        match self.site_pause() {
            Some(_) => Duration::ZERO,
            None => self.pause.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_trust::replies::parse_pasted;
    use repute_types::{Culprit, EnhancedCode, Peer, Stage};

    const NOW: Timestamp = Timestamp(1_000_000_000);
    const BACK_OFF: Duration = Duration::from_secs(150);
    const MINUTE: u64 = 60;

    fn said(host: &str, reply: &str) -> Outcome {
        let outcome = Outcome::from_reply(Stage::Rcpt, parse_pasted(reply).unwrap().reply);
        Outcome { peer: Some(Peer { name: host.into(), address: None, port: 25 }), ..outcome }
    }

    fn delivered() -> Outcome {
        Outcome::from_reply(Stage::Body, repute_types::Reply::new(250, EnhancedCode(2, 0, 0), "ok"))
    }

    fn plan(outcomes: &[Outcome], attempt: u32, feedback: Feedback) -> Plan {
        heed(Plan { next: NOW + BACK_OFF, feedback }, &read(outcomes), attempt, NOW)
    }

    /// The next attempt in seconds from now, and the feedback, where the courier saw `seen`.
    #[track_caller]
    fn check(outcomes: &[Outcome], seen: Feedback, next: u64, feedback: Feedback) {
        let found = plan(outcomes, 1, seen);
        assert_eq!((found.next.since(NOW).as_secs(), found.feedback), (next, feedback));
    }

    const YAHOO: &str = "mta5.am0.yahoodns.net";
    const GOOGLE: &str = "gmail-smtp-in.l.google.com";
    const TSS04: &str = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume";

    #[test]
    fn a_site_that_asks_for_a_pause_gets_it() {
        let two_hours = Duration::from_secs(120 * MINUTE);
        check(&[said(YAHOO, TSS04)], Feedback::PushedBack, 7200, Feedback::ToldToWait(two_hours));
        // Also where it said so instead of a greeting.
        check(&[said(YAHOO, TSS04)], Feedback::Unreachable, 7200, Feedback::ToldToWait(two_hours));
        let ten_minutes = Duration::from_secs(10 * MINUTE);
        let rate = said(GOOGLE, "421 4.7.28 Gmail has detected an unusual rate of mail");
        check(&[rate], Feedback::PushedBack, 600, Feedback::ToldToWait(ten_minutes));
        // Refused for good, this one; the rest of the site's mail shall fare better.
        let refused = said(GOOGLE, "550 5.7.28 Gmail has detected an unusual rate of unsolicited mail");
        check(std::slice::from_ref(&refused), Feedback::Reached, 600, Feedback::ToldToWait(ten_minutes));
        check(&[delivered(), refused], Feedback::Reached, 600, Feedback::ToldToWait(ten_minutes));
    }

    #[test]
    fn a_longer_back_off_stays_as_it_is() {
        let long = Plan { next: NOW + Duration::from_secs(4 * 3600), feedback: Feedback::Reached };
        assert_eq!(heed(long, &read(&[said(YAHOO, TSS04)]), 8, NOW).next, long.next);
    }

    #[test]
    fn a_greylist_leaves_the_ordinary_back_off() {
        let grey = said("mx.example.net", "451 4.7.1 Greylisted, come back in a while");
        check(&[grey], Feedback::Reached, 150, Feedback::Reached);
        let down = Outcome::ours(Verdict::Deferred, Stage::Connect, Culprit::Network, EnhancedCode(4, 4, 1), "refused");
        check(&[down], Feedback::Unreachable, 150, Feedback::Unreachable);
    }

    #[test]
    fn too_fast_is_slowed_down_and_an_unknown_user_is_not() {
        let fast = said("mx.example.net", "450 4.7.1 too many connections from your host");
        check(&[fast], Feedback::Reached, 150, Feedback::PushedBack);
        let unknown = said("mx.example.net", "550 5.1.1 no such user");
        check(&[unknown], Feedback::Reached, 150, Feedback::Reached);
    }

    #[test]
    fn a_wish_for_a_new_connection_is_granted_soon_but_not_for_ever() {
        let again = [said(YAHOO, "421 Max message per connection reached, closing transmission channel")];
        check(&again, Feedback::PushedBack, 5, Feedback::Reached);
        assert_eq!(plan(&again, 3, Feedback::PushedBack).next, NOW + RECONNECT_AFTER);
        assert_eq!(plan(&again, 4, Feedback::PushedBack).next, NOW + BACK_OFF);
        let mixed = [again[0].clone(), said(YAHOO, "421 4.4.2 Connection dropped")];
        check(&mixed, Feedback::PushedBack, 150, Feedback::PushedBack);
    }

    #[test]
    fn what_one_recipient_is_to_wait_for_does_not_keep_another() {
        let reading = |action, pause| Reading { verdict: Verdict::Deferred, meant: None, action, pause };
        let hour = Some(Duration::from_secs(3600));
        let slow = reading(Action::SlowRecipient, hour);
        let ordinary = Plan { next: NOW + BACK_OFF, feedback: Feedback::Reached };
        let alone = heed(ordinary, &[slow], 1, NOW);
        assert_eq!((alone.next, alone.feedback), (NOW + Duration::from_secs(3600), Feedback::Reached));
        assert_eq!(heed(ordinary, &[slow, reading(Action::Nothing, None)], 1, NOW), ordinary);
        let both = heed(ordinary, &[slow, reading(Action::PauseSite, hour)], 1, NOW);
        assert_eq!(both.next, NOW + Duration::from_secs(3600));
    }

    #[test]
    fn each_refused_recipient_has_its_cause_and_what_was_delivered_has_none() {
        assert_eq!(read(&[delivered(), delivered()]), []);
        let ptr = said(GOOGLE, "550 5.7.25 The IP address sending this message does not have a PTR record setup");
        let odd = said("mx.example.net", "550 no");
        let silent = Outcome::ours(Verdict::Deferred, Stage::Mail, Culprit::Network, EnhancedCode(4, 4, 2), "gone");
        let causes: Vec<_> = read(&[delivered(), ptr.clone(), ptr, odd, silent]).iter().map(Reading::cause).collect();
        let ptr = Some(Cause { rule: "google.ptr", class: "reverse-dns", fault: "address" });
        let odd = Some(Cause { rule: "none", class: "unknown", fault: "unknown" });
        assert_eq!(causes, [None, ptr, ptr, odd, None]);
    }
}
