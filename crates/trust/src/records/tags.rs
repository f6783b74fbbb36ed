//! Lists of tags, `name=value; name=value`, as DKIM keys (RFC 6376 §3.2), DMARC (RFC 9989 §4.7),
//! MTA-STS (RFC 8461 §3.1) and TLS-RPT (RFC 8460 §3) records are written.

/// The tags in their order, names in lower case. What is no tag is passed over.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let tag = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    };
    text.split(';').filter_map(tag).collect()
}

pub fn value<'a>(tags: &'a [(String, String)], name: &str) -> Option<&'a str> {
    tags.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// Whether the record is of this version: the first tag is `v=` and says so.
pub fn is_version(text: &str, version: &str) -> bool {
    parse(text).first().is_some_and(|(name, value)| name == "v" && value.eq_ignore_ascii_case(version))
}

/// The tags as a record again.
pub fn join(tags: &[(String, String)]) -> String {
    tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

/// Whether a DKIM key record that stands in DNS serves the signatures that `ours` is for: the
/// same key, not in test mode, not narrowed to something else (RFC 6376 §3.6.1).
pub fn same_key(found: &str, ours: &str) -> bool {
    let (found, ours) = (parse(found), parse(ours));
    let key = |tags: &[(String, String)]| {
        let text = value(tags, "p").unwrap_or_default();
        text.chars().filter(|c| !c.is_whitespace()).collect::<String>()
    };
    let kind = |tags: &[(String, String)]| value(tags, "k").unwrap_or("rsa").to_owned();
    let listed = |name: &str, wanted: &[&str]| match value(&found, name) {
        Some(list) => list.split(':').any(|one| wanted.contains(&one.trim())),
        None => true,
    };
    let version = found.iter().position(|(name, _)| name == "v").is_none_or(|at| at == 0 && found[0].1 == "DKIM1");
    let testing = value(&found, "t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y"));
    key(&found) == key(&ours)
        && kind(&found) == kind(&ours)
        && version
        && !testing
        && listed("h", &["sha256"])
        && listed("s", &["*", "email"])
}

/// Tags that RFC 9989 took out of DMARC.
const REMOVED: [&str; 3] = ["pct", "rf", "ri"];

/// A DMARC record without the tags that no longer exist (RFC 9989 §2, appendix A), and what was done for people;
/// `None` where nothing has to be done. A `pct` that asked for less than all of the mail becomes `t=y`.
pub fn modern_dmarc(text: &str) -> Option<(String, Vec<String>)> {
    let mut tags = parse(text);
    let mut notes = Vec::new();
    if value(&tags, "p").is_none() {
        tags.insert(1.min(tags.len()), ("p".to_owned(), "none".to_owned()));
        notes.push("it had no p=: p=none is what receivers took it for".to_owned());
    }
    let partial = value(&tags, "pct").is_some_and(|pct| pct.parse::<u8>().is_ok_and(|n| n < 100));
    if partial && value(&tags, "t").is_none() {
        tags.push(("t".to_owned(), "y".to_owned()));
    }
    for (name, value) in tags.iter().filter(|(name, _)| REMOVED.contains(&name.as_str())) {
        let instead = if name == "pct" && partial { "; t=y asks for leniency now" } else { "" };
        notes.push(format!("{name}={value} left out: DMARC has it no more (RFC 9989){instead}"));
    }
    tags.retain(|(name, _)| !REMOVED.contains(&name.as_str()));
    if notes.is_empty() { None } else { Some((join(&tags), notes)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_by_what_verifiers_take_from_them() {
        let ours = "v=DKIM1; k=rsa; p=AAAA";
        for same in ["v=DKIM1; k=rsa; p=AAAA", "p=AA AA", "v=DKIM1;p=AAAA;s=email;h=sha1:sha256;t=s"] {
            assert!(same_key(same, ours), "{same}");
        }
        for other in [
            "v=DKIM1; k=rsa; p=AAAB",
            "v=DKIM1; p=",
            "k=rsa; p=AAAA; v=DKIM1",
            "v=DKIM1; k=ed25519; p=AAAA",
            "v=DKIM1; t=y; p=AAAA",
            "v=DKIM1; h=sha1; p=AAAA",
            "v=DKIM1; s=tlsrpt; p=AAAA",
            "v=spf1 -all",
        ] {
            assert!(!same_key(other, ours), "{other}");
        }
    }

    #[test]
    fn dmarc_is_brought_up_to_date_and_else_left_alone() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(modern_dmarc(text).map(|m| m.0).as_deref(), expect);
        check("v=DMARC1; p=reject; rua=mailto:a@example.com", None);
        check("v=DMARC1; p=reject; pct=100; ri=86400", Some("v=DMARC1; p=reject"));
        check("v=DMARC1;p=quarantine;pct=20;rf=afrf", Some("v=DMARC1; p=quarantine; t=y"));
        check("v=DMARC1; rua=mailto:a@example.com", Some("v=DMARC1; p=none; rua=mailto:a@example.com"));
    }
}
