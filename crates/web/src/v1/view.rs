//! What is told of a message: where each recipient stands, and every step on the way.

use std::collections::BTreeMap;

use repute_engine::control::{QueueRow, Why};
use repute_ledger::{Settled, Step, StepKind};
use repute_types::MessageId;
use serde::Serialize;
use utoipa::ToSchema;

/// A message and where it stands.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct MessageView {
    #[schema(example = "1m7qw3g0w000h")]
    pub id: String,
    pub account: Option<String>,
    /// The envelope's sender.
    pub from: Option<String>,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub accepted: Option<String>,
    /// Octets.
    pub size: Option<u64>,
    /// The header field Message-ID, without brackets.
    pub message_id: Option<String>,
    pub recipients: Vec<RecipientView>,
    /// Oldest first.
    pub history: Vec<StepView>,
    /// The history cannot be written now: the last steps may be missing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub behind: bool,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RecipientView {
    #[schema(example = "bob@example.net")]
    pub address: String,
    #[schema(example = "delivered")]
    pub state: String,
    /// The SMTP enhanced status code of the last attempt.
    pub status: Option<String>,
    /// What the receiver said last, or what kept us from asking it.
    pub detail: Option<String>,
    pub attempts: u32,
    #[schema(format = DateTime)]
    pub next_attempt: Option<String>,
}

/// One step; which members there are depends on `step`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct StepView {
    #[schema(format = DateTime)]
    pub at: String,
    #[schema(example = "settled")]
    pub step: String,
    /// The step in one line, for people.
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub recipient: Option<String>,
    /// Of an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub verdict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reply: Option<String>,
    /// What the reply meant: the class of its cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cause: Option<String>,
    /// The server that was spoken to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub next_attempt: Option<String>,
}

/// Where a recipient may stand.
pub(crate) const STATES: [&str; 11] = [
    "queued",
    "scheduled",
    "sending",
    "deferred",
    "held",
    "delivered",
    "failed",
    "bounced",
    "complained",
    "unsubscribed",
    "suppressed",
];

/// What a step may be.
pub(crate) const STEPS: [&str; 11] = [
    "accepted",
    "settled",
    "held",
    "released",
    "noticed",
    "returned",
    "bounced",
    "complained",
    "unsubscribed",
    "suppressed",
    "cancelled",
];

/// Message by message, newest first.
pub(crate) fn messages(why: &Why) -> Vec<MessageView> {
    let mut views = BTreeMap::<MessageId, MessageView>::new();
    for step in &why.steps {
        let Some(id) = step.message else { continue };
        views.entry(id).or_default().add(step);
    }
    for row in &why.queued {
        views.entry(row.id).or_default().wait(row);
    }
    let named = |(id, mut view): (MessageId, MessageView)| {
        (view.id, view.behind) = (id.to_string(), why.behind);
        view
    };
    views.into_iter().rev().map(named).collect()
}

impl MessageView {
    fn add(&mut self, step: &Step) {
        let text = step.kind.to_string();
        let mut told = StepView { at: step.at.to_string(), text, ..StepView::default() };
        match &step.kind {
            StepKind::Accepted { account, from, recipients, size, header_id, .. } => {
                told.step = "accepted".into();
                self.account = account.clone();
                self.from = from.clone();
                self.accepted = Some(step.at.to_string());
                self.size = Some(*size).filter(|size| *size > 0);
                self.message_id = Some(header_id.clone()).filter(|id| !id.is_empty());
                for address in recipients {
                    self.recipient(address);
                }
            }
            StepKind::Settled(settled) => {
                self.settle(settled);
                told.step = "settled".into();
                told.settle(settled);
            }
            StepKind::CameBack { what, recipient, status, text, cause } => {
                let one = self.recipient(recipient);
                one.state = what.clone();
                // Nothing more is tried.
                one.next_attempt = None;
                one.status = status.clone().or(one.status.take());
                // The reply by which it was taken is no reason for what came back.
                one.detail.clone_from(text);
                told.step = what.clone();
                told.recipient = Some(recipient.clone());
                told.status = status.clone();
                told.cause = cause.as_ref().map(|cause| cause.class.clone());
            }
            StepKind::Held { .. } => told.step = "held".into(),
            StepKind::Released { .. } => told.step = "released".into(),
            StepKind::Cancelled { .. } => told.step = "cancelled".into(),
            StepKind::Noticed { .. } => told.step = "noticed".into(),
            StepKind::Returned { recipient, .. } => {
                told.step = "returned".into();
                told.recipient = Some(recipient.clone());
            }
            // Steps of no message are not asked for here.
            StepKind::Refused { .. } | StepKind::Note { .. } => return,
        }
        self.history.push(told);
    }

    fn settle(&mut self, settled: &Settled) {
        let one = self.recipient(&settled.recipient);
        one.state.clone_from(&settled.verdict);
        one.status = Some(settled.status.clone());
        one.detail = settled.reply.clone().or_else(|| settled.text.clone());
        one.attempts = settled.attempt;
        one.next_attempt = settled.next_attempt.map(|at| at.to_string());
    }

    /// What the queue says goes before what the history says.
    fn wait(&mut self, row: &QueueRow) {
        self.account = row.account.clone();
        self.from = Some(row.sender.clone());
        self.accepted.get_or_insert_with(|| row.received.to_string());
        self.size.get_or_insert(row.size);
        for waiting in &row.recipients {
            let one = self.recipient(&waiting.address.to_string());
            one.state = match (row.state, row.attempts, row.next) {
                ("held", ..) => "held",
                ("sending", ..) => "sending",
                (_, 0, Some(next)) if next > row.received => "scheduled",
                (_, 0, _) => "queued",
                _ => "deferred",
            }
            .into();
            one.attempts = row.attempts;
            one.next_attempt = row.next.map(|at| at.to_string());
            one.detail = row.reason.clone().or_else(|| waiting.last.clone()).or(one.detail.take());
        }
    }

    fn recipient(&mut self, address: &str) -> &mut RecipientView {
        let known = self.recipients.iter().position(|r| r.address.eq_ignore_ascii_case(address));
        let place = known.unwrap_or_else(|| {
            let (address, state) = (address.to_owned(), "queued".to_owned());
            let (status, detail, next_attempt) = (None, None, None);
            self.recipients.push(RecipientView { address, state, status, detail, attempts: 0, next_attempt });
            self.recipients.len() - 1
        });
        &mut self.recipients[place]
    }
}

impl StepView {
    fn settle(&mut self, settled: &Settled) {
        self.recipient = Some(settled.recipient.clone());
        self.verdict = Some(settled.verdict.clone());
        self.attempt = Some(settled.attempt);
        self.status = Some(settled.status.clone());
        self.reply = settled.reply.clone();
        self.cause = settled.cause.as_ref().map(|cause| cause.class.clone());
        self.host = settled.peer.clone();
        self.next_attempt = settled.next_attempt.map(|at| at.to_string());
    }
}
