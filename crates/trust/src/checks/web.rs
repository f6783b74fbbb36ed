//! Pages on the web that mail depends on: the imprint on the EHLO name, and the policy of
//! MTA-STS (RFC 8461).

use repute_types::Domain;

use super::Finding;
use crate::lookup::Answer;
use crate::sts::{self, Announced};

/// What a web host answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub body: String,
}

/// `Err` where nothing was answered; why.
pub type Got = Result<Page, String>;

/// T-Online (4.1): the name of a sending host leads to a page with contact data. `pages` are what
/// https and http answered.
pub fn imprint(ehlo: &Domain, pages: &[(&str, Got)]) -> Finding {
    let id = "name.imprint";
    let found =
        pages.iter().find_map(|(scheme, got)| got.as_ref().ok().filter(|p| p.status == 200).map(|p| (scheme, p)));
    let fix = format!(
        "serve a page with your name, address and e-mail at http://{ehlo}/ (T-Online asks for it, German law too)"
    );
    match found {
        Some((scheme, page)) if has_contact(&page.body) => {
            Finding::pass(id, ehlo, format!("{scheme}://{ehlo}/ tells whom to write to"))
        }
        Some((scheme, _)) => {
            Finding::warn(id, ehlo, format!("{scheme}://{ehlo}/ answers, and names no address to write to")).fix(fix)
        }
        None => {
            let why = pages.iter().map(|(scheme, got)| match got {
                Ok(page) => format!("{scheme} answers {}", page.status),
                Err(why) => format!("{scheme}: {why}"),
            });
            let why = why.collect::<Vec<_>>().join("; ");
            Finding::warn(id, ehlo, format!("there is no page at {ehlo} that tells who runs it ({why})")).fix(fix)
        }
    }
}

/// An e-mail address, or a link that speaks of one.
fn has_contact(body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    let address = body.split(|c: char| !(c.is_ascii_alphanumeric() || "@.-_+".contains(c))).any(|word| {
        word.split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && domain.trim_end_matches('.').contains('.'))
    });
    address || ["mailto:", "impressum", "imprint", "kontakt", "contact"].iter().any(|word| body.contains(word))
}

/// The record at `_mta-sts.DOMAIN`, the policy behind it (asked for only where there is a record),
/// and the hosts that take the domain's mail.
#[derive(Clone, Debug)]
pub struct Policy {
    pub domain: Domain,
    pub record: Answer,
    pub policy: Option<Got>,
    pub mx: Vec<String>,
}

pub fn mta_sts(facts: &Policy) -> Finding {
    let (id, domain) = ("in.mtasts", &facts.domain);
    let url = format!("https://mta-sts.{domain}/.well-known/mta-sts.txt");
    let finding = match (&facts.record, sts::announced(facts.record.texts())) {
        (Answer::Failure(why), _) => Finding::unknown(id, domain, format!("the record at _mta-sts.{domain}"), why),
        // No receiver of our mail looks at it; it protects what comes to us.
        (_, Announced::Nothing) => {
            Finding::pass(id, domain, format!("{domain} does not ask senders for TLS (no MTA-STS)"))
                .fix(format!("serve a policy at {url}, and publish this record"))
                .record(format!("_mta-sts.{domain}. IN TXT \"v=STSv1; id=1\""))
        }
        (_, Announced::Malformed) => Finding::warn(
            id,
            domain,
            format!("the record at _mta-sts.{domain} has no id= of letters and digits, so senders pass over it"),
        )
        .fix("publish this record in place of it")
        .record(format!("_mta-sts.{domain}. IN TXT \"v=STSv1; id=1\"")),
        (_, Announced::Policy(_)) => behind(facts, &url),
        (_, Announced::Several(n)) => {
            Finding::warn(id, domain, format!("_mta-sts.{domain} has {n} records, so none of them counts"))
                .fix("keep one of them")
        }
    };
    finding.for_domain(domain)
}

fn behind(facts: &Policy, url: &str) -> Finding {
    let (id, domain) = ("in.mtasts", &facts.domain);
    let page = match &facts.policy {
        None => return Finding::unknown(id, domain, format!("the policy at {url}"), "nothing was asked beside DNS"),
        Some(Err(why)) => {
            let verdict = format!("_mta-sts.{domain} promises a policy that cannot be had at {url}: {why}");
            return Finding::warn(id, domain, verdict)
                .fix(format!("serve the policy at {url}, or take the record out"));
        }
        Some(Ok(page)) => page,
    };
    let wrong =
        |what: String| Finding::warn(id, domain, what).fix(format!("correct {url}, then change id= in the record"));
    if page.status != 200 {
        return wrong(format!("{url} answers {}, and senders want 200", page.status));
    }
    let policy = match sts::Policy::parse(page.body.as_bytes()) {
        Ok(policy) => policy,
        Err(why) => return wrong(format!("senders pass over the policy at {url}: {why}")),
    };
    match facts.mx.iter().find(|host| !policy.names(host)) {
        Some(host) if policy.mode == sts::Mode::Enforce => Finding::fail(
            id,
            domain,
            format!("the policy at {url} does not name {host}, which takes mail of {domain}: senders hold it back"),
        )
        .fix(format!("add the line `mx: {host}` to the policy, then change id= in the record")),
        Some(host) if policy.mode == sts::Mode::Testing => {
            wrong(format!("the policy at {url} does not name {host}, which takes mail of {domain}"))
        }
        _ => {
            Finding::pass(id, domain, format!("senders are asked for TLS to {domain} (MTA-STS, mode {})", policy.mode))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    fn page(status: u16, body: &str) -> Got {
        Ok(Page { status, body: body.into() })
    }

    #[test]
    fn an_imprint_names_somebody() {
        let name = Domain::parse("mail.example.com").unwrap();
        let outcome = |https: Got, http: Got| imprint(&name, &[("https", https), ("http", http)]).outcome;
        let none = || Err("refused".to_owned());
        assert_eq!(outcome(page(200, "Bob Ltd, bob@example.com"), none()), Outcome::Pass);
        assert_eq!(outcome(none(), page(200, "<a href=/impressum>")), Outcome::Pass);
        assert_eq!(outcome(page(200, "It works!"), none()), Outcome::Warn);
        assert_eq!(outcome(page(404, "bob@example.com"), none()), Outcome::Warn);
        assert_eq!(outcome(none(), none()), Outcome::Warn);
    }

    #[track_caller]
    fn check(record: &[&str], policy: Option<Got>, outcome: Outcome, part: &str) {
        let record = match record {
            [] => Answer::NoName,
            texts => Answer::Texts(texts.iter().map(|t| t.as_bytes().to_vec()).collect()),
        };
        let domain = Domain::parse("example.com").unwrap();
        let finding = mta_sts(&Policy { domain, record, policy, mx: vec!["mx1.example.com".into()] });
        assert_eq!(finding.outcome, outcome, "{finding:?}");
        assert!(finding.verdict.contains(part), "{}", finding.verdict);
    }

    #[test]
    fn a_policy_holds_is_broken_or_absent() {
        const RECORD: &[&str] = &["v=STSv1; id=20261125"];
        let policy = |mx: &str, mode: &str| {
            Some(page(200, &format!("version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 604800\r\n")))
        };
        check(RECORD, policy("mx1.example.com", "enforce"), Outcome::Pass, "mode enforce");
        check(RECORD, policy("*.example.com", "testing"), Outcome::Pass, "mode testing");
        check(RECORD, policy("other.example.com", "enforce"), Outcome::Fail, "hold it back");
        check(RECORD, policy("other.example.com", "testing"), Outcome::Warn, "does not name mx1");
        check(RECORD, policy("*.com", "enforce"), Outcome::Fail, "does not name mx1");
        check(RECORD, Some(page(404, "")), Outcome::Warn, "answers 404");
        check(RECORD, Some(page(200, "<html>")), Outcome::Warn, "no version");
        check(RECORD, Some(page(200, "version: STSv1\nmode: enforce\nmx: mx1.example.com")), Outcome::Warn, "max_age");
        check(RECORD, Some(Err("refused".into())), Outcome::Warn, "cannot be had");
        check(RECORD, None, Outcome::Unknown, "beside DNS");
        check(&[], None, Outcome::Pass, "no MTA-STS");
        check(&["v=STSv1"], None, Outcome::Warn, "no id=");
        check(&["v=STSv1; id=1", "v=STSv1; id=2"], None, Outcome::Warn, "2 records");
    }
}
