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
#[serde(untagged)]
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
