//! `check_host` (RFC 7208 §4) as a machine without I/O that explains what it did.
//!
//! [`Evaluation::step`] either asks DNS questions or is done. Whoever drives it puts the
//! questions (those of one step at the same time, if it likes), hands each answer to
//! [`Evaluation::answer`], and steps again. Inside, the evaluation is a plain function of the
//! answers that are known: it runs from the start until it lacks one, and begins anew when
//! that is there. That costs some microseconds a round and keeps it readable as the RFC is.
//!
//! Promise: it ends after at most some 140 questions whatever DNS holds (ten terms, each an
//! `mx` with ten hosts, the PTR names, one `exp`); a failure of DNS is temperror, never a
//! match or a miss; and every verdict tells the terms that led to it.

use std::collections::HashMap;

use super::Request;
use super::report::{Limits, Report, Visit};
use super::run::{Run, Stop};
use crate::lookup::{Answer, Query};

/// The answers that are known so far.
pub(super) type Known = HashMap<Query, Answer>;

/// One evaluation under way.
#[derive(Clone, Debug)]
pub struct Evaluation {
    request: Request,
    limits: Limits,
    known: Known,
}

/// What a machine wants next, until it has its result.
#[derive(Clone, Debug)]
pub enum Step<T> {
    /// At least one question; none of them was answered before.
    Ask(Vec<Query>),
    Done(Box<T>),
}

impl Evaluation {
    pub fn new(request: Request) -> Evaluation {
        Evaluation::with_limits(request, Limits::default())
    }

    pub fn with_limits(request: Request, limits: Limits) -> Evaluation {
        Evaluation { request, limits, known: Known::new() }
    }

    pub fn step(&self) -> Step<Report> {
        let mut run = Run::new(&self.request, self.limits, &self.known);
        let mut visit = Visit::default();
        let domain = self.request.sender_domain();
        let ruling = run.check_host(domain, &mut visit).and_then(|ruling| run.explain(ruling));
        let (verdict, explanation, problem) = match ruling {
            Ok((verdict, explanation)) => (verdict, explanation, None),
            Err(Stop::Ask(queries)) => return Step::Ask(queries),
            Err(Stop::Problem(problem)) => (problem.verdict(), None, Some(*problem)),
        };
        let (lookups, voids) = (run.lookups, run.voids);
        Step::Done(Box::new(Report { verdict, problem, explanation, visit, lookups, voids, limits: self.limits }))
    }

    /// Hands in the answer to a question; a second answer to the same one is passed over.
    pub fn answer(&mut self, query: Query, answer: Answer) {
        self.known.entry(query).or_insert(answer);
    }
}

/// Runs an evaluation to its end where answers are at hand.
pub fn evaluate(request: Request, mut dns: impl FnMut(&Query) -> Answer) -> Report {
    let mut evaluation = Evaluation::new(request);
    loop {
        match evaluation.step() {
            Step::Done(report) => return *report,
            Step::Ask(queries) => {
                for query in queries {
                    let answer = dns(&query);
                    evaluation.answer(query, answer);
                }
            }
        }
    }
}
