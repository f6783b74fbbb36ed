//! The schema and the typed side say the same.

use super::super::{shaped, typed::Typed};
use super::*;
use serde::Deserialize as _;

/// A file in which every key of the schema stands once.
fn everything() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        text += &format!("{}\n", section.header());
        for key in section.keys {
            let value = match (&key.need, key.kind) {
                (Default(toml), _) => (*toml).to_owned(),
                (_, Ip) => "\"203.0.113.10\"".to_owned(),
                (_, kind) => super::super::reference::example(kind),
            };
            text += &format!("{} = {value}\n", key.name);
        }
    }
    text
}

/// The typed side refuses keys that it does not know, so what it reads here it has; what
/// it has and the schema does not, shows in the second half.
#[test]
fn the_typed_side_has_the_keys_of_the_schema() {
    let text = everything();
    let table = shaped(&text).unwrap_or_else(|faults| panic!("{faults:?}"));
    let typed = Typed::deserialize(toml::de::Deserializer::from(table));
    assert!(typed.is_ok(), "{}", typed.err().map(|e| e.to_string()).unwrap_or_default());

    let source = include_str!("../typed.rs");
    let fields = source.lines().filter_map(|l| l.trim().strip_prefix("pub ")?.split_once(": "));
    for (field, _) in fields {
        // A section that is called like a word of the language.
        let field = field.trim_start_matches("r#");
        let known = SECTIONS.iter().any(|s| s.name == field || s.key(field).is_some());
        assert!(known, "`{field}` is in typed.rs and not in the schema");
    }
}

#[test]
fn every_key_is_explained_in_sentences() {
    for section in SECTIONS {
        assert!(section.doc.ends_with('.'), "{}", section.name);
        for key in section.keys {
            assert!(key.doc.ends_with('.'), "{}.{}", section.name, key.name);
        }
    }
}
