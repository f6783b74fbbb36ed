//! A letter made into the message of one recipient: merged, made whole, with the fields of bulk
//! mail, signed.
//!
//! Promise: the same part gives the same Message-ID and Date at every attempt.

use std::sync::Arc;

use repute_feedback::Token;
use repute_message::merge::{FormLetter, Given};
use repute_message::whole::{self, Received, Whole};
use repute_spool::{MessageMeta, PartRecord, SpoolError};
use repute_types::{Address, Content, Domain, MessageId, PartId, Timestamp};

use super::fields::{self, About};
use super::leave::unsubscribe_url;
use super::{Known, Ready};
use crate::config::{SendingDomain, Settings};
use crate::intake;
use crate::returned::cfbl;
use crate::works::Works;

/// For whom and as whose a letter is merged.
pub(super) struct For<'a> {
    pub part: PartId,
    pub email: &'a Address,
    pub values: &'a [String],
    pub account: &'a str,
    pub campaign: &'a str,
    pub list: &'a str,
    /// Date says this.
    pub date: Timestamp,
}

/// The content of a campaign's part for an attempt. The inner error is why it cannot be made.
pub(crate) async fn merged(
    works: &Works,
    part: &PartRecord,
) -> Result<(Arc<MessageMeta>, Result<Content, String>), SpoolError> {
    let id = part.id.message;
    let ready = ready(works, id).await?;
    let meta = ready.meta.clone();
    let Some(known) = works.bulk.known(id) else { return Ok((meta, Err("its campaign is not known".into()))) };
    let content = match part.recipients.first() {
        Some(pending) => of(works, &ready, &known, part, &pending.recipient.address),
        None => Err("it has no recipient".to_owned()),
    };
    Ok((meta, content))
}

fn of(works: &Works, ready: &Ready, known: &Known, part: &PartRecord, email: &Address) -> Result<Content, String> {
    let whom = For {
        part: part.id,
        email,
        values: &part.values,
        account: &known.account,
        campaign: &known.name,
        list: &known.list,
        date: ready.meta.received,
    };
    render(works, &works.settings(), &ready.form, &whom)
}

/// Octets of the letter, of which what is merged has about as many.
pub(crate) async fn letter_size(works: &Works, id: MessageId) -> Result<usize, SpoolError> {
    Ok(usize::try_from(ready(works, id).await?.meta.size).unwrap_or(usize::MAX))
}

/// The letter, from memory or from the spool.
pub(super) async fn ready(works: &Works, id: MessageId) -> Result<Arc<Ready>, SpoolError> {
    if let Some(ready) = works.bulk.ready(id) {
        return Ok(ready);
    }
    let meta = works.doors.spool.meta(id).await?;
    let content = works.doors.spool.content(id).await?;
    // It was read when it came; what cannot be read now is damaged.
    let fields = meta.letter.as_deref().unwrap_or_default();
    let form = FormLetter::read(&content, fields).map_err(|_| SpoolError::Damaged(id))?;
    let ready = Arc::new(Ready { form, meta: Arc::new(meta) });
    // What is still loading gets other times with its launch.
    if works.bulk.state(id) != Some(repute_spool::CampaignState::Loading) {
        works.bulk.keep_ready(id, &ready);
    }
    Ok(ready)
}

/// Why not, as a sentence.
pub(super) fn render(works: &Works, settings: &Settings, form: &FormLetter, whom: &For<'_>) -> Result<Content, String> {
    let no_url = || "there is no `url` in [web], so that nobody could leave the list".to_owned();
    let url = settings.bulk.url.as_deref().ok_or_else(no_url)?;
    let token = works.doors.tokens.write(&Token::Unsubscribe { part: whom.part, recipient: 0 });
    let link = unsubscribe_url(url, &token);
    let given = Given { email: whom.email, values: whom.values, unsubscribe_url: &link };
    let mut content = form.merge(&given).map_err(|fault| fault.to_string())?;
    content.prepend(format!("Message-ID: <{}>\r\n", header_id(whom.part, &settings.hostname)));
    let received = Received { helo: "", client: None, protocol: "local", tls: None, private: true, recipient: None };
    let made = whole::make_whole(
        content,
        &Whole {
            now: whom.date,
            date: whom.date,
            id: whom.part.message,
            hostname: &settings.hostname,
            received,
            smtputf8: false,
            hops: settings.limits.hops,
        },
    );
    let mut made = made.map_err(|fault| fault.to_string())?;
    let domain = author(settings, whom.account, &made.from)?;
    let about =
        About { part: whom.part, domain, account: whom.account, campaign: Some(whom.campaign), list: Some(whom.list) };
    made.content.prepend(fields::write(works, url, &about));
    if let Some(field) = cfbl::field(works, domain, whom.part) {
        made.content.prepend(field);
    }
    intake::signed(domain, made.content, works.now()).map_err(|reply| reply.to_string())
}

/// The Message-ID of a campaign's part, without brackets.
fn header_id(part: PartId, hostname: &Domain) -> String {
    format!("{part}@{hostname}")
}

/// The domain that signs, which has to be the account's and to have a key.
pub(super) fn author<'a>(settings: &'a Settings, account: &str, from: &[Address]) -> Result<&'a SendingDomain, String> {
    let account = settings.account(account).ok_or_else(|| format!("there is no [[account]] {account:?}"))?;
    intake::author_domain(settings, &account.account, from).map_err(|reply| reply.text())
}
