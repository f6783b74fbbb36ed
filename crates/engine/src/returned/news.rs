//! What a message says, as news about recipients that its part really has; nothing else is believed.

use repute_feedback::{Comeback, Complaint, Report, Reported};
use repute_ledger::ReturnedMail;
use repute_ledger::suppression::{Entry, Scope, Why, spelling};
use repute_types::event::Back;
use repute_types::{Address, Cause, Culprit, EnhancedCode, Outcome, Peer, Reply, Stage, Verdict};

use super::known::Known;
use super::sentence;
use crate::suppress;
use crate::works::Works;

/// How a recipient left.
pub(super) const BY_MAIL: &str = "by mail";

/// What is said of one recipient.
pub(super) struct News {
    pub what: Back,
    pub recipient: Address,
    pub status: Option<EnhancedCode>,
    pub cause: Option<Cause>,
    pub text: String,
    pub entry: Option<Entry>,
    /// A permanent fault of the recipient's own.
    pub suppresses: bool,
    /// What a notice to the sender says.
    pub outcome: Option<Outcome>,
}

/// The recipient of the part that a stranger names; where no name is given, the only one.
fn recipient_of<'k>(known: &'k Known, named: &str) -> Option<&'k Address> {
    match named.trim() {
        "" => match known.recipients.as_slice() {
            [only] => Some(only),
            _ => None,
        },
        named => {
            let wanted = spelling(&named.trim_matches(['<', '>']).parse().ok()?);
            known.recipients.iter().find(|address| spelling(address) == wanted)
        }
    }
}

/// Failures alone: a delay or a success changes nothing.
pub(super) fn bounces(works: &Works, known: &Known, report: &Report) -> Vec<News> {
    let failed = report.recipients.iter().filter(|r| r.action == repute_feedback::Action::Failed);
    let of_one = |reported: &Reported| {
        let by_original = reported.original.as_deref().and_then(|named| recipient_of(known, named));
        let recipient = by_original.or_else(|| recipient_of(known, &reported.last))?.clone();
        let status = EnhancedCode(5, reported.status.1, reported.status.2);
        let text = sentence(&reported.diagnostic);
        let suppresses = reported.cause.as_ref().filter(|cause| cause.suppresses);
        let entry = suppresses
            .map(|cause| suppress::unknown(works, &recipient, cause.class.as_str(), &text, known.part.message));
        let reply = Reply { code: 550, enhanced: Some(status), lines: vec![text.clone()] };
        let outcome = Outcome {
            verdict: Verdict::Failed,
            stage: Stage::Body,
            culprit: Culprit::Receiver,
            status,
            reply: (!text.is_empty()).then_some(reply),
            text: "the receiving side took the message, and later sent word that it could not be delivered".to_owned(),
            peer: reported.remote.as_deref().or(report.reporter.as_deref()).map(|name| Peer {
                name: sentence(name),
                address: None,
                port: 25,
            }),
            tls: None,
        };
        let cause = reported.cause.as_ref().map(repute_feedback::Cause::told);
        Some(News {
            what: Back::Bounced,
            recipient,
            status: Some(status),
            cause,
            text,
            suppresses: entry.is_some(),
            entry,
            outcome: Some(outcome),
        })
    };
    failed.filter_map(of_one).collect()
}

/// Reports of spam and of wishes to leave; what else has the form of a complaint says nothing of people.
pub(super) fn complaints(works: &Works, known: &Known, complaint: &Complaint) -> Vec<News> {
    if !matches!(complaint.kind.as_str(), "abuse" | "fraud" | "opt-out" | "opt-out-list" | "miscategorized") {
        return Vec::new();
    }
    let mut complained: Vec<&Address> =
        complaint.recipients.iter().filter_map(|named| recipient_of(known, named)).collect();
    if complained.is_empty() {
        // Many receivers hide who it was, or name an address that ours forwards to: known where there is only one.
        complained.extend(recipient_of(known, ""));
    }
    let of_one = |recipient: &Address| {
        let recipient = recipient.clone();
        let text = sentence(&complaint.kind);
        let scope = Scope::of(known.account.as_deref(), None);
        let reporter = complaint.reporter.as_deref().map(sentence);
        let entry = Entry {
            reason: text.clone(),
            reply: reporter,
            message: Some(known.part.message),
            ..Entry::new(recipient.clone(), scope, Why::Complaint, works.now())
        };
        plain(Back::Complained, recipient, text, entry)
    };
    complained.into_iter().map(of_one).collect()
}

/// Mail to an unsubscribe address, whatever it says; but a machine's answer is nobody's wish. What has no sender, as
/// programs that leave for somebody write it, has to say that it is one.
pub(super) fn by_unsubscribe_address(
    works: &Works,
    known: &Known,
    recipient: u32,
    mail: &ReturnedMail,
    said: &Comeback,
) -> Vec<News> {
    let of_machine = matches!(said, Comeback::Report(_) | Comeback::AutoReply(_) | Comeback::Challenge(_));
    match known.recipients.get(recipient as usize) {
        Some(recipient) if !of_machine && (mail.from.is_some() || matches!(said, Comeback::Unsubscribe(_))) => {
            vec![unsubscribed(works, known, recipient)]
        }
        _ => Vec::new(),
    }
}

/// A letter to the return path that asks for no more.
pub(super) fn by_letter(works: &Works, known: &Known, from: Option<&str>) -> Vec<News> {
    let recipient = from.and_then(|from| recipient_of(known, from)).or_else(|| recipient_of(known, ""));
    recipient.map(|recipient| unsubscribed(works, known, recipient)).into_iter().collect()
}

fn unsubscribed(works: &Works, known: &Known, recipient: &Address) -> News {
    let list = known.labels.as_ref().and_then(|labels| labels.list.as_deref());
    let scope = Scope::of(known.account.as_deref(), list);
    let entry = Entry {
        reason: BY_MAIL.to_owned(),
        message: Some(known.part.message),
        ..Entry::new(recipient.clone(), scope, Why::Unsubscribed, works.now())
    };
    plain(Back::Unsubscribed, recipient.clone(), BY_MAIL.to_owned(), entry)
}

fn plain(what: Back, recipient: Address, text: String, entry: Entry) -> News {
    News { what, recipient, status: None, cause: None, text, entry: Some(entry), suppresses: false, outcome: None }
}
