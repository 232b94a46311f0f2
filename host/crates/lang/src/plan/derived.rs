//! What follows from a plan and every run of it needs: found once, when it is first asked for.

use std::sync::OnceLock;

use catalog::Digest;

use super::rank::Ranks;
use super::{NodeId, Plan};

/// What was found so far. A copy of a plan finds it anew, because a copy is made to be changed.
#[derive(Debug, Default)]
pub struct Derived {
    digest: OnceLock<Digest>,
    ranks: OnceLock<Ranks>,
}

impl Clone for Derived {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Plan {
    /// The sha256 of all that decides how a run goes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        *self.derived.digest.get_or_init(|| crate::digest::of(self))
    }

    /// So many steps follow this node at the most, on the longest way to the end of the run.
    #[must_use]
    pub fn rank(&self, node: NodeId) -> u32 {
        self.derived.ranks.get_or_init(|| Ranks::of(self)).get(node)
    }

    /// Forgets what was found: the plan is being changed.
    pub(super) fn forget_derived(&mut self) {
        self.derived = Derived::default();
    }
}
