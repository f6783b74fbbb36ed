//! Proposes the record to publish: what we need, beside what others put there.
//!
//! Promise: every well-formed term that stands there stays, in its order, but for doubles
//! and for an `all` that permits everybody; ours come first, so that no look-up and no
//! mistake of somebody else's term stands before them. A record that has all we need is
//! given back as it is, and the proposal applied twice changes nothing. Each deviation from
//! "added and nothing else" is a note for the operator.

use std::collections::HashSet;

use super::record::{Mechanism, Network, Qualifier, Record, TermKind, select};

/// What a domain's record must permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub networks: Vec<Network>,
    /// Names whose records are to be included.
    pub includes: Vec<String>,
    /// How a new record ends; one that exists keeps its own end.
    pub all: Qualifier,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The record to publish, in one piece.
    pub text: String,
    /// Whether it differs from what is published.
    pub changed: bool,
    /// What was done beside adding, for people.
    pub notes: Vec<String>,
}

/// `texts` are the TXT records that stand at the name now; those that are no SPF are passed over.
pub fn propose(texts: &[Vec<u8>], wanted: &Wanted) -> Proposal {
    build(texts, wanted, None)
}

/// The same where receivers give up at a term of the record before they come to ours: ours stand first, wherever they
/// stood, and the terms that lead nowhere are left out.
pub fn propose_ahead(texts: &[Vec<u8>], wanted: &Wanted, nowhere: &[String]) -> Proposal {
    build(texts, wanted, Some(nowhere))
}

fn build(texts: &[Vec<u8>], wanted: &Wanted, ahead: Option<&[String]>) -> Proposal {
    let published = select(texts);
    let mut notes = Vec::new();
    let mut records = Vec::new();
    for text in &published {
        let (record, errors) = Record::parse_leniently(text);
        notes.extend(errors.iter().map(|error| format!("left out, because receivers cannot read it: {error}")));
        records.push(record);
    }
    let terms = match &records[..] {
        [] => [missing(None, wanted), vec![format!("{}all", wanted.all.sign())]].concat(),
        [record] => {
            let ours = missing(Some(record).filter(|_| ahead.is_none()), wanted);
            if ours.is_empty() && notes.is_empty() && record.all() != Some(Qualifier::Pass) {
                return Proposal { text: record.text.clone(), changed: false, notes };
            }
            [ours, kept(record, &mut notes)].concat()
        }
        several => [missing(None, wanted), merged(several, &mut notes)].concat(),
    };
    let nowhere = ahead.unwrap_or_default();
    let (out, mut terms): (Vec<String>, Vec<String>) = terms.into_iter().partition(|term| nowhere.contains(term));
    notes.extend(out.iter().map(|term| format!("left out, because it leads nowhere: {term}")));
    let ends = |term: &String| {
        term.to_ascii_lowercase().ends_with("all") || term.to_ascii_lowercase().starts_with("redirect=")
    };
    if !out.is_empty() && !terms.iter().any(ends) {
        terms.push(format!("{}all", wanted.all.sign()));
    }
    let mut seen = HashSet::new();
    let once = terms.into_iter().filter(|t| seen.insert(t.strip_prefix('+').unwrap_or(t).to_ascii_lowercase()));
    let text = std::iter::once("v=spf1".to_owned()).chain(once).collect::<Vec<_>>().join(" ");
    Proposal { text, changed: true, notes }
}

/// Terms for what the record does not permit before it says anything else. With no record, or
/// with several that are to be merged, all of them.
fn missing(record: Option<&Record>, wanted: &Wanted) -> Vec<String> {
    let mut networks = wanted.networks.clone();
    let mut includes: Vec<String> = wanted.includes.iter().map(|name| name.to_ascii_lowercase()).collect();
    for (_, qualifier, mechanism) in record.iter().flat_map(|r| r.directives()) {
        if qualifier != Qualifier::Pass {
            // It, or what comes after it, may take back what is permitted further on.
            break;
        }
        match mechanism {
            Mechanism::Network(there) => {
                networks.retain(|ours| !(there.prefix <= ours.prefix && there.contains(ours.address)));
            }
            // What stands behind it is never looked at (RFC 7208 §5.1).
            Mechanism::All => break,
            Mechanism::Include(spec) => includes.retain(|ours| !spec.as_str().eq_ignore_ascii_case(ours)),
            _ => {}
        }
    }
    let includes = includes.iter().map(|name| format!("include:{name}"));
    networks.iter().map(Network::to_string).chain(includes).collect()
}

const PLUS_ALL: &str = "+all lets everyone send as this domain: it becomes ~all";

/// The terms of the one record that there is, as they stand.
fn kept(record: &Record, notes: &mut Vec<String>) -> Vec<String> {
    let mut terms = Vec::new();
    for term in &record.terms {
        if matches!(term.kind, TermKind::Directive(Qualifier::Pass, Mechanism::All)) {
            notes.push(PLUS_ALL.into());
            terms.push("~all".into());
        } else {
            terms.push(term.text.clone());
        }
    }
    terms
}

/// The terms of several records as one: all their mechanisms, then one end.
fn merged(records: &[Record], notes: &mut Vec<String>) -> Vec<String> {
    notes.push(format!("{} SPF records are merged into one: delete the others", records.len()));
    let mut terms = Vec::new();
    let mut modifiers = Vec::new();
    for term in records.iter().flat_map(|r| &r.terms) {
        match &term.kind {
            TermKind::Directive(_, Mechanism::All) => {}
            TermKind::Directive(..) => terms.push(term.text.clone()),
            TermKind::Redirect(spec) => {
                notes.push(format!("{} becomes an include: it has no effect beside all", term.text));
                terms.push(format!("include:{}", spec.as_str()));
            }
            // One `exp` at most may stand in a record (§6).
            TermKind::Explanation(_) if modifiers.iter().any(|m: &String| m.starts_with("exp=")) => {
                notes.push(format!("left out, because there is another one: {}", term.text));
            }
            TermKind::Explanation(spec) => modifiers.push(format!("exp={}", spec.as_str())),
            TermKind::Unknown { .. } => modifiers.push(term.text.clone()),
        }
    }
    // The most lenient of their ends, so that the merge makes nobody fail who did not before.
    let softness = |all: &Qualifier| match all {
        Qualifier::Fail => 0,
        Qualifier::SoftFail => 1,
        Qualifier::Neutral => 2,
        Qualifier::Pass => 3,
    };
    let end = records.iter().filter_map(Record::all).max_by_key(softness).unwrap_or(Qualifier::SoftFail);
    let end = if end == Qualifier::Pass {
        notes.push(PLUS_ALL.into());
        Qualifier::SoftFail
    } else {
        end
    };
    terms.push(format!("{}all", end.sign()));
    terms.extend(modifiers);
    terms
}

/// The strings of at most 255 octets that a record is published as; they are joined without
/// anything between (§3.3), so it does not matter where it is cut.
pub fn strings(record: &str) -> Vec<String> {
    let octets: Vec<char> = record.chars().collect();
    octets.chunks(255).map(|chunk| chunk.iter().collect()).collect()
}

/// A TXT record's data as zone files have it: quoted strings with blanks between them.
pub fn zone_file_text(record: &str) -> String {
    let quoted = |part: &String| format!("\"{}\"", part.replace('\\', "\\\\").replace('"', "\\\""));
    strings(record).iter().map(quoted).collect::<Vec<_>>().join(" ")
}
