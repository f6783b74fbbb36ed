//! A DKIM-Signature field as somebody wrote it (RFC 6376 §3.5): its tags, not whether it verifies.

use repute_types::Domain;

/// Names in `h=` that are kept; a signature of more is no use to anyone.
const NAMES_MOST: usize = 500;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `a=`, such as `rsa-sha256`.
    pub algorithm: String,
    /// `d=`: who signed.
    pub domain: Domain,
    /// `s=`.
    pub selector: String,
    /// `h=` in lower case, in its order.
    pub names: Vec<String>,
    /// `c=`: whether header and body may change in blanks alone.
    pub relaxed: (bool, bool),
    /// `l=` is there: only a part of the body is covered.
    pub has_length: bool,
    /// `x=`, in seconds since 1970.
    pub expires: Option<i64>,
}

impl Written {
    /// `Err` says what is missing or wrong.
    pub fn read(value: &[u8]) -> Result<Written, String> {
        let text = String::from_utf8_lossy(value);
        let tags: Vec<(&str, String)> = text
            .split(';')
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), value.chars().filter(|c| !c.is_whitespace()).collect()))
            .collect();
        let tag = |name: &str| tags.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        let needed = |name: &str| tag(name).filter(|v| !v.is_empty()).ok_or_else(|| format!("it has no {name}="));
        if needed("v")? != "1" {
            return Err("its version is not v=1".into());
        }
        let (domain, selector) = (needed("d")?, needed("s")?);
        let domain = Domain::parse(domain).map_err(|_| format!("d={domain} is no domain"))?;
        let names = needed("h")?.split(':').take(NAMES_MOST).map(str::to_ascii_lowercase).collect();
        needed("b")?;
        needed("bh")?;
        // RFC 6376 §3.5: simple where nothing is said.
        let (header, body) = tag("c").map_or(("simple", "simple"), |c| c.split_once('/').unwrap_or((c, "simple")));
        Ok(Written {
            algorithm: needed("a")?.to_ascii_lowercase(),
            domain,
            selector: selector.to_ascii_lowercase(),
            names,
            relaxed: (header.eq_ignore_ascii_case("relaxed"), body.eq_ignore_ascii_case("relaxed")),
            has_length: tag("l").is_some(),
            expires: tag("x").and_then(|x| x.parse().ok()),
        })
    }

    /// Where its key stands.
    pub fn key_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// How often a field is named in `h=`; once more than it stands means that none can be added.
    pub fn covers(&self, name: &str) -> usize {
        self.names.iter().filter(|n| n.eq_ignore_ascii_case(name)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_in_any_order_and_folding() {
        let text = " s=S1; d=Example.com;\r\n\ta=rsa-sha256; v=1; c=relaxed; h=From:To :\r\n Subject;\r\n bh=YQ==; b=Yg\r\n ==; l=10; x=99";
        let written = Written::read(text.as_bytes()).unwrap();
        assert_eq!(
            (written.domain.as_str(), written.key_name().as_str()),
            ("example.com", "s1._domainkey.example.com")
        );
        assert_eq!(written.names, ["from", "to", "subject"]);
        assert_eq!((written.relaxed, written.has_length, written.expires), ((true, false), true, Some(99)));
        assert_eq!((written.covers("FROM"), written.covers("cc")), (1, 0));
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, why) in [
            ("", "it has no v="),
            ("v=2", "its version is not v=1"),
            ("v=1; d=a.example", "it has no s="),
            ("v=1; d=; s=x", "it has no d="),
            ("v=1; d=-; s=x", "d=- is no domain"),
            ("v=1; d=a.example; s=x; h=from; b=YQ==", "it has no bh="),
        ] {
            assert_eq!(Written::read(text.as_bytes()).unwrap_err(), why, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_octets_make_it_fall_over(octets: Vec<u8>) {
            let _ = Written::read(&octets);
        }
    }
}
