//! `MessageMeta` and `PartRecord` as octets. Ids are the rows' keys and are not repeated.

use std::sync::Arc;

use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Body, Domain, Labels, MessageId, Notify, PartId, Recipient, Ret, Stream, Timestamp};

use super::outcome::{read_outcome, write_outcome};
use super::{Bad, Read, Reader, Writer};
use crate::{Hold, Holder, MessageMeta, PartRecord, PartState, Pending};

const META_V1: u8 = 1;
// The second has labels.
/// With the list among them.
const META_V3: u8 = 3;
/// With the letter's fields and whether members are kept.
const META_V4: u8 = 4;
/// With the author's domain.
const META_V5: u8 = 5;
const PART_V1: u8 = 1;
/// With merge fields; the domain is the first recipient's and is not repeated.
const PART_V2: u8 = 2;

pub(crate) fn meta_to_octets(meta: &MessageMeta, buffer: &mut Vec<u8>) {
    let mut w = Writer::start(buffer, META_V5);
    w.option(meta.account.as_deref(), Writer::text);
    w.octet(match meta.stream {
        Stream::Transactional => 0,
        Stream::Bulk => 1,
    });
    w.option(meta.from.as_ref(), write_address);
    write_options(&mut w, &meta.options);
    w.int(meta.received.0);
    w.int(meta.expires.0);
    w.text(&meta.header_id);
    w.uint(meta.size);
    w.option(meta.labels.as_deref(), write_labels);
    w.octet(u8::from(meta.members));
    w.option(meta.letter.as_deref(), write_texts);
    match &meta.author {
        None => w.octet(0),
        // Nearly always: MAIL FROM and From agree.
        Some(author) if is_that_of(author, meta.from.as_ref()) => w.octet(2),
        Some(author) => {
            w.octet(1);
            w.text(author.as_str());
        }
    }
    w.seal();
}

pub(crate) fn meta_from_octets(id: MessageId, octets: &[u8]) -> Read<MessageMeta> {
    let (version, mut r) = Reader::open(octets)?;
    if !(META_V1..=META_V5).contains(&version) {
        return Err(Bad);
    }
    let mut meta = MessageMeta {
        id,
        account: r.option(Reader::text)?.map(Into::into),
        stream: match r.octet()? {
            0 => Stream::Transactional,
            1 => Stream::Bulk,
            _ => return Err(Bad),
        },
        from: r.option(read_address)?,
        author: None,
        options: read_options(&mut r)?,
        received: Timestamp(r.int()?),
        expires: Timestamp(r.int()?),
        header_id: r.text()?.to_owned(),
        size: r.uint()?,
        labels: match version {
            META_V1 => None,
            _ => r.option(|r| read_labels(r, version))?.map(Arc::new),
        },
        letter: None,
        members: false,
    };
    if version >= META_V4 {
        meta.members = read_bool(&mut r)?;
        meta.letter = r.option(read_texts)?.map(Into::into);
    }
    if version >= META_V5 {
        meta.author = read_author(&mut r, meta.from.as_ref())?;
    }
    r.end()?;
    Ok(meta)
}

fn is_that_of(author: &Domain, from: Option<&Address>) -> bool {
    from.is_some_and(|from| from.domain() == author)
}

fn read_author(r: &mut Reader<'_>, from: Option<&Address>) -> Read<Option<Domain>> {
    Ok(match r.octet()? {
        0 => None,
        1 => Some(Domain::parse(r.text()?).map_err(|_| Bad)?),
        2 => Some(from.ok_or(Bad)?.domain().clone()),
        _ => return Err(Bad),
    })
}

fn write_labels(w: &mut Writer<'_>, labels: &Labels) {
    w.option(labels.campaign.as_deref(), Writer::text);
    w.option(labels.list.as_deref(), Writer::text);
    write_texts(w, &labels.tags);
    w.uint(labels.metadata.len() as u64);
    for (name, value) in &labels.metadata {
        w.text(name);
        w.text(value);
    }
}

fn read_labels(r: &mut Reader<'_>, version: u8) -> Read<Labels> {
    let campaign = r.option(Reader::text)?.map(str::to_owned);
    let list = if version < META_V3 { None } else { r.option(Reader::text)?.map(str::to_owned) };
    let tags = read_texts(r)?;
    let metadata = (0..r.count()?).map(|_| Ok((r.text()?.to_owned(), r.text()?.to_owned()))).collect::<Read<_>>()?;
    Ok(Labels { campaign, list, tags, metadata })
}

fn write_texts(w: &mut Writer<'_>, texts: &[String]) {
    w.uint(texts.len() as u64);
    texts.iter().for_each(|text| w.text(text));
}

fn read_texts(r: &mut Reader<'_>) -> Read<Vec<String>> {
    (0..r.count()?).map(|_| r.text().map(str::to_owned)).collect()
}

pub(crate) fn part_to_octets(part: &PartRecord, buffer: &mut Vec<u8>) {
    let merged = !part.values.is_empty();
    let mut w = Writer::start(buffer, if merged { PART_V2 } else { PART_V1 });
    if !merged {
        w.text(part.domain.as_str());
    }
    w.uint(u64::from(part.attempts));
    w.int(part.due.0);
    w.octet(u8::from(part.delay_noticed));
    match &part.state {
        PartState::Due => w.octet(0),
        PartState::Held(hold) => {
            w.octet(holder_to_octet(hold.by));
            w.text(&hold.reason);
        }
    }
    w.uint(part.recipients.len() as u64);
    for pending in &part.recipients {
        write_recipient(&mut w, &pending.recipient);
        w.option(pending.last.as_ref(), write_outcome);
    }
    if merged {
        write_texts(&mut w, &part.values);
    }
    w.seal();
}

pub(crate) fn part_from_octets(id: PartId, octets: &[u8]) -> Read<PartRecord> {
    let (version, mut r) = Reader::open(octets)?;
    let domain = match version {
        PART_V1 => Some(Domain::parse(r.text()?).map_err(|_| Bad)?),
        PART_V2 => None,
        _ => return Err(Bad),
    };
    let attempts = u32::try_from(r.uint()?).map_err(|_| Bad)?;
    let due = Timestamp(r.int()?);
    let delay_noticed = read_bool(&mut r)?;
    let state = match r.octet()? {
        0 => PartState::Due,
        octet => {
            let reason = r.text()?.to_owned();
            let by = if octet == HELD_BY_ITS_REASON { holder_of(&reason) } else { holder_from_octet(octet)? };
            PartState::Held(Hold { by, reason })
        }
    };
    let count = r.count()?;
    let mut recipients = Vec::with_capacity(count);
    for _ in 0..count {
        let recipient = read_recipient(&mut r)?;
        recipients.push(Pending { recipient, last: r.option(read_outcome)? });
    }
    let values = if version == PART_V2 { read_texts(&mut r)? } else { Vec::new() };
    r.end()?;
    let domain = match domain {
        Some(domain) => domain,
        None => recipients.first().ok_or(Bad)?.recipient.address.domain().clone(),
    };
    Ok(PartRecord { id, domain, recipients, attempts, state, due, delay_noticed, values })
}

/// Of versions that kept the reason alone.
const HELD_BY_ITS_REASON: u8 = 1;

/// Who held a part, by the reason that those versions wrote.
fn holder_of(reason: &str) -> Holder {
    let begins = [
        ("the circuit of account ", Holder::AccountCircuit),
        ("the circuit of campaign ", Holder::CampaignCircuit),
        ("held at the start ", Holder::Start),
        ("its content is damaged ", Holder::Damage),
    ];
    begins.into_iter().find(|(begin, _)| reason.starts_with(begin)).map_or(Holder::Operator, |(_, holder)| holder)
}

fn holder_to_octet(holder: Holder) -> u8 {
    match holder {
        Holder::Operator => 2,
        Holder::Start => 3,
        Holder::AccountCircuit => 4,
        Holder::CampaignCircuit => 5,
        Holder::Letter => 6,
        Holder::Damage => 7,
    }
}

fn holder_from_octet(octet: u8) -> Read<Holder> {
    Ok(match octet {
        2 => Holder::Operator,
        3 => Holder::Start,
        4 => Holder::AccountCircuit,
        5 => Holder::CampaignCircuit,
        6 => Holder::Letter,
        7 => Holder::Damage,
        _ => return Err(Bad),
    })
}

pub(super) fn write_address(w: &mut Writer<'_>, address: &Address) {
    let (local, domain) = (address.local(), address.domain().as_str());
    w.uint((local.len() + 1 + domain.len()) as u64);
    w.0.extend_from_slice(local.as_bytes());
    w.octet(b'@');
    w.0.extend_from_slice(domain.as_bytes());
}

pub(super) fn read_address(r: &mut Reader<'_>) -> Read<Address> {
    Address::parse(r.text()?).map_err(|_| Bad)
}

fn write_recipient(w: &mut Writer<'_>, recipient: &Recipient) {
    write_address(w, &recipient.address);
    w.octet(match recipient.notify {
        Notify::Unsaid => 0,
        Notify::Never => 1,
        Notify::On { success, failure, delay } => 8 | u8::from(success) | u8::from(failure) << 1 | u8::from(delay) << 2,
    });
    w.option(recipient.orcpt.as_deref(), Writer::text);
}

fn read_recipient(r: &mut Reader<'_>) -> Read<Recipient> {
    let address = read_address(r)?;
    let notify = match r.octet()? {
        0 => Notify::Unsaid,
        1 => Notify::Never,
        on @ 8..=15 => Notify::On { success: on & 1 != 0, failure: on & 2 != 0, delay: on & 4 != 0 },
        _ => return Err(Bad),
    };
    let orcpt = r.option(Reader::text)?.map(str::to_owned);
    Ok(Recipient { address, notify, orcpt })
}

fn write_options(w: &mut Writer<'_>, options: &EnvelopeOptions) {
    let body = match options.body {
        Body::SevenBit => 0,
        Body::EightBitMime => 1,
        Body::BinaryMime => 2,
    };
    let tls = u8::from(options.require_tls) << 3 | u8::from(options.tls_optional) << 4;
    w.octet(body | u8::from(options.smtputf8) << 2 | tls);
    w.octet(match options.ret {
        None => 0,
        Some(Ret::Full) => 1,
        Some(Ret::Headers) => 2,
    });
    w.option(options.envid.as_deref(), Writer::text);
}

fn read_options(r: &mut Reader<'_>) -> Read<EnvelopeOptions> {
    let flags = r.octet()?;
    Ok(EnvelopeOptions {
        body: match flags & 3 {
            0 => Body::SevenBit,
            1 => Body::EightBitMime,
            2 => Body::BinaryMime,
            _ => return Err(Bad),
        },
        smtputf8: flags & 4 != 0,
        require_tls: flags & 8 != 0,
        tls_optional: flags & 16 != 0,
        ret: match r.octet()? {
            0 => None,
            1 => Some(Ret::Full),
            2 => Some(Ret::Headers),
            _ => return Err(Bad),
        },
        envid: r.option(Reader::text)?.map(str::to_owned),
    })
}

pub(super) fn read_bool(r: &mut Reader<'_>) -> Read<bool> {
    match r.octet()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Bad),
    }
}
