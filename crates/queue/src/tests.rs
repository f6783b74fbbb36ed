//! The queue as a subject: parts go in, time passes, sessions ask; what comes out is compared.

mod bar;
mod beside;
mod clock;
mod pace;
mod room;
mod seats;

use std::collections::HashSet;
use std::time::Duration;

use repute_types::{Domain, MessageId, PartId, Random, SeededRandom, Stream, Timestamp};

use crate::*;

/// 02:05:50 UTC.
const T0: Timestamp = Timestamp(1_795_485_950_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn part(n: u64) -> PartId {
    PartId { message: MessageId(n), number: 0 }
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

fn flow(to: &str) -> Flow {
    Flow { domain: domain(to), sender: Sender(0), tls_optional: false }
}

fn entry(n: u64, to: &str) -> Entry {
    Entry {
        part: part(n),
        flow: flow(to),
        stream: Stream::Transactional,
        due: T0,
        alarm: T0 + 4 * HOUR,
        attempts: 0,
        held: false,
    }
}

fn key(site: &str) -> LaneKey {
    LaneKey { site: site.into(), way: 0 }
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A queue in which `a.test` is routed to site `a`.
fn routed() -> (Queue, LaneId) {
    let mut q = Queue::new(LaneSettings::default());
    q.enter(entry(1, "a.test"), T0);
    assert_eq!(q.advance(T0), [Step::Route(flow("a.test"))]);
    let lane = q.routed(&flow("a.test"), key("a"), T0 + secs(3600), T0);
    (q, lane)
}

fn lease(q: &mut Queue, lane: LaneId, now: Timestamp) -> Lease {
    match q.lease(lane, now) {
        Next::Work(lease) => lease,
        other => panic!("expected work, got {other:?}"),
    }
}

#[test]
fn a_part_goes_from_entered_to_done() {
    let (mut q, lane) = routed();
    let work = Lease { part: part(1), attempt: 1, sender: Sender(0) };
    assert_eq!(q.next_session(T0), Some((lane, work)));
    assert_eq!(q.next_session(T0), None, "one part needs one session");
    assert_eq!(q.view(part(1)).unwrap().state, State::Leased);
    q.settle(part(1), Then::Done, Feedback::Reached, T0);
    assert_eq!(q.len(), 0);
    assert_eq!(q.lease(lane, T0), Next::Idle);
}

#[test]
fn a_domain_is_asked_for_once_however_many_parts_wait() {
    let mut q = Queue::new(LaneSettings::default());
    for n in 0..10 {
        q.enter(entry(n, "a.test"), T0);
    }
    assert_eq!(q.advance(T0), [Step::Route(flow("a.test"))]);
    assert_eq!(q.advance(T0), []);
    let lane = q.routed(&flow("a.test"), key("a"), T0 + secs(60), T0);
    assert_eq!(q.lane_view(lane).unwrap().ready, 10);
}

#[test]
fn domains_that_share_a_site_share_its_lane() {
    let (mut q, lane) = routed();
    q.enter(entry(2, "b.test"), T0);
    assert_eq!(q.advance(T0), [Step::Route(flow("b.test"))]);
    assert_eq!(q.routed(&flow("b.test"), key("a"), T0 + secs(60), T0), lane);
    assert_eq!(q.lane_view(lane).unwrap().ready, 2);
}

#[test]
fn a_stale_route_is_asked_for_again() {
    let (mut q, _) = routed();
    let later = T0 + secs(3601);
    q.enter(Entry { due: later, ..entry(2, "a.test") }, T0);
    assert_eq!(q.advance(later), [Step::Route(flow("a.test"))]);
}

#[test]
fn what_has_no_route_is_leased_for_settling() {
    let mut q = Queue::new(LaneSettings::default());
    q.enter(entry(1, "nowhere.test"), T0);
    q.advance(T0);
    let leases = q.unroutable(&flow("nowhere.test"));
    assert_eq!(leases.len(), 1);
    q.settle(part(1), Then::Again(T0 + secs(150)), Feedback::None, T0);
    assert_eq!(q.advance(T0 + secs(149)), []);
    assert_eq!(q.advance(T0 + secs(150)), [Step::Route(flow("nowhere.test"))]);
}

#[test]
fn a_deferred_part_comes_back_at_its_time_and_counts_its_attempts() {
    let (mut q, lane) = routed();
    q.next_session(T0);
    let again = T0 + secs(150);
    q.settle(part(1), Then::Again(again), Feedback::Reached, T0);
    assert_eq!(q.next_wake(), Some(again));
    assert_eq!(q.lease(lane, T0), Next::Idle);
    q.advance(again);
    assert_eq!(q.take_wakes(), [lane], "the idle session is woken");
    q.no_longer_idle(lane);
    assert_eq!(lease(&mut q, lane, again).attempt, 2);
}

#[test]
fn transactional_goes_before_bulk_and_bulk_never_starves() {
    let (mut q, lane) = routed();
    for n in 2..40 {
        let stream = if n % 2 == 0 { Stream::Bulk } else { Stream::Transactional };
        q.enter(Entry { stream, ..entry(n, "a.test") }, T0);
    }
    q.next_session(T0);
    let order: Vec<u64> = (0..20).map(|_| lease(&mut q, lane, T0).part.message.0).collect();
    assert_eq!(order.iter().take(14).filter(|n| *n % 2 == 0).count(), 0, "{order:?}");
    assert_eq!(order[14] % 2, 0, "the sixteenth, the first having gone with the session, is bulk");
}

#[test]
fn an_unreachable_site_is_left_alone_and_then_probed_by_one_session() {
    let (mut q, lane) = routed();
    for n in 2..6 {
        q.enter(entry(n, "a.test"), T0);
    }
    q.next_session(T0);
    q.settle(part(1), Then::Again(T0 + secs(150)), Feedback::Unreachable, T0);
    assert_eq!(q.lease(lane, T0), Next::Close);
    q.session_ended(lane, T0);
    assert_eq!(q.next_session(T0), None);
    let resumed = T0 + secs(30);
    assert_eq!(q.next_wake(), Some(resumed));
    q.advance(resumed);
    assert_eq!(q.next_session(resumed).unwrap().1.part, part(2));
    assert_eq!(q.next_session(resumed), None, "the window is one");
    q.settle(part(2), Then::Done, Feedback::Reached, resumed);
    assert_eq!(q.lane_view(lane).unwrap().window, 2);
}

#[test]
fn pauses_double_with_each_failure() {
    let (mut q, lane) = routed();
    for n in 2..9 {
        q.enter(entry(n, "a.test"), T0);
    }
    let mut now = T0;
    for (n, pause) in [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480), (6, 900), (7, 900)] {
        assert!(q.next_session(now).is_some());
        q.settle(part(n), Then::Again(now + secs(100_000)), Feedback::Unreachable, now);
        q.session_ended(lane, now);
        assert_eq!(q.lane_view(lane).unwrap().paused_until, Some(now + secs(pause)), "failure {n}");
        now = now + secs(pause);
        q.advance(now);
    }
}

#[test]
fn a_site_that_tells_us_to_wait_gets_nothing_for_so_long_and_then_one_session() {
    let (mut q, lane) = routed();
    for n in 2..9 {
        q.enter(entry(n, "a.test"), T0);
    }
    for n in 1..4 {
        assert_eq!(q.next_session(T0).unwrap().1.part, part(n));
    }
    let wait = secs(600);
    q.settle(part(1), Then::Again(T0 + wait), Feedback::ToldToWait(wait), T0);
    assert_eq!(q.lease(lane, T0), Next::Close);
    // What was under way ends as it ends: taken, or not reached any more.
    q.settle(part(2), Then::Done, Feedback::Reached, T0 + secs(1));
    q.settle(part(3), Then::Again(T0 + wait), Feedback::Unreachable, T0 + secs(1));
    let view = q.lane_view(lane).unwrap();
    assert_eq!((view.paused_until, view.told_to_wait, view.window), (Some(T0 + wait), true, 1));
    for _ in 0..3 {
        q.session_ended(lane, T0 + secs(1));
    }
    let early = T0 + secs(599);
    q.advance(early);
    assert_eq!(q.next_session(early), None);
    let over = T0 + wait;
    q.advance(over);
    assert_eq!(q.next_session(over).unwrap().1.part, part(4), "what waited in the lane goes first");
    assert_eq!(q.next_session(over), None, "the window is one");
    q.settle(part(4), Then::Done, Feedback::Reached, over);
    let view = q.lane_view(lane).unwrap();
    assert_eq!((view.paused_until, view.told_to_wait, view.window), (None, false, 2));
}

#[test]
fn an_operators_retry_goes_before_a_sites_wish_to_wait() {
    let (mut q, lane) = routed();
    q.next_session(T0);
    q.settle(part(1), Then::Again(T0 + secs(7200)), Feedback::ToldToWait(secs(7200)), T0);
    q.session_ended(lane, T0);
    assert_eq!(q.retry(part(1), T0), Change::Now);
    assert_eq!(q.next_session(T0).unwrap().1.part, part(1));
}

#[test]
fn the_window_grows_by_one_a_round_and_halves() {
    let (mut q, lane) = routed();
    q.next_session(T0);
    let mut windows = vec![];
    for n in 2..60 {
        q.settle(part(n - 1), Then::Done, Feedback::Reached, T0);
        q.enter(entry(n, "a.test"), T0);
        lease(&mut q, lane, T0);
        windows.push(q.lane_view(lane).unwrap().window);
    }
    assert!(windows.windows(2).all(|w| w[1] >= w[0]));
    assert_eq!(windows.last(), Some(&11));
    q.settle(part(59), Then::Again(T0 + secs(150)), Feedback::PushedBack, T0);
    assert_eq!(q.lane_view(lane).unwrap().window, 5);
}

#[test]
fn a_site_that_refuses_one_more_session_keeps_those_it_has() {
    let (mut q, lane) = routed();
    for n in 2..100 {
        q.enter(entry(n, "a.test"), T0);
    }
    let mut open = vec![];
    while let Some((_, work)) = q.next_session(T0) {
        open.push(work.part);
    }
    assert_eq!(open.len(), 3);
    q.settle(open[2], Then::Unchanged { held: false }, Feedback::Crowded, T0);
    assert_eq!(q.view(open[2]).unwrap().state, State::Ready, "another session takes it");
    assert_eq!(q.lease(lane, T0), Next::Close);
    q.session_ended(lane, T0);
    for _ in 0..50 {
        let work = lease(&mut q, lane, T0);
        q.settle(work.part, Then::Done, Feedback::Reached, T0);
    }
    assert_eq!(q.lane_view(lane).unwrap().window, 2, "and no third is tried for a while");
    let later = T0 + secs(601);
    let work = lease(&mut q, lane, later);
    for _ in 0..3 {
        q.settle(work.part, Then::Unchanged { held: false }, Feedback::Reached, later);
        q.lease(lane, later);
    }
    assert!(q.lane_view(lane).unwrap().window <= 3);
}

#[test]
fn holding_a_part_takes_it_from_its_lane_and_release_brings_it_back() {
    let (mut q, _) = routed();
    let hold = |why: &str| Intent::Hold(why.into());
    assert_eq!(q.take_aside(part(1), &hold("why not")), Aside::Taken { held: false });
    q.settle(part(1), Then::Held, Feedback::None, T0);
    assert_eq!(q.next_session(T0), None);
    assert_eq!(q.retry(part(1), T0), Change::Now);
    assert_eq!(q.next_session(T0).unwrap().1.part, part(1));
    assert_eq!(q.take_aside(part(1), &hold("later")), Aside::AfterLease);
    assert_eq!(q.intent(part(1)), Some(&hold("later")));
    q.settle(part(1), Then::Held, Feedback::Reached, T0);
    assert_eq!(q.view(part(1)).unwrap().state, State::Held);
    assert_eq!(q.remove(part(1), "cancelled"), Change::Now);
    assert_eq!(q.remove(part(1), "cancelled"), Change::Unknown);
}

#[test]
fn an_alarm_rings_in_every_state() {
    let (mut q, _) = routed();
    q.enter(Entry { held: true, ..entry(2, "a.test") }, T0);
    q.enter(Entry { due: T0 + secs(9_999_999), ..entry(3, "a.test") }, T0);
    q.next_session(T0);
    let alarm = T0 + secs(4 * 3600);
    let rung: HashSet<_> =
        q.advance(alarm).into_iter().collect::<Vec<_>>().into_iter().map(|s| format!("{s:?}")).collect();
    let expected: HashSet<_> = (1..4).map(|n| format!("{:?}", Step::Alarm(part(n)))).collect();
    assert_eq!(rung, expected);
    q.set_alarm(part(2), alarm + secs(1));
    assert_eq!(q.advance(alarm + secs(1)), [Step::Alarm(part(2))]);
    assert_eq!(q.lease_part(part(1)), None, "leased already");
    assert!(q.lease_part(part(2)).is_some());
}

#[test]
fn stale_alarms_do_not_pile_up() {
    let (mut q, lane) = routed();
    q.next_session(T0);
    for n in 2..100_000 {
        q.settle(part(n - 1), Then::Done, Feedback::Reached, T0);
        q.enter(entry(n, "a.test"), T0);
        lease(&mut q, lane, T0);
    }
    assert!(q.alarm_count() < 3_000, "{}", q.alarm_count());
}

/// Whatever is asked in whatever order: each part is leased by one at a time, none is lost,
/// and the counters of sessions end at zero.
#[test]
fn no_part_is_lost_or_leased_twice_in_a_random_day() {
    for seed in 0..50 {
        random_day(seed);
    }
}

fn random_day(seed: u64) {
    let random = SeededRandom::new(seed);
    let mut q = Queue::new(LaneSettings { max_window: 5, max_sessions: 20, ..LaneSettings::default() });
    let mut now = T0;
    let (mut open, mut idle): (Vec<LaneId>, Vec<LaneId>) = (vec![], vec![]);
    let mut leased: Vec<(LaneId, PartId)> = vec![];
    let mut alive = HashSet::new();
    for n in 1..3000u64 {
        let choice = random.below(10);
        if choice < 4 {
            let to = format!("d{}.test", random.below(30));
            q.enter(Entry { due: now + secs(random.below(100)), alarm: now + secs(1_000_000), ..entry(n, &to) }, now);
            alive.insert(part(n));
        } else if choice < 5
            && let Some(&any) = alive.iter().next()
        {
            match random.below(3) {
                0 => {
                    if let Aside::Taken { .. } = q.take_aside(any, &Intent::Hold("x".into())) {
                        q.settle(any, Then::Held, Feedback::None, now);
                    }
                }
                1 => drop(q.retry(any, now)),
                _ => {
                    if q.remove(any, "cancelled") == Change::Now {
                        alive.remove(&any);
                    }
                }
            }
        } else if choice < 8 && !leased.is_empty() {
            let (lane, which) = leased.swap_remove(random.below(leased.len() as u64) as usize);
            let feedbacks =
                [Feedback::Reached, Feedback::PushedBack, Feedback::Unreachable, Feedback::ToldToWait(secs(90))];
            let feedback = feedbacks[random.below(4) as usize];
            let then = match (q.intent(which), random.below(2)) {
                (Some(Intent::Hold(_)), _) => Then::Held,
                (Some(Intent::Cancel(_)), _) | (_, 0) => Then::Done,
                _ => Then::Again(now + secs(50)),
            };
            if then == Then::Done {
                alive.remove(&which);
            }
            q.settle(which, then, feedback, now);
            open.push(lane);
        }
        now = now + secs(random.below(20));
        if random.below(8) == 0 {
            let leave = random.below(3);
            q.review(|flow, _| flow.domain.as_str().len() as u64 % 3 != leave);
        }
        for step in q.advance(now) {
            if let Step::Route(flow) = step {
                if random.below(4) == 0 {
                    q.bar(&flow);
                    continue;
                }
                let site = format!("s{}", flow.domain.as_str().len() % 3);
                q.routed(&flow, key(&site), now + secs(random.below(500)), now);
            }
        }
        for lane in q.take_wakes() {
            if let Some(at) = idle.iter().position(|l| *l == lane) {
                idle.swap_remove(at);
                q.no_longer_idle(lane);
                open.push(lane);
            }
        }
        while let Some((lane, work)) = q.next_session(now) {
            assert!(leased.iter().all(|(_, p)| *p != work.part), "leased twice: {}", work.part);
            leased.push((lane, work.part));
        }
        assert!(q.sessions() <= 20);
        for lane in std::mem::take(&mut open) {
            match q.lease(lane, now) {
                Next::Work(work) => {
                    assert!(leased.iter().all(|(_, p)| *p != work.part), "leased twice: {}", work.part);
                    assert!(alive.contains(&work.part));
                    leased.push((lane, work.part));
                }
                Next::Idle => idle.push(lane),
                Next::Close => q.session_ended(lane, now),
            }
        }
        assert_eq!(q.len(), alive.len());
    }
    for (lane, which) in leased {
        q.settle(which, Then::Done, Feedback::Reached, now);
        alive.remove(&which);
        q.session_ended(lane, now);
    }
    for lane in idle {
        q.no_longer_idle(lane);
        q.session_ended(lane, now);
    }
    assert_eq!((q.sessions(), q.len()), (0, alive.len()), "seed {seed}");
}
