//! Which hosts are there: each keeps a key in a bucket whose entries go by themselves, and looks at those of the others.
//!
//! A key that is gone says that its host is dead, stopped or cut off. That nobody could be seen for a while says nothing: after
//! such a gap, of the servers or of this process, hosts that are missing get the time to show themselves first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::kv;
use engine::ports::JournalError;
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};

use super::assets::{handle, keys, token};
use super::connection::{Connection, Link};
use super::fetch::{batch, last, patiently};
use super::problem::{innermost, unavailable};

/// So long after its last sign a host counts as gone.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(10);

/// How often a host shows itself.
const REFRESH: Duration = Duration::from_secs(3);

/// When it tries again to show itself.
const AGAIN: Duration = Duration::from_millis(250);

/// How often a host looks for the others.
const LOOK: Duration = Duration::from_secs(1);

/// How long a host tries to show itself before it tries anew: what was sent over a connection that broke is not answered.
const SHOWN: Duration = Duration::from_secs(2);

/// Between two looks that are further apart than this, hosts may have gone unseen.
const GAP: Duration = Duration::from_secs(4);

/// The field of a host's document with its name.
const NAME: &str = "name";

/// The hosts of a namespace, seen from one of them.
#[derive(Clone)]
pub struct Presence {
    shared: Arc<Shared>,
    connection: Connection,
}

struct Shared {
    bucket: String,
    keys: kv::Store,
    state: Mutex<State>,
    /// What this host says of itself is to be published now.
    dirty: Notify,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// This host, when it shows itself.
    own: Option<Own>,
    others: BTreeMap<String, Value>,
    /// When hosts were last seen.
    looked: Option<Instant>,
    /// Whether nobody could be seen since.
    blind: bool,
    /// Until then nobody that was there counts as gone.
    grace: Option<Instant>,
}

struct Own {
    name: String,
    fields: Map<String, Value>,
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presence").field("bucket", &self.shared.bucket).finish_non_exhaustive()
    }
}

impl Presence {
    /// Looks who is there, and goes on looking as long as the connection lives. Blocks until it has seen the first time.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer, or do not let this client make the bucket.
    pub fn join(connection: &Connection) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        let shared = connection.block(async move {
            let bucket = format!("flow_{}_hosts", link.namespace());
            let keys = keys(&link, &bucket, "the hosts that are there", TIME_TO_LIVE).await?;
            let (state, changes) = (Mutex::default(), watch::Sender::new(0));
            let shared = Arc::new(Shared { bucket, keys, state, dirty: Notify::new(), changes });
            patiently(link.settings.timeout, || shared.look(&link)).await?;
            Ok(shared)
        })?;
        connection.spawn(watch_others(Arc::clone(&shared), connection.link().clone()));
        connection.spawn(show(Arc::clone(&shared)));
        Ok(Self { shared, connection: connection.clone() })
    }

    /// Shows this host to the others under a name. Blocks until it is seen.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer.
    pub fn announce(&self, name: &str, fields: Map<String, Value>) -> Result<(), JournalError> {
        self.shared.state().own = Some(Own { name: name.to_owned(), fields });
        let (shared, timeout) = (Arc::clone(&self.shared), self.connection.link().settings.timeout);
        self.connection.block(async move { patiently(timeout, || shared.publish()).await })
    }

    /// Changes what this host says of itself; the others see it soon.
    pub fn set(&self, field: &str, value: Value) {
        if let Some(own) = &mut self.shared.state().own {
            own.fields.insert(field.to_owned(), value);
        }
        self.shared.dirty.notify_one();
    }

    /// Takes this host away, so that nobody waits for its time to live. Blocks; when the servers do not answer it just ends.
    pub fn leave(&self) {
        let Some(own) = self.shared.state().own.take() else { return };
        let shared = Arc::clone(&self.shared);
        // Where it cannot be said the key goes by itself.
        let _ = self.connection.block(async move {
            let gone = shared.keys.purge(token(&own.name)).await;
            gone.map_err(|error| unavailable(innermost(&error)))
        });
    }

    /// The other hosts that are there: name and what each says of itself, in the order of their names.
    #[must_use]
    pub fn others(&self) -> Vec<(String, Value)> {
        self.shared.state().others.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// This host's name, when it shows itself.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.shared.state().own.as_ref().map(|own| own.name.clone())
    }

    /// Whether a host of this name is there: this one, or another that was seen.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let state = self.shared.state();
        state.own.as_ref().is_some_and(|own| own.name == name) || state.others.contains_key(name)
    }

    /// Whether a host of this name is there now, as the leader of the bucket knows it: what was seen last may be a second old, and a
    /// host that has just come is in nobody's view yet.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer.
    pub async fn is_there_now(&self, name: &str) -> Result<bool, JournalError> {
        if self.has(name) {
            return Ok(true);
        }
        let (shared, link, key) = (Arc::clone(&self.shared), self.connection.link().clone(), token(name));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.connection.spawn(async move { drop(sender.send(shared.has_key(&link, &key).await)) });
        receiver.await.unwrap_or_else(|_| Err(unavailable("is closed")))
    }

    /// Counts how often other hosts came, went, or said something else of themselves.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes this host's key anew, if it shows itself.
    async fn publish(&self) -> Result<(), JournalError> {
        let Some((key, text)) = self.state().own.as_ref().map(|own| (token(&own.name), own.text())) else { return Ok(()) };
        let put = self.keys.put(key, text.into()).await;
        put.map(drop).map_err(|error| unavailable(format_args!("does not take this host's presence: {}", innermost(&error))))
    }

    /// Reads the keys of all hosts.
    async fn look(&self, link: &Link) -> Result<(), JournalError> {
        let (stream, subject) = (format!("KV_{}", self.bucket), format!("$KV.{}.>", self.bucket));
        let (mut found, mut next) = (BTreeMap::new(), 1);
        loop {
            let part = batch(link, &stream, &subject, next).await?;
            let Some(last) = part.last() else { break };
            next = last.sequence + 1;
            found.extend(part.iter().filter_map(|message| host(&message.payload)));
        }
        self.see(found);
        Ok(())
    }

    async fn has_key(&self, link: &Link, key: &str) -> Result<bool, JournalError> {
        let stream = handle(link, &format!("KV_{}", self.bucket)).await?;
        let found = last(link, &stream, &format!("$KV.{}.{key}", self.bucket)).await?;
        Ok(found.is_some_and(|message| host(&message.payload).is_some()))
    }

    fn see(&self, mut found: BTreeMap<String, Value>) {
        let now = Instant::now();
        let mut state = self.state();
        if let Some(own) = &state.own {
            found.remove(&own.name);
        }
        let gap = state.looked.is_some_and(|looked| now.saturating_duration_since(looked) > GAP);
        if std::mem::take(&mut state.blind) || gap {
            state.grace = Some(now + TIME_TO_LIVE);
        }
        state.looked = Some(now);
        if state.grace.is_some_and(|until| now < until) {
            for (name, value) in &state.others {
                found.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        if state.others != found {
            state.others = found;
            drop(state);
            self.changes.send_modify(|count| *count += 1);
        }
    }
}

impl Own {
    fn text(&self) -> String {
        let mut document = self.fields.clone();
        document.insert(NAME.to_owned(), self.name.as_str().into());
        Value::Object(document).to_string()
    }
}

/// The name and the document of a key; none for one that was taken away.
fn host(payload: &[u8]) -> Option<(String, Value)> {
    let document: Value = serde_json::from_slice(payload).ok()?;
    Some((document.get(NAME)?.as_str()?.to_owned(), document))
}

async fn watch_others(shared: Arc<Shared>, link: Link) {
    loop {
        tokio::time::sleep(LOOK).await;
        // While nobody answers nobody is declared gone.
        if shared.look(&link).await.is_err() {
            shared.state().blind = true;
        }
    }
}

async fn show(shared: Arc<Shared>) {
    let mut shown = true;
    loop {
        tokio::select! {
            () = tokio::time::sleep(REFRESH), if shown => {}
            () = tokio::time::sleep(AGAIN), if !shown => {}
            () = shared.dirty.notified() => {}
        }
        shown = matches!(tokio::time::timeout(SHOWN, shared.publish()).await, Ok(Ok(())));
    }
}
