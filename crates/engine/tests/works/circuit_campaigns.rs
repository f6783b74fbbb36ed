//! A campaign with a bad list is stopped as a whole, by itself: its account's other mail goes on, nothing is written for
//! its recipients, a restart changes nothing, and a person's word lets it go. In simulated time.

use std::sync::Arc;

use repute_dns::ServersFake;
use repute_engine::bulk::words::{Add, Begin, Campaign, Row, State};
use repute_engine::control::Selector;
use repute_engine::permit::TrustDoors;
use repute_ledger::Trust;
use repute_types::EventKind;

use crate::world::{HOUR, MINUTE, Receiver, World, news, pass};

const LETTER: &str =
    "From: News <news@news.example>\nTo: {{ email }}\nSubject: Hello\n\nLeave at {{ unsubscribe_url }}\n";

async fn launched(world: &World, campaign: &str, to: &[String]) {
    let control = world.control();
    let (account, campaign) = ("news".to_owned(), campaign.to_owned());
    let (letter, fields, tags) = (LETTER.to_owned(), Vec::new(), Vec::new());
    let begin = Begin { account, campaign: campaign.clone(), list: None, letter, fields, tags };
    let id = control.begin(begin).await.unwrap().id;
    let rows = to.iter().map(|email| Row { email: email.clone(), values: Vec::new() }).collect();
    assert_eq!(control.add(Add { id, first_row: 0, rows }).await.unwrap().refused, []);
    control.launch(&campaign).await.unwrap();
}

/// Those who do not exist first.
fn list(gone: usize, here: usize) -> Vec<String> {
    let gone = (0..gone).map(|n| format!("gone{n}@a.test"));
    gone.chain((0..here).map(|n| format!("here{n}@a.test"))).collect()
}

fn receiver(world: &mut World) -> std::sync::Arc<Receiver> {
    world.receiver("a.test", |to, _| match to.starts_with("gone") {
        true => "550 5.1.1 no such user here",
        false => "250 2.1.5 ok",
    })
}

async fn shown(world: &World, campaign: &str) -> Campaign {
    world.control().campaign(campaign).await.unwrap()
}

async fn by_newsletter(world: &World, to: &str) {
    let text = "From: news@news.example\r\nTo: x@y.test\r\nSubject: reset\r\n\r\nYour password.\r\n";
    world.submit_as(news(), "news@news.example", &[to], text).await.unwrap();
}

/// Events of a whole campaign, and of parts: held, released.
fn told(world: &World) -> [usize; 4] {
    [
        world.count(|kind| matches!(kind, EventKind::Held { part: None, .. })),
        world.count(|kind| matches!(kind, EventKind::Held { part: Some(_), .. })),
        world.count(|kind| matches!(kind, EventKind::Released { part: None, .. })),
        world.count(|kind| matches!(kind, EventKind::Released { part: Some(_), .. })),
    ]
}

/// It was gone as if it had never been.
#[tokio::test(start_paused = true)]
async fn a_circuit_that_was_closed_is_among_the_closed_incidents() {
    let mut world = World::with_ledger().await;
    world.stop().await;
    let store = Arc::new(Trust::open(&world.state.as_ref().unwrap().join("trust.sqlite")).unwrap());
    world.trust = Some(TrustDoors { dns: Arc::new(ServersFake::parse("")), network: None, store, own: None });
    world.permit.enforce = false;
    world.start().await;
    let _there = receiver(&mut world);
    launched(&world, "bad", &list(15, 60)).await;
    pass(MINUTE).await;
    let id = world.control().campaign("bad").await.unwrap().circuit.unwrap().incident;
    world.control().continue_circuit("news/bad", "ann").await.unwrap();
    let has = |list: Vec<repute_ledger::Incident>| list.into_iter().find(|one| one.id == id);
    assert!(has(world.control().incidents(0).await.unwrap()).is_none());
    let closed = has(world.control().incidents(100).await.unwrap()).unwrap();
    assert!(closed.closed.is_some() && closed.text.starts_with("ann let its mail go on"), "{closed:?}");
    assert_eq!(
        (closed.what.as_str(), closed.subject.as_str()),
        ("circuit.unknown", "campaign \"bad\" of account news")
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_campaign_is_stopped_alone_as_a_whole_and_one_word_lets_it_go_on() {
    let mut world = World::with_ledger().await;
    let there = receiver(&mut world);
    launched(&world, "bad", &list(15, 60)).await;
    pass(MINUTE).await;
    let incidents = world.incidents();
    assert_eq!(incidents.len(), 1, "the account's circuit does not open beside it: {incidents:?}");
    let (state, what, subject, text) = &incidents[0];
    assert_eq!((*state, what.as_str()), ("opened", "circuit.unknown"));
    assert_eq!(subject, "campaign \"bad\" of account news");
    assert!(text.contains("recipients do not exist: gone"), "{text}");
    let bad = shown(&world, "bad").await;
    assert!(bad.waiting > 0 && bad.state == State::Running, "{bad:?}");
    let circuit = bad.circuit.clone().unwrap();
    assert_eq!((circuit.name.as_str(), &circuit.text), ("news/bad", text));
    assert!(circuit.cure.contains("repute circuit continue news/bad`"), "{}", circuit.cure);
    assert_eq!(told(&world), [1, 0, 0, 0], "one event for all of it");

    // What else the account sends goes on.
    by_newsletter(&world, "ann@a.test").await;
    launched(&world, "good", &["ben@a.test".to_owned()]).await;
    pass(MINUTE).await;
    let to: Vec<_> =
        there.taken().into_iter().flat_map(|taken| taken.to).filter(|to| !to.starts_with("here")).collect();
    assert_eq!(to, ["ann@a.test", "ben@a.test"]);

    // Nothing was written for its parts; a restart, and a word on the parts, change nothing.
    world.stop().await;
    world.start().await;
    pass(HOUR).await;
    world.control().release(&Selector { all: true, ..Selector::default() }).await.unwrap();
    world.control().retry(&Selector { all: true, ..Selector::default() }).await.unwrap();
    pass(HOUR).await;
    let again = shown(&world, "bad").await;
    assert_eq!((again.waiting, again.delivered, again.circuit.is_some()), (bad.waiting, bad.delivered, true));
    let rows = world.control().list(&Selector::default(), 100).await.unwrap().rows;
    assert_eq!(rows.len() as u64, bad.waiting);
    let held = world.control().list(&Selector { held: true, ..Selector::default() }, 100).await.unwrap().rows;
    assert_eq!(held.len(), rows.len(), "what the list shows as held is held to it");
    for row in &rows {
        let reason = row.reason.as_deref().unwrap();
        assert!(
            row.state == "held" && reason.starts_with("the circuit of campaign \"bad\" of account news is open"),
            "{row:?}"
        );
    }

    let said = world.control().continue_circuit("news/bad", "ann").await.unwrap();
    assert_eq!((said.now as u64, said.still), (bad.waiting, vec![]));
    pass(MINUTE).await;
    let done = shown(&world, "bad").await;
    assert_eq!(
        (done.state, done.delivered, done.failed),
        (State::Done, 60, 15),
        "what was told before opens nothing again"
    );
    assert_eq!(told(&world), [1, 0, 1, 0]);
    let (state, .., text) = world.incidents().pop().unwrap();
    assert_eq!(state, "closed");
    let begins = "ann let its mail go on, 2 h 2 min after it was stopped because: ";
    assert!(text.starts_with(begins) && text.contains("do not exist: gone"), "{text}");
    assert_eq!(world.control().circuits().open.len(), 0);
    assert!(world.spool.is_empty());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_accounts_circuit_holds_its_campaigns_as_wholes_and_what_holds_them_still_is_told() {
    let mut world = World::with_ledger().await;
    let there = receiver(&mut world);
    launched(&world, "bad", &list(15, 60)).await;
    pass(MINUTE).await;
    // Its other mail is bad by itself.
    for n in 100..111 {
        by_newsletter(&world, &format!("gone{n}@a.test")).await;
        pass(MINUTE).await;
    }
    let opened: Vec<_> =
        world.incidents().into_iter().map(|(state, _, subject, text)| (state, subject, text)).collect();
    assert_eq!(opened.len(), 2, "{opened:?}");
    assert_eq!(opened[1].1, "account news");
    assert!(
        opened[1].2.starts_with("11 of 11 recipients do not exist: gone100@a.test"),
        "without the campaign's: {}",
        opened[1].2
    );
    by_newsletter(&world, "ann@a.test").await;
    launched(&world, "good", &["ben@a.test".to_owned(), "carol@a.test".to_owned()]).await;
    pass(MINUTE).await;
    assert_eq!(told(&world)[0], 2, "the good campaign is held from its launch");
    assert_eq!(shown(&world, "good").await.circuit.unwrap().name, "news");

    // One word does what it says, and says what it does not do.
    let control = world.control();
    let said = control.continue_circuit("news/bad", "ann").await.unwrap();
    assert_eq!(said.now, 0);
    assert_eq!(said.still.len(), 1, "{said:?}");
    assert!(said.still[0].name == "news" && said.still[0].cure.contains("repute circuit continue news`"), "{said:?}");
    control.pause("bad", "who wrote this list?").await.unwrap();
    let waiting = shown(&world, "bad").await.waiting;
    let said = control.continue_circuit("news", "ann").await.unwrap();
    assert_eq!(said.now, 3, "a message and two recipients: {said:?}");
    assert_eq!(said.still.len(), 1);
    assert!(
        said.still[0].text.contains("who wrote this list?") && said.still[0].cure.contains("repute bulk resume"),
        "{said:?}"
    );
    pass(MINUTE).await;
    let to: Vec<_> =
        there.taken().into_iter().flat_map(|taken| taken.to).filter(|to| !to.starts_with("here")).collect();
    assert_eq!(to.len(), 3, "{to:?}");
    assert_eq!(shown(&world, "bad").await.waiting, waiting);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_circuit_cancels_its_campaign_and_forgives_its_account() {
    let mut world = World::with_ledger().await;
    let there = receiver(&mut world);
    launched(&world, "bad", &list(15, 60)).await;
    pass(MINUTE).await;
    let waiting = shown(&world, "bad").await.waiting;
    let changes = world.control().cancel_circuit("news/bad", "ann").await.unwrap();
    assert_eq!(changes.now as u64, waiting);
    pass(MINUTE).await;
    let bad = shown(&world, "bad").await;
    assert_eq!((bad.state, bad.cancelled, bad.circuit), (State::Cancelled, waiting, None));
    let (state, .., text) = world.incidents().pop().unwrap();
    assert!(state == "closed" && text.starts_with("ann took its mail out of the queue, 1 min after"), "{text}");
    // A few more who do not exist do not open the account's circuit by the campaign's old figures.
    for n in 0..5 {
        by_newsletter(&world, &format!("gone20{n}@a.test")).await;
    }
    by_newsletter(&world, "ann@a.test").await;
    pass(MINUTE).await;
    assert_eq!(world.control().circuits().open.len(), 0);
    assert_eq!(there.taken().pop().unwrap().to, ["ann@a.test"]);
    world.stop().await;
}
