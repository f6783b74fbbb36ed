//! A clock that is set back does not make mail wait for as long once more.

use super::*;

fn route(queue: &mut Queue, now: Timestamp) {
    for step in queue.advance(now) {
        let Step::Route(flow) = step else { panic!("{step:?}") };
        queue.routed(&flow, key("a"), now + 5 * MINUTE, now);
    }
}

/// One part that is deferred for ten minutes, at a site that is left alone for as long as `feedback` says.
fn deferred(feedback: Feedback) -> Queue {
    let mut queue = Queue::new(LaneSettings::default());
    queue.enter(entry(1, "a.test"), T0);
    route(&mut queue, T0);
    let (lane, lease) = queue.next_session(T0).unwrap();
    queue.settle(lease.part, Then::Again(T0 + 10 * MINUTE), feedback, T0);
    queue.session_ended(lane, T0);
    queue
}

#[test]
fn a_retry_comes_when_it_would_have() {
    let mut queue = deferred(Feedback::Reached);
    let now = T0 + MINUTE - DAY;
    queue.set_back(DAY, now);
    assert_eq!(queue.next_wake(), Some(T0 + 10 * MINUTE - DAY));
    route(&mut queue, now);
    assert!(queue.next_session(now).is_none(), "not before its time");
    let now = T0 + 10 * MINUTE - DAY;
    route(&mut queue, now);
    assert_eq!(queue.next_session(now).unwrap().1.attempt, 2);
}

#[test]
fn a_pause_of_a_site_ends_when_it_would_have() {
    let mut queue = deferred(Feedback::ToldToWait(20 * MINUTE));
    queue.set_back(DAY, T0 - DAY);
    for (minutes, goes) in [(11, false), (21, true)] {
        let now = T0 + minutes * MINUTE - DAY;
        route(&mut queue, now);
        assert_eq!(queue.next_session(now).is_some(), goes, "after {minutes} minutes");
    }
}

#[test]
fn a_route_is_looked_up_again_when_it_would_have_been() {
    let mut queue = deferred(Feedback::Reached);
    queue.set_back(DAY, T0 - DAY);
    let now = T0 + 6 * MINUTE - DAY;
    queue.enter(Entry { due: now, ..entry(2, "a.test") }, now);
    assert_eq!(queue.advance(now), [Step::Route(flow("a.test"))]);
}

#[test]
fn a_time_that_somebody_named_stays_a_time_of_the_day() {
    let mut queue = Queue::new(LaneSettings::default());
    queue.enter(Entry { due: T0 + 10 * MINUTE, ..entry(1, "a.test") }, T0);
    queue.set_back(DAY, T0 - DAY);
    assert_eq!(queue.next_wake(), Some(T0 + 10 * MINUTE));
}

#[test]
fn what_was_put_off_since_the_clock_was_set_is_left_alone() {
    let mut queue = deferred(Feedback::Reached);
    let now = T0 - DAY;
    let again = now + 10 * MINUTE;
    route(&mut queue, T0 + 10 * MINUTE);
    let (_, lease) = queue.next_session(T0 + 10 * MINUTE).unwrap();
    queue.settle(lease.part, Then::Again(again), Feedback::Reached, now);
    queue.set_back(DAY, now);
    assert_eq!(queue.next_wake(), Some(again));
}
