//! One pass of `check_host` over the answers that are known (RFC 7208 §4.3 to §7): the terms
//! of the record, their look-ups and the limits. It stops where an answer is missing, and
//! writes down each term as it goes.

use std::net::IpAddr;

use super::Request;
use super::evaluate::Known;
use super::macros::{DomainSpec, MacroString, Place, Scope};
use super::record::{Mechanism, Network, Prefixes, Qualifier, Record, Term, select};
use super::report::{Limits, Problem, TermTrace, Verdict, Visit};
use crate::lookup::{Answer, Kind, Query, can_be_asked};
use crate::names::reverse::reverse_name;

/// Why a run cannot go on.
pub(super) enum Stop {
    Ask(Vec<Query>),
    Problem(Box<Problem>),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Stop {
        Stop::Problem(Box::new(problem))
    }
}

/// What a record says, and the `exp` that belongs to it with the domain of its macros.
pub(super) struct Ruling {
    verdict: Verdict,
    explanation: Option<(DomainSpec, String)>,
}

/// One pass over what is known.
pub(super) struct Run<'a> {
    request: &'a Request,
    limits: Limits,
    known: &'a Known,
    pub(super) lookups: u32,
    pub(super) voids: u32,
}

static NO_NAME: Answer = Answer::NoName;

impl<'a> Run<'a> {
    pub(super) fn new(request: &'a Request, limits: Limits, known: &'a Known) -> Run<'a> {
        Run { request, limits, known, lookups: 0, voids: 0 }
    }

    /// §4.3 to §4.7: the record of `domain`, its terms from left to right, then its redirect.
    pub(super) fn check_host(&mut self, domain: &str, visit: &mut Visit) -> Result<Ruling, Stop> {
        let domain = domain.strip_suffix('.').unwrap_or(domain).to_ascii_lowercase();
        visit.domain.clone_from(&domain);
        let record = self.record(&domain, visit)?;
        for (term, qualifier, mechanism) in record.directives() {
            let matched = self.traced(term, visit, |run, trace| run.matches(term, mechanism, &domain, trace))?;
            if matched {
                let verdict = verdict_of(qualifier);
                visit.verdict = Some(verdict);
                let explanation = record.explanation().map(|spec| (spec.clone(), domain));
                return Ok(Ruling { verdict, explanation });
            }
        }
        if let Some((term, spec)) = record.redirect() {
            let mut ruling = None;
            self.traced(term, visit, |run, trace| {
                ruling = Some(run.follow(term, spec, &domain, trace)?);
                Ok(true)
            })?;
            if let Some(ruling) = ruling {
                visit.verdict = Some(ruling.verdict);
                return Ok(ruling);
            }
        }
        visit.verdict = Some(Verdict::Neutral);
        Ok(Ruling { verdict: Verdict::Neutral, explanation: None })
    }

    /// §4.4, §4.5: the one record of a domain.
    fn record(&mut self, domain: &str, visit: &mut Visit) -> Result<Record, Stop> {
        let name = || domain.to_owned();
        if !can_have_record(domain) {
            return Err(Problem::NoDomain { domain: name() }.into());
        }
        let query = Query { name: name(), kind: Kind::Txt };
        let answer = self.known.get(&query).ok_or_else(|| Stop::Ask(vec![query.clone()]))?;
        if let Answer::Failure(why) = answer {
            return Err(Problem::Dns { query, why: why.clone() }.into());
        }
        visit.answer_octets = answer_octets(domain, answer.texts());
        let found = select(answer.texts());
        let text = match found[..] {
            [] => return Err(Problem::NoRecord { domain: name() }.into()),
            [text] => text,
            _ => return Err(Problem::SeveralRecords { domain: name(), count: found.len() }.into()),
        };
        visit.record = Some(text.escape_ascii().to_string());
        Ok(Record::parse(text).map_err(|error| Problem::Syntax { domain: name(), error })?)
    }

    /// Does what a term asks for and writes down what it cost, also when it stops there.
    fn traced(
        &mut self,
        term: &Term,
        visit: &mut Visit,
        work: impl FnOnce(&mut Self, &mut TermTrace) -> Result<bool, Stop>,
    ) -> Result<bool, Stop> {
        let before = (self.lookups, self.voids);
        let mut trace = TermTrace { text: term.text.clone(), ..TermTrace::default() };
        let result = work(self, &mut trace);
        trace.matched = matches!(result, Ok(true));
        trace.lookups = self.lookups - before.0;
        trace.voids = self.voids - before.1;
        visit.terms.push(trace);
        result
    }

    fn matches(
        &mut self,
        term: &Term,
        mechanism: &Mechanism,
        domain: &str,
        trace: &mut TermTrace,
    ) -> Result<bool, Stop> {
        let ip = self.request.ip();
        if mechanism.costs_a_lookup() {
            self.count_lookup(term, domain)?;
        }
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Network(network) => Ok(network.contains(ip)),
            Mechanism::Include(spec) => {
                let target = self.expand(spec, domain, trace)?;
                let ruling = self.enter(term, target, trace)?;
                Ok(ruling.verdict == Verdict::Pass)
            }
            Mechanism::A(spec, prefixes) => {
                let target = self.target(spec.as_ref(), domain, trace)?;
                let answer = self.look_up(self.address_kind(), &target, domain, trace)?;
                Ok(within(answer, *prefixes, ip))
            }
            Mechanism::Mx(spec, prefixes) => {
                let target = self.target(spec.as_ref(), domain, trace)?;
                self.mx_matches(&target, *prefixes, domain, trace)
            }
            Mechanism::Ptr(spec) => {
                let target = self.target(spec.as_ref(), domain, trace)?;
                let names = self.validated_names(Some(&target), Some(trace))?;
                // That the address has no name at all is a void look-up of the term; the names'
                // own addresses are not the record's business.
                if let Some((query, _)) = trace.answers.first().filter(|(_, answer)| answer.is_void()) {
                    self.count_void(query.name.clone(), domain)?;
                }
                Ok(!names.is_empty())
            }
            Mechanism::Exists(spec) => {
                let target = self.expand(spec, domain, trace)?;
                // A, whatever the family of the client (§5.7).
                let answer = self.look_up(Kind::A, &target, domain, trace)?;
                Ok(!answer.addresses().is_empty())
            }
        }
    }

    /// §6.1: the verdict of the record that a redirect leads to becomes this record's.
    fn follow(&mut self, term: &Term, spec: &DomainSpec, domain: &str, trace: &mut TermTrace) -> Result<Ruling, Stop> {
        self.count_lookup(term, domain)?;
        let target = self.expand(spec, domain, trace)?;
        self.enter(term, target, trace)
    }

    /// The record behind an include or a redirect; that there is none is an error (§5.2, §6.1).
    fn enter(&mut self, term: &Term, target: String, trace: &mut TermTrace) -> Result<Ruling, Stop> {
        let mut inner = Box::new(Visit::default());
        let ruling = self.check_host(&target, &mut inner);
        trace.inner = Some(inner);
        ruling.map_err(|stop| match stop {
            Stop::Problem(problem) if problem.verdict() == Verdict::None => {
                Problem::DeadEnd { term: term.text.clone(), domain: target }.into()
            }
            other => other,
        })
    }

    /// §5.4: any address of any host; more hosts than the limit is an error.
    fn mx_matches(
        &mut self,
        target: &str,
        prefixes: Prefixes,
        domain: &str,
        trace: &mut TermTrace,
    ) -> Result<bool, Stop> {
        let hosts = self.look_up(Kind::Mx, target, domain, trace)?.names();
        let limit = self.limits.mx_hosts;
        if hosts.len() > limit {
            return Err(Problem::TooManyHosts { domain: target.to_owned(), count: hosts.len(), limit }.into());
        }
        // The null MX names no host (RFC 7505).
        let hosts: Vec<String> = hosts.iter().map(|h| plain_name(h)).filter(|h| !h.is_empty()).collect();
        self.ask_together(self.address_kind(), &hosts)?;
        for host in &hosts {
            let answer = self.look_up(self.address_kind(), host, domain, trace)?;
            if within(answer, prefixes, self.request.ip()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// §5.5: the names of the client's address that lead back to it; with `under`, only those
    /// that are it or below it. A failure on the way leaves a name out and is no error.
    fn validated_names(&mut self, under: Option<&str>, trace: Option<&mut TermTrace>) -> Result<Vec<String>, Stop> {
        let ip = self.request.ip();
        let query = Query { name: reverse_name(ip), kind: Kind::Ptr };
        let answer = self.known.get(&query).ok_or_else(|| Stop::Ask(vec![query.clone()]))?;
        let mut names: Vec<String> = answer.names().iter().map(|n| plain_name(n)).collect();
        names.truncate(self.limits.ptr_names);
        names.retain(|name| can_be_asked(name) && under.is_none_or(|parent| is_within(name, parent)));
        self.ask_together(self.address_kind(), &names)?;
        let mut answers = vec![(query, answer.clone())];
        for name in &names {
            let query = Query { name: name.clone(), kind: self.address_kind() };
            if let Some(answer) = self.known.get(&query) {
                answers.push((query, answer.clone()));
            }
        }
        let leads_back = |name: &String| answers.iter().any(|(q, a)| q.name == *name && a.addresses().contains(&ip));
        names.retain(leads_back);
        if let Some(trace) = trace {
            trace.answers.append(&mut answers);
        }
        Ok(names)
    }

    /// §7.3 `%{p}`: the domain itself if the address has that name, else a name below it, else
    /// any name.
    fn validated_name(&mut self, domain: &str) -> Result<String, Stop> {
        let names = self.validated_names(None, None)?;
        let best = names.iter().min_by_key(|name| (*name != domain, !is_within(name, domain)));
        Ok(best.cloned().unwrap_or_else(|| "unknown".into()))
    }

    fn target(&mut self, spec: Option<&DomainSpec>, domain: &str, trace: &mut TermTrace) -> Result<String, Stop> {
        match spec {
            Some(spec) => self.expand(spec, domain, trace),
            None => {
                trace.target = Some(domain.to_owned());
                Ok(domain.to_owned())
            }
        }
    }

    fn expand(&mut self, spec: &DomainSpec, domain: &str, trace: &mut TermTrace) -> Result<String, Stop> {
        let validated = if spec.needs_validated_name() { self.validated_name(domain)? } else { String::new() };
        let name = spec.expand(Scope { request: self.request, domain, validated: &validated });
        trace.target = Some(name.clone());
        Ok(name)
    }

    /// The text of `exp`, for a sender that failed (§6.2). Whatever is wrong with it: no text.
    pub(super) fn explain(&mut self, ruling: Ruling) -> Result<(Verdict, Option<String>), Stop> {
        let Ruling { verdict, explanation } = ruling;
        let Some((spec, domain)) = explanation.filter(|_| verdict == Verdict::Fail) else {
            return Ok((verdict, None));
        };
        let name = self.expand(&spec, &domain, &mut TermTrace::default())?;
        if !can_be_asked(&name) {
            return Ok((verdict, None));
        }
        let query = Query { name, kind: Kind::Txt };
        let answer = self.known.get(&query).ok_or_else(|| Stop::Ask(vec![query]))?;
        let text = match answer.texts() {
            [text] if text.is_ascii() => String::from_utf8_lossy(text),
            _ => return Ok((verdict, None)),
        };
        let Ok(text) = MacroString::parse(&text, Place::Explanation) else { return Ok((verdict, None)) };
        let validated = if text.needs_validated_name() { self.validated_name(&domain)? } else { String::new() };
        Ok((verdict, Some(text.expand(Scope { request: self.request, domain: &domain, validated: &validated }))))
    }

    fn count_lookup(&mut self, term: &Term, domain: &str) -> Result<(), Stop> {
        self.lookups += 1;
        let limit = self.limits.lookups;
        if self.lookups > limit {
            let (term, domain) = (term.text.clone(), domain.to_owned());
            return Err(Problem::TooManyLookups { limit, term, domain }.into());
        }
        Ok(())
    }

    /// One question of a term, whose answer counts if it is void. A name that no query can
    /// carry does not exist (§4.3 by analogy).
    fn look_up(&mut self, kind: Kind, name: &str, domain: &str, trace: &mut TermTrace) -> Result<&'a Answer, Stop> {
        if !can_be_asked(name) {
            return Ok(&NO_NAME);
        }
        let query = Query { name: name.to_owned(), kind };
        let answer = self.known.get(&query).ok_or_else(|| Stop::Ask(vec![query.clone()]))?;
        trace.answers.push((query.clone(), answer.clone()));
        if let Answer::Failure(why) = answer {
            return Err(Problem::Dns { query, why: why.clone() }.into());
        }
        if answer.is_void() {
            self.count_void(query.name, domain)?;
        }
        Ok(answer)
    }

    fn count_void(&mut self, name: String, domain: &str) -> Result<(), Stop> {
        self.voids += 1;
        let limit = self.limits.voids;
        if self.voids > limit {
            return Err(Problem::TooManyVoids { limit, name, domain: domain.to_owned() }.into());
        }
        Ok(())
    }

    /// Stops to ask for all of these at once that are not known yet.
    fn ask_together(&self, kind: Kind, names: &[String]) -> Result<(), Stop> {
        let queries = names.iter().map(|name| Query { name: name.clone(), kind });
        let mut missing: Vec<Query> =
            queries.filter(|q| can_be_asked(&q.name) && !self.known.contains_key(q)).collect();
        missing.sort_by(|a, b| a.name.cmp(&b.name));
        missing.dedup();
        if missing.is_empty() { Ok(()) } else { Err(Stop::Ask(missing)) }
    }

    fn address_kind(&self) -> Kind {
        if self.request.ip().is_ipv4() { Kind::A } else { Kind::Aaaa }
    }
}

fn verdict_of(qualifier: Qualifier) -> Verdict {
    match qualifier {
        Qualifier::Pass => Verdict::Pass,
        Qualifier::Fail => Verdict::Fail,
        Qualifier::SoftFail => Verdict::SoftFail,
        Qualifier::Neutral => Verdict::Neutral,
    }
}

fn within(answer: &Answer, prefixes: Prefixes, ip: IpAddr) -> bool {
    answer.addresses().iter().any(|address| Network::contains(&prefixes.network(*address), ip))
}

/// §4.3: a name that DNS can carry, of several labels, no address literal, no stray characters.
fn can_have_record(domain: &str) -> bool {
    let printable = domain.bytes().all(|b| b.is_ascii_graphic());
    can_be_asked(domain) && domain.contains('.') && !domain.starts_with('[') && printable
}

fn plain_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn is_within(name: &str, parent: &str) -> bool {
    match name.strip_suffix(parent) {
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    }
}

/// Header, question, and for each record a compressed name, the fixed fields and its strings.
pub(super) fn answer_octets(name: &str, texts: &[Vec<u8>]) -> usize {
    let strings = |text: &Vec<u8>| 12 + text.len() + text.len().div_ceil(255).max(1);
    12 + name.len() + 6 + texts.iter().map(strings).sum::<usize>()
}
