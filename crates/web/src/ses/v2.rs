//! The document of `SendEmail`, version 2.

use serde::Deserialize;

use crate::body;
use crate::pairs::Pairs;
use crate::problem::{FieldFault, Problem};
use crate::v1::letter::{Draft, File, Message};
use crate::v1::people::{Mailbox, Mailboxes};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    from_email_address: Option<String>,
    destination: Option<Destination>,
    reply_to_addresses: Option<Vec<String>>,
    content: Content,
    email_tags: Option<Vec<Named>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    to_addresses: Option<Vec<String>>,
    cc_addresses: Option<Vec<String>>,
    bcc_addresses: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Option<Simple>,
    raw: Option<RawContent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContent {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Text,
    body: Body,
    headers: Option<Vec<Named>>,
    attachments: Option<Vec<Attachment>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attachment {
    file_name: String,
    raw_content: String,
    content_type: Option<String>,
    content_id: Option<String>,
}

pub(super) fn draft(octets: &[u8], most: usize) -> Result<Draft, Problem> {
    let send: Send = body::parse(octets)?;
    let Destination { to_addresses, cc_addresses, bcc_addresses } = send.destination.unwrap_or_default();
    let list = |list: Option<Vec<String>>| {
        list.filter(|l| !l.is_empty()).map(|l| Mailboxes::Many(l.into_iter().map(Mailbox::Text).collect()))
    };
    let mut message = Message {
        from: send.from_email_address.map(Mailbox::Text),
        to: list(to_addresses),
        cc: list(cc_addresses),
        bcc: list(bcc_addresses),
        reply_to: list(send.reply_to_addresses),
        metadata: Pairs(send.email_tags.unwrap_or_default().into_iter().map(|t| (t.name, t.value)).collect()),
        ..Message::default()
    };
    match (send.content.simple, send.content.raw) {
        (Some(simple), None) => fill(&mut message, simple),
        (None, Some(raw)) => message.raw = Some(raw.data),
        _ => {
            let what = "write one of Simple and Raw: templates are not known here";
            return Err(Problem::fields(vec![FieldFault::new("/Content", what)]));
        }
    }
    message.draft(most).map_err(Problem::fields)
}

fn fill(message: &mut Message, simple: Simple) {
    let file = |a: Attachment| File {
        name: a.file_name,
        media: a.content_type.unwrap_or_else(|| "application/octet-stream".into()),
        content: a.raw_content,
        content_id: a.content_id,
    };
    message.subject = Some(simple.subject.data);
    message.text = simple.body.text.map(|text| text.data);
    message.html = simple.body.html.map(|html| html.data);
    message.headers = Pairs(simple.headers.unwrap_or_default().into_iter().map(|h| (h.name, h.value)).collect());
    message.attachments = simple.attachments.unwrap_or_default().into_iter().map(file).collect();
}
