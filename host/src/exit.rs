//! Exit codes of `host`, and the one error type that carries them to `main`.

use std::fmt;

use engine::ports::JournalError;
use journal::FindError;

/// Why a command ended, as a documented exit code. The reference lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command did what was asked.
    Done = 0,
    /// The run failed; of `fmt --check`: files are not formatted.
    RunFailed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The flow does not compile.
    DoesNotCompile = 3,
    /// A plugin could not be loaded, was refused, or did not build.
    Plugin = 4,
    /// The store is unreachable, damaged, or has no such run.
    Store = 5,
    /// The run is paused or waits for somebody.
    Waiting = 6,
    /// The input does not fit the flow's parameters.
    Input = 7,
    /// Interrupted; the run can be resumed.
    Interrupted = 130,
}

impl Exit {
    /// The code that the operating system sees.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    /// The one with this code.
    pub(crate) fn of_code(code: u8) -> Option<Self> {
        use Exit::{DoesNotCompile, Done, Input, Interrupted, Plugin, RunFailed, Store, Usage, Waiting};
        let all = [Done, RunFailed, Usage, DoesNotCompile, Plugin, Store, Waiting, Input, Interrupted];
        all.into_iter().find(|exit| exit.code() == code)
    }
}

/// What went wrong, how to mend it, and the exit code that says so.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// It may be gone when the same is tried again: the store is locked, full, out of reach.
    pub(crate) passes: bool,
}

impl Problem {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None, passes: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Journal(error) => error.into(),
            FindError::Ambiguous { .. } => Self::new(Exit::Store, error.to_string()),
        }
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        let passes = matches!(error, JournalError::Unavailable(_));
        Self { passes, ..Self::new(Exit::Store, error.to_string()) }
    }
}
