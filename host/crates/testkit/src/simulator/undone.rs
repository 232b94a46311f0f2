//! The accounts of what was done and taken back, from the journal alone and by the names of steps.
//!
//! A step `u7` must be taken back when the run does not succeed, `ulost7` always; one with `always` in its name also
//! when it failed or was interrupted. Nothing else is taken back, nothing twice, and of one region the last first.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use engine::event::{Decision, Event, EventBody, Seq, TaskId};

use super::steps::{is_handler, sender, sends};

/// Steps with compensations, by path.
#[derive(Default)]
pub(super) struct Undone {
    steps: BTreeMap<Arc<str>, Account>,
}

/// What became of a step.
#[derive(Default)]
struct Account {
    /// It succeeded.
    done: bool,
    /// When it was over: of what sends messages, when the last of them had arrived.
    over: Option<Seq>,
    /// It failed, or was interrupted.
    failed: bool,
    /// When its compensation had first succeeded, or failed for good.
    undone: Option<Seq>,
    /// Its compensation fails whenever it is tried, as often as the recovery table says: that is once that it was tried.
    tried: bool,
    times: u32,
}

impl Undone {
    /// An event is durable; `asked` tells which step a decision is about.
    pub(super) fn note(&mut self, event: &Event, asked: &BTreeMap<TaskId, (Arc<str>, bool)>) {
        if let EventBody::MessageSent { attempt } = &event.body
            && let Some(step) = sender(&attempt.path)
            && let Some(account) = self.steps.get_mut(step)
        {
            account.over = Some(event.seq);
        }
        let (path, success) = match &event.body {
            EventBody::AttemptSucceeded { attempt, .. } => (&attempt.path, true),
            EventBody::AttemptFailed { attempt, .. } => (&attempt.path, false),
            EventBody::AttemptCancelled { attempt, .. } if !attempt.path.contains(".undo/") => (&attempt.path, false),
            EventBody::OperatorDecision { task, decision: Decision::Supply(_) } => match asked.get(task) {
                Some((path, _)) => (path, true),
                None => return,
            },
            _ => return,
        };
        if is_handler(path) {
            return;
        }
        if let Some((undone, step)) = path.rsplit_once(".undo/") {
            if success || step.starts_with('x') {
                let account = self.steps.entry(undone.into()).or_default();
                if success || !std::mem::replace(&mut account.tried, true) {
                    account.times += 1;
                }
                account.undone.get_or_insert(event.seq);
            }
        } else if has_undo(path) {
            let account = self.steps.entry(Arc::clone(path)).or_default();
            if success {
                account.done = true;
                if !sends(path) {
                    account.over.get_or_insert(event.seq);
                }
            } else {
                account.failed = true;
            }
        }
    }

    /// All that was done below a path and is lost is taken back.
    pub(super) fn check_below(&self, path: &str, before: &str) -> Result<(), String> {
        let below =
            self.steps.range::<str, _>((Bound::Included(path), Bound::Unbounded)).take_while(|(step, _)| step.starts_with(path));
        let mut left = below.filter(|(step, account)| is_lost(step) && account.done && account.times == 0);
        left.next().map_or(Ok(()), |(step, _)| Err(format!("`{before}` began before `{step}` was undone")))
    }

    /// The run has ended.
    pub(super) fn check_end(&self, success: bool) -> Result<(), String> {
        let mut regions: BTreeMap<&str, Vec<(Seq, Seq, &str)>> = BTreeMap::new();
        for (path, account) in &self.steps {
            let ended = account.done || (account.failed && path.contains("always"));
            let wanted = u32::from(ended && (!success || is_lost(path)));
            if account.times != wanted {
                return Err(format!("`{path}` was undone {} times instead of {wanted}", account.times));
            }
            if let (Some(over), Some(undone)) = (account.over, account.undone) {
                let region = path.rsplit_once('/').map_or("", |(region, _)| region);
                regions.entry(region).or_default().push((over, undone, path));
            }
        }
        for steps in regions.values_mut() {
            steps.sort_unstable();
            for pair in steps.windows(2) {
                if let [(_, first, one), (_, second, other)] = pair
                    && first < second
                {
                    return Err(format!("`{one}` was undone before `{other}`, which was done later"));
                }
            }
        }
        Ok(())
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn has_undo(path: &str) -> bool {
    let name = name_of(path);
    name.starts_with('u') || name.contains("always")
}

fn is_lost(path: &str) -> bool {
    name_of(path).contains("ulost")
}
