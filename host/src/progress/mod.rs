//! What a run is doing, for people: a live tree on a terminal, plain lines elsewhere.
//!
//! [`board`] keeps the counts, [`tree`] draws them. On a terminal `indicatif` asks for the tree ten times a second, so
//! an update costs only a count, and the clock goes on while nothing happens.

mod board;
mod tree;

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::shell::Update;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::output::Output;
use board::Board;

/// Redraws in a second, at most.
const REDRAWS: u8 = 10;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A tree that is redrawn in place.
    Live,
    /// A line for each failure and for each part of the run that ends.
    Lines,
    /// Nothing.
    Quiet,
}

impl Mode {
    /// Live on a terminal; nothing with `--quiet`, nor with `--json`, where standard error is for programs too.
    pub(crate) fn choose(output: Output) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if output.quiet() || output.json() {
            Self::Quiet
        } else if std::io::stderr().is_terminal() && !dumb {
            Self::Live
        } else {
            Self::Lines
        }
    }
}

/// Shows the updates of one run on standard error.
pub(crate) struct Progress {
    board: Arc<Mutex<Board>>,
    shown: Shown,
}

enum Shown {
    Live(ProgressBar),
    Lines(Box<dyn Write + Send>),
    Nothing,
}

impl Progress {
    pub(crate) fn new(mode: Mode) -> Self {
        match mode {
            Mode::Live => Self::live(ProgressDrawTarget::stderr_with_hz(REDRAWS)),
            Mode::Lines => Self::with(Shown::Lines(Box::new(std::io::stderr()))),
            Mode::Quiet => Self::with(Shown::Nothing),
        }
    }

    fn with(shown: Shown) -> Self {
        Self { board: Arc::new(Mutex::new(Board::new(Instant::now()))), shown }
    }

    fn live(target: ProgressDrawTarget) -> Self {
        let board = Arc::new(Mutex::new(Board::new(Instant::now())));
        let drawn = Arc::clone(&board);
        let style = ProgressStyle::with_template("{tree}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let style = style.with_key("tree", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let tree = tree::render(&drawn.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
            // A terminal that cannot be written to is no reason to stop the run.
            let _ = out.write_str(&tree);
        });
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        bar.enable_steady_tick(Duration::from_secs(1) / u32::from(REDRAWS));
        Self { board, shown: Shown::Live(bar) }
    }

    /// Takes an update in.
    pub(crate) fn on(&mut self, update: &Update) {
        let lines = {
            let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
            board.on(update, Instant::now());
            board.take_lines()
        };
        if let Shown::Lines(out) = &mut self.shown {
            write_lines(out, &lines);
        }
    }

    /// A line beside the progress.
    pub(crate) fn note(&mut self, line: &str) {
        match &mut self.shown {
            Shown::Live(bar) => bar.println(line),
            Shown::Lines(out) => write_lines(out, &[line.to_owned()]),
            Shown::Nothing => {}
        }
    }

    /// The last state stays on the screen; nothing is shown after it.
    pub(crate) fn finish(&mut self) {
        let shown = std::mem::replace(&mut self.shown, Shown::Nothing);
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.end(Instant::now());
        let lines = board.take_lines();
        drop(board);
        match shown {
            Shown::Live(bar) => {
                bar.disable_steady_tick();
                bar.abandon();
            }
            Shown::Lines(mut out) => write_lines(&mut out, &lines),
            Shown::Nothing => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !matches!(self.shown, Shown::Nothing) {
            self.finish();
        }
    }
}

fn write_lines(out: &mut impl Write, lines: &[String]) {
    for line in lines {
        // A reader that went away is no reason to stop the run.
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
}

#[cfg(test)]
mod tests;
