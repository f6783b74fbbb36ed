//! The member `data`: what happened, in the words of the log.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;

use repute_types::event::{self, Back};
use repute_types::{Address, Cause, EventKind, Labels, MessageId, Outcome, PartId, Stage, Timestamp};
use serde::{Serialize, Serializer};

/// A list of recipients is cut here, so that an event stays small; their number is always whole.
const RECIPIENTS: usize = 100;

fn is_empty(list: &[String]) -> bool {
    list.is_empty()
}

fn shown<S: Serializer>(value: &Option<impl Display>, s: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => s.collect_str(value),
        None => s.serialize_none(),
    }
}

/// All members that an event can have; each type has some of them.
#[derive(Default, Serialize)]
pub(super) struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageId>,
    /// Recipients at one domain are one part of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<&'a str>,
    #[serde(skip_serializing_if = "is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<BTreeMap<&'a str, &'a str>>,
    /// The field Message-ID, without brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    header_message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'a Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipients: Option<&'a [Address]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    status: Option<repute_types::EnhancedCode>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    reply: Option<&'a repute_types::Reply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<CauseData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_verified: Option<bool>,
    /// Who asked for it, where somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_asked: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    egress: Option<IpAddr>,
    /// Seconds from acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    incident: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<&'a str>,
}

#[derive(Serialize)]
struct CauseData {
    rule: &'static str,
    class: &'static str,
    fault: &'static str,
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

impl<'a> Data<'a> {
    pub fn of(kind: &'a EventKind) -> Data<'a> {
        match kind {
            EventKind::Accepted(accepted) => Data::accepted(accepted),
            EventKind::Cancelled { message, account, labels, recipient_count } => Data {
                recipient_count: Some(*recipient_count),
                ..Data::about(*message, account.as_deref(), labels.as_deref())
            },
            EventKind::Held { message, part, account, labels, recipients, reason } => Data {
                reason: Some(reason),
                ..Data::about(*message, account.as_deref(), labels.as_deref()).of_part(*part, recipients)
            },
            EventKind::Released { message, part, account, labels, recipients } => {
                Data::about(*message, account.as_deref(), labels.as_deref()).of_part(*part, recipients)
            }
            EventKind::Settled(settled) => Data::settled(settled),
            EventKind::CameBack { what, account, labels, message, recipient, status, cause, text } => Data {
                message: *message,
                account: account.as_deref(),
                recipient: Some(recipient),
                bounce: (*what == Back::Bounced).then_some("notice"),
                status: *status,
                cause: cause.map(CauseData::of),
                text: some(text),
                ..Data::labelled(labels.as_deref())
            },
            EventKind::Suppressed { message, account, labels, recipient, why, text } => Data {
                recipient: Some(recipient),
                reason: Some(why),
                text: some(text),
                ..Data::about(*message, account.as_deref(), labels.as_deref())
            },
            EventKind::Incident { id, what, subject, text, cure, .. } => Data {
                incident: Some(*id),
                what: Some(what),
                subject: Some(subject),
                text: some(text),
                cure: some(cure),
                ..Data::default()
            },
            EventKind::Refused { .. }
            | EventKind::Noticed { .. }
            | EventKind::Returned { .. }
            | EventKind::Note { .. } => Data::default(),
        }
    }

    fn accepted(accepted: &'a event::Accepted) -> Data<'a> {
        let about = Data::about(accepted.message, accepted.account.as_deref(), accepted.labels.as_deref());
        Data {
            from: accepted.from.as_ref(),
            recipient_count: Some(accepted.recipient_count),
            size: Some(accepted.size),
            header_message_id: some(&accepted.header_id),
            client: accepted.client,
            ..about.with_all(&accepted.recipients)
        }
    }

    fn settled(settled: &'a event::Settled) -> Data<'a> {
        let event::Settled { part, account, labels, recipient, attempt, outcome, cause, next_attempt, age, egress } =
            settled;
        let Outcome { verdict, stage, status, reply, text, peer, tls, .. } = &**outcome;
        let failed = *verdict == repute_types::Verdict::Failed;
        Data {
            recipient: Some(recipient),
            bounce: failed.then_some(if *attempt == 0 || *stage == Stage::Queue { "queue" } else { "attempt" }),
            attempt: Some(*attempt).filter(|n| *n > 0),
            stage: Some(stage.as_str()),
            status: Some(*status),
            reply: reply.as_ref(),
            text: some(text),
            cause: cause.map(CauseData::of),
            host: peer.as_ref().map(|p| p.name.as_str()),
            ip: peer.as_ref().and_then(|p| p.address),
            tls: tls.as_ref().map(|t| t.version.as_str()),
            tls_verified: tls.as_ref().map(|t| t.verified),
            tls_asked: tls.as_ref().and_then(|t| t.asked.demand()),
            egress: *egress,
            after: Some(age.as_secs_f64()),
            next_attempt: *next_attempt,
            ..Data::about_part(*part, account.as_deref(), labels.as_deref())
        }
    }

    fn about(message: MessageId, account: Option<&'a str>, labels: Option<&'a Labels>) -> Data<'a> {
        Data { message: Some(message), account, ..Data::labelled(labels) }
    }

    fn about_part(part: PartId, account: Option<&'a str>, labels: Option<&'a Labels>) -> Data<'a> {
        Data { part: Some(part.number), ..Data::about(part.message, account, labels) }
    }

    /// A part with its recipients, or all of a campaign, of which none are named.
    fn of_part(self, part: Option<u32>, recipients: &'a [Address]) -> Data<'a> {
        match part {
            Some(part) => Data { part: Some(part), ..self.with_all(recipients) },
            None => self,
        }
    }

    fn labelled(labels: Option<&'a Labels>) -> Data<'a> {
        let Some(labels) = labels else { return Data::default() };
        let metadata = labels.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Data {
            campaign: labels.campaign.as_deref(),
            list: labels.list.as_deref(),
            tags: &labels.tags,
            metadata: (!labels.metadata.is_empty()).then(|| metadata.collect()),
            ..Data::default()
        }
    }

    fn with_all(self, recipients: &'a [Address]) -> Data<'a> {
        let listed = &recipients[..recipients.len().min(RECIPIENTS)];
        Data { recipients: Some(listed), recipient_count: Some(recipients.len() as u64), ..self }
    }
}

impl CauseData {
    fn of(cause: Cause) -> CauseData {
        CauseData { rule: cause.rule, class: cause.class, fault: cause.fault }
    }
}
