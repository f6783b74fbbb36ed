//! One transaction as a conversation: replies in every order, and what each recipient gets.

use proptest::prelude::*;
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Recipient};

use super::*;
use crate::reply::ReplyReader;

struct Scene {
    from: Address,
    recipients: Vec<Recipient>,
    options: EnvelopeOptions,
    content: Content,
}

impl Scene {
    fn new(recipients: usize) -> Scene {
        let to = |n| Recipient::to(Address::parse(&format!("r{n}@b.test")).unwrap());
        Scene {
            from: Address::parse("a@a.test").unwrap(),
            recipients: (0..recipients).map(to).collect(),
            options: EnvelopeOptions::default(),
            content: Content::from(&b"Subject: x\r\n\r\n.\r\n"[..]),
        }
    }

    /// Plays against replies in order; ends as the connection does, when there are no more.
    /// Returns what was said, a `|` where a reply was waited for, and the outcomes.
    fn play(&self, offered: &Extensions, replies: &[Reply], loss: Loss) -> (String, Vec<Outcome>, bool) {
        let recipients: Vec<_> = self.recipients.iter().collect();
        let (from, options, content) = (Some(&self.from), &self.options, &self.content);
        let transaction = Transaction { from, options, recipients: &recipients, content, chunks: true };
        let mut exchange = Exchange::begin(&transaction, offered, false);
        let (mut said, mut out, mut replies) = (String::new(), BytesMut::new(), replies.iter());
        loop {
            match exchange.next(&mut out) {
                Next::Send(payload) => {
                    said += std::str::from_utf8(&out).unwrap();
                    out.clear();
                    match payload {
                        Payload::None => {}
                        Payload::Plain(_) => said += "(content)",
                        Payload::Stuffed(_) => said += "(content).\r\n",
                    }
                }
                Next::Reply(_) => match replies.next() {
                    Some(reply) => {
                        said.push('|');
                        exchange.reply(reply.clone());
                    }
                    None => exchange.lost(loss),
                },
                Next::Done => break,
            }
        }
        let alive = exchange.is_alive();
        (said.replace("\r\n", " "), exchange.finish(), alive)
    }
}

fn replies(text: &str) -> Vec<Reply> {
    let (mut reader, mut input, mut out) = (ReplyReader::new(), BytesMut::from(text), Vec::new());
    while let Some(reply) = reader.read(&mut input).unwrap() {
        out.push(reply);
    }
    out
}

fn check(offered: &Extensions, heard: &str, said: &str, expected: &[&str]) {
    let scene = Scene::new(expected.len());
    let (got, outcomes, _) = scene.play(offered, &replies(&heard.replace('/', "\r\n")), Loss::Closed);
    assert_eq!(got, said, "{heard}");
    let told: Vec<_> =
        outcomes.iter().map(|o| format!("{} {} {}", o.verdict.as_str(), o.status, o.stage.as_str())).collect();
    assert_eq!(told, expected, "{heard}");
}

#[test]
fn what_is_said_depends_on_what_is_offered() {
    let none = Extensions::default();
    let pipelining = Extensions { pipelining: true, ..none.clone() };
    let both = Extensions { chunking: true, ..pipelining.clone() };
    let chunking = Extensions { chunking: true, ..none.clone() };
    let taken = ["delivered 2.0.0 body"];
    check(&none, "250 a/250 b/354 c/250 d/", "MAIL FROM:<a@a.test> |RCPT TO:<r0@b.test> |DATA |(content). |", &taken);
    check(
        &pipelining,
        "250 a/250 b/354 c/250 d/",
        "MAIL FROM:<a@a.test> RCPT TO:<r0@b.test> DATA |||(content). |",
        &taken,
    );
    check(&both, "250 a/250 b/250 d/", "MAIL FROM:<a@a.test> RCPT TO:<r0@b.test> BDAT 17 LAST (content)|||", &taken);
    check(
        &chunking,
        "250 a/250 b/250 d/",
        "MAIL FROM:<a@a.test> |RCPT TO:<r0@b.test> |BDAT 17 LAST (content)|",
        &taken,
    );
}

#[test]
fn replies_that_do_not_fit_end_the_session_and_deliver_nothing() {
    let none = Extensions::default();
    for heard in ["354 a/", "250 a/354 b/", "250 a/250 b/250 c/", "250 a/250 b/354 c/354 d/"] {
        let (_, outcomes, alive) = Scene::new(1).play(&none, &replies(&heard.replace('/', "\r\n")), Loss::Closed);
        assert!(!alive, "{heard}");
        assert_eq!(outcomes[0].verdict, Verdict::Deferred, "{heard}");
        assert!(outcomes[0].text.contains("does not fit"), "{heard}");
    }
}

/// All of them were told the same, so that nobody could say at whom the server breaks.
#[test]
fn a_break_at_one_recipient_is_told_apart_from_the_others() {
    let pipelining = Extensions { pipelining: true, ..Extensions::default() };
    for loss in [Loss::Malformed(ReplyError::NoCode), Loss::Closed, Loss::TimedOut] {
        let heard = replies("250 a\r\n250 b\r\n550 c\r\n");
        let (_, outcomes, alive) = Scene::new(5).play(&pipelining, &heard, loss);
        assert!(!alive);
        let broke: Vec<bool> = outcomes.iter().map(Outcome::broke_the_session).collect();
        assert_eq!(broke, [false, false, true, false, false], "{outcomes:?}");
        assert_eq!(outcomes[1].verdict, Verdict::Failed, "what was decided stays so");
        assert!(outcomes[0].text.contains("of another recipient"), "{}", outcomes[0].text);
    }
    let unfit = replies("250 a\r\n250 b\r\n354 c\r\n");
    let (_, outcomes, _) = Scene::new(3).play(&pipelining, &unfit, Loss::Closed);
    assert_eq!(outcomes.iter().map(Outcome::broke_the_session).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn doubt_is_spoken_of_only_where_there_is_some() {
    let none = Extensions::default();
    for (heard, doubt) in [("", false), ("250 a/250 b/", false), ("250 a/250 b/354 c/", true)] {
        let (_, outcomes, _) = Scene::new(1).play(&none, &replies(&heard.replace('/', "\r\n")), Loss::TimedOut);
        assert_eq!(outcomes[0].text.contains("may have been delivered"), doubt, "{heard}");
    }
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let code = prop_oneof![
        4 => Just(250u16), 2 => Just(354), 1 => Just(421), 2 => Just(450), 1 => Just(452), 2 => Just(550),
        1 => Just(552), 1 => 200u16..600
    ];
    code.prop_map(|code| Reply::bare(code, "x"))
}

proptest! {
    /// Whatever is replied, in whatever order, and however it ends: one outcome a recipient,
    /// and a delivery only where the end of the message was answered by 2xx.
    #[test]
    fn every_recipient_has_one_outcome(
        heard in prop::collection::vec(any_reply(), 0..12),
        count in 1usize..5,
        pipelining: bool,
        chunking: bool,
    ) {
        let offered = Extensions { pipelining, chunking, ..Extensions::default() };
        let (said, outcomes, _) = Scene::new(count).play(&offered, &heard, Loss::Closed);
        prop_assert_eq!(outcomes.len(), count);
        let delivered: Vec<_> = outcomes.iter().filter(|o| o.verdict == Verdict::Delivered).collect();
        if !delivered.is_empty() {
            prop_assert!(said.contains("(content)"));
            prop_assert!(delivered.iter().all(|o| o.stage == Stage::Body));
            prop_assert!(delivered.iter().all(|o| o.reply.as_ref().is_some_and(|r| r.code < 300)));
        }
    }
}
