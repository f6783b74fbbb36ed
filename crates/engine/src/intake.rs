//! Steps 2 to 5 of a message's path: may it be sent, made whole, signed, committed, due.
//! The one door into the spool; SMTP and whatever else accepts mail come through here.
//!
//! Every refusal is a reply with its cure. A message without a signature of its From domain is
//! refused here and never sent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_message::whole::{self, Said, Whole};
use repute_queue::{Entry, Flow};
use repute_spool::{CampaignState, Committed, MessageMeta, NewMessage, PartRecord, PartState, Pending, SpoolError};
use repute_trust::dkim;
use repute_types::{
    Address, Body, Content, Domain, EnhancedCode, EventKind, Labels, Map, MessageId, PartId, Recipient, Reply, Set,
    Stream, Timestamp, TlsUsed, event,
};

use crate::allowance;
use crate::bulk;
use crate::circuit::{brake, campaigns};
use crate::config::{SendingDomain, Settings};
use crate::disk;
use crate::door::{Account, SEND_AT_MOST, Submitted};
use crate::returned::cfbl;
use crate::suppress;
use crate::works::Works;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a client is told where the spool cannot keep its message (RFC 5321 §4.2.3).
const NO_ROOM: u16 = 452;

/// Whether the account may use this return path (MAIL FROM).
pub(crate) fn may_send_from(settings: &Settings, account: &Account, from: Option<&Address>) -> Result<(), Reply> {
    match from {
        // The null sender is for notices; an application may send some of its own.
        None => Ok(()),
        Some(address) => may_use_domain(settings, account, address.domain(), "MAIL FROM").map(drop),
    }
}

/// The domain of a sender address, if the account may send as it and it is set up.
fn may_use_domain<'a>(
    settings: &'a Settings,
    account: &Account,
    domain: &Domain,
    which: &str,
) -> Result<&'a SendingDomain, Reply> {
    let found = settings.domains.of(domain).find(|d| account.domains.has(&d.name));
    let Some(found) = found else {
        let cure = if settings.domains.has(domain) {
            format!("add \"{domain}\" to the domains of [[account]] \"{}\"", account.name)
        } else {
            format!(
                "set the domain up with `repute domain add {domain}` and add it to [[account]] \"{}\"",
                account.name
            )
        };
        let text = format!("account {} may not send as {domain} ({which}): {cure}", account.name);
        return Err(Reply::new(550, EnhancedCode(5, 7, 1), text));
    };
    if !found.is_usable() {
        let text =
            format!("{domain} has no usable DKIM key, so nothing is sent as it: run `repute domain add {domain}`");
        return Err(Reply::new(550, EnhancedCode(5, 7, 20), text));
    }
    Ok(found)
}

pub(crate) async fn accept(works: &Works, submitted: Submitted) -> Result<Committed, Reply> {
    let client = submitted.origin.client;
    let account = submitted.account.clone();
    let result = accept_message(works, submitted).await;
    result.map_err(|NotTaken { reply, is_told }| {
        if !is_told {
            works.emit(EventKind::Refused { account: Some(account.name.clone()), client, reply: reply.clone() });
        }
        reply
    })
}

/// A message that is refused.
struct NotTaken {
    reply: Reply,
    /// It stands among what is told of the disk.
    is_told: bool,
}

impl From<Reply> for NotTaken {
    fn from(reply: Reply) -> NotTaken {
        NotTaken { reply, is_told: false }
    }
}

async fn accept_message(works: &Works, submitted: Submitted) -> Result<Committed, NotTaken> {
    let settings = works.settings();
    let Submitted { account, envelope, content, origin, labels, send_at, id } = submitted;
    may_send_from(&settings, &account, envelope.from.as_ref())?;
    if envelope.recipients.is_empty() {
        return Err(Reply::new(554, EnhancedCode(5, 5, 1), "no valid recipients").into());
    }
    let (recipients, left_out) = suppress::at_acceptance(works, &account.name, labels.as_deref(), envelope.recipients)?;
    let now = works.now();
    let due = first_due(&settings, send_at, now)?;
    let id = id.unwrap_or_else(|| works.ids.next(now));
    let made = whole::make_whole(
        content,
        &Whole {
            now,
            date: due,
            id,
            hostname: &settings.hostname,
            received: whole::Received {
                helo: &origin.helo,
                client: origin.client,
                protocol: origin.protocol,
                tls: origin.tls.as_ref(),
                private: account.private,
                recipient: only_recipient(&recipients),
            },
            smtputf8: envelope.options.smtputf8,
            hops: settings.limits.hops,
        },
    )
    .map_err(|fault| fault.into_reply())?;
    let author = author_domain(&settings, &account, &made.from)?;
    let (account, labels) = as_said(account, labels, made.said);
    let mut options = envelope.options;
    // What the content is now, not what the client called it, decides what the next server is asked for.
    options.body = if made.needs_eight_bit { Body::EightBitMime } else { Body::SevenBit };
    options.smtputf8 |= made.needs_smtputf8;
    let mut content = made.content;
    // One recipient is one who can leave with one click.
    let members = recipients.len() == 1 && {
        let list = labels.as_ref().and_then(|labels| labels.list.as_deref());
        bulk::add_to_single(works, &settings, &account, author, id, list, &mut content)
    };
    cfbl::add(works, author, id, &recipients, &mut content);
    let content = signed(author, content, now)?;
    let author = Some(author.name.clone());
    let message = Accepted {
        meta: MessageMeta {
            id,
            account: Some(account.name.clone()),
            stream: account.stream,
            from: envelope.from,
            author,
            options,
            received: now,
            expires: due + settings.retry.expire,
            header_id: made.header_id,
            size: content.len() as u64,
            labels: labels.clone(),
            letter: None,
            members,
        },
        recipients,
        content,
        due,
    };
    let taken = allowance::take(works, &account.name, message.recipients.len())?;
    let committed = commit(works, message, origin.client, origin.tls)
        .await
        .map_err(|reply| NotTaken { is_told: reply.code == NO_ROOM, reply })?;
    taken.keep();
    for entry in &left_out {
        suppress::tell(works, id, Some(&account.name), labels.as_ref(), entry);
    }
    Ok(committed)
}

/// The account and the labels of a message, with what its own fields said of them: mail may be bulk mail where its account's is
/// not, and never the other way about.
fn as_said(account: Arc<Account>, labels: Option<Arc<Labels>>, said: Said) -> (Arc<Account>, Option<Arc<Labels>>) {
    let account = match said.bulk && account.stream != Stream::Bulk {
        true => Arc::new(Account { stream: Stream::Bulk, ..(*account).clone() }),
        false => account,
    };
    if said.is_silent() {
        return (account, labels);
    }
    let mut labels = labels.map(Arc::unwrap_or_clone).unwrap_or_default();
    said.add_to(&mut labels);
    (account, labels.kept())
}

/// When a message is tried first. A time that has passed is now.
fn first_due(settings: &Settings, send_at: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Reply> {
    let Some(at) = send_at else { return Ok(now) };
    let most = dkim::EXPIRY.saturating_sub(settings.retry.expire + DAY).min(SEND_AT_MOST);
    if at > now + most {
        let text = format!("the time to send it is too far ahead: name one before {}", now + most);
        return Err(Reply::new(550, EnhancedCode(5, 6, 0), text));
    }
    Ok(at.max(now))
}

/// The sole recipient may be named in Received; with several it would give away a Bcc.
fn only_recipient(recipients: &[Recipient]) -> Option<&Address> {
    match recipients {
        [one] => Some(&one.address),
        _ => None,
    }
}

/// The domain that signs: that of the From field. Every author must be one of the account's.
pub(crate) fn author_domain<'a>(
    settings: &'a Settings,
    account: &Account,
    from: &[Address],
) -> Result<&'a SendingDomain, Reply> {
    let mut first = None;
    for author in from {
        let domain = may_use_domain(settings, account, author.domain(), "From")?;
        first.get_or_insert(domain);
    }
    first.ok_or_else(|| Reply::new(550, EnhancedCode(5, 6, 0), "the From field names no address: add one"))
}

/// The content with a signature by each of the domain's keys in front.
pub(crate) fn signed(domain: &SendingDomain, mut content: Content, now: Timestamp) -> Result<Content, Reply> {
    if domain.keys.is_empty() {
        return Ok(content);
    }
    let keys: Vec<_> = domain.keys.iter().map(|key| &**key).collect();
    match dkim::sign(&content, &keys, &domain.name, now) {
        Ok(fields) => {
            content.prepend(fields);
            Ok(content)
        }
        Err(error) => {
            let text = format!("the message could not be signed as {}: {error}", domain.name);
            Err(Reply::new(451, EnhancedCode(4, 7, 5), text))
        }
    }
}

/// A message that has passed every question and only needs to be kept.
pub(crate) struct Accepted {
    pub meta: MessageMeta,
    pub recipients: Vec<Recipient>,
    pub content: Content,
    /// When it is tried first.
    pub due: Timestamp,
}

impl Accepted {
    /// Tells that it was accepted, and how it came.
    pub fn event(&self, client: Option<IpAddr>, tls: Option<TlsUsed>) -> EventKind {
        let recipients: Vec<_> = self.recipients.iter().map(|r| r.address.clone()).collect();
        let count = recipients.len() as u64;
        EventKind::Accepted(event::Accepted { client, tls, ..self.meta.accepted(recipients, count) })
    }

    pub fn into_new(self) -> NewMessage {
        let parts = split(self.meta.id, self.recipients, self.due);
        NewMessage { meta: self.meta, parts, content: self.content }
    }
}

/// One part a domain, in the order in which the domains were first named.
fn split(message: MessageId, recipients: Vec<Recipient>, due: Timestamp) -> Vec<PartRecord> {
    // Most messages have one part: of its own, the list would begin with room for four.
    let mut parts: Vec<PartRecord> = Vec::with_capacity(1);
    let mut places = Map::<Domain, usize>::default();
    let again = named_before(&recipients);
    for (recipient, again) in recipients.into_iter().zip(again) {
        // The same address twice is delivered once (RFC 5321 §3.3 leaves it to us).
        if again {
            continue;
        }
        let domain = recipient.address.domain().clone();
        let place = *places.entry(domain.clone()).or_insert(parts.len());
        if place == parts.len() {
            let id = PartId { message, number: place as u32 };
            parts.push(PartRecord::new(id, domain, Vec::new(), due));
            // Most parts have one recipient: of its own, the list would begin with room for four.
            parts[place].recipients.reserve_exact(1);
        }
        parts[place].recipients.push(Pending { recipient, last: None });
    }
    parts.shrink_to_fit();
    parts
}

/// Of each recipient whether it is one of those before it: one look-up each, however many are at one domain.
fn named_before(recipients: &[Recipient]) -> Vec<bool> {
    let mut seen = Set::with_capacity_and_hasher(recipients.len(), Default::default());
    recipients.iter().map(|recipient| !seen.insert(&recipient.address)).collect()
}

pub(crate) async fn commit(
    works: &Works,
    message: Accepted,
    client: Option<IpAddr>,
    tls: Option<TlsUsed>,
) -> Result<Committed, Reply> {
    let event = message.event(client, tls);
    let new = message.into_new();
    let committed = works.doors.spool.commit(new.clone()).await.map_err(|error| refused_by_spool(works, &error))?;
    works.emit(event);
    brake::count_accepted(works, &new.meta, &new.parts, client);
    enter(works, new);
    Ok(committed)
}

fn refused_by_spool(works: &Works, error: &SpoolError) -> Reply {
    if let SpoolError::Storage(detail) = error {
        disk::refused(works, 1, detail);
    }
    match error {
        SpoolError::Closed => Reply::new(421, EnhancedCode(4, 3, 2), "the server is stopping; try again"),
        _ => Reply::new(NO_ROOM, EnhancedCode(4, 3, 1), "the message cannot be stored now; try again later"),
    }
}

/// Hands a committed message to the queue, content and all.
pub(crate) fn enter(works: &Works, message: NewMessage) {
    let NewMessage { meta, parts, content } = message;
    let entries: Vec<_> = parts.iter().map(|part| works.entry(&meta, part)).collect();
    works.fresh().keep(Arc::new(meta), content, parts);
    let now = works.now();
    works.queue(|queue| {
        for entry in entries {
            queue.enter(entry, now);
        }
    });
}

impl Works {
    /// How the queue is told of a part.
    pub(crate) fn entry(&self, meta: &MessageMeta, part: &PartRecord) -> Entry {
        Entry {
            part: part.id,
            flow: self.flow(meta, part),
            stream: meta.stream,
            due: part.due,
            alarm: self.next_alarm(meta, part),
            attempts: part.attempts,
            held: part.state != PartState::Due || self.is_paused(meta.id) || campaigns::is_stopped(self, meta.id),
        }
    }

    pub(crate) fn flow(&self, meta: &MessageMeta, part: &PartRecord) -> Flow {
        let sender = self.gate.sender(meta.author.as_ref());
        Flow { domain: part.domain.clone(), sender, tls_optional: meta.options.tls_optional }
    }

    fn is_paused(&self, message: MessageId) -> bool {
        matches!(self.bulk.state(message), Some(CampaignState::Paused(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_recipients_as_may_be_configured_at_one_domain_are_split_with_a_look_up_each() {
        let recipient = |n: usize| Recipient::to(Address::parse(&format!("user{n}@d{}.example", n % 2)).unwrap());
        let twice = (0..100_000).chain(0..100_000).map(recipient).collect();
        let parts = split(MessageId(1), twice, Timestamp(0));
        let of = |part: &PartRecord| part.recipients.iter().map(|p| p.recipient.clone()).collect::<Vec<_>>();
        let all: Vec<_> = parts.iter().map(of).collect();
        assert_eq!(all, [0, 1].map(|first| (first..100_000).step_by(2).map(recipient).collect::<Vec<_>>()));
    }
}
