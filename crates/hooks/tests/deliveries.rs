//! Webhooks and receivers of every kind, in simulated time.

mod world;

use std::time::Duration;

use repute_hooks::{Selection, Since, Webhook};
use world::{Reply, World, webhook};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(start_paused = true)]
async fn every_event_arrives_in_the_order_of_its_message() {
    let world = World::new(|request, _| match request.count {
        // The first message's first event is refused twice; nothing else is.
        _ if request.is_about(1, "accepted") && request.seen < 2 => Reply::Status(500),
        _ => Reply::Status(204),
    })
    .await;
    for message in 1..=5 {
        world.send(message);
    }
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.taken().len(), 4 * 3, "the other messages do not wait for the first");
    world.pass(10 * MINUTE).await;
    let taken = world.taken();
    assert_eq!(taken.len(), 5 * 3);
    for message in 1..=5 {
        let kinds: Vec<&str> = taken.iter().filter(|r| r.message() == message).map(|r| r.kind()).collect();
        assert_eq!(kinds, ["accepted", "deferred", "delivered"], "message {message}");
    }
    for request in world.requests() {
        assert!(request.is_genuine(), "{request:?}");
        assert_eq!(request.header("webhook-id"), request.body["id"].as_str().unwrap(), "the same id every time");
    }
    let shown = world.hooks.show("shop").await.unwrap();
    assert_eq!((shown.taken, shown.waiting, shown.behind, shown.given_up), (15, 0, 0, 0));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_for_a_day_gets_everything_soon_after() {
    let world = World::new(|_, after| Reply::Status(if after < DAY { 500 } else { 200 })).await;
    for hour in 0..24 {
        for n in 0..10 {
            world.send(hour * 10 + n + 1);
        }
        world.pass(60 * MINUTE).await;
    }
    assert!(world.taken().is_empty());
    let tries = world.requests().len();
    assert!((100..400).contains(&tries), "{tries} requests in a day");
    world.pass(15 * MINUTE).await;
    let taken = world.taken();
    assert_eq!(taken.len(), 240 * 3);
    for message in 1..=240 {
        let kinds: Vec<&str> = taken.iter().filter(|r| r.message() == message).map(|r| r.kind()).collect();
        assert_eq!(kinds, ["accepted", "deferred", "delivered"], "message {message}");
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn three_days_without_success_disable_it_and_resume_loses_nothing() {
    let world = World::new(|_, after| Reply::Status(if after < 5 * DAY { 503 } else { 200 })).await;
    world.send(1);
    world.pass(3 * DAY + 12 * 60 * MINUTE).await;
    let shown = world.hooks.show("shop").await.unwrap();
    assert_eq!(shown.state, "disabled");
    assert!(shown.reason.contains("three days") && shown.reason.contains("503"), "{}", shown.reason);
    assert_eq!(world.incidents(), ["opened"]);
    let tries = world.requests().len();
    world.send(2);
    world.pass(2 * DAY).await;
    assert_eq!(world.requests().len(), tries, "nothing is sent while it is disabled");
    world.hooks.resume("shop").await.unwrap();
    world.pass(MINUTE).await;
    assert_eq!(world.incidents(), ["opened", "closed"]);
    let kinds: Vec<String> = world.taken().iter().map(|r| r.kind().to_owned()).collect();
    assert_eq!(kinds.len(), 6 + 2, "two messages, and the incident itself: {kinds:?}");
    world.end().await;
}

/// The first failure after the weekend disabled it, although hardly anything had been asked.
#[tokio::test(start_paused = true)]
async fn days_in_which_the_server_was_off_are_no_days_of_failures() {
    let mut world = World::new(|_, after| Reply::Status(if after < 4 * DAY + 10 * MINUTE { 503 } else { 200 })).await;
    world.send(1);
    world.pass(10 * MINUTE).await;
    world.restart_after(4 * DAY - 5 * MINUTE).await;
    world.pass(30 * MINUTE).await;
    assert_eq!((world.hooks.show("shop").await.unwrap().state, world.incidents().len()), ("active", 0));
    world.pass(DAY).await;
    assert_eq!(world.taken().len(), 3);
    world.end().await;
}

/// The body, which nobody reads, had to end within the time as well: what had been answered with 200 was sent again for three days,
/// and then the webhook was disabled.
#[tokio::test(start_paused = true)]
async fn who_answers_in_time_has_taken_it_however_long_the_body_goes_on() {
    let world = World::new(|_, _| Reply::Endless).await;
    let hasty = Webhook { timeout: Duration::from_millis(500), ..webhook("shop", world::URL) };
    world.hooks.configure(vec![hasty]).await.unwrap();
    world.send(1);
    world.pass(DAY).await;
    let shown = world.hooks.show("shop").await.unwrap();
    assert_eq!((shown.taken, shown.waiting, world.requests().len()), (3, 0, 3), "{shown:?}");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn gone_is_gone() {
    let world = World::new(|_, _| Reply::Status(410)).await;
    world.send(1);
    world.pass(DAY).await;
    assert_eq!(world.hooks.show("shop").await.unwrap().state, "disabled");
    assert!(world.requests().len() <= 4, "{}", world.requests().len());
    assert_eq!(world.incidents(), ["opened"]);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_says_retry_after_is_left_alone_for_it() {
    let world = World::new(|_, after| match after < MINUTE {
        true => Reply::RetryAfter(120),
        false => Reply::Status(200),
    })
    .await;
    world.send(1);
    world.pass(Duration::from_secs(115)).await;
    assert_eq!(world.requests().len(), 1);
    world.pass(6 * MINUTE).await;
    assert_eq!(world.taken().len(), 3);
    world.end().await;
}

/// Its first rest was half a minute, since four requests that failed together counted as four.
#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_restarted_hears_all_of_it_soon_after() {
    let restarted = Duration::from_millis(500);
    let world = World::new(move |_, after| Reply::Status(if after < restarted { 503 } else { 204 })).await;
    for message in 1..=40 {
        world.send(message);
    }
    world.pass(Duration::from_secs(12)).await;
    assert_eq!(world.taken().len(), 40 * 3);
    world.end().await;
}

/// The success of a fourth request, which was under way, made us forget what the three before it were told.
#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_although_a_request_that_was_under_way_succeeds() {
    let asked = Duration::from_secs(20);
    let world = World::new(|request, _| match request.count {
        1..=3 => Reply::RetryAfter(20),
        _ => Reply::Status(204),
    })
    .await;
    for message in 1..=40 {
        world.send(message);
    }
    world.pass(asked - Duration::from_secs(1)).await;
    let heard = world.requests().len();
    assert!((3..=4).contains(&heard), "{heard} requests within the time that was asked for");
    world.pass(MINUTE).await;
    assert_eq!(world.taken().len(), 40 * 3);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_on_one_message_takes_the_others() {
    let world = World::new(|request, after| match request.message() == 1 && after < DAY {
        true => Reply::Hang,
        false => Reply::Status(200),
    })
    .await;
    for message in 1..=20 {
        world.send(message);
    }
    world.pass(MINUTE).await;
    let others = world.taken().iter().filter(|r| r.message() != 1).count();
    assert_eq!(others, 19 * 3);
    let shown = world.hooks.show("shop").await.unwrap();
    assert!(shown.last_failure.contains("no answer within 15 s"), "{}", shown.last_failure);
    world.pass(3 * DAY).await;
    assert_eq!(world.taken().len(), 20 * 3);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_alone_is_refused_for_days_is_given_up_and_can_be_sent_by_hand() {
    let world = World::new(|request, after| match request.is_about(1, "accepted") && after < 5 * DAY {
        true => Reply::Status(400),
        false => Reply::Status(200),
    })
    .await;
    world.send(1);
    for message in 2..500 {
        world.send(message);
        world.pass(12 * MINUTE).await;
    }
    let shown = world.hooks.show("shop").await.unwrap();
    assert_eq!((shown.state, shown.given_up, shown.waiting), ("active", 1, 0));
    assert!(world.notes().iter().any(|note| note.contains("ten times")), "{:?}", world.notes());
    let kinds: Vec<String> = world.taken().iter().filter(|r| r.message() == 1).map(|r| r.kind().to_owned()).collect();
    assert_eq!(kinds, ["deferred", "delivered"], "what stood behind went on");
    world.pass(DAY).await;
    let selection = Selection { message: Some(World::id(1)), ..Selection::default() };
    assert_eq!(world.hooks.redeliver("shop", selection).await.unwrap().events, 3);
    world.pass(MINUTE).await;
    let kinds: Vec<String> = world.taken().iter().filter(|r| r.message() == 1).map(|r| r.kind().to_owned()).collect();
    assert_eq!(kinds, ["deferred", "delivered", "accepted", "deferred", "delivered"]);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn redirects_are_not_followed_and_inside_addresses_not_called() {
    // Whatever else is connected to fails the test.
    let world = World::new(|_, _| Reply::Redirect("http://127.0.0.1/admin")).await;
    world.send(1);
    world.pass(MINUTE).await;
    let shown = world.hooks.show("shop").await.unwrap();
    assert!(shown.last_failure.contains("not followed"), "{}", shown.last_failure);
    assert!(world.taken().is_empty());
    for (url, why) in [
        ("https://rebound.example/", "which is not called: it is private"),
        ("https://metadata.example/", "which is not called: it is link-local"),
        ("https://wrapped.example/", "which is not called: it is the machine itself"),
        ("https://localhost/", "allow_private"),
        ("https://[::ffff:10.0.0.1]/", "it is private"),
        ("https://nowhere.example/", "has no address"),
    ] {
        world.hooks.configure(vec![webhook("shop", url)]).await.unwrap();
        let tried = world.hooks.test("shop").await.unwrap();
        assert!(!tried.taken && tried.text.contains(why), "{url}: {}", tried.text);
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn batches_are_full_or_have_waited_and_stay_the_same() {
    let world =
        World::new(|request, _| Reply::Status(if request.seen == 0 && request.count == 1 { 500 } else { 200 })).await;
    let mut batched = webhook("shop", world::URL);
    batched.batch = 100;
    batched.batch_wait = Duration::from_secs(5);
    world.hooks.configure(vec![batched]).await.unwrap();
    world.pass(Duration::from_secs(1)).await;
    for message in 1..=50 {
        world.send(message);
    }
    world.pass(Duration::from_secs(4)).await;
    assert_eq!(world.requests().len(), 1, "the full one went at once, the other waits");
    world.pass(MINUTE).await;
    let requests = world.requests();
    let sizes: Vec<usize> = requests.iter().map(|r| r.body["data"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [100, 48, 100, 1, 1], "refused, the rest, the same again, and what stood behind it");
    assert_eq!(requests[0].header("webhook-id"), requests[2].header("webhook-id"));
    assert_eq!(requests[0].body, requests[2].body);
    assert_ne!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    assert!(requests.iter().all(world::Request::is_genuine));
    world.end().await;
}

/// The others waited five minutes more, until the batch was taken apart and its next attempt had come.
#[tokio::test(start_paused = true)]
async fn one_event_that_is_refused_does_not_keep_its_batch_waiting() {
    let world = World::new(|request, _| {
        let is_it = |event: &serde_json::Value| event["data"]["message"] == world::World::id(7).to_string();
        let refused = request.body["data"].as_array().is_some_and(|events| events.iter().any(is_it));
        Reply::Status(if refused { 500 } else { 200 })
    })
    .await;
    let mut batched = webhook("shop", world::URL);
    batched.batch = 100;
    world.hooks.configure(vec![batched]).await.unwrap();
    for message in 1..=20 {
        world.send(message);
    }
    world.pass(Duration::from_secs(30)).await;
    let taken: usize = world.taken().iter().map(|r| r.body["data"].as_array().map_or(1, Vec::len)).sum();
    assert_eq!(taken, 19 * 3);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_it_was() {
    let mut world = World::new(|_, after| Reply::Status(if after < 10 * MINUTE { 500 } else { 200 })).await;
    for message in 1..=30 {
        world.send(message);
    }
    world.pass(MINUTE).await;
    world.restart().await;
    world.send(31);
    world.pass(30 * MINUTE).await;
    let taken = world.taken();
    for message in 1..=31 {
        let kinds: Vec<&str> = taken.iter().filter(|r| r.message() == message).map(|r| r.kind()).collect();
        assert_eq!(kinds, ["accepted", "deferred", "delivered"], "message {message}");
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn paused_is_kept_and_other_accounts_are_not_told() {
    let world = World::new(|_, _| Reply::Status(200)).await;
    let mut blog = webhook("blog", world::URL);
    blog.account = Some("blog".into());
    world.hooks.configure(vec![webhook("shop", world::URL), blog]).await.unwrap();
    world.hooks.pause("shop").await.unwrap();
    world.pass(Duration::from_secs(1)).await;
    world.send(1);
    world.pass(MINUTE).await;
    assert!(world.requests().is_empty());
    assert_eq!(world.hooks.show("shop").await.unwrap().behind, 3);
    world.hooks.resume("shop").await.unwrap();
    world.pass(MINUTE).await;
    assert_eq!(world.taken().len(), 3, "once, by the one webhook");
    assert!(world.hooks.pause("shopp").await.unwrap_err().to_string().contains("no webhook"));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_taken_up_where_it_was_left() {
    let world = World::new(|_, _| Reply::Status(200)).await;
    world.send(1);
    let mut all = world.feed().subscribe(Since::Start, repute_hooks::Filter::ALL);
    let first = all.next().await.unwrap().unwrap();
    assert_eq!((first.events.len(), first.gap), (3, false));
    world.send(2);
    let mut after = world.feed().subscribe(Since::After(first.events[1].id), repute_hooks::Filter::ALL);
    assert_eq!(after.next().await.unwrap().unwrap().events.len(), 4);
    assert!(after.ready().await.unwrap().is_none());
    assert_eq!(after.position(), *world.feed().newest().borrow());
    world.end().await;
}
