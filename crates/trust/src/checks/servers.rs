//! Before the rules: that our names are the same at every authoritative server, that their
//! answers live long enough and not too long, and that our own resolver can be believed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use repute_types::Domain;

use super::Finding;
use super::words::listed;
use crate::dnsbl::Health;
use crate::lookup::Answer;

/// What one authoritative server says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The answer, and for how long it may be kept.
    Answered(Answer, Duration),
    /// It is a server of the zone by the NS records and does not serve it.
    Lame(String),
    /// It could not be found out.
    Silent(String),
}

/// One of our own records, asked of every server of its zone.
#[derive(Clone, Debug)]
pub struct Published {
    /// The name and the type: `example.com TXT`.
    pub what: String,
    /// The zone that the name is in; empty where it is not known.
    pub zone: String,
    /// Each server by its name.
    pub said: Vec<(String, Said)>,
    /// The servers could not be found out; why.
    pub unknown: Option<String>,
}

pub fn same(record: &Published) -> Finding {
    let (id, what) = ("dns.authoritative", &record.what);
    if let Some(why) = &record.unknown {
        return Finding::unknown(id, what, format!("the name servers of {what}"), why);
    }
    let answered = record.said.iter().filter_map(|(server, said)| match said {
        Said::Answered(answer, _) => Some((server.as_str(), answer.clone().sorted())),
        _ => None,
    });
    let answered: Vec<(&str, Answer)> = answered.collect();
    if let Some((first, theirs)) = answered.first()
        && let Some((other, differs)) = answered.iter().find(|(_, answer)| answer != theirs)
    {
        let (one, two) = (short(&theirs.to_string()), short(&differs.to_string()));
        return Finding::fail(id, what, format!("{what} differs: {first} says {one}, {other} says {two}"))
            .fix("wait until the servers have the same zone, or correct the one that is behind");
    }
    for (server, said) in &record.said {
        if let Said::Silent(why) = said {
            return Finding::unknown(id, what, format!("what {server} says about {what}"), why);
        }
    }
    match answered.len() {
        0 => Finding::unknown(id, what, format!("what {what} is"), "no name server of its zone serves it"),
        1 => Finding::pass(id, what, format!("{what} stands at its only server that answers")),
        n => Finding::pass(id, what, format!("{what} is the same at all {n} servers")),
    }
}

/// Each name server of our zones: whether it serves what it is named for. One that does not is one fault, however many records
/// are asked of it in vain; whether the others agree about those, [`same`] says.
pub fn serves(records: &[(Published, Option<Domain>)]) -> Vec<Finding> {
    let mut servers = BTreeMap::<&str, Served<'_>>::new();
    for (record, domain) in records {
        for (server, said) in &record.said {
            let of = servers.entry(server).or_default();
            of.domains.insert(domain.as_ref());
            match said {
                Said::Lame(why) => drop(of.not.entry(&record.zone).or_insert(why)),
                Said::Answered(..) => of.answers = true,
                Said::Silent(_) => {}
            }
        }
    }
    servers.into_iter().filter_map(|(server, of)| of.judged(server)).collect()
}

/// What a name server did with our questions.
#[derive(Default)]
struct Served<'a> {
    /// Zones that it does not serve, and how it says so.
    not: BTreeMap<&'a str, &'a str>,
    answers: bool,
    /// Whose records were asked for.
    domains: BTreeSet<Option<&'a Domain>>,
}

impl Served<'_> {
    /// `None` where it did not answer at all: then nothing is known of it.
    fn judged(self, server: &str) -> Option<Finding> {
        let id = "dns.authoritative";
        let finding = match self.not.values().next() {
            None if !self.answers => return None,
            None => Finding::pass(id, server, format!("{server} serves our zones")),
            Some(why) => {
                let zones: Vec<&str> = self.not.keys().copied().collect();
                let (zones, them) = (listed(&zones), if zones.len() == 1 { "it" } else { "them" });
                Finding::fail(
                    id,
                    server,
                    format!("{server} is a name server of {zones} and does not serve {them} ({why})"),
                )
                .fix(format!("set {server} up for {zones}, or take its NS record out"))
            }
        };
        Some(match self.domains.into_iter().collect::<Vec<_>>().as_slice() {
            [Some(domain)] => finding.for_domain(domain),
            _ => finding,
        })
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A minute and a day: below, receivers ask all the time and miss a failure of the servers;
/// above, a mistake stays visible for days.
pub fn lifetime(record: &Published) -> Option<Finding> {
    let found = record.said.iter().filter_map(|(_, said)| match said {
        Said::Answered(answer, ttl) if !answer.is_void() => Some(*ttl),
        _ => None,
    });
    let ttl = found.min()?;
    let (id, what, seconds) = ("dns.ttl", &record.what, ttl.as_secs());
    Some(match seconds {
        0..60 => Finding::warn(
            id,
            what,
            format!("{what} may be kept for {seconds} s, so every short failure of DNS is felt"),
        )
        .fix("raise its TTL to 3600"),
        60..=86_400 => Finding::pass(id, what, format!("{what} may be kept for {seconds} s")),
        _ => Finding::warn(
            id,
            what,
            format!("{what} may be kept for {} h: a mistake would stay visible as long", seconds / 3600),
        )
        .fix("lower its TTL to 3600"),
    })
}

/// Whether the answers of our resolver can be believed where black lists are asked.
#[derive(Clone, Debug)]
pub struct OwnResolver {
    /// The address by which the world sees our resolver, from a name server that tells it.
    pub seen_as: Option<IpAddr>,
    pub egresses: Vec<IpAddr>,
    /// The first large black list, by its test points: its name, and what they told.
    pub list: Option<(String, Health)>,
}

pub fn resolver(facts: &OwnResolver) -> Finding {
    let (id, about) = ("dns.resolver", "resolver");
    let own = facts.seen_as.is_some_and(|ip| facts.egresses.contains(&ip));
    let by = facts.seen_as.map_or(String::new(), |ip| format!(", seen as {ip}"));
    let cure = "write `resolver = \"own\"` into [resolver], run a resolver on this machine (unbound, say), or get a key from the list";
    match &facts.list {
        None => Finding::unknown(id, about, "whether black lists answer our resolver", "no list was asked"),
        Some((list, Health::Sound)) if own || facts.seen_as.is_none() => {
            Finding::pass(id, about, format!("the resolver gets true answers from {list}{by}"))
        }
        Some((list, Health::Sound)) => {
            let verdict = format!(
                "the resolver gets true answers from {list}, but it is another machine{by}, which lists may refuse"
            );
            Finding::warn(id, about, verdict).fix(cure)
        }
        Some((list, Health::Unknown(why))) => {
            Finding::unknown(id, about, format!("whether {list} answers our resolver"), why)
        }
        Some((list, health)) => {
            let why = health.complaint().unwrap_or_default();
            let verdict = format!(
                "no answer about black lists can be trusted{by}: asked through our resolver, {list} is out of order ({why})"
            );
            Finding::fail(id, about, verdict).fix(cure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    fn published(said: &[(&str, Said)]) -> Published {
        let said = said.iter().map(|(server, said)| ((*server).to_owned(), said.clone())).collect();
        Published { what: "example.com TXT".into(), zone: "example.com".into(), said, unknown: None }
    }

    fn texts(list: &[&str], seconds: u64) -> Said {
        let texts = list.iter().map(|t| t.as_bytes().to_vec()).collect();
        Said::Answered(Answer::Texts(texts), Duration::from_secs(seconds))
    }

    #[test]
    fn servers_agree_differ_are_lame_or_silent() {
        let check = |second: Said, expected: Outcome| {
            let record = published(&[("ns1", texts(&["new", "other"], 300)), ("ns2", second)]);
            assert_eq!(same(&record).outcome, expected, "{record:?}");
        };
        check(texts(&["other", "new"], 300), Outcome::Pass);
        check(texts(&["other", "old"], 300), Outcome::Fail);
        check(Said::Answered(Answer::NoName, Duration::ZERO), Outcome::Fail);
        check(Said::Silent("no answer in time".into()), Outcome::Unknown);
        check(Said::Lame("Query Refused".into()), Outcome::Pass);
        let refused = published(&[("ns1", Said::Lame("Query Refused".into()))]);
        assert_eq!(same(&refused).outcome, Outcome::Unknown);
    }

    /// It was a failure for each record, and an incident for each.
    #[test]
    fn a_server_that_serves_nothing_is_one_fault() {
        let lame = || Said::Lame("Query Refused".into());
        let of = |zone: &str, second: Said| {
            let record = published(&[("ns1", texts(&["x"], 300)), ("ns2", second)]);
            (Published { zone: zone.to_owned(), ..record }, Domain::parse(zone).ok())
        };
        let found = serves(&[of("example.com", lame()), of("example.com", lame()), of("example.net", lame())]);
        let lines: Vec<&str> = found.iter().map(|finding| finding.verdict.as_str()).collect();
        let both = "ns2 is a name server of example.com and example.net and does not serve them (Query Refused)";
        assert_eq!(lines, ["ns1 serves our zones", both]);
        assert!(found.iter().all(|finding| finding.domain.is_none()), "it is about both domains");
        let one = serves(&[of("example.com", lame()), of("example.com", Said::Silent("no answer in time".into()))]);
        assert_eq!(one[1].verdict, "ns2 is a name server of example.com and does not serve it (Query Refused)");
        assert_eq!(one[1].domain, Domain::parse("example.com").ok());
        assert_eq!(serves(&[of("example.com", Said::Silent("no answer in time".into()))]).len(), 1, "ns2 is not known");
    }

    #[test]
    fn lifetimes_have_two_ends() {
        for (seconds, expected) in
            [(59, Outcome::Warn), (60, Outcome::Pass), (86_400, Outcome::Pass), (86_401, Outcome::Warn)]
        {
            let record = published(&[("ns1", texts(&["x"], seconds))]);
            assert_eq!(lifetime(&record).unwrap().outcome, expected, "{seconds}");
        }
        assert_eq!(lifetime(&published(&[("ns1", Said::Answered(Answer::NoName, Duration::ZERO))])), None);
    }
}
