//! The opening of a conversation: greetings, EHLO, STARTTLS and log-in, good and broken.

use super::*;
use crate::reply::ReplyReader;

/// Plays against replies parted by `/`; says what was said, and how it ended.
fn play(wish: TlsWish, login: Option<&Login>, heard: &str) -> String {
    let name = Domain::parse("mail.a.test").unwrap();
    let mut opening = Opening::new(&name, wish, login);
    let (mut reader, mut input) = (ReplyReader::new(), BytesMut::from(heard.replace('/', "\r\n").as_str()));
    let mut out = BytesMut::new();
    while let Some(reply) = reader.read(&mut input).unwrap() {
        let end = match opening.reply(reply, &mut out) {
            Ok(Step::Reply(_)) => continue,
            Ok(Step::StartTls) => {
                out.extend_from_slice(b"TLS ");
                opening.tls_started(&mut out);
                continue;
            }
            Ok(Step::Ready) => "ready".to_owned(),
            Err(Refusal::Reply(stage, reply)) => format!("refused {} {}", stage.as_str(), reply.code),
            Err(other) => format!("{other:?}"),
        };
        return String::from_utf8(out.to_vec()).unwrap().replace("\r\n", " ") + &end;
    }
    String::from_utf8(out.to_vec()).unwrap().replace("\r\n", " ") + "waits"
}

#[test]
fn a_session_opens_as_it_should() {
    use TlsWish::{IfOffered, Inside, Needed, Never};
    for (wish, heard, expected) in [
        (Never, "220 a/250-b/250 STARTTLS/", "EHLO mail.a.test ready"),
        (IfOffered, "220 a/250 b/", "EHLO mail.a.test ready"),
        (IfOffered, "220 a/500 b/250 c/", "EHLO mail.a.test HELO mail.a.test ready"),
        (IfOffered, "220 a/250-b/250 STARTTLS/220 c/250 d/", "EHLO mail.a.test STARTTLS TLS EHLO mail.a.test ready"),
        (IfOffered, "220 a/250-b/250 STARTTLS/454 c/", "EHLO mail.a.test STARTTLS ready"),
        (IfOffered, "220 a/250-b/250 STARTTLS/421 c/", "EHLO mail.a.test STARTTLS refused starttls 421"),
        (Needed, "220 a/250-b/250 STARTTLS/454 c/", "EHLO mail.a.test STARTTLS refused starttls 454"),
        (Needed, "220 a/250 b/", "EHLO mail.a.test NoStartTls"),
        (Needed, "220 a/500 b/250 c/", "EHLO mail.a.test HELO mail.a.test NoStartTls"),
        (Inside, "220 a/250-b/250 STARTTLS/", "EHLO mail.a.test ready"),
        (Inside, "220 a/500 b/", "EHLO mail.a.test refused ehlo 500"),
        (Never, "554 a/", "refused greeting 554"),
        (Never, "250 a/", "EHLO mail.a.test waits"),
        (Never, "354 a/", "refused greeting 354"),
        (Never, "220 a/354 b/", "EHLO mail.a.test refused ehlo 354"),
    ] {
        assert_eq!(play(wish, None, heard), expected, "{wish:?} {heard}");
    }
}

#[test]
fn a_password_is_said_only_where_it_may_be() {
    let login = Login { user: "u".into(), password: "p".into(), danger_without_tls: false };
    let open = Login { danger_without_tls: true, ..login.clone() };
    let hello = "220 a/250-b/250 AUTH PLAIN/";
    assert_eq!(play(TlsWish::Never, Some(&login), hello), "EHLO mail.a.test AuthWithoutTls");
    assert_eq!(
        play(TlsWish::Inside, Some(&login), &(hello.to_owned() + "235 c/")),
        "EHLO mail.a.test AUTH PLAIN AHUAcA== ready"
    );
    assert_eq!(
        play(TlsWish::Never, Some(&open), &(hello.to_owned() + "535 c/")),
        "EHLO mail.a.test AUTH PLAIN AHUAcA== refused auth 535"
    );
    assert_eq!(play(TlsWish::Inside, Some(&login), "220 a/250 b/"), "EHLO mail.a.test NoAuth");
    assert_eq!(format!("{login:?}"), "Login(u)");
}
