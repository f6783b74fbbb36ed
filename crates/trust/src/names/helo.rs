//! Whether the name that we say in EHLO is one (RFC 5321 §2.3.5, §4.1.1.1), by its form alone.
//! Whether it resolves is [`super::confirm`]'s question.

use std::net::IpAddr;

use super::generic;
use crate::remark::{Level, Remark};

/// What is wrong with the form of an EHLO name that is said from `ip`.
pub fn lint(name: &str, ip: IpAddr) -> Vec<Remark> {
    let lower = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if let Some(why) = why_no_host_name(&lower) {
        let found = format!("EHLO says {name:?}: {why}");
        return vec![Remark::new("name.helo.fqdn", Level::Fail, found, FIX)];
    }
    // The filters judge this name by the same words as the reverse name.
    let signs = generic::signs(&lower, ip);
    if signs.is_empty() {
        return Vec::new();
    }
    let level = if generic::points(&signs).0 >= 200 { Level::Fail } else { Level::Warn };
    // rspamd asks its one table about both names, and calls the rules differently.
    let because = signs.iter().map(|s| s.to_string().replace("HFILTER_HOSTNAME", "HFILTER_HELO"));
    let because = because.collect::<Vec<_>>().join("; ");
    vec![Remark::new("name.helo.fqdn", level, format!("the EHLO name {name} looks machine-made: {because}"), FIX)]
}

const FIX: &str = "set `hostname` to a full name of your own, like mail.example.com, and give it the PTR record too";

/// Endings that exist inside a house only.
const PRIVATE: [&str; 11] =
    ["local", "lan", "home", "localdomain", "intra", "internal", "priv", "user", "corp", "invalid", "arpa"];

fn why_no_host_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("there is no name");
    }
    if name.starts_with('[') {
        return Some("an address in brackets, which receivers take for a bot");
    }
    // With dots, hyphens or the letter x between the numbers, filters read it as an address.
    let as_address = name.replace(['-', 'x'], ".");
    if name.parse::<IpAddr>().is_ok() || as_address.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some("an address, not a name");
    }
    if name == "localhost" || name.starts_with("localhost.") {
        return Some("the name of every machine for itself");
    }
    let labels: Vec<&str> = name.split('.').collect();
    let bad_label =
        |label: &&str| label.is_empty() || label.len() > 63 || label.starts_with('-') || label.ends_with('-');
    if name.len() > 253 || labels.iter().any(bad_label) {
        return Some("it is not formed as a host name is");
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
        return Some("a host name has letters, digits and hyphens only (no underscore)");
    }
    let last = labels[labels.len() - 1];
    if labels.len() < 2 {
        return Some("a single word, not a full name with its domain");
    }
    if PRIVATE.contains(&last) {
        return Some("it ends in a domain that exists inside a house only");
    }
    last.bytes().all(|b| b.is_ascii_digit()).then_some("it ends in a number, which no domain does")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<(Level, &str)>) {
        let remarks = lint(name, "125.42.17.10".parse().unwrap());
        match expected {
            None => assert_eq!(remarks, []),
            Some((level, part)) => {
                assert_eq!(remarks.len(), 1, "{name}");
                assert_eq!(remarks[0].level, level, "{name}: {}", remarks[0].found);
                assert!(remarks[0].found.contains(part), "{}", remarks[0].found);
            }
        }
    }

    #[test]
    fn the_form_of_an_ehlo_name() {
        check("mail.bob.com", None);
        check("Mail.Bob.COM.", None);
        check("mx-out-2.example.co.uk", None);
        check("", Some((Level::Fail, "no name")));
        check("[125.42.17.10]", Some((Level::Fail, "brackets")));
        check("125.42.17.10", Some((Level::Fail, "an address")));
        check("125-42-17-10", Some((Level::Fail, "an address")));
        check("localhost", Some((Level::Fail, "every machine")));
        check("localhost.localdomain", Some((Level::Fail, "every machine")));
        check("mailserver", Some((Level::Fail, "single word")));
        check("mail.lan", Some((Level::Fail, "inside a house")));
        check("mail_1.bob.com", Some((Level::Fail, "underscore")));
        check("-mail.bob.com", Some((Level::Fail, "formed")));
        check("mail.bob.25", Some((Level::Fail, "number")));
        check("dsl-12.bob.com", Some((Level::Fail, "the word \"dsl\"")));
        check("vps.of.vps.bob.com", Some((Level::Warn, "the word \"vps\"")));
        check("125-42-17-10.bob.com", Some((Level::Warn, "spells the address")));
    }
}
