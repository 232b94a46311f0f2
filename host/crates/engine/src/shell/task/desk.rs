//! What components of the run ask and look for while they run.

use std::sync::Arc;

use lang::plan::MailUse;

use super::RunTask;
use crate::core::{Input, StartAttempt};
use crate::ports::{Asking, GrantedCapability};
use crate::shell::asking::{Correspondence, Wanted};

impl RunTask {
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
