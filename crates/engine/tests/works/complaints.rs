//! Complaints about single messages: the address that they name for them (RFC 9477), and what is done about one.

use repute_ledger::suppression::{Scope, Why};

use crate::returned::{comes_back, field, listed, world};
use crate::world::{MINUTE, domain, pass};

/// Only bulk mail named one, so that what was quoted of a receipt without its return path was nobody's.
#[tokio::test(start_paused = true)]
async fn any_message_names_an_address_for_complaints_and_who_quotes_its_header_alone_is_heard() {
    let (mut world, there, _) = world().await;
    let there_too = world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let text = |to: &str| format!("From: me@example.com\r\nTo: {to}\r\n");
    let own = "CFBL-Address: fbl@example.com; report=arf\r\n";
    world.submit_text("me@example.com", &["ann@a.test"], &(text("ann@a.test") + "\r\nHello.\r\n")).await.unwrap();
    pass(MINUTE).await;
    world.submit("me@example.com", &["ann@a.test", "ben@b.test"]).await.unwrap();
    pass(MINUTE).await;
    let with_own = format!("{}{own}\r\nHello.\r\n", text("eve@a.test"));
    world.submit_text("me@example.com", &["eve@a.test"], &with_own).await.unwrap();
    pass(MINUTE).await;
    let taken = there.taken();
    let fields = |n: usize| -> Vec<&str> { taken[n].text.lines().filter(|line| line.starts_with("CFBL-")).collect() };
    let token = taken[0].from.split('-').next().unwrap();
    assert_eq!(fields(0), [format!("CFBL-Address: fbl+{token}@bounces.example.com; report=arf")]);
    let signature = field(&taken[0].text.replace("\r\n\t", ""), "DKIM-Signature").to_owned();
    // A report goes only where a signature covers the address (RFC 9477 §3.1.4).
    assert!(signature.contains(":CFBL-Address"), "{signature}");
    assert_eq!(fields(1), [""; 0], "an address is of one part");
    assert!(!there_too.taken()[0].text.contains("CFBL-"));
    assert_eq!(fields(2), [own.trim()], "its own alone");
    // The report names nobody and no return path, and goes to the mailbox for all of them.
    let (quoted, _) = taken[0].text.split_once("\r\n\r\n").unwrap();
    let complaint = format!(
        "From: fbl@a.test\r\nSubject: abuse\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nspam\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: test/1\r\nVersion: 1\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{}\r\n\r\n--b--\r\n",
        quoted.replace("ann@a.test", "redacted@a.test")
    );
    comes_back(&world, "fbl@bounces.example.com", "fbl@a.test", &complaint).await.unwrap();
    assert_eq!(listed(&world).await, [("ann@a.test".into(), Scope::of(Some("shop"), None), Why::Complaint)]);
    world.stop().await;
    // A receiver sends no report to a domain that has nothing to do with From.
    world.return_path = Some(domain("bounces.example.org"));
    world.start().await;
    world.submit("me@example.com", &["ben@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let last = there.taken().pop().unwrap();
    assert!(last.from.ends_with("@bounces.example.org") && !last.text.contains("CFBL-"), "{}", last.text);
    world.stop().await;
}
