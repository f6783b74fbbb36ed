//! Rates of sites through the whole of the works: what receivers see, and what an operator is told.

use std::time::Duration;

use repute_delivery::HostName;
use repute_engine::SiteRule;
use repute_engine::control::Selector;
use repute_queue::Rate;

use crate::world::*;

fn rule(hosts: &[&str], count: u32, per: Duration) -> SiteRule {
    let hosts = hosts.iter().map(|host| HostName::Name(domain(host))).collect();
    SiteRule { hosts, rate: Rate { count, per } }
}

async fn send(world: &World, messages: usize, to: &str) {
    for n in 0..messages {
        world.submit("shop@example.com", &[&format!("u{n}@{to}")]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_gets_no_more_than_its_rate_and_all_of_it_in_the_end() {
    let mut world = World::unstarted();
    world.sites = vec![rule(&["mx.slow.test"], 60, HOUR)];
    world.start().await;
    let slow = world.receiver("slow.test", |_, _| "250 2.1.5 ok");
    let fast = world.receiver("fast.test", |_, _| "250 2.1.5 ok");
    send(&world, 100, "slow.test").await;
    send(&world, 100, "fast.test").await;
    pass(10 * MINUTE).await;
    assert_eq!(fast.taken().len(), 100);
    assert!((10..=11).contains(&slow.taken().len()), "{}", slow.taken().len());
    pass(90 * MINUTE).await;
    assert_eq!(slow.taken().len(), 100);
    assert!(world.spool.is_empty());
}

/// Messages were counted when sessions were given them: those whose greeting came late were all sent at once.
#[tokio::test(start_paused = true)]
async fn late_greetings_do_not_bunch_messages_up() {
    let mut world = World::unstarted();
    world.sites = vec![rule(&["mx.slow.test"], 60, HOUR)];
    world.start().await;
    let slow = world.receiver("slow.test", |_, _| "250 2.1.5 ok");
    slow.greets_after(&[170, 110, 50].map(Duration::from_secs));
    send(&world, 10, "slow.test").await;
    pass(20 * MINUTE).await;
    assert_eq!(slow.taken().len(), 10);
    let distances = slow.distances();
    assert!(distances.iter().all(|distance| *distance >= MINUTE - Duration::from_millis(10)), "{distances:?}");
}

/// Each restart let one message to each site go at once.
#[tokio::test(start_paused = true)]
async fn restarts_do_not_pass_the_rate() {
    let mut world = World::unstarted();
    world.sites = vec![rule(&["mx.slow.test"], 60, HOUR)];
    world.start().await;
    let slow = world.receiver("slow.test", |_, _| "250 2.1.5 ok");
    send(&world, 20, "slow.test").await;
    pass(Duration::from_secs(10)).await;
    for _ in 0..5 {
        world.stop().await;
        world.start().await;
        pass(Duration::from_secs(70)).await;
    }
    let distances = slow.distances();
    assert!(distances.len() >= 4, "{distances:?}");
    assert!(distances.iter().all(|distance| *distance >= MINUTE - Duration::from_millis(10)), "{distances:?}");
}

#[tokio::test(start_paused = true)]
async fn domains_whose_hosts_are_under_one_name_share_its_rate() {
    let mut world = World::unstarted();
    // The catch-all is for each site by itself.
    world.sites = vec![rule(&["big.test"], 60, HOUR), rule(&[], 600, HOUR)];
    world.start().await;
    let one = world.receiver("one.big.test", |_, _| "250 2.1.5 ok");
    let two = world.receiver("two.big.test", |_, _| "250 2.1.5 ok");
    let other = world.receiver("notbig.test", |_, _| "250 2.1.5 ok");
    send(&world, 50, "one.big.test").await;
    send(&world, 50, "two.big.test").await;
    send(&world, 50, "notbig.test").await;
    pass(10 * MINUTE).await;
    let (a, b) = (one.taken().len(), two.taken().len());
    assert!((10..=11).contains(&(a + b)) && a.abs_diff(b) <= 2, "{a} and {b}");
    assert_eq!(other.taken().len(), 50);
    pass(2 * HOUR).await;
    assert_eq!((one.taken().len(), two.taken().len()), (50, 50));
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_told_why_it_waits_and_until_when() {
    let mut world = World::unstarted();
    world.sites = vec![rule(&["slow.test"], 6, HOUR)];
    world.start().await;
    let _slow = world.receiver("slow.test", |_, _| "250 2.1.5 ok");
    send(&world, 4, "slow.test").await;
    pass(MINUTE).await;
    let list = world.control().list(&Selector { all: true, ..Selector::default() }, 10).await.unwrap();
    assert_eq!(list.rows.len(), 3);
    let row = &list.rows[0];
    assert_eq!(row.state, "ready");
    let reason = row.reason.clone().unwrap();
    assert!(
        reason.starts_with("its site's rate is 6/h (slow.test): 3 parts share it, and the last goes at "),
        "{reason}"
    );
    let wait = row.next.unwrap().since(world.control().now());
    assert!((8 * MINUTE..10 * MINUTE).contains(&wait), "{wait:?}");
    let lane = &world.control().status().lanes[0];
    let pace = lane.pace.as_ref().unwrap();
    assert_eq!((pace.name.as_str(), pace.rate.as_str(), pace.ready), ("slow.test", "6/h", 3));
    // An operator's word makes due; it goes no faster.
    world.control().retry(&Selector { all: true, ..Selector::default() }).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.control().status().queued, 3);
    pass(HOUR).await;
    assert_eq!(world.control().status().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn transactional_mail_overtakes_a_newsletter_at_the_same_site() {
    let mut world = World::unstarted();
    world.sites = vec![rule(&["slow.test"], 60, HOUR)];
    world.start().await;
    let slow = world.receiver("slow.test", |_, _| "250 2.1.5 ok");
    for n in 0..50 {
        let text = "From: news@news.example\r\nTo: x@y.test\r\nSubject: news\r\n\r\nNews.\r\n";
        world.submit_as(news(), "news@news.example", &[&format!("n{n}@slow.test")], text).await.unwrap();
    }
    pass(5 * MINUTE).await;
    world.submit("shop@example.com", &["bob@slow.test"]).await.unwrap();
    pass(2 * MINUTE).await;
    assert!(slow.taken().iter().any(|taken| taken.to == ["bob@slow.test"]), "{:?}", slow.taken().len());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_outlives_a_restart() {
    let mut world = World::unstarted();
    world.sites = vec![rule(&["slow.test"], 60, HOUR)];
    world.start().await;
    let slow = world.receiver("slow.test", |_, _| "250 2.1.5 ok");
    send(&world, 20, "slow.test").await;
    pass(5 * MINUTE).await;
    world.stop().await;
    let before = slow.taken().len();
    world.start().await;
    pass(HOUR).await;
    assert!(before < 8);
    assert_eq!(slow.taken().len(), 20);
    assert!(world.spool.is_empty());
}

fn egress(n: u8) -> std::sync::Arc<repute_delivery::Egress> {
    let address = std::net::Ipv4Addr::new(203, 0, 113, n);
    std::sync::Arc::new(repute_delivery::Egress {
        name: address.to_string(),
        ehlo: domain("mail.example.com"),
        v4: Some(address),
        v6: None,
        narrowed: false,
    })
}

/// A world whose one address warms up.
async fn warming() -> World {
    let mut world = World::unstarted();
    world.state = Some(repute_testkit::State::new());
    (world.egresses, world.warm_up, world.expire) = (vec![egress(10)], vec![0], Some(60 * DAY));
    world.start().await;
    world
}

/// Mail for more than a day waited for an address that warms up, while another of the pool could have sent it.
#[tokio::test(start_paused = true)]
async fn what_is_too_much_for_an_address_that_warms_up_goes_from_one_that_does_not() {
    let mut world = warming().await;
    world.stop().await;
    world.egresses = vec![egress(10), egress(11)];
    let big = world.receiver("big.test", |_, _| "250 2.1.5 ok");
    // A domain prefers always the same of two addresses: that one warms up once, and the other once.
    let mut at_once = Vec::new();
    for warming in [0, 1] {
        let before = big.taken().len();
        world.warm_up = vec![warming];
        world.start().await;
        newsletter(&world, 0..300, "big.test").await;
        pass(MINUTE).await;
        at_once.push(big.taken().len() - before);
        pass(DAY).await;
        assert_eq!(big.taken().len() - before, 300, "nothing waits for another day");
        world.stop().await;
    }
    at_once.sort_unstable();
    // The address that warms up gets no more than its number, and that spread over the day.
    assert!((250..300).contains(&at_once[0]) && at_once[1] == 300, "{at_once:?}");
}

/// What waited already when the second address came goes from it, too; a password reset does not wait for a day to come.
#[tokio::test(start_paused = true)]
async fn an_address_that_comes_to_the_pool_takes_what_waits() {
    let mut world = warming().await;
    let names: Vec<String> = (0..8).map(|n| format!("big{n}.test")).collect();
    let all: Vec<_> = names.iter().map(|name| world.receiver(name, |_, _| "250 2.1.5 ok")).collect();
    for name in &names {
        newsletter(&world, 0..60, name).await;
    }
    pass(HOUR).await;
    let taken = || all.iter().map(|receiver| receiver.taken().len()).sum::<usize>();
    assert!(taken() < 8 * 5, "{}", taken());
    world.reload(|settings| settings.egresses.push(egress(11)));
    pass(HOUR).await;
    // Of those domains that prefer the second address all; of the others what would not have gone today.
    assert!(taken() > 8 * 10, "{}", taken());
    for name in &names {
        for n in 0..70 {
            world.submit("shop@example.com", &[&format!("u{n}@{name}")]).await.unwrap();
        }
    }
    pass(MINUTE).await;
    let urgent = |receiver: &std::sync::Arc<Receiver>| {
        receiver.taken().iter().filter(|taken| taken.to[0].starts_with('u')).count()
    };
    assert_eq!(all.iter().map(urgent).collect::<Vec<_>>(), [70; 8]);
    pass(DAY).await;
    assert_eq!(taken(), 8 * 130);
}

async fn newsletter(world: &World, people: std::ops::Range<usize>, at: &str) {
    for n in people {
        let text = "From: news@news.example\r\nTo: x@y.test\r\nSubject: news\r\n\r\nNews.\r\n";
        world.submit_as(news(), "news@news.example", &[&format!("n{n}@{at}")], text).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_address_sends_little_at_first_and_more_from_day_to_day() {
    let mut world = warming().await;
    let big = world.receiver("big.test", |_, _| "250 2.1.5 ok");
    newsletter(&world, 0..800, "big.test").await;
    let mut days = Vec::new();
    for _ in 0..4 {
        let before = big.taken().len();
        pass(DAY).await;
        days.push(big.taken().len() - before);
    }
    let about = |day: usize, number: usize| (number - number / 20..=number + number / 20 + 1).contains(&days[day]);
    assert!(about(0, 50) && about(1, 100) && about(2, 500), "{days:?}");
    assert_eq!(days.iter().sum::<usize>(), 800, "{days:?}");
    let rows = world.control().status().warm_up;
    assert!(rows[0].step >= 4 && rows[0].egress == "203.0.113.10", "{rows:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restart_forgets_nothing_of_a_warm_up() {
    let mut world = warming().await;
    let big = world.receiver("big.test", |_, _| "250 2.1.5 ok");
    newsletter(&world, 0..300, "big.test").await;
    // Not at midnight, when a day ends.
    pass(2 * DAY + 6 * HOUR).await;
    let before = world.control().status().warm_up.remove(0);
    assert!(before.step > 1 && before.sent > 10, "{before:?}");
    world.stop().await;
    world.start().await;
    let after = world.control().status().warm_up.remove(0);
    // One or two may have gone meanwhile.
    assert!(after.step == before.step && (before.sent..before.sent + 3).contains(&after.sent), "{before:?} {after:?}");
    pass(3 * DAY).await;
    assert_eq!(big.taken().len(), 300);
}

/// Each start began the day anew.
#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_restart_counts_for_the_day() {
    let mut world = warming().await;
    let big = world.receiver("big.test", |_, _| "250 2.1.5 ok");
    for round in 0..3 {
        for n in 0..60 {
            world.submit("shop@example.com", &[&format!("u{round}-{n}@big.test")]).await.unwrap();
        }
        pass(MINUTE).await;
        world.stop().await;
        world.start().await;
    }
    pass(MINUTE).await;
    assert!((50..=56).contains(&big.taken().len()), "{}", big.taken().len());
}

/// The site's rate was forgotten while its address warmed up.
#[tokio::test(start_paused = true)]
async fn a_site_with_a_rate_keeps_to_it_also_while_its_address_warms_up() {
    let mut world = warming().await;
    world.stop().await;
    world.sites = vec![rule(&["b.test"], 1, MINUTE)];
    world.start().await;
    let b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    send(&world, 20, "b.test").await;
    pass(5 * HOUR).await;
    assert!((9..=12).contains(&b.taken().len()), "{}", b.taken().len());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_puts_it_off_keeps_the_address_where_it_is() {
    let mut world = warming().await;
    let _big = world.receiver("big.test", |_, times| match times {
        1 => "421 4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP address",
        _ => "250 2.1.5 ok",
    });
    newsletter(&world, 0..200, "big.test").await;
    pass(4 * DAY).await;
    let rows = world.control().status().warm_up;
    assert_eq!(rows[0].step, 1, "{rows:?}");
}

#[tokio::test(start_paused = true)]
async fn transactional_mail_does_not_wait_while_an_address_warms_up() {
    let mut world = warming().await;
    let big = world.receiver("big.test", |_, _| "250 2.1.5 ok");
    newsletter(&world, 0..200, "big.test").await;
    pass(10 * MINUTE).await;
    for n in 0..20 {
        world.submit("shop@example.com", &[&format!("u{n}@big.test")]).await.unwrap();
    }
    pass(MINUTE).await;
    let of_shop = big.taken().iter().filter(|taken| taken.to[0].starts_with('u')).count();
    assert_eq!(of_shop, 20);
    let list = world.control().list(&Selector { all: true, ..Selector::default() }, 1).await.unwrap();
    let reason = list.rows[0].reason.clone().unwrap();
    assert!(reason.starts_with("its site's rate is 50/d ("), "{reason}");
    assert!(reason.contains(", while 203.0.113.10 warms up): "), "{reason}");
    // Bulk makes up for it.
    let before = big.taken().len();
    pass(4 * HOUR).await;
    assert!(big.taken().len() <= before + 1, "{}", big.taken().len() - before);
}

/// It read how much of the mail of all others waited for the same site.
#[tokio::test(start_paused = true)]
async fn an_account_reads_nothing_of_the_mail_of_others_in_why_its_own_waits() {
    let mut world = World::unstarted();
    world.sites = vec![rule(&["b.test"], 1, HOUR)];
    world.start().await;
    let _b = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    send(&world, 20, "b.test").await;
    pass(MINUTE).await;
    let all = Selector { all: true, ..Selector::default() };
    let whole = world.control().list_for(None, all.clone(), 1).await.unwrap().rows.remove(0);
    assert!(whole.reason.as_ref().unwrap().contains("19 parts share it"), "{whole:?}");
    let own = world.control().list_for(whole.account.as_deref(), all.clone(), 1).await.unwrap().rows.remove(0);
    assert_eq!((own.id, own.next), (whole.id, whole.next));
    assert_eq!(own.reason.as_deref(), Some("its site is sent to at a rate, and its turn has not come"));
    let why = world.control().why_for(whole.account.as_deref(), &whole.id.to_string(), 1).await.unwrap();
    assert_eq!(why.queued[0].reason, own.reason);
    assert_eq!(world.control().list_for(Some("nobody"), all, 1).await.unwrap().rows.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_does_not_warm_up_is_not_counted() {
    let mut world = warming().await;
    world.stop().await;
    (world.egresses, world.warm_up) = (vec![egress(11)], Vec::new());
    world.start().await;
    let big = world.receiver("big.test", |_, _| "250 2.1.5 ok");
    newsletter(&world, 0..200, "big.test").await;
    pass(10 * MINUTE).await;
    assert_eq!(big.taken().len(), 200);
    assert_eq!(world.control().status().warm_up, []);
}
