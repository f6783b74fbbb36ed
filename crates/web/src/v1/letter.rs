//! What a message is made from, as an application writes it down, and its way to a [`Draft`].
//!
//! Promise: every fault is found at once, each with a pointer; no field can hold another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use repute_message::compose::{Attachment, Letter, LetterFault, Person, compose, name_fault};
use repute_message::{header, sendmail};
use repute_types::{Address, Content, Labels, Stream, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::people::{Mailbox, Mailboxes};
use super::raw;
use crate::body::escaped;
use crate::object;
use crate::pairs::Pairs;
use crate::problem::FieldFault;

/// A message from its fields, or whole in `raw`. Addresses are judged as header fields have them, and at least one is in
/// `to`, `cc` and `bcc` together.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    /// The author. Its domain is one of the account's.
    pub from: Option<Mailbox>,
    /// Whoever is named twice in `to`, `cc` and `bcc`, upper and lower case apart, gets one message.
    pub to: Option<Mailboxes>,
    pub cc: Option<Mailboxes>,
    /// Get the message and are named nowhere in it.
    pub bcc: Option<Mailboxes>,
    pub reply_to: Option<Mailboxes>,
    #[schema(example = "Your receipt", max_length = 900)]
    pub subject: Option<String>,
    #[schema(example = "Thank you.")]
    pub text: Option<String>,
    pub html: Option<String>,
    #[schema(nullable, max_items = 100)]
    #[serde(default, deserialize_with = "object::list_or_none")]
    pub attachments: Vec<File>,
    /// Further header fields, such as `In-Reply-To` or `List-Unsubscribe`.
    #[schema(nullable, value_type = std::collections::BTreeMap<String, String>, example = json!({"List-Id": "<news.example.com>"}))]
    #[serde(default, deserialize_with = "crate::object::or_default")]
    pub headers: Pairs,
    /// A whole message (RFC 5322) in base64, in place of the fields above but `from`, `to`, `cc` and `bcc`, which
    /// then are the envelope alone; without them it is read from the message's own header.
    #[schema(content_encoding = "base64")]
    pub raw: Option<String>,
    /// Words to find the message by; they come back with its events and are not sent.
    #[schema(nullable, max_items = 20, value_type = Vec<Tag>, example = json!(["receipt"]))]
    #[serde(default, deserialize_with = "crate::object::or_default")]
    pub tags: Vec<String>,
    /// The application's own fields; they come back with the events of the message and are not sent.
    #[schema(nullable, value_type = std::collections::BTreeMap<String, String>, example = json!({"order": "1234"}))]
    #[serde(default, deserialize_with = "crate::object::or_default")]
    pub metadata: Pairs,
    /// The campaign that the message is part of.
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub campaign: Option<String>,
    /// The list that it goes to: who wants to leave it leaves this list.
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub list: Option<String>,
    /// The kind of mail; without it that of the account. Bulk mail goes after transactional mail.
    pub stream: Option<Kind>,
    /// When it is to be sent, at most a week ahead; it can be cancelled until then.
    #[schema(format = DateTime, value_type = Option<String>, example = "2026-11-27T08:00:00Z")]
    pub send_at: Option<String>,
}

/// An attachment, or what the HTML shows by `cid:`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[schema(nullable, example = "receipt.pdf", max_length = 500)]
    #[serde(default, deserialize_with = "crate::object::or_default")]
    pub name: String,
    /// `type/subtype`, with parameters where there are some; without it the file's name says it.
    #[schema(nullable, example = "application/pdf", max_length = 255)]
    #[serde(rename = "type", default, deserialize_with = "crate::object::or_default")]
    pub media: String,
    /// In base64.
    #[schema(content_encoding = "base64", example = "JVBERi0xLjcK")]
    pub content: String,
    /// Shown within the HTML as `cid:` and this.
    #[serde(default)]
    #[schema(example = "logo", max_length = 200)]
    pub content_id: Option<String>,
}

/// A word to find messages by.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 128, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")]
#[allow(dead_code, reason = "it describes what tags look like")]
pub(crate) struct Tag(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Transactional,
    Bulk,
}

impl From<Kind> for Stream {
    fn from(kind: Kind) -> Stream {
        match kind {
            Kind::Transactional => Stream::Transactional,
            Kind::Bulk => Stream::Bulk,
        }
    }
}

/// A message that is ready to be handed to the door.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The envelope's sender.
    pub from: Address,
    /// With the pointer to where each was named.
    pub recipients: Vec<(Address, String)>,
    pub content: Content,
    pub labels: Labels,
    pub stream: Option<Stream>,
    pub send_at: Option<Timestamp>,
    /// RFC 6531: an address is beyond ASCII.
    pub smtputf8: bool,
}

/// Of header fields, the bounds are those of the metadata.
pub(crate) use repute_types::labels::{PAIRS, TAGS, VALUE, WORD};
/// Characters of the name of a header field.
pub(crate) const FIELD: usize = 76;
const FILES: usize = 100;
const FILE_NAME: usize = 500;
/// What a subject may have before folding makes no difference any more.
const SUBJECT: usize = 900;

/// Fields that are made from other members, or that only servers write.
const OURS: [&str; 21] = [
    "From",
    "Sender",
    "To",
    "Cc",
    "Bcc",
    "Reply-To",
    "Subject",
    "Date",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-ID",
    "Received",
    "Return-Path",
    "DKIM-Signature",
    "Authentication-Results",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "Received-SPF",
];

impl Message {
    /// Reads all members, and says all that is wrong with them.
    pub fn draft(mut self, most_recipients: usize) -> Result<Draft, Vec<FieldFault>> {
        match self.raw.take().map(|raw| decoded(&raw)) {
            None => self.read(None, most_recipients),
            Some(Some(octets)) => self.read(Some(octets), most_recipients),
            Some(None) => Err(vec![FieldFault::new("/raw", NOT_BASE64)]),
        }
    }

    /// The members are what stands beside a whole message.
    pub fn draft_of(self, octets: Bytes, most_recipients: usize) -> Result<Draft, Vec<FieldFault>> {
        self.read(Some(octets), most_recipients)
    }

    fn read(self, octets: Option<Bytes>, most_recipients: usize) -> Result<Draft, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let labels = labels(&self, &mut faults);
        let send_at = send_at(self.send_at.as_deref(), &mut faults);
        let envelope = envelope(&self, &mut faults);
        let stream = self.stream.map(Stream::from);
        let made = match octets {
            Some(octets) => whole(&self, octets, envelope, &mut faults),
            None => composed(self, envelope, &mut faults),
        };
        let Some(Made { from, recipients, content }) = made else { return Err(faults) };
        // Whoever was named wrongly is told already.
        let is_named =
            faults.iter().any(|fault| ["/to", "/cc", "/bcc"].iter().any(|list| fault.pointer.starts_with(list)));
        if recipients.is_empty() && !is_named {
            faults.push(FieldFault::new("/to", "nobody gets the message: name a recipient in to, cc or bcc"));
        }
        if recipients.len() > most_recipients {
            let what = format!("{} recipients: a message has at most {most_recipients}", recipients.len());
            faults.push(FieldFault::new("/to", what));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let smtputf8 = from.needs_smtputf8() || recipients.iter().any(|(address, _)| address.needs_smtputf8());
        Ok(Draft { from, recipients, content, labels, stream, send_at, smtputf8 })
    }
}

struct Made {
    from: Address,
    recipients: Vec<(Address, String)>,
    content: Content,
}

/// Who is named in the members, each with its pointer.
struct Named {
    from: Option<Person>,
    to: Vec<(Person, String)>,
    cc: Vec<(Person, String)>,
    bcc: Vec<(Person, String)>,
}

impl Named {
    fn recipients(&self) -> Vec<(Address, String)> {
        let all = self.to.iter().chain(&self.cc).chain(&self.bcc);
        all.map(|(person, place)| (person.address.clone(), place.clone())).collect()
    }
}

fn envelope(message: &Message, faults: &mut Vec<FieldFault>) -> Named {
    let from = message.from.as_ref().and_then(|mailbox| match mailbox.person() {
        Ok(person) => Some(person),
        Err(why) => {
            faults.push(FieldFault::new("/from", why));
            None
        }
    });
    Named {
        from,
        to: Mailboxes::people(message.to.as_ref(), "/to", faults),
        cc: Mailboxes::people(message.cc.as_ref(), "/cc", faults),
        bcc: Mailboxes::people(message.bcc.as_ref(), "/bcc", faults),
    }
}

fn composed(message: Message, named: Named, faults: &mut Vec<FieldFault>) -> Option<Made> {
    if message.from.is_none() {
        faults.push(FieldFault::new("/from", "the author is missing: write \"Name <name@domain>\""));
    }
    if message.text.is_none() && message.html.is_none() {
        faults.push(FieldFault::new("/text", "the message says nothing: give it text, html or both"));
    }
    let subject = message.subject.unwrap_or_default();
    if is_longer(&subject, SUBJECT) {
        faults.push(FieldFault::new("/subject", format!("longer than {SUBJECT} characters: shorten it")));
    }
    let fields = extra_fields(message.headers, faults);
    let attachments = files(message.attachments, faults);
    let reply_to = Mailboxes::people(message.reply_to.as_ref(), "/reply_to", faults);
    let recipients = named.recipients();
    let people = |list: Vec<(Person, String)>| list.into_iter().map(|(person, _)| person).collect();
    let from = named.from?;
    let letter = Letter {
        from: Some(from.clone()),
        reply_to: people(reply_to),
        to: people(named.to),
        cc: people(named.cc),
        subject,
        fields,
        text: message.text,
        html: message.html,
        attachments,
        report_type: None,
    };
    match compose(&letter) {
        Ok(content) => Some(Made { from: from.address, recipients, content }),
        Err(fault) => {
            // What is wrong with a field or a file was told with it.
            if faults.is_empty() {
                faults.push(FieldFault::new("", fault.to_string()));
            }
            None
        }
    }
}

fn extra_fields(headers: Pairs, faults: &mut Vec<FieldFault>) -> Vec<(String, String)> {
    if headers.0.len() > PAIRS {
        faults.push(FieldFault::new("/headers", format!("at most {PAIRS} fields")));
    }
    for (name, value) in &headers.0 {
        let place = || format!("/headers/{}", escaped(name));
        faults.extend(name_fault(name).map(|fault| FieldFault::new(place(), fault.to_string())));
        if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
            let what = format!("{name} is made by the server: use the member of that meaning, or leave it out");
            faults.push(FieldFault::new(place(), what));
        }
        if is_longer(name, FIELD) || is_longer(value, VALUE) {
            faults.push(FieldFault::new(place(), format!("a name has at most {FIELD} characters, a value {VALUE}")));
        }
    }
    headers.0
}

fn files(files: Vec<File>, faults: &mut Vec<FieldFault>) -> Vec<Attachment> {
    if files.len() > FILES {
        faults.push(FieldFault::new("/attachments", format!("at most {FILES} files")));
    }
    let mut out = Vec::with_capacity(files.len());
    for (i, file) in files.into_iter().enumerate() {
        if is_longer(&file.name, FILE_NAME) {
            let what = format!("longer than {FILE_NAME} characters: shorten it");
            faults.push(FieldFault::new(format!("/attachments/{i}/name"), what));
        }
        let content = decoded(&file.content);
        if content.is_none() {
            faults.push(FieldFault::new(format!("/attachments/{i}/content"), NOT_BASE64));
        }
        let File { name, media, content_id, .. } = file;
        let attachment = Attachment { name, media, content_id, content: content.unwrap_or_default() };
        for fault in attachment.faults() {
            let member = if matches!(fault, LetterFault::ContentId(_)) { "content_id" } else { "type" };
            faults.push(FieldFault::new(format!("/attachments/{i}/{member}"), fault.to_string()));
        }
        out.push(attachment);
    }
    out
}

const NOT_BASE64: &str = "this is not base64: encode the octets with the standard alphabet and padding";

/// Base64, also in lines.
pub(crate) fn decoded(text: &str) -> Option<Bytes> {
    if text.bytes().any(|b| b.is_ascii_whitespace()) {
        let text: String = text.split_ascii_whitespace().collect();
        return STANDARD.decode(text).ok().map(Bytes::from);
    }
    STANDARD.decode(text).ok().map(Bytes::from)
}

/// A whole message: its own fields are not touched here.
fn whole(message: &Message, octets: Bytes, named: Named, faults: &mut Vec<FieldFault>) -> Option<Made> {
    let given = [
        ("/subject", message.subject.is_some()),
        ("/text", message.text.is_some()),
        ("/html", message.html.is_some()),
        ("/reply_to", message.reply_to.is_some()),
        ("/attachments", !message.attachments.is_empty()),
        ("/headers", !message.headers.0.is_empty()),
    ];
    for (place, _) in given.iter().filter(|(_, given)| *given) {
        faults.push(FieldFault::new(*place, "the raw message has its own: leave this out"));
    }
    let made = of_octets(octets, named);
    made.map_err(|why| faults.push(FieldFault::new("/raw", why))).ok()
}

fn of_octets(octets: Bytes, named: Named) -> Result<Made, String> {
    let octets = raw::with_crlf(octets)
        .ok_or("a CR without LF stands in the message: end lines with CR LF or LF, and encode other content")?;
    let content = Content::from(octets);
    let mut recipients = named.recipients();
    if recipients.is_empty() {
        let found = sendmail::recipients(&content).map_err(|fault| fault.to_string())?;
        recipients = found.into_iter().map(|address| (address, "/raw".to_owned())).collect();
    }
    let from = match named.from {
        Some(person) => person.address,
        None => author(&content)?,
    };
    Ok(Made { from, recipients, content })
}

/// The first author, or who sends for several.
fn author(content: &Content) -> Result<Address, String> {
    let header = header::Header::read(content).map_err(|fault| fault.to_string())?;
    let field = header.find("Sender").or_else(|| header.find("From"));
    let field = field.ok_or("the message has no From field: add one, or name the sender in `from`")?;
    let list = header::addresses(field.value).map_err(|why| format!("the {} field: {why}", field.name))?;
    list.into_iter().next().ok_or_else(|| format!("the {} field names nobody", field.name))
}

fn labels(message: &Message, faults: &mut Vec<FieldFault>) -> Labels {
    if message.tags.len() > TAGS {
        faults.push(FieldFault::new("/tags", format!("at most {TAGS} tags")));
    }
    for (i, tag) in message.tags.iter().enumerate().filter(|(_, tag)| !is_word(tag)) {
        faults.push(FieldFault::new(format!("/tags/{i}"), format!("{:?}: write {WORD_CURE}", shown(tag))));
    }
    for (place, word) in [("/campaign", &message.campaign), ("/list", &message.list)] {
        if let Some(word) = word.as_ref().filter(|word| !is_word(word)) {
            faults.push(FieldFault::new(place, format!("{:?}: write {WORD_CURE}", shown(word))));
        }
    }
    if message.metadata.0.len() > PAIRS {
        faults.push(FieldFault::new("/metadata", format!("at most {PAIRS} members")));
    }
    for (name, value) in &message.metadata.0 {
        if !is_word(name) || is_longer(value, VALUE) {
            let what = format!("a name is {WORD_CURE}, a value at most {VALUE}");
            faults.push(FieldFault::new(format!("/metadata/{}", escaped(name)), what));
        }
    }
    let Message { tags, metadata, campaign, list, .. } = message;
    Labels { campaign: campaign.clone(), list: list.clone(), tags: tags.clone(), metadata: metadata.0.clone() }
}

/// What [`is_word`] asks.
pub(crate) const WORD_CURE: &str = "1 to 128 characters, not blank, without control characters";

pub(crate) fn is_word(text: &str) -> bool {
    !text.trim().is_empty() && !is_longer(text, WORD) && !text.contains(char::is_control)
}

/// In characters, as the description of the API counts.
fn is_longer(text: &str, than: usize) -> bool {
    text.len() > than && text.chars().count() > than
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Far in the past or in the future is the door's to judge.
fn send_at(text: Option<&str>, faults: &mut Vec<FieldFault>) -> Option<Timestamp> {
    let text = text?;
    match text.parse::<Timestamp>() {
        Ok(at) => Some(at),
        Err(not_a_time) => {
            faults.push(FieldFault::new("/send_at", not_a_time.to_string()));
            None
        }
    }
}
