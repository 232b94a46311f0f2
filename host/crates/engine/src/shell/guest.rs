//! Places for attempts of runs that other hosts own.

use std::sync::Arc;

use catalog::Name;

use super::Engine;
use super::gates::{Held, Loan};
use crate::ports::{Invocation, Limits, Outcome};

/// Places for one attempt of another host's run, which takes them as one of this host's own runs would.
pub struct Guest {
    engine: Engine,
    held: Vec<Held>,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("places", &self.held.len()).finish_non_exhaustive()
    }
}

/// How many attempts there are places for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Now.
    pub free: u32,
    /// Altogether.
    pub places: u32,
}

impl Engine {
    /// How many attempts of a class there are places for; of none: in the process.
    #[must_use]
    pub fn room(&self, class: Option<&Name>) -> Room {
        let (free, places) = self.parts.gates.room_of(class);
        Room { free, places }
    }

    /// Waits, behind all that this host's own runs want to begin, until there is a place for an attempt of a class.
    pub async fn has_room(&self, class: Option<&Name>) {
        self.parts.gates.room(class).await;
    }

    /// The classes that the configuration knows.
    pub fn classes(&self) -> impl Iterator<Item = &Name> {
        self.parts.config.classes.keys()
    }

    /// Why an attempt that asks for so much is not run here: what bounds it is never narrowed for it.
    #[must_use]
    pub fn refuses(&self, limits: &Limits, class: Option<&Name>) -> Option<String> {
        let most = &self.parts.config.ceilings;
        let bounds = [
            ("fuel", limits.fuel, most.fuel),
            ("memory", limits.memory, most.memory),
            ("table elements", limits.table_elements, most.table_elements),
            ("result size", limits.result_size, most.result_size),
        ];
        let over = bounds.into_iter().find(|(_, wanted, most)| wanted > most);
        if let Some((what, wanted, most)) = over {
            return Some(format!("it asks for {wanted} of {what}, and no attempt gets more than {most} here"));
        }
        if limits.timeout > most.timeout {
            return Some(format!("it may take {:?}, and no attempt gets more than {:?} here", limits.timeout, most.timeout));
        }
        self.parts.gates.refuses(limits.memory, class)
    }

    /// Takes the places for an attempt of another host's run, if they are free now. `class_parallel`: how many of its class
    /// may run at once in a process, where its flow says so.
    #[must_use]
    pub fn lend(&self, class: Option<Name>, class_parallel: Option<u32>, invocation: &Invocation) -> Option<Guest> {
        let loan = Loan { class, class_parallel, memory: invocation.limits.memory };
        let held = self.parts.gates.lend(&loan, &invocation.idempotency_key)?;
        Some(Guest { engine: self.clone(), held })
    }
}

impl Guest {
    /// Runs the attempt in these places.
    pub async fn run(self, invocation: Invocation) -> Outcome {
        let outcome = Arc::clone(&self.engine.parts.invoker).invoke(invocation).await;
        drop(self.held);
        outcome
    }
}
