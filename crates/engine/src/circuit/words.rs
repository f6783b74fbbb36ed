//! Who is stopped, and what is said of it: when a circuit opens, while it is open, and when a person closes it.

use std::fmt;
use std::time::Duration;

use repute_ledger::{Incident, Opened};
use repute_spool::{Hold, Holder, MessageMeta};
use repute_types::{AccountName, Timestamp, shell};

use super::{CircuitRow, STRANGERS, Word};

/// An account, or a campaign of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(super) account: AccountName,
    pub(super) campaign: Option<String>,
}

impl Subject {
    /// As a command names it: `shop` or `shop/spring sale`.
    pub fn parse(name: &str) -> Subject {
        match name.split_once('/') {
            Some((account, campaign)) => Subject { account: account.into(), campaign: Some(campaign.to_owned()) },
            None => Subject { account: name.into(), campaign: None },
        }
    }

    pub fn name(&self) -> String {
        match &self.campaign {
            Some(campaign) => format!("{}/{campaign}", self.account),
            None => self.account.to_string(),
        }
    }

    pub fn holder(&self) -> Holder {
        match self.campaign {
            Some(_) => Holder::CampaignCircuit,
            None => Holder::AccountCircuit,
        }
    }

    /// Whether it is the circuit of this that holds mail, whose holder is this one.
    pub fn holds(&self, meta: &MessageMeta, by: Holder) -> bool {
        by == self.holder() && self.covers(meta)
    }

    pub fn covers(&self, meta: &MessageMeta) -> bool {
        let campaign = meta.labels.as_ref().and_then(|labels| labels.campaign.as_deref());
        meta.account.as_ref() == Some(&self.account)
            && (self.campaign.is_none() || self.campaign.as_deref() == campaign)
    }

    /// Whether all of its mail is another's, too.
    pub fn is_part_of(&self, other: &Subject) -> bool {
        self.account == other.account && (other.campaign.is_none() || self == other)
    }

    pub fn covers_campaign(&self, account: &AccountName, campaign: &str) -> bool {
        *account == self.account && self.campaign.as_deref().is_none_or(|name| name == campaign)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.campaign {
            Some(campaign) => write!(f, "campaign {campaign:?} of account {}", self.account),
            None => write!(f, "account {}", self.account),
        }
    }
}

pub(super) fn is_a_circuit(by: Holder) -> bool {
    matches!(by, Holder::AccountCircuit | Holder::CampaignCircuit)
}

/// Why a part is held.
pub(super) fn held(subject: &Subject, opened: &Opened) -> Hold {
    let (name, text) = (subject.name(), &opened.text);
    let reason = format!(
        "the circuit of {subject} is open: {text}; go on with `repute circuit continue {}`, or cancel it",
        shell::Word(&name)
    );
    Hold { by: subject.holder(), reason }
}

pub(super) fn row(subject: &Subject, opened: &Opened) -> CircuitRow {
    CircuitRow {
        name: subject.name(),
        account: opened.account.clone(),
        campaign: subject.campaign.clone(),
        what: opened.what.clone(),
        since: opened.at,
        text: opened.text.clone(),
        cure: cure(subject, &opened.what),
        incident: opened.incident,
    }
}

/// What to do about it, with the commands.
fn cure(subject: &Subject, what: &str) -> String {
    let name = subject.name();
    let name = shell::Word(&name);
    match what {
        STRANGERS if subject.campaign.is_some() => format!(
            "none of it was sent; if it was not meant, the token that launched it is stolen: take that out first, then `repute \
             circuit cancel {name}`; if it was, `repute circuit continue {name}`"
        ),
        STRANGERS => format!(
            "its mail is held; if it was not meant, its password is stolen: change that first, then `repute circuit cancel \
             {name}`; if it was, `repute circuit continue {name}`"
        ),
        _ => format!(
            "its mail is held; find out where the addresses are from, then `repute circuit continue {name}` or `repute \
             circuit cancel {name}`"
        ),
    }
}

/// What is open, as incidents are shown.
pub(super) fn incident(subject: &Subject, opened: &Opened) -> Incident {
    Incident {
        id: opened.incident,
        opened: opened.at,
        closed: None,
        what: opened.what.clone(),
        subject: subject.to_string(),
        text: opened.text.clone(),
        cure: cure(subject, &opened.what),
    }
}

/// What was done about it, by whom, after how long, and why it had opened.
pub(super) fn closed(opened: &Opened, word: Word, who: &str, now: Timestamp) -> String {
    let done = match word {
        Word::Continue => "let its mail go on",
        Word::Cancel => "took its mail out of the queue",
    };
    format!("{who} {done}, {} after it was stopped because: {}", long(now.since(opened.at)), opened.text)
}

/// A time in its largest unit and the next.
pub(crate) fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A campaign's name is a program's word, and the operator's shell ran what it had in double quotes.
    #[test]
    fn a_command_that_is_copied_runs_nothing_of_a_campaigns_name() {
        let cure = cure(&Subject::parse("shop/$(reboot)"), "circuit.unknown");
        assert!(
            cure.ends_with("`repute circuit continue 'shop/$(reboot)'` or `repute circuit cancel 'shop/$(reboot)'`")
        );
    }

    #[test]
    fn how_long_it_was_is_said_in_two_units() {
        let check = |seconds: u64, expected: &str| assert_eq!(long(Duration::from_secs(seconds)), expected);
        check(0, "0 s");
        check(59, "59 s");
        check(61, "1 min");
        check(7_500, "2 h 5 min");
        check(90_000, "1 d 1 h");
    }
}
