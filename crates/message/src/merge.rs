//! A letter with merge fields: one MIME message as a form, made into a message for each recipient.
//!
//! Steps of [`FormLetter::read`]: the header and every text part that is shown are decoded; those
//! with `{{` or `{%` in them become templates of minijinja; all else is shared octet for octet.
//! [`FormLetter::merge`] fills them in and encodes them again.
//!
//! Promise: what a recipient's fields hold never becomes a header line, an address, another
//! recipient or markup: line ends and control characters in a header become blanks, names are
//! quoted or encoded (RFC 2047), values in HTML are escaped. A field that is empty is one that is
//! not there, and printing it is an error that names it, unless `| default("...")` says what to
//! print. Bounds: [`LETTER`] octets, [`FUEL`] steps and some three megabytes a recipient and template;
//! no includes, no macros, no files.
//! Limits: what stands in a script, a style or an unquoted attribute of HTML is not made safe.

mod body;
mod decode;
mod escape;
mod form;
mod header;

use std::collections::BTreeMap;

use bytes::Bytes;
use minijinja::{Environment, Value};
use repute_types::{Address, Content};

use crate::fault::Fault;
use crate::header::Header;

pub use decode::words as unencoded;

/// Octets of a letter, attachments and all.
pub const LETTER: usize = 10 << 20;
/// What the templates of one letter may spend for one recipient, each: an instruction or 64
/// octets cost one.
pub const FUEL: u64 = 50_000;
/// Fields that every letter has without its list bringing them.
pub const OWN_FIELDS: [&str; 2] = ["email", "unsubscribe_url"];

/// Why a letter cannot be used, for whomever.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LetterFault {
    #[error(transparent)]
    Message(#[from] Fault),
    #[error("the letter is larger than {} MiB: link to what makes it so", LETTER >> 20)]
    TooLarge,
    #[error("the letter has a Cc field, and every recipient would be shown there: take it out")]
    Cc,
    #[error("the {0} field may not have merge fields: only From, To, Reply-To, Sender and fields of plain text may")]
    FixedField(String),
    #[error(
        "the {0} field with merge fields holds one address: write Name {{{{ name }}}} <{{{{ email }}}}>, or the address alone"
    )]
    OneAddress(String),
    #[error("{place} is in the charset {charset}: save the letter in UTF-8")]
    Charset { place: String, charset: String },
    #[error("{place}, line {line}: {text}")]
    Syntax { place: String, line: usize, text: String },
    #[error("{place} uses the field {field:?}, which the list does not have{}", near.as_ref().map(|n| format!(": is it {n:?}?")).unwrap_or_default())]
    UnknownField { place: String, field: String, near: Option<String> },
}

/// Why it cannot be merged for one recipient.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeFault {
    #[error(
        "the field {field:?} is empty, and {place} needs it: fill it in, or write {{{{ {field} | default(\"...\") }}}}"
    )]
    Missing { place: String, field: String },
    #[error("{place}: {address:?} is not an address")]
    Address { place: String, address: String },
    #[error("{place} takes more than a letter may: look for loops in it")]
    TooMuch { place: String },
    #[error("{place}, line {line}: {text}")]
    Template { place: String, line: usize, text: String },
}

/// For whom it is merged.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    pub email: &'a Address,
    /// In the order of the fields that [`FormLetter::read`] was told.
    pub values: &'a [String],
    pub unsubscribe_url: &'a str,
}

#[derive(Debug)]
pub struct FormLetter {
    templates: Environment<'static>,
    fields: Vec<String>,
    header: Vec<Piece>,
    body: Vec<Piece>,
    to_is_there: bool,
    author: Option<Address>,
    uses_unsubscribe_url: bool,
}

/// A stretch of the message.
#[derive(Debug)]
enum Piece {
    Octets(Bytes),
    /// A header field of plain text.
    Line {
        name: String,
        template: String,
    },
    /// A header field with one address.
    Person {
        name: String,
        who: Option<String>,
        address: String,
    },
    /// The body of a text part.
    Text {
        template: String,
    },
}

impl FormLetter {
    /// `fields` are the names that the list brings, letters, digits and `_`.
    pub fn read(content: &Content, fields: &[String]) -> Result<FormLetter, LetterFault> {
        if content.len() > LETTER {
            return Err(LetterFault::TooLarge);
        }
        let header = Header::read(content)?;
        let mut form = form::Form::new(fields);
        let parts = body::read(content, &header, &mut form)?;
        let top = header::read(&header, parts.top_is_text, &mut form)?;
        Ok(FormLetter {
            uses_unsubscribe_url: form.uses("unsubscribe_url"),
            templates: form.templates,
            fields: fields.to_vec(),
            header: top.pieces,
            body: parts.pieces,
            to_is_there: top.to_is_there,
            author: top.author,
        })
    }

    /// The address in From, where it is one and the same for all.
    pub fn author(&self) -> Option<Address> {
        self.author.clone()
    }

    /// How many values each recipient brings.
    pub fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// Whether the text shows recipients how to leave; mail programs have their own button.
    pub fn shows_unsubscribe_url(&self) -> bool {
        self.uses_unsubscribe_url
    }

    /// The message for one recipient, without Date, Message-ID and what else makes it whole.
    pub fn merge(&self, given: &Given<'_>) -> Result<Content, MergeFault> {
        let context = self.context(given);
        let mut content = Content::new();
        for piece in &self.header {
            content.push(self.piece(piece, &context)?);
        }
        if !self.to_is_there {
            content.push(format!("To: {}\r\n", given.email));
        }
        content.push(&b"\r\n"[..]);
        for piece in &self.body {
            content.push(self.piece(piece, &context)?);
        }
        Ok(content)
    }

    fn context(&self, given: &Given<'_>) -> Value {
        let mut context: BTreeMap<String, Value> = self
            .fields
            .iter()
            .zip(given.values)
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        context.insert("email".to_owned(), Value::from(given.email.to_string()));
        context.insert("unsubscribe_url".to_owned(), Value::from(given.unsubscribe_url));
        Value::from(context)
    }

    fn piece(&self, piece: &Piece, context: &Value) -> Result<Bytes, MergeFault> {
        Ok(match piece {
            Piece::Octets(octets) => octets.clone(),
            Piece::Line { name, template } => header::line(name, &self.filled(template, context)?),
            Piece::Person { name, who, address } => {
                let who = who.as_ref().map(|who| self.filled(who, context)).transpose()?;
                let address = self.filled(address, context)?;
                header::person(name, who.as_deref(), &address)?
            }
            Piece::Text { template } => body::encoded(&self.filled(template, context)?).into(),
        })
    }

    fn filled(&self, template: &str, context: &Value) -> Result<String, MergeFault> {
        let rendered = self.templates.get_template(template).and_then(|template| template.render(context.clone()));
        rendered.map_err(|error| form::fault(template, &error))
    }
}

#[cfg(test)]
mod tests;
