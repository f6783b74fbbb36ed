//! The policy behind the record: `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` (RFC 8461 §3.2).
//!
//! Whatever octets it is given, [`Policy::parse`] ends with a policy or one sentence.

use std::fmt;
use std::time::Duration;

use repute_types::Domain;

use crate::certificate::covers;

/// A year of 365.25 days: what is said to be good for longer is good for this long.
pub const MAX_AGE_MOST: Duration = Duration::from_secs(31_557_600);
/// Names that are kept: a domain has no more hosts than this.
const NAMES_MOST: usize = 100;

/// What is to be done with mail that cannot go as the policy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It must not go.
    Enforce,
    /// It goes, and is reported.
    Testing,
    /// There is no policy any more.
    None,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub mode: Mode,
    pub max_age: Duration,
    /// `mx.example.net`, or `*.example.net` for names with one label more; in small letters.
    pub mx: Vec<String>,
}

impl Policy {
    /// Of a field that stands twice the first counts, but `mx`, which is a list; fields that are not
    /// known are passed over.
    pub fn parse(octets: &[u8]) -> Result<Policy, String> {
        let text = std::str::from_utf8(octets).map_err(|_| "it is not text in UTF-8")?;
        let fields: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        let first = |wanted: &str| fields.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        if first("version") != Some("STSv1") {
            return Err("it has no version: STSv1".into());
        }
        let mode = match first("mode") {
            Some("enforce") => Mode::Enforce,
            Some("testing") => Mode::Testing,
            Some("none") => Mode::None,
            Some(other) => return Err(format!("its mode is {other:?}, and none of enforce, testing and none")),
            None => return Err("it has no mode:".into()),
        };
        let max_age = first("max_age").ok_or("it has no max_age:")?;
        let digits = (1..=10).contains(&max_age.len()) && max_age.bytes().all(|b| b.is_ascii_digit());
        let seconds: u64 = max_age.parse().ok().filter(|_| digits).ok_or("its max_age: is no number of seconds")?;
        let mx = fields.iter().filter(|(name, _)| *name == "mx").take(NAMES_MOST).map(|(_, value)| pattern(value));
        let mx = mx.collect::<Result<Vec<_>, _>>()?;
        if mx.is_empty() && mode != Mode::None {
            return Err("it names no host (mx:)".into());
        }
        Ok(Policy { mode, max_age: Duration::from_secs(seconds).min(MAX_AGE_MOST), mx })
    }

    /// Whether mail may go to this host (RFC 8461 §4.1).
    pub fn names(&self, host: &str) -> bool {
        self.mx.iter().any(|pattern| covers(pattern, host))
    }
}

/// As the file has it: to be kept, and read by [`Policy::parse`] again.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version: STSv1\r\nmode: {}\r\nmax_age: {}\r\n", self.mode, self.max_age.as_secs())?;
        self.mx.iter().try_for_each(|pattern| write!(f, "mx: {pattern}\r\n"))
    }
}

fn pattern(value: &str) -> Result<String, String> {
    let (star, name) = match value.strip_prefix("*.") {
        Some(rest) => ("*.", rest),
        None => ("", value),
    };
    let name = Domain::parse(name).map_err(|_| format!("its mx: {value:?} is no name of a host"))?;
    Ok(format!("{star}{name}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 8461 §3.2.
    const EXAMPLE: &str = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmx: backupmx.example.com\nmax_age: 604800\n";

    #[test]
    fn the_example_of_the_rfc() {
        let policy = Policy::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, Duration::from_secs(604_800)));
        for (host, named) in [
            ("mail.example.com", true),
            ("MAIL.Example.Com", true),
            ("mx.example.net", true),
            ("a.mx.example.net", false),
            ("example.net", false),
            ("other.example.com", false),
        ] {
            assert_eq!(policy.names(host), named, "{host}");
        }
        assert_eq!(Policy::parse(policy.to_string().as_bytes()), Ok(policy));
        assert_eq!(Policy::parse(EXAMPLE.replace('\n', "\r\n").as_bytes()), Policy::parse(EXAMPLE.as_bytes()));
    }

    #[test]
    fn what_may_be_otherwise() {
        let good = |text: &str| Policy::parse(text.as_bytes()).unwrap();
        let none = good("version:STSv1\nmode:none\nmax_age:0");
        assert_eq!((none.mode, none.max_age, none.mx.len()), (Mode::None, Duration::ZERO, 0));
        let twice = good(
            "version: STSv1\nmode: testing\nmode: enforce\nmx: a.example\ncolour: red\nmax_age: 4294967295\nmax_age: 1",
        );
        assert_eq!((twice.mode, twice.max_age), (Mode::Testing, MAX_AGE_MOST));
        assert_eq!(good("version: STSv1\nmode: enforce\nmx: A.Example \nmax_age: 1").mx, ["a.example"]);
    }

    #[test]
    fn what_is_no_policy_says_why() {
        for (text, why) in [
            ("", "no version"),
            ("<html>", "no version"),
            ("version: STSv2\nmode: none\nmax_age: 1", "no version"),
            ("version: STSv1\nmax_age: 1", "no mode"),
            ("version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1", "\"Enforce\""),
            ("version: STSv1\nmode: enforce\nmx: a.example", "no max_age"),
            ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: soon", "no number"),
            ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1", "no number"),
            ("version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 12345678901", "no number"),
            ("version: STSv1\nmode: enforce\nmax_age: 1", "names no host"),
            ("version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1", "no name of a host"),
        ] {
            let error = Policy::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!(Policy::parse(b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn no_octets_end_it_badly(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Policy::parse(&octets);
        }

        #[test]
        fn what_is_kept_is_read_again(text in "version: STSv1\nmode: (enforce|none)\nmx: (\\*\\.)?[a-z]{1,9}\\.example\nmax_age: [0-9]{1,10}") {
            let policy = Policy::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(Policy::parse(policy.to_string().as_bytes()).unwrap(), policy);
        }
    }
}
