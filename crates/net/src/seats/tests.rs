//! Who gets a place, and who has to give one up.

use std::future::Future as _;
use std::task::{Context, Waker};

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn enter(seats: &Arc<Seats>, client: &str) -> Seat {
    seats.enter(Some(ip(client))).unwrap().0
}

fn is_asked(seat: &Seat) -> bool {
    std::pin::pin!(seat.asked_back()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn seats_are_counted_in_all_and_for_each_client() {
    let seats = Seats::new(3, 2);
    let [mut a, b, mut c] = [None, Some(ip("2001:db8::2")), None].map(|client| seats.enter(client).unwrap().0);
    [&a, &b, &c].into_iter().for_each(Seat::keep);
    assert_eq!(seats.enter(None).err(), Some(Full::All));
    a.take_for(ip("2001:db8::1")).unwrap();
    assert_eq!(c.take_for(ip("2001:db8::3")), Err(Full::Client));
    assert_eq!(seats.enter(Some(ip("2001:db8::4"))).err(), Some(Full::Client));
    assert_eq!(seats.enter(Some(ip("2001:db8:1::"))).err(), Some(Full::All));
    let most = Some((ip("2001:db8::"), 2));
    assert_eq!(seats.spread(), Spread { connections: 3, clients: 1, most });
    drop(a);
    c.take_for(ip("2001:db8::3")).unwrap();
    drop((b, c));
    let clients = seats.lock();
    assert_eq!((clients.all, clients.each.len(), clients.lent.len(), clients.leaving), (0, 0, 0, 0));
}

#[test]
fn the_stranger_who_waits_longest_makes_room_and_who_keeps_his_place_does_not() {
    let seats = Seats::new(3, 3);
    let [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|client| enter(&seats, client));
    a.keep();
    let (d, is_instead) = seats.enter(Some(ip("192.0.2.4"))).unwrap();
    assert_eq!((is_instead, [&a, &b, &c, &d].map(is_asked)), (true, [false, true, false, false]));
    // He is on his way out: until he is gone nobody else is asked.
    assert_eq!(seats.enter(Some(ip("192.0.2.5"))).err(), Some(Full::All));
    drop(b);
    // A stranger again, he waits since he came.
    a.lend();
    let e = enter(&seats, "192.0.2.5");
    assert_eq!([&a, &c, &d, &e].map(is_asked), [true, false, false, false]);
    drop(a);
    [&c, &d, &e].into_iter().for_each(Seat::keep);
    assert_eq!(seats.enter(Some(ip("192.0.2.6"))).err(), Some(Full::All));
    assert_eq!(seats.lock().each.len(), 3);
}

#[test]
fn who_comes_many_times_over_makes_room_first() {
    let seats = Seats::new(5, 5);
    let once = enter(&seats, "192.0.2.1");
    let mut unnamed = seats.enter(None).unwrap().0;
    let [a, b] = ["192.0.2.2", "192.0.2.2"].map(|client| enter(&seats, client));
    let other = enter(&seats, "192.0.2.3");
    let _d = enter(&seats, "192.0.2.4");
    assert_eq!([&once, &unnamed, &a, &b, &other].map(is_asked), [false, false, true, false, false]);
    drop(a);
    unnamed.take_for(ip("192.0.2.3")).unwrap();
    let _e = enter(&seats, "192.0.2.5");
    assert_eq!([&once, &unnamed, &b, &other].map(is_asked), [false, true, false, false]);
}

#[test]
fn one_who_gets_to_work_in_the_moment_that_he_is_asked_stays() {
    let seats = Seats::new(1, 9);
    let a = enter(&seats, "192.0.2.1");
    let b = enter(&seats, "192.0.2.2");
    a.keep();
    assert!(!is_asked(&a));
    // There are two for one place; the next needs both, and one of them is kept.
    assert_eq!(seats.enter(Some(ip("192.0.2.3"))).err(), Some(Full::All));
    assert!(is_asked(&b));
    drop((a, b));
    assert_eq!((seats.taken(), seats.lock().leaving), (0, 0));
}

#[test]
fn so_many_are_on_their_way_out_and_no_more() {
    let seats = Seats::new(16, 99);
    let mut all: Vec<Seat> = (0..16).map(|_| enter(&seats, "192.0.2.1")).collect();
    while let Ok((seat, _)) = seats.enter(Some(ip("192.0.2.1"))) {
        all.push(seat);
    }
    assert_eq!(all.len(), 16 + 16 / 8 + 1);
    seats.make_room();
    assert_eq!(all.iter().filter(|seat| is_asked(seat)).count(), 3);
    all.retain(|seat| !is_asked(seat));
    seats.make_room();
    assert_eq!(all.iter().filter(|seat| is_asked(seat)).count(), 3);
    let seats = Seats::new(160, 99);
    let all: Vec<Seat> = (0..20).map(|_| enter(&seats, "192.0.2.1")).collect();
    seats.make_room();
    assert_eq!(all.iter().filter(|seat| is_asked(seat)).count(), ROOM, "there are places, and no files");
}
