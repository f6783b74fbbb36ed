//! Fields by which applications that were written for Postmark or Amazon SES say beside a message what is to be done
//! with it: `X-PM-...` and `X-SES-...`. Both take them out, and so is it done here, whatever door the message came by.
//!
//! Understood: a tag, names with values, a configuration set (which SES tells among a message's tags as
//! `ses:configuration-set`, and so does this server), and that it is bulk mail. The others have no meaning here: nothing is
//! tracked, a Message-ID is always kept, and what an account may send says its configuration. What is longer or more than
//! labels may be is passed over; nothing of it is refused.

use repute_types::Labels;
use repute_types::labels::{PAIRS, TAGS, VALUE, WORD};

use super::{Change, Edits};
use crate::header::{Field, Header};
use crate::merge::unencoded;

/// What the fields said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub tags: Vec<String>,
    pub metadata: Vec<(String, String)>,
    /// It is of Postmark's broadcast stream.
    pub bulk: bool,
}

/// The name under which a configuration set stands among the names and values, as in SES's own events.
pub const CONFIGURATION_SET: &str = "ses:configuration-set";

/// Names with a value of their own.
const METADATA: &str = "X-PM-Metadata-";
/// Those without a meaning here.
const PASSED_OVER: [&str; 8] = [
    "X-PM-KeepID",
    "X-PM-TrackLinks",
    "X-PM-TrackOpens",
    "X-SES-FROM-ARN",
    "X-SES-LIST-MANAGEMENT-OPTIONS",
    "X-SES-RETURN-PATH-ARN",
    "X-SES-SOURCE-ARN",
    "X-SES-TENANT",
];

/// Takes them out.
pub(super) fn take(header: &Header, edits: &mut Edits, changed: &mut Vec<Change>) -> Said {
    let mut said = Said::default();
    for field in header.fields().filter(|field| is_one(field.name)) {
        if let Some(name) = said.hear(&field) {
            edits.remove(field.range);
            changed.push(Change::Removed(name));
        }
    }
    said
}

fn is_one(name: &str) -> bool {
    starts_with(name, "X-PM-") || starts_with(name, "X-SES-")
}

fn starts_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

impl Said {
    /// The name of the field as it is told; `None` where it is another's, who may have a use for it.
    fn hear(&mut self, field: &Field<'_>) -> Option<&'static str> {
        let value = unencoded(&String::from_utf8_lossy(&field.text()));
        let value = value.trim();
        if field.is("X-PM-Tag") {
            if is_word(value) && self.tags.len() < TAGS {
                self.tags.push(value.to_owned());
            }
            return Some("X-PM-Tag");
        }
        if starts_with(field.name, METADATA) {
            self.pair(&field.name[METADATA.len()..], value);
            return Some("X-PM-Metadata-*");
        }
        if field.is("X-PM-Message-Stream") {
            self.bulk |= value == "broadcast";
            return Some("X-PM-Message-Stream");
        }
        if field.is("X-SES-MESSAGE-TAGS") {
            value.split(',').filter_map(|tag| tag.split_once('=')).for_each(|(name, value)| self.pair(name, value));
            return Some("X-SES-MESSAGE-TAGS");
        }
        if field.is("X-SES-CONFIGURATION-SET") {
            self.pair(CONFIGURATION_SET, value);
            return Some("X-SES-CONFIGURATION-SET");
        }
        PASSED_OVER.into_iter().find(|name| field.is(name))
    }

    fn pair(&mut self, name: &str, value: &str) {
        let (name, value) = (name.trim(), value.trim());
        let is_known = self.metadata.iter().any(|(known, _)| known == name);
        if is_word(name) && value.chars().count() <= VALUE && self.metadata.len() < PAIRS && !is_known {
            self.metadata.push((name.to_owned(), value.to_owned()));
        }
    }

    /// What is known of the message from elsewhere, and what the fields add to it.
    pub fn add_to(self, labels: &mut Labels) {
        let is_new = |tag: &String| !labels.tags.contains(tag);
        let tags: Vec<String> = self.tags.into_iter().filter(is_new).collect();
        labels.tags.extend(tags);
        for (name, value) in self.metadata {
            if labels.metadata.iter().all(|(known, _)| *known != name) {
                labels.metadata.push((name, value));
            }
        }
    }

    pub fn is_silent(&self) -> bool {
        self.tags.is_empty() && self.metadata.is_empty()
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= WORD && !text.contains(char::is_control)
}
