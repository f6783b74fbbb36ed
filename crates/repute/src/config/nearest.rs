//! The nearest right name for a wrong one: known habits from other servers first, then the
//! smallest edit distance.

/// What people write out of habit, by section; the right side is a key of the same section,
/// or at the top a section's header.
const HABITS: &[(&str, &str, &str)] = &[
    ("", "host", "hostname"),
    ("", "name", "hostname"),
    ("", "server_name", "hostname"),
    ("", "myhostname", "hostname"),
    ("", "helo", "hostname"),
    ("", "ehlo", "hostname"),
    ("", "state_dir", "state"),
    ("", "data_dir", "state"),
    ("", "datadir", "state"),
    ("", "dns", "resolver"),
    ("", "listen", "listener"),
    ("", "server", "listener"),
    ("", "relayhost", "route"),
    ("", "relay", "route"),
    ("", "smarthost", "route"),
    ("", "ip", "egress"),
    ("", "source", "egress"),
    ("", "logging", "log"),
    ("", "ssl", "tls"),
    ("", "users", "account"),
    ("", "hook", "webhook"),
    ("", "webhooks", "webhook"),
    ("webhook", "uri", "url"),
    ("webhook", "endpoint", "url"),
    ("webhook", "key", "secret"),
    ("webhook", "types", "events"),
    ("events", "retention", "keep"),
    ("events", "path", "file"),
    ("egress", "ip", "address"),
    ("egress", "ips", "address"),
    ("egress", "bind", "address"),
    ("egress", "source", "address"),
    ("egress", "helo", "ehlo"),
    ("egress", "hostname", "ehlo"),
    ("egress", "name", "ehlo"),
    ("domain", "domain", "name"),
    ("domain", "hostname", "name"),
    ("domain", "keys", "selectors"),
    ("domain", "bounce", "return_path"),
    ("account", "user", "name"),
    ("account", "username", "name"),
    ("account", "login", "name"),
    ("account", "pass", "password"),
    ("account", "hash", "password"),
    ("account", "ip", "addresses"),
    ("account", "networks", "addresses"),
    ("listener", "port", "address"),
    ("listener", "bind", "address"),
    ("listener", "listen", "address"),
    ("listener", "type", "kind"),
    ("listener", "protocol", "kind"),
    ("tls", "cert", "certificate"),
    ("tls", "certfile", "certificate"),
    ("tls", "cert_file", "certificate"),
    ("tls", "chain", "certificate"),
    ("tls", "keyfile", "key"),
    ("tls", "private_key", "key"),
    ("route", "server", "host"),
    ("route", "hostname", "host"),
    ("route", "smarthost", "host"),
    ("route", "relay", "host"),
    ("route", "username", "user"),
    ("route", "login", "user"),
    ("route", "ssl", "tls"),
    ("resolver", "nameservers", "servers"),
    ("resolver", "address", "servers"),
    ("retry", "interval", "first"),
    ("retry", "lifetime", "expire"),
    ("retry", "max_age", "expire"),
    ("history", "retention", "keep"),
    ("log", "type", "format"),
    ("limits", "max_size", "size"),
    ("limits", "message_size", "size"),
    ("limits", "message_size_limit", "size"),
    ("limits", "timeout", "idle"),
];

/// The right name in `section` for `wrong`, if one is near enough to be meant.
pub fn nearest<'a>(section: &str, wrong: &str, right: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = wrong.to_ascii_lowercase().replace('-', "_");
    let habit = HABITS.iter().find(|(s, w, _)| *s == section && *w == plain).map(|(_, _, r)| *r);
    let mut best = None;
    for name in right {
        if Some(name) == habit || name == plain {
            return Some(name);
        }
        let d = distance(&plain, name);
        // A third of the letters may be wrong; more is another word.
        if d <= name.len().max(plain.len()).div_ceil(3) && best.is_none_or(|(least, _)| d < least) {
            best = Some((d, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (old[j] + 1).min(row[j - 1] + 1).min(old[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(older[j - 2] + 1);
            }
            row.push(least);
        }
        older = old;
        old = row;
    }
    old[b.len()]
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn check(section: &str, wrong: &str, expect: Option<&str>) {
        let keys = schema::section(section).unwrap().keys.iter().map(|k| k.name);
        let sections = schema::SECTIONS.iter().map(|s| s.name).filter(|n| section.is_empty() && !n.is_empty());
        assert_eq!(nearest(section, wrong, keys.chain(sections)), expect, "{wrong}");
    }

    #[test]
    fn a_misspelt_key_finds_the_right_one() {
        check("", "hostnmae", Some("hostname"));
        check("", "host", Some("hostname"));
        check("", "acount", Some("account"));
        check("account", "passwrod", Some("password"));
        check("limits", "recipient", Some("recipients"));
        check("retry", "max-interval", Some("max_interval"));
        check("", "colour", None);
    }

    #[test]
    fn every_habit_leads_to_a_key_that_exists() {
        for (section, wrong, right) in HABITS {
            let keys = schema::section(section).unwrap_or_else(|| panic!("{section}"));
            let is_section = section.is_empty() && schema::section(right).is_some();
            assert!(keys.key(right).is_some() || is_section, "{section}.{wrong} -> {right}");
            assert!(keys.key(wrong).is_none(), "{section}.{wrong} is a key itself");
        }
    }
}
