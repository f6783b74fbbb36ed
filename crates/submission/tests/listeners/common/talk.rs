//! What a client of these tests says, and what it expects to hear.

use repute_testkit::Wire;

pub async fn expect(wire: &mut Wire, start: &str) -> String {
    let line = String::from_utf8(wire.line().await.unwrap().unwrap_or_default()).unwrap();
    assert!(line.starts_with(start), "expected {start:?}, heard {line:?}");
    line
}

/// The last line of a reply of several.
pub async fn expect_reply(wire: &mut Wire, code: &str) {
    while expect(wire, code).await.as_bytes()[3] == b'-' {}
}

pub async fn ask(wire: &mut Wire, command: &str, code: &str) {
    wire.send(format!("{command}\r\n").as_bytes()).await.unwrap();
    expect_reply(wire, code).await;
}

pub async fn is_closed(wire: &mut Wire) {
    assert_eq!(wire.line().await.unwrap(), None);
}

pub async fn is_closed_with(wire: &mut Wire, reply: &str) {
    expect(wire, reply).await;
    is_closed(wire).await;
}

/// Hears the greeting, says its name, and goes on into DATA.
pub async fn begin_message(wire: &mut Wire, to: &str) {
    expect(wire, "220").await;
    ask(wire, "EHLO client.invalid", "250").await;
    ask(wire, "MAIL FROM:<a@example.com>", "250").await;
    ask(wire, &format!("RCPT TO:<{to}>"), "250").await;
    ask(wire, "DATA", "354").await;
}
