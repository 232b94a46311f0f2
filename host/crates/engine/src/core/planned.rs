//! Attempts of `run plan`: each stands for a run of its own, which has its own journal. Its id follows from the step, so
//! that it is found again and continued, never started twice.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::action::{Action, Awaited, ChildRun, Waiting};
use super::bugs::Bug;
use super::driver::Run;
use super::state::Status;
use crate::event::{RunId, TaskId, Timestamp};

impl Run {
    /// The run that an attempt of a step stands for, when it runs a plan.
    pub(super) fn child_of(&self, task: TaskId) -> Option<Box<ChildRun>> {
        let of = self.state.tasks().get(&task)?;
        let within = self.state.within_step(task)?;
        let (program, permitted) = self.state.origin();
        let failures = if self.has_bug(Bug::PlanRepeated) { 0 } else { of.failures };
        let id = child_id(&self.id, &of.path, failures);
        Some(Box::new(ChildRun { id, parent: self.id.clone(), within, program, permitted, trace: self.trace().cloned() }))
    }

    /// The run of a plan waits for somebody, or goes on again.
    pub(super) fn stall(&mut self, task: TaskId, number: u32, what: Option<Arc<str>>) {
        if !self.is_running(task, number) {
            return;
        }
        self.idle = false;
        match what {
            Some(what) => drop(self.stalled.insert(task, what)),
            None => drop(self.stalled.remove(&task)),
        }
    }

    /// The runs of plans that wait for somebody.
    pub(super) fn stalled_runs(&self) -> Vec<Waiting> {
        let waiting = self.stalled.iter().filter_map(|(task, what)| {
            let of = self.state.tasks().get(task)?;
            let run = child_id(&self.id, &of.path, of.failures);
            Some(Waiting { path: Arc::clone(&of.path), what: Awaited::Run { run, what: Arc::clone(what) }, until: None })
        });
        waiting.collect()
    }

    /// After a takeover: the runs of plans are gone on with, and those that are not wanted any more are stopped.
    pub(super) fn continue_plans(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        for (task, number, unwanted) in self.state.open_plans() {
            self.fly(task, number, out);
            if unwanted {
                self.stop(task, number, now, out);
            }
        }
    }

    /// Steps that began and left no outcome, as far as only they know what became of them.
    pub(super) fn lost_steps(&self) -> Vec<(TaskId, u32, Arc<str>)> {
        let tasks = self.state.tasks().iter();
        let lost = tasks.filter(|(_, task)| task.status == Status::Running && task.started && task.planned.is_none());
        lost.map(|(id, task)| (*id, task.number, Arc::clone(&task.path))).collect()
    }
}

/// The id of the run of a step's plan after so many failed ones: 60 bits of a digest, as twelve letters and digits.
fn child_id(parent: &RunId, path: &str, failures: u32) -> RunId {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut hash = Sha256::new();
    hash.update(b"flowhost plan 1");
    for part in [&*parent.0, path] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(failures.to_le_bytes());
    let letter = |byte: &u8| char::from(ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'0'));
    RunId(hash.finalize().iter().take(12).map(letter).collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use super::child_id;
    use crate::event::RunId;

    #[test]
    fn an_id_follows_from_run_path_and_failures() {
        let (one, other) = (RunId("a".into()), RunId("ab".into()));
        let id = child_id(&one, "main/plan", 0);
        assert_eq!(id, child_id(&one, "main/plan", 0));
        assert_eq!(id.0.len(), 12);
        for different in [child_id(&one, "main/plan", 1), child_id(&one, "main/plan2", 0), child_id(&other, "main/plan", 0)] {
            assert_ne!(id, different);
        }
        assert_ne!(child_id(&one, "bc", 0), child_id(&other, "c", 0), "parts do not run into each other");
    }
}
