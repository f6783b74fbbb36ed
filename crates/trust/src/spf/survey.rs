//! What a domain's SPF record costs and permits in all: every term followed, whether or not
//! some address would have matched before it (RFC 7208 §4.6.4, §11.1).
//!
//! An evaluation stops at the first match; an address that matches late, or not at all, pays
//! for everything. That worst case is what the limits of receivers meet, and what is counted
//! here. Like [`super::Evaluation`] it asks through whoever drives it; all questions of one
//! depth come at once.
//!
//! Limits: a name with macros in it cannot be followed, since it differs from message to
//! message; it costs its look-up and is reported as open. At most 64 records and 400
//! questions; then the rest is left out and [`Tree::cut_short`] says so.

use std::net::IpAddr;

use super::evaluate::Known;
use super::evaluate::Step;
use super::record::{Mechanism, Network, Prefixes, Qualifier, Record, RecordError, Term, TermKind, select};
use super::run::answer_octets;
use crate::lookup::{Answer, Kind, Query, can_be_asked};

const MOST_RECORDS: usize = 64;
const MOST_QUESTIONS: usize = 400;

/// A survey under way.
#[derive(Clone, Debug)]
pub struct Survey {
    domain: String,
    known: Known,
}

/// All that a record leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    pub root: Node,
    /// A bound of the survey was met: the numbers are too low.
    pub cut_short: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub domain: String,
    pub state: State,
    /// What a DNS answer with all TXT records of the name takes, in octets, about.
    pub answer_octets: usize,
    /// One for each term, in their order.
    pub branches: Vec<Branch>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Record(Record),
    /// The record cannot be used; the terms that are well formed are followed all the same.
    Wrong(Record, Vec<RecordError>),
    NoRecord,
    /// Their texts; none of them is followed.
    Several(Vec<String>),
    /// It leads back to a record on the way to it: receivers give up.
    Loop,
    /// DNS did not tell; why.
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub term: Term,
    /// False for what stands after `all`, and for a redirect beside one: it has no effect.
    pub reached: bool,
    /// Look-ups, with everything below.
    pub lookups: u32,
    /// Look-ups that find nothing, with everything below.
    pub voids: Voids,
    /// The questions of this term that found nothing, for either family.
    pub dead: Vec<Query>,
    /// The questions of this term that DNS did not answer, and why.
    pub unknown: Vec<(Query, String)>,
    /// What this term itself matches, where that can be listed.
    pub networks: Vec<Network>,
    /// What it matches differs from message to message.
    pub open: bool,
    /// Hosts of an `mx`, of which there may be ten.
    pub mx_hosts: usize,
    pub inner: Option<Box<Node>>,
}

/// A client of one family never asks for addresses of the other, so the count differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voids {
    pub v4: u32,
    pub v6: u32,
}

impl Survey {
    pub fn new(domain: &str) -> Survey {
        let domain = domain.strip_suffix('.').unwrap_or(domain).to_ascii_lowercase();
        Survey { domain, known: Known::new() }
    }

    pub fn step(&self) -> Step<Tree> {
        let mut walk = Walk { known: &self.known, missing: Vec::new(), records: 0, cut_short: false };
        let root = walk.visit(&self.domain, &mut Vec::new());
        walk.missing.sort_by(|a, b| (a.kind as u8, &a.name).cmp(&(b.kind as u8, &b.name)));
        walk.missing.dedup();
        if walk.missing.is_empty() {
            return Step::Done(Box::new(Tree { root, cut_short: walk.cut_short }));
        }
        Step::Ask(walk.missing)
    }

    /// Hands in the answer to a question.
    pub fn answer(&mut self, query: Query, answer: Answer) {
        self.known.entry(query).or_insert(answer);
    }
}

/// Runs a survey to its end where answers are at hand.
pub fn survey(domain: &str, mut dns: impl FnMut(&Query) -> Answer) -> Tree {
    let mut survey = Survey::new(domain);
    loop {
        match survey.step() {
            Step::Done(tree) => return *tree,
            Step::Ask(queries) => {
                for query in queries {
                    let answer = dns(&query);
                    survey.answer(query, answer);
                }
            }
        }
    }
}

/// One pass over what is known; it goes on past what is missing, to ask for it all at once.
struct Walk<'a> {
    known: &'a Known,
    missing: Vec<Query>,
    records: usize,
    cut_short: bool,
}

static NO_NAME: Answer = Answer::NoName;

impl<'a> Walk<'a> {
    /// `None` where the answer is not known yet, or will not be asked for.
    fn ask(&mut self, kind: Kind, name: &str) -> Option<&'a Answer> {
        if !can_be_asked(name) {
            return Some(&NO_NAME);
        }
        let query = Query { name: name.to_owned(), kind };
        let answer = self.known.get(&query);
        if answer.is_none() {
            if self.known.len() + self.missing.len() < MOST_QUESTIONS {
                self.missing.push(query);
            } else {
                self.cut_short = true;
            }
        }
        answer
    }

    fn visit(&mut self, domain: &str, way: &mut Vec<String>) -> Node {
        let mut node =
            Node { domain: domain.to_owned(), state: State::NoRecord, answer_octets: 0, branches: Vec::new() };
        if way.iter().any(|passed| passed == domain) {
            node.state = State::Loop;
            return node;
        }
        self.records += 1;
        if self.records > MOST_RECORDS {
            self.cut_short = true;
            node.state = State::Unknown("the survey ends here: there are too many records".into());
            return node;
        }
        let Some(answer) = self.ask(Kind::Txt, domain) else { return node };
        if let Answer::Failure(why) = answer {
            node.state = State::Unknown(why.clone());
            return node;
        }
        node.answer_octets = answer_octets(domain, answer.texts());
        let found = select(answer.texts());
        let record = match found[..] {
            [] => return node,
            [text] => text,
            _ => {
                node.state = State::Several(found.iter().map(|t| t.escape_ascii().to_string()).collect());
                return node;
            }
        };
        let (record, errors) = Record::parse_leniently(record);
        way.push(domain.to_owned());
        node.branches = self.branches(&record, domain, way);
        way.pop();
        node.state = if errors.is_empty() { State::Record(record) } else { State::Wrong(record, errors) };
        node
    }

    fn branches(&mut self, record: &Record, domain: &str, way: &mut Vec<String>) -> Vec<Branch> {
        let has_all = record.all().is_some();
        let mut after_all = false;
        let mut branches = Vec::new();
        for term in &record.terms {
            let mut branch = Branch::of(term);
            match &term.kind {
                TermKind::Directive(_, mechanism) => {
                    branch.reached = !after_all;
                    after_all |= matches!(mechanism, Mechanism::All);
                    self.mechanism(mechanism, domain, way, &mut branch);
                }
                TermKind::Redirect(spec) => {
                    branch.reached = !has_all;
                    branch.lookups = 1;
                    self.enter(spec.fixed_name(), way, &mut branch);
                }
                TermKind::Explanation(_) | TermKind::Unknown { .. } => {}
            }
            branches.push(branch);
        }
        branches
    }

    fn mechanism(&mut self, mechanism: &Mechanism, domain: &str, way: &mut Vec<String>, branch: &mut Branch) {
        branch.lookups = u32::from(mechanism.costs_a_lookup());
        let target = |spec: &Option<super::DomainSpec>| match spec {
            Some(spec) => spec.fixed_name(),
            None => Some(domain.to_owned()),
        };
        match mechanism {
            Mechanism::All => {}
            Mechanism::Network(network) => branch.networks.push(*network),
            Mechanism::Include(spec) => self.enter(spec.fixed_name(), way, branch),
            Mechanism::A(spec, prefixes) => match target(spec) {
                Some(name) => self.addresses(&name, *prefixes, branch),
                None => branch.open = true,
            },
            Mechanism::Mx(spec, prefixes) => match target(spec) {
                Some(name) => self.mx(&name, *prefixes, branch),
                None => branch.open = true,
            },
            Mechanism::Ptr(_) => branch.open = true,
            Mechanism::Exists(spec) => {
                branch.open = true;
                if let Some(name) = spec.fixed_name() {
                    let void = self.question(Kind::A, &name, branch).is_some_and(Answer::is_void);
                    branch.voids.add(void, void);
                }
            }
        }
    }

    fn enter(&mut self, name: Option<String>, way: &mut Vec<String>, branch: &mut Branch) {
        let Some(name) = name else {
            branch.open = true;
            return;
        };
        let node = self.visit(&name, way);
        // Far below any number that matters, and a sum of many records cannot wrap.
        branch.lookups = branch.lookups.saturating_add(node.lookups());
        branch.voids = branch.voids.plus(node.voids());
        branch.inner = Some(Box::new(node));
    }

    fn addresses(&mut self, name: &str, prefixes: Prefixes, branch: &mut Branch) {
        let mut void = [false; 2];
        for (nth, kind) in [Kind::A, Kind::Aaaa].into_iter().enumerate() {
            if let Some(answer) = self.question(kind, name, branch) {
                void[nth] = answer.is_void();
                branch.networks.extend(answer.addresses().iter().map(|ip: &IpAddr| prefixes.network(*ip)));
            }
        }
        branch.voids.add(void[0], void[1]);
    }

    fn mx(&mut self, name: &str, prefixes: Prefixes, branch: &mut Branch) {
        let Some(answer) = self.question(Kind::Mx, name, branch) else { return };
        let void = answer.is_void();
        branch.voids.add(void, void);
        branch.mx_hosts = answer.names().len();
        for host in answer.names().iter().take(10) {
            let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            if !host.is_empty() {
                self.addresses(&host, prefixes, branch);
            }
        }
    }

    /// A question of a term, noted where it leads nowhere.
    fn question(&mut self, kind: Kind, name: &str, branch: &mut Branch) -> Option<&'a Answer> {
        let answer = self.ask(kind, name)?;
        let query = || Query { name: name.to_owned(), kind };
        match answer {
            Answer::Failure(why) => branch.unknown.push((query(), why.clone())),
            answer if answer.is_void() => branch.dead.push(query()),
            _ => {}
        }
        Some(answer)
    }
}

impl Branch {
    fn of(term: &Term) -> Branch {
        Branch {
            term: term.clone(),
            reached: true,
            lookups: 0,
            voids: Voids::default(),
            dead: Vec::new(),
            unknown: Vec::new(),
            networks: Vec::new(),
            open: false,
            mx_hosts: 0,
            inner: None,
        }
    }

    /// Whether what it matches is thereby permitted.
    pub fn permits(&self) -> bool {
        let pass = matches!(self.term.kind, TermKind::Directive(Qualifier::Pass, _) | TermKind::Redirect(_));
        self.reached && pass
    }
}

impl Node {
    pub fn lookups(&self) -> u32 {
        self.branches.iter().filter(|b| b.reached).fold(0, |sum, b| sum.saturating_add(b.lookups))
    }

    pub fn voids(&self) -> Voids {
        self.branches.iter().filter(|b| b.reached).fold(Voids::default(), |sum, b| sum.plus(b.voids))
    }

    /// What is said of an address that nothing else matches; `None` is neutral.
    pub fn default(&self) -> Option<Qualifier> {
        match &self.state {
            State::Record(record) | State::Wrong(record, _) => record.all().or_else(|| {
                let redirect = self.branches.iter().find(|b| matches!(b.term.kind, TermKind::Redirect(_)))?;
                redirect.inner.as_ref()?.default()
            }),
            _ => None,
        }
    }

    /// This record and all below it.
    pub fn nodes(&self) -> Vec<&Node> {
        let below = self.branches.iter().filter_map(|b| b.inner.as_deref());
        std::iter::once(self).chain(below.flat_map(Node::nodes)).collect()
    }
}

impl Voids {
    fn add(&mut self, v4: bool, v6: bool) {
        *self = self.plus(Voids { v4: u32::from(v4), v6: u32::from(v6) });
    }

    fn plus(self, other: Voids) -> Voids {
        Voids { v4: self.v4.saturating_add(other.v4), v6: self.v6.saturating_add(other.v6) }
    }
}
