//! The one host of a cluster that starts runs by schedule, by message, and for sessions.

use bus::nats::{Connection, Lease};

use crate::exit::Problem;

/// Its key among the leases.
const KEY: &str = "leader";

/// This host's part in it.
#[derive(Debug)]
pub(crate) struct Leadership(Lease);

impl Leadership {
    /// Seeks it from now on.
    ///
    /// # Errors
    /// The servers do not answer.
    pub(super) fn seek(connection: &Connection, name: &str) -> Result<Self, Problem> {
        Ok(Self(Lease::seek(connection, KEY, name)?))
    }

    /// Whether this host has it now.
    pub(super) fn is_held(&self) -> bool {
        self.0.is_held()
    }

    /// Leaves it to another host.
    pub(super) fn give_up(&self) {
        self.0.give_up();
    }
}
