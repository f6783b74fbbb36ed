//! Mail leaves with a return path that only we can make, and what comes back to it is believed as
//! far as it is tied to a message; once. In simulated time.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod world;

use std::sync::Arc;

use repute_engine::door::{Origin, Returned};
use repute_feedback::{Token, Tokens};
use repute_ledger::suppression::{Query, Scope, Why};
use repute_types::{Content, MessageId, PartId, Reply};
use world::{DAY, MINUTE, Receiver, World, address, domain, pass};

/// A world whose example.com has a return path, with a receiver that takes everything.
async fn world() -> (World, Arc<Receiver>, Arc<Receiver>) {
    let mut world = World::with_ledger().await;
    world.stop().await;
    world.return_path = Some(domain("bounces.example.com"));
    world.start().await;
    let there = world.receiver("a.test", |_, _| "250 2.1.5 ok");
    let home = world.receiver("example.com", |_, _| "250 2.1.5 ok");
    (world, there, home)
}

fn bounce(recipient: &str, action: &str, status: &str, said: &str) -> String {
    format!(
        "From: MAILER-DAEMON@a.test\r\nTo: x@bounces.example.com\r\nSubject: Undelivered Mail Returned to Sender\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.a.test\r\n\r\n\
         Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; {said}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: hello\r\nMessage-ID: <1@example.com>\r\n\r\n--b--\r\n"
    )
}

fn unknown(recipient: &str) -> String {
    bounce(recipient, "failed", "5.1.1", "550 5.1.1 no such user here")
}

async fn comes_back(world: &World, to: &str, from: &str, text: &str) -> Result<MessageId, Reply> {
    world.door().may_return_to(&address(to))?;
    let returned = Returned {
        from: (!from.is_empty()).then(|| address(from)),
        recipients: vec![address(to)],
        content: Content::from(text.as_bytes().to_vec()),
        origin: Origin { client: None, helo: "mx.a.test".into(), tls: None, protocol: "ESMTP" },
    };
    let id = world.door().accept_returned(returned).await?;
    // The reader is a task of its own, and the ledger a thread.
    for _ in 0..200 {
        if world.returned.as_ref().unwrap().unread(1).await.unwrap().is_empty() {
            break;
        }
        pass(MINUTE / 600).await;
    }
    assert!(world.returned.as_ref().unwrap().unread(1).await.unwrap().is_empty(), "it is read");
    Ok(id)
}

async fn listed(world: &World) -> Vec<(String, Scope, Why)> {
    let list = world.control().suppressions(Query { limit: 100, ..Query::default() }).await.unwrap();
    list.entries.into_iter().map(|e| (e.address.to_string(), e.scope, e.why)).collect()
}

#[tokio::test(start_paused = true)]
async fn mail_leaves_with_a_return_path_of_ours_and_a_bounce_to_it_counts_once() {
    let (mut world, there, home) = world().await;
    world.submit("me@example.com", &["ann@a.test", "ben@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let taken = there.taken();
    assert_eq!(taken.len(), 1, "one transaction for both");
    let path = taken[0].from.clone();
    assert!(path.ends_with("@bounces.example.com") && !path.starts_with("me@") && !path.contains('='), "{path}");
    comes_back(&world, &path.to_uppercase(), "", &unknown("Ann@a.test")).await.unwrap();
    assert_eq!(world.came_back(), [("bounced", "ann@a.test".to_owned(), Some("5.1.1".to_owned()))]);
    assert_eq!(listed(&world).await, [("ann@a.test".into(), Scope::All, Why::Unknown)]);
    // A thousand copies, also over a restart, do no more.
    for _ in 0..20 {
        comes_back(&world, &path, "", &unknown("ann@a.test")).await.unwrap();
    }
    world.stop().await;
    world.start().await;
    comes_back(&world, &path, "", &unknown("ann@a.test")).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(world.came_back().len(), 1);
    let notices = home.taken();
    assert_eq!(notices.len(), 1, "its sender is told, once");
    assert_eq!((notices[0].from.as_str(), notices[0].to[0].as_str()), ("", "me@example.com"));
    assert!(notices[0].text.contains("no such user here"), "{}", notices[0].text);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_tied_to_a_message_of_ours_does_nothing() {
    let (mut world, there, home) = world().await;
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let path = there.taken()[0].from.clone();
    assert!(path.ends_with("-ann=a.test@bounces.example.com"), "a recipient that is alone is named in it: {path}");
    // Somebody who never got it; an address with tokens of another key, or of a message that never was.
    comes_back(&world, &path, "", &unknown("victim@b.test")).await.unwrap();
    let part = PartId { message: MessageId::first_at(repute_types::Clock::now(&world.clock)), number: 0 };
    let of = |key: u8| format!("{}@bounces.example.com", Tokens::new(&[key; 32]).write(&Token::Return(part)));
    assert_eq!(comes_back(&world, &of(2), "", &unknown("ann@a.test")).await.unwrap_err().code, 550);
    comes_back(&world, &of(1), "", &unknown("ann@a.test")).await.unwrap();
    for to in ["me@bounces.example.com", "ann@a.test", "me@example.com"] {
        let refused = comes_back(&world, to, "evil@b.test", "Subject: x\r\n\r\nx\r\n").await.unwrap_err();
        assert_eq!(refused.code, 550, "{to}: {refused}");
    }
    // Delays, and answers of machines.
    comes_back(&world, &path, "", &bounce("ann@a.test", "delayed", "4.4.1", "451 4.4.1 not now")).await.unwrap();
    let absent = "From: ann@a.test\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n";
    comes_back(&world, &path, "", absent).await.unwrap();
    comes_back(&world, "postmaster@bounces.example.com", "x@b.test", "Subject: hi\r\n\r\nhi\r\n").await.unwrap();
    assert_eq!(world.came_back(), []);
    assert_eq!(listed(&world).await, []);
    // And when its time is over, not even the right address.
    pass(31 * DAY).await;
    let refused = comes_back(&world, &path, "", &unknown("ann@a.test")).await.unwrap_err();
    assert!(refused.to_string().starts_with("550 5.1.6 this address has expired"), "{refused}");
    assert_eq!(home.taken().len(), 0);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_complaint_and_a_wish_to_leave_suppress_for_the_account() {
    let (mut world, there, home) = world().await;
    for to in ["ann@a.test", "ben@a.test", "eve@a.test"] {
        world.submit("me@example.com", &[to]).await.unwrap();
        pass(MINUTE).await;
    }
    let paths: Vec<_> = there.taken().into_iter().map(|taken| taken.from).collect();
    let complaint = format!(
        "From: fbl@a.test\r\nSubject: abuse\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nspam\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: test/1\r\nVersion: 1\r\n\
         Original-Mail-From: <{}>\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: hello\r\n\r\n--b--\r\n",
        paths[0]
    );
    comes_back(&world, "fbl@bounces.example.com", "fbl@a.test", &complaint).await.unwrap();
    let tokens = Tokens::new(&[1; 32]);
    let Some(Token::Return(part)) = tokens.read(paths[1].split('-').next().unwrap()) else { panic!("{paths:?}") };
    // As List-Unsubscribe has it.
    let leave = format!("unsubscribe+{}@bounces.example.com", tokens.write(&Token::Unsubscribe { part, recipient: 0 }));
    // A machine's answer is nobody's wish.
    let absent = "From: ben@a.test\r\nSubject: away\r\nAuto-Submitted: auto-replied\r\n\r\naway\r\n";
    comes_back(&world, &leave, "ben@a.test", absent).await.unwrap();
    assert_eq!(listed(&world).await.len(), 1);
    for _ in 0..3 {
        comes_back(&world, &leave, "ben@a.test", "From: ben@a.test\r\nSubject: no more\r\n\r\n\r\n").await.unwrap();
    }
    let shop = Scope::of(Some("shop"), None);
    assert_eq!(
        listed(&world).await,
        [("ann@a.test".into(), shop.clone(), Why::Complaint), ("ben@a.test".into(), shop, Why::Unsubscribed)]
    );
    let heard: Vec<_> = world.came_back().into_iter().map(|(what, to, _)| (what, to)).collect();
    assert_eq!(heard, [("complained", "ann@a.test".to_owned()), ("unsubscribed", "ben@a.test".to_owned())]);
    assert_eq!(home.taken().len(), 0, "neither is a failure");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_null_sender_and_domains_without_a_return_path_stay_as_they_are() {
    let (mut world, there, _) = world().await;
    world.submit_text("", &["ann@a.test"], "From: me@example.com\r\nTo: x@y.test\r\n\r\nHello.\r\n").await.unwrap();
    pass(MINUTE).await;
    assert_eq!(there.taken()[0].from, "");
    world.stop().await;
    world.return_path = None;
    world.start().await;
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(there.taken()[1].from, "me@example.com");
    world.stop().await;
}
