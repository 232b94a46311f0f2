//! Orders of the operator: which of them fit, and what is recorded of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bugs::Bug;
use super::driver::Run;
use crate::event::{EventBody, Timestamp};
use crate::ports::{Control, Order};

/// Orders that are appended and not applied yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) pause: Option<bool>,
    /// Whether gently.
    pub(super) cancel: Option<bool>,
    /// The letters that they came with.
    letters: BTreeSet<Arc<str>>,
}

impl Run {
    /// Whether the run is paused, or will be when what is appended is durable.
    #[must_use]
    pub fn is_pausing(&self) -> bool {
        self.asked.pause.unwrap_or_else(|| self.is_paused())
    }

    /// Whether the run ends as cancelled, or will when what is appended is durable.
    #[must_use]
    pub fn is_cancelling(&self) -> bool {
        self.asked.cancel.is_some() || self.state.cancelled()
    }

    /// How often the run was migrated: what an [`Order::Decide`] must agree with.
    #[must_use]
    pub const fn migrations(&self) -> u64 {
        self.migrations
    }

    /// Whether a control letter was read, durably.
    #[must_use]
    pub fn has_taken(&self, id: &str) -> bool {
        self.state.has_taken(id)
    }

    /// Whether an order can be carried out now.
    ///
    /// # Errors
    /// Says why not.
    pub fn check_order(&self, order: &Order) -> Result<(), String> {
        let refuse = |reason: &str| Err(reason.to_owned());
        if self.over() {
            return refuse("the run has ended");
        }
        match order {
            Order::Pause { .. } if self.is_cancelling() => refuse("the run is being cancelled"),
            Order::Pause { .. } if self.is_pausing() => refuse("the run is paused already"),
            Order::Resume if !self.is_pausing() => refuse("the run is not paused"),
            Order::Cancel { gently: true, .. } if self.is_cancelling() => refuse("the run is being cancelled already"),
            Order::Cancel { .. } if self.state.hurried() || self.asked.cancel == Some(false) => {
                refuse("the run is being cancelled already, and what ran was told to stop")
            }
            Order::Advance { .. } if !self.is_pausing() => refuse("the run is not paused"),
            Order::Advance { .. } if self.is_cancelling() => refuse("the run is being cancelled"),
            Order::Advance { .. } => match self.blocked().first() {
                Some(blocked) => {
                    Err(format!("nothing starts before a decision about step {}, `{}`", blocked.task.0, blocked.path))
                }
                None => Ok(()),
            },
            Order::Decide { migrations: Some(seen), .. } if *seen != self.migrations => {
                refuse("the run was migrated since this was decided, and its steps have other numbers now")
            }
            Order::Decide { task, decision, .. } => self.check_decision(*task, decision),
            Order::Migrate(_) if self.is_cancelling() => refuse("the run is being cancelled"),
            Order::Change(changes) => changes.iter().try_for_each(|change| self.check_change(change)),
            Order::Pause { .. } | Order::Resume | Order::Cancel { .. } | Order::Migrate(_) => Ok(()),
        }
    }

    /// Takes an order that came in a letter: once, and with the reason when it does not fit.
    pub(super) fn control(&mut self, control: Control, now: Timestamp) {
        let Control { id, order } = control;
        let before = !self.asked.letters.insert(Arc::clone(&id)) || self.state.has_taken(&id);
        if before && !self.has_bug(Bug::OrderTwice) {
            return;
        }
        let refusal = self.check_order(&order).err();
        self.record(now, EventBody::ControlTaken { id, refusal });
        self.ask_for(order, now);
    }

    /// Writes down that an order in a letter is not carried out.
    pub fn refuse(&mut self, control: &Control, reason: String, now: Timestamp) {
        if !self.state.has_taken(&control.id) && self.asked.letters.insert(Arc::clone(&control.id)) {
            self.record(now, EventBody::ControlTaken { id: Arc::clone(&control.id), refusal: Some(reason) });
        }
    }

    /// Records an order if it fits.
    pub(super) fn ask_for(&mut self, order: Order, now: Timestamp) {
        if self.check_order(&order).is_err() {
            return;
        }
        let body = match order {
            Order::Pause { reason } => {
                self.asked.pause = Some(true);
                EventBody::Paused { reason }
            }
            Order::Resume => {
                self.asked.pause = Some(false);
                EventBody::Resumed
            }
            Order::Cancel { reason, gently } => {
                self.asked.cancel = Some(gently);
                EventBody::CancelRequested { reason, gently }
            }
            Order::Advance { steps } => EventBody::Advanced { steps },
            Order::Decide { task, decision, .. } => {
                self.decided.insert(task);
                EventBody::OperatorDecision { task, decision }
            }
            Order::Migrate(_) => return,
            Order::Change(changes) => {
                changes.into_iter().for_each(|change| self.record(now, EventBody::Changed(Box::new(change))));
                return;
            }
        };
        self.record(now, body);
    }
}
