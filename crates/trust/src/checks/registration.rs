//! What registries know (RDAP, RFC 9083): how old a domain is and until when it is ours, who gets
//! complaints about an address; and what filters think of a domain's ending.

use std::net::IpAddr;

use repute_types::{Domain, Timestamp};
use serde_json::Value;

use super::Finding;
use super::words::counted;

/// The events of a domain's registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    pub registered: Option<Timestamp>,
    pub expires: Option<Timestamp>,
}

impl Dates {
    pub fn read(rdap: &Value) -> Dates {
        let date = |action: &str| {
            let events = rdap["events"].as_array()?;
            events.iter().find(|e| e["eventAction"] == action)?["eventDate"].as_str()?.parse().ok()
        };
        Dates { registered: date("registration"), expires: date("expiration") }
    }
}

/// Days under which filters mind (SpamAssassin and rspamd: 7, 15 and 28; Spamhaus: hours).
const NEW: u64 = 42;
const BRAND_NEW: u64 = 8;

/// `asked` is the domain that the registry knows: the sending domain or one above it.
pub fn age(sending: &Domain, asked: &Domain, dates: &Result<Dates, String>, now: Timestamp) -> Finding {
    let id = "name.domain.age";
    let days = |later: Timestamp, earlier: Timestamp| later.since(earlier).as_secs() / 86_400;
    let what = format!("how old {asked} is");
    let finding = match dates {
        Err(why) => Finding::unknown(id, asked, what, why),
        Ok(Dates { expires: Some(expires), .. }) if *expires <= now => {
            Finding::fail(id, asked, format!("the registration of {asked} has run out"))
                .fix(format!("renew {asked} today: others may take it"))
        }
        Ok(Dates { expires: Some(expires), .. }) if days(*expires, now) < 30 => Finding::warn(
            id,
            asked,
            format!("the registration of {asked} runs out in {}", counted(days(*expires, now), "day")),
        )
        .fix(format!("renew {asked}, or see that it is renewed by itself")),
        Ok(Dates { registered: None, .. }) => Finding::unknown(id, asked, what, "its registry does not tell"),
        Ok(Dates { registered: Some(registered), .. }) => {
            let n = days(now, *registered);
            let verdict =
                format!("{asked} is {} old, and many filters distrust domains younger than 30 days", counted(n, "day"));
            let fix = "send little at first, and only to those who expect it; each day helps";
            match n {
                ..BRAND_NEW => Finding::fail(id, asked, verdict).fix(fix),
                BRAND_NEW..NEW => Finding::warn(id, asked, verdict).fix(fix),
                _ => Finding::pass(id, asked, format!("{asked} is {} old", counted(n, "day"))),
            }
        }
    };
    finding.for_domain(sending)
}

/// Endings that filters count against mail (SpamAssassin 4: FROM_SUSPICIOUS_NTLD and those that
/// build on it).
const ENDINGS: [&str; 20] = [
    "bid", "buzz", "click", "cyou", "date", "faith", "fit", "fun", "gdn", "icu", "life", "online", "ooo", "review",
    "stream", "top", "trade", "vip", "work", "world",
];

pub fn ending(domain: &Domain) -> Finding {
    let id = "name.tld";
    let last = domain.as_str().rsplit('.').next().unwrap_or_default();
    let finding = match ENDINGS.contains(&last) {
        true => Finding::warn(
            id,
            domain,
            format!(".{last} is on the list of suspicious endings of filters (SpamAssassin: up to 2.0 points)"),
        )
        .fix("send as a domain with another ending if you can"),
        false => Finding::pass(id, domain, format!(".{last} is on no list of suspicious endings")),
    };
    finding.for_domain(domain)
}

/// The abuse contact of an address: the e-mail of the entity with the role (RFC 9083 §10.2.4).
pub fn abuse_contact(rdap: &Value) -> Option<String> {
    fn of(entity: &Value, depth: usize) -> Option<String> {
        let inner = || entity["entities"].as_array().into_iter().flatten().take(20).find_map(|e| of(e, depth + 1));
        let has_role = entity["roles"].as_array().is_some_and(|roles| roles.iter().any(|r| r == "abuse"));
        let card = entity["vcardArray"][1].as_array().filter(|_| has_role);
        let email = card.and_then(|card| card.iter().find(|p| p[0] == "email")?[3].as_str().map(str::to_owned));
        email.or_else(|| if depth < 3 { inner() } else { None })
    }
    of(rdap, 0)
}

/// Good to know, and never a reason to act: complaints that go to the hoster are not read by us.
pub fn complaints_about(ip: IpAddr, ours: &[Domain], contact: &Result<Option<String>, String>) -> Finding {
    let id = "infra.contact";
    let is_ours = |mail: &str| {
        let domain = mail.rsplit_once('@').and_then(|(_, d)| Domain::parse(d).ok());
        domain.is_some_and(|d| ours.iter().any(|own| d.is_within(own)))
    };
    let finding = match contact {
        Err(why) => Finding::unknown(id, ip, format!("who gets complaints about {ip}"), why),
        Ok(None) => Finding::pass(id, ip, format!("the registration of {ip} names nobody for complaints")),
        Ok(Some(mail)) if is_ours(mail) => Finding::pass(id, ip, format!("complaints about {ip} come to {mail}")),
        Ok(Some(mail)) => Finding::pass(id, ip, format!("complaints about {ip} go to {mail}"))
            .fix(format!("ask your hoster to pass on what {mail} gets, or to register {ip} to you")),
    };
    finding.for_address(ip)
}

/// All texts of a registration in which owners say what a block is for.
pub fn texts_of_block(rdap: &Value) -> String {
    let remarks = rdap["remarks"].as_array().into_iter().flatten();
    let lines = remarks.flat_map(|r| r["description"].as_array().into_iter().flatten()).filter_map(Value::as_str);
    let names = ["name", "type"].into_iter().filter_map(|field| rdap[field].as_str());
    names.chain(lines).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::checks::Outcome;

    #[test]
    fn a_domain_is_old_new_expiring_or_not_known() {
        let now: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
        let day = |n: u64| Duration::from_secs(n * 86_400);
        let d = Domain::parse("example.com").unwrap();
        let outcome = |registered: Option<u64>, expires: Option<u64>| {
            let dates = Dates { registered: registered.map(|n| now - day(n)), expires: expires.map(|n| now + day(n)) };
            age(&d, &d, &Ok(dates), now).outcome
        };
        assert_eq!(outcome(Some(400), Some(200)), Outcome::Pass);
        assert_eq!(outcome(Some(20), Some(200)), Outcome::Warn);
        assert_eq!(outcome(Some(2), Some(200)), Outcome::Fail);
        assert_eq!(outcome(Some(400), Some(20)), Outcome::Warn);
        assert_eq!(outcome(Some(400), Some(0)), Outcome::Fail);
        assert_eq!(outcome(None, None), Outcome::Unknown);
        assert_eq!(age(&d, &d, &Err("404".into()), now).outcome, Outcome::Unknown);
    }

    #[test]
    fn registries_are_read() {
        let rdap = json!({
            "name": "EXAMPLE-POOL",
            "remarks": [{ "description": ["Dynamic addresses", 7] }],
            "events": [{ "eventAction": "registration", "eventDate": "2020-01-02T03:04:05Z" }, { "eventAction": "expiration" }],
            "entities": [{ "roles": ["registrant"], "entities": [
                { "roles": ["abuse"], "vcardArray": ["vcard", [["fn", {}, "text", "x"], ["email", {}, "text", "abuse@isp.example"]]] }
            ]}],
        });
        assert_eq!(Dates::read(&rdap).registered, "2020-01-02T03:04:05Z".parse().ok());
        assert_eq!(Dates::read(&rdap).expires, None);
        assert_eq!(abuse_contact(&rdap).as_deref(), Some("abuse@isp.example"));
        assert_eq!(texts_of_block(&rdap), "EXAMPLE-POOL\nDynamic addresses");
        for nothing in [json!(null), json!([]), json!({ "events": 3, "entities": "x" })] {
            assert_eq!(Dates::read(&nothing), Dates::default());
            assert_eq!(abuse_contact(&nothing), None);
            assert_eq!(texts_of_block(&nothing), "");
        }
    }

    #[test]
    fn endings_and_contacts() {
        let d = |name: &str| Domain::parse(name).unwrap();
        assert_eq!(ending(&d("shop.top")).outcome, Outcome::Warn);
        assert_eq!(ending(&d("top.example.com")).outcome, Outcome::Pass);
        let ip: IpAddr = "203.0.113.10".parse().unwrap();
        let found = complaints_about(ip, &[d("example.com")], &Ok(Some("abuse@isp.example".into())));
        assert!(found.outcome == Outcome::Pass && found.fix.is_some());
        assert_eq!(complaints_about(ip, &[d("example.com")], &Ok(Some("abuse@example.com".into()))).fix, None);
        assert_eq!(complaints_about(ip, &[], &Err("404".into())).outcome, Outcome::Unknown);
    }
}
