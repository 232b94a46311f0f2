//! `host step`: lets so many more steps of a paused run start.

use engine::ports::Order;
use engine::shell::{RunEnd, TakeOver};
use journal::{Reader, RunRow, RunStatus, wire};
use serde_json::json;

use crate::cli::{Global, StepArgs};
use crate::commands::control::{self, Answer, Post};
use crate::commands::{drive, resume, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;

/// Gives the order to the run's owner, or drives the run itself for so many steps.
pub(crate) fn run(output: Output, global: &Global, args: &StepArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let patience = control::patience(&args.patience)?;
    let reader = session::open_reader(&config)?;
    let row = reader.find(&args.run)?;
    check(&row)?;
    let journal = session::open_store(&config, None)?;
    let mut orders = vec![control::control(Order::Advance { steps: args.steps })];
    if patience.is_none() || config.is_driven(&journal, &row.owner) {
        let Some(order) = orders.pop() else { return Ok(Exit::Done) };
        let post = Post::send(&journal, &row, order, patience.unwrap_or_default())?;
        if patience.is_none() {
            return told(output, &row, args.steps, "left", "is left for whoever drives it");
        }
        match post.answer(&reader, &journal, &config)? {
            Answer::Taken => return told(output, &row, args.steps, "done", "is carried out"),
            Answer::Refused(reason) => return Err(Problem::usage(format!("run `{}` takes no steps: {reason}", row.id))),
            Answer::Ended(row) => return Err(ended(&row)),
            Answer::None => {
                let problem = Problem::new(Exit::Waiting, post.unanswered(&config, &journal));
                return Err(problem.help("the order is kept, and taken when the run goes on"));
            }
            // The letter is read by the next owner: this process.
            Answer::Abandoned => {}
        }
    }
    let how = TakeOver { stays_paused: true, orders };
    let taken = resume::Taken { how, runs: true, ..resume::Taken::default() };
    let (session, begin) = match resume::begin(output, &config, &journal, &row, taken)? {
        Ok(begun) => begun,
        Err(exit) => return Ok(exit),
    };
    let (report, interrupted) = drive::carry(output, &session, begin)?;
    if !matches!(report.outcome, RunEnd::Paused { .. }) || interrupted {
        return drive::finish(output, &report, session.compiled, interrupted);
    }
    paused_again(output, &reader, &row, args.steps)
}

fn check(row: &RunRow) -> Result<(), Problem> {
    match row.status {
        RunStatus::Paused => Ok(()),
        status if status.is_end() => Err(ended(row)),
        status => Err(Problem::usage(format!("run `{}` is not paused, it is {status}", row.id))
            .help(format!("`host pause {}` first", row.id))),
    }
}

fn ended(row: &RunRow) -> Problem {
    Problem::usage(format!("run `{}` has ended", row.id)).help(format!("`host show {}` prints how", row.id))
}

fn told(output: Output, row: &RunRow, steps: u32, answer: &str, what: &str) -> Result<Exit, Problem> {
    let line = format!("run {}: the order for {steps} more {} {what}", row.id, plural(steps.into()));
    let document = json!({ "run": &*row.id.0, "order": "step", "steps": steps, "answer": answer, "message": line });
    output.document(&document, || line.clone());
    Ok(Exit::Done)
}

fn plural(steps: u64) -> &'static str {
    if steps == 1 { "step" } else { "steps" }
}

/// The run stands still again, after all the steps or because no more could start.
fn paused_again(output: Output, reader: &Reader, before: &RunRow, wanted: u32) -> Result<Exit, Problem> {
    let mut ended: u64 = 0;
    reader.each_event(&before.id, before.last_seq, |event| {
        ended += u64::from(matches!(&*event.kind, wire::kind::ATTEMPT_SUCCEEDED | wire::kind::ATTEMPT_FAILED));
    })?;
    let row = reader.find(&before.id.0)?;
    let line = format!("run {} is paused again after {ended} of {wanted} {}", row.id, plural(wanted.into()));
    let help = if ended < wanted.into() { format!("; `host why {}` says what it waits for", row.id) } else { String::new() };
    let document = json!({
        "run": &*row.id.0,
        "order": "step",
        "steps": wanted,
        "ended": ended,
        "answer": "done",
        "status": row.status.name(),
        "message": format!("{line}{help}"),
    });
    output.document(&document, || format!("{line}{help}"));
    Ok(if ended < wanted.into() { Exit::Waiting } else { Exit::Done })
}
