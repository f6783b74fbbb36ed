//! The letter's own header: what is dropped, what is kept, what is a form.

use bytes::Bytes;
use repute_types::Address;

use super::form::{Form, has_markup};
use super::{LetterFault, MergeFault, Piece, decode};
use crate::encode::{Folder, words};
use crate::header::{self, Field, Header};

/// Made anew for each recipient, or of the way that the letter itself came: none of it is the
/// letter's to say.
const DROPPED: [&str; 24] = [
    "Date",
    "Message-ID",
    "Received",
    "Return-Path",
    "Delivered-To",
    "Bcc",
    "Resent-Bcc",
    "Resent-To",
    "Resent-Cc",
    "Resent-From",
    "Resent-Sender",
    "Resent-Date",
    "Resent-Message-ID",
    "DKIM-Signature",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "Authentication-Results",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Id",
    "Feedback-ID",
    "CFBL-Address",
    "CFBL-Feedback-ID",
];

/// Fields with an address; what is beside it is a name.
const PEOPLE: [&str; 4] = ["From", "Sender", "Reply-To", "To"];

/// Fields whose form a value could break.
const FIXED: [&str; 4] = ["MIME-Version", "In-Reply-To", "References", "Auto-Submitted"];

pub(super) struct Top {
    pub pieces: Vec<Piece>,
    pub to_is_there: bool,
    pub author: Option<Address>,
}

/// `is_text`: the body is a text part that is merged, and says itself how it is encoded.
pub(super) fn read(header: &Header, is_text: bool, form: &mut Form<'_>) -> Result<Top, LetterFault> {
    let mut top = Top { pieces: Vec::new(), to_is_there: false, author: None };
    for field in header.fields() {
        let dropped = DROPPED.iter().any(|name| field.is(name));
        if dropped || (is_text && (field.is("Content-Type") || field.is("Content-Transfer-Encoding"))) {
            continue;
        }
        if field.is("Cc") {
            return Err(LetterFault::Cc);
        }
        let text = decode::words(&String::from_utf8_lossy(&field.text()));
        if field.is("From") {
            top.author = author(&field, &text);
        }
        if !has_markup(&text) {
            // The addresses of the draft's own To are not who it goes to.
            if !field.is("To") {
                top.pieces.push(Piece::Octets(header.octets().slice(field.range.clone())));
            }
            continue;
        }
        top.to_is_there |= field.is("To");
        top.pieces.push(template(&field, text, form)?);
    }
    if is_text {
        top.pieces.push(Piece::Octets(form.top_fields.clone().into()));
    }
    Ok(top)
}

/// The one address of From, if no merge field is in it.
fn author(field: &Field<'_>, text: &str) -> Option<Address> {
    if !has_markup(text) {
        return header::addresses(field.value).ok().filter(|list| list.len() == 1)?.pop();
    }
    let address = text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<')).map_or(text, |(_, a)| a);
    Address::parse(address.trim()).ok()
}

fn template(field: &Field<'_>, text: String, form: &mut Form<'_>) -> Result<Piece, LetterFault> {
    let name = field.name.to_owned();
    let is_content = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("Content-"));
    if is_content || FIXED.iter().any(|fixed| field.is(fixed)) {
        return Err(LetterFault::FixedField(name));
    }
    if !PEOPLE.iter().any(|people| field.is(people)) {
        let template = form.add(&name, text)?;
        return Ok(Piece::Line { name, template });
    }
    let text = text.trim();
    let (who, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((who, address)) => (Some(who.trim().trim_matches('"').trim().to_owned()), address.to_owned()),
        None => (None, text.to_owned()),
    };
    // More than one address, or something that is none, is found when it is filled in; what cannot
    // be one whatever is filled in is found now.
    if address.contains([',', ';', '<', '>']) || who.as_ref().is_some_and(|who| who.contains(['<', '>'])) {
        return Err(LetterFault::OneAddress(name));
    }
    let who = who.filter(|who| !who.is_empty());
    let who = who.map(|who| form.add(&format!("{name} (name)"), who)).transpose()?;
    let address = form.add(&format!("{name} (address)"), address)?;
    Ok(Piece::Person { name, who, address })
}

/// A field of plain text. Whatever the fields brought, it is one field.
pub(super) fn line(name: &str, text: &str) -> Bytes {
    let mut folder = Folder::field(name);
    words::unstructured(&mut folder, &one_line(text), words::Marks::Literal);
    folder.finish().into()
}

pub(super) fn person(name: &str, who: Option<&str>, address: &str) -> Result<Bytes, MergeFault> {
    let bad = || MergeFault::Address { place: format!("the {name} field"), address: address.to_owned() };
    let parsed = Address::parse(address.trim()).map_err(|_| bad())?;
    let who = one_line(who.unwrap_or_default());
    let mut folder = Folder::field(name);
    if who.is_empty() {
        folder.word(" ", &parsed.to_string());
    } else {
        words::phrase(&mut folder, &who);
        folder.word(" ", &format!("<{parsed}>"));
    }
    Ok(folder.finish().into())
}

fn one_line(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
