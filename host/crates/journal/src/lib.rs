//! The journal of runs on SQLite, and the stored form of its events.
//!
//! # Steps
//!
//! 1. [`wire`] turns an event into its stored form (a kind, a path and a JSON body) and back.
//! 2. [`chain`] links the stored events of a run by hashes, and names what is missing or changed.
//! 3. [`SqliteJournal`] appends them: one writer thread, many runs in one commit.
//! 4. [`Reader`] answers `ps`, `show` and `events`, also while another process writes.
//! 5. [`replica`] has a store follow streams that many hosts share; [`standing`] is what it has of them beside events, in one document.
//! 6. [`stats`] sums up how runs and steps went.
//! 7. [`conformance`] states what every adapter of [`engine::ports::Journal`] must do.
//!
//! The format is described in `host/docs/journal.md`.

mod backup;
mod bundle;
pub mod chain;
pub mod conformance;
mod deploy;
mod escalations;
mod home;
mod load;
mod mail;
mod marks;
mod options;
mod order;
mod problem;
mod queue;
mod read;
pub mod replica;
pub mod retention;
mod schema;
mod sessions;
pub mod standing;
pub mod stats;
mod store;
mod vault;
mod verify;
pub mod wire;
mod writer;

pub use backup::{Stop, backup, restore};
pub use bundle::{Copied, export, import};
pub use deploy::{DeployWrite, Deployment, Fired, Mark, Topic};
pub use escalations::{Delivery, EscalationRow};
pub use load::Prefix;
pub use options::{Durability, Options};
pub use read::{
    AttemptRow, AttemptState, EventRow, FindError, LAST_RUN, OpenRun, Reader, RunFilter, RunOrder, RunRow, RunStatus,
};
pub use schema::{APPLICATION_ID, FORMAT_VERSION};
pub use sessions::{SessionRow, SessionStatus, SessionWrite};
pub use store::SqliteJournal;
pub use verify::{DamagedRun, Verification};
