//! The mail of the run: what came, and what its components ask and look for while they run.

use std::sync::Arc;

use lang::plan::MailUse;

use super::RunTask;
use crate::core::{Input, StartAttempt};
use crate::ports::{Asking, GrantedCapability, JournalError};
use crate::shell::RunEnd;
use crate::shell::asking::{Correspondence, Wanted};
use crate::shell::inbox::Errand;

impl RunTask {
    pub(super) fn errand_done(&mut self, done: Result<Errand, JournalError>) {
        match done {
            Ok(Errand::Published(task)) => self.input(Input::Published(task)),
            Ok(Errand::Arrived) => {
                self.collect_controls();
                if self.run.takes_mail() {
                    self.collect_mail();
                }
            }
            Ok(Errand::Done) => {}
            Err(error) => drop(self.end.get_or_insert(RunEnd::StoreFailed(error))),
        }
    }

    /// Takes what is in the inbox.
    pub(super) fn collect_mail(&mut self) {
        loop {
            match self.inbox.collect() {
                Ok(letters) if letters.is_empty() => break,
                Ok(letters) => {
                    for letter in letters {
                        self.input(Input::Mail(letter.mail));
                        self.inbox.handed(self.run.recorded(), letter.no);
                    }
                }
                Err(error) => {
                    self.end.get_or_insert(RunEnd::StoreFailed(error));
                    return;
                }
            }
        }
        self.inbox.committed(self.run.applied());
    }

    /// How a component asks, when it may.
    pub(super) fn asking(&self, start: &StartAttempt) -> Option<Arc<dyn Asking>> {
        let asks = |grant: &GrantedCapability| matches!(grant, GrantedCapability::Mail(MailUse::Ask | MailUse::Receive, _));
        let asks = start.grants.iter().any(asks);
        asks.then(|| Correspondence::of(start, &self.parts.bus, &self.plan, &self.mailroom, self.run.trace()))
    }

    /// A component looks for a message: what has come by now counts.
    pub(super) fn wanted(&mut self, wanted: Wanted) {
        let Wanted { task, number, topic, reply } = wanted;
        self.mailroom.tell((task, number), reply);
        self.collect_mail();
        self.input(Input::Receive { task, number, topic });
    }
}
