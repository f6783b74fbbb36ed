//! What receivers report about mail in our name: DMARC's aggregate reports of the last week, put together by who sent it.
//!
//! Two things are told: mail of our own addresses that fails, which is a fault of ours, and mail from elsewhere that
//! fails, which is a forger's or of a system that was forgotten. Some forgeries are everybody's, so a few say nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Finding;

/// Mail from one address in the name of one domain, as all receivers together reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    pub source: IpAddr,
    /// Of the From field.
    pub domain: String,
    pub messages: u64,
    /// Of them, those for which DMARC passed.
    pub passed: u64,
}

impl Reported {
    fn failed(&self) -> u64 {
        self.messages.saturating_sub(self.passed)
    }
}

const ID: &str = "dmarc.reports";
/// Fewer failures of others say nothing.
const FEW: u64 = 10;
/// Nor does a smaller share of all mail in the name of the domain; thousandths.
const SMALL: u64 = 10;

/// One finding for each domain that was reported on. `Err` where the reports cannot be read; why.
pub fn judge(reported: &Result<Vec<Reported>, String>, own: &[IpAddr]) -> Vec<Finding> {
    let reported = match reported {
        Ok(reported) => reported,
        Err(why) => return vec![Finding::unknown(ID, "reports", "what receivers report about mail in our name", why)],
    };
    let mut domains: BTreeMap<&str, Vec<&Reported>> = BTreeMap::new();
    for one in reported {
        domains.entry(&one.domain).or_default().push(one);
    }
    domains.into_iter().map(|(domain, sources)| of_domain(domain, &sources, own)).collect()
}

fn of_domain(domain: &str, sources: &[&Reported], own: &[IpAddr]) -> Finding {
    let worst = |ours: bool| {
        let those = sources.iter().filter(|s| own.contains(&s.source) == ours && s.failed() > 0);
        those.max_by_key(|s| s.failed())
    };
    let all: u64 = sources.iter().map(|s| s.messages).sum();
    if let Some(ours) = worst(true) {
        let (n, of) = (ours.failed(), ours.messages);
        let found = format!(
            "{}, ours, sent {of} messages as {domain} in the last week, and DMARC failed for {n} of them",
            ours.source
        );
        return Finding::warn(ID, domain, found)
            .fix(format!("see which of SPF and DKIM failed, and at whom: repute reports sources --domain {domain}"));
    }
    let Some(other) = worst(false).filter(|s| s.failed() >= FEW && s.failed() * 1000 >= all * SMALL) else {
        return Finding::pass(
            ID,
            domain,
            format!("DMARC passed for {all} messages as {domain} in the last week, but for a few"),
        );
    };
    let found = format!(
        "{} sent {} messages as {domain} in the last week, and DMARC failed for {} of them",
        other.source,
        other.messages,
        other.failed()
    );
    Finding::warn(ID, domain, found).fix(
        "if it is a system of yours, have it sign, or send through this server; if not, somebody forges you: p=reject in \
         the DMARC record has receivers refuse it",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn reported(source: &str, messages: u64, passed: u64) -> Reported {
        Reported { source: source.parse().unwrap(), domain: "example.com".into(), messages, passed }
    }

    #[track_caller]
    fn check(reported: &[Reported], outcome: Outcome, says: &str) {
        let own: Vec<IpAddr> = vec!["203.0.113.10".parse().unwrap()];
        let found = judge(&Ok(reported.to_vec()), &own);
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(one.outcome, outcome, "{one:?}");
        assert!(one.verdict.contains(says), "{one:?}");
    }

    #[test]
    fn our_own_failures_others_and_the_few_that_everybody_has() {
        check(&[reported("203.0.113.10", 5000, 5000)], Outcome::Pass, "5000 messages");
        check(&[reported("203.0.113.10", 5000, 4999)], Outcome::Warn, "203.0.113.10, ours, sent 5000");
        let ours = reported("203.0.113.10", 500, 500);
        check(&[ours.clone(), reported("192.0.2.9", 9, 0)], Outcome::Pass, "");
        check(&[ours.clone(), reported("192.0.2.9", 40, 10)], Outcome::Warn, "192.0.2.9 sent 40 messages");
        check(&[ours, reported("192.0.2.9", 40, 40)], Outcome::Pass, "");
        check(&[reported("203.0.113.10", 50_000, 50_000), reported("192.0.2.9", 40, 0)], Outcome::Pass, "");
    }

    #[test]
    fn no_report_says_nothing_and_what_cannot_be_read_is_unknown() {
        assert!(judge(&Ok(Vec::new()), &[]).is_empty());
        let found = judge(&Err("the file is damaged".into()), &[]);
        assert!(found.len() == 1 && found[0].outcome == Outcome::Unknown);
    }
}
