//! Plugin `cashcow`: agents that test a small financial model, a task each.
//!
//! The model and its vectors are in `finance`. An agent says how many of its checks held; whether that is enough is for the flow to
//! say. What it does is a function of its arguments and of the attempt, but for the seconds of `large` and for `save`.

mod bench;
mod bindings;
mod failing;
mod integration;
mod json;
mod performance;
mod report;
mod unit;

use bindings::exports::flowhost::cashcow::agents as api;
use bindings::flowhost::plugin::failure::{Failure, FailureKind};
#[cfg(target_arch = "wasm32")]
use bindings::flowhost::plugin::{attempt, progress};

use bench::Attempt;

struct Plugin;

impl api::Guest for Plugin {
    fn models(order: api::Assignment) -> Result<api::Results, Failure> {
        unit::models(&order, &attempt())
    }

    fn calculators(order: api::Assignment) -> Result<api::Results, Failure> {
        unit::calculators(&order, &attempt())
    }

    fn storage(order: api::Assignment) -> Result<api::Results, Failure> {
        unit::storage(&order, &attempt())
    }

    fn whole(months: u32) -> Result<api::Ledger, Failure> {
        integration::whole(months)
    }

    fn begin() -> Result<api::Ledger, Failure> {
        integration::begin()
    }

    fn advance(sofar: api::Ledger, months: u32) -> Result<api::Ledger, Failure> {
        integration::advance(&sofar, months)
    }

    fn kinds() -> Result<Vec<String>, Failure> {
        integration::kinds()
    }

    fn part(kind: String, months: u32) -> Result<api::Ledger, Failure> {
        integration::part(&kind, months)
    }

    fn join(a: api::Ledger, b: api::Ledger) -> Result<api::Ledger, Failure> {
        integration::join(&a, &b)
    }

    fn compare(order: api::Assignment, year: api::Ledger) -> Result<api::Results, Failure> {
        integration::compare(&order, &attempt(), &year)
    }

    fn scenarios(order: api::Assignment) -> Result<api::Results, Failure> {
        integration::scenarios(&order, &attempt())
    }

    fn reports(order: api::Assignment) -> Result<api::Results, Failure> {
        integration::reports(&order, &attempt())
    }

    fn large(order: api::Assignment, entities: u32, months: u32) -> Result<api::Scale, Failure> {
        performance::large(&order, &attempt(), entities, months)
    }

    fn divided(order: api::Assignment, entities: u32, months: u32, workers: u32) -> Result<api::Benchmark, Failure> {
        performance::divided(&order, &attempt(), entities, months, workers)
    }

    fn memory(order: api::Assignment, entities: u32, months: u32) -> Result<api::Profile, Failure> {
        performance::memory(&order, &attempt(), entities, months)
    }

    fn markdown(summary: api::Summary) -> String {
        report::markdown(&summary)
    }

    fn files(summary: api::Summary) -> Vec<api::File> {
        report::files(&summary)
    }

    fn save(folder: String, files: Vec<api::File>) -> Result<Vec<String>, Failure> {
        report::save(&folder, &files)
    }
}

#[cfg(target_arch = "wasm32")]
fn attempt() -> Attempt {
    let current = attempt::current();
    Attempt {
        number: current.number,
        was_out_of_memory: current.previous_failure.is_some_and(|failure| failure.kind == FailureKind::Resource),
        report: |percent, note| progress::report(Some(percent), note),
        memory: || core::arch::wasm32::memory_size(0) as u64 * 65_536,
    }
}

/// Outside of a host every attempt is the first.
#[cfg(not(target_arch = "wasm32"))]
fn attempt() -> Attempt {
    Attempt::first()
}

const fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message, details: None, retry_after: None }
}

fn calculation(error: &impl ToString) -> Failure {
    failure(FailureKind::Calculation, error.to_string())
}

fn invalid_input(error: &impl ToString) -> Failure {
    failure(FailureKind::InvalidInput, error.to_string())
}
