//! A case is a file: the server's dialogue, and in `#!` lines what is sent and what is to come
//! of it.
//!
//! ```text
//! #! zone b.test AUTHENTIC             a further line of the zone
//! #! relay tls=require login=u:p       a relay host instead of the MX
//! #! send to=x@b.test,y@b.test 8bit    a message; words: see `Message::parse`
//! #! => delivered 2.0.0 body receiver  the outcome of each recipient, in order: verdict,
//! #! => failed 5.1.1 rcpt receiver     status, stage, culprit, and texts that its text has
//! #! => for another session            the recipient has no outcome: the session carries no more
//! #! stale                             instead: the session had ended before
//! #! again                             instead: nothing is decided, another session is to do it
//! #! quit                              the session is ended in order
//! ===                                  the next connection
//! ```
//!
//! The zone has `b.test MX 10 mx.b.test` with one address, `192.0.2.1`.

use std::sync::Arc;
use std::time::Duration;

use repute_delivery::{
    Connection, DeliverySettings, Egress, HostName, Login, Relay, Routes, Sent, TlsNeed, Transaction, Wanted,
};
use repute_dns::ZoneFake;
use repute_net::{MemoryNetwork, TlsClient};
use repute_testkit::Dialogue;
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Body, Content, Domain, Notify, Outcome, Recipient, Ret, SeededRandom};

const ZONE: &str = "
    b.test     MX 10 mx.b.test
    mx.b.test  A  192.0.2.1
";
pub const CONTENT: &str = "Subject: hello\r\n\r\nhello\r\n";

#[derive(Debug)]
enum Act {
    Send(Message),
    Expect(String),
    Stale,
    Again,
    Quit,
}

#[derive(Debug, Default)]
struct Message {
    from: Option<Address>,
    recipients: Vec<Recipient>,
    options: EnvelopeOptions,
    content: Content,
}

impl Message {
    fn parse(words: &str) -> Message {
        let mut m = Message { from: "a@a.test".parse().ok(), content: Content::from(CONTENT), ..Message::default() };
        for word in words.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "to" => m.recipients = value.split(',').map(|a| Recipient::to(a.parse().unwrap())).collect(),
                "from" => m.from = (value != "<>").then(|| value.parse().unwrap()),
                "8bit" => {
                    m.options.body = Body::EightBitMime;
                    m.content = Content::from("Subject: hello\r\n\r\ngrüße\r\n");
                }
                "8bit-said" => m.options.body = Body::EightBitMime,
                "smtputf8" => m.options.smtputf8 = true,
                "utf8-header" => m.content = Content::from("Subject: grüße\r\n\r\nhello\r\n"),
                "requiretls" => m.options.require_tls = true,
                "dots" => m.content = Content::from(".a\r\nb\r\n..\r\n.\r\nc\r\n"),
                "size" => m.content = Content::from("x".repeat(value.parse().unwrap()) + "\r\n"),
                "dsn" => {
                    m.options.ret = Some(Ret::Headers);
                    m.options.envid = Some("order 7+8".into());
                    for recipient in &mut m.recipients {
                        recipient.notify = Notify::On { success: true, failure: true, delay: false };
                        recipient.orcpt = Some("rfc822;first@b.test".into());
                    }
                }
                _ => panic!("not understood: {word}"),
            }
        }
        m
    }
}

pub struct Case {
    name: String,
    zone: String,
    routes: Routes,
    acts: Vec<Act>,
    dialogues: Vec<Dialogue>,
    pub settings: DeliverySettings,
    pub tls: TlsClient,
    pub certificate: Option<Arc<rustls::ServerConfig>>,
}

impl Case {
    pub fn parse(name: &str, text: &str) -> Case {
        let mut case = Case {
            name: name.into(),
            zone: ZONE.into(),
            routes: Routes::default(),
            acts: Vec::new(),
            dialogues: text.split("===").map(|part| Dialogue::parse(name, part)).collect(),
            settings: DeliverySettings::default(),
            tls: TlsClient::without_roots(),
            certificate: None,
        };
        for line in text.lines().filter_map(|l| l.trim_start().strip_prefix("#!")) {
            let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            match verb {
                "send" => case.acts.push(Act::Send(Message::parse(rest))),
                "=>" => case.acts.push(Act::Expect(rest.into())),
                "stale" => case.acts.push(Act::Stale),
                "again" => case.acts.push(Act::Again),
                "quit" => case.acts.push(Act::Quit),
                "zone" => case.zone += &format!("\n{rest}\n"),
                "relay" => case.relay(rest),
                _ => panic!("{name}: not understood: {line}"),
            }
        }
        case
    }

    fn relay(&mut self, words: &str) {
        let host = HostName::Name(Domain::parse("mx.b.test").unwrap());
        let mut relay =
            Relay { hosts: vec![host], port: 25, tls: TlsNeed::Opportunistic, implicit_tls: false, login: None };
        for word in words.split_whitespace() {
            match word.split_once('=') {
                Some(("tls", "require")) => relay.tls = TlsNeed::Require,
                Some(("tls", "verify")) => relay.tls = TlsNeed::Verify,
                Some(("tls", "never")) => relay.tls = TlsNeed::Never,
                Some(("tls", "implicit")) => relay.implicit_tls = true,
                Some(("login", both)) => {
                    let (user, password) = both.split_once(':').unwrap();
                    let login = Login { user: user.into(), password: password.into(), danger_without_tls: false };
                    relay.login = Some(login);
                }
                None if word == "danger" => relay.login.as_mut().unwrap().danger_without_tls = true,
                _ => panic!("not understood: {word}"),
            }
        }
        self.routes.add(&[], relay);
    }

    /// Plays the dialogues as the server, does what the case says, and compares.
    pub async fn run(mut self) {
        let network = MemoryNetwork::new(self.tls.clone());
        let mut listener = network.listen("192.0.2.1:25".parse().unwrap());
        let mut dialogues = std::mem::take(&mut self.dialogues);
        if let Some(certificate) = &self.certificate {
            for dialogue in &mut dialogues {
                dialogue.certificate(certificate.clone());
            }
        }
        let played = tokio::spawn(async move {
            for dialogue in dialogues.iter_mut() {
                let incoming = listener.accept().await.expect("the client is there");
                dialogue.patience(Duration::from_secs(3600)).as_server(incoming.stream).await.unwrap();
            }
            listener
        });
        self.act(&network).await;
        let late = tokio::time::timeout(Duration::from_secs(3600), played).await;
        let mut listener = late.unwrap_or_else(|_| panic!("{}: a connection is missing", self.name)).unwrap();
        let more = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        assert!(more.is_err() || more.unwrap().is_none(), "{}: a connection too many", self.name);
    }

    async fn act(&self, network: &MemoryNetwork) {
        let zone = ZoneFake::parse(&self.zone);
        let mut connection: Option<Connection> = None;
        let mut outcomes: Vec<Option<Outcome>> = Vec::new();
        let (mut stale, mut again) = (false, false);
        for act in &self.acts {
            match act {
                Act::Send(message) => {
                    assert!(outcomes.is_empty() && !stale && !again, "{}: not expected: {outcomes:?}", self.name);
                    let recipients: Vec<_> = message.recipients.iter().collect();
                    let transaction = Transaction {
                        from: message.from.as_ref(),
                        options: &message.options,
                        recipients: &recipients,
                        content: &message.content,
                        chunks: true,
                    };
                    let wanted = wanted(message);
                    connection = connection.take().filter(Connection::is_reusable);
                    connection = connection.and_then(|mut c| c.claim(wanted).then_some(c));
                    if connection.is_none() {
                        match self.open(network, &zone, message).await {
                            Ok(opened) => connection = Some(opened),
                            Err(outcome) => {
                                outcomes = vec![Some(outcome); recipients.len()];
                                continue;
                            }
                        }
                    }
                    match connection.as_mut().unwrap().send(&transaction).await {
                        Sent::Done(done) => outcomes = done,
                        Sent::Stale(_) => {
                            stale = true;
                            connection = None;
                        }
                        Sent::Again => {
                            again = true;
                            connection = None;
                        }
                    }
                }
                Act::Expect(expected) => {
                    assert!(!outcomes.is_empty(), "{}: no outcome for {expected}", self.name);
                    match outcomes.remove(0) {
                        Some(outcome) => self.compare(expected, &outcome),
                        None => assert_eq!(expected, "for another session", "{}", self.name),
                    }
                }
                Act::Again => assert!(std::mem::take(&mut again), "{}: decided: {outcomes:?}", self.name),
                Act::Stale => assert!(std::mem::take(&mut stale), "{}: not stale: {outcomes:?}", self.name),
                Act::Quit => connection.take().expect("a connection to quit").quit().await,
            }
        }
        assert!(outcomes.is_empty() && !stale && !again, "{}: not expected: {outcomes:?}", self.name);
    }

    async fn open(&self, network: &MemoryNetwork, zone: &ZoneFake, message: &Message) -> Result<Connection, Outcome> {
        let egress = Egress::unbound(Domain::parse("mail.a.test").unwrap());
        let domain = message.recipients[0].address.domain();
        let route = self.routes.resolve(domain, &egress, &self.settings, zone, &SeededRandom::new(1)).await?;
        Connection::open(&route, wanted(message), &egress, &self.settings, network, zone).await
    }

    fn compare(&self, expected: &str, outcome: &Outcome) {
        let words: Vec<_> = expected.splitn(5, ' ').collect();
        let got = [
            outcome.verdict.as_str().to_owned(),
            outcome.status.to_string(),
            outcome.stage.as_str().to_owned(),
            format!("{:?}", outcome.culprit).to_ascii_lowercase(),
        ];
        assert_eq!(got[..], words[..4], "{}: {outcome:?}", self.name);
        if let Some(text) = words.get(4) {
            let all = format!("{} {} {:?}", outcome.text, outcome.reason(), outcome.tls);
            assert!(all.contains(text), "{}: {text:?} is not in {outcome:?}", self.name);
        }
    }
}

fn wanted(message: &Message) -> Wanted<'_> {
    Wanted { domain: message.recipients[0].address.domain(), require_tls: message.options.require_tls }
}
