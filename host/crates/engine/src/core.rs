//! A run as a pure state machine: no I/O, no clock, no chance; the same events give the same commands, always.
//!
//! # Steps
//!
//! 1. A [`Run`] is given an [`Input`] and the time, and gives [`Action`]s to carry out.
//! 2. What an input means is written as events, which come out with [`Action::Append`].
//! 3. When they are durable ([`Input::Committed`]) they change the state, and what follows comes out.
//!    So nothing can depend on what is not durable.
//! 4. After a crash [`Run::replay`] makes the state from the events, and [`Run::recover`] goes on.

mod action;
mod attempts;
mod bugs;
mod control;
mod driver;
mod explain;
mod line;
mod lineage;
pub mod mail;
mod migrate;
mod place;
mod planned;
mod receive;
mod recover;
mod render;
mod retry;
mod slab;
mod state;
mod timing;
mod values;
mod view;

pub use action::{
    Action, Awaited, Blocked, BlockedBy, CacheUse, ChildRun, Following, Idle, Input, Progress, ReplayError, Shared, StartAttempt,
    Totals, Waiting, Wishes,
};
pub use attempts::{Admission, Capacity};
#[cfg(feature = "planted-bugs")]
pub use bugs::Bug;
pub use driver::Run;
pub use explain::{Condition, Explained, Missing, plan_paths};
pub use lineage::Lineage;
pub use migrate::{Fit, Incompatible, check_migration, current_events};
pub use render::{render_action, render_event};
pub use retry::{Again, Retry, RetryError, retry};
pub use timing::{Spent, Timing, timings};
pub use view::{DoneNode, OpenNode, OpenRegion, Standing, StepStatus, View};
