//! How much of a store's time a clean-up takes.

use std::time::{Duration, Instant};

/// The longest rest after a part.
const LONGEST: Duration = Duration::from_millis(200);

/// How a clean-up goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it can. Whoever writes beside it waits for a part now and then.
    #[default]
    Fast,
    /// In small parts, with a rest after each that is as long as the part was: for a store that others are using.
    Gentle,
}

impl Pace {
    /// Events that are deleted in one transaction.
    pub(super) const fn events(self) -> usize {
        match self {
            Self::Fast => 2_048,
            Self::Gentle => 256,
        }
    }

    /// Blobs, or results in the cache, that are deleted in one transaction.
    pub(super) const fn rows(self) -> usize {
        match self {
            Self::Fast => 256,
            Self::Gentle => 32,
        }
    }

    /// Pages that are given back in one transaction.
    pub(super) const fn pages(self) -> u32 {
        match self {
            Self::Fast => 1_024,
            Self::Gentle => 128,
        }
    }

    /// How the log is moved into the file at last: the first way waits for those who read, and others wait for it meanwhile.
    pub(super) const fn checkpoint(self) -> &'static str {
        match self {
            Self::Fast => "TRUNCATE",
            Self::Gentle => "PASSIVE",
        }
    }

    /// Leaves the store to others after a part that began then.
    pub(super) fn rest(self, began: Instant) {
        if self == Self::Gentle {
            std::thread::sleep(began.elapsed().min(LONGEST));
        }
    }
}
