//! A second lane for what the pace of the first would not let go today: the first gets its share, nothing waits for another day, and
//! nothing is lost whatever else happens.

use super::room::{Room, terms};
use super::*;

/// Domains that warm up by way 0, with way 1 beside it.
fn room(has_beside: bool) -> Room {
    let warm = |name| Terms { ahead: DAY, ..terms(name, 50, DAY) };
    let mut room = Room::new(&[("a.test", warm("a.test")), ("b.test", warm("b.test"))]);
    (room.has_beside, room.routes_last) = (has_beside, HOUR);
    room
}

#[test]
fn what_would_go_tomorrow_goes_now_by_the_other_lane() {
    let mut room = room(true);
    room.enter(0..300, "a.test", Stream::Bulk);
    room.turn();
    // Until midnight lie 21:54:10 hours, and between two messages 28:48 minutes.
    assert_eq!((room.by(0), room.by(1)), (1, 254));
    room.enter(300..400, "a.test", Stream::Bulk);
    room.turn();
    assert_eq!((room.by(0), room.by(1)), (1, 354));
    room.until(T0 + DAY);
    assert_eq!((room.by(0), room.by(1)), (46, 354));
    assert!(room.queue.is_empty());
}

#[test]
fn what_is_urgent_and_beyond_the_number_of_a_day_does_not_wait() {
    let mut room = room(true);
    room.enter(0..200, "a.test", Stream::Transactional);
    room.turn();
    assert!((50..=51).contains(&room.by(0)), "{}", room.by(0));
    assert_eq!(room.given.len(), 200);
}

#[test]
fn what_waited_before_there_was_another_lane_goes_by_it() {
    let mut room = room(false);
    room.enter(0..300, "a.test", Stream::Bulk);
    room.until(T0 + HOUR);
    assert_eq!((room.by(0), room.by(1)), (3, 0));
    room.has_beside = true;
    room.queue.review(|_: &Flow, _: &LaneKey| false);
    // Whoever comes next asks for the route; the rest moves with it.
    room.enter(300..301, "a.test", Stream::Bulk);
    room.turn();
    assert!(room.by(1) > 250, "{}", room.by(1));
    room.until(T0 + DAY);
    assert_eq!((room.by(0) + room.by(1), room.queue.len()), (301, 0));
}

#[test]
fn nothing_is_lost_or_left_behind() {
    for seed in 0..30 {
        let random = SeededRandom::new(seed);
        let mut room = room(true);
        let (mut entered, mut removed) = (0, 0);
        for _ in 0..100 {
            match random.below(6) {
                0 | 1 => {
                    let count = random.below(60);
                    let stream = if random.below(3) == 0 { Stream::Transactional } else { Stream::Bulk };
                    room.enter(entered..entered + count, ["a.test", "b.test"][random.below(2) as usize], stream);
                    entered += count;
                }
                2 => {
                    let (stays, key) = (random.below(2), random.below(2) as u16);
                    room.queue.review(|flow, of| (flow.domain.as_str() == "a.test") == (stays == 0) && of.way == key);
                }
                3 => {
                    room.queue.reroute(|flow| flow.domain.as_str() == "b.test", room.now);
                }
                4 => room.has_beside = random.below(2) == 0,
                _ => {
                    let n = random.below(entered + 1);
                    if room.queue.view(part(n)).is_some() {
                        room.queue.remove(part(n), "x");
                        removed += 1;
                    }
                }
            }
            let until = room.now + secs(random.below(7200));
            room.until(until);
        }
        room.until(room.now + 90 * DAY);
        assert_eq!((room.queue.len(), room.given.len() as u64), (0, entered - removed), "seed {seed}");
        room.end_idle();
        room.queue.review(|_: &Flow, _: &LaneKey| false);
        room.until(room.now + DAY);
        assert_eq!(room.queue.lanes().count(), 0, "seed {seed}");
    }
}
