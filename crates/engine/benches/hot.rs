//! The hot functions, one by one: `cargo bench -p repute-engine --bench hot`. A message of 4 KiB
//! passes through each of them once on its way; what they cost together is what of a message's
//! cost is ours and not the kernel's. `signed` stands beside the two bare signatures, which no
//! code of ours can make cheaper.

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use repute_message::header::Header;
use repute_message::whole::{Received, Whole, make_whole};
use repute_queue::{Entry, Feedback, Flow, LaneKey, LaneSettings, Next, Queue, Sender, Step, Then};
use repute_smtp::server::{Kind, dry};
use repute_spool::{Change, MessageMeta, NewMessage, PartRecord, Settlement, Spool, SqliteSpool, sqlite};
use repute_testkit::State;
use repute_trust::dkim::{self, Algorithm, SigningKey};
use repute_trust::replies;
use repute_types::{Address, Content, Domain, MessageId, PartId, Recipient, Stream, Timestamp};

const NOW: Timestamp = Timestamp(1_795_485_950_000);
/// Messages that share a transaction of the spool, about as many as do under load.
const TOGETHER: u64 = 8;

fn text() -> Vec<u8> {
    let mut text =
        b"From: Shop <shop@example.com>\r\nTo: Bob <bob@example.net>\r\nSubject: Your order 4711 is on its way\r\n\
        Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <4711@example.com>\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\r\n"
            .to_vec();
    while text.len() < 4096 {
        text.extend_from_slice(b"Thank you for your order; it left our house today and should be with you soon.\r\n");
    }
    text
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).expect("a name")
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    let mut dialogue = b"EHLO app.example\r\n".to_vec();
    dialogue.extend_from_slice(b"MAIL FROM:<shop@example.com> SIZE=4096\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n");
    dialogue.extend_from_slice(&text());
    dialogue.extend_from_slice(b".\r\nQUIT\r\n");
    group.throughput(Throughput::Bytes(dialogue.len() as u64));
    group.bench_function("a submission, 4 KiB", |b| {
        b.iter(|| {
            let outcome = dry::converse(Kind::Submission, black_box(&dialogue), &[1460]);
            assert_eq!(outcome.messages.len(), 1);
        });
    });
    let content = Content::from(text());
    group.bench_function("a header", |b| b.iter(|| Header::read(black_box(&content)).expect("a header")));
    group.finish();
}

fn whole(c: &mut Criterion) {
    let hostname = domain("mail.example.com");
    let content = Content::from(text());
    let received =
        Received { helo: "app", client: None, protocol: "ESMTPSA", tls: None, private: false, recipient: None };
    let whole = Whole {
        now: NOW,
        date: NOW,
        id: MessageId::first_at(NOW),
        hostname: &hostname,
        received,
        smtputf8: false,
        hops: 100,
    };
    c.bench_function("made whole, 4 KiB", |b| {
        b.iter(|| make_whole(black_box(content.clone()), &whole).expect("a good message"));
    });
}

fn sign(c: &mut Criterion) {
    let rsa = SigningKey::generate(Algorithm::Rsa, "s1").expect("a key");
    let ed25519 = SigningKey::generate(Algorithm::Ed25519, "s2").expect("a key");
    let name = domain("example.com");
    let content = Content::from(text());
    let mut group = c.benchmark_group("sign");
    group.bench_function("signed with both keys, 4 KiB", |b| {
        b.iter(|| dkim::sign(black_box(&content), &[&rsa, &ed25519], &name, NOW).expect("it signs"));
    });
    let bare_rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let bare_ed25519 = Ed25519KeyPair::generate().expect("a key");
    let (random, mut signature) = (SystemRandom::new(), vec![0; 256]);
    group.bench_function("the two bare signatures", |b| {
        b.iter(|| {
            bare_rsa.sign(&RSA_PKCS1_SHA256, &random, black_box(&[7; 500]), &mut signature).expect("it signs");
            bare_ed25519.sign(black_box(&[7; 32]))
        });
    });
    group.finish();
}

fn message(n: u64, content: &Content) -> NewMessage {
    let id = MessageId(MessageId::first_at(NOW).0 + n);
    let recipient = Address::parse(&format!("somebody{n}@example.net")).expect("an address");
    NewMessage {
        meta: MessageMeta {
            account: Some("shop".into()),
            from: Address::parse("shop@example.com").ok(),
            author: Domain::parse("example.com").ok(),
            header_id: format!("{id}@mail.example.com"),
            size: content.len() as u64,
            ..MessageMeta::new(id, NOW, NOW)
        },
        parts: vec![PartRecord::new(
            PartId { message: id, number: 0 },
            domain("example.net"),
            vec![Recipient::to(recipient)],
            NOW,
        )],
        content: content.clone(),
    }
}

/// With the sync: what the disk of this machine takes for one is in it.
fn commit(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let state = State::new();
    let spool = Arc::new(SqliteSpool::open(&state.join("spool"), sqlite::Options::default()).expect("a spool"));
    let content = Content::from(text());
    let mut next = 0;
    let mut group = c.benchmark_group("spool");
    group.throughput(Throughput::Elements(TOGETHER));
    group.bench_function("eight messages committed together, then settled", |b| {
        b.iter(|| {
            let messages = (next..next + TOGETHER).map(|n| message(n, &content)).collect::<Vec<_>>();
            next += TOGETHER;
            runtime.block_on(async {
                let commits: Vec<_> = messages
                    .into_iter()
                    .map(|m| {
                        let spool = spool.clone();
                        tokio::spawn(async move { spool.commit(m).await.expect("it is committed").id() })
                    })
                    .collect();
                for commit in commits {
                    let message = commit.await.expect("it ran");
                    let part = PartId { message, number: 0 };
                    spool.settle(Settlement { part, change: Change::Done, notices: Vec::new() });
                }
            });
        });
    });
    group.finish();
}

/// A part that comes due among a hundred thousand that wait, is picked, and is settled.
fn pick(c: &mut Criterion) {
    let mut queue = Queue::new(LaneSettings::default());
    let later = Timestamp(NOW.0 + 3_600_000);
    let entry = |n: u64, due| Entry {
        part: PartId { message: MessageId(n), number: 0 },
        flow: Flow { domain: domain(&format!("d{}.example", n % 10_000)), sender: Sender(0), tls_optional: false },
        stream: Stream::Transactional,
        due,
        alarm: Timestamp(NOW.0 + 86_400_000),
        attempts: 0,
        held: false,
    };
    for n in 0..100_000 {
        queue.enter(entry(n, later), NOW);
    }
    let mut next = 100_000;
    let work = |queue: &mut Queue, entered: Entry| {
        let part = entered.part;
        queue.enter(entered, NOW);
        for step in queue.advance(NOW) {
            let Step::Route(flow) = step else { continue };
            queue.routed(&flow, LaneKey { site: flow.domain.as_str().into(), way: 0 }, later, NOW);
        }
        let (lane, lease) = queue.next_session(NOW).expect("its lane wants a session");
        assert_eq!(lease.part, part);
        queue.settle(part, Then::Done, Feedback::Reached, NOW);
        assert_eq!(queue.lease(lane, NOW), Next::Idle);
        queue.no_longer_idle(lane);
        queue.session_ended(lane, NOW);
    };
    c.bench_function("entered, picked and settled among 100,000", |b| {
        b.iter_batched(
            || {
                next += 1;
                entry(next, NOW)
            },
            |entered| work(&mut queue, entered),
            BatchSize::SmallInput,
        );
    });
}

fn classify(c: &mut Criterion) {
    let known = "550-5.7.25 [192.0.2.25] The IP address sending this message does not have a PTR record setup, or the \
                 corresponding forward DNS entry does not match the sending IP. https://support.google.com/mail/answer/81126";
    let mut group = c.benchmark_group("classify");
    for (name, host, said) in [
        ("a rule of Google's", "gmail-smtp-in.l.google.com", known),
        ("an unknown user", "mx.example.net", "550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown"),
        ("nothing that is known", "mx.example.net", "550 nothing that is known"),
    ] {
        let reply = replies::parse_pasted(said).expect("a reply").reply;
        group.bench_function(name, |b| b.iter(|| replies::classify(black_box(&reply), Some(host))));
    }
    group.finish();
}

criterion_group!(hot, parse, whole, sign, commit, pick, classify);
criterion_main!(hot);
