//! Letters of the server's own, from postmaster at a domain of ours: to the operator about incidents, the first message
//! of a new set-up, and reports to others. They are signed and leave as all mail does, under a permit.

use std::time::Duration;

use repute_message::compose::{Attachment, Letter, Person, compose};
use repute_spool::MessageMeta;
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Content, MessageId, Recipient};

use crate::config::SendingDomain;
use crate::intake::{self, Accepted};
use crate::works::Works;

pub(crate) struct OwnLetter<'a> {
    pub author: &'a SendingDomain,
    pub to: &'a Address,
    pub subject: String,
    pub text: String,
    /// Whether word that it could not be delivered goes to postmaster; otherwise its sender is null.
    pub returns: bool,
    pub expires: Duration,
    /// It is a report; then no TLS that its recipient's domain asks for is insisted on (RFC 8460 §3).
    pub report: Option<Report>,
}

/// What a report to a program has (RFC 6522).
pub(crate) struct Report {
    /// Its report-type.
    pub kind: &'static str,
    pub fields: Vec<(String, String)>,
    pub file: Attachment,
}

/// Committed when this returns; its id.
pub(crate) async fn send(works: &Works, own: OwnLetter<'_>) -> Result<MessageId, String> {
    let (settings, now) = (works.settings(), works.now());
    let id = works.ids.next(now);
    let from = Address::parse(&format!("postmaster@{}", own.author.name)).map_err(|error| error.to_string())?;
    let header_id = format!("{id}@{}", settings.hostname);
    let tls_optional = own.report.is_some();
    let (kind, mut fields, files) = match own.report {
        None => (None, Vec::new(), Vec::new()),
        Some(Report { kind, fields, file }) => (Some(kind), fields, vec![file]),
    };
    fields.extend([
        ("Date".into(), now.rfc5322()),
        ("Message-ID".into(), format!("<{header_id}>")),
        // RFC 3834 §5: nobody's program answers it.
        ("Auto-Submitted".into(), "auto-generated".into()),
    ]);
    if tls_optional {
        // RFC 8689 §5: who hands it on is to do the same.
        fields.push(("TLS-Required".into(), "No".into()));
    }
    let letter = Letter {
        from: Some(Person { name: "Repute".into(), address: from.clone() }),
        to: vec![own.to.clone().into()],
        subject: own.subject,
        fields,
        text: Some(own.text),
        attachments: files,
        report_type: kind,
        ..Letter::default()
    };
    let content = compose(&letter).map_err(|error| error.to_string())?;
    let content: Content = intake::signed(own.author, content, now).map_err(|reply| reply.to_string())?;
    let message = Accepted {
        meta: MessageMeta {
            from: own.returns.then_some(from),
            author: Some(own.author.name.clone()),
            options: EnvelopeOptions { tls_optional, ..EnvelopeOptions::default() },
            header_id,
            size: content.len() as u64,
            ..MessageMeta::new(id, now, now + own.expires)
        },
        recipients: vec![Recipient::to(own.to.clone())],
        content,
        due: now,
    };
    intake::commit(works, message, None, None).await.map(|_| id).map_err(|reply| reply.to_string())
}
