//! What is fuzzed, as plain functions of octets: each throws what comes at one parser or machine
//! and checks what must hold whatever it is. A panic is a find. The fuzzer's binaries call
//! these; so does `crates/repute/tests/fuzz_corpus.rs`, with the seeds, in every test run.

#![allow(clippy::unwrap_used, reason = "a find is a panic")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use bytes::BytesMut;
use repute_message::dsn::{self, Kind, Notice, Original, Told};
use repute_message::{Header, header, sendmail, whole};
use repute_smtp::client::{
    Exchange, Extensions, Login, Loss, Next, Opening, Payload, Step, Stuffed, TlsWish, Transaction,
};
use repute_smtp::reply::{self, ReplyReader};
use repute_smtp::server::{self, dry::converse};
use repute_trust::dkim::{Algorithm, SigningKey, sign};
use repute_trust::spf::{self, Answer, Kind as Ask, Record, Request};
use repute_types::{
    Address, Content, Domain, EnhancedCode, MessageId, Notify, Outcome, Recipient, Reply, Ret, Stage, Timestamp,
    Verdict,
};

/// Takes octets; a panic is a find.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const ALL: &[(&str, Target)] = &[
    ("server_session", server_session),
    ("client_session", client_session),
    ("reply", replies),
    ("message", message),
    ("address", address),
    ("dkim", dkim),
    ("comeback", comeback),
    ("dsn", notice),
    ("spool_record", spool_record),
    ("spf", spf_record),
];

/// Takes octets off the front as small numbers, for choices.
struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

fn domain() -> Domain {
    Domain::parse("example.com").unwrap()
}

fn content_in_cuts(octets: &[u8], cut: u8) -> Content {
    let mut content = Content::new();
    octets.chunks(usize::from(cut).max(1)).for_each(|piece| content.push(piece.to_vec()));
    content
}

/// The whole session of the server. However the octets are cut, the same is said and taken; and
/// no message has a bare CR or LF, or a line that would end it early (smuggling).
pub fn server_session(octets: &[u8]) {
    let mut choices = Choices(octets);
    let kind = if choices.flag() { server::Kind::Submission } else { server::Kind::Return };
    let cuts = [choices.next().into(), choices.next().into()];
    let whole = converse(kind, choices.0, &[choices.0.len()]);
    let cut = converse(kind, choices.0, &cuts);
    assert_eq!(whole.replies, cut.replies, "the replies depend on how the octets are cut");
    assert_eq!(whole.messages.len(), cut.messages.len());
    for ((one, content), (other, again)) in whole.messages.iter().zip(&cut.messages) {
        assert_eq!(one, other);
        let octets = content.to_vec();
        assert_eq!(octets, again.to_vec());
        assert!(!has_bare(&octets), "a bare CR or LF was taken");
    }
    for line in whole.replies.split_inclusive(|b| *b == b'\n') {
        assert!(line.ends_with(b"\r\n") && line.len() <= 512, "{:?}", String::from_utf8_lossy(line));
        assert!(line[..3].iter().all(u8::is_ascii_digit) && matches!(line[3], b' ' | b'-' | b'\r'));
    }
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

fn has_bare(octets: &[u8]) -> bool {
    let is_bare = |(at, octet): (usize, &u8)| match octet {
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    octets.iter().enumerate().any(is_bare)
}

/// A submitted message made whole: what comes out is well formed, and is left as it is when it
/// is made whole again.
pub fn message(octets: &[u8]) {
    let mut choices = Choices(octets);
    let (cut, smtputf8, private) = (choices.next(), choices.flag(), choices.flag());
    let hostname = domain();
    let settings = whole::Whole {
        now: Timestamp(1_795_485_950_120),
        id: MessageId(7_530_000_000_000_000),
        hostname: &hostname,
        received: whole::Received {
            helo: "client.example",
            client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            protocol: "ESMTPSA",
            tls: None,
            private,
            recipient: None,
        },
        smtputf8,
        hops: 100,
    };
    if let Ok(header) = Header::read(&Content::from(choices.0.to_vec())) {
        for field in header.fields() {
            let _ = (header::addresses(field.value), header::mailboxes(field.value));
            let _ = (header::message_ids(field.value), header::is_date(field.value), field.text());
        }
    }
    let person =
        repute_message::compose::Person { name: "Cron".into(), address: Address::parse("root@example.com").unwrap() };
    let read = sendmail::read(choices.0, &sendmail::Options { from: person, dot_ends: smtputf8 });
    let _ = sendmail::recipients(&read);

    let made = whole::make_whole(content_in_cuts(choices.0, cut.max(16)), &settings);
    let uncut = whole::make_whole(Content::from(choices.0.to_vec()), &settings);
    let (Ok(made), Ok(uncut)) = (&made, &uncut) else {
        assert_eq!(made.is_ok(), uncut.is_ok(), "it depends on how the octets are cut");
        return;
    };
    let out = made.content.to_vec();
    assert_eq!(out, uncut.content.to_vec(), "it depends on how the octets are cut");
    assert!(!made.from.is_empty());
    if has_bare(choices.0) {
        // The doors refuse bare CR and LF, so what is made of them is nobody's concern.
        return;
    }
    let header = Header::read(&made.content).expect("what is made whole has a header");
    for name in ["From", "Date", "Message-ID"] {
        assert_eq!(header.all(name).count(), 1, "{name}");
    }
    assert!(header.find("Bcc").is_none());
    assert!(out.is_ascii() || made.needs_eight_bit || made.needs_smtputf8, "8-bit octets are left and nobody says so");
    let too_long = out.split(|b| *b == b'\n').find(|line| line.len() > 999);
    assert!(too_long.is_none(), "a line of more than 998 octets is left");
    let again = whole::make_whole(made.content.clone(), &settings).expect("what was made whole once is whole");
    let is_same_body = |m: &whole::Made| m.content.to_vec().ends_with(&out);
    assert!(private || is_same_body(&again), "it is rewritten where nothing has to be: {:?}", again.changed);
}

/// Addresses and domains: what is read is written so that it reads as the same.
pub fn address(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Ok(address) = Address::parse(text) {
        let written = address.to_string();
        assert!(!written.contains(['\r', '\n', '\0']), "{written:?}");
        let again = Address::parse(&written).unwrap_or_else(|e| panic!("{written:?} from {text:?}: {e}"));
        assert_eq!(again, address);
        // As it stands in MAIL and RCPT.
        let line = format!("RCPT TO:<{written}>\r\n");
        assert_eq!(line.matches("\r\n").count(), 1);
    }
    if let Ok(domain) = Domain::parse(text) {
        let written = domain.to_string();
        assert!(written.is_ascii() && written.len() <= 255, "{written:?}");
        assert_eq!(Domain::parse(&written).ok(), Some(domain));
    }
}

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::Ed25519, "e").unwrap())
}

/// Signing: the signature does not depend on cuts, nor on what the canonical form leaves out,
/// and depends on the rest.
pub fn dkim(octets: &[u8]) {
    let mut choices = Choices(octets);
    let cut = choices.next();
    let now = Timestamp(1_795_485_950_120);
    let sign_it = |content: &Content| sign(content, &[key()], &domain(), now).ok();
    let octets = choices.0;
    let signed = sign_it(&Content::from(octets.to_vec()));
    assert_eq!(signed, sign_it(&content_in_cuts(octets, cut)), "it depends on how the octets are cut");
    let Some(signed) = signed else { return };
    let text = std::str::from_utf8(&signed).unwrap();
    assert!(text.ends_with("\r\n") && text.lines().all(|line| line.len() <= 998 && !line.is_empty()));
    assert!(text.lines().skip(1).all(|line| line.starts_with([' ', '\t'])), "one field and no more");
    if octets.ends_with(b"\r\n") && octets.windows(4).any(|w| w == b"\r\n\r\n") {
        // RFC 6376 §3.4.4: empty lines at the end are ignored.
        let longer = [octets, b"\r\n\r\n"].concat();
        assert_eq!(sign_it(&Content::from(longer)).as_ref(), Some(&signed), "empty lines at the end are ignored");
        let changed = [octets, b"x\r\n"].concat();
        assert_ne!(sign_it(&Content::from(changed)).as_ref(), Some(&signed), "the body is not signed");
    }
}

fn settings(hostname: &Domain, smtputf8: bool) -> whole::Whole<'_> {
    let received =
        whole::Received { helo: "x", client: None, protocol: "local", tls: None, private: true, recipient: None };
    whole::Whole { now: Timestamp(0), id: MessageId(7), hostname, received, smtputf8, hops: 100 }
}

/// A notice about a message of whatever content was accepted, with whatever a receiver said: it is a
/// well-formed multipart/report in 7 bits.
pub fn notice(octets: &[u8]) {
    let mut choices = Choices(octets);
    let kind = [Kind::Failed, Kind::Delayed, Kind::Relayed][usize::from(choices.next() % 3)];
    let ret = [None, Some(Ret::Full), Some(Ret::Headers)][usize::from(choices.next() % 3)];
    let split = usize::from(choices.next()).min(choices.0.len());
    let (said, rest) = choices.0.split_at(split);
    let said = String::from_utf8_lossy(said).into_owned();
    let (hostname, to) = (domain(), Address::parse("shop@example.com").unwrap());
    let Ok(accepted) = whole::make_whole(Content::from(rest.to_vec()), &settings(&hostname, true)) else { return };
    let content = accepted.content;
    let recipient = Recipient { address: to.clone(), notify: Notify::Unsaid, orcpt: Some(format!("rfc822;{said}")) };
    let reply =
        Reply { code: 550, enhanced: Some(EnhancedCode(5, 1, 1)), lines: said.split('\n').map(Into::into).collect() };
    let outcome = Outcome::from_reply(Stage::Rcpt, reply);
    let told =
        Told { recipient: &recipient, outcome: &outcome, attempted: Some(Timestamp(0)), until: Some(Timestamp(1)) };
    let original = Original { id: MessageId(5), received: Timestamp(0), envid: Some(&said), ret, content: &content };
    let made = dsn::compose(&Notice {
        kind,
        now: Timestamp(1_795_485_950_120),
        id: MessageId(6),
        hostname: &hostname,
        author: &to,
        to: &to,
        original,
        recipients: vec![told],
    });
    let octets = made.content.to_vec();
    let header = Header::read(&made.content).expect("a notice has a header");
    for name in ["From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "Content-Type"] {
        assert_eq!(header.all(name).count(), 1, "{name}");
    }
    let head = &octets[..header.body_start()];
    assert!(head.is_ascii(), "a header in 7 bits");
    assert!(octets.is_ascii(), "a notice in 7 bits");
    assert!(octets.split(|b| *b == b'\n').all(|line| line.len() <= 999), "a line of more than 998 octets");
    let mail = whole::make_whole(made.content, &settings(&hostname, false));
    assert!(mail.is_ok(), "a notice would not be accepted: {mail:?}");
}

/// What comes back, whatever it is, is read as something; what is said of it keeps the bounds.
pub fn comeback(octets: &[u8]) {
    use repute_feedback::{Comeback, read, read_file};
    let found = read(octets);
    match &found {
        Comeback::Report(report) => {
            assert!(!report.recipients.is_empty() && report.recipients.len() <= 1000);
            for recipient in &report.recipients {
                let status = recipient.status;
                assert!(matches!(status.0, 2 | 4 | 5), "{status}");
                assert!(!recipient.is_hard() || status.0 == 5, "suppressed by {status}");
                assert!(recipient.cause.is_some() || recipient.action.is_good());
            }
        }
        Comeback::DmarcReport(report) => assert!(report.records.len() <= 20_000),
        Comeback::Reply(letter) | Comeback::AutoReply(letter) | Comeback::Challenge(letter) => {
            assert!(letter.text.len() <= 2000 && letter.answers.len() <= 50);
        }
        _ => {}
    }
    assert_eq!(found, read(octets), "it is read in two ways");
    let _ = read_file(octets);
    if let Comeback::Reply(letter) = found {
        handed_on(octets, letter.name);
    }
}

/// A stranger's letter that is handed on has one author, us.
fn handed_on(octets: &[u8], name: Option<String>) {
    use repute_message::compose::Person;
    use repute_message::forward::{Forward, forward, is_personal};
    let (ours, theirs) = ("postmaster@example.com", "ann@a.test");
    let address = |text: &str| Address::parse(text).unwrap();
    let wanted = Forward {
        from: Person { name: format!("{} via us", name.as_deref().unwrap_or(theirs)), address: address(ours) },
        reply_to: Person { name: name.unwrap_or_default(), address: address(theirs) },
        to: address("support@example.com"),
        mark: "replies@b.example.com".into(),
    };
    let content = Content::from(octets.to_vec());
    let Ok(handed) = forward(&content, &wanted) else { return };
    assert!(!is_personal(&handed, &wanted.mark), "it would be handed on again");
    let hostname = domain();
    let Ok(made) = whole::make_whole(handed, &settings(&hostname, false)) else { return };
    assert_eq!(made.from, [address(ours)]);
    let header = Header::read(&made.content).expect("what is made whole has a header");
    for name in ["From", "Reply-To", "To", "Date", "Message-ID", "X-Loop"] {
        assert_eq!(header.all(name).count(), 1, "{name}");
    }
}

/// A stored record that is not one is told; one that is, is written as it was read.
pub fn spool_record(octets: &[u8]) {
    repute_spool::try_record(octets);
}

/// An SPF record is parsed and evaluated, with DNS answers from the same octets; it ends
/// within the bounds of RFC 7208 §4.6.4.
pub fn spf_record(octets: &[u8]) {
    let mut choices = Choices(octets);
    let salt = choices.next();
    let records: Vec<Vec<u8>> = choices.0.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    for record in &records {
        let _ = Record::parse(record);
        let (_, faults) = Record::parse_leniently(record);
        assert_eq!(Record::parse(record).is_ok(), faults.is_empty(), "{:?}", String::from_utf8_lossy(record));
    }
    let mut asked = 0usize;
    let request = Request::mail_from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), "helo.example", "u.v+w@example.com");
    let report = spf::evaluate(request, |query| {
        asked += 1;
        assert!(asked <= 200, "more questions than there may be");
        assert!(query.name.len() <= 253, "{query}");
        let pick = query.name.bytes().fold(salt, |sum, b| sum.wrapping_mul(31).wrapping_add(b));
        match (query.kind, pick % 7) {
            (_, 5) => Answer::NoName,
            (_, 6) => Answer::Failure("the test says so".into()),
            (Ask::Txt, _) => {
                Answer::Texts(records.get(usize::from(pick) % records.len()).cloned().into_iter().collect())
            }
            (Ask::A, n) => Answer::Addresses(vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, n))]),
            (Ask::Aaaa, _) => Answer::NoData,
            (Ask::Mx | Ask::Ptr, n) => Answer::Names((0..=n * 3).map(|i| format!("h{i}.example.com")).collect()),
        }
    });
    assert!(report.lookups <= 12, "{} look-ups", report.lookups);
}
