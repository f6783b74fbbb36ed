//! A JSON object of texts, its members in the order in which they were written.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs(pub Vec<(String, String)>);

/// More than anybody means; it is the reader's bound, each use has its own.
const MOST: usize = 1000;

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        deserializer.deserialize_map(Members::<String>(PhantomData))
    }
}

/// The same, where numbers and yes or no count as the texts that they are written as.
#[derive(Debug, Default)]
pub(crate) struct Loose(pub Pairs);

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Loose, D::Error> {
        deserializer.deserialize_map(Members::<Scalar>(PhantomData)).map(Loose)
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "write a text, a number, true or false")]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Flag(bool),
}

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> String {
        match scalar {
            Scalar::Text(text) => text,
            Scalar::Number(number) => number.to_string(),
            Scalar::Flag(flag) => flag.to_string(),
        }
    }
}

struct Members<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de> + Into<String>> Visitor<'de> for Members<V> {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose members are texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, V>()? {
            if pairs.len() == MOST {
                return Err(serde::de::Error::custom(format!("more than {MOST} members: leave some out")));
            }
            pairs.push((name, value.into()));
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Data did not match any variant of untagged enum Scalar" was all that a client of Postmark read.
    #[test]
    fn what_is_no_text_number_or_flag_is_told_as_that() {
        let read = |text: &str| serde_json::from_str::<Loose>(text).map(|loose| loose.0.0);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = read(r#"{"a": "x", "b": 1.5, "c": true}"#).unwrap();
        assert_eq!(all, [pair("a", "x"), pair("b", "1.5"), pair("c", "true")]);
        for wrong in [r#"{"a": null}"#, r#"{"a": {}}"#, r#"{"a": [1]}"#] {
            let said = read(wrong).unwrap_err().to_string();
            assert!(said.starts_with("write a text, a number, true or false"), "{said}");
        }
    }
}
