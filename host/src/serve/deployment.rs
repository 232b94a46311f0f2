//! The document that a deployment is stored as.
//!
//! `{"v": 1, "root": path, "allow": […], "labels": {…}, "missed": "once", "overlap": "allow",
//! "triggers": [{"item", "kind": "schedule" | "event" | "webhook", "cron", "zone", "topic", "path", "flow", "program"}]}`.
//! `item` is the trigger's name in this deployment: it stays the same in later versions as long as the trigger does.

use std::collections::BTreeMap;

use catalog::Digest;
use lang::{TriggerInfo, TriggerKind};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Problem};

/// The document's version.
const VERSION: u32 = 1;

/// What is done about times that have passed while nobody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Missed {
    /// Nothing
    Skip,
    /// One run for all of them
    #[default]
    Once,
    /// A run for each, up to 1,000
    All,
}

/// What is done when a trigger fires while the run that it last started has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Overlap {
    /// Another run is started
    #[default]
    Allow,
    /// No run is started
    Skip,
    /// The run is started when the other has ended
    Queue,
}

/// A version of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Document {
    v: u32,
    /// The flow file, as it was named.
    pub(crate) root: String,
    /// What the operator permits.
    pub(crate) allow: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
    pub(crate) triggers: Vec<StoredTrigger>,
}

/// A trigger of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredTrigger {
    pub(crate) item: String,
    /// The flow that it starts.
    pub(crate) flow: String,
    /// The blob of its program.
    program: String,
    #[serde(flatten)]
    pub(crate) when: When,
}

/// What a trigger waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum When {
    Schedule {
        cron: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        zone: Option<String>,
    },
    Event {
        topic: String,
    },
    Webhook {
        path: String,
    },
}

impl Document {
    pub(crate) fn new(
        root: &str,
        allow: Vec<String>,
        labels: BTreeMap<String, String>,
        missed: Missed,
        overlap: Overlap,
    ) -> Self {
        Self { v: VERSION, root: root.to_owned(), allow, labels, missed, overlap, triggers: Vec::new() }
    }

    /// Adds a trigger with the program that it starts.
    pub(crate) fn add(&mut self, trigger: &TriggerInfo, program: Digest) {
        let when = When::of(&trigger.kind);
        let name = format!("{when} -> {}", trigger.flow);
        let same =
            self.triggers.iter().filter(|other| other.item == name || other.item.starts_with(&format!("{name} #"))).count();
        let item = if same == 0 { name } else { format!("{name} #{}", same + 1) };
        self.triggers.push(StoredTrigger { item, flow: trigger.flow.to_string(), program: program.to_string(), when });
    }

    /// As it is stored.
    pub(crate) fn write(&self) -> Result<String, Problem> {
        serde_json::to_string(self).map_err(|error| Problem::new(Exit::Store, error.to_string()))
    }

    /// Reads what is stored under this name.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, Problem> {
        let wrong = |what: String| Problem::new(Exit::Store, format!("the deployment `{name}` cannot be read: {what}"));
        let document: Self = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if document.v != VERSION {
            return Err(wrong(format!("it has version {}, this host reads version {VERSION}", document.v)));
        }
        Ok(document)
    }
}

impl StoredTrigger {
    pub(crate) fn program(&self) -> Option<Digest> {
        crate::program::parse_digest(&self.program)
    }
}

impl When {
    fn of(kind: &TriggerKind) -> Self {
        match kind {
            TriggerKind::Schedule { cron, zone } => {
                Self::Schedule { cron: cron.to_string(), zone: zone.as_ref().map(|zone| zone.to_string()) }
            }
            TriggerKind::Event { topic } => Self::Event { topic: topic.to_string() },
            TriggerKind::Webhook { path } => Self::Webhook { path: path.to_string() },
        }
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Schedule { cron, zone: None } => write!(f, "schedule {cron}"),
            Self::Schedule { cron, zone: Some(zone) } => write!(f, "schedule {cron} in {zone}"),
            Self::Event { topic } => write!(f, "event {topic}"),
            Self::Webhook { path } => write!(f, "webhook {path}"),
        }
    }
}
