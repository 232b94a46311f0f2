//! The attempts of a run: each is a task of its own that waits for what it needs, and says how it ended.

use std::sync::Arc;

use futures::FutureExt;
use tokio::task::JoinError;

use super::RunTask;
use crate::core::{Input, StartAttempt};
use crate::event::TaskId;
use crate::shell::attempt::{self, Done, Entry, Ready, Work, host_failed};
use crate::shell::cache::Cache;
use crate::shell::gates::{Line, Permit, Stage, Terms};
use crate::shell::{RunEnd, Update};

impl RunTask {
    /// Hands an attempt to a task of its own, which waits for what it needs. The run of a plan needs nothing: its steps do.
    pub(super) fn invoke(&mut self, start: StartAttempt) {
        let (task, number, path) = (start.task, start.number, Arc::clone(&start.path));
        let mut start = match self.children.begin(&self.parts, start) {
            Ok(child) => {
                let abort = self.attempts.spawn(async move { (task, number, child.run().await) }.boxed());
                self.running.insert(task, (number, abort, path, Stage::default()));
                return;
            }
            Err(start) => *start,
        };
        let used = start.cache.take();
        let (entry, stage) = match self.admitted.remove(&(task, number)) {
            Some(permit) => {
                let stage = permit.stage();
                (Entry::Permit(permit), stage)
            }
            None => {
                let line = self.line(&start);
                let stage = line.stage();
                (Entry::Line(line), stage)
            }
        };
        let (parts, valve) = (Arc::clone(&self.parts), Arc::clone(&self.valve));
        let asking = self.asking(&start);
        let Some(work) = Work::of(start, asking, self.run.trace()) else { return };
        let cache = match &work {
            Work::Step(invocation) => used.map(|used| Cache::new(&parts, used, invocation)),
            Work::Question(_) => None,
        };
        let ready = Ready { work, cache, entry, valve };
        let abort = self.attempts.spawn(async move { (task, number, ready.run(&parts).await) });
        self.running.insert(task, (number, abort, path, stage));
    }

    /// Lets an attempt wait for what it needs before it begins.
    pub(super) fn admit(&mut self, start: &StartAttempt) {
        let (task, number, path) = (start.task, start.number, Arc::clone(&start.path));
        let line = self.line(start);
        let stage = line.stage();
        let (parts, valve) = (Arc::clone(&self.parts), Arc::clone(&self.valve));
        let abort = self.attempts.spawn(async move { (task, number, attempt::admit(line, &valve, &parts).await) });
        self.running.insert(task, (number, abort, path, stage));
    }

    /// The line in which an attempt waits.
    fn line(&self, start: &StartAttempt) -> Line {
        let mut line = self.parts.gates.stand(&self.parts.config, start, &self.plan);
        line.terms = self.parts.elsewhere.as_ref().and_then(|_| Terms::of(start, &self.plan)).map(Box::new);
        line
    }

    pub(super) fn attempt_done(&mut self, done: Result<(TaskId, u32, Done), JoinError>) {
        let (task, number, outcome) = match done {
            Ok((task, number, Done::Outcome(outcome))) => (task, number, Ok(outcome)),
            Ok((task, number, Done::NotBegun)) => (task, number, Err(None)),
            Ok((task, number, Done::Stopped(host))) => (task, number, Err(Some(host))),
            Ok((task, number, Done::Unknown(host))) => return self.lost(task, number, host),
            Ok((task, number, Done::Admitted(permit))) => return self.has_all(task, number, permit),
            Ok((_, _, Done::Lost(error))) => {
                self.end.get_or_insert(RunEnd::StoreFailed(error));
                return;
            }
            Err(error) => {
                let Some((task, number)) = self.owner_of(error.id()) else { return };
                (task, number, if error.is_cancelled() { Err(None) } else { Ok(Box::new(host_failed())) })
            }
        };
        self.children.forget(task);
        self.mailroom.forget((task, number));
        let path = self.running.remove(&task).map(|(_, _, path, _)| path);
        let mut outcome = match outcome {
            Ok(outcome) => outcome,
            Err(host) => return self.input(Input::Stopped { task, number, host }),
        };
        if let Some(path) = path {
            for line in outcome.log.drain(..) {
                self.outlets.tell(Update::Log { path: Arc::clone(&path), line });
            }
        }
        self.input(Input::Outcome { task, number, outcome });
    }

    /// Another host had begun an attempt, and does not answer any more.
    fn lost(&mut self, task: TaskId, number: u32, host: Option<Arc<str>>) {
        self.running.remove(&task);
        self.input(Input::Unknown { task, number, host });
    }

    /// An attempt has what it needs. If nobody wants it any more, others get that.
    fn has_all(&mut self, task: TaskId, number: u32, permit: Permit) {
        self.running.remove(&task);
        self.admitted.insert((task, number), permit);
        self.input(Input::Admitted { task, number });
    }

    fn owner_of(&self, id: tokio::task::Id) -> Option<(TaskId, u32)> {
        let (task, (number, ..)) = self.running.iter().find(|(_, (_, abort, ..))| abort.id() == id)?;
        Some((*task, *number))
    }
}
