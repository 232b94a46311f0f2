//! `host pause` and `host cancel`: orders to runs, whoever drives them.
//!
//! A run with a living owner gets a letter, which its owner finds at once. A run that nobody drives is taken over for
//! as long as the order needs.

mod letter;
mod select;

use std::sync::Arc;
use std::time::Duration;

use engine::event::RunOutcome;
use engine::ports::{Control, Order};
use engine::shell::{RunEnd, TakeOver};
use journal::{Reader, RunRow, RunStatus, SqliteJournal};
use serde_json::{Value, json};

pub(crate) use letter::{Answer, Post};

use crate::cli::{CancelArgs, Global, Patience, PauseArgs, RunSelection};
use crate::commands::{drive, resume, run, session};
use crate::config::{Config, parse_duration};
use crate::exit::{Exit, Problem};
use crate::output::Output;

/// Lets nothing new start in the runs that are meant.
pub(crate) fn pause(output: Output, global: &Global, args: &PauseArgs) -> Result<Exit, Problem> {
    let order = Order::Pause { reason: reason(args.reason.as_deref()) };
    carry_out(output, global, &args.selection, &args.patience, &order)
}

/// Ends the runs that are meant.
pub(crate) fn cancel(output: Output, global: &Global, args: &CancelArgs) -> Result<Exit, Problem> {
    let order = Order::Cancel { reason: reason(args.reason.as_deref()), gently: !args.now };
    carry_out(output, global, &args.selection, &args.patience, &order)
}

/// Why, for people who look at the run later.
fn reason(given: Option<&str>) -> String {
    let user = || ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    given.map_or_else(|| format!("asked for by {}", user().unwrap_or_else(|| "an operator".to_owned())), str::to_owned)
}

/// How long to wait, from the command line; none: not at all.
pub(crate) fn patience(args: &Patience) -> Result<Option<Duration>, Problem> {
    if args.no_wait { Ok(None) } else { parse_duration(&args.timeout).map(Some) }
}

/// A fresh letter.
pub(crate) fn control(order: Order) -> Control {
    Control { id: run::new_id().0, order }
}

/// What became of an order for one run.
struct Told {
    row: RunRow,
    exit: Exit,
    answer: &'static str,
    line: String,
}

struct Orders<'a> {
    output: Output,
    config: &'a Config,
    reader: Reader,
    journal: Arc<SqliteJournal>,
    order: &'a Order,
    patience: Option<Duration>,
}

fn carry_out(output: Output, global: &Global, selection: &RunSelection, args: &Patience, order: &Order) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let patience = patience(args)?;
    let reader = session::open_reader(&config)?;
    let rows = select::rows(&reader, selection)?;
    let journal = session::open_store(&config, None)?;
    let told = Orders { output, config: &config, reader, journal, order, patience }.carry_out(rows)?;
    let documents: Vec<Value> = told.iter().map(|told| told.document(order)).collect();
    output.document(&Value::Array(documents), || {
        let lines: Vec<&str> = told.iter().map(|told| told.line.as_str()).collect();
        if lines.is_empty() { "no runs".to_owned() } else { lines.join("\n") }
    });
    Ok(told.iter().map(|told| told.exit).find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done))
}

/// How an order was given.
enum Given {
    /// It does not fit.
    Refused(String),
    /// A letter is in the inbox.
    Letter(Box<Post>),
    /// Nobody drives the run.
    Abandoned,
}

/// Gives an order to these runs, and says for each what became of it. Without patience nobody is waited for.
pub(crate) fn give(
    output: Output,
    config: &Config,
    (reader, journal): (&Reader, &Arc<SqliteJournal>),
    rows: Vec<RunRow>,
    order: &Order,
    patience: Option<Duration>,
) -> Result<Vec<String>, Problem> {
    let orders = Orders { output, config, reader: reader.clone(), journal: Arc::clone(journal), order, patience };
    Ok(orders.carry_out(rows)?.into_iter().map(|told| told.line).collect())
}

impl Orders<'_> {
    fn carry_out(&self, rows: Vec<RunRow>) -> Result<Vec<Told>, Problem> {
        // All letters are on their way before the first answer is waited for.
        let given: Vec<(RunRow, Given)> =
            rows.into_iter().map(|row| self.give(&row).map(|given| (row, given))).collect::<Result<_, _>>()?;
        given.into_iter().map(|(row, given)| self.conclude(row, given)).collect()
    }

    fn give(&self, row: &RunRow) -> Result<Given, Problem> {
        if let Some(reason) = refusal(row, self.order) {
            return Ok(Given::Refused(reason));
        }
        if self.patience.is_some() && !self.config.is_driven(&self.journal, &row.owner) {
            return Ok(Given::Abandoned);
        }
        let post = Post::send(&self.journal, row, control(self.order.clone()), self.patience.unwrap_or_default())?;
        Ok(Given::Letter(Box::new(post)))
    }

    fn conclude(&self, row: RunRow, given: Given) -> Result<Told, Problem> {
        let post = match given {
            Given::Refused(reason) => {
                let line = format!("run {}: {reason}", row.id);
                return Ok(Told { row, exit: Exit::Usage, answer: "refused", line });
            }
            Given::Abandoned => return self.take_over(row, vec![control(self.order.clone())]),
            Given::Letter(post) => post,
        };
        if self.patience.is_none() {
            let line = format!("run {}: the order is left for whoever drives it", row.id);
            return Ok(Told { row, exit: Exit::Done, answer: "left", line });
        }
        let answer = post.answer(&self.reader, &self.journal, self.config)?;
        match answer {
            Answer::Taken => self.effect(&row, &post),
            Answer::Refused(reason) => {
                let line = format!("run {}: {reason}", row.id);
                Ok(Told { row, exit: Exit::Usage, answer: "refused", line })
            }
            Answer::Ended(row) => {
                let line = format!("run {} has ended meanwhile: {}", row.id, row.status);
                Ok(Told { row: *row, exit: Exit::Usage, answer: "ended", line })
            }
            // The letter is still there, and the next owner reads it: this process.
            Answer::Abandoned => self.take_over(row, Vec::new()),
            Answer::None => {
                let unanswered = post.unanswered(self.config, &self.journal);
                let line = format!("{unanswered}; the order is kept, and taken when the run goes on");
                Ok(Told { row, exit: Exit::Waiting, answer: "unanswered", line })
            }
        }
    }

    /// The order is in the run's journal. Of a cancellation the end is waited for too.
    fn effect(&self, row: &RunRow, post: &Post) -> Result<Told, Problem> {
        let row = match self.order {
            Order::Cancel { .. } => post.end(&self.reader, row)?,
            _ => self.reader.find(&row.id.0)?,
        };
        Ok(described(row, self.order))
    }

    fn take_over(&self, row: RunRow, orders: Vec<Control>) -> Result<Told, Problem> {
        let how = TakeOver { stays_paused: true, orders };
        // What is paused runs no component.
        let runs = !matches!(self.order, Order::Pause { .. });
        let taken = resume::Taken { how, runs, ..resume::Taken::default() };
        let (session, begin) = match resume::begin(self.output, self.config, &self.journal, &row, taken)? {
            Ok(begun) => begun,
            Err(exit) => {
                let line = format!("run {}: its program does not compile", row.id);
                return Ok(Told { row, exit, answer: "refused", line });
            }
        };
        let (report, _) = drive::carry(self.output, &session, begin)?;
        match report.outcome {
            RunEnd::StoreFailed(error) => Err(error.into()),
            RunEnd::Finished(RunOutcome::Cancelled) | RunEnd::Paused { .. } | RunEnd::Leaves(_) => {
                Ok(described(self.reader.find(&row.id.0)?, self.order))
            }
            RunEnd::Finished(_) => {
                let row = self.reader.find(&row.id.0)?;
                let line = format!("run {} has ended meanwhile: {}", row.id, row.status);
                Ok(Told { row, exit: Exit::Usage, answer: "ended", line })
            }
        }
    }
}

/// Why an order does not fit a run, as far as the list of runs tells.
fn refusal(row: &RunRow, order: &Order) -> Option<String> {
    match (order, row.status) {
        (_, status) if status.is_end() => Some(format!("it has ended: {status}")),
        (Order::Pause { .. }, RunStatus::Paused) => Some(match &row.reason {
            Some(reason) => format!("it is paused already ({reason})"),
            None => "it is paused already".to_owned(),
        }),
        (Order::Pause { .. }, RunStatus::Cancelling) => Some("it is being cancelled".to_owned()),
        (Order::Cancel { gently: true, .. }, RunStatus::Cancelling) => {
            Some("it is being cancelled already; `--now` stops what still runs".to_owned())
        }
        _ => None,
    }
}

/// How it stands with a run after an order was carried out.
fn described(row: RunRow, order: &Order) -> Told {
    let (exit, line) = match (order, row.status) {
        (Order::Cancel { .. }, RunStatus::Cancelled) => (Exit::Done, format!("run {} is cancelled", row.id)),
        (Order::Cancel { gently: true, .. }, RunStatus::Cancelling) => {
            let help = format!("`host why {}` says what still runs, `host cancel {} --now` stops it", row.id, row.id);
            (Exit::Waiting, format!("run {} is being cancelled and has not ended yet; {help}", row.id))
        }
        (Order::Cancel { .. }, RunStatus::Cancelling) => {
            (Exit::Waiting, format!("run {} is being cancelled and has not ended yet; `host why {}` says why", row.id, row.id))
        }
        (Order::Pause { .. }, RunStatus::Paused) => {
            (Exit::Done, format!("run {} is paused; go on with `host resume {}`", row.id, row.id))
        }
        (_, status) => (Exit::Done, format!("run {}: the order was carried out; by now it is {status}", row.id)),
    };
    Told { row, exit, answer: "done", line }
}

impl Told {
    fn document(&self, order: &Order) -> Value {
        json!({
            "run": &*self.row.id.0,
            "order": verb(order),
            "answer": self.answer,
            "status": self.row.status.name(),
            "reason": self.row.reason,
            "message": self.line,
        })
    }
}

/// What an order is called on the command line.
const fn verb(order: &Order) -> &'static str {
    match order {
        Order::Pause { .. } => "pause",
        Order::Resume => "resume",
        Order::Cancel { .. } => "cancel",
        Order::Advance { .. } => "step",
        Order::Decide { .. } => "decide",
        Order::Migrate(_) => "migrate",
        Order::Change(_) => "change",
    }
}
