//! Who has a session where there are fewer than sites: those who do nothing make room, and those who never answer leave some.

use super::*;

fn queue(max_sessions: u32) -> Queue {
    Queue::new(LaneSettings { max_sessions, ..LaneSettings::default() })
}

/// A part to the site of that number, which has a route.
fn enter(q: &mut Queue, n: u64, site: u64) -> LaneId {
    let to = format!("d{site}.test");
    q.enter(entry(n, &to), T0);
    q.advance(T0);
    q.routed(&flow(&to), key(&format!("s{site}")), T0 + HOUR, T0)
}

fn open(q: &mut Queue) -> Vec<(LaneId, PartId)> {
    std::iter::from_fn(|| q.next_session(T0)).map(|(lane, lease)| (lane, lease.part)).collect()
}

/// The session delivers what it has and asks for more.
fn deliver(q: &mut Queue, (lane, part): (LaneId, PartId)) -> Next {
    q.settle(part, Then::Done, Feedback::Reached, T0);
    q.lease(lane, T0)
}

/// A thousand sites with a message each, over fifty sessions, took 95 s: each session was kept for five seconds for a site that had
/// nothing more to get.
#[test]
fn sessions_without_work_end_when_other_sites_wait_for_one() {
    let mut q = queue(4);
    let lanes: Vec<LaneId> = (0..3).map(|n| enter(&mut q, n, n)).collect();
    let opened = open(&mut q);
    assert_eq!(opened.len(), 3);
    for session in opened {
        assert_eq!(deliver(&mut q, session), Next::Idle, "nobody waits, so it is kept");
    }
    q.take_wakes();
    // Two of other sites come: there is one session for them, and an idle one is asked to end.
    enter(&mut q, 10, 10);
    enter(&mut q, 11, 11);
    assert_eq!(open(&mut q).len(), 0, "the last session of four is for sites that were reached");
    let woken = q.take_wakes();
    assert_eq!(woken.len(), 2, "one for each that waits, and no more: {woken:?}");
    for lane in woken {
        assert!(lanes.contains(&lane));
        q.no_longer_idle(lane);
        assert_eq!(q.lease(lane, T0), Next::Close);
        q.session_ended(lane, T0);
        assert!(q.has_news());
        assert_eq!(open(&mut q).len(), 1);
    }
    assert!(!q.has_news());
    assert_eq!(q.take_wakes(), []);
}

/// Where a session ends what it had to do while others wait, it does not become idle at all.
#[test]
fn a_session_that_runs_out_of_work_while_others_wait_ends() {
    let mut q = queue(2);
    let sites = 200;
    for n in 0..sites {
        enter(&mut q, n, n);
    }
    let (mut running, mut delivered, mut idle) = (open(&mut q), 0, 0);
    while let Some(session) = running.pop() {
        delivered += 1;
        match deliver(&mut q, session) {
            Next::Close => q.session_ended(session.0, T0),
            Next::Idle => idle += 1,
            Next::Work(_) => panic!("each site has one message"),
        }
        for lane in q.take_wakes() {
            q.no_longer_idle(lane);
            idle -= 1;
            match q.lease(lane, T0) {
                Next::Close => q.session_ended(lane, T0),
                other => panic!("nothing is there for it: {other:?}"),
            }
        }
        running.extend(open(&mut q));
    }
    assert_eq!(delivered, sites);
    assert!(idle <= 2);
}

/// A thousand sites that never answer had all sessions, three each, and a message to a site that was reached a moment ago waited
/// until they were given up.
#[test]
fn sites_that_never_answer_do_not_take_all_sessions() {
    let mut q = queue(100);
    enter(&mut q, 1, 1);
    let first = open(&mut q)[0];
    assert_eq!(deliver(&mut q, first), Next::Idle);
    for n in 0..500 {
        for more in 0..5 {
            enter(&mut q, 1000 + n * 10 + more, 1000 + n);
        }
    }
    let silent = open(&mut q);
    assert_eq!(silent.len() + 1, 75, "the last quarter is kept free");
    let mut sites: Vec<LaneId> = silent.iter().map(|(lane, _)| *lane).collect();
    sites.dedup();
    assert!(sites.len() > 50, "most of them have one session: {}", sites.len());
    assert!(!q.has_news(), "what has to wait is no news");
    // The site that was reached has its sessions at once, the idle one and further ones.
    q.take_wakes();
    for n in 10..20 {
        enter(&mut q, n, 1);
    }
    assert_eq!(open(&mut q).len(), 2, "beside the idle one, as many as its window lets");
    // A session that is given up makes room for the next site, in turn.
    [0, 4, 5, 6, 7].into_iter().for_each(|n| {
        let (lane, unheard) = silent[n];
        q.settle(unheard, Then::Again(T0 + secs(150)), Feedback::Unreachable, T0);
        q.session_ended(lane, T0);
    });
    let next = open(&mut q);
    assert!(!next.is_empty() && next.iter().all(|(lane, _)| !sites.contains(lane)), "{next:?}");
}
