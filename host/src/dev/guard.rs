//! A process that ends the others when the one that started them is gone without having done so, as after `kill -9`.
//!
//! It is told on standard input which they are, and knows by its end that nobody will look after them any more: this end comes
//! whatever became of the other side.

use std::io::{BufRead, Write};
use std::process::{ChildStdin, Command, Stdio};

use super::part::Part;
use super::process::{self, Process};
use crate::exit::{Exit, Problem};
use crate::output::Output;

/// The other side of a guard.
pub(super) struct Guard {
    pub(super) part: Part,
    tell: ChildStdin,
}

impl Guard {
    /// Starts one.
    pub(super) fn start(output: Output) -> Result<Self, Problem> {
        let failed = |error: std::io::Error| Problem::new(Exit::Store, format!("the guard does not start: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(["dev", "guard"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        if output.quiet() {
            command.arg("--quiet");
        }
        let (part, tell) = Part::start_told("guard", &mut command)?;
        Ok(Self { part, tell })
    }

    /// Tells it about one more process.
    pub(super) fn add(&mut self, process: &Process) -> Result<(), Problem> {
        let told = self.tell.write_all(process.line().as_bytes()).and_then(|()| self.tell.flush());
        told.map_err(|error| Problem::new(Exit::Store, format!("the guard is gone: {error}")))
    }

    /// Lets it go, when all others have ended.
    pub(super) fn end(self) {
        drop(self.tell);
        self.part.wait();
    }
}

/// What the guard's process does.
pub(crate) fn run(output: Output) -> Result<Exit, Problem> {
    let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    let processes: Vec<Process> = lines.filter_map(|line| Process::parse(&line)).collect();
    let ended = process::end(&processes)?;
    if !ended.is_empty() {
        output.note(&format!("`host dev` is gone without having ended what it started; ended now: {}", ended.join(", ")));
    }
    Ok(Exit::Done)
}
