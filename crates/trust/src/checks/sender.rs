//! Rule 2 for the domains in the envelope and in From: they exist, and take answers.

use repute_types::Domain;

use super::Finding;
use crate::lookup::Answer;

/// Whether something is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    There,
    Absent,
    Unknown(String),
}

#[derive(Clone, Debug)]
pub struct Facts {
    /// The sending domain of the configuration.
    pub sending: Domain,
    /// The domain that is judged: itself, or its return path.
    pub domain: Domain,
    /// SOA of the domain, or of a domain above it.
    pub soa: Presence,
    /// Hosts of its MX records; the null MX is an empty name.
    pub mx: Answer,
    /// Of those hosts, who has no address.
    pub nowhere: Vec<String>,
    /// A and AAAA, to which mail goes where there is no MX (RFC 5321 §5.1).
    pub addresses: Answer,
}

impl Facts {
    /// Nothing in DNS says where answers go, or that they go nowhere. Whether the hosts of MX records have addresses is not
    /// asked: filters pass over it, or count it for less.
    pub fn takes_no_mail(&self) -> bool {
        match &self.mx {
            Answer::Failure(_) => false,
            Answer::Names(hosts) if !hosts.is_empty() => hosts.iter().all(String::is_empty),
            _ => self.addresses.is_void(),
        }
    }
}

pub fn judge(facts: &Facts) -> Vec<Finding> {
    [soa(facts), mx(facts)].map(|f| f.for_domain(&facts.sending)).into()
}

fn soa(facts: &Facts) -> Finding {
    let (domain, id) = (&facts.domain, "name.from.soa");
    match &facts.soa {
        Presence::There => Finding::pass(id, domain, format!("{domain} is in a zone that answers")),
        Presence::Absent => Finding::fail(id, domain, format!("there is no zone that {domain} is in"))
            .fix(format!("register {domain}, and see that its name servers answer for it")),
        Presence::Unknown(why) => Finding::unknown(id, domain, format!("the zone of {domain}"), why),
    }
}

fn mx(facts: &Facts) -> Finding {
    let (domain, id) = (&facts.domain, "name.from.mx");
    let unknown = |why: &str| Finding::unknown(id, domain, format!("whether {domain} takes mail"), why);
    let publish = format!("{domain}. IN MX 10 <the host that takes its mail>.");
    match (&facts.mx, &facts.addresses) {
        (Answer::Failure(why), _) => unknown(why),
        (Answer::Names(hosts), _) if hosts.iter().all(String::is_empty) && !hosts.is_empty() => {
            // RFC 7505 §4.2: receivers may refuse senders that cannot be answered.
            Finding::fail(
                id,
                domain,
                format!("{domain} says that it takes no mail (null MX), so answers and bounces are lost"),
            )
            .fix(format!("publish an MX record for {domain}, or send as another domain"))
            .record(publish)
        }
        (Answer::Names(hosts), _) if !hosts.is_empty() && facts.nowhere.len() == hosts.len() => {
            // GMX and others refuse such a sender as one that cannot be answered.
            let verdict = format!(
                "{domain} takes mail at {}, which {} no address, so answers and bounces are lost",
                hosts.join(", "),
                if hosts.len() == 1 { "has" } else { "have" }
            );
            Finding::fail(id, domain, verdict)
                .fix(format!("name a host that has an address in the MX record of {domain}"))
                .record(publish)
        }
        (Answer::Names(hosts), _) if !hosts.is_empty() && !facts.nowhere.is_empty() => {
            let verdict =
                format!("{domain} takes mail at {}; {} without an address", hosts.join(", "), facts.nowhere.join(", "));
            Finding::warn(id, domain, verdict)
                .fix(format!("take {} out of the MX records of {domain}", facts.nowhere.join(", ")))
        }
        (Answer::Names(hosts), _) if !hosts.is_empty() => {
            Finding::pass(id, domain, format!("{domain} takes mail at {}", hosts.join(", ")))
        }
        (_, Answer::Failure(why)) => unknown(why),
        (_, answer) if answer.is_void() => {
            Finding::fail(id, domain, format!("{domain} has neither MX nor address, so answers and bounces are lost"))
                .fix(format!("publish an MX record for {domain}"))
                .record(publish)
        }
        _ => Finding::warn(
            id,
            domain,
            format!("{domain} has no MX: mail goes to its address, if something listens there"),
        )
        .fix(format!("publish an MX record for {domain}"))
        .record(publish),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    /// An MX host without an address was told as another subject: when it was mended, its incident stayed open.
    #[test]
    fn whatever_is_wrong_with_its_mx_is_about_the_domain() {
        let domain = || Domain::parse("example.com").unwrap();
        let host = || vec!["mail.example.com".to_owned()];
        let facts = |mx, nowhere| Facts {
            sending: domain(),
            domain: domain(),
            soa: Presence::There,
            mx,
            nowhere,
            addresses: Answer::NoData,
        };
        let all = [
            (facts(Answer::Names(host()), Vec::new()), Outcome::Pass, false),
            (facts(Answer::Names(host()), host()), Outcome::Fail, false),
            (facts(Answer::Names(vec![String::new()]), Vec::new()), Outcome::Fail, true),
            (facts(Answer::NoData, Vec::new()), Outcome::Fail, true),
            (facts(Answer::Failure("no answer in time".into()), Vec::new()), Outcome::Unknown, false),
        ];
        for (facts, outcome, takes_no_mail) in all {
            let found = mx(&facts);
            assert_eq!((found.about.as_str(), found.outcome), ("example.com", outcome), "{}", found.verdict);
            assert_eq!(facts.takes_no_mail(), takes_no_mail, "{}", found.verdict);
        }
    }
}
