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

/// A notice that nobody knows of yet: it is to be told of, kept, and queued.
pub(crate) struct Written {
    about: MessageId,
    kind: NoticeKind,
    accepted: Accepted,
}

impl Written {
    pub fn tell(&self, works: &Works) {
        let notice = self.accepted.meta.id;
        works.emit(EventKind::Noticed { about: self.about, notice, kind: self.kind });
        works.emit(self.accepted.event(None, None));
    }

    /// What is to be kept and queued.
    pub fn into_new(self) -> NewMessage {
        self.accepted.into_new()
    }
}

/// The notices that finished recipients cause: failures together in one, relays in another.
/// `relay_tells` says that the next server promised the notices of success itself.
pub(crate) fn about(works: &Works, loaded: &Loaded, finished: &[Finished], relay_tells: bool) -> Vec<Written> {
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
    let wanted = |kind, recipients| Wanted { id: None, kind, meta: &loaded.meta, content: &loaded.content, recipients };
    let both = [wanted(NoticeKind::Failure, failed), wanted(NoticeKind::Relay, relayed)];
    both.into_iter().filter_map(|wanted| compose(works, wanted)).collect()
}

/// The notice that delivery takes long.
pub(crate) fn delay(works: &Works, loaded: &Loaded) -> Option<Written> {
    let waiting = crate::settle::not_tried_yet();
    let until = Some(works.expires(&loaded.meta));
    let recipients = loaded.part.recipients.iter().filter(|p| p.recipient.notify.on_delay()).map(|p| Told {
        recipient: &p.recipient,
        outcome: p.last.as_ref().unwrap_or(&waiting),
        attempted: None,
        until,
    });
    let recipients = recipients.collect();
    let (meta, content) = (&loaded.meta, &loaded.content);
    compose(works, Wanted { id: None, kind: NoticeKind::Delay, meta, content, recipients })
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
pub(crate) fn came_back(works: &Works, about: CameBack, failed: &[(Recipient, &Outcome)]) -> Option<Written> {
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
    let recipients = told.collect();
    let wanted = Wanted { id: Some(id), kind: NoticeKind::Failure, meta: &meta, content: &original, recipients };
    compose(works, wanted)
}

/// What a notice is made of.
struct Wanted<'a> {
    /// Its own, where it has one already.
    id: Option<MessageId>,
    kind: NoticeKind,
    meta: &'a MessageMeta,
    content: &'a Content,
    recipients: Vec<Told<'a>>,
}

/// `None` where nobody is to be told. That a notice cannot be made is noted.
fn compose(works: &Works, wanted: Wanted<'_>) -> Option<Written> {
    let Wanted { meta, recipients, .. } = &wanted;
    let (Some(account), Some(to), false) = (&meta.account, &meta.from, recipients.is_empty()) else { return None };
    let settings = works.settings();
    if settings.is_return_path(to) {
        // It would come back to this server, which refuses it: whoever sends from there reads events.
        return None;
    }
    let about = meta.id;
    let written = match domain_to_write_as(&settings, to, account) {
        Some(domain) => write(works, &settings, domain, to, wanted).map_err(|why| format!("was sent: {why}")),
        None => Err(format!("was sent to {to}: no domain of account {account} can sign it")),
    };
    written.map_err(|why| works.note(Level::Error, "notice", format!("no notice about {about} {why}"))).ok()
}

fn write(
    works: &Works,
    settings: &Settings,
    domain: &SendingDomain,
    to: &Address,
    wanted: Wanted<'_>,
) -> Result<Written, String> {
    let Wanted { id, kind, meta, content, recipients } = wanted;
    let now = works.now();
    let author = Address::parse(&format!("postmaster@{}", domain.name)).map_err(|error| error.to_string())?;
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
    let content = intake::signed(domain, composed.content, now).map_err(|reply| reply.to_string())?;
    let accepted = Accepted {
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
    };
    Ok(Written { about: meta.id, kind, accepted })
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
