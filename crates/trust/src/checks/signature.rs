//! Rule 5: what stands in the signatures that this server makes, read from one that it made.

use std::time::Duration;

use repute_types::{Domain, Timestamp};

use super::Finding;
use super::dkim::KeyRecord;
use super::words::counted;

/// A DKIM-Signature field as our signer made it for a probe.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The domain in From.
    pub from: Domain,
    pub selector: String,
    /// The value of the field.
    pub field: String,
    /// The names of the header fields of the probe.
    pub header: Vec<String>,
    /// Whether DMARC of the domain asks for the very same domain (`adkim=s`).
    pub strict: bool,
}

/// What people and programs act on: each has to be signed, and once more than it stands there,
/// so that nobody can add one (RFC 6376 §8.15; RFC 8058 §4 for the two of List-Unsubscribe).
const NAMES: [&str; 12] = [
    "from",
    "subject",
    "to",
    "cc",
    "date",
    "reply-to",
    "message-id",
    "mime-version",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "feedback-id",
];

/// The longest time that mail is under way, with room.
const EXPIRY_MOST: i64 = 15 * 86_400;

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let (from, about) = (&facts.from, format!("{} {}", facts.from, facts.selector));
    let value: String = facts.field.split_whitespace().collect::<Vec<_>>().join(" ");
    let findings = match KeyRecord::parse(value.as_bytes()) {
        Err(why) => vec![Finding::fail(
            "dkim.headers",
            &about,
            format!("the signature of {} cannot be read: {why}", facts.selector),
        )],
        Ok(tags) => {
            let tag = |name: &str| tags.tag(name).unwrap_or_default().to_owned();
            vec![
                align(facts, &about, &tag("d")),
                headers(facts, &about, &tag("h")),
                whole_body(facts, &about, tags.tag("l")),
                form(facts, &about, &tag("c")),
                expiry(facts, &about, &tag("t"), &tag("x")),
            ]
        }
    };
    findings.into_iter().map(|f| f.for_domain(from)).collect()
}

fn align(facts: &Facts, about: &str, signer: &str) -> Finding {
    let (id, from, selector) = ("dkim.align", &facts.from, &facts.selector);
    let domain = Domain::parse(signer).ok();
    let aligned = domain.is_some_and(|d| d == *from || (!facts.strict && (d.is_within(from) || from.is_within(&d))));
    match aligned {
        true => Finding::pass(id, about, format!("{selector} signs as {signer}, the domain in From")),
        false => Finding::fail(
            id,
            about,
            format!("{selector} signs as {signer}, and From says {from}: that is no signature for DMARC"),
        )
        .fix(format!("sign as {from}: repute domain add {from}")),
    }
}

fn headers(facts: &Facts, about: &str, signed: &str) -> Finding {
    let (id, selector) = ("dkim.headers", &facts.selector);
    let signed: Vec<String> = signed.split(':').map(|n| n.trim().to_ascii_lowercase()).collect();
    let times = |list: &[String], name: &str| list.iter().filter(|n| n.eq_ignore_ascii_case(name)).count();
    let missing: Vec<&str> =
        NAMES.into_iter().filter(|name| times(&signed, name) <= times(&facts.header, name)).collect();
    match missing.as_slice() {
        [] => Finding::pass(id, about, format!("{selector} signs what people see, and that there is no more of it")),
        missing => Finding::fail(
            id,
            about,
            format!("somebody could add {} to a message that {selector} signed", missing.join(", ")),
        )
        .fix("this is a fault of this server: report it"),
    }
}

fn whole_body(facts: &Facts, about: &str, length: Option<&str>) -> Finding {
    match length {
        None => Finding::pass("dkim.l", about, format!("{} signs bodies to their end", facts.selector)),
        Some(l) => Finding::fail(
            "dkim.l",
            about,
            format!("{} signs only {l} octets of the body: anybody can append to it", facts.selector),
        )
        .fix("this is a fault of this server: report it"),
    }
}

fn form(facts: &Facts, about: &str, canonical: &str) -> Finding {
    match canonical {
        "relaxed/relaxed" => Finding::pass(
            "dkim.canon",
            about,
            format!("signatures of {} survive relays that fold lines anew", facts.selector),
        ),
        other => Finding::warn(
            "dkim.canon",
            about,
            format!("{} signs as {other:?}, which relays break that fold lines anew", facts.selector),
        )
        .fix("this is a fault of this server: report it"),
    }
}

fn expiry(facts: &Facts, about: &str, from: &str, until: &str) -> Finding {
    let (id, selector) = ("dkim.expiry", &facts.selector);
    match (from.parse::<i64>(), until.parse::<i64>()) {
        (Ok(from), Ok(until)) if until > from && until - from <= EXPIRY_MOST => {
            Finding::pass(id, about, format!("signatures of {selector} are good for {} days", (until - from) / 86_400))
        }
        _ => Finding::warn(
            id,
            about,
            format!("signatures of {selector} do not expire within two weeks, so mail can be replayed for long"),
        )
        .fix("this is a fault of this server: report it"),
    }
}

/// Half a year, after which a key should be changed (M3AAWG: key rotation).
const OLD: Duration = Duration::from_secs(180 * 86_400);

/// `since`: when the key was made; `None` where that is not known.
pub fn age(domain: &Domain, selector: &str, since: Option<Timestamp>, now: Timestamp) -> Finding {
    let (id, about) = ("dkim.age", format!("{domain} {selector}"));
    let finding = match since.map(|since| now.since(since)) {
        None => Finding::unknown(id, about, format!("how old the key {selector} is"), "its file is not at hand"),
        Some(age) if age > OLD => Finding::warn(
            id,
            about,
            format!(
                "the key {selector} is {} days old, and may have been read by somebody since",
                age.as_secs() / 86_400
            ),
        )
        .fix(format!("make a new one and take this one out when its mail is done: repute domain add {domain}")),
        Some(age) => {
            Finding::pass(id, about, format!("the key {selector} is {} old", counted(age.as_secs() / 86_400, "day")))
        }
    };
    finding.for_domain(domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    const GOOD: &str = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1; t=1795564800; x=1796774400;\r\n h=From:From:Subject:Subject:To:\
        To:Cc:Date:Date:Reply-To:Message-ID:Message-ID:MIME-Version:MIME-Version:Content-Type:Content-Type:\r\n List-Unsubscribe:\
        List-Unsubscribe-Post:Feedback-ID; bh=x; b=y";

    fn facts(field: &str) -> Facts {
        let header =
            ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"].map(str::to_owned).into();
        Facts {
            from: Domain::parse("example.com").unwrap(),
            selector: "s1".into(),
            field: field.into(),
            header,
            strict: true,
        }
    }

    #[track_caller]
    fn check(field: &str, wrong: &[(&str, Outcome)]) {
        let found = judge(&facts(field));
        let bad: Vec<_> = found.iter().filter(|f| f.outcome != Outcome::Pass).map(|f| (f.id, f.outcome)).collect();
        assert_eq!(bad, wrong, "{found:#?}");
    }

    #[test]
    fn what_a_signature_must_and_must_not_have() {
        check(GOOD, &[]);
        check(&GOOD.replace("d=example.com", "d=example.net"), &[("dkim.align", Outcome::Fail)]);
        check(&GOOD.replace("From:From", "From"), &[("dkim.headers", Outcome::Fail)]);
        check(&GOOD.replace("List-Unsubscribe-Post:", ""), &[("dkim.headers", Outcome::Fail)]);
        check(&GOOD.replace("s=s1;", "s=s1; l=100;"), &[("dkim.l", Outcome::Fail)]);
        check(&GOOD.replace("relaxed/relaxed", "simple/simple"), &[("dkim.canon", Outcome::Warn)]);
        check(&GOOD.replace(" x=1796774400;", ""), &[("dkim.expiry", Outcome::Warn)]);
        check("nonsense", &[("dkim.headers", Outcome::Fail)]);
    }

    #[test]
    fn alignment_is_strict_only_where_it_is_asked_for() {
        let below = GOOD.replace("d=example.com", "d=mail.example.com");
        assert_eq!(judge(&facts(&below))[0].outcome, Outcome::Fail);
        assert_eq!(judge(&Facts { strict: false, ..facts(&below) })[0].outcome, Outcome::Pass);
    }

    #[test]
    fn keys_age() {
        let (d, now) = (Domain::parse("example.com").unwrap(), Timestamp(1_800_000_000_000));
        let of = |days: u64| age(&d, "s1", Some(now - Duration::from_secs(days * 86_400)), now).outcome;
        assert_eq!((of(3), of(181)), (Outcome::Pass, Outcome::Warn));
        assert_eq!(age(&d, "s1", None, now).outcome, Outcome::Unknown);
    }
}
