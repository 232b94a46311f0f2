//! What many hosts share: a NATS cluster.
//!
//! # Steps
//!
//! 1. [`Connection`] connects, and refuses a server that is too old or has no JetStream, saying what to do.
//! 2. [`JetStreamJournal`] keeps the events of runs in a stream: `commit` publishes what one run appends as one message, fenced by
//!    the position of the message before it; `writer` has many runs under way at once.
//! 3. `load` reads a run back and checks its hash chain; `wire` is the form of a message.
//! 4. `blobs` keeps what is too large for a message, `cache` the results of steps for later runs.
//! 5. [`Dispatcher`] lets other hosts run attempts, [`Worker`] runs theirs; `components` brings what they call, by its digest.
//! 6. [`DeadLetters`] keeps what could not be handled.
//! 7. [`Presence`] says which hosts are there.
//! 8. `envelope` is the form of what programs send and get that are no hosts; [`NatsAgents`] asks agents and [`RoleServer`] answers
//!    for this host's; [`NatsMessages`] is what runs emit and wait for; [`HookRule`] is what others handle around runs.
//! 9. [`Replica`] has a store in a file follow the streams, which `feed` reads; `mail` is the one of all that are no events, `named`
//!    fetches what events name.
//! 10. [`RunQueue`] has runs wait for a host with room, [`Lease`] says who does what only one host is to do.
//!
//! The form of what is stored is described in `host/docs/cluster.md`, that of what leaves in `host/docs/contract.md`.

mod agents;
mod answering;
mod assets;
mod blobs;
mod cache;
mod commit;
mod components;
mod connection;
mod dead;
mod envelope;
mod feed;
mod fetch;
mod hooks;
mod journal;
mod lease;
mod load;
mod mail;
mod messages;
mod named;
mod presence;
mod problem;
mod queue;
mod replica;
mod settings;
mod tasks;
mod topics;
mod upkeep;
mod wire;
mod writer;

pub use agents::NatsAgents;
pub use answering::{RoleServer, Served};
pub use connection::Connection;
pub use dead::{DeadLetter, DeadLetters};
pub use feed::Report;
pub use hooks::{HookBook, HookCall, HookLog, HookRule, HookTries, NatsHooks};
pub use journal::{JetStreamJournal, Options};
pub use lease::Lease;
pub use messages::{Delivery, NatsMessages, NatsOutside, Refused};
pub use presence::{Presence, TIME_TO_LIVE};
pub use problem::ConnectError;
pub use queue::{Queued, RunQueue};
pub use replica::Replica;
pub use settings::{Auth, Namespace, Settings, Tls};
pub use tasks::{ACK_WAIT, Dispatcher, Loader, Scale, Source, WORK, Worker, WorkerOptions};
pub use upkeep::Shortened;
