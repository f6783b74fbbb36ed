//! What people write to a return path: handed on to where the account says (`replies`), or refused while
//! who wrote it is still there to be told.
//!
//! Promise: only a person's letter is handed on, once, to one address, as a message of ours: From is our domain's
//! postmaster, who wrote it stands in Reply-To, MAIL FROM is our return path's postmaster, and it is signed, so that
//! SPF, DKIM and DMARC pass. It belongs to no account, so its failure causes no notice; what is
//! answered to it goes to postmaster, which hands nothing on: no loop. At most [`LETTERS`] for a part: who has
//! one of our addresses cannot flood a mailbox in our name.

use repute_feedback::{Comeback, Letter, Token};
use repute_ledger::{Heard, Returned, ReturnedMail};
use repute_message::compose::Person;
use repute_message::forward::{self, Forward};
use repute_message::whole::{self, Whole};
use repute_spool::MessageMeta;
use repute_types::envelope::EnvelopeOptions;
use repute_types::event::Level;
use repute_types::{Address, Body, Content, EnhancedCode, PartId, Recipient, Reply};

use super::known::{self, Known};
use super::{Addressed, Waits, act, addressed};
use crate::config::Settings;
use crate::door;
use crate::intake::{self, Accepted};
use crate::notice;
use crate::works::Works;

/// A few people may answer one message, also more than once.
const LETTERS: usize = 20;
const REPLIED: &str = "replied";

/// Whether a message may come in, as far as it is a person's letter to return paths alone: refused where
/// nobody would read it. All else is taken, and judged later.
pub(super) async fn may_come(works: &Works, returned: &door::Returned) -> Result<(), Reply> {
    let settings = works.settings();
    let part_of = |to: &Address| match addressed(works, &settings, to) {
        Ok(Addressed::Token(Token::Return(part))) => Some(part),
        _ => None,
    };
    let parts: Option<Vec<PartId>> = returned.recipients.iter().map(part_of).collect();
    let (Some(parts), Some(_)) = (parts, &returned.from) else { return Ok(()) };
    if !matches!(act::understand(&returned.content).await.as_deref(), Some([Comeback::Reply(_)])) {
        return Ok(());
    }
    let mut refused = Ok(());
    for part in parts.into_iter().take(act::TOKENS) {
        match taker(works, &settings, part).await {
            Ok(_) => return Ok(()),
            Err(reply) => refused = Err(reply),
        }
    }
    refused
}

/// Where a letter to the return path of a part goes to, or why nowhere.
async fn taker(works: &Works, settings: &Settings, part: PartId) -> Result<(Known, Address), Reply> {
    let later =
        || Reply::new(451, EnhancedCode(4, 3, 0), "what this is about cannot be looked up now; try again later");
    let known = known::of(works, part).await.map_err(|_| later())?;
    let Some(known) = known else {
        let text = "the message that this address was made for is not known here any more";
        return Err(Reply::new(550, EnhancedCode(5, 1, 6), text));
    };
    let account = known.account.as_deref().and_then(|name| settings.account(name));
    let Some(to) = account.and_then(|account| account.replies.clone()) else {
        let text = "nobody reads letters at this address: it takes notices about a message that was sent from here; \
                    write to the address that the message has in From or Reply-To";
        return Err(Reply::new(550, EnhancedCode(5, 7, 1), text));
    };
    let store = works.doors.returned.as_ref();
    let letters = match store {
        Some(store) => store.count_heard(part, REPLIED).await.map_err(|_| later())?,
        None => 0,
    };
    if letters >= LETTERS {
        let text =
            "too many letters came to this address: write to the address that the message has in From or Reply-To";
        return Err(Reply::new(550, EnhancedCode(5, 7, 1), text));
    }
    Ok((known, to))
}

/// Hands a letter on; returns that it was, or that it was heard before. `None` drops it.
///
/// # Errors
/// Where it cannot be stored now.
pub(super) async fn hand_on(
    works: &Works,
    store: &Returned,
    part: PartId,
    mail: &ReturnedMail,
    letter: &Letter,
) -> Result<Option<Heard>, Waits> {
    let (Some(sender), settings) = (&mail.from, works.settings()) else { return Ok(None) };
    let (known, to) = match taker(works, &settings, part).await {
        Ok(taker) => taker,
        Err(reply) if reply.code < 500 => return Err(Waits::Letter(reply)),
        Err(_) => return Ok(None),
    };
    let heard = Heard { part, recipient: key_of(&mail.content, sender, letter), what: REPLIED };
    if store.was_heard(vec![heard.clone()]).await? == [true] {
        return Ok(None);
    }
    // A crash came between: it is on its way.
    if works.doors.spool.meta(mail.id).await.is_ok() {
        return Ok(Some(heard));
    }
    match compose(works, &settings, &Handed { mail, sender, letter, known, to }) {
        Ok(Some(accepted)) => {
            let text = format!("a reply to message {} was handed on as {}", part.message, mail.id);
            intake::commit(works, accepted, None, None).await.map_err(Waits::Letter)?;
            works.note(Level::Info, "returned", text);
            Ok(Some(heard))
        }
        Ok(None) => Ok(None),
        Err(why) => {
            let text = format!("a reply to message {} could not be handed on and was dropped: {why}", part.message);
            works.note(Level::Warning, "returned", text);
            Ok(None)
        }
    }
}

/// A letter that is handed on.
struct Handed<'a> {
    mail: &'a ReturnedMail,
    /// Its MAIL FROM.
    sender: &'a Address,
    letter: &'a Letter,
    /// The part that it answers.
    known: Known,
    to: Address,
}

/// `Ok(None)`: it is not a person's, or was handed on by us before.
fn compose(works: &Works, settings: &Settings, handed: &Handed<'_>) -> Result<Option<Accepted>, String> {
    let Handed { mail, sender, letter, known, to } = handed;
    let account = known.account.as_deref().unwrap_or_default();
    // Where the sender's own address is not known any more, any domain of the account will do.
    let written_as = known.from.as_ref().unwrap_or(to);
    let domain = notice::domain_to_write_as(settings, written_as, account)
        .ok_or_else(|| format!("no domain of account {account} can sign it"))?;
    let at = domain.return_path.as_ref().unwrap_or(&domain.name);
    let of = |local: &str, domain| Address::parse(&format!("{local}@{domain}")).map_err(|error| error.to_string());
    let mark = format!("replies@{at}");
    if !forward::is_personal(&mail.content, &mark) {
        works.reader.ignore_one();
        return Ok(None);
    }
    let writer = letter.reply_to.as_deref().and_then(|text| text.parse().ok()).unwrap_or_else(|| (*sender).clone());
    // An address there looks to filters like one that is forged (rspamd: SPOOF_DISPLAY_NAME, 8 points).
    let shown = letter.name.clone().unwrap_or_else(|| writer.to_string()).replace('@', " at ");
    let wanted = Forward {
        from: Person { name: format!("{shown} via {}", domain.name), address: of("postmaster", &domain.name)? },
        reply_to: Person { name: letter.name.clone().unwrap_or_default(), address: writer.clone() },
        to: to.clone(),
        mark,
    };
    let content = forward::forward(&mail.content, &wanted).map_err(|fault| fault.to_string())?;
    let smtputf8 = writer.needs_smtputf8() || to.needs_smtputf8();
    let now = works.now();
    let received =
        whole::Received { helo: "", client: None, protocol: "ESMTP", tls: None, private: false, recipient: None };
    let whole = Whole {
        now,
        date: now,
        id: mail.id,
        hostname: &settings.hostname,
        received,
        smtputf8,
        hops: settings.limits.hops,
    };
    let made = whole::make_whole(content, &whole).map_err(|fault| fault.to_string())?;
    let content = intake::signed(domain, made.content, now).map_err(|reply| reply.to_string())?;
    let options = EnvelopeOptions {
        body: if made.needs_eight_bit { Body::EightBitMime } else { Body::SevenBit },
        smtputf8: smtputf8 || made.needs_smtputf8,
        ..EnvelopeOptions::default()
    };
    let meta = MessageMeta {
        from: Some(of("postmaster", at)?),
        author: Some(domain.name.clone()),
        options,
        header_id: made.header_id,
        size: content.len() as u64,
        ..MessageMeta::new(mail.id, now, now + settings.retry.expire)
    };
    Ok(Some(Accepted { meta, recipients: vec![Recipient::to(to.clone())], content, due: now }))
}

/// What tells a letter from others: its Message-ID, else who wrote it about what.
fn key_of(content: &Content, sender: &Address, letter: &Letter) -> String {
    let header = repute_message::Header::read(content).ok();
    let id = header.as_ref().and_then(|header| header.find("Message-ID"));
    let key = match id {
        Some(field) => String::from_utf8_lossy(&field.text()).into_owned(),
        None => format!("{sender} {}", letter.subject),
    };
    key.chars().take(255).collect()
}
