//! The two sides of SMTP, the replies that come, and what a proxy says in front.

use bytes::BytesMut;
use repute_smtp::client::{
    Exchange, Extensions, Login, Loss, Next, Opening, Payload, Step, Stuffed, TlsWish, Transaction,
};
use repute_smtp::reply::{self, ReplyError, ReplyReader};
use repute_smtp::server::{self, Security, Start, dry::converse_from};
use repute_trust::replies;
use repute_types::{Address, Content, Outcome, Recipient, Reply, Stage, Verdict};

use super::{Choices, content_in_cuts, domain, has_bare};

/// The whole session of the server, from a client that is known, has to log in, or begins without TLS. However the
/// octets are cut, the same is said and taken; and no message has a bare CR or LF, or is another than a strict reader finds
/// behind DATA (smuggling), or comes from a client that nobody knows, or names one whom the host refused. Replies are no more
/// than what they answer, memory stays within its bounds, and a handshake leaves nothing of what was before.
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
    let commands = choices.0.iter().filter(|octet| **octet == b'\n').count();
    let chunked = choices.0.windows(4).any(|word| word.eq_ignore_ascii_case(b"BDAT"));
    let strict = behind_data(choices.0);
    for spoken in [&whole, &cut] {
        let is_nobody = kind == server::Kind::Submission && !known && !has_line(&spoken.replies, b"235");
        assert!(!is_nobody || spoken.messages.is_empty(), "a stranger's message was taken");
        assert!(kind == server::Kind::Submission || !has_line(&spoken.replies, b"235"), "a login on port 25");
        assert!(!spoken.carried_over, "something of before the handshake is there after it");
        assert!(spoken.most_held <= 2 * MOST_CONTENT && spoken.most_waiting <= MOST_WAITING);
        let mut ahead = strict.iter();
        for (envelope, content) in &spoken.messages {
            let content = content.to_vec();
            assert!(!has_bare(&content), "a bare CR or LF was taken");
            assert!(content.len() <= MOST_CONTENT && (1..=20).contains(&envelope.recipients.len()));
            let all = envelope.recipients.iter().map(|recipient| &recipient.address).chain(&envelope.from);
            all.for_each(|address| assert!(!address.to_string().starts_with(server::dry::UNWANTED), "{address}"));
            assert!(chunked || ahead.any(|read| *read == content), "a strict reader does not find this message");
        }
        has_replies(&spoken.replies, commands);
    }
}

/// Octets of a message that the session takes, and of a line that it waits for the end of.
const MOST_CONTENT: usize = 100_000;
const MOST_WAITING: usize = 12_290;

/// A reply of whole lines at most for each command and end of content, and one beside them at the end.
pub(super) fn has_replies(replies: &[u8], commands: usize) {
    let mut count = 0;
    for line in replies.split_inclusive(|b| *b == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.len() <= 512, "{:?}", String::from_utf8_lossy(line));
        assert!(line[..3].iter().all(u8::is_ascii_digit) && matches!(line[3], b' ' | b'-' | b'\r'));
        count += usize::from(line[3] != b'-');
    }
    assert!(count <= commands + 2, "{count} replies to {commands} commands");
}

/// What a strict reader takes for content behind each line that begins with DATA: lines end in CR LF and nothing less, a
/// dot alone is the end, and another one at the front of a line is taken off.
fn behind_data(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut begins = 0;
    let mut found = Vec::new();
    for line in octets.split_inclusive(|b| *b == b'\n') {
        begins += line.len();
        if line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"DATA")) {
            found.extend(strictly(&octets[begins..]));
        }
    }
    found
}

fn strictly(octets: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    for line in octets.split_inclusive(|b| *b == b'\n') {
        let inside = line.strip_suffix(b"\r\n").filter(|inside| !inside.contains(&b'\r'))?;
        if inside == b"." {
            return Some(content);
        }
        content.extend_from_slice(inside.strip_prefix(b".").unwrap_or(inside));
        content.extend_from_slice(b"\r\n");
    }
    None
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

/// A client's whole session against whatever a server says: it comes to an end, each recipient has one outcome, and
/// nothing is called delivered without a 2xx to the recipient and to the content, nor failed without a 5xx. What it says are
/// commands of a line each, and the password only where it may be read.
pub fn client_session(octets: &[u8]) {
    let mut choices = Choices(octets);
    let wishes = [TlsWish::Never, TlsWish::IfOffered, TlsWish::Needed, TlsWish::Inside];
    let wish = wishes[usize::from(choices.next() & 3)];
    let login = Login { user: "user".into(), password: "secret".into(), danger_without_tls: choices.flag() };
    let login = choices.flag().then_some(&login);
    let recipients = usize::from(choices.next() % 5) + 1;
    let content = content_in_cuts(b"Subject: x\r\n\r\n.\r\n..dots\r\nend", choices.next());
    let end = [Loss::TimedOut, Loss::Closed, Loss::Unsent, Loss::Malformed(ReplyError::NoCode)]
        [usize::from(choices.next() & 3)];
    let (replies, _) = read_replies(choices.0, choices.0.len().max(1));
    let mut replies = replies.into_iter();

    let name = domain();
    let (mut opening, mut out) = (Opening::new(&name, wish, login), BytesMut::new());
    let (mut step, mut inside) = (Step::Reply(Stage::Greeting), wish == TlsWish::Inside);
    while step != Step::Ready {
        let said = out.len();
        step = match step {
            Step::StartTls => {
                inside = true;
                opening.tls_started(&mut out)
            }
            _ => {
                let Some(reply) = replies.next() else { return };
                let Ok(next) = opening.reply(reply, &mut out) else { return };
                next
            }
        };
        are_commands(&out[said..], 1);
        let may_say_it = inside || login.is_some_and(|login| login.danger_without_tls);
        // "secret" by itself, and as the end of PLAIN, in base64.
        let says_it = ["c2VjcmV0", "AHNlY3JldA", "AHVzZXIAc2VjcmV0"].map(|word| holds(&out[said..], word));
        assert!(may_say_it || !says_it.contains(&true), "the password is said in clear");
    }
    assert!(inside || matches!(wish, TlsWish::Never | TlsWish::IfOffered), "mail goes without the TLS that is needed");
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
    let chunks = count.is_multiple_of(2);
    let transaction = Transaction { from: Some(&from), options: &options, recipients: &recipients, content, chunks };
    let mut exchange = Exchange::begin(&transaction, offered, false);
    let mut out = BytesMut::new();
    let (mut positive_to_content, mut sent_content) = (false, false);
    let mut accepted = Vec::new();
    for round in 0.. {
        assert!(round < 1000, "the exchange has no end");
        let said = out.len();
        let next = exchange.next(&mut out);
        are_commands(&out[said..], count + 3);
        match next {
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
                    let is_positive = (200..300).contains(&reply.code);
                    positive_to_content |= stage == Stage::Body && is_positive;
                    if stage == Stage::Rcpt {
                        accepted.push(is_positive);
                    }
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
    for (number, outcome) in outcomes.iter().enumerate() {
        let taken = accepted.get(number) == Some(&true);
        assert!(taken || outcome.verdict != Verdict::Delivered, "delivered without a 2xx to the recipient");
        // Without a reply it is what the server does not offer, and was not asked.
        let is_negative = outcome.reply.as_ref().is_none_or(|reply| (500..600).contains(&reply.code));
        assert!(is_negative || outcome.verdict != Verdict::Failed, "failed without a 5xx: {outcome:?}");
    }
}

fn holds(octets: &[u8], word: &str) -> bool {
    octets.windows(word.len()).any(|here| here == word.as_bytes())
}

/// So many whole lines at most, as a server may read them.
fn are_commands(said: &[u8], most: usize) {
    assert!(!has_bare(said) && (said.is_empty() || said.ends_with(b"\r\n")), "{:?}", String::from_utf8_lossy(said));
    let lines: Vec<_> = said.split_inclusive(|b| *b == b'\n').collect();
    assert!(lines.len() <= most && lines.iter().all(|line| (3..=512).contains(&line.len())));
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
