//! What is told of a run that stands still: what it waits for, once it has waited for a while, and that it goes on.

use std::time::Duration;

use tokio::time::Instant;

use crate::core::{Condition, Explained, Run};
use crate::ports::{Live, WaitingNote};

/// A run that has stood still for so long says why; it says what is new no more often.
const AFTER: Duration = Duration::from_millis(900);

/// So many lines are told.
const MOST_LINES: usize = 5;

/// So many steps are noted.
pub(super) const MOST_NOTED: usize = 50;

/// When it is time to look.
#[derive(Default)]
pub(super) struct Notice {
    next: Option<Instant>,
}

impl Notice {
    /// Something has happened: what follows is looked at in a while, however much happens.
    pub(super) fn expect(&mut self) {
        self.next.get_or_insert_with(|| Instant::now() + AFTER);
    }

    /// It was looked at: once more in a while, or when something has happened again.
    pub(super) fn looked(&mut self, again: bool) {
        self.next = again.then(|| Instant::now() + AFTER);
    }

    /// Ends when it is time to look.
    pub(super) fn due(&self) -> impl Future<Output = ()> + use<> {
        let next = self.next;
        async move {
            match next {
                Some(next) => tokio::time::sleep_until(next).await,
                None => std::future::pending().await,
            }
        }
    }
}

/// What a run waits for: `live` are the steps of which only this process knows that they wait, or that they run on another host.
pub(super) fn note(run: &Run, live: Vec<Live>) -> Option<WaitingNote> {
    let standing = run.explain();
    let waits =
        |path: &str| live.iter().find(|known| *known.path == *path && known.runs.is_none()).map(|known| known.what.as_str());
    let runs = |cause: &Explained| match cause.condition {
        Condition::Running { .. } => waits(&cause.path).is_none(),
        Condition::Starting | Condition::Sending { .. } => true,
        _ => false,
    };
    // As long as something runs, the run does not stand still; what waits for a place is noted all the same.
    let lines: Vec<String> = if standing.because.iter().any(runs) || standing.more > 0 {
        Vec::new()
    } else {
        standing.because.iter().take(MOST_LINES).filter_map(|cause| line(cause, waits(&cause.path))).collect()
    };
    (!lines.is_empty() || !live.is_empty()).then(|| WaitingNote { what: lines.join("; "), live })
}

/// What one step waits for, as what follows “waits for”.
fn line(cause: &Explained, live: Option<&str>) -> Option<String> {
    let what = match &cause.condition {
        Condition::Running { .. } => live.map(|what| what.trim_start_matches("waits for ").to_owned()),
        Condition::Key { key, holder } => Some(format!("the key `{key}`, which `{holder}` has")),
        Condition::Places { around, limit } => Some(format!("a place in `{around}`, where {limit} steps run at once")),
        Condition::Rate { count, .. } => Some(format!("its rate of {count} attempts")),
        Condition::Trial { .. } => Some("the trial of its breaker".to_owned()),
        Condition::Backoff { number, breaker: None, .. } => Some(format!("the time of attempt {number}")),
        Condition::Backoff { number, .. } => Some(format!("the time of attempt {number}; its breaker is open")),
        Condition::Asking => Some("what a handler says".to_owned()),
        Condition::Waits(waiting) => Some(waiting.what.to_string()),
        Condition::Decision(blocked) => {
            return Some(format!("a decision about step {}, `{}`: {}", blocked.task.0, blocked.path, blocked.by));
        }
        _ => None,
    };
    what.map(|what| format!("{what} ({})", cause.path))
}
