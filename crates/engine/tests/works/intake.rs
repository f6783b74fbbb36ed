//! What is refused at the door, and that each refusal names its cure.

use repute_engine::bulk::words::{Add, BulkError};

use crate::world::campaigns::{add, begin, launched, row};
use crate::world::*;

async fn refusal(from: &str, text: &str) -> String {
    let world = World::new().await;
    world.submit_text(from, &["bob@b.test"], text).await.expect_err("it is refused").to_string()
}

fn letter(from: &str) -> String {
    format!("From: {from}\r\nTo: bob@b.test\r\nSubject: hello\r\n\r\nHello.\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_is_not_set_up_is_refused_with_the_way_to_set_it_up() {
    let reply = refusal("a@stranger.test", &letter("a@stranger.test")).await;
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    assert!(reply.contains("repute domain add stranger.test"), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn a_domain_of_another_account_is_refused() {
    let reply = refusal("a@other.test", &letter("a@other.test")).await;
    assert!(reply.contains("add \"other.test\" to the domains of [[account]] \"shop\""), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn a_from_field_outside_the_accounts_domains_is_refused_whatever_the_envelope_says() {
    let reply = refusal("a@example.com", &letter("ceo@other.test")).await;
    assert!(reply.contains("other.test (From)"), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn a_domain_without_a_usable_key_is_refused_never_sent_unsigned() {
    let reply = refusal("a@keyless.test", &letter("a@keyless.test")).await;
    assert!(reply.starts_with("550 5.7.20 "), "{reply}");
    assert!(reply.contains("repute domain add keyless.test"), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn two_from_fields_are_refused() {
    let text = format!("From: eve@example.com\r\n{}", letter("a@example.com"));
    let reply = refusal("a@example.com", &text).await;
    assert!(reply.starts_with("550 5.6.0 "), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_a_temporary_refusal_and_nothing_is_kept() {
    let world = World::new().await;
    world.spool.set_disk(repute_spool::memory::Disk::Full);
    let reply = world.submit("a@example.com", &["bob@b.test"]).await.unwrap_err();
    assert_eq!(reply.code, 452);
    world.spool.set_disk(repute_spool::memory::Disk::Good);
    assert!(world.spool.is_empty());
}

/// By a campaign whoever stole an account sent a list of any length, whatever the rate.
#[tokio::test(start_paused = true)]
async fn the_rows_of_a_list_count_for_the_rate_of_its_account() {
    let world = World::new().await;
    let rate = repute_queue::Rate { count: 3, per: HOUR };
    world.reload(|settings| settings.accounts.change(|all| all[1].rate = Some(rate)));
    let id = world.control().begin(begin("autumn")).await.unwrap().id;
    let rows = |from: u32, to: u32| (from..to).map(|n| row(&format!("p{n}@b.test"), "Ann")).collect::<Vec<_>>();
    let left = || world.door().allowance("news").unwrap().left;
    // Of a row that nobody is written to for nothing is counted.
    let none = add(&world, id, 0, &[row("nobody", "Ann")]).await;
    assert_eq!((none.taken, left()), (0, 3));
    assert_eq!(add(&world, id, 1, &rows(1, 3)).await.taken, 2);
    assert_eq!(left(), 1);
    // What empties the bucket is taken whole.
    assert_eq!(add(&world, id, 3, &rows(3, 6)).await.next_row, 6);
    let more = || Add { id, first_row: 6, rows: rows(6, 7) };
    let error = world.control().add(more()).await.unwrap_err();
    let told = "account news has handed in as much mail as its rate allows (3/h): send the rest in 3600 s, or raise `rate` of its \
                [[account]]. The rows so far are kept: the same list goes on behind them";
    assert_eq!(error.to_string(), told);
    let BulkError::Rate { wait, .. } = error else { panic!("{error:?}") };
    pass(wait).await;
    assert_eq!(world.control().add(more()).await.unwrap().next_row, 7);
    // What was not kept costs nothing.
    pass(3 * HOUR).await;
    world.spool.set_disk(repute_spool::memory::Disk::Full);
    let full = world.control().add(Add { id, first_row: 7, rows: rows(7, 9) }).await;
    assert!(matches!(full, Err(BulkError::Spool(_))), "{full:?}");
    assert_eq!(left(), 3);
}

/// Clients of SES were told that nothing was.
#[tokio::test(start_paused = true)]
async fn what_an_account_sent_within_a_day_is_counted() {
    let world = World::with_ledger().await;
    let sent = async |account: &str| world.control().sent_in_a_day(account).await.unwrap();
    assert_eq!(sent("shop").await, 0);
    world.submit("shop@example.com", &["ann@b.test", "bob@b.test"]).await.unwrap();
    world.submit("shop@example.com", &["ann@b.test"]).await.unwrap();
    launched(&world, "autumn", &["a@b.test", "b@b.test", "c@b.test"]).await;
    assert_eq!((sent("shop").await, sent("news").await), (3, 3));
    pass(DAY + MINUTE).await;
    world.submit("shop@example.com", &["eve@b.test"]).await.unwrap();
    assert_eq!((sent("shop").await, sent("news").await), (1, 0));
}

/// An account without bounds hands in whatever whoever stole it likes.
#[tokio::test(start_paused = true)]
async fn an_account_that_has_handed_in_its_rate_is_told_when_to_go_on_and_what_is_refused_costs_it_nothing() {
    let world = World::new().await;
    let rate = repute_queue::Rate { count: 2, per: HOUR };
    world.reload(|settings| settings.accounts.change(|all| all[0].rate = Some(rate)));
    world.spool.set_disk(repute_spool::memory::Disk::Full);
    for _ in 0..3 {
        assert_eq!(world.submit("a@example.com", &["bob@b.test"]).await.unwrap_err().code, 452);
    }
    world.spool.set_disk(repute_spool::memory::Disk::Good);
    for _ in 0..2 {
        world.submit("a@example.com", &["bob@b.test"]).await.unwrap();
    }
    let told = "450 4.7.1 account shop has handed in as much mail as its rate allows (2/h): send the rest in 1800 s, or \
                raise `rate` of its [[account]]";
    assert_eq!(world.submit("a@example.com", &["bob@b.test"]).await.unwrap_err().to_string(), told);
    // At MAIL FROM too, before the content is brought.
    let early = world.door().may_send_from(&shop(), Some(&address("a@example.com"))).unwrap_err();
    assert_eq!(early.to_string(), told);
    let of_others = "From: news@news.example\r\nTo: x@y.test\r\nSubject: news\r\n\r\nNews.\r\n";
    world.submit_as(news(), "news@news.example", &["bob@b.test"], of_others).await.unwrap();
    pass(30 * MINUTE).await;
    world.submit("a@example.com", &["bob@b.test"]).await.unwrap();
    world.reload(|settings| settings.accounts.change(|all| all[0].rate = None));
    world.submit("a@example.com", &["bob@b.test"]).await.unwrap();
}
