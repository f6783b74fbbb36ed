//! A whole conversation as a pure function of octets: for fuzzing, and for tests that compare
//! one cut of the input with another.

use std::sync::Arc;

use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Content, Domain, EnhancedCode, Envelope, Recipient, Reply};

use super::{AuthAnswer, Config, Host, Kind, LineEnds, Security, Session, Start, Step, scram};

/// Senders and recipients whose local parts begin so are refused.
pub const UNWANTED: &str = "nobody";
/// A message with a first recipient that begins so is refused when it has come.
pub const LATE: &str = "late";

/// What came of a conversation.
#[derive(Debug, Default)]
pub struct Outcome {
    pub replies: Vec<u8>,
    pub messages: Vec<(Envelope, Content)>,
    pub closed: bool,
    /// STARTTLS was said, and TLS spoken from then on.
    pub secured: bool,
    /// A name, a login or a transaction of before the handshake was still there after it.
    pub carried_over: bool,
    /// The most octets of memory that content held, and of input that waited for more.
    pub most_held: usize,
    pub most_waiting: usize,
}

/// Speaks with a session that takes everything and everyone but who is called [`UNWANTED`], inside TLS, with small limits.
/// `cuts` gives the lengths of the reads, one after the other, round and round; 0 counts as 1.
pub fn converse(kind: Kind, octets: &[u8], cuts: &[usize]) -> Outcome {
    converse_from(Start { security: Security::Tls, known: true }, kind, octets, cuts)
}

/// The same as a program of this machine does, whose lines may end in LF alone.
pub fn converse_locally(octets: &[u8], cuts: &[usize]) -> Outcome {
    let start = Start { security: Security::Plain, known: true };
    hold(start, (Kind::Submission, LineEnds::AsTheFirst), octets, cuts)
}

/// The same with a session that begins as `start` says. STARTTLS drops what was read with it.
pub fn converse_from(start: Start, kind: Kind, octets: &[u8], cuts: &[usize]) -> Outcome {
    hold(start, (kind, LineEnds::CrLf), octets, cuts)
}

fn hold(start: Start, (kind, line_ends): (Kind, LineEnds), octets: &[u8], cuts: &[usize]) -> Outcome {
    let hostname = Domain::parse("mail.example").expect("a literal that is a domain");
    let config = Config {
        hostname,
        kind,
        max_size: 100_000,
        max_recipients: 20,
        max_errors: 10,
        max_chatter: 100,
        max_auth_failures: 3,
        line_ends,
    };
    let mut session = Session::new(Arc::new(config), start);
    let mut outcome = Outcome::default();
    let mut cuts = cuts.iter().map(|cut| (*cut).max(1)).cycle();
    let (mut at, mut have) = (0, 0);
    loop {
        let (used, step) = session.advance(&octets[at..have], &mut Yes);
        at += used;
        match step {
            Step::Read | Step::Close => {
                outcome.replies.extend_from_slice(session.output());
                session.written();
                outcome.closed = matches!(step, Step::Close);
                outcome.most_held = outcome.most_held.max(session.reserved());
                if outcome.closed || have == octets.len() {
                    return outcome;
                }
                outcome.most_waiting = outcome.most_waiting.max(have - at);
                have = octets.len().min(have + cuts.next().unwrap_or(octets.len()));
            }
            Step::StartTls => {
                outcome.replies.extend_from_slice(session.output());
                session.written();
                at = have;
                outcome.secured = true;
                session.tls_started();
                let is_new = session.helo().is_empty() && !session.is_authenticated() && !session.is_in_transaction();
                outcome.carried_over |= !is_new;
            }
            Step::CheckPassword { password, .. } => session.password_checked(match password.as_str() {
                "wrong" => AuthAnswer::Wrong,
                _ => AuthAnswer::Welcome,
            }),
            Step::Accept { envelope, content } => {
                if begins(envelope.recipients.first().map(|first| &first.address), LATE) {
                    session.accepted(Err(&refusal()));
                    continue;
                }
                outcome.messages.push((envelope, content));
                session.accepted(Ok(&outcome.messages.len()));
            }
        }
    }
}

struct Yes;

fn refusal() -> Reply {
    Reply::new(550, EnhancedCode(5, 7, 1), "not wanted here")
}

fn begins(address: Option<&Address>, with: &str) -> bool {
    address.is_some_and(|address| address.to_string().starts_with(with))
}

impl Host for Yes {
    fn mail(&mut self, from: Option<&Address>, _: &EnvelopeOptions) -> Result<(), Reply> {
        if begins(from, UNWANTED) { Err(refusal()) } else { Ok(()) }
    }
    fn rcpt(&mut self, recipient: &Recipient) -> Result<(), Reply> {
        if begins(Some(&recipient.address), UNWANTED) { Err(refusal()) } else { Ok(()) }
    }
    fn room(&mut self, _: usize) -> bool {
        true
    }
    fn may_try_auth(&mut self) -> bool {
        true
    }
    fn scram(&mut self, _: &str) -> (scram::Secret, [u8; 18]) {
        let secret = scram::Secret { iterations: 4096, salt: vec![1; 16], stored_key: [2; 32], server_key: [3; 32] };
        (secret, [4; 18])
    }
    fn scram_ended(&mut self, proof_is_right: bool) -> AuthAnswer {
        if proof_is_right { AuthAnswer::Welcome } else { AuthAnswer::Wrong }
    }
}
