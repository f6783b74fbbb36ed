//! Mail leaves with a return path that only we can make, and what comes back to it is believed as
//! far as it is tied to a message; once. In simulated time.

use std::sync::Arc;

use repute_engine::door::{Origin, Returned};
use repute_feedback::{Token, Tokens};
use repute_ledger::suppression::{Query, Scope, Why};
use repute_types::{Address, Content, MessageId, PartId, Reply};

use crate::world::{DAY, MINUTE, Receiver, World, address, domain, pass};

/// A world whose example.com has a return path, with a receiver that takes everything.
pub async fn world() -> (World, Arc<Receiver>, Arc<Receiver>) {
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

async fn is_brought(world: &World, to: &str, from: &str, text: &str) -> Result<MessageId, Reply> {
    world.door().may_return_to(&address(to))?;
    let returned = Returned {
        from: (!from.is_empty()).then(|| address(from)),
        recipients: vec![address(to)],
        content: Content::from(text.as_bytes().to_vec()),
        origin: Origin { client: None, helo: "mx.a.test".into(), tls: None, protocol: "ESMTP" },
    };
    world.door().accept_returned(returned).await
}

pub async fn comes_back(world: &World, to: &str, from: &str, text: &str) -> Result<MessageId, Reply> {
    let id = is_brought(world, to, from, text).await?;
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

pub async fn listed(world: &World) -> Vec<(String, Scope, Why)> {
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

/// A report in the form of X-ARF was taken for a letter; and of what it quotes, the address for complaints names the message, too.
#[tokio::test(start_paused = true)]
async fn a_report_as_json_was_taken_for_a_letter() {
    let (mut world, there, _) = world().await;
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let path = there.taken().remove(0).from;
    let token = path.split('-').next().unwrap();
    let xarf = format!(
        "From: traps@a.test\r\nSubject: abuse\r\nMIME-Version: 1.0\r\nContent-Type: application/json; name=xarf.json\r\n\r\n\
         {{\"Version\": \"3\", \"ReporterInfo\": {{}}, \"Report\": {{\"ReportType\": \"Spam\", \"Samples\": [{{\"ContentType\": \
         \"message/rfc822\", \"Base64Encoded\": false, \"Payload\": \
         \"CFBL-Address: fbl+{token}@bounces.example.com; report=arf\\n\\n\"}}]}}}}\r\n"
    );
    for to in ["abuse@bounces.example.com", &path] {
        comes_back(&world, to, "traps@a.test", &xarf).await.unwrap();
    }
    assert_eq!(world.came_back().len(), 1, "it counts once");
    assert_eq!(listed(&world).await, [("ann@a.test".into(), Scope::of(Some("shop"), None), Why::Complaint)]);
    world.stop().await;
}

/// Complaints counted nowhere in a warm-up: what people called spam went up with the rest.
#[tokio::test(start_paused = true)]
async fn complaints_keep_an_address_that_warms_up_where_it_is() {
    let (mut world, there, _) = world().await;
    world.stop().await;
    let from = std::net::Ipv4Addr::new(203, 0, 113, 10);
    world.egresses = vec![Arc::new(repute_delivery::Egress {
        name: from.to_string(),
        ehlo: domain("mail.example.com"),
        v4: Some(from),
        v6: None,
        narrowed: false,
    })];
    world.warm_up = vec![0];
    world.start().await;
    for n in 0..30 {
        world.submit("me@example.com", &[&format!("u{n}@a.test")]).await.unwrap();
    }
    pass(MINUTE).await;
    let paths: Vec<_> = there.taken().into_iter().map(|taken| taken.from).collect();
    assert_eq!(paths.len(), 30);
    for path in paths.iter().take(3).chain(&paths[..1]) {
        let complaint = format!(
            "From: fbl@a.test\r\nSubject: abuse\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: test/1\r\n\
             Version: 1\r\nOriginal-Mail-From: <{path}>\r\n\r\n--b--\r\n"
        );
        comes_back(&world, "fbl@bounces.example.com", "fbl@a.test", &complaint).await.unwrap();
    }
    let row = world.control().status().warm_up.remove(0);
    assert_eq!((row.sent, row.slowed, row.complaints), (30, 0, 3), "each is counted once");
    world.stop().await;
    world.start().await;
    assert_eq!(world.control().status().warm_up[0].complaints, 3, "over a restart, too");
    pass(DAY).await;
    let row = world.control().status().warm_up.remove(0);
    assert_eq!((row.step, row.complaints), (1, 0), "the day was no good one");
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

/// A letter of a person.
fn letter(from: &str, more: &str) -> String {
    format!("From: Ann Lee <{from}>\r\nTo: <x@bounces.example.com>\r\nSubject: Re: hello\r\n{more}\r\nA question.\r\n")
}

pub fn field<'t>(text: &'t str, name: &str) -> &'t str {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_persons_reply_is_handed_on_once_as_our_own_message() {
    let (mut world, there, home) = world().await;
    world.stop().await;
    world.replies = Some(address("support@example.com"));
    world.start().await;
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let path = there.taken()[0].from.clone();
    let reply = letter("ann@a.test", "Message-ID: <r1@a.test>\r\nReply-To: desk@a.test\r\nDKIM-Signature: v=1\r\n");
    for _ in 0..3 {
        comes_back(&world, &path, "ann@a.test", &reply).await.unwrap();
    }
    pass(MINUTE).await;
    let taken = home.taken();
    assert_eq!(taken.len(), 1, "once");
    assert_eq!(
        (taken[0].from.as_str(), &taken[0].to[..]),
        ("postmaster@bounces.example.com", &["support@example.com".to_owned()][..])
    );
    let text = &taken[0].text;
    assert_eq!(field(text, "From"), "\"Ann Lee via example.com\" <postmaster@example.com>");
    assert_eq!(field(text, "Reply-To"), "Ann Lee <desk@a.test>");
    assert_eq!(field(text, "To"), "support@example.com");
    assert_eq!((field(text, "Subject"), field(text, "Message-ID")), ("Re: hello", "<r1@a.test>"));
    assert!(text.contains("\r\n\r\nA question.\r\n"), "{text}");
    assert_eq!(text.matches("d=example.com;").count(), text.matches("DKIM-Signature:").count(), "{text}");
    assert!(text.contains("DKIM-Signature: v=1; a=rsa-sha256"), "{text}");
    // Of who has no name the address was shown, which rspamd takes for forged (8 points).
    let nameless = reply.replace("Ann Lee <ann@a.test>", "ann@a.test").replace("<r1@", "<r0@");
    comes_back(&world, &path, "ann@a.test", &nameless).await.unwrap();
    pass(MINUTE).await;
    let shown = home.taken()[1].text.clone();
    assert_eq!(field(&shown, "From"), "\"desk at a.test via example.com\" <postmaster@example.com>");
    // Its return path hands nothing on: no loop.
    let absent = letter("support@example.com", "");
    comes_back(&world, "postmaster@bounces.example.com", "support@example.com", &absent).await.unwrap();
    // What a machine, a list or we ourselves wrote is dropped.
    for more in [
        "Auto-Submitted: auto-replied\r\n",
        "Precedence: bulk\r\n",
        "List-Id: <l.a.test>\r\n",
        "X-Loop: replies@bounces.example.com\r\n",
        "X-Autoreply: yes\r\n",
    ] {
        comes_back(&world, &path, "ann@a.test", &letter("ann@a.test", more)).await.unwrap();
    }
    comes_back(&world, &path, "", &letter("ann@a.test", "Message-ID: <r2@a.test>\r\n")).await.unwrap();
    pass(MINUTE).await;
    assert_eq!(home.taken().len(), 2);
    // And nobody floods it by one address.
    for n in 0..25 {
        let more = format!("Message-ID: <f{n}@a.test>\r\n");
        let answer = comes_back(&world, &path, "ann@a.test", &letter("ann@a.test", &more)).await;
        assert_eq!(answer.is_ok(), n < 18, "{n}: {answer:?}");
    }
    pass(MINUTE).await;
    assert_eq!(home.taken().len(), 20);
    assert_eq!((world.came_back(), listed(&world).await), (vec![], vec![]));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_nobody_would_read_is_refused_with_a_sentence_and_a_bounce_is_not() {
    let (mut world, there, home) = world().await;
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let path = there.taken()[0].from.clone();
    let refused = comes_back(&world, &path, "ann@a.test", &letter("ann@a.test", "")).await.unwrap_err();
    assert!(refused.to_string().starts_with("550 5.7.1 nobody reads letters at this address"), "{refused}");
    let never_sent = PartId { message: MessageId::first_at(repute_types::Clock::now(&world.clock)), number: 0 };
    let never_sent = format!("{}@bounces.example.com", Tokens::new(&[1; 32]).write(&Token::Return(never_sent)));
    let refused = comes_back(&world, &never_sent, "ann@a.test", &letter("ann@a.test", "")).await.unwrap_err();
    assert!(refused.to_string().starts_with("550 5.1.6"), "{refused}");
    // Some servers' notices have a sender, and some answers of machines.
    let absent = "From: ann@a.test\r\nSubject: Out of office\r\n\r\nI am away.\r\n";
    comes_back(&world, &path, "ann@a.test", absent).await.unwrap();
    comes_back(&world, &path, "MAILER-DAEMON@a.test", &unknown("ann@a.test")).await.unwrap();
    assert_eq!(world.came_back().len(), 1);
    pass(MINUTE).await;
    assert_eq!(home.taken().len(), 1, "the notice to its sender");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_addresses_of_a_letter_for_leaving_and_for_complaints_work_once() {
    let (mut world, there, _) = world().await;
    for to in ["ann@a.test", "ben@a.test"] {
        world.submit("me@example.com", &[to]).await.unwrap();
        pass(MINUTE).await;
    }
    let tokens = Tokens::new(&[1; 32]);
    let part = |path: &str| match tokens.read(path.split(['@', '-']).next().unwrap()) {
        Some(Token::Return(part)) => part,
        other => panic!("{other:?}"),
    };
    let taken: Vec<_> = there.taken().into_iter().map(|taken| taken.from).collect();
    let of = |word: &str, token: Token| format!("{word}+{}@bounces.example.com", tokens.write(&token));
    let leave = of("UNSUBSCRIBE", Token::Unsubscribe { part: part(&taken[0]), recipient: 0 });
    let complain = of("fbl", Token::Return(part(&taken[1])));
    // A word with the token of the other is nobody's address.
    for wrong in [
        of("fbl", Token::Unsubscribe { part: part(&taken[0]), recipient: 0 }),
        of("unsubscribe", Token::Return(part(&taken[1]))),
        of("support", Token::Return(part(&taken[1]))),
    ] {
        assert_eq!(comes_back(&world, &wrong, "x@b.test", "Subject: x\r\n\r\nx\r\n").await.unwrap_err().code, 550);
    }
    let arf = "From: fbl@a.test\r\nSubject: abuse\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: t\r\nVersion: 1\r\n\r\n\
        --b\r\nContent-Type: text/rfc822-headers\r\n\r\nTo: readers@lists.example.com\r\nSubject: hello\r\n\r\n--b--\r\n";
    // Nothing but a complaint counts there.
    comes_back(&world, &complain, "", &unknown("ben@a.test")).await.unwrap();
    for _ in 0..2 {
        comes_back(&world, &leave, "ann@a.test", &letter("ann@a.test", "")).await.unwrap();
        comes_back(&world, &complain, "fbl@a.test", arf).await.unwrap();
    }
    let heard: Vec<_> = world.came_back().into_iter().map(|(what, to, _)| (what, to)).collect();
    assert_eq!(heard, [("unsubscribed", "ann@a.test".to_owned()), ("complained", "ben@a.test".to_owned())]);
    let shop = Scope::of(Some("shop"), None);
    assert_eq!(
        listed(&world).await,
        [("ann@a.test".into(), shop.clone(), Why::Unsubscribed), ("ben@a.test".into(), shop, Why::Complaint)]
    );
    world.stop().await;
}

/// Of the lists only the first four were left, and a wish without a sender was dropped.
#[tokio::test(start_paused = true)]
async fn who_leaves_many_lists_by_one_message_has_left_them_all() {
    let (mut world, there, _) = world().await;
    let people: Vec<String> = (0..8).map(|n| format!("ann{n}@a.test")).collect();
    for to in &people {
        world.submit("me@example.com", &[to]).await.unwrap();
        pass(MINUTE).await;
    }
    let tokens = Tokens::new(&[1; 32]);
    let leave: Vec<_> = there
        .taken()
        .iter()
        .map(|taken| match tokens.read(taken.from.split(['@', '-']).next().unwrap()) {
            Some(Token::Return(part)) => {
                address(&format!("{}@bounces.example.com", tokens.write(&Token::Unsubscribe { part, recipient: 0 })))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let bring = |from: Option<&str>, to: &[Address], text: &str| {
        let origin = Origin { client: None, helo: "a.test".into(), tls: None, protocol: "ESMTP" };
        let content = Content::from(text.as_bytes().to_vec());
        let returned = Returned { from: from.map(address), recipients: to.to_vec(), content, origin };
        let door = world.door();
        async move { door.accept_returned(returned).await.unwrap() }
    };
    // Without a sender nothing counts but a wish: no answer, no letter.
    bring(None, &leave[..1], "From: ann0@a.test\r\nSubject: hello\r\n\r\nhello\r\n").await;
    bring(None, &leave[..1], &unknown("ann0@a.test")).await;
    bring(None, &leave[1..6], "From: ann1@a.test\r\nSubject: unsubscribe\r\n\r\n").await;
    // By whoever has the addresses, whatever they say.
    bring(Some("ann6@a.test"), &leave[6..], "From: ann6@a.test\r\n\r\n").await;
    for _ in 0..200 {
        pass(MINUTE / 600).await;
    }
    let mut left: Vec<_> = world.came_back().into_iter().map(|(what, to, _)| (what, to)).collect();
    left.sort();
    let expected: Vec<_> = people[1..].iter().map(|to| ("unsubscribed", to.clone())).collect();
    assert_eq!(left, expected);
    world.stop().await;
}

/// It was counted nowhere.
#[tokio::test(start_paused = true)]
async fn mail_to_a_return_path_that_the_disk_refuses_is_counted_with_what_else_it_refuses() {
    let (world, _there, _home) = world().await;
    world.spool.set_disk(repute_spool::memory::Disk::Full);
    assert_eq!(world.submit("me@example.com", &["ann@a.test"]).await.unwrap_err().code, 452);
    for file in ["returned.sqlite", "returned.sqlite-wal"] {
        std::fs::write(world.state.as_ref().unwrap().join(file), [0xff; 1 << 16]).unwrap();
    }
    let refused = comes_back(&world, "postmaster@bounces.example.com", "", &unknown("ann@a.test")).await.unwrap_err();
    assert_eq!(refused.code, 452);
    pass(MINUTE + MINUTE / 10).await;
    let notes = world.notes();
    assert!(notes.iter().any(|note| note.starts_with("2 messages were refused for now")), "{notes:?}");
}

/// It was told that the history was closed.
#[tokio::test(start_paused = true)]
async fn a_notice_about_what_came_back_that_the_full_spool_refuses_is_told_as_that_and_made_later() {
    let (mut world, there, home) = world().await;
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    world.spool.set_disk(repute_spool::memory::Disk::Full);
    is_brought(&world, &there.taken()[0].from, "", &unknown("ann@a.test")).await.unwrap();
    pass(MINUTE / 2).await;
    let notes = world.notes();
    let told = "what came back waits: a notice about it could not be stored: the spool's disk fails";
    assert!(notes.iter().any(|note| note.starts_with(told)), "{notes:?}");
    assert_eq!(home.taken().len(), 0);
    world.spool.set_disk(repute_spool::memory::Disk::Good);
    pass(2 * MINUTE).await;
    assert_eq!(home.taken().len(), 1, "its sender is told");
    world.stop().await;
}
