//! The wanted records beside what every authoritative server says.

use std::net::SocketAddr;

use repute_publish::{Answer, Directory, Unasked};
use repute_trust::records::{Found, Kind, State, Verdict, Wanted};

use repute_types::Domain;

use crate::config::Config;
use crate::config::value::Socket;
use crate::out::{self, Tone};

/// One wanted record, at all servers of its zone.
#[derive(Clone)]
pub struct Row {
    pub wanted: Wanted,
    /// What to do: of the first server whose verdict is not `Right`, definite ones before unknown.
    pub verdict: Verdict,
    pub servers: usize,
    /// The servers where it is not right yet, each with what is wrong there.
    pub behind: Vec<String>,
}

impl Row {
    pub fn is_right(&self) -> bool {
        self.verdict.state == State::Right
    }

    /// Right at some servers and not at others: it is on its way, or a server is stale.
    pub fn spreads(&self) -> bool {
        !self.behind.is_empty() && self.behind.len() < self.servers
    }

    pub fn json(&self) -> serde_json::Value {
        let mut json = super::super::records::json(&self.wanted, &self.wanted.fresh());
        let texts = |list: &[repute_trust::records::Data]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        json["state"] = self.verdict.state.as_str().into();
        json["add"] = texts(&self.verdict.add).into();
        json["remove"] = texts(&self.verdict.remove).into();
        json["notes"] = self.verdict.notes.clone().into();
        json["servers"] = self.servers.into();
        json["behind"] = self.behind.clone().into();
        json
    }
}

/// The resolvers named here, else those of the configuration, else those of the machine. Where the configuration says
/// `own`, or nobody is named anywhere, no resolver is asked.
pub fn directory(config: &Config, named: &[Socket]) -> Directory {
    let resolver = &config.resolver;
    if named.is_empty() && resolver.own {
        let roots = if resolver.roots.is_empty() { repute_dns::root_servers() } else { resolver.roots.clone() };
        return Directory::from_roots(roots);
    }
    let named = if named.is_empty() { &resolver.servers } else { named };
    let named: Vec<SocketAddr> = named.iter().map(|s| s.with_port(53)).collect();
    Directory::new(if named.is_empty() { of_the_machine() } else { named })
}

/// The `nameserver` lines of resolv.conf(5); none where it cannot be read.
fn of_the_machine() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|w| *w == "nameserver").and(words.next())?;
        Some(SocketAddr::new(address.parse().ok()?, 53))
    };
    text.lines().filter_map(server).collect()
}

/// All records at all their servers.
pub async fn survey(directory: &Directory, list: &[Wanted]) -> Vec<Row> {
    let names: Vec<_> = list.iter().map(|wanted| (wanted.name.clone(), wanted.kind())).collect();
    let answers = directory.look_all(&names).await;
    let row = |(wanted, answers): (&Wanted, Result<Vec<Answer>, Unasked>)| match answers {
        Ok(answers) => of_answers(wanted, &answers),
        Err(error) => of_answers(wanted, &[]).unknown(error.to_string()),
    };
    list.iter().zip(answers).map(row).collect()
}

/// Those of the domains that have no MX at any of their servers; where that is not known they are left out.
pub async fn without_mx(directory: &Directory, domains: &[Domain]) -> Vec<Domain> {
    let names: Vec<_> = domains.iter().map(|domain| (domain.clone(), Kind::Mx)).collect();
    let none = |answer: &Answer| matches!(&answer.found, Found::Records { records, .. } if records.is_empty());
    let found = directory.look_all(&names).await.into_iter().zip(domains);
    let lacks = |answers: Result<Vec<Answer>, Unasked>| answers.is_ok_and(|a| !a.is_empty() && a.iter().all(none));
    found.filter_map(|(answers, domain)| lacks(answers).then(|| domain.clone())).collect()
}

impl Row {
    fn unknown(mut self, why: String) -> Row {
        self.verdict = self.wanted.compare(&Found::Unknown(why.clone()));
        self.behind = vec![why];
        self
    }
}

fn of_answers(wanted: &Wanted, answers: &[Answer]) -> Row {
    let verdicts: Vec<(&Answer, Verdict)> = answers.iter().map(|a| (a, wanted.compare(&a.found))).collect();
    let wrong = verdicts.iter().filter(|(_, v)| v.state != State::Right);
    let behind = wrong.clone().map(|(answer, verdict)| match verdict.state {
        State::Unknown => verdict.notes.join("; "),
        state => format!("{} has it {}", answer.server, state.as_str()),
    });
    let behind: Vec<String> = behind.collect();
    let definite = wrong.clone().find(|(_, v)| v.state != State::Unknown);
    let verdict = definite.or_else(|| wrong.clone().next()).or(verdicts.first()).map(|(_, v)| v.clone());
    let verdict = verdict.unwrap_or_else(|| wanted.compare(&Found::Unknown("no server was asked".into())));
    Row { wanted: wanted.clone(), verdict, servers: answers.len(), behind }
}

/// For people: each record with its state, and what has to change.
pub fn show(rows: &[Row]) {
    // One silence behind all of it is said once.
    if let [first, rest @ ..] = rows
        && first.verdict.state == State::Unknown
        && rest.iter().all(|row| row.verdict == first.verdict)
    {
        let why = first.verdict.notes.join("; ");
        let line = format!("? none of the {} records could be looked at: {why}", rows.len());
        return out::line(&out::tone(&out::plain(&line), Tone::Warning));
    }
    for row in rows {
        let (mark, tone) = mark(row);
        let state = if row.spreads() { "not at every server" } else { row.verdict.state.as_str() };
        let line =
            format!("{mark} {:<8} {}  {}  {state}", row.wanted.purpose.as_str(), row.wanted.name, row.wanted.kind());
        out::line(&out::tone(&out::plain(&line), tone));
        details(row).iter().for_each(|line| out::line(&format!("    {}", out::plain(line))));
    }
}

fn mark(row: &Row) -> (&'static str, Tone) {
    match row.verdict.state {
        State::Right => ("✓", Tone::Good),
        State::Unknown => ("?", Tone::Warning),
        State::Missing | State::Different | State::Extra => ("✗", Tone::Bad),
    }
}

/// The lines of a difference: what goes, what comes, why, and which server is behind.
pub fn details(row: &Row) -> Vec<String> {
    let verdict = &row.verdict;
    let mut lines: Vec<String> = verdict.remove.iter().map(|data| format!("- {} {data}", data.kind())).collect();
    lines.extend(verdict.add.iter().map(|data| format!("+ {} {data}", data.kind())));
    lines.extend(verdict.notes.iter().map(|note| format!("({note})")));
    if row.spreads() {
        lines.extend(row.behind.iter().cloned());
    }
    lines
}
