//! Notices to senders (RFC 3464, RFC 3461): what failed, what takes long, what was relayed.
//!
//! Promise: only a sender that was authenticated here is told (a message without an account,
//! such as a notice, never causes another), only at its own return path, only what was asked
//! for (NOTIFY), and once. A notice has the null sender and is signed as the sender's domain.

use std::sync::Arc;
use std::time::Duration;

use repute_message::dsn::{self, Notice, Original, Told};
use repute_spool::{MessageMeta, NewMessage};
use repute_types::envelope::EnvelopeOptions;
use repute_types::event::{Level, NoticeKind};
use repute_types::{
    AccountName, Address, Content, EventKind, Labels, MessageId, Outcome, Recipient, Ret, Timestamp, Verdict,
};

use crate::config::{SendingDomain, Settings};
use crate::fresh::Loaded;
use crate::intake::{self, Accepted};
use crate::settle::Finished;
use crate::works::Works;

/// A notice is first sent so long after it was written: when it is surely on disk (a settlement
/// takes 100 ms at most where the disk takes it). Sent before, it would be sent again, as another,
/// by whoever finds the failure unsettled after a crash.
const WAIT: Duration = Duration::from_secs(1);

/// The notices that finished recipients cause: failures together in one, relays in another.
/// `relay_tells` says that the next server promised the notices of success itself.
pub(crate) fn about(works: &Works, loaded: &Loaded, finished: &[Finished], relay_tells: bool) -> Vec<NewMessage> {
    if loaded.meta.letter.is_some() {
        // What becomes of a campaign's recipients is told by its counts and by events, not by thousands of notices.
        return Vec::new();
    }
    let now = works.now();
    let told = |f: &Finished, wanted: Verdict, asked: bool| asked && f.outcome.verdict == wanted;
    fn tell(f: &Finished, at: Timestamp) -> Told<'_> {
        Told { recipient: &f.recipient, outcome: &f.outcome, attempted: Some(at), until: None }
    }
    let failed = finished.iter().filter(|f| told(f, Verdict::Failed, f.recipient.notify.on_failure()));
    let failed: Vec<_> = failed.map(|f| tell(f, now)).collect();
    let relayed =
        finished.iter().filter(|f| !relay_tells && told(f, Verdict::Delivered, f.recipient.notify.on_success()));
    let relayed: Vec<_> = relayed.map(|f| tell(f, now)).collect();
    let mut notices = Vec::new();
    notices.extend(compose(works, None, &loaded.meta, &loaded.content, NoticeKind::Failure, failed));
    notices.extend(compose(works, None, &loaded.meta, &loaded.content, NoticeKind::Relay, relayed));
    notices
}

/// The notice that delivery takes long.
pub(crate) fn delay(works: &Works, loaded: &Loaded) -> Vec<NewMessage> {
    let waiting = crate::settle::not_tried_yet();
    let until = Some(works.expires(&loaded.meta));
    let told = loaded.part.recipients.iter().filter(|p| p.recipient.notify.on_delay()).map(|p| Told {
        recipient: &p.recipient,
        outcome: p.last.as_ref().unwrap_or(&waiting),
        attempted: None,
        until,
    });
    compose(works, None, &loaded.meta, &loaded.content, NoticeKind::Delay, told.collect()).into_iter().collect()
}

/// What a notice about mail that came back needs.
pub(crate) struct CameBack {
    /// Of the mail that came back; the notice takes it, so that it is made once.
    pub id: MessageId,
    /// The message that it is about.
    pub message: MessageId,
    pub account: Option<AccountName>,
    /// The sender's own return path, where it is still known.
    pub to: Option<Address>,
    pub labels: Option<Arc<Labels>>,
    /// As much of its header as came back.
    pub original: Content,
}

/// The notice that something failed after a server had taken it.
pub(crate) fn came_back(works: &Works, about: CameBack, failed: &[(Recipient, &Outcome)]) -> Option<NewMessage> {
    let CameBack { id, message, account, to, labels, original } = about;
    let now = works.now();
    let meta = MessageMeta {
        account,
        from: to,
        options: EnvelopeOptions { ret: Some(Ret::Headers), ..EnvelopeOptions::default() },
        size: original.len() as u64,
        labels,
        ..MessageMeta::new(message, message.time(), now)
    };
    let told = failed.iter().map(|(recipient, outcome)| Told { recipient, outcome, attempted: Some(now), until: None });
    compose(works, Some(id), &meta, &original, NoticeKind::Failure, told.collect())
}

fn compose(
    works: &Works,
    id: Option<MessageId>,
    meta: &MessageMeta,
    content: &Content,
    kind: NoticeKind,
    recipients: Vec<Told<'_>>,
) -> Option<NewMessage> {
    let (Some(account), Some(to), false) = (&meta.account, &meta.from, recipients.is_empty()) else { return None };
    let settings = works.settings();
    if settings.is_return_path(to) {
        // It would come back to this server, which refuses it: whoever sends from there reads events.
        return None;
    }
    let now = works.now();
    let Some(domain) = domain_to_write_as(&settings, to, account) else {
        let text = format!("no notice about {} was sent to {to}: no domain of account {account} can sign it", meta.id);
        works.note(Level::Error, "notice", text);
        return None;
    };
    let author = Address::parse(&format!("postmaster@{}", domain.name)).ok()?;
    let id = id.unwrap_or_else(|| works.ids.next(now));
    let original = Original {
        id: meta.id,
        received: meta.received,
        envid: meta.options.envid.as_deref(),
        ret: meta.options.ret,
        content,
    };
    let notice = Notice { kind, now, id, hostname: &settings.hostname, author: &author, to, original, recipients };
    let composed = dsn::compose(&notice);
    let content = match intake::signed(domain, composed.content, now) {
        Ok(content) => content,
        Err(reply) => {
            works.note(Level::Error, "notice", format!("no notice about {} was sent: {reply}", meta.id));
            return None;
        }
    };
    works.emit(EventKind::Noticed { about: meta.id, notice: id, kind });
    works.emit(EventKind::Accepted {
        message: id,
        account: None,
        from: None,
        recipients: vec![to.clone()],
        recipient_count: 1,
        size: content.len(),
        header_id: composed.header_id.clone(),
        client: None,
        tls: None,
        labels: None,
    });
    Some(
        Accepted {
            due: now + WAIT,
            meta: MessageMeta {
                author: Some(domain.name.clone()),
                options: EnvelopeOptions {
                    smtputf8: composed.smtputf8,
                    // What was secret on the way out is secret on the way back (RFC 8689 §5).
                    require_tls: meta.options.require_tls,
                    ..EnvelopeOptions::default()
                },
                header_id: composed.header_id,
                size: content.len() as u64,
                ..MessageMeta::new(id, now, now + settings.retry.expire)
            },
            recipients: vec![Recipient::to(to.clone())],
            content,
        }
        .into_new(),
    )
}

/// The domain as which the notice is written: the sender's, or else another of its account
/// that can sign (the sender's may have been taken out of the configuration meanwhile).
pub(crate) fn domain_to_write_as<'a>(settings: &'a Settings, to: &Address, account: &str) -> Option<&'a SendingDomain> {
    let own = settings.domains.of(to.domain()).find(|d| d.is_usable());
    own.or_else(|| {
        let domains = &settings.account(account)?.account.domains;
        domains.iter().filter_map(|name| settings.domain(name)).find(|d| d.is_usable())
    })
}
