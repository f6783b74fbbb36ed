//! What is wrong with rows of a list, before anything of it is taken in.

use std::sync::Arc;
use std::time::Duration;

use repute_dns::{Exchange, Lookup};
use repute_types::{Address, Domain};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::words::{BulkError, MOST_ROWS, Refused, WhyNot, list_fault};
use crate::control::Control;
use crate::works::Works;

/// Domains that are asked about at once.
const CONCURRENT: usize = 64;
/// For all questions about one domain; no answer within it is no answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Local parts that stand for an office or a machine: nobody subscribes with them, and many are
/// traps or go to those who handle complaints (RFC 2142).
const ROLES: [&str; 22] = [
    "abuse",
    "bounce",
    "bounces",
    "daemon",
    "dmarc",
    "do-not-reply",
    "donotreply",
    "hostmaster",
    "mailer-daemon",
    "mailerdaemon",
    "no-reply",
    "nobody",
    "noc",
    "noreply",
    "null",
    "postmaster",
    "root",
    "security",
    "spam",
    "spamtrap",
    "unsubscribe",
    "webmaster",
];

/// Addresses that somebody wants to write to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckAddresses {
    pub account: String,
    #[serde(default)]
    pub list: Option<String>,
    /// At most [`MOST_ROWS`].
    pub emails: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    Mail,
    /// Nothing: it does not exist, or says so (RFC 7505).
    Nothing,
    /// No answer, or none that can be believed.
    Unknown,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DomainTakes {
    pub domain: Domain,
    pub takes: Takes,
    /// Why nothing, or why it is unknown.
    #[serde(default)]
    pub text: String,
}

/// An address that a letter can go to.
pub(super) fn address(email: &str) -> Result<Address, String> {
    let address = Address::parse(email.trim()).map_err(|error| error.to_string())?;
    if address.needs_smtputf8() {
        return Err("its local part is beyond ASCII, which letters are not sent to".into());
    }
    Ok(address)
}

pub(super) fn is_role(address: &Address) -> bool {
    let local = address.local().to_ascii_lowercase();
    ROLES.contains(&local.split('+').next().unwrap_or_default())
}

impl Control {
    /// Which of the addresses are none, are an office's, or are suppressed; `row` counts within the question.
    pub fn check_addresses(&self, question: &CheckAddresses) -> Result<Vec<Refused>, BulkError> {
        if question.emails.len() > MOST_ROWS {
            return Err(BulkError::Refused(format!("at most {MOST_ROWS} addresses can be asked about at once")));
        }
        let list = question.list.as_deref();
        if let Some(text) = list.and_then(list_fault) {
            return Err(BulkError::Refused(text));
        }
        let mut refused = Vec::new();
        for (row, email) in (0u32..).zip(&question.emails) {
            let found = match address(email) {
                Err(text) => Some((WhyNot::Syntax, text)),
                Ok(address) => match suppressed(&self.works, &question.account, list, &address)? {
                    Some(text) => Some((WhyNot::Suppressed, text)),
                    None => is_role(&address).then(|| (WhyNot::Role, "nobody subscribes with this mailbox".to_owned())),
                },
            };
            refused.extend(found.map(|(why, text)| Refused { row, email: email.clone(), why, text }));
        }
        Ok(refused)
    }

    /// Whether domains take mail, by what the name servers say; some at a time.
    pub async fn check_domains(&self, domains: Vec<Domain>) -> Result<Vec<DomainTakes>, BulkError> {
        if domains.len() > MOST_ROWS {
            return Err(BulkError::Refused(format!("at most {MOST_ROWS} domains can be asked about at once")));
        }
        let turns = Arc::new(Semaphore::new(CONCURRENT));
        let mut asked = JoinSet::new();
        for domain in domains {
            let (works, turns) = (self.works.clone(), turns.clone());
            asked.spawn(async move {
                let _turn = turns.acquire_owned().await;
                let answer = tokio::time::timeout(PATIENCE, takes(&works, &domain)).await;
                let (takes, text) = answer.unwrap_or_else(|_| (Takes::Unknown, "no answer in time".to_owned()));
                DomainTakes { domain, takes, text }
            });
        }
        let mut answers = asked.join_all().await;
        answers.sort_by(|a, b| a.domain.as_str().cmp(b.domain.as_str()));
        Ok(answers)
    }
}

/// Why mail by this list to the address is suppressed, if it is.
pub(super) fn suppressed(
    works: &Works,
    account: &str,
    list: Option<&str>,
    address: &Address,
) -> Result<Option<String>, BulkError> {
    let Some(suppressions) = &works.doors.suppressions else { return Ok(None) };
    let found = suppressions.find(Some(account), list, address, works.now()).map_err(BulkError::Suppressions)?;
    Ok(found.map(|entry| entry.told()))
}

/// RFC 5321 §5.1: MX hosts, or else the domain's own address.
async fn takes(works: &Works, domain: &Domain) -> (Takes, String) {
    if works.settings().routes.names(domain) {
        return (Takes::Mail, String::new());
    }
    let resolver = &works.doors.resolver;
    match resolver.mx(domain).await {
        Lookup::Found(found) if found.items.iter().any(|mx| mx.exchange.host().is_some()) => {
            (Takes::Mail, String::new())
        }
        Lookup::Found(found) if found.items.iter().all(|mx| mx.exchange == Exchange::Null) => {
            (Takes::Nothing, "it says that it takes no mail (null MX)".into())
        }
        Lookup::Found(_) => (Takes::Nothing, "its MX is not the name of a host".into()),
        Lookup::NoName { .. } => (Takes::Nothing, "the domain does not exist".into()),
        Lookup::NoData { .. } => match (resolver.a(domain).await, resolver.aaaa(domain).await) {
            (Lookup::Found(_), _) | (_, Lookup::Found(_)) => (Takes::Mail, String::new()),
            (Lookup::NoData { .. } | Lookup::NoName { .. }, Lookup::NoData { .. } | Lookup::NoName { .. }) => {
                (Takes::Nothing, "it has neither a mail server nor an address".into())
            }
            _ => (Takes::Unknown, "its addresses could not be asked for".into()),
        },
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => (Takes::Unknown, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_office_is_known_by_its_local_part() {
        let check = |text: &str, expect: bool| assert_eq!(is_role(&address(text).unwrap()), expect, "{text}");
        check("Postmaster@a.example", true);
        check("noreply+7@a.example", true);
        check("info@a.example", false);
        check("rooted@a.example", false);
        assert!(address("jürgen@a.example").is_err() && address("jürgen").is_err());
    }
}
