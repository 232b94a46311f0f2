//! What a guest asked for and was not granted.

use std::sync::{Arc, Mutex, PoisonError};

use engine::event::Denial;
use lang::plan::MailUse;

/// How many different denials are kept.
const MAX_DENIALS: usize = 64;
/// How many characters of a subject are kept: the guest chooses it.
const MAX_SUBJECT: usize = 200;

/// Something that needs a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Any file at all.
    Files,
    /// To change something in a folder that may only be read.
    Write,
    /// A path that leads out of the granted folders.
    Outside,
    /// A request to a host.
    Http,
    /// A socket or a name look-up of its own.
    Sockets,
    /// The environment.
    Env,
    /// Mail.
    Mail(MailUse),
}

impl Asked {
    const fn capability(self) -> &'static str {
        match self {
            Self::Files | Self::Write | Self::Outside => "files",
            Self::Http | Self::Sockets => "network",
            Self::Env => "env",
            Self::Mail(of) => of.word(),
        }
    }
}

/// The denials of an attempt. Shared, because requests are checked away from its store.
#[derive(Clone, Default)]
pub(crate) struct Denials(Arc<Mutex<Vec<Denied>>>);

/// One denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) asked: Asked,
    pub(crate) subject: String,
}

impl Denials {
    /// Keeps a denial, each once.
    pub(crate) fn add(&self, asked: Asked, subject: &str) {
        let denied = Denied { asked, subject: subject.chars().take(MAX_SUBJECT).collect() };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_DENIALS && !kept.contains(&denied) {
            kept.push(denied);
        }
    }

    pub(crate) fn take(&self) -> Vec<Denied> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Denied {
    /// As the outcome lists it.
    pub(crate) fn event(&self) -> Denial {
        Denial { capability: self.asked.capability().to_owned(), subject: self.subject.clone() }
    }

    /// What was asked for, and what would grant it.
    pub(crate) fn explain(&self) -> String {
        let subject = &self.subject;
        match self.asked {
            Asked::Files => "it asked for files and was granted none: give it a parameter of type `dir` and \
                             `allow: [read folder]`"
                .to_owned(),
            Asked::Write => format!(
                "it tried to change `{subject}` in a folder that it may only read: `allow: [read_write folder]` would permit it"
            ),
            Asked::Outside => format!("the path `{subject}` leads out of the folders that it was granted"),
            Asked::Http => format!("it asked for the host `{subject}`: `allow: [http \"{subject}\"]` would permit it"),
            Asked::Sockets => format!(
                "it asked for the network itself (`{subject}`), which nothing grants: plugins make requests through `wasi:http` \
                 with `allow: [http \"host\"]`"
            ),
            Asked::Mail(of) => {
                let what = if of == MailUse::Ask { "asked the role".to_owned() } else { format!("used `{of}` on") };
                format!("it {what} `{subject}`: `allow: [{}]` would permit it", of.written(subject))
            }
            Asked::Env => {
                "it read the environment and was granted none of it: `allow: [env \"NAME\"]` would permit it".to_owned()
            }
        }
    }
}
