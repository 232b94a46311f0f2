//! How a store is opened.

use std::time::Duration;

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: one fsync for each commit.
    #[default]
    Full,
    /// The death of the process, but not of the operating system: no fsync for a commit.
    Process,
}

/// Options of [`crate::SqliteJournal::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What a commit survives.
    pub durability: Durability,
    /// Opens without the means to write; every append is refused.
    pub read_only: bool,
    /// The most events that one commit holds, beyond its first append.
    pub group_events: usize,
    /// The most bytes that one commit holds, beyond its first append.
    pub group_bytes: usize,
    /// Events in the writer's queue at which further appends wait.
    pub queue_events: usize,
    /// Bytes in the writer's queue at which further appends wait.
    pub queue_bytes: usize,
    /// How long to wait for another process that has the store locked.
    pub lock_timeout: Duration,
    /// Whether reports of escalations are put into the outbox: somebody sends them.
    pub outbox: bool,
    /// The most pages of 4 KiB that the store may have; for tests of a full store.
    pub max_page_count: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            read_only: false,
            group_events: 4096,
            group_bytes: 8 << 20,
            queue_events: 65_536,
            queue_bytes: 64 << 20,
            lock_timeout: Duration::from_secs(5),
            outbox: false,
            max_page_count: None,
        }
    }
}
