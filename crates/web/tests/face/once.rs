//! Requests with a key: one answer, whatever happens between.

use crate::world::{Answer, JSON, SHOP, World};

const KEY: &str = "Idempotency-Key: 5f2b7c1e-1";
const MESSAGE: &str = r#"{"from": "a@example.com", "to": "b@a.test", "text": "x"}"#;

async fn send(world: &World, body: &str) -> Answer {
    world.ask("POST /v1/messages", &[SHOP, JSON, KEY], body.as_bytes()).await
}

async fn waiting(world: &World) -> usize {
    world.engine.control().list(&Default::default(), 100).await.unwrap().rows.len()
}

/// As a crash between the messages and the answer leaves it.
fn forget_answers(world: &World) {
    let db = rusqlite::Connection::open(world.requests()).unwrap();
    assert_eq!(db.execute("UPDATE request SET status = NULL, answer = NULL", []).unwrap(), 1);
}

#[tokio::test]
async fn the_same_request_has_the_same_answer() {
    let world = World::new().await;
    let first = send(&world, MESSAGE).await;
    assert_eq!((first.status, first.field("idempotent-replayed")), (202, None), "{first:?}");
    let again = send(&world, MESSAGE).await;
    assert_eq!((again.status, again.field("idempotent-replayed")), (202, Some("true")));
    assert_eq!((&again.body, waiting(&world).await), (&first.body, 1));
    let other = send(&world, &MESSAGE.replace("\"x\"", "\"y\"")).await;
    assert_eq!((other.status, other.json()["type"].as_str()), (422, Some("/problems/key-reused")));
    let batch = world
        .ask("POST /v1/messages/batch", &[SHOP, JSON, KEY], format!(r#"{{"messages": [{MESSAGE}]}}"#).as_bytes())
        .await;
    assert_eq!((batch.status, waiting(&world).await), (200, 2), "another path is another request: {batch:?}");
    world.end().await;
}

#[tokio::test]
async fn after_a_crash_what_was_accepted_is_not_accepted_again() {
    let world = World::new().await;
    let first = send(&world, MESSAGE).await;
    forget_answers(&world);
    let again = send(&world, MESSAGE).await;
    assert_eq!((again.status, &again.body, waiting(&world).await), (202, &first.body, 1));
    // The crash came before the message: it is accepted now.
    let id = first.json()["id"].as_str().unwrap().to_owned();
    world.ask(&format!("DELETE /v1/messages/{id}"), &[SHOP], b"").await;
    forget_answers(&world);
    let later = send(&world, MESSAGE).await;
    assert_eq!((later.status, waiting(&world).await), (202, 1));
    assert_ne!(later.body, first.body);
    world.end().await;
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let world = World::new().await;
    let refused = send(&world, &MESSAGE.replace("example.com", "elsewhere.test")).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let taken = send(&world, MESSAGE).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    world.end().await;
}

/// The first was taken, and a client that meant the other had its message sent a second time.
#[tokio::test]
async fn of_two_keys_none_is_taken() {
    let world = World::new().await;
    for keys in [[KEY, "Idempotency-Key: another"], [KEY, KEY]] {
        let answer = world.ask("POST /v1/messages", &[SHOP, JSON, keys[0], keys[1]], MESSAGE.as_bytes()).await;
        assert_eq!((answer.status, answer.json()["type"].as_str()), (400, Some("/problems/malformed-request")));
        assert!(answer.body.contains("several fields Idempotency-Key"), "{answer:?}");
    }
    // What a proxy makes of two is none either.
    for key in ["a, b", "a b", "\"", "\"\"", "\"a", &"a".repeat(256)] {
        let field = format!("Idempotency-Key: {key}");
        assert_eq!(
            world.ask("POST /v1/messages", &[SHOP, JSON, &field], MESSAGE.as_bytes()).await.status,
            400,
            "{key}"
        );
    }
    assert_eq!(waiting(&world).await, 0);
    // The draft has it in quotes.
    for key in ["quoted", "\"quoted\""] {
        let field = format!("Idempotency-Key: {key}");
        assert_eq!(
            world.ask("POST /v1/messages", &[SHOP, JSON, &field], MESSAGE.as_bytes()).await.status,
            202,
            "{key}"
        );
    }
    assert_eq!(waiting(&world).await, 1);
    world.end().await;
}

/// It said that the history could not be read, which nobody had asked for.
#[tokio::test]
async fn a_key_that_cannot_be_kept_says_so() {
    let world = World::new().await;
    rusqlite::Connection::open(world.requests()).unwrap().execute("DROP TABLE request", []).unwrap();
    let answer = send(&world, MESSAGE).await;
    assert_eq!((answer.status, answer.json()["type"].as_str()), (503, Some("/problems/unavailable")));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("Idempotency-Key") && !detail.contains("history"), "{detail}");
    assert_eq!(waiting(&world).await, 0);
    world.end().await;
}

#[tokio::test]
async fn many_at_once_are_one() {
    let world = World::new().await;
    let asked = (0..8).map(|_| send(&world, MESSAGE));
    let answers = futures_of(asked).await;
    assert!(answers.iter().all(|a| a.status == 202 || a.status == 409), "{answers:?}");
    assert!(answers.iter().any(|a| a.status == 202));
    assert_eq!(waiting(&world).await, 1);
    world.end().await;
}

/// All of them at once, on this thread.
async fn futures_of<F: Future<Output = Answer>>(all: impl Iterator<Item = F>) -> Vec<Answer> {
    let mut all: Vec<_> = all.map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, answer) in &mut all {
            if answer.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(cx)
            {
                *answer = Some(done);
            }
        }
        if all.iter().all(|(_, answer)| answer.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    all.into_iter().filter_map(|(_, answer)| answer).collect()
}
