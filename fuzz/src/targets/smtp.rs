//! The two sides of SMTP, the replies that come, and what a proxy says in front.

use bytes::BytesMut;
use repute_smtp::client::{
    Exchange, Extensions, Login, Loss, Next, Opening, Payload, Step, Stuffed, TlsWish, Transaction,
};
use repute_smtp::reply::{self, ReplyReader};
use repute_smtp::server::{self, Security, Start, dry::converse_from};
use repute_trust::replies;
use repute_types::{Address, Content, Outcome, Recipient, Reply, Stage, Verdict};

use super::{Choices, content_in_cuts, domain, has_bare};

/// The whole session of the server, from a client that is known, has to log in, or begins without TLS. However the
/// octets are cut, the same is said and taken; and no message has a bare CR or LF, or a line that would end it early
/// (smuggling), or comes from a client that nobody knows.
pub fn server_session(octets: &[u8]) {
    let mut choices = Choices(octets);
    let first = choices.next();
    let kind = if first & 1 == 1 { server::Kind::Submission } else { server::Kind::Return };
    let (security, known) = match first >> 1 & 3 {
        0 => (Security::Tls, true),
        1 => (Security::Tls, false),
        2 => (Security::CanStartTls, false),
        _ => (Security::Plain, false),
    };
    let start = Start { security, known };
    let cuts = [choices.next().into(), choices.next().into()];
    let whole = converse_from(start, kind, choices.0, &[choices.0.len()]);
    let cut = converse_from(start, kind, choices.0, &cuts);
    if whole.secured || cut.secured {
        // What was read with STARTTLS is dropped, so that here the cut counts: all of it is gone where it came at once.
        assert!(!whole.secured || kind == server::Kind::Return || whole.messages.is_empty());
    } else {
        assert_eq!(whole.replies, cut.replies, "the replies depend on how the octets are cut");
        assert_eq!(whole.messages.len(), cut.messages.len());
        for ((one, content), (other, again)) in whole.messages.iter().zip(&cut.messages) {
            assert_eq!(one, other);
            assert_eq!(content.to_vec(), again.to_vec());
        }
    }
    for spoken in [&whole, &cut] {
        let is_nobody = kind == server::Kind::Submission && !known && !has_line(&spoken.replies, b"235");
        assert!(!is_nobody || spoken.messages.is_empty(), "a stranger's message was taken");
        for (_, content) in &spoken.messages {
            assert!(!has_bare(&content.to_vec()), "a bare CR or LF was taken");
        }
        for line in spoken.replies.split_inclusive(|b| *b == b'\n') {
            assert!(line.ends_with(b"\r\n") && line.len() <= 512, "{:?}", String::from_utf8_lossy(line));
            assert!(line[..3].iter().all(u8::is_ascii_digit) && matches!(line[3], b' ' | b'-' | b'\r'));
        }
    }
}

fn has_line(replies: &[u8], code: &[u8]) -> bool {
    replies.split_inclusive(|b| *b == b'\n').any(|line| line.starts_with(code))
}

/// Octets as a server's replies: read in any cut alike, and what is written of one reads back.
pub fn replies(octets: &[u8]) {
    let mut choices = Choices(octets);
    let cut = usize::from(choices.next()).max(1);
    let (one, _) = read_replies(choices.0, choices.0.len().max(1));
    let (other, _) = read_replies(choices.0, cut);
    assert_eq!(one, other, "the replies depend on how the octets are cut");
    for reply in &one {
        let mut out = BytesMut::new();
        reply::encode(reply, &mut out);
        let (again, failed) = read_replies(&out, 7);
        assert!(!failed && again.len() == 1, "{reply:?} was written as {out:?}");
        assert_eq!(again[0].code, reply.code);
    }
}

fn read_replies(octets: &[u8], cut: usize) -> (Vec<Reply>, bool) {
    let (mut reader, mut input, mut replies) = (ReplyReader::new(), BytesMut::new(), Vec::new());
    for piece in octets.chunks(cut) {
        input.extend_from_slice(piece);
        loop {
            match reader.read(&mut input) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(_) => return (replies, true),
            }
        }
        assert!(input.len() <= reply::LINE_MOST, "more is kept than the bound");
    }
    (replies, false)
}

/// A client's whole session against whatever a server says: it comes to an end, each
/// recipient has one outcome, and nothing is called delivered without a 2xx to its content.
pub fn client_session(octets: &[u8]) {
    let mut choices = Choices(octets);
    let wishes = [TlsWish::Never, TlsWish::IfOffered, TlsWish::Needed, TlsWish::Inside];
    let wish = wishes[usize::from(choices.next() & 3)];
    let login = Login { user: "user".into(), password: "secret".into(), danger_without_tls: choices.flag() };
    let login = choices.flag().then_some(&login);
    let recipients = usize::from(choices.next() % 5) + 1;
    let content = content_in_cuts(b"Subject: x\r\n\r\n.\r\n..dots\r\nend", choices.next());
    let end = [Loss::TimedOut, Loss::Closed, Loss::Unsent, Loss::Malformed][usize::from(choices.next() & 3)];
    let (replies, _) = read_replies(choices.0, choices.0.len().max(1));
    let mut replies = replies.into_iter();

    let name = domain();
    let (mut opening, mut out) = (Opening::new(&name, wish, login), BytesMut::new());
    let mut step = Step::Reply(Stage::Greeting);
    while step != Step::Ready {
        step = match step {
            Step::StartTls => opening.tls_started(&mut out),
            _ => {
                let Some(reply) = replies.next() else { return };
                let Ok(next) = opening.reply(reply, &mut out) else { return };
                next
            }
        };
        assert!(!out.windows(2).any(|w| w == b"\n\n"));
    }
    let offered = opening.finish();
    transaction(&offered, recipients, &content, end, &mut replies);
}

fn transaction(
    offered: &Extensions,
    count: usize,
    content: &Content,
    end: Loss,
    replies: &mut impl Iterator<Item = Reply>,
) {
    let (from, options) = (Address::parse("shop@example.com").unwrap(), Default::default());
    let all: Vec<_> =
        (0..count).map(|n| Recipient::to(Address::parse(&format!("u{n}@example.net")).unwrap())).collect();
    let recipients: Vec<&Recipient> = all.iter().collect();
    let transaction = Transaction { from: Some(&from), options: &options, recipients: &recipients, content };
    let mut exchange = Exchange::begin(&transaction, offered, false);
    let mut out = BytesMut::new();
    let (mut positive_to_content, mut sent_content) = (false, false);
    for round in 0.. {
        assert!(round < 1000, "the exchange has no end");
        match exchange.next(&mut out) {
            Next::Send(payload) => match payload {
                Payload::None => {}
                Payload::Plain(_) => sent_content = true,
                Payload::Stuffed(content) => {
                    sent_content = true;
                    let stuffed: Vec<u8> = Stuffed::new(content).collect::<Vec<_>>().concat();
                    assert!(stuffed.ends_with(b"\r\n.\r\n"));
                    let inside = &stuffed[..stuffed.len() - 3];
                    assert!(!inside.windows(5).any(|w| w == b"\r\n.\r\n"), "the content ends early");
                }
            },
            Next::Reply(stage) => match replies.next() {
                Some(reply) => {
                    positive_to_content |= stage == Stage::Body && (200..300).contains(&reply.code);
                    exchange.reply(reply);
                }
                None => exchange.lost(end),
            },
            Next::Done => break,
        }
    }
    let outcomes = exchange.finish();
    assert_eq!(outcomes.len(), count);
    let delivered = outcomes.iter().any(|o| o.verdict == Verdict::Delivered);
    assert!(!delivered || (sent_content && positive_to_content), "delivered without a 2xx to the content");
}

/// What a receiver said is classified, whatever it is, and always the same; so is what a person pastes.
pub fn receiver_reply(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let classes = |reply: &Reply| {
        let of = |host| replies::classify(reply, host).class.as_str().to_owned();
        [of(None), of(Some("mx.google.com")), of(Some("mail.protection.outlook.com"))]
    };
    for reply in read_replies(octets, octets.len().max(1)).0 {
        assert_eq!(classes(&reply), classes(&reply));
        let outcome = Outcome::from_reply(Stage::Rcpt, reply);
        assert!(matches!(outcome.status.0, 2 | 4 | 5), "{:?}", outcome.status);
    }
    if let Some(pasted) = replies::parse_pasted(&text) {
        assert!(matches!(pasted.reply.code, 400..=599), "{:?}", pasted.reply);
        classes(&pasted.reply);
    }
}

/// A PROXY header: read to the octet and no further, or refused.
pub fn proxy(octets: &[u8]) {
    let Some((taken, _)) = repute_submission::try_proxy(octets) else { return };
    assert!(taken <= octets.len());
    let longer = [&octets[..taken], b"EHLO a.example\r\n"].concat();
    assert_eq!(repute_submission::try_proxy(&longer).map(|(taken, _)| taken), Some(taken), "it reads on");
    assert!(repute_submission::try_proxy(&octets[..taken - 1]).is_none(), "half a header is one");
}
