//! Notices come out as the files in `tests/dsn` have them, octet for octet (LF line ends there);
//! `UPDATE_EXPECT=1` rewrites them.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::path::Path;
use std::time::Duration;

use repute_message::dsn::{self, Notice, Original, Told};
use repute_message::{Header, header};
use repute_types::event::NoticeKind;
use repute_types::{
    Address, Content, Culprit, Domain, EnhancedCode, MessageId, Outcome, Peer, Recipient, Reply, Ret, Stage, Timestamp,
    Verdict,
};

const RECEIVED: Timestamp = Timestamp(1_795_485_950_120);
const MESSAGE: &str = "From: Ann <ann@example.com>\nTo: bob@b.example\nSubject: Hello\n there\n\
                       Message-ID: <1@example.com>\n\nbody\n";

struct Case {
    kind: NoticeKind,
    to: &'static str,
    message: &'static str,
    ret: Option<Ret>,
    envid: Option<&'static str>,
    recipients: Vec<(Recipient, Outcome)>,
}

impl Case {
    fn new(kind: NoticeKind, recipients: Vec<(Recipient, Outcome)>) -> Case {
        Case { kind, to: "ann@example.com", message: MESSAGE, ret: None, envid: None, recipients }
    }

    #[track_caller]
    fn check(self, name: &str) {
        let composed = self.compose();
        let octets = composed.content.to_vec();
        let text = String::from_utf8(octets).unwrap();
        assert!(text.is_ascii() || composed.smtputf8, "{name}");
        assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{name}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dsn").join(name);
        let text = text.replace("\r\n", "\n");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{name}");
    }

    fn compose(&self) -> dsn::Composed {
        let content = Content::from(self.message.replace('\n', "\r\n").into_bytes());
        let now = RECEIVED + Duration::from_secs(4 * 3600);
        let told = |(recipient, outcome)| Told {
            recipient,
            outcome,
            attempted: Some(now),
            until: Some(RECEIVED + Duration::from_secs(5 * 86400)),
        };
        dsn::compose(&Notice {
            kind: self.kind,
            now,
            id: MessageId::first_at(now),
            hostname: &Domain::parse("mail.example.com").unwrap(),
            author: &Address::parse("postmaster@example.com").unwrap(),
            to: &Address::parse(self.to).unwrap(),
            original: Original {
                id: MessageId::first_at(RECEIVED),
                received: RECEIVED,
                envid: self.envid,
                ret: self.ret,
                content: &content,
            },
            recipients: self.recipients.iter().map(|(r, o)| (r, o)).map(told).collect(),
        })
    }
}

fn to(address: &str) -> Recipient {
    Recipient::to(Address::parse(address).unwrap())
}

fn said(stage: Stage, code: u16, enhanced: EnhancedCode, text: &str) -> Outcome {
    let peer = Peer { name: "mx.b.example".into(), address: Some("192.0.2.25".parse().unwrap()), port: 25 };
    Outcome { peer: Some(peer), ..Outcome::from_reply(stage, Reply::new(code, enhanced, text)) }
}

fn unknown_user() -> Outcome {
    said(Stage::Rcpt, 550, EnhancedCode(5, 1, 1), "<bob@b.example>: no such user here")
}

#[test]
fn failures_say_what_the_receiver_said_and_what_to_do() {
    let mut bob = to("bob@b.example");
    bob.orcpt = Some("rfc822;Bob@B.example".into());
    let full = said(Stage::Body, 552, EnhancedCode(5, 2, 2), "mailbox is full");
    let case = Case::new(NoticeKind::Failure, vec![(bob, unknown_user()), (to("carol@b.example"), full)]);
    Case { envid: Some("QQ 314159\r\nX: y"), ..case }.check("01-failed");
}

#[test]
fn the_whole_message_comes_back_where_it_was_asked_for() {
    let case = Case::new(NoticeKind::Failure, vec![(to("bob@b.example"), unknown_user())]);
    Case { ret: Some(Ret::Full), ..case }.check("02-failed-with-the-message");
}

#[test]
fn an_expired_message_names_the_last_reason() {
    let text = "not delivered within the time allowed; the last attempt said: connection timed out";
    let expired = Outcome::ours(Verdict::Failed, Stage::Queue, Culprit::Us, EnhancedCode(5, 4, 7), text);
    Case::new(NoticeKind::Failure, vec![(to("bob@b.example"), expired)]).check("03-expired");
}

#[test]
fn a_delay_says_until_when_it_is_tried() {
    let busy = said(Stage::Rcpt, 451, EnhancedCode(4, 7, 1), "greylisted, try again later");
    let case = Case::new(NoticeKind::Delay, vec![(to("bob@b.example"), busy)]);
    Case { ret: Some(Ret::Full), ..case }.check("04-delayed");
}

#[test]
fn a_relay_is_told_where_it_was_asked_for() {
    let taken = said(Stage::Body, 250, EnhancedCode(2, 0, 0), "queued as 17");
    Case::new(NoticeKind::Relay, vec![(to("bob@b.example"), taken)]).check("05-relayed");
}

#[test]
fn addresses_beyond_ascii_are_told_in_the_global_forms() {
    let mut outcome = unknown_user();
    outcome.reply.as_mut().unwrap().lines = vec!["<jürgen@b.example>: gibt es nicht".into(); 2];
    let case = Case::new(NoticeKind::Failure, vec![(to("jürgen@b.example"), outcome)]);
    let message = "From: Ann <ann@example.com>\nTo: jürgen@b.example\nSubject: Grüße\n\nbody\n";
    Case { message, ..case }.check("06-utf-8");
    let case = Case::new(NoticeKind::Failure, vec![(to("bob@b.example"), unknown_user())]);
    Case { to: "änn@example.com", ..case }.check("07-utf-8-sender");
}

#[test]
fn a_reply_without_end_and_a_message_without_a_header_do_no_harm() {
    let mut outcome = unknown_user();
    outcome.reply.as_mut().unwrap().lines = vec!["x".repeat(5000), "y ".repeat(3000)];
    let case = Case::new(NoticeKind::Failure, vec![(to("bob@b.example"), outcome)]);
    let composed = Case { message: "no header at all", ..case }.compose();
    let text = String::from_utf8(composed.content.to_vec()).unwrap();
    assert!(text.lines().all(|line| line.len() <= 998));
    let header = Header::read(&composed.content).unwrap();
    assert_eq!(header::addresses(header.find("To").unwrap().value).unwrap().len(), 1);
}

#[test]
fn only_so_much_is_returned_and_the_boundary_is_in_nothing_else() {
    let large: &'static str = Box::leak(format!("{MESSAGE}{}", "line\n".repeat(dsn::WHOLE / 5)).into_boxed_str());
    let case = Case::new(NoticeKind::Failure, vec![(to("bob@b.example"), unknown_user())]);
    let composed = Case { ret: Some(Ret::Full), message: large, ..case }.compose();
    assert!(composed.content.len() < 10_000);

    let evil = "From: a@example.com\nX: --=_6h0ra8tn00000\n\nbody\n";
    let case = Case::new(NoticeKind::Failure, vec![(to("bob@b.example"), unknown_user())]);
    let text = String::from_utf8(Case { message: evil, ..case }.compose().content.to_vec()).unwrap();
    let boundary = text.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(text.matches(&format!("--{boundary}")).count(), 4, "{boundary}");
}

/// Found by the fuzz target `dsn`: what was returned had the long lines that the original had.
#[test]
fn a_notice_has_no_long_line_whatever_the_original_had() {
    let long = "x ".repeat(600);
    let id = format!("{}@a.example", "x".repeat(975));
    let message: &'static str =
        Box::leak(format!("From: a@example.com\nReceived: {long}\nMessage-ID:\n <{id}>\n\n{long}\n").into_boxed_str());
    for (ret, media) in [(None, "message/global-headers"), (Some(Ret::Full), "message/global")] {
        let case = Case::new(NoticeKind::Failure, vec![(to("bob@b.example"), unknown_user())]);
        let composed = Case { ret, message, ..case }.compose();
        let text = String::from_utf8(composed.content.to_vec()).unwrap();
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 998), "{text}");
        let head = format!("Content-Type: {media}\r\nContent-Transfer-Encoding: quoted-printable\r\n");
        assert!(text.contains(&head), "{text}");
        let (_, returned) = text.split_once(&head).unwrap();
        let returned = returned.replace("=\r\n", "");
        assert!(returned.contains(&format!("Received: {}", long.trim_end())), "nothing of it is lost: {returned}");
    }
}
