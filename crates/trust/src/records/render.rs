//! Record sets as texts that other programs take: a zone file (RFC 1035 §5.1) and the input of
//! `nsupdate`.

use std::fmt::Write as _;

use repute_types::Domain;

use super::TTL;
use super::compare::Verdict;
use super::data::Data;
use super::wanted::{Wanted, Who};

/// Lines for a zone file. Reverse names stand as comments: they belong to the hoster's zone.
pub fn zone_file(list: &[Wanted]) -> String {
    let mut text = String::new();
    for wanted in list.iter().filter(|w| w.who() == Who::Zone) {
        for data in wanted.fresh() {
            let _ = writeln!(text, "{}", line(&wanted.name, &data));
        }
    }
    let mut hosters = list.iter().filter(|w| w.who() == Who::Hoster).peekable();
    if hosters.peek().is_some() {
        text += "; In the zones of the addresses' owner, which is the hoster:\n";
    }
    for wanted in hosters {
        for data in wanted.fresh() {
            let _ = writeln!(text, "; {}", line(&wanted.name, &data));
        }
    }
    text
}

fn line(name: &Domain, data: &Data) -> String {
    format!("{name}. {TTL} IN {} {data}", data.kind())
}

/// Commands for `nsupdate` that add every record, in one transaction a zone as far as names
/// tell: what is under one of `domains` belongs together.
pub fn nsupdate(list: &[Wanted], domains: &[Domain]) -> String {
    let change = |wanted: &Wanted| -> (Wanted, Vec<Data>, Vec<Data>) { (wanted.clone(), Vec::new(), wanted.fresh()) };
    commands(list.iter().map(change).collect(), domains)
}

/// Commands for `nsupdate` that make of what stands there what is wanted.
pub fn nsupdate_changes(list: &[(Wanted, Verdict)], domains: &[Domain]) -> String {
    let changes = list.iter().filter(|(_, v)| !v.add.is_empty() || !v.remove.is_empty());
    commands(changes.map(|(w, v)| (w.clone(), v.remove.clone(), v.add.clone())).collect(), domains)
}

fn commands(changes: Vec<(Wanted, Vec<Data>, Vec<Data>)>, domains: &[Domain]) -> String {
    let mut groups: Vec<(Domain, String)> = Vec::new();
    for (wanted, remove, add) in changes {
        let name = &wanted.name;
        let above = domains.iter().filter(|d| name.is_within(d)).max_by_key(|d| d.as_str().len());
        let group = above.unwrap_or(name);
        let comment = if wanted.who() == Who::Hoster { "; " } else { "" };
        let mut text = String::new();
        for data in &remove {
            let _ = writeln!(text, "{comment}update delete {name}. {} {data}", data.kind());
        }
        for data in &add {
            let _ = writeln!(text, "{comment}update add {name}. {TTL} {} {data}", data.kind());
        }
        match groups.iter_mut().find(|(g, _)| g == group) {
            Some((_, all)) => *all += &text,
            None => groups.push((group.clone(), text)),
        }
    }
    groups.iter().map(|(_, text)| if text.starts_with(';') { text.clone() } else { format!("{text}send\n") }).collect()
}
