//! TLS reports (RFC 8460): how often a receiver's servers, or ours, could not be reached safely. Those that others send
//! are read, ours are written, in the same form.
//!
//! Bounds: [`OCTETS`] of JSON, [`ITEMS`] policies and details; more are left out. JSON of another shape is refused with
//! the parser's words.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

mod write;

pub use write::{Reporter, SessionCount, tls_report, tls_report_file};

const OCTETS: usize = 8 << 20;
const ITEMS: usize = 1000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TlsReport {
    #[serde(default, deserialize_with = "text")]
    pub organization_name: String,
    #[serde(default, deserialize_with = "some_text")]
    pub contact_info: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub report_id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub date_range: DateRange,
    #[serde(deserialize_with = "few")]
    pub policies: Vec<TlsPolicyReport>,
}

/// As written: RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DateRange {
    #[serde(default, deserialize_with = "text")]
    pub start_datetime: String,
    #[serde(default, deserialize_with = "text")]
    pub end_datetime: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TlsPolicyReport {
    pub policy: TlsPolicy,
    #[serde(default, deserialize_with = "or_default")]
    pub summary: Summary,
    #[serde(default, deserialize_with = "few", skip_serializing_if = "Vec::is_empty")]
    pub failure_details: Vec<Failure>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TlsPolicy {
    /// `sts`, `tlsa` or `no-policy-found`.
    #[serde(default, deserialize_with = "text")]
    pub policy_type: String,
    /// TLSA records, or the lines of an MTA-STS policy.
    #[serde(default, deserialize_with = "texts", skip_serializing_if = "Vec::is_empty")]
    pub policy_string: Vec<String>,
    #[serde(default, deserialize_with = "text")]
    pub policy_domain: String,
    /// Names of hosts as an MTA-STS policy has them.
    #[serde(default, deserialize_with = "texts", skip_serializing_if = "Vec::is_empty")]
    pub mx_host: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    #[serde(default, deserialize_with = "number")]
    pub total_successful_session_count: u64,
    #[serde(default, deserialize_with = "number")]
    pub total_failure_session_count: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// `certificate-expired`, `starttls-not-supported`, …
    #[serde(default, deserialize_with = "text")]
    pub result_type: String,
    #[serde(default, deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub sending_mta_ip: Option<String>,
    #[serde(default, deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub receiving_mx_hostname: Option<String>,
    #[serde(default, deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub receiving_mx_helo: Option<String>,
    #[serde(default, deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub receiving_ip: Option<String>,
    #[serde(default, deserialize_with = "number")]
    pub failed_session_count: u64,
    #[serde(default, deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub additional_information: Option<String>,
    #[serde(default, deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub failure_reason_code: Option<String>,
}

impl TlsReport {
    /// Who reports, for people; it need not say.
    pub fn told_by(&self) -> &str {
        crate::named([&self.organization_name, self.contact_info.as_deref().unwrap_or_default()])
    }

    /// Sessions that were safe, and sessions that failed.
    pub fn counts(&self) -> (u64, u64) {
        let sum = |of: fn(&Summary) -> u64| self.policies.iter().fold(0u64, |n, p| n.saturating_add(of(&p.summary)));
        (sum(|s| s.total_successful_session_count), sum(|s| s.total_failure_session_count))
    }
}

pub(crate) fn read(json: &[u8]) -> Result<TlsReport, String> {
    if json.len() > OCTETS {
        return Err(format!("the JSON is larger than {OCTETS} octets"));
    }
    serde_json::from_slice(json).map_err(|error| format!("the JSON is no TLS report: {error}"))
}

/// What need not be there is not there where it is null.
fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A text; nothing is an empty one, and anything else is what it was written as.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    some_text(deserializer).map(Option::unwrap_or_default)
}

fn some_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

/// A number, or one that was written as text; nothing is 0.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a count has to be a whole number from 0 on")]
    enum Number {
        Plain(u64),
        Text(String),
    }
    match Option::<Number>::deserialize(deserializer)? {
        None => Ok(0),
        Some(Number::Plain(number)) => Ok(number),
        Some(Number::Text(text)) => text.trim().parse().map_err(|_| D::Error::custom(format!("`{text}` is no number"))),
    }
}

/// A list, or one text by itself, as the standard's own example has it.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text, or a list of texts, has to stand there")]
    enum Texts {
        One(String),
        Many(#[serde(deserialize_with = "few")] Vec<String>),
    }
    Ok(match Option::<Texts>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Texts::One(text)) => vec![text],
        Some(Texts::Many(texts)) => texts,
    })
}

/// At most [`ITEMS`] of a list; the rest is skipped.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut out = Vec::new();
            while out.len() < ITEMS {
                match list.next_element()? {
                    Some(item) => out.push(item),
                    None => return Ok(out),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(out)
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }
    }
    deserializer.deserialize_any(Few(PhantomData))
}
