//! Hooks that were added by command: the same for all hosts of a namespace.

use std::time::Duration;

use async_nats::jetstream::kv::Store;
use catalog::duration;
use engine::ports::JournalError;
use serde_json::{Value, json};

use super::super::assets::keys;
use super::super::connection::{Connection, Link};
use super::super::fetch::batch;
use super::super::problem::{innermost, unavailable};
use super::HookRule;

/// The hooks of a namespace that are not in a configuration.
#[derive(Clone, Debug)]
pub struct HookBook {
    connection: Connection,
}

impl HookBook {
    /// The book of the connection's namespace.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }

    /// All hooks, by name. Blocks.
    ///
    /// # Errors
    /// The servers do not answer, or one of them is not of this version.
    pub fn list(&self) -> Result<Vec<HookRule>, JournalError> {
        let link = self.connection.link().clone();
        self.connection.block(async move {
            open(&link).await?;
            let bucket = bucket(&link);
            let (mut rules, mut next) = (Vec::new(), 1);
            loop {
                // Of each name there is the last message; of a removed one it is empty.
                let part = batch(&link, &format!("KV_{bucket}"), &format!("$KV.{bucket}.>"), next).await?;
                let Some(last) = part.last() else { break };
                next = last.sequence + 1;
                for message in part.iter().filter(|message| !message.payload.is_empty()) {
                    let unknown = || unavailable("has a hook that this version of `host` does not know; use a newer one");
                    rules.push(read(&message.payload).ok_or_else(unknown)?);
                }
            }
            rules.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(rules)
        })
    }

    /// Adds a hook, in place of one of the same name. Blocks.
    ///
    /// # Errors
    /// The servers do not answer.
    pub fn add(&self, rule: &HookRule) -> Result<(), JournalError> {
        let (link, name, text) = (self.connection.link().clone(), rule.name.clone(), document(rule).to_string());
        self.connection.block(async move {
            let put = open(&link).await?.put(name, text.into()).await;
            put.map(drop).map_err(|error| broken(&error))
        })
    }

    /// Removes a hook; false when there is none of this name. Blocks.
    ///
    /// # Errors
    /// The servers do not answer.
    pub fn remove(&self, name: &str) -> Result<bool, JournalError> {
        let (link, name) = (self.connection.link().clone(), name.to_owned());
        self.connection.block(async move {
            let store = open(&link).await?;
            if store.get(&name).await.map_err(|error| broken(&error))?.is_none() {
                return Ok(false);
            }
            store.purge(&name).await.map(|()| true).map_err(|error| broken(&error))
        })
    }
}

fn broken(error: &dyn std::error::Error) -> JournalError {
    unavailable(format_args!("does not give its hooks: {}", innermost(error)))
}

async fn open(link: &Link) -> Result<Store, JournalError> {
    keys(link, &bucket(link), "hooks around runs", Duration::ZERO).await
}

fn bucket(link: &Link) -> String {
    format!("flow_{}_hooks", link.namespace())
}

fn document(rule: &HookRule) -> Value {
    let nanos = u64::try_from(rule.timeout.as_nanos()).unwrap_or(u64::MAX);
    json!({
        "v": 1,
        "name": rule.name,
        "phase": rule.phase_name(),
        "event": rule.event_name(),
        "on": rule.on,
        "timeout": duration::display(nanos).to_string(),
        "default": if rule.lenient { "allow" } else { "veto" },
    })
}

fn read(text: &[u8]) -> Option<HookRule> {
    let document: Value = serde_json::from_slice(text).ok()?;
    let field = |name: &str| document.get(name)?.as_str();
    let rule = HookRule::new(field("name")?, (field("phase")?, field("event")?), field("on")).ok()?;
    let timeout = Duration::from_nanos(duration::parse(field("timeout")?).ok()?);
    let lenient = match (document.get("v")?.as_u64()?, field("default")?) {
        (1, "allow") => true,
        (1, "veto") => false,
        _ => return None,
    };
    Some(HookRule { timeout, lenient, ..rule })
}

#[cfg(test)]
mod tests {
    use super::{document, read};
    use crate::nats::HookRule;

    #[test]
    fn a_hook_is_read_as_it_was_written() {
        for (on, lenient) in [(None, true), (Some("a.*"), false)] {
            let rule = HookRule { lenient, ..HookRule::new("a", ("before", "step"), on).unwrap() };
            assert_eq!(read(document(&rule).to_string().as_bytes()), Some(rule));
        }
        assert_eq!(read(b"{\"v\":2}"), None);
        assert_eq!(read(b"nonsense"), None);
    }
}
