//! A spool whose disk is full or fails: who is told, when it ends, and what an operator can still do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use repute_dns::ServersFake;
use repute_engine::bulk::words::Add;
use repute_engine::control::Selector;
use repute_engine::permit::TrustDoors;
use repute_ledger::Trust;
use repute_spool::memory::Disk;
use tokio::time::sleep;

use crate::world::campaigns::{add, begin, row};
use crate::world::*;

async fn refused(world: &World, messages: usize) {
    for _ in 0..messages {
        let reply = world.submit("a@example.com", &["bob@b.test"]).await.unwrap_err();
        assert_eq!(reply.code, 452);
    }
}

/// Incidents as `repute incidents` has them: `spool.disk`, and whether it is open.
async fn listed(world: &World) -> Vec<(String, bool)> {
    let found = world.control().incidents(10).await.unwrap();
    found.into_iter().map(|one| (one.what, one.closed.is_none())).collect()
}

fn spool_notes(world: &World) -> Vec<String> {
    world.notes().into_iter().filter(|note| note.contains("refused for now")).collect()
}

/// Every message got 452, `/readyz` said "ready", nothing stood in `repute incidents`, and the log had two lines a message.
#[tokio::test(start_paused = true)]
async fn a_full_disk_was_told_to_nobody() {
    let world = World::new().await;
    world.spool.set_disk(Disk::Full);
    refused(&world, 5).await;
    let not_ready = world.control().ready().await.unwrap_err().to_string();
    assert!(not_ready.contains("the disk of the state folder is full"), "{not_ready}");
    assert_eq!(listed(&world).await, [("spool.disk".to_owned(), true)]);
    let cure = world.control().incidents(0).await.unwrap()[0].cure.clone();
    assert!(cure.contains("make room"), "{cure}");
    assert_eq!(world.incident_lines(), ["opened spool.disk the spool"]);
    assert_eq!((world.refusals(), spool_notes(&world).len()), (0, 0), "one line for all of them");

    // Counted each minute, as long as some are refused.
    sleep(Duration::from_secs(61)).await;
    refused(&world, 2).await;
    sleep(Duration::from_secs(600)).await;
    let counts = spool_notes(&world);
    assert!(counts[0].starts_with("5 messages were refused") && counts[1].starts_with("2 messages"), "{counts:?}");
    assert_eq!(counts.len(), 2);

    world.spool.set_disk(Disk::Good);
    world.control().ready().await.unwrap();
    world.submit("a@example.com", &["bob@b.test"]).await.unwrap();
    sleep(Duration::from_secs(12)).await;
    assert_eq!(world.incident_lines().last().unwrap(), "closed spool.disk the spool");
    let (_, _, _, said) = world.incidents().pop().unwrap();
    assert!(said.contains("after 11 min; 7 messages were refused"), "{said}");
    assert_eq!(listed(&world).await, []);
}

/// A load balancer that heeds `/readyz` sends nothing that could be refused, or taken again.
#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_is_told_and_over_without_mail() {
    let world = World::new().await;
    world.spool.set_disk(Disk::ReadOnly);
    sleep(Duration::from_secs(61)).await;
    let opened = world.incidents();
    assert!(opened[0].3.contains("the disk of the state folder fails: "), "{opened:?}");
    world.spool.set_disk(Disk::Good);
    sleep(Duration::from_secs(12)).await;
    assert_eq!(world.incident_lines(), ["opened spool.disk the spool", "closed spool.disk the spool"]);
    assert_eq!(spool_notes(&world), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_with_the_incident() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::unstarted();
    let store = Arc::new(Trust::open(&folder.path().join("trust.sqlite")).unwrap());
    world.trust = Some(TrustDoors { dns: Arc::new(ServersFake::parse("")), network: None, store, own: None });
    world.start().await;
    world.spool.set_disk(Disk::Full);
    refused(&world, 1).await;
    sleep(Duration::from_secs(2)).await;
    let ids = async |world: &World| -> Vec<u64> {
        let found = world.control().incidents(10).await.unwrap().into_iter();
        found.filter(|one| one.what == "spool.disk").map(|one| one.id).collect()
    };
    let before = ids(&world).await;
    assert_eq!(before.len(), 1);
    world.stop().await;
    world.start().await;
    refused(&world, 1).await;
    assert_eq!(ids(&world).await, before, "the same one, told once");
    world.spool.set_disk(Disk::Good);
    sleep(Duration::from_secs(15)).await;
    let of_disk: Vec<_> = world.incident_lines().into_iter().filter(|line| line.contains("spool.disk")).collect();
    assert_eq!(of_disk, ["opened spool.disk the spool", "closed spool.disk the spool"]);
    // Written, with its end.
    assert!(listed(&world).await.contains(&("spool.disk".to_owned(), false)));
}

/// "The spool cannot be read or written now", and everything was held all the same.
#[tokio::test(start_paused = true)]
async fn what_an_operator_does_on_a_disk_that_refuses_is_done_and_says_that_it_is_not_written() {
    let mut world = World::new().await;
    let _receiver = world.receiver("b.test", |_, _| "451 4.3.0 not now");
    world.submit("a@example.com", &["bob@b.test"]).await.unwrap();
    world.submit("a@example.com", &["eve@b.test"]).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    world.spool.set_disk(Disk::Full);
    let all = Selector { all: true, ..Selector::default() };
    let held = world.control().hold(&all, "by an operator").await.unwrap();
    assert_eq!((held.now, held.unwritten), (2, true));
    let states = async |world: &World| -> Vec<&'static str> {
        world.control().list(&all, 10).await.unwrap().rows.iter().map(|row| row.state).collect()
    };
    assert_eq!(states(&world).await, ["held", "held"]);
    // What comes next is done as well, although the disk refuses already.
    let bob = Selector { recipient: Some(address("bob@b.test")), ..Selector::default() };
    let cancelled = world.control().cancel(&bob, "the operator").await.unwrap();
    assert_eq!((cancelled.now, cancelled.unwritten), (1, true));
    assert_eq!(states(&world).await, ["held"]);
    world.spool.set_disk(Disk::Good);
    world.stop().await;
    world.start().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(states(&world).await, ["held"]);
    let released = world.control().release(&all).await.unwrap();
    assert_eq!((released.now, released.unwritten), (1, false));
}

/// A list that comes in was refused without a word to anybody but the client, and in no count.
#[tokio::test(start_paused = true)]
async fn rows_of_a_list_that_the_disk_refuses_are_told_and_counted() {
    let world = World::new().await;
    let id = world.control().begin(begin("autumn")).await.unwrap().id;
    world.spool.set_disk(Disk::Full);
    let rows = [row("ann@b.test", "Ann"), row("bob@b.test", "Bob")];
    world.control().add(Add { id, first_row: 0, rows: rows.to_vec() }).await.unwrap_err();
    world.control().begin(begin("winter")).await.unwrap_err();
    assert_eq!(world.incident_lines(), ["opened spool.disk the spool"]);
    sleep(Duration::from_secs(61)).await;
    assert!(spool_notes(&world)[0].starts_with("3 messages were refused"), "{:?}", spool_notes(&world));
    world.spool.set_disk(Disk::Good);
    assert_eq!(add(&world, id, 0, &rows).await.taken, 2);
}

/// A file system became read-only, as ext4 does after an error: the queue went on being delivered, and after the restart that mends
/// it all of that went again.
#[tokio::test(start_paused = true)]
async fn while_the_disk_fails_little_is_delivered_that_a_restart_would_send_again() {
    let mut world = World::new().await;
    let up = Arc::new(AtomicBool::new(false));
    let is_up = up.clone();
    let receiver = world
        .receiver("b.test", move |_, _| if is_up.load(Ordering::SeqCst) { "250 2.1.5 ok" } else { "451 4.3.0 later" });
    for n in 0..400 {
        world.submit("a@example.com", &[&format!("p{n}@b.test")]).await.unwrap();
    }
    sleep(Duration::from_secs(60)).await;
    world.spool.set_disk(Disk::ReadOnly);
    up.store(true, Ordering::SeqCst);
    sleep(Duration::from_secs(3600)).await;
    let delivered = receiver.taken().len();
    assert!((1..150).contains(&delivered), "{delivered} were delivered");
    world.spool.set_disk(Disk::Good);
    sleep(Duration::from_secs(600)).await;
    let mut all: Vec<String> = receiver.taken().into_iter().flat_map(|taken| taken.to).collect();
    all.sort();
    all.dedup();
    assert_eq!((all.len(), receiver.taken().len()), (400, 400), "each is delivered once");
}
