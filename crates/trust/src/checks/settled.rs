//! Rule 1: the address stays the same, and its owner does not call it one of end users.

use std::net::IpAddr;
use std::time::Duration;

use super::Finding;
use super::words::counted;
use crate::names::generic;

#[derive(Clone, Debug)]
pub struct Facts {
    pub ip: IpAddr,
    /// Reverse names of the address.
    pub names: Vec<String>,
    /// What the first lists that know such ranges say; `Err` where they do not answer.
    pub end_user_range: Result<Option<String>, String>,
    /// How long this has been the address that mail leaves from; `None` at the first look.
    pub unchanged: Option<Duration>,
    /// The address before, if it was another one within the last days.
    pub before: Option<(IpAddr, Duration)>,
    /// Words of the registration of the block (RDAP) that speak of end users; `None`: not looked at.
    pub registration: Option<Vec<String>>,
}

/// Words by which owners of blocks call what they lend to households.
const WORDS: [&str; 9] =
    ["dynamic", "dyn-", "dhcp", "pool", "dsl", "broadband", "residential", "dial", "customer-assign"];

/// The words in the texts of a registration that speak of end users.
pub fn words_of_end_users(text: &str) -> Vec<String> {
    let text = text.to_ascii_lowercase();
    WORDS.iter().filter(|word| text.contains(**word)).map(|word| (*word).to_owned()).collect()
}

pub fn judge(facts: &Facts) -> Finding {
    let (id, ip) = ("ip.static", facts.ip);
    let ask =
        format!("ask your hoster for a static address with a PTR of your own; if {ip} is static, ask for its removal");
    let finding = match (&facts.end_user_range, &facts.before) {
        (Ok(Some(listed)), _) => Finding::fail(id, ip, format!("{ip} is in a range of end users: {listed}"))
            .fix(format!("{ask} at https://check.spamhaus.org/results?query={ip}")),
        (_, Some((before, ago))) => {
            let verdict = format!("the address changes: it was {before} {}, and is {ip} now", ago_text(*ago));
            Finding::fail(id, ip, verdict)
                .fix("ask your hoster for a static address; filters forget nothing and trust nobody new")
        }
        (range, None) => match (dynamic_name(facts), facts.registration.as_deref()) {
            (Some(name), _) => {
                let verdict = format!(
                    "the reverse name of {ip}, {name}, is one of a dial-in line, so filters take the address for one"
                );
                Finding::warn(id, ip, verdict).fix(ask).follows("name.ptr.generic")
            }
            (None, Some([first, ..])) => {
                let verdict = format!("the registration of the block of {ip} speaks of end users ({first:?})");
                Finding::warn(id, ip, verdict).fix(ask)
            }
            (None, _) => match range {
                Err(why) => {
                    Finding::unknown(id, ip, format!("whether {ip} is in a range of end users"), why).follows("bl.ip")
                }
                Ok(_) => Finding::pass(id, ip, format!("{ip}{}, not in an end-user range", unchanged(facts))),
            },
        },
    };
    finding.for_address(ip)
}

fn unchanged(facts: &Facts) -> String {
    let days = facts.unchanged.map_or(0, |time| time.as_secs() / 86_400);
    match days {
        0 => String::new(),
        1 => ", unchanged for a day".into(),
        n => format!(", unchanged for {n} days"),
    }
}

fn ago_text(ago: Duration) -> String {
    match ago.as_secs() / 3600 {
        0 => "a moment ago".into(),
        1..48 => format!("{} ago", counted(ago.as_secs() / 3600, "hour")),
        hours => format!("{} days ago", hours / 24),
    }
}

fn dynamic_name(facts: &Facts) -> Option<&str> {
    let is_dynamic = |name: &&String| generic::signs(name, facts.ip).iter().any(|sign| sign.rule == "RDNS_DYNAMIC");
    facts.names.iter().find(is_dynamic).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    fn facts() -> Facts {
        Facts {
            ip: "203.0.113.10".parse().unwrap(),
            names: vec!["mail.example.com".into()],
            end_user_range: Ok(None),
            unchanged: Some(Duration::from_secs(41 * 86_400)),
            before: None,
            registration: None,
        }
    }

    #[track_caller]
    fn check(facts: &Facts, outcome: Outcome, part: &str) {
        let finding = judge(facts);
        assert_eq!(finding.outcome, outcome, "{finding:?}");
        assert!(finding.verdict.contains(part), "{}", finding.verdict);
    }

    #[test]
    fn static_dynamic_and_not_known_are_three_things() {
        check(&facts(), Outcome::Pass, "203.0.113.10, unchanged for 41 days, not in an end-user range");
        check(&Facts { unchanged: None, ..facts() }, Outcome::Pass, "203.0.113.10, not in");
        let listed = Ok(Some("PBL (provider)".into()));
        check(&Facts { end_user_range: listed, ..facts() }, Outcome::Fail, "PBL (provider)");
        check(&Facts { end_user_range: Err("refused".into()), ..facts() }, Outcome::Unknown, "refused");
        let names = vec!["dsl-203-0-113-10.dyn.isp.net".into()];
        check(&Facts { names, ..facts() }, Outcome::Warn, "dial-in line");
        let before = Some(("203.0.113.9".parse().unwrap(), Duration::from_secs(7200)));
        check(&Facts { before, ..facts() }, Outcome::Fail, "it was 203.0.113.9 2 hours ago");
        let registration = Some(words_of_end_users("EXAMPLE-DSL-POOL"));
        check(&Facts { registration, ..facts() }, Outcome::Warn, "\"pool\"");
    }
}
