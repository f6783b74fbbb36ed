//! `docs/config.md`, and the words by which a kind of value is called.

use std::fmt::Write as _;

use super::schema::{Kind, Need, SECTIONS, Section};

/// The whole reference, in Markdown; a test holds `docs/config.md` to it.
pub fn markdown() -> String {
    let mut out = String::from(
        "# The configuration, key by key\n\n\
         Made from the program's own table by `repute man`; edit `crates/repute/src/config/schema.rs`.\n\n\
         The file is TOML. `repute config check` says what is wrong with one, `repute config show` prints it with\n\
         every default. Durations are written `\"30s\"`, `\"15m\"`, `\"4h\"`, `\"5d\"`; sizes `\"50MB\"` (powers of 1000) or\n\
         `\"64KiB\"` (powers of 1024). Relative paths start at the folder of the file.\n",
    );
    for section in SECTIONS {
        section_markdown(&mut out, section);
    }
    out
}

fn section_markdown(out: &mut String, section: &Section) {
    let title = if section.name.is_empty() { "The top".to_owned() } else { format!("`{}`", section.header()) };
    let _ = write!(out, "\n## {title}\n\n{}\n\n| key | value | default | |\n|---|---|---|---|\n", section.doc);
    for key in section.keys {
        let default = match key.need {
            Need::Required => "**must be given**".to_owned(),
            Need::Optional(without) => without.to_owned(),
            Need::Default(toml) => format!("`{toml}`"),
        };
        let _ = writeln!(out, "| `{}` | {} | {default} | {} |", key.name, noun(key.kind), key.doc);
    }
}

/// What a value of the kind is called, with its article.
pub fn noun(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret => "a text".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Count(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Duration => "a duration".to_owned(),
        Kind::Size => "a size".to_owned(),
        Kind::Rate => "a rate".to_owned(),
        Kind::Name => "a domain name".to_owned(),
        Kind::Mail => "a mail address".to_owned(),
        Kind::Ip => "an IP address".to_owned(),
        Kind::Network => "an IP address or network".to_owned(),
        Kind::Socket => "an IP address with a port".to_owned(),
        Kind::Choice(choices) => {
            format!("one of {}", choices.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", "))
        }
        Kind::List(inner) => format!("a list, each {}", noun(*inner)),
        Kind::OneOrMany(inner) => format!("{} or a list of them", noun(*inner)),
    }
}

/// A value of the kind, as TOML.
pub fn example(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Secret => "\"...\"".to_owned(),
        Kind::Path => "\"/path/to/it\"".to_owned(),
        Kind::Bool => "true".to_owned(),
        Kind::Count(least, _) => least.to_string(),
        Kind::Duration => "\"4h\"".to_owned(),
        Kind::Size => "\"50MB\"".to_owned(),
        Kind::Rate => "\"100/m\"".to_owned(),
        Kind::Name => "\"mail.example.com\"".to_owned(),
        Kind::Mail => "\"someone@example.com\"".to_owned(),
        Kind::Ip => "\"203.0.113.10\"".to_owned(),
        Kind::Network => "\"10.0.0.0/8\"".to_owned(),
        Kind::Socket => "\"127.0.0.1:587\"".to_owned(),
        Kind::Choice(choices) => format!("\"{}\"", choices[0]),
        Kind::List(inner) | Kind::OneOrMany(inner) => format!("[{}]", example(*inner)),
    }
}

/// Up to the first full stop, without it, as a phrase within a sentence.
pub fn first_sentence(doc: &str) -> &str {
    doc.split_once(". ").map_or(doc.trim_end_matches('.'), |(first, _)| first)
}
