//! Flows that may take no way: their parts wait, leave lanes that they may not take any more,
//! and go on where they may.

use super::*;

fn of(sender: u16) -> Flow {
    Flow { sender: Sender(sender), ..flow("a.test") }
}

fn enter(q: &mut Queue, n: u64, flow: &Flow) {
    q.enter(Entry { flow: flow.clone(), ..entry(n, "a.test") }, T0);
}

fn by(way: u16) -> LaneKey {
    LaneKey { way, ..key("a") }
}

fn queue(parts: u64, flow: &Flow) -> Queue {
    let mut q = Queue::new(LaneSettings::default());
    (0..parts).for_each(|n| enter(&mut q, n, flow));
    q
}

#[test]
fn a_barred_flow_waits_and_is_asked_for_again_when_it_may_have_changed() {
    let mine = of(1);
    let mut q = queue(3, &mine);
    assert_eq!(q.advance(T0), [Step::Route(mine.clone())]);
    q.bar(&mine);
    assert_eq!((q.view(part(0)).unwrap().state, q.barred()), (State::Barred, 3));
    enter(&mut q, 3, &mine);
    assert_eq!((q.advance(T0), q.next_session(T0), q.barred()), (vec![], None, 4));
    q.review(|_, _| true);
    assert_eq!(q.advance(T0), [Step::Route(mine.clone())]);
    let lane = q.routed(&mine, by(0), T0 + HOUR, T0);
    assert_eq!((q.lane_view(lane).unwrap().ready, q.barred()), (4, 0));
}

#[test]
fn two_senders_to_one_domain_are_two_flows_in_one_lane() {
    let (mine, theirs) = (of(1), of(2));
    let mut q = queue(1, &mine);
    enter(&mut q, 1, &theirs);
    assert_eq!(q.advance(T0), [Step::Route(mine.clone()), Step::Route(theirs.clone())]);
    let lane = q.routed(&mine, by(0), T0 + HOUR, T0);
    q.bar(&theirs);
    let (_, lease) = q.next_session(T0).unwrap();
    assert_eq!((lease.part, lease.sender), (part(0), Sender(1)));
    assert_eq!(q.lease(lane, T0), Next::Idle);
    q.no_longer_idle(lane);
    q.review(|_, _| true);
    q.advance(T0);
    assert_eq!(q.routed(&theirs, by(0), T0 + HOUR, T0), lane);
}

#[test]
fn parts_that_were_ready_leave_a_lane_that_they_may_not_take_any_more() {
    let (mine, theirs) = (of(1), of(2));
    let count = 5_000;
    let mut q = queue(count, &mine);
    enter(&mut q, count, &theirs);
    q.advance(T0);
    let lane = q.routed(&mine, by(0), T0 + HOUR, T0);
    q.routed(&theirs, by(0), T0 + HOUR, T0);
    q.review(|flow, _| flow.sender == Sender(2));
    // However many have to leave, what stays gets its session.
    let mut leased = None;
    while q.has_news() && leased.is_none() {
        leased = q.next_session(T0);
    }
    assert_eq!(leased.unwrap().1.part, part(count));
    assert_eq!(q.lane_view(lane).unwrap().ready, 0);
    assert_eq!(q.advance(T0), [Step::Route(mine.clone())]);
    let other = q.routed(&mine, by(3), T0 + HOUR, T0);
    assert_eq!(q.lane_view(other).unwrap().ready, count as usize);
}

#[test]
fn a_session_that_ran_dry_is_woken_when_something_was_left_half_way() {
    let (mine, theirs) = (of(1), of(2));
    let mut q = queue(1, &theirs);
    q.advance(T0);
    let lane = q.routed(&theirs, by(0), T0 + HOUR, T0);
    let (_, first) = q.next_session(T0).unwrap();
    for n in 1..2_000 {
        enter(&mut q, n, &mine);
    }
    q.advance(T0);
    q.routed(&mine, by(0), T0 + HOUR, T0);
    // The sender's second part stands behind what has to leave.
    enter(&mut q, 2_000, &theirs);
    q.review(|flow, _| flow.sender == Sender(2));
    q.settle(first.part, Then::Done, Feedback::Reached, T0);
    assert_eq!(q.lease(lane, T0), Next::Idle);
    while q.has_news() {
        let _ = q.next_session(T0);
        let _ = q.advance(T0);
        for woken in q.take_wakes() {
            q.no_longer_idle(woken);
            if q.lease(woken, T0) == Next::Close {
                q.session_ended(woken, T0);
            }
        }
    }
    assert_eq!(q.view(part(2_000)).unwrap().state, State::Leased);
}

#[test]
fn what_is_barred_still_has_its_alarm_and_can_be_taken_out() {
    let mine = of(1);
    let mut q = queue(2, &mine);
    q.advance(T0);
    q.bar(&mine);
    assert_eq!(q.advance(T0 + 4 * HOUR).len(), 2);
    assert!(q.lease_part(part(0)).is_some());
    q.settle(part(0), Then::Done, Feedback::None, T0 + 4 * HOUR);
    q.remove(part(1), "cancelled");
    assert_eq!((q.len(), q.barred()), (0, 0));
    q.review(|_, _| true);
    q.advance(T0 + 4 * HOUR);
}
