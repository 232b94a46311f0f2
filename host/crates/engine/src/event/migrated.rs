//! A change of the program under a run.

use catalog::Digest;

/// From here on the run belongs to another plan. What it has done before fits that plan as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// What it belonged to.
    pub from: Version,
    /// What it belongs to.
    pub to: Version,
}

/// A program, and the plan that it compiles to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The digest of the plan ([`lang::plan::Plan`]).
    pub plan: Digest,
    /// The blob that holds sources and component digests.
    pub program: Digest,
}
