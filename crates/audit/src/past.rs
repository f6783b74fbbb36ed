//! The last run, kept as JSON, and what is different now.

use std::collections::HashMap;

use repute_trust::checks::Outcome;
use repute_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::doors::Kept;
use crate::report::Report;

/// What is kept of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    pub at: Timestamp,
    pub findings: Vec<PastFinding>,
    /// Facts to compare with: addresses, names said, what includes permit.
    #[serde(default)]
    pub kept: Kept,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastFinding {
    pub id: String,
    pub about: String,
    pub outcome: Outcome,
}

/// A check that came out otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub id: String,
    pub about: String,
    /// `None`: it was not there before.
    pub before: Option<Outcome>,
    /// `None`: it is not there any more.
    pub now: Option<Outcome>,
}

impl Past {
    pub fn of(report: &Report) -> Past {
        let keep = |f: &repute_trust::checks::Finding| PastFinding {
            id: f.id.to_owned(),
            about: f.about.clone(),
            outcome: f.outcome,
        };
        Past { at: report.at, findings: report.findings.iter().map(keep).collect(), kept: report.kept.clone() }
    }

    /// What is different in `report`. A pass that came or went is none.
    pub fn changes(&self, report: &Report) -> Vec<Change> {
        let now = Past::of(report);
        let (known, found) = (outcomes(&self.findings), outcomes(&now.findings));
        let mut changes = Vec::new();
        for finding in &now.findings {
            let before = known.get(&key(finding)).copied();
            if before != Some(finding.outcome) && (before.is_some() || finding.outcome != Outcome::Pass) {
                changes.push(change(finding, before, Some(finding.outcome)));
            }
        }
        let gone = self.findings.iter().filter(|f| f.outcome != Outcome::Pass && !found.contains_key(&key(f)));
        changes.extend(gone.map(|f| change(f, Some(f.outcome), None)));
        changes
    }
}

type Key<'a> = (&'a str, &'a str);

fn key(finding: &PastFinding) -> Key<'_> {
    (&finding.id, &finding.about)
}

/// Of several findings of one key the first counts. Of thousands of domains there are a hundred thousand.
fn outcomes(findings: &[PastFinding]) -> HashMap<Key<'_>, Outcome> {
    findings.iter().rev().map(|finding| (key(finding), finding.outcome)).collect()
}

fn change(finding: &PastFinding, before: Option<Outcome>, now: Option<Outcome>) -> Change {
    Change { id: finding.id.clone(), about: finding.about.clone(), before, now }
}
