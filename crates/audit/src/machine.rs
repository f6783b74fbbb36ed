//! Drives the machines of `repute_trust::spf`, which ask questions until they are done.

use repute_trust::lookup::{Answer, Query};
use repute_trust::spf::{Evaluation, Report, Step, Survey, Tree};

use crate::questions::{Questions, all};

pub(crate) trait Machine {
    type Result;
    fn step(&self) -> Step<Self::Result>;
    fn answer(&mut self, query: Query, answer: Answer);
}

impl Machine for Evaluation {
    type Result = Report;
    fn step(&self) -> Step<Report> {
        Evaluation::step(self)
    }
    fn answer(&mut self, query: Query, answer: Answer) {
        Evaluation::answer(self, query, answer);
    }
}

impl Machine for Survey {
    type Result = Tree;
    fn step(&self) -> Step<Tree> {
        Survey::step(self)
    }
    fn answer(&mut self, query: Query, answer: Answer) {
        Survey::answer(self, query, answer);
    }
}

/// The questions of one step are put at the same time.
pub(crate) async fn drive<M: Machine>(mut machine: M, questions: &Questions) -> M::Result {
    loop {
        let queries = match machine.step() {
            Step::Done(result) => return *result,
            Step::Ask(queries) => queries,
        };
        let asking = queries.into_iter().map(|query| {
            let questions = questions.clone();
            async move {
                let answer = questions.ask(&query).await;
                (query, answer)
            }
        });
        for (query, answer) in all(asking.collect::<Vec<_>>()).await {
            machine.answer(query, answer);
        }
    }
}
