//! Sites that keep to a rate: never more, nothing lost, nobody left standing in line.

use super::room::{LATE, Room, terms};
use super::*;

/// Whether no stretch of the rate's length has more messages than it says.
fn holds(room: &Room, Rate { count, per }: Rate) {
    for window in room.given.windows(count as usize + 1) {
        let took = window[count as usize].at.since(window[0].at);
        assert!(took + LATE >= per, "{} messages within {took:?}", count + 1);
    }
}

#[test]
fn no_minute_has_more_than_its_rate_and_all_of_it_goes() {
    let rate = terms("a", 100, MINUTE);
    let mut room = Room::new(&[("a.test", rate.clone())]);
    room.enter(0..1000, "a.test", Stream::Bulk);
    room.until(T0 + 11 * MINUTE);
    assert_eq!(room.given.len(), 1000);
    holds(&room, rate.rate);
    let took = room.given.last().unwrap().at.since(T0);
    assert!(took <= 10 * MINUTE + SECOND, "{took:?}: no slower than it may");
}

#[test]
fn a_site_without_a_rate_does_not_wait_for_one_that_has() {
    let mut room = Room::new(&[("a.test", terms("a", 1, MINUTE))]);
    room.enter(0..100, "a.test", Stream::Bulk);
    room.enter(100..200, "b.test", Stream::Bulk);
    room.turn();
    assert_eq!((room.of(0), room.of(100)), (1, 100));
}

#[test]
fn sites_that_share_a_rate_take_turns_and_those_with_transactional_mail_go_first() {
    let rate = terms("google.com", 60, MINUTE);
    let mut room = Room::new(&[("a.test", rate.clone()), ("b.test", rate.clone()), ("c.test", rate.clone())]);
    room.enter(0..100, "a.test", Stream::Bulk);
    room.enter(100..200, "b.test", Stream::Bulk);
    room.until(T0 + 20 * SECOND);
    holds(&room, rate.rate);
    let (a, b) = (room.of(0), room.of(100));
    assert!(a.abs_diff(b) <= 2 && a + b >= 20, "{a} and {b}");
    room.enter(200..203, "c.test", Stream::Transactional);
    room.until(T0 + 24 * SECOND);
    assert_eq!(room.of(200), 3);
    room.until(T0 + 300 * SECOND);
    assert_eq!(room.given.len(), 203);
    holds(&room, rate.rate);
}

/// Sessions end and begin, sites push back or go, parts are held and cancelled: at the end everybody had a turn.
#[test]
fn nobody_is_left_standing_in_line() {
    for seed in 0..20 {
        let random = SeededRandom::new(seed);
        let rate = terms("shared", 600, MINUTE);
        let names = ["a.test", "b.test", "c.test", "d.test"];
        let all: Vec<(&str, Terms)> = names.iter().map(|name| (*name, rate.clone())).collect();
        let mut room = Room::new(&all);
        let (mut entered, mut removed) = (0, 0);
        for _ in 0..200 {
            let stream = if random.below(3) == 0 { Stream::Transactional } else { Stream::Bulk };
            let count = random.below(12);
            room.enter(entered..entered + count, names[random.below(4) as usize], stream);
            entered += count;
            match random.below(8) {
                0 => room.end_idle(),
                1 => room.feedback = Feedback::PushedBack,
                2 => room.feedback = Feedback::Unreachable,
                3 => room.feedback = Feedback::ToldToWait(secs(random.below(20))),
                4 if entered > 0 => {
                    let part = part(random.below(entered));
                    if room.queue.view(part).is_some() {
                        room.queue.remove(part, "cancelled");
                        removed += 1;
                    }
                }
                5 => {
                    let domain = domain(names[random.below(4) as usize]);
                    if let Some(lane) = room.lanes.get(&domain).copied() {
                        room.queue.set_pace(lane, (random.below(2) == 0).then_some(&rate), room.now);
                    }
                }
                _ => room.feedback = Feedback::Reached,
            }
            let until = room.now + Duration::from_millis(random.below(1500));
            room.until(until);
            assert!(room.queue.len() < 3000);
        }
        room.feedback = Feedback::Reached;
        let end = room.now + 3 * DAY;
        room.until(end);
        assert_eq!((room.queue.len(), room.given.len() as u64), (0, entered - removed), "seed {seed}");
    }
}

#[test]
fn what_waits_says_so_and_until_when() {
    let mut room = Room::new(&[("a.test", terms("google.com", 60, MINUTE))]);
    room.enter(0..11, "a.test", Stream::Bulk);
    room.turn();
    let view = room.queue.view(part(5)).unwrap();
    assert_eq!(view.state, State::Ready);
    let pace = view.lane.unwrap().pace.unwrap();
    assert_eq!((&*pace.name, pace.rate.to_string(), pace.ready), ("google.com", "60/m".to_owned(), 10));
    let about = |at: Timestamp, seconds: u64| at.since(T0 + secs(seconds) - LATE) <= LATE;
    assert!(about(pace.next, 1), "{pace:?}");
    assert!(about(pace.all_by(), 10), "{pace:?}");
    room.until(T0 + 5 * SECOND);
    assert_eq!(room.queue.view(part(10)).unwrap().lane.unwrap().pace.unwrap().ready, 5);
}

#[test]
fn another_rate_holds_at_once_and_what_was_sent_still_counts() {
    let slow = terms("a", 1, DAY);
    let mut room = Room::new(&[("a.test", slow.clone())]);
    room.enter(0..100, "a.test", Stream::Bulk);
    room.until(T0 + MINUTE);
    assert_eq!(room.given.len(), 1);
    let lane = room.lanes[&domain("a.test")];
    room.queue.set_pace(lane, Some(&slow), room.now);
    room.until(T0 + 2 * MINUTE);
    assert_eq!(room.given.len(), 1, "told the same again, nothing is forgotten");
    room.queue.set_pace(lane, Some(&terms("a", 60, MINUTE)), room.now);
    room.until(T0 + 2 * MINUTE + 10 * SECOND);
    assert!((10..=12).contains(&room.given.len()), "{}", room.given.len());
    room.queue.set_pace(lane, None, room.now);
    room.turn();
    assert_eq!(room.given.len(), 100);
}

#[test]
fn a_site_that_is_forgotten_and_comes_back_keeps_to_its_rate() {
    let rate = terms("a", 1, 10 * MINUTE);
    let mut room = Room::new(&[("a.test", rate.clone())]);
    room.enter(0..1, "a.test", Stream::Bulk);
    room.turn();
    room.end_idle();
    // Its flow leaves the lane, which nothing refers to any more.
    room.queue.review(|_: &Flow, _: &LaneKey| false);
    assert_eq!(room.queue.lanes().count(), 0);
    room.enter(1..2, "a.test", Stream::Bulk);
    room.until(T0 + 9 * MINUTE);
    assert_eq!(room.given.len(), 1);
    room.until(T0 + 10 * MINUTE + SECOND);
    assert_eq!(room.given.len(), 2);
    holds(&room, rate.rate);
}

/// With each reload that changed the rate a lane stood in line once more than before, and the others went without.
#[test]
fn lanes_take_turns_also_after_their_rate_was_changed_many_times() {
    let mut room = Room::new(&[("a.test", terms("both", 1, MINUTE)), ("b.test", terms("both", 1, MINUTE))]);
    room.enter(0..200, "a.test", Stream::Bulk);
    room.enter(200..400, "b.test", Stream::Bulk);
    room.turn();
    for n in 0..40 {
        let changed = terms("both", 2 - n % 2, MINUTE);
        for lane in room.lanes.values().copied().collect::<Vec<_>>() {
            room.queue.set_pace(lane, Some(&changed), room.now);
        }
        room.turn();
    }
    let before = room.given.len();
    room.until(room.now + 40 * MINUTE);
    let of_a = room.given[before..].iter().filter(|given| given.part.message.0 < 200).count();
    let all = room.given.len() - before;
    assert!((38..=42).contains(&all) && (18..=22).contains(&of_a), "{of_a} of {all}");
}

/// A message for many that the receiver takes ten at a time went in as many transactions at once.
#[test]
fn further_transactions_of_a_message_count() {
    let mut room = Room::new(&[("a.test", terms("a", 1, MINUTE))]);
    room.enter(0..2, "a.test", Stream::Bulk);
    room.turn();
    assert_eq!(room.given.len(), 1);
    room.queue.spend(room.lanes[&domain("a.test")], 9, room.now);
    room.until(T0 + 10 * MINUTE - SECOND);
    assert_eq!(room.given.len(), 1);
    room.until(T0 + 10 * MINUTE + SECOND);
    assert_eq!(room.given.len(), 2);
}

/// What an operator held, released and made due again was counted once more each time, and kept for ever.
#[test]
fn what_is_ready_is_counted_once_whatever_an_operator_does() {
    let mut room = Room::new(&[("a.test", terms("a", 1, DAY))]);
    room.enter(0..2000, "a.test", Stream::Bulk);
    room.turn();
    for _ in 0..10 {
        for n in 1..2000 {
            room.queue.retry(part(n), room.now);
        }
        for n in 1..2000 {
            assert_eq!(room.queue.take_aside(part(n), &Intent::Retry), Aside::Taken { held: false });
            room.queue.settle(part(n), Then::Held, Feedback::None, room.now);
            room.queue.retry(part(n), room.now);
        }
    }
    room.turn();
    let lane = room.queue.lanes().next().unwrap();
    assert_eq!((lane.ready, lane.pace.unwrap().ready), (1999, 1999));
    for n in 1..2000 {
        room.queue.remove(part(n), "cancelled");
    }
    let lane = room.queue.lanes().next().unwrap();
    assert_eq!((lane.ready, lane.pace.unwrap().ready), (0, 0));
}

/// As while an address warms up: transactional mail does not wait for its turn, and bulk makes up for it.
#[test]
fn transactional_mail_runs_ahead_by_a_day_and_bulk_makes_up_for_it() {
    let rate = Terms { ahead: DAY, ..terms("a", 48, DAY) };
    let mut room = Room::new(&[("a.test", rate)]);
    room.enter(0..100, "a.test", Stream::Bulk);
    room.enter(100..110, "a.test", Stream::Transactional);
    room.until(T0 + SECOND);
    assert_eq!(room.of(100), 10, "all of it at once");
    let bulk = room.of(0);
    assert!(bulk <= 1, "{bulk}");
    room.until(T0 + 4 * 3600 * SECOND);
    assert_eq!(room.of(0), bulk, "bulk waits until the rate has caught up");
    room.until(T0 + DAY);
    assert!((47..=49).contains(&room.given.len()), "{}", room.given.len());
    // Not more than a day ahead.
    room.enter(200..300, "a.test", Stream::Transactional);
    room.turn();
    assert!((47..=50).contains(&room.of(200)), "{}", room.of(200));
    room.until(T0 + 6 * DAY);
    assert_eq!(room.given.len(), 210);
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_wait_longer() {
    let mut room = Room::new(&[("a.test", terms("a", 1, MINUTE))]);
    room.enter(0..3, "a.test", Stream::Bulk);
    room.turn();
    room.now = T0 - DAY;
    room.queue.set_back(DAY, room.now);
    room.until(T0 - DAY + MINUTE + SECOND);
    assert_eq!(room.given.len(), 2);
    room.until(T0 - DAY + 3 * MINUTE);
    assert_eq!(room.given.len(), 3);
}
