//! A wanted record beside what a name server answered.
//!
//! Promise: a [`Verdict`] applied once makes the next comparison say `Right`; unknown is
//! never right and never missing, and proposes nothing.

use std::net::IpAddr;

use repute_types::Domain;

use super::data::Data;
use super::tags;
use super::wanted::{Purpose, Wanted};
use crate::spf;

/// What stands at a name, as one server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The records of the wanted type; none is an empty list. `alias` is where the name leads
    /// if it is a CNAME: the records are those at its end.
    Records { records: Vec<Data>, alias: Option<Domain> },
    /// It could not be found out, and why.
    Unknown(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Right,
    /// Nothing for this purpose stands there.
    Missing,
    /// Something stands there that has to change.
    Different,
    /// What is wanted stands there, and something beside it that has to go.
    Extra,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub state: State,
    pub add: Vec<Data>,
    pub remove: Vec<Data>,
    /// For people: what was merged, left out, or is for them to do.
    pub notes: Vec<String>,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Right => "right",
            State::Missing => "missing",
            State::Different => "different",
            State::Extra => "extra",
            State::Unknown => "unknown",
        }
    }
}

impl Verdict {
    fn right() -> Verdict {
        Verdict { state: State::Right, add: Vec::new(), remove: Vec::new(), notes: Vec::new() }
    }

    fn note(mut self, note: impl Into<String>) -> Verdict {
        self.notes.push(note.into());
        self
    }
}

impl Wanted {
    pub fn compare(&self, found: &Found) -> Verdict {
        let (records, alias) = match found {
            Found::Unknown(why) => {
                return Verdict { state: State::Unknown, ..Verdict::right() }.note(why.clone());
            }
            Found::Records { records, alias } => (records.as_slice(), alias.as_ref()),
        };
        let verdict = match &self.purpose {
            Purpose::Address(_) if alias.is_some() => return self.instead_of_alias(alias),
            Purpose::Address(addresses) => address(addresses, records),
            Purpose::Reverse { host, .. } => reverse(host, records),
            Purpose::Mx(host) => exchange(host, records),
            Purpose::FirstMx(host) => first_exchange(host, records),
            Purpose::Spf(wanted) => sender_policy(wanted, records),
            Purpose::Dkim(ours) => key(ours, records),
            Purpose::Dmarc(ours) => dmarc(ours, records),
            Purpose::TlsRpt(ours) => tls_reports(ours, records),
            Purpose::MtaSts(ours) => mta_sts(ours, records),
        };
        match alias {
            // What stands at the other end is somebody's on purpose, and need not be ours.
            Some(target) if verdict.state != State::Right => {
                let note = format!("{} is an alias of {target}: change it there, or delete the CNAME", self.name);
                Verdict { state: State::Different, add: Vec::new(), remove: Vec::new(), ..verdict }.note(note)
            }
            _ => verdict,
        }
    }

    /// A host that says its name in EHLO has addresses itself (RFC 5321 §2.3.5).
    fn instead_of_alias(&self, alias: Option<&Domain>) -> Verdict {
        let remove = alias.cloned().map(Data::Cname).into_iter().collect();
        let note = "an EHLO name must not be an alias";
        Verdict { state: State::Different, add: self.fresh(), remove, notes: vec![note.to_owned()] }
    }
}

fn address(ours: &[IpAddr], found: &[Data]) -> Verdict {
    let ours: Vec<Data> = ours.iter().copied().map(Data::address).collect();
    let add: Vec<Data> = ours.iter().filter(|a| !found.contains(a)).cloned().collect();
    let others: Vec<Data> = found.iter().filter(|a| !ours.contains(a)).cloned().collect();
    let names = others.iter().map(Data::to_string).collect::<Vec<_>>().join(" and ");
    match (add.is_empty(), others.is_empty()) {
        (true, true) => Verdict::right(),
        (true, false) => Verdict::right().note(format!("{names} stands there too: is that this machine?")),
        _ if found.is_empty() => Verdict { state: State::Missing, add, ..Verdict::right() },
        // Ours and others': the others may be further machines of the same name.
        _ if add.len() < ours.len() => Verdict { state: State::Missing, add, ..Verdict::right() },
        _ => {
            let note = format!("{names} is not an address that mail leaves from");
            Verdict { state: State::Different, add, remove: others, notes: vec![note] }
        }
    }
}

/// Receivers pick any one of several reverse names: there is one.
fn reverse(host: &Domain, found: &[Data]) -> Verdict {
    replace_all_but(found, |data| *data == Data::Ptr(host.clone()), || Data::Ptr(host.clone()))
}

fn exchange(host: &Domain, found: &[Data]) -> Verdict {
    let ours = |data: &Data| matches!(data, Data::Mx(_, Some(name)) if name == host);
    match found.iter().any(ours) {
        true if found.len() == 1 => Verdict::right(),
        true => Verdict::right().note("other hosts take bounces too: they have to know them"),
        false => replace_all_but(found, ours, || Data::Mx(10, Some(host.clone()))),
    }
}

/// Whoever takes the mail of the domain goes on with it.
fn first_exchange(host: &Domain, found: &[Data]) -> Verdict {
    let ours = |data: &Data| matches!(data, Data::Mx(_, Some(name)) if name == host);
    match found {
        [] => Verdict { state: State::Missing, add: vec![Data::Mx(10, Some(host.clone()))], ..Verdict::right() },
        found if found.iter().any(ours) => Verdict::right(),
        found => {
            let others = found.iter().map(Data::to_string).collect::<Vec<_>>().join(" and ");
            Verdict::right().note(format!("it stays as it is ({others}), and {host} is not added"))
        }
    }
}

fn sender_policy(wanted: &spf::Wanted, found: &[Data]) -> Verdict {
    let texts: Vec<Vec<u8>> = found.iter().filter_map(Data::joined).collect();
    let is_spf = |data: &&Data| data.joined().is_some_and(|text| !spf::select(&[text]).is_empty());
    let old: Vec<Data> = found.iter().filter(is_spf).cloned().collect();
    let proposal = spf::propose(&texts, wanted);
    match (old.is_empty(), proposal.changed) {
        (_, false) => Verdict { notes: proposal.notes, ..Verdict::right() },
        (none, true) => {
            let state = if none { State::Missing } else { State::Different };
            Verdict { state, add: vec![Data::text(&proposal.text)], remove: old, notes: proposal.notes }
        }
    }
}

/// Under a selector stands one key, ours (RFC 6376 §3.6.2.2).
fn key(ours: &str, found: &[Data]) -> Verdict {
    replace_all_but(found, |data| text(data).is_some_and(|t| tags::same_key(&t, ours)), || Data::text(ours))
}

/// One policy stands there, whichever its owner chose.
fn dmarc(ours: &str, found: &[Data]) -> Verdict {
    let policies = versioned(found, "DMARC1");
    let Some((data, text)) = policies.iter().min_by_key(|(_, text)| strictness(text)) else {
        return Verdict { state: State::Missing, add: vec![Data::text(ours)], ..Verdict::right() };
    };
    let mut verdict = keep_one(&policies, data);
    if let Some((modern, notes)) = tags::modern_dmarc(text) {
        let remove = policies.iter().map(|(data, _)| data.clone()).collect();
        verdict.notes.extend(notes);
        return Verdict { state: State::Different, add: vec![Data::text(&modern)], remove, ..verdict };
    }
    verdict
}

/// Of several policies none counts (RFC 9989 §4.10), so that the mildest changes least.
fn strictness(record: &str) -> u8 {
    match tags::value(&tags::parse(record), "p") {
        Some(p) if p.eq_ignore_ascii_case("reject") => 2,
        Some(p) if p.eq_ignore_ascii_case("quarantine") => 1,
        _ => 0,
    }
}

fn tls_reports(ours: &str, found: &[Data]) -> Verdict {
    let all = versioned(found, "TLSRPTv1");
    let has_address = |text: &str| tags::value(&tags::parse(text), "rua").is_some_and(|rua| !rua.is_empty());
    match all.iter().find(|(_, text)| has_address(text)) {
        Some((data, _)) => keep_one(&all, data),
        None if all.is_empty() => Verdict { state: State::Missing, add: vec![Data::text(ours)], ..Verdict::right() },
        None => {
            let remove = all.into_iter().map(|(data, _)| data).collect();
            let notes = vec!["it names nobody to report to".to_owned()];
            Verdict { state: State::Different, add: vec![Data::text(ours)], remove, notes }
        }
    }
}

/// The id has to be that of the policy that is served.
fn mta_sts(ours: &str, found: &[Data]) -> Verdict {
    let id = |text: &str| tags::value(&tags::parse(text), "id").map(str::to_owned);
    let all: Vec<Data> = versioned(found, "STSv1").into_iter().map(|(data, _)| data).collect();
    replace_all_but(&all, |data| text(data).is_some_and(|t| id(&t) == id(ours)), || Data::text(ours))
}

/// The TXT records that begin with `v=VERSION`, with their texts.
fn versioned(found: &[Data], version: &str) -> Vec<(Data, String)> {
    let texts = found.iter().filter_map(|data| Some((data.clone(), text(data)?)));
    texts.filter(|(_, text)| tags::is_version(text, version)).collect()
}

fn text(data: &Data) -> Option<String> {
    data.joined().map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// Right where the one to keep is alone; else the others go.
fn keep_one(all: &[(Data, String)], kept: &Data) -> Verdict {
    let mut kept_once = false;
    let mut remove = Vec::new();
    for (data, _) in all {
        if data == kept && !kept_once {
            kept_once = true;
        } else {
            remove.push(data.clone());
        }
    }
    match remove.is_empty() {
        true => Verdict::right(),
        false => Verdict { state: State::Extra, remove, ..Verdict::right() }
            .note("of several such records receivers take none: one is kept"),
    }
}

/// One record that is `ours`, and nothing else of the type.
fn replace_all_but(found: &[Data], ours: impl Fn(&Data) -> bool, fresh: impl Fn() -> Data) -> Verdict {
    let kept = found.iter().find(|data| ours(data));
    let remove: Vec<Data> = found.iter().filter(|data| Some(*data) != kept).cloned().collect();
    match (kept, remove.is_empty()) {
        (Some(_), true) => Verdict::right(),
        (Some(_), false) => Verdict { state: State::Extra, remove, ..Verdict::right() },
        (None, true) => Verdict { state: State::Missing, add: vec![fresh()], ..Verdict::right() },
        (None, false) => Verdict { state: State::Different, add: vec![fresh()], remove, notes: Vec::new() },
    }
}
