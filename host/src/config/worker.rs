//! `[worker]`: what this host runs for the runs of others.

use std::collections::BTreeMap;

use bus::nats::{ACK_WAIT, WorkerOptions};
use engine::permit::{self, Permit};
use serde::Deserialize;

use crate::exit::Problem;

/// `[worker]`. Without it a host runs steps of any class, and those only that need no more than `[policy]` allows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WorkerConfig {
    /// The only classes that it takes.
    pub(crate) classes: Option<Vec<String>>,
    /// What others see of it.
    pub(crate) labels: BTreeMap<String, String>,
}

impl WorkerConfig {
    /// What it runs, where the operator permits this.
    ///
    /// # Errors
    /// Something is no permission.
    pub(crate) fn options<'a>(&self, allow: impl Iterator<Item = &'a String>) -> Result<WorkerOptions, Problem> {
        let permits: Vec<Permit> =
            allow.map(|text| permit::parse(text)).collect::<Result<_, _>>().map_err(|error| Problem::usage(error.to_string()))?;
        let only = self.classes.as_ref().map(|names| names.iter().map(|name| name.as_str().into()).collect());
        Ok(WorkerOptions { permits, only, labels: self.labels.clone(), ack_wait: ACK_WAIT })
    }
}
