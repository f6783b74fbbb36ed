//! `repute config show`: every key with its value, defaults too, secrets masked. What it
//! prints is a configuration again.

use std::fmt::Write as _;

use toml::de::{DeTable, DeValue};

use super::schema::{Need, SECTIONS, Section};

const MASK: &str = "\"********\"";

/// `table` has been through `shape`.
pub fn text(table: &DeTable<'_>) -> String {
    let mut out = String::new();
    for section in SECTIONS {
        for one in tables(table, section) {
            if !section.name.is_empty() {
                let _ = writeln!(out, "\n{}", section.header());
            }
            section_text(&mut out, one, section);
        }
    }
    out
}

/// The same for programs: sections to keys to values.
pub fn json(table: &DeTable<'_>) -> serde_json::Value {
    let mut out = serde_json::Map::new();
    for section in SECTIONS {
        let all = tables(table, section).into_iter().map(|one| section_json(one, section));
        match (section.name, section.many) {
            ("", _) => out.extend(all.flatten()),
            (name, true) => {
                out.insert(name.to_owned(), all.map(serde_json::Value::Object).collect());
            }
            (name, false) => out.extend(all.map(|one| (name.to_owned(), serde_json::Value::Object(one)))),
        }
    }
    serde_json::Value::Object(out)
}

fn tables<'t, 'i>(root: &'t DeTable<'i>, section: &Section) -> Vec<&'t DeTable<'i>> {
    if section.name.is_empty() {
        return vec![root];
    }
    match root.get(section.name).map(toml::Spanned::get_ref) {
        Some(DeValue::Table(one)) => vec![one],
        Some(DeValue::Array(all)) => all.iter().filter_map(|v| v.get_ref().as_table()).collect(),
        _ => Vec::new(),
    }
}

fn section_text(out: &mut String, table: &DeTable<'_>, section: &Section) {
    for key in section.keys {
        match table.get(key.name) {
            Some(_) if key.kind.is_secret() => {
                let _ = writeln!(out, "{} = {MASK}", key.name);
            }
            Some(value) => {
                let _ = writeln!(out, "{} = {}", key.name, value_text(value.get_ref()));
            }
            None => {
                if let Need::Optional(without) = key.need {
                    let _ = writeln!(out, "# {}: {without}", key.name);
                }
            }
        }
    }
}

fn section_json(table: &DeTable<'_>, section: &Section) -> serde_json::Map<String, serde_json::Value> {
    let shown = |key: &super::schema::Key| {
        let value = table.get(key.name)?;
        let json = match key.kind.is_secret() {
            true => serde_json::Value::from("********"),
            false => value_json(value.get_ref()),
        };
        Some((key.name.to_owned(), json))
    };
    section.keys.iter().filter_map(shown).collect()
}

fn value_text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => toml::Value::String(text.to_string()).to_string(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|i| value_text(i.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(d) => d.to_string(),
        // No key of the schema is a table.
        DeValue::Table(_) => String::new(),
    }
}

fn value_json(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Array(items) => items.iter().map(|i| value_json(i.get_ref())).collect(),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).map_or(serde_json::Value::Null, Into::into),
        DeValue::Boolean(b) => (*b).into(),
        other => value_text(other).into(),
    }
}
