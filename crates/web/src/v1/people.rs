//! Addresses with names, as a text or as an object, one or several.

use std::fmt;

use repute_message::compose::Person;
use repute_message::header;
use repute_message::merge::unencoded;
use repute_types::Address;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::FieldFault;

/// `name@domain`, `Name <name@domain>`, or an object.
// `Serialize` only says to the description that neither has a tag.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Mailbox {
    #[schema(example = "Ann Lee <ann@example.com>")]
    Text(String),
    Named(NamedMailbox),
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedMailbox {
    #[schema(format = "email", example = "ann@example.com")]
    address: String,
    /// As the reader sees it.
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable, example = "Ann Lee", max_length = 500)]
    name: String,
}

/// One, or a list.
// `Serialize` only says to the description that neither has a tag.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Mailboxes {
    One(Mailbox),
    Many(Vec<Mailbox>),
}

impl From<Person> for Mailbox {
    fn from(person: Person) -> Mailbox {
        Mailbox::Named(NamedMailbox { address: person.address.to_string(), name: person.name })
    }
}

impl From<Vec<Person>> for Mailboxes {
    fn from(people: Vec<Person>) -> Mailboxes {
        Mailboxes::Many(people.into_iter().map(Mailbox::from).collect())
    }
}

const LONGEST: usize = 500;
const FORM: &str = "\"Name <name@domain>\", or an object with `address` and perhaps `name`";

impl<'de> Deserialize<'de> for Mailbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mailbox, D::Error> {
        deserializer.deserialize_any(One)
    }
}

impl<'de> Deserialize<'de> for Mailboxes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mailboxes, D::Error> {
        deserializer.deserialize_any(Several)
    }
}

struct One;

impl<'de> Visitor<'de> for One {
    type Value = Mailbox;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Mailbox, E> {
        Ok(Mailbox::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mailbox, A::Error> {
        NamedMailbox::deserialize(MapAccessDeserializer::new(map)).map(Mailbox::Named)
    }
}

struct Several;

impl<'de> Visitor<'de> for Several {
    type Value = Mailboxes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FORM}, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Mailboxes, E> {
        One.visit_str(text).map(Mailboxes::One)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mailboxes, A::Error> {
        One.visit_map(map).map(Mailboxes::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Mailboxes, A::Error> {
        let mut out = Vec::new();
        while let Some(one) = list.next_element()? {
            out.push(one);
        }
        Ok(Mailboxes::Many(out))
    }
}

impl Mailbox {
    pub fn person(&self) -> Result<Person, String> {
        match self {
            Mailbox::Text(text) => match people(text)?.as_mut_slice() {
                [one] => Ok(one.clone()),
                [] => Err("there is no address: write name@domain".into()),
                several => Err(format!("{} addresses stand in one text: make them a list", several.len())),
            },
            Mailbox::Named(NamedMailbox { address, name }) => {
                if name.chars().count() > LONGEST {
                    return Err(format!("the name is longer than {LONGEST} characters: shorten it"));
                }
                let address = Address::parse(address).map_err(|why| format!("{why}: write name@domain"))?;
                Ok(Person { name: name.clone(), address })
            }
        }
    }
}

impl Mailboxes {
    /// The people with the pointer of each; what is wrong goes to `faults`.
    pub fn people(this: Option<&Mailboxes>, pointer: &str, faults: &mut Vec<FieldFault>) -> Vec<(Person, String)> {
        let (list, one) = match this {
            None => return Vec::new(),
            Some(Mailboxes::One(one)) => (std::slice::from_ref(one), true),
            Some(Mailboxes::Many(list)) => (list.as_slice(), false),
        };
        let mut out = Vec::with_capacity(list.len());
        for (i, mailbox) in list.iter().enumerate() {
            let place = if one { pointer.to_owned() } else { format!("{pointer}/{i}") };
            match mailbox.person() {
                Ok(person) => out.push((person, place)),
                Err(why) => faults.push(FieldFault::new(place, why)),
            }
        }
        out
    }
}

/// The people of a list as a header field has it: `Ann <a@b.example>, c@d.example`. A name in encoded words (RFC 2047), as
/// clients of SES have to write it, is read, or it would be encoded a second time.
pub(crate) fn people(text: &str) -> Result<Vec<Person>, String> {
    let list = header::mailboxes(text.as_bytes()).map_err(|why| format!("{why}: write Name <name@domain>"))?;
    let person = |mailbox: header::Mailbox| Person {
        name: text.get(mailbox.name).map(|name| unencoded(&unquoted(name))).unwrap_or_default(),
        address: mailbox.address,
    };
    Ok(list.into_iter().map(person).collect())
}

/// A display name without its quotes and backslashes.
fn unquoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {}
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read_in_every_form() {
        let check = |json: &str, expect: &str| {
            let mailbox: Mailbox = serde_json::from_str(json).unwrap();
            let said = match mailbox.person() {
                Ok(person) => format!("{}|{}", person.name, person.address),
                Err(why) => why,
            };
            assert_eq!(said, expect, "{json}");
        };
        check(r#""ann@b.example""#, "|ann@b.example");
        check(r#""Ann Lee <ann@b.example>""#, "Ann Lee|ann@b.example");
        check(r#""\"Lee, \\\"A\\\"\" <ann@b.example>""#, "Lee, \"A\"|ann@b.example");
        check(r#""Jürgen <j@bücher.example>""#, "Jürgen|j@xn--bcher-kva.example");
        check(r#""=?UTF-8?B?SsO8cmdlbiBMw6k=?= <j@b.example>""#, "Jürgen Lé|j@b.example");
        check(r#""=?iso-8859-1?Q?J=FCrgen?= =?utf-8?q?_L=C3=A9?= <j@b.example>""#, "Jürgen Lé|j@b.example");
        check(r#"{"address":"ann@b.example","name":"=?utf-8?q?x?="}"#, "=?utf-8?q?x?=|ann@b.example");
        check(r#"{"address":"ann@b.example","name":"Lee, Ann"}"#, "Lee, Ann|ann@b.example");
        check(r#"{"address":"ann"}"#, "there is no '@' in the address: write name@domain");
        check(r#""""#, "there is no address: write name@domain");
        check(r#""a@b.example, c@d.example""#, "2 addresses stand in one text: make them a list");
        check(r#""nobody""#, "\"nobody\" is not an address: write Name <name@domain>");
    }

    #[test]
    fn a_list_is_a_list_and_an_object_an_object() {
        let mut faults = Vec::new();
        let list: Mailboxes = serde_json::from_str(r#"["a@b.example", "bad"]"#).unwrap();
        let people = Mailboxes::people(Some(&list), "/to", &mut faults);
        assert_eq!((people.len(), faults.len(), faults[0].pointer.as_str()), (1, 1, "/to/1"));
        for bad in [r#"[["a@b.example", "Ann"]]"#, "1", "[1]", "null", r#"{"name": "Ann"}"#, r#"{"address": 1}"#] {
            assert!(serde_json::from_str::<Mailboxes>(bad).is_err(), "{bad}");
        }
    }
}
