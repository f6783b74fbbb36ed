//! Why a message is refused at submission, each with its cure, and the one table from a
//! fault to its SMTP reply (enhanced codes of RFC 3463 §3.7: 5.6.x is the message's content).

use repute_types::{EnhancedCode, Reply};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the header is larger than {limit} octets: make it smaller")]
    HeaderTooLarge { limit: usize },
    #[error("the header has more than {limit} fields: leave some out")]
    TooManyFields { limit: usize },
    #[error(
        "line {line} of the header, \"{text}\", is not a field: write \"Name: value\", \
         and put an empty line between header and body"
    )]
    NotAField { line: usize, text: String },
    #[error("the message has no header: begin it with From, To and Subject fields and an empty line")]
    NoHeader,
    #[error("the message has no From field: add one with the author's address")]
    NoFrom,
    #[error("the From field \"{text}\" is not a list of addresses ({why}): write From: Name <name@domain>")]
    BadFrom { text: String, why: String },
    #[error(
        "From names {count} addresses and there is no Sender field: name one author, or add Sender (RFC 5322 3.6.2)"
    )]
    NoSender { count: usize },
    #[error("the {field} field \"{text}\" is not a list of addresses ({why}): write name@domain, name@domain")]
    BadRecipients { field: String, text: String, why: String },
    #[error("the Sender field must hold one address: write Sender: name@domain")]
    BadSender,
    #[error("there are {count} {name} fields and receivers reject more than one: leave one")]
    Duplicate { name: &'static str, count: usize },
    #[error(
        "the Message-ID \"{text}\" is not of the form <unique@domain>: correct it, or leave it out and one is added"
    )]
    BadMessageId { text: String },
    #[error("the message contains a NUL octet at {offset}: send binary content as a base64 attachment")]
    Nul { offset: usize },
    #[error("the {field} field is not in UTF-8: write it as encoded words (RFC 2047) or in UTF-8")]
    NotUtf8 { field: String },
    #[error("the {field} field may only hold ASCII: write it without other characters")]
    EightBitField { field: String },
    #[error(
        "an address in the {field} field is beyond ASCII: send with SMTPUTF8, or write its domain with xn-- labels"
    )]
    EightBitAddress { field: String },
    #[error(
        "the {field} field has a word of over 998 octets, which no line may hold: shorten it or put blanks into it"
    )]
    LongWord { field: String },
    #[error("a line of the body is over 998 octets and its encoding is unknown: send it as base64")]
    LongLine,
    #[error(
        "a line in the signed part is over 998 octets and cannot be changed: sign it as quoted-printable or base64"
    )]
    SignedLongLine,
    #[error("the message has more than {limit} MIME parts: send fewer")]
    TooManyParts { limit: usize },
    #[error("the message has passed {count} servers: it runs in a loop; look for a forward that leads back here")]
    Loop { count: usize },
}

impl Fault {
    /// The one table from a fault to what the client is told.
    pub fn into_reply(self) -> Reply {
        let (code, enhanced) = match &self {
            Fault::HeaderTooLarge { .. } | Fault::TooManyFields { .. } => (552, EnhancedCode(5, 3, 4)),
            Fault::Loop { .. } => (554, EnhancedCode(5, 4, 6)),
            Fault::EightBitAddress { .. } => (550, EnhancedCode(5, 6, 7)),
            Fault::Nul { .. } | Fault::LongLine | Fault::SignedLongLine | Fault::TooManyParts { .. } => {
                (554, EnhancedCode(5, 6, 0))
            }
            _ => (550, EnhancedCode(5, 6, 0)),
        };
        Reply::new(code, enhanced, self.to_string())
    }
}

/// The beginning of some text of the client's, fit for a reply: printable ASCII, at most 60.
pub(crate) fn excerpt(text: &[u8]) -> String {
    let printable = |b: &u8| if (0x20..0x7f).contains(b) { *b as char } else { '?' };
    let mut out: String = text.iter().take(60).map(printable).collect();
    if text.len() > 60 {
        out.push_str("...");
    }
    out
}
