//! Runs the pure core under a seed: a generated plan, a clock that jumps, an invoker that reorders and
//! fails, a journal that is late, and crashes.
//!
//! # Steps
//!
//! 1. [`build`] makes plans by hand, [`generate`] makes one from a seed.
//! 2. `steps` is what the steps of such a plan do: it follows from the path and the arguments alone.
//! 3. `outside` is what survives a crash: the durable events and the witness of what really ran. It checks the
//!    rules of durability at each invocation.
//!    `mail` is what is sent to the run, in order and more than once, and what it sends.
//!    `undone` keeps accounts of what was done and taken back.
//! 4. `machine` is one process: a [`engine::core::Run`], what it has in flight, and its timers.
//!    `operator` decides, changes what has not begun, and gives orders twice.
//! 5. Between two processes `versions` migrates the run to another version of its flow and back.
//! 6. `again` retries the run when it has ended.
//! 7. [`run_seed`] compares a run with crashes to an undisturbed one.

mod again;
pub mod build;
mod features;
pub mod generate;
mod machine;
mod mail;
mod operator;
mod outside;
mod rules;
mod steps;
mod undone;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Value;
use engine::core::Bug;
use engine::event::{Event, EventBody, Payload, RunOutcome};

pub use features::Features;
use generate::Shape;
use machine::{Machine, Stop};
use outside::Outside;
use steps::{is_handler, sender};
use versions::Versions;

/// What a seed did.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeedReport {
    /// Events of the undisturbed run: its length.
    pub length: usize,
    /// Events of the disturbed run, which is shorter when it is cancelled.
    pub events: usize,
    /// Crashes that it survived.
    pub crashes: usize,
    /// Decisions of the operator.
    pub decisions: usize,
    /// Open regions at the most.
    pub open_regions: usize,
    /// What of the engine it used.
    pub features: Features,
}

/// Runs a seed.
///
/// # Errors
/// What went differently from the undisturbed run, or broke a rule.
pub fn run_seed(seed: u64) -> Result<SeedReport, String> {
    simulate(seed, None)
}

/// Runs a seed with a bug planted in the disturbed run.
///
/// # Errors
/// How the bug showed itself.
pub fn run_seed_with(seed: u64, bug: Bug) -> Result<SeedReport, String> {
    simulate(seed, Some(bug))
}

/// A seed's run has at least so many events.
const SHORTEST: usize = 200;

/// The undisturbed run of a seed, long enough, and how much happened in it.
fn calm_run(seed: u64) -> Result<(Outside, u64), String> {
    let mut steps = 300;
    loop {
        let mut calm = Outside::new(seed, Versions::new(seed, steps, Shape::Plain));
        let ticks = undisturbed(&mut calm, seed)?;
        if calm.durable.len() >= SHORTEST {
            return Ok((calm, ticks));
        }
        steps *= 2;
    }
}

fn simulate(seed: u64, bug: Option<Bug>) -> Result<SeedReport, String> {
    let (mut calm, ticks) = calm_run(seed)?;
    let mut random = fastrand::Rng::with_seed(seed ^ 0x5bd1_e995);
    let cancels = bug.is_none() && random.u32(..20) == 0;
    let first = random.choice(Shape::ALL).unwrap_or(Shape::Plain);
    let mut outside = Outside::new(seed, Versions::new(seed, calm.versions.steps(), first));
    outside.bug = bug;
    outside.versions.plant(bug);
    outside.wishes = wishes(&calm);
    let crashes = disturbed(&mut outside, &mut random, ticks, cancels)?;
    calm.features |= outside.features;
    if !cancels {
        compare(&calm, &outside)?;
        // What is taken over uses no budget, so a block that had too little may have enough this time.
        if random.u32(..3) == 0 && !calm.features.used().any(|name| name == "budget") {
            calm.features |= again::retried(&calm, &outside, &mut random, ticks)?.features;
        }
    }
    Ok(SeedReport {
        length: calm.durable.len(),
        events: outside.durable.len(),
        crashes,
        decisions: outside.decisions,
        open_regions: calm.most_open,
        features: calm.features,
    })
}

/// The results of steps that did not fail before, and that do not depend on the order of completion.
fn wishes(calm: &Outside) -> Vec<(Arc<str>, Value)> {
    let result = |event: &Event| match &event.body {
        EventBody::AttemptSucceeded { attempt, output: Payload::Value(value), .. }
            if attempt.number == 1 && !attempt.path.contains("racy") && !is_handler(&attempt.path) =>
        {
            Some((Arc::clone(&attempt.path), value.clone()))
        }
        _ => None,
    };
    calm.durable.iter().filter_map(result).collect()
}

fn undisturbed(outside: &mut Outside, seed: u64) -> Result<u64, String> {
    let mut machine = Machine::begin(outside, fastrand::Rng::with_seed(seed.wrapping_mul(3)))?;
    match machine.run(outside, u64::MAX)? {
        Stop::Ended => Ok(machine.ticks()),
        Stop::Crashed => Err("the undisturbed run stopped".to_owned()),
    }
}

fn disturbed(outside: &mut Outside, random: &mut fastrand::Rng, ticks: u64, cancels: bool) -> Result<usize, String> {
    let planned = random.usize(1..=3);
    let mut crashes = 0;
    loop {
        let mut machine = Machine::begin(outside, random.fork())?;
        machine.disturb(random, ticks, cancels && crashes == planned);
        machine.plan_orders(random, ticks, outside);
        let until =
            if crashes < planned { random.u64(1..=ticks.max(2)) / (planned as u64 - crashes as u64) + 1 } else { u64::MAX };
        match machine.run(outside, until)? {
            Stop::Crashed => {
                crashes += 1;
                machine.compare_with_replay(outside)?;
                if random.bool() {
                    outside.migrate(random.choice(Shape::ALL).unwrap_or(Shape::Plain))?;
                }
            }
            Stop::Ended => return Ok(crashes),
        }
    }
}

fn compare(calm: &Outside, disturbed: &Outside) -> Result<(), String> {
    let (wanted, found) = (told(calm), told(disturbed));
    if wanted != found {
        return Err(format!("the run came to {found:?} instead of {wanted:?}"));
    }
    let (mut balance, mut wrong) = (BTreeMap::<String, i64>::new(), Vec::new());
    for line in settled(calm) {
        *balance.entry(line).or_default() += 1;
    }
    for line in settled(disturbed) {
        *balance.entry(line).or_default() -= 1;
    }
    for (line, count) in balance {
        if count != 0 {
            wrong.push(format!("{line}: {count:+} in the undisturbed run"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// How a run ended, without the compensations that failed: which ones ran follows from what was done in time.
fn told(outside: &Outside) -> Option<RunOutcome> {
    let mut outcome = outside.outcome().cloned();
    if let Some(RunOutcome::Failed { failure, .. }) = &mut outcome
        && let Some((message, _)) = failure.message.split_once("; ")
    {
        failure.message = message.to_owned();
    }
    outcome
}

/// How attempts ended, of those whose number does not depend on the order of completion.
fn settled(outside: &Outside) -> Vec<String> {
    let fits = |path: &str| !path.contains("racy") && !is_handler(path);
    let mut lines: Vec<String> = outside
        .durable
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::AttemptSucceeded { attempt, output, .. } if fits(&attempt.path) => {
                Some(format!("{} gave {output:?}", attempt.path))
            }
            EventBody::AttemptFailed { attempt, failure, .. } if fits(&attempt.path) => {
                Some(format!("{} failed: {}", attempt.path, failure.message))
            }
            _ => None,
        })
        .collect();
    // A result that somebody supplied, or that was taken over, sends nothing; what steps send is looked at by itself.
    let sent = outside.published.iter().filter(|(id, _)| fits(id) && sender(id).is_none());
    lines.extend(sent.map(|(id, (topic, payload))| format!("{id} was sent on {topic}: {payload}")));
    let supplied = outside.supplied.iter().filter(|(path, _)| fits(path));
    lines.extend(supplied.map(|(path, output)| format!("{path} gave {:?}", Payload::Value(output.clone()))));
    lines
}

#[cfg(test)]
mod tests;
