//! When nothing goes on: what the run waits for, and when its task is over.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::RunTask;
use crate::core::{Blocked, Idle};
use crate::event::Seq;
use crate::ports::Live;
use crate::shell::gates::Stage;
use crate::shell::notice;
use crate::shell::{RunEnd, Update};

impl RunTask {
    /// Whether nothing of the run is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.end.is_none()
            && self.attempts.is_empty()
            && self.appends.is_empty()
            && self.run.running() == 0
            && !self.run.has_fresh()
            && self.changes.is_empty()
            && !self.inbox.is_busy()
    }

    /// Leaves the run as it is, unless there is mail that it would take.
    pub(super) fn park(&mut self) {
        if self.run.takes_mail() {
            self.collect_mail();
        }
        if !self.run.has_fresh() && !self.inbox.is_busy() {
            self.end.get_or_insert(RunEnd::Paused { blocked: self.run.blocked(), waiting: Vec::new() });
        }
    }

    /// Nothing has happened for a while: says what the run waits for.
    pub(super) fn look(&mut self) {
        let now = self.parts.clock.now();
        let known = |(_, _, path, stage): &(u32, AbortHandle, Arc<str>, Stage)| stage.live(path, now);
        let mut live: Vec<Live> = self.running.values().filter_map(known).take(notice::MOST_NOTED).collect();
        let no_room = "waits for a place: as many steps that may change the world have begun as there are places";
        live.extend(self.run.without_room(notice::MOST_NOTED).into_iter().map(|path| Live {
            path,
            what: no_room.to_owned(),
            until: None,
            runs: None,
        }));
        self.notice.looked(!live.is_empty());
        // What waits for a place goes on by itself soon.
        if let Some(what) = self.inbox.note(notice::note(&self.run, live))
            && self.attempts.is_empty()
        {
            self.outlets.tell(Update::Waiting { what });
        }
    }

    /// Nothing goes on by itself. A request or mail that came meanwhile may change that; else, where only its operator
    /// can move the run, the task is over.
    pub(super) fn idle(&mut self, idle: Idle) {
        while let Ok(request) = self.outlets.requests.try_recv() {
            self.request(Some(request));
        }
        self.take_early(Seq::MAX);
        self.collect_controls();
        if self.decide() || self.run.has_fresh() || self.end.is_some() || !self.changes.is_empty() {
            return;
        }
        if self.run.takes_mail() {
            self.collect_mail();
            if self.run.has_fresh() || self.end.is_some() {
                return;
            }
        }
        let mut lines: Vec<String> = idle.blocked.iter().map(undecided).collect();
        lines.extend(idle.paused.iter().map(|reason| format!("being resumed; it was paused ({reason})")));
        lines.extend(idle.waiting.iter().map(|waiting| format!("{} ({})", waiting.what, waiting.path)));
        for what in self.inbox.news(lines, !idle.waiting.is_empty() || !idle.blocked.is_empty()) {
            self.outlets.tell(Update::Waiting { what });
        }
        if !idle.moves() {
            self.end = Some(RunEnd::Paused { blocked: idle.blocked, waiting: idle.waiting });
        }
    }
}

fn undecided(blocked: &Blocked) -> String {
    format!("a decision about step {}, `{}`: {}", blocked.task.0, blocked.path, blocked.by)
}
