//! Counts checks, and what they have exercised.

use std::collections::BTreeSet;

use crate::bindings::exports::flowhost::cashcow::agents::{Assignment, Check, Figure, Results};
use crate::bindings::flowhost::plugin::failure::{Failure, FailureKind};
use crate::failing::{self, Fault};
use crate::json;

/// What an agent knows of its attempt.
pub(crate) struct Attempt {
    /// Counted from 1.
    pub(crate) number: u32,
    /// The attempt before this one ran out of memory.
    pub(crate) was_out_of_memory: bool,
    /// Tells how far it is, in percent.
    pub(crate) report: fn(u8, &str),
    /// The size of the memory in bytes.
    pub(crate) memory: fn() -> u64,
}

impl Attempt {
    /// One that nobody looks at.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn first() -> Self {
        Self { number: 1, was_out_of_memory: false, report: |_, _| (), memory: || 0 }
    }
}

/// The checks of one task.
pub(crate) struct Bench<'a> {
    order: &'a Assignment,
    attempt: &'a Attempt,
    fault: Option<Fault>,
    total: u32,
    failed: Vec<Check>,
    exercised: BTreeSet<String>,
    figures: Vec<Figure>,
}

impl<'a> Bench<'a> {
    /// Begins a task. Fails as the assignment says.
    pub(crate) fn new(order: &'a Assignment, attempt: &'a Attempt) -> Result<Self, Failure> {
        let fault = failing::strike(order, attempt.number)?;
        (attempt.report)(0, &order.expert);
        Ok(Self { order, attempt, fault, total: 0, failed: Vec::new(), exercised: BTreeSet::new(), figures: Vec::new() })
    }

    /// The rows of a table of vectors without its head.
    pub(crate) fn rows(&self, text: &str) -> Result<Vec<Vec<String>>, Failure> {
        let damaged = if self.fault == Some(Fault::Damaged) { failing::damaged(text) } else { text.to_owned() };
        let rows = finance::read(&damaged).map_err(|error| crate::invalid_input(&format!("the vectors: {error}")))?;
        Ok(rows.into_iter().skip(1).collect())
    }

    /// A check: both texts are equal.
    pub(crate) fn equal(&mut self, test: &str, expected: &str, got: &str) {
        self.total += 1;
        let distorted = self.total == 1 && matches!(self.fault, Some(Fault::Wrong(_)));
        let got = if distorted { failing::distorted(got) } else { got.to_owned() };
        if got != expected {
            self.failed.push(Check { test: test.to_owned(), expected: expected.to_owned(), got });
        }
    }

    /// A check: it holds.
    pub(crate) fn holds(&mut self, test: &str, holds: bool) {
        self.equal(test, "true", if holds { "true" } else { "false" });
    }

    /// This was exercised.
    pub(crate) fn exercise(&mut self, what: &str) {
        self.exercised.insert(what.to_owned());
    }

    /// So much is done.
    pub(crate) fn progress(&self, percent: u8, note: &str) {
        (self.attempt.report)(percent, note);
    }

    /// A figure for the report.
    pub(crate) fn figure(&mut self, name: &str, value: String) {
        self.figures.push(Figure { name: name.to_owned(), value });
    }

    /// Ends the task. `all` is what could have been exercised.
    pub(crate) fn results<'n>(self, all: impl IntoIterator<Item = &'n str>) -> Result<Results, Failure> {
        if let (Some(Fault::Wrong(kind)), Some(first)) = (self.fault, self.failed.first())
            && kind != FailureKind::Error
        {
            return Err(self.failure(kind, first));
        }
        let (mut known, mut exercised) = (0_u32, 0_u32);
        for what in all {
            known += 1;
            exercised += u32::from(self.exercised.contains(what));
        }
        let passed = self.total - u32::try_from(self.failed.len()).unwrap_or(self.total);
        self.progress(100, "done");
        Ok(Results {
            task: self.order.task.clone(),
            expert: self.order.expert.clone(),
            total: self.total,
            passed,
            pass_rate: share(passed, self.total),
            coverage: share(exercised, known),
            failed: self.failed,
            figures: self.figures,
        })
    }

    fn failure(&self, kind: FailureKind, first: &Check) -> Failure {
        let tests: Vec<String> = self.failed.iter().map(|check| json::text(&check.test)).collect();
        let details = json::object(&[
            ("task_id", json::text(&self.order.task)),
            ("error_type", json::text(if kind == FailureKind::Logic { "logic_error" } else { "calculation_error" })),
            ("failed_tests", format!("[{}]", tests.join(","))),
            ("recommended_actions", format!("[{}]", json::text("compare the formula with the source of the vector"))),
        ]);
        let message = format!("{}: `{}`: expected {}, got {}", self.order.task, first.test, first.expected, first.got);
        Failure { kind, message, details: Some(details), retry_after: None }
    }
}

/// `part / whole`, 0 of nothing.
fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) }
}
