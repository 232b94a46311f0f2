//! Hosts that run attempts for each other.

use std::sync::{Arc, OnceLock};

use catalog::Name;
use futures::future::BoxFuture;

use super::{Invocation, Outcome};
use crate::event::Timestamp;

/// Lets other hosts run attempts for which there is no place here.
///
/// Whoever owns a run journals what comes of its attempts, wherever they run.
pub trait Elsewhere: Send + Sync + 'static {
    /// So many attempts of this kind the other hosts have places for, taken or not, as far as is known now.
    fn places(&self, kind: &Kind) -> u32;

    /// Ends when what [`Elsewhere::places`] gives may have changed since it had this number, and gives the next number.
    fn changed(&self, seen: u64) -> BoxFuture<'static, u64>;

    /// Lets another host run an attempt.
    fn offer(&self, offer: Offer) -> Box<dyn Errand>;
}

/// What decides which hosts can run an attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Its class.
    pub class: Option<Name>,
    /// Whether it is granted requests to some host.
    pub http: bool,
    /// Whether it is granted a variable of the environment.
    pub env: bool,
}

/// An attempt for another host.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The attempt, bounded as it would be here.
    pub invocation: Box<Invocation>,
    /// What decides who can run it.
    pub kind: Kind,
    /// How many attempts of its class may run at once in a process, where its flow says so.
    pub class_parallel: Option<u32>,
    /// Whether it may run a second time when nobody knows how the first time ended.
    pub repeatable: bool,
    /// So many hosts were lost while they ran this attempt.
    pub lost: u32,
    /// To be told which host begins it.
    pub begun: Begun,
}

/// Where an attempt runs that left the owner of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunsOn {
    /// The host that has begun it.
    pub host: Arc<str>,
    /// When it was let.
    pub since: Timestamp,
}

/// Which host has begun an attempt: told once by whoever lets it begin, and seen by all who have a copy.
#[derive(Clone, Debug, Default)]
pub struct Begun(Arc<OnceLock<RunsOn>>);

impl Begun {
    /// This host begins it; only the first one counts.
    pub fn tell(&self, host: &str, since: Timestamp) {
        self.0.get_or_init(|| RunsOn { host: host.into(), since });
    }

    /// The host that has begun it, and since when it runs there.
    #[must_use]
    pub fn told(&self) -> Option<RunsOn> {
        self.0.get().cloned()
    }

    /// The host that has begun it.
    #[must_use]
    pub fn host(&self) -> Option<Arc<str>> {
        self.0.get().map(|runs| Arc::clone(&runs.host))
    }
}

/// An attempt that was offered. Dropping it stops the attempt as well, and does not wait for that.
pub trait Errand: Send {
    /// What comes of it. Waiting may be given up and taken up again.
    fn fate(&mut self) -> BoxFuture<'_, Fate>;

    /// Takes it back, to run it here. False when another host has begun it.
    fn take_back(&mut self) -> bool;

    /// Stops it, and ends when it runs no more, or its host is lost.
    fn stop(&mut self) -> BoxFuture<'_, ()>;
}

/// What came of an attempt that was offered.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It ended like this.
    Outcome(Box<Outcome>),
    /// It had begun, it must not run twice, and its host does not answer any more.
    Unknown,
    /// It had begun, it may run a second time, and its host does not answer any more.
    Lost,
    /// Nobody has begun it, and nobody will: why, for people.
    Refused(Arc<str>),
}
