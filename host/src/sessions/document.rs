//! The document that a session is stored with.
//!
//! `{"v": 1, "root": path, "allow": […], "hooks": [{"event": "start" | "end", "handler", "program"}]}`

use catalog::Digest;
use lang::SessionEvent;
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Problem};

/// The document's version.
const VERSION: u32 = 1;

/// What a session was opened with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Document {
    v: u32,
    /// The flow file, as it was named.
    pub(crate) root: String,
    /// What the operator permits to the handlers.
    pub(crate) allow: Vec<String>,
    pub(crate) hooks: Vec<StoredHook>,
}

/// A `hook session` of the flow file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredHook {
    event: Event,
    /// As written, such as `guard.opened`.
    pub(crate) handler: String,
    /// The blob of its program.
    program: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Event {
    Start,
    End,
}

impl Document {
    pub(crate) fn new(root: &str, allow: Vec<String>) -> Self {
        Self { v: VERSION, root: root.to_owned(), allow, hooks: Vec::new() }
    }

    /// As it is stored.
    pub(crate) fn write(&self) -> Result<String, Problem> {
        serde_json::to_string(self).map_err(|error| Problem::new(Exit::Store, error.to_string()))
    }

    /// Reads what is stored of this session.
    pub(crate) fn read(session: &str, text: &str) -> Result<Self, Problem> {
        let wrong = |what: String| Problem::new(Exit::Store, format!("the session `{session}` cannot be read: {what}"));
        let document: Self = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if document.v != VERSION {
            return Err(wrong(format!("it has version {}, this host reads version {VERSION}", document.v)));
        }
        Ok(document)
    }
}

impl StoredHook {
    pub(crate) fn new(event: SessionEvent, handler: &str, program: Digest) -> Self {
        let event = match event {
            SessionEvent::Start => Event::Start,
            SessionEvent::End => Event::End,
        };
        Self { event, handler: handler.to_owned(), program: program.to_string() }
    }

    pub(crate) const fn event(&self) -> SessionEvent {
        match self.event {
            Event::Start => SessionEvent::Start,
            Event::End => SessionEvent::End,
        }
    }

    pub(crate) fn program(&self) -> Option<Digest> {
        crate::program::parse_digest(&self.program)
    }
}
