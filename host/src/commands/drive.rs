//! Follows a run to its end: progress, signals, and what is printed at last.

use std::sync::Arc;
use std::time::Duration;

use engine::core::Lineage;
use engine::event::{Decision, Failure, RunId, RunOutcome, TaskId};
use engine::ports::Signal;
use engine::shell::{Awaited, Blocked, BlockedBy, EngineError, NewRun, RunEnd, RunHandle, RunReport, TakeOver, Update, Waiting};
use serde_json::{Value, json};

use crate::commands::session::{self, Session};
use crate::commands::signal as signal_command;
use crate::commands::{documents, migrate, resume};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};
use crate::progress::{Mode, Progress};
use crate::signals::Stops;

/// How often it is looked whether the run is still this process's.
const LOOK: Duration = Duration::from_secs(1);

/// How a run begins here.
pub(crate) enum Begin {
    /// From its input.
    New(Box<NewRun>),
    /// From its journal.
    Resumed {
        /// Which.
        id: RunId,
        /// The plans that it has had.
        plans: Lineage,
        /// What becomes of it first.
        how: TakeOver,
        /// What the operator decided about steps whose outcome is not known.
        decisions: Vec<(TaskId, Decision)>,
        /// Signals that the operator gives.
        signals: Vec<Signal>,
    },
}

/// Starts or resumes a run and waits for its end. One that is to be migrated on its way is, and goes on here.
pub(crate) fn drive(output: Output, config: &Config, mut session: Session, begin: Begin) -> Result<Exit, Problem> {
    let (mut report, mut interrupted) = carry(output, &session, begin)?;
    while let (RunEnd::Leaves(control), false) = (&report.outcome, interrupted) {
        let journal = Arc::clone(&session.journal);
        migrate::answer(&journal, &report.id, control)?;
        let row = session::open_reader(config)?.find(&report.id.0)?;
        let how = TakeOver { stays_paused: true, orders: Vec::new() };
        let taken = resume::Taken { how, runs: true, parallel: session.parallel, ..resume::Taken::default() };
        let begin = match resume::begin(output, config, &journal, &row, taken)? {
            Ok((next, begin)) => {
                session = next;
                begin
            }
            Err(exit) => return Ok(exit),
        };
        (report, interrupted) = carry(output, &session, begin)?;
    }
    for line in session.settle_reports() {
        output.note(&line);
    }
    finish(output, &report, session.compiled, interrupted)
}

/// The same without what is printed at last. Gives whether a signal interrupted it.
pub(crate) fn carry(output: Output, session: &Session, begin: Begin) -> Result<(RunReport, bool), Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new(Exit::Store, format!("no runtime: {error}")))?;
    runtime.block_on(follow(output, session, begin))
}

async fn follow(output: Output, session: &Session, begin: Begin) -> Result<(RunReport, bool), Problem> {
    let mut stops = Stops::listen()?;
    let mut handle = start(session, begin).await?;
    let mut progress = Progress::new(Mode::choose(output));
    let mut stopping = false;
    let mut explained = false;
    // That this process took the run over shows in the store a little later.
    let mut owned = false;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        let signalled = tokio::select! {
            _ = looks.tick(), if session.cluster => {
                owned = owned || owner(session, handle.id()).is_some_and(|owner| owner == *session.name);
                if owned {
                    lost(session, handle.id())?;
                }
                continue;
            }
            update = handle.next_update() => match update {
                Some(update) => {
                    progress.on(&update);
                    if matches!(update, Update::Waiting { .. }) && !std::mem::replace(&mut explained, true) {
                        progress.note(&format!("`host why {}` prints the command that moves it", handle.id()));
                    }
                    continue;
                }
                None => break,
            },
            signalled = stops.next() => signalled,
        };
        if stopping {
            // The second signal: the journal is whole at any moment.
            progress.finish();
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        stopping = true;
        progress.note("pausing: nothing new starts, what runs may finish; once more ends the process at once");
        handle.pause(signalled);
    }
    progress.finish();
    Ok((handle.wait().await, stopping))
}

/// In a cluster a host that was stopped or cut off for a while may find that another one drives its run.
fn lost(session: &Session, id: &RunId) -> Result<(), Problem> {
    let other = || owner(session, id).filter(|owner| *owner != *session.name);
    if other().is_none() || session.journal.settled(id).is_err() {
        return Ok(());
    }
    // What this process did last may not have been there yet.
    let Some(other) = other() else { return Ok(()) };
    let message = format!("run `{id}` is driven by `{other}` now: this process was given up by the others");
    Err(Problem::new(Exit::Store, message).help(format!("`host wait {id}` waits for its end")))
}

/// Who drives a run, as far as this process's store knows.
fn owner(session: &Session, id: &RunId) -> Option<String> {
    session.journal.reader().find(&id.0).ok().map(|row| row.owner)
}

async fn start(session: &Session, begin: Begin) -> Result<RunHandle, Problem> {
    match begin {
        Begin::New(new) => Ok(session.engine.start(*new).await?),
        Begin::Resumed { id, plans, how, decisions, signals } => {
            let handle = session.engine.take_over(id, plans, how).await?;
            for (task, decision) in decisions {
                handle.decide(task, decision);
            }
            signals.into_iter().for_each(|signal| handle.signal(signal));
            Ok(handle)
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        match error {
            EngineError::Input(_) => Self::new(Exit::Input, message),
            EngineError::NeverFits(_) => Self::usage(message).help("let the step ask for less, or give `[host]` more"),
            EngineError::Journal(error) => error.into(),
            EngineError::Replay(_) => Self::new(Exit::Store, message),
            EngineError::OtherPlan { .. } => {
                Self::new(Exit::Store, message).help("resume it with the version of `host` that started it")
            }
        }
    }
}

/// Prints the end of a run and says it as an exit code.
pub(crate) fn finish(output: Output, report: &RunReport, compiled: u32, interrupted: bool) -> Result<Exit, Problem> {
    let (status, exit) = match &report.outcome {
        RunEnd::Finished(RunOutcome::Succeeded(_)) => ("succeeded", Exit::Done),
        RunEnd::Finished(RunOutcome::Failed { .. }) => ("failed", Exit::RunFailed),
        RunEnd::Finished(RunOutcome::Cancelled) => ("cancelled", Exit::RunFailed),
        RunEnd::Paused { .. } | RunEnd::Leaves(_) if interrupted => ("paused", Exit::Interrupted),
        RunEnd::Paused { blocked, waiting } if blocked.is_empty() && !waiting.is_empty() => ("waiting", Exit::Waiting),
        RunEnd::Paused { .. } | RunEnd::Leaves(_) => ("paused", Exit::Waiting),
        RunEnd::StoreFailed(error) => {
            return Err(
                Problem::from(error.clone()).help(format!("what is committed is whole; `host resume {}` goes on", report.id))
            );
        }
    };
    if output.json() {
        output.document(&document(report, status, compiled), String::new);
    } else {
        explain(output, report, interrupted);
    }
    Ok(exit)
}

/// The end of a run for programs.
fn document(report: &RunReport, status: &str, compiled: u32) -> Value {
    let nothing = Value::Null;
    let (result, failure, blocked) = match &report.outcome {
        RunEnd::Finished(RunOutcome::Succeeded(payload)) => (documents::payload(payload), nothing.clone(), nothing.clone()),
        RunEnd::Finished(RunOutcome::Failed { failure, path }) => {
            (nothing.clone(), documents::failure_at(failure, path), nothing.clone())
        }
        RunEnd::Finished(RunOutcome::Cancelled) | RunEnd::StoreFailed(_) | RunEnd::Leaves(_) => {
            (nothing.clone(), nothing.clone(), nothing.clone())
        }
        RunEnd::Paused { blocked, .. } => (nothing.clone(), nothing.clone(), blocked.iter().map(blocked_document).collect()),
    };
    let waiting = match &report.outcome {
        RunEnd::Paused { waiting, .. } => waiting.iter().map(waiting_document).collect(),
        _ => nothing,
    };
    json!({
        "run": &*report.id.0,
        "status": status,
        "result": result,
        "failure": failure,
        "blocked": blocked,
        "waiting": waiting,
        "not_undone": report.not_undone.iter().map(|(path, failure)| documents::failure_at(failure, path)).collect::<Vec<_>>(),
        "steps": report.steps,
        "attempts": report.attempts,
        "bill": documents::bill(&report.bill),
        "compiled": compiled,
    })
}

fn blocked_document(blocked: &Blocked) -> Value {
    let because = match &blocked.by {
        BlockedBy::Unknown => json!({ "reason": "outcome-unknown" }),
        BlockedBy::Repeats => json!({ "reason": "repeats" }),
        BlockedBy::Exhausted { kind, message } => json!({ "reason": "exhausted", "kind": kind.name(), "message": message }),
        BlockedBy::Escalated { kind, message } => json!({ "reason": "escalated", "kind": kind.name(), "message": message }),
    };
    json!({
        "task": blocked.task.0,
        "path": &*blocked.path,
        "attempt": blocked.number,
        "waits_for": "decision",
        "because": because,
    })
}

fn waiting_document(waiting: &Waiting) -> Value {
    let (kind, name, ty) = match &waiting.what {
        Awaited::Time => ("time", Value::Null, Value::Null),
        Awaited::Signal { name, ty } => ("signal", json!(&**name), json!(ty.to_string())),
        Awaited::Message { topic, ty } => ("message", json!(&**topic), json!(ty.to_string())),
        Awaited::Run { run, .. } => ("run", json!(&*run.0), Value::Null),
    };
    let until = waiting.until.map(output::time);
    json!({ "path": &*waiting.path, "waits_for": kind, "name": name, "type": ty, "until": until })
}

/// The end of a run for people: the result on standard output, the rest on standard error.
fn explain(output: Output, report: &RunReport, interrupted: bool) {
    for (path, failure) in &report.not_undone {
        output.problem(&not_undone(path, failure));
    }
    match &report.outcome {
        RunEnd::Finished(RunOutcome::Succeeded(payload)) => {
            output.document(&Value::Null, || format!("{:#}", documents::payload(payload)));
            let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
            let (steps, attempts) = (counted(report.steps, "step"), counted(report.attempts, "attempt"));
            output.note(&format!("run {} succeeded: {steps}, {attempts}", report.id));
        }
        RunEnd::Finished(RunOutcome::Failed { failure, path }) => {
            let help = format!(
                "`host why {}` says where in the flow and what was tried, `host retry {}` runs again what is not done",
                report.id, report.id
            );
            let message = format!("run {} failed at `{path}`: {}: {}", report.id, failure.kind, failure.message);
            output.problem(&Problem::new(Exit::RunFailed, message).help(help));
        }
        RunEnd::Finished(RunOutcome::Cancelled) => {
            output.problem(&Problem::new(Exit::RunFailed, format!("run {} was cancelled", report.id)))
        }
        RunEnd::Paused { blocked, waiting } if blocked.is_empty() && !waiting.is_empty() && !interrupted => {
            output.note(&format!("run {} waits; answer, then go on with `host resume {}`", report.id, report.id));
            for waiting in waiting {
                output.problem(&answer_needed(report, waiting));
            }
        }
        RunEnd::Paused { blocked, .. } => {
            output.note(&format!("run {} is paused; go on with `host resume {}`", report.id, report.id));
            for step in blocked {
                output.problem(&decision_needed(report, step));
            }
        }
        RunEnd::Leaves(_) => output.note(&format!("run {} is paused; go on with `host resume {}`", report.id, report.id)),
        RunEnd::StoreFailed(_) => {}
    }
}

/// A compensation that failed: what it was to take back still stands.
fn not_undone(path: &str, failure: &Failure) -> Problem {
    let undone = path.split_once(".undo").map_or(path, |(undone, _)| undone);
    Problem::new(Exit::RunFailed, format!("`{undone}` is not undone: `{path}` failed: {}: {}", failure.kind, failure.message))
        .help("take it back by hand: the run does not try again")
}

fn answer_needed(report: &RunReport, waiting: &Waiting) -> Problem {
    let problem = Problem::new(Exit::Waiting, format!("`{}` waits for {}", waiting.path, waiting.what));
    let (name, ty) = match &waiting.what {
        Awaited::Signal { name, ty } => (name, ty),
        Awaited::Run { run, .. } => {
            let look = format!("`host show {run}` says what it needs; then `host resume {}`", report.id);
            return problem.help(look);
        }
        _ => return problem,
    };
    let (run, example) = (&report.id, signal_command::example(ty));
    let signal = format!("host signal {run} {name} {example}");
    problem.help(format!("`{}`, then `host resume {run}`", signal.trim_end()))
}

fn decision_needed(report: &RunReport, step: &Blocked) -> Problem {
    let (run, task) = (&report.id, step.task.0);
    let (message, look) = match &step.by {
        BlockedBy::Unknown => (
            format!("whether `{}` had its effect is not known: it was running when its host died", step.path),
            "look at the outside world",
        ),
        BlockedBy::Repeats => (
            format!("`{}` had its effect in the run that is retried, and its arguments are others now", step.path),
            "look at the outside world",
        ),
        BlockedBy::Exhausted { kind, message } => {
            (format!("all attempts of `{}` have failed: {kind}: {message}", step.path), "mend what it needs")
        }
        BlockedBy::Escalated { kind, message } => {
            (format!("`{}` is escalated: {kind}: {message}", step.path), "`host escalations` prints what was tried")
        }
    };
    Problem::new(Exit::Waiting, message).help(format!(
        "{look}, then `host resume {run} --retry {task}` to run it again, `--supply {task}=JSON` to state its result, or `--fail {task}=MESSAGE`"
    ))
}
