//! The form of a configuration: known keys, right types, nothing required left out. Fills in
//! the defaults.
//!
//! Promise: every fault of form in the file is found in one walk. After a walk without faults
//! the typed side can read the table, and each key of the schema that has a default is there.

use std::borrow::Cow;
use std::ops::Range;

use repute_types::{Address, Domain};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Fault;
use super::nearest::nearest;
use super::schema::{self, Key, Kind, Need, Section};
use super::value;

pub fn check(root: &mut DeTable<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let top = schema::section("").expect("the schema has a top");
    let meant = unknown_keys(root, top, &mut faults);
    for section in schema::SECTIONS.iter().filter(|s| !s.name.is_empty()) {
        check_section(root, section, &mut faults);
    }
    check_keys(root, top, Found { span: None, meant }, &mut faults);
    faults
}

/// `[log]` or every `[[domain]]`; a single section that is absent is made, for its defaults.
fn check_section(root: &mut DeTable<'_>, section: &Section, faults: &mut Vec<Fault>) {
    if !section.many && !root.contains_key(section.name) {
        let empty = Spanned::new(0..0, DeValue::Table(DeTable::new()));
        root.insert(Spanned::new(0..0, Cow::Borrowed(section.name)), empty);
    }
    let Some(value) = root.get_mut(section.name) else { return };
    let span = value.span();
    match (value.as_mut(), section.many) {
        (DeValue::Table(table), false) => check_table(table, section, span, faults),
        (DeValue::Array(items), true) if items.iter().all(|i| i.get_ref().is_table()) => {
            for item in items.iter_mut() {
                let span = item.span();
                if let DeValue::Table(table) = item.as_mut() {
                    check_table(table, section, span, faults);
                }
            }
        }
        _ => {
            let (what, other) = match section.many {
                true => ("there may be several of these", "two brackets"),
                false => ("there is one of these", "one bracket a side"),
            };
            let cure = format!("write {} above its keys, with {other}", section.header());
            faults.push(Fault::at(span, format!("`{}` has the wrong form: {what}", section.name), cure));
        }
    }
}

fn check_table(table: &mut DeTable<'_>, section: &Section, span: Range<usize>, faults: &mut Vec<Fault>) {
    let meant = unknown_keys(table, section, faults);
    check_keys(table, section, Found { span: Some(span), meant }, faults);
}

/// Where a table stands, and which of its keys seem to be there under a wrong name: that
/// these are missing is not a second fault.
struct Found {
    span: Option<Range<usize>>,
    meant: Vec<&'static str>,
}

/// Finds keys that the section does not have; returns those that were probably meant.
fn unknown_keys(table: &DeTable<'_>, section: &Section, faults: &mut Vec<Fault>) -> Vec<&'static str> {
    let top = section.name.is_empty();
    let mut meant = Vec::new();
    for key in table.keys() {
        let name: &str = key.get_ref();
        let known = section.key(name).is_some() || (top && !name.is_empty() && schema::section(name).is_some());
        if !known {
            let place = if top { "at the top".to_owned() } else { format!("in {}", section.header()) };
            let what = format!("there is no key `{name}` {place}");
            let near = near_key(section, name);
            meant.extend(near);
            faults.push(Fault::at(key.span(), what, cure_for_unknown(section, name, near)));
        }
    }
    meant
}

fn near_key(section: &Section, name: &str) -> Option<&'static str> {
    let top = section.name.is_empty();
    let sections = schema::SECTIONS.iter().filter(|s| top && !s.name.is_empty());
    nearest(section.name, name, section.keys.iter().map(|k| k.name).chain(sections.map(|s| s.name)))
}

fn cure_for_unknown(section: &Section, name: &str, near: Option<&str>) -> String {
    // Right, but in the wrong place: a key under the header of another section.
    let home = schema::SECTIONS.iter().find(|s| s.name != section.name && s.key(name).is_some());
    match (near, home) {
        (Some(near), _) if section.key(near).is_some() => format!("write `{near}`"),
        (Some(near), _) => match schema::section(near) {
            Some(s) => format!("write {}", s.header()),
            None => format!("write `{near}`"),
        },
        (None, Some(home)) if home.name.is_empty() => {
            format!("`{name}` belongs to the top of the file: move it above the first section")
        }
        (None, Some(home)) => format!("`{name}` belongs under {}", home.header()),
        (None, None) => "take it out; `repute config show` lists every key that there is".to_owned(),
    }
}

fn check_keys(table: &mut DeTable<'_>, section: &Section, found: Found, faults: &mut Vec<Fault>) {
    for key in section.keys {
        match table.get_mut(key.name) {
            Some(value) => {
                make_list(value, key.kind);
                check_value(value, key.name, key.kind, faults);
            }
            None => match key.need {
                Need::Required if found.meant.contains(&key.name) => {}
                Need::Required => faults.push(missing(section, key, found.span.clone())),
                Need::Optional(_) => {}
                Need::Default(text) => {
                    let value = DeValue::parse(text).expect("a default of the schema is TOML");
                    let mut value = Spanned::new(0..0, value.into_inner());
                    make_list(&mut value, key.kind);
                    table.insert(Spanned::new(0..0, Cow::Borrowed(key.name)), value);
                }
            },
        }
    }
}

fn missing(section: &Section, key: &Key, span: Option<Range<usize>>) -> Fault {
    let example = super::reference::example(key.kind);
    let cure = format!("add `{} = {example}`: {}", key.name, super::reference::first_sentence(key.doc));
    match span {
        Some(span) => Fault::at(span, format!("this {} has no `{}`", section.header(), key.name), cure),
        None => Fault::nowhere(format!("there is no `{}`", key.name), cure),
    }
}

/// One value where a list may stand becomes a list of one.
fn make_list(value: &mut Spanned<DeValue<'_>>, kind: Kind) {
    if !matches!(kind, Kind::OneOrMany(_)) || value.get_ref().is_array() {
        return;
    }
    let span = value.span();
    let one = std::mem::replace(value.as_mut(), DeValue::Boolean(false));
    let mut list = toml::de::DeArray::new();
    list.push(Spanned::new(span, one));
    *value.as_mut() = DeValue::Array(list);
}

fn check_value(value: &Spanned<DeValue<'_>>, name: &str, kind: Kind, faults: &mut Vec<Fault>) {
    if let (DeValue::Array(items), Kind::List(inner) | Kind::OneOrMany(inner)) = (value.get_ref(), kind) {
        for item in items {
            check_value(item, name, *inner, faults);
        }
        return;
    }
    let got = value.get_ref();
    let wrong = match (kind, got) {
        (Kind::Bool, DeValue::Boolean(_)) => None,
        (Kind::Count(least, most), DeValue::Integer(n)) => {
            let n = i64::from_str_radix(n.as_str(), n.radix()).ok();
            let good = n.is_some_and(|n| (least..=most).contains(&n));
            (!good).then(|| format!("write a whole number from {least} to {most}"))
        }
        (Kind::Size, DeValue::Integer(n)) => value::size(n.as_str()).err().map(str::to_owned),
        (Kind::Bool | Kind::Count(..) | Kind::List(_) | Kind::OneOrMany(_), _) => Some(wrong_type(name, kind, got)),
        (_, DeValue::String(text)) => check_text(text, kind),
        _ => Some(wrong_type(name, kind, got)),
    };
    if let Some(cure) = wrong {
        let what = format!("`{name}` is not {}", super::reference::noun(kind));
        faults.push(Fault::at(value.span(), what, cure));
    }
}

fn wrong_type(name: &str, kind: Kind, got: &DeValue<'_>) -> String {
    let found = match got {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    };
    match kind {
        // Whoever wrote "no" is not to be told to write true.
        Kind::Bool => format!("this is {found}; write it as `{name} = true` or `{name} = false`"),
        _ => format!("this is {found}; write it as `{name} = {}`", super::reference::example(kind)),
    }
}

/// The cure where the text has not the form of its kind.
fn check_text(text: &str, kind: Kind) -> Option<String> {
    match kind {
        Kind::Duration => value::duration(text).err().map(str::to_owned),
        Kind::Size => value::size(text).err().map(str::to_owned),
        Kind::Rate => value::rate(text).err().map(str::to_owned),
        Kind::Network => value::Network::parse(text).err().map(str::to_owned),
        Kind::Socket => value::Socket::parse(text).err().map(str::to_owned),
        Kind::Ip => {
            let good = text.parse::<std::net::IpAddr>().is_ok();
            (!good).then(|| "write an IP address, such as \"203.0.113.10\"".to_owned())
        }
        Kind::Mail => {
            Address::parse(text).err().map(|e| format!("{e}; write an address such as \"someone@example.com\""))
        }
        Kind::Name => Domain::parse(text).err().map(|e| format!("{e}; write a name such as \"mail.example.com\"")),
        Kind::Choice(choices) => {
            let all = choices.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ");
            (!choices.contains(&text)).then(|| match nearest("-", text, choices.iter().copied()) {
                Some(near) => format!("write \"{near}\" (the choices are {all})"),
                None => format!("write one of {all}"),
            })
        }
        _ if text.is_empty() => Some("write something, or take the key out".to_owned()),
        _ => None,
    }
}
