//! What a plan says of a step or block beside its limits: waiting, order, pace, budgets, caching.

use catalog::Name;

use super::Expr;

/// How long to wait before a further attempt. All durations.
#[derive(Clone, Debug, Default)]
pub enum Backoff {
    /// At once.
    #[default]
    None,
    /// Always the same.
    Constant(Expr),
    /// `first`, then twice as long each time, up to `max`, each with up to a quarter of jitter taken off.
    Exponential {
        /// Before the first further attempt.
        first: Expr,
        /// Never more.
        max: Option<Expr>,
    },
}

/// A class declared in a flow file. Steps that name it share its places.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its name.
    pub name: Name,
    /// Steps of the class that run at once on one host.
    pub parallel: Option<u32>,
    /// Most memory of a step in bytes.
    pub memory: Option<u64>,
    /// Most fuel of an attempt.
    pub fuel: Option<u64>,
    /// Longest attempt in nanoseconds.
    pub timeout: Option<u64>,
}

/// What a step is told beside its limits. All of it holds within one run, except the cache, which all runs of a store share;
/// key, rate and breaker hold in addition between the runs of a process.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Which of the steps that wait for the same goes first: the highest; `s32`, 0 when nothing is said.
    pub priority: Option<Expr>,
    /// Steps of the run with an equal key run one at a time; a `string`.
    pub key: Option<Expr>,
    /// How often attempts of this node start, over all its instances in the run.
    pub rate: Option<Rate>,
    /// Shared by the calls of the same function with equal settings in the run.
    pub breaker: Option<Breaker>,
    /// Whether its result may come out of the store's cache.
    pub cache: Option<Cache>,
    /// `on_exhausted: pause`: when its attempts are used up an operator decides.
    pub pauses: bool,
    /// The name under which people find what it gives; a `string`.
    pub artifact: Option<Expr>,
    /// `on_exhausted: fail`: it fails then, and the host's recovery table is not asked. Not in the digest, which is older.
    pub fails: bool,
}

impl Rules {
    /// Whether nothing is said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let Self { priority, key, rate, breaker, cache, pauses, artifact, fails: _ } = self;
        artifact.is_none()
            && priority.is_none()
            && key.is_none()
            && rate.is_none()
            && breaker.is_none()
            && cache.is_none()
            && !*pauses
    }
}

/// `at_most(count, per: …)`: so many starts in any stretch of time of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate {
    /// At least 1.
    pub count: u32,
    /// In nanoseconds, more than 0.
    pub per: u64,
}

/// `trip(failures, within: …, cooldown: …)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Breaker {
    /// So many failed attempts open it; at least 1.
    pub failures: u32,
    /// In a stretch of time of so many nanoseconds.
    pub within: u64,
    /// It stays open for so many nanoseconds.
    pub cooldown: u64,
}

/// `cache: true` or `cache: 1h`.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// How old an entry may be; a duration. None: of any age.
    pub ttl: Option<Expr>,
}

/// `budget: { … }`: what all in a block may use together. The block fails when an attempt would begin beyond it.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// Attempts that start; `u64`.
    pub steps: Option<Expr>,
    /// Units of fuel that are billed; `u64`.
    pub fuel: Option<Expr>,
    /// From the beginning of the block; a duration.
    pub time: Option<Expr>,
}

impl Budget {
    /// Whether nothing is bounded.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_none() && self.fuel.is_none() && self.time.is_none()
    }

    /// Its expressions.
    pub fn exprs(&self) -> impl Iterator<Item = &Option<Expr>> {
        [&self.steps, &self.fuel, &self.time].into_iter()
    }

    /// Its expressions, to change them.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Option<Expr>> {
        [&mut self.steps, &mut self.fuel, &mut self.time].into_iter()
    }
}
