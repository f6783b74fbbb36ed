//! What a notice or complaint tells about the message of ours that it is about: enough to find
//! it again by its Message-ID, its return path, or a field that we put into it.

use crate::mail::{Header, Leaf, Mail, split};

/// Octets of header kept of an original; the rest is not looked at.
const OCTETS: usize = 64 * 1024;

/// As far as it was returned; all of it is the word of a stranger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Original {
    /// Message-ID without its brackets.
    pub message_id: Option<String>,
    /// Return-Path without its brackets: where the notice should have gone to.
    pub return_path: Option<String>,
    /// The other fields as they were returned, unfolded.
    pub fields: Vec<(String, String)>,
}

impl Original {
    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether nothing of it came back.
    pub fn is_empty(&self) -> bool {
        self.message_id.is_none() && self.fields.is_empty()
    }

    pub(crate) fn of_header(header: &Header<'_>) -> Original {
        let mut room = OCTETS;
        let mut original = Original::default();
        for (name, value) in header.fields() {
            let cost = name.len() + value.len();
            if cost > room {
                break;
            }
            room -= cost;
            original.fields.push((name.to_owned(), value));
        }
        let within = |name: &str| original.field(name).map(|value| in_brackets(value).to_owned());
        (original.message_id, original.return_path) = (within("Message-ID"), within("Return-Path"));
        original
    }

    /// The header in a leaf that holds the returned message or its header.
    pub(crate) fn of_leaf(leaf: &Leaf<'_>) -> Original {
        Original::of_octets(&leaf.octets(2 * OCTETS))
    }

    /// The header that octets begin with.
    pub(crate) fn of_octets(octets: &[u8]) -> Original {
        let octets = &octets[..octets.len().min(2 * OCTETS)];
        let start = octets.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or_default();
        Original::of_header(&split(&octets[start..]).0)
    }

    /// What a report in leaves returns of the message.
    pub(crate) fn of_mail(mail: &Mail<'_>) -> Original {
        let returned = mail.leaves.iter().filter(|leaf| leaf.is_message()).map(Original::of_leaf);
        let mut original = returned.into_iter().find(|o| !o.is_empty()).unwrap_or_default();
        if original.message_id.is_none() {
            // Some that return nothing say at least what they answer.
            original.message_id = mail.header.first("in-reply-to").map(|value| in_brackets(&value).to_owned());
        }
        original
    }
}

/// What stands in the first angle brackets, or the text without blanks around it.
pub(crate) fn in_brackets(text: &str) -> &str {
    let inside = text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(inside, _)| inside);
    inside.unwrap_or(text).trim()
}
