//! The store's cache of results, as one attempt uses it.
//!
//! The key is made of all that a result depends on where a step is a function of its arguments: component, function,
//! arguments, what is granted, and the version of the semantics. What cannot be read, or is not of the step's type, is not there.

use std::sync::Arc;

use catalog::Digest;
use lang::plan::SEMANTICS_VERSION;
use sha2::{Digest as _, Sha256};

use super::Parts;
use crate::core::CacheUse;
use crate::event::CacheNote;
use crate::ports::{Invocation, Outcome};

/// Longer results are not kept, in bytes of their JSON form.
const LONGEST: usize = 8 << 20;

/// The cache for one attempt.
pub(super) struct Cache {
    parts: Arc<Parts>,
    used: CacheUse,
    key: Digest,
}

impl Cache {
    pub(super) fn new(parts: &Arc<Parts>, used: CacheUse, invocation: &Invocation) -> Self {
        Self { parts: Arc::clone(parts), used, key: key_of(invocation) }
    }

    /// The outcome of an attempt that need not run, or why it must.
    pub(super) async fn look_up(&self) -> Result<Outcome, CacheNote> {
        let (parts, key) = (Arc::clone(&self.parts), self.key);
        let found = tokio::task::spawn_blocking(move || parts.journal.cached(key)).await;
        let Ok(Ok(Some(found))) = found else { return Err(CacheNote::NoEntry) };
        let age = self.parts.clock.now().0.saturating_sub(found.at.0);
        if self.used.ttl.is_some_and(|ttl| age > ttl / 1_000_000) {
            return Err(CacheNote::Expired);
        }
        let value = catalog::json::parse(&found.payload, &self.used.output).map_err(|_| CacheNote::NoEntry)?;
        Ok(Outcome { cache: Some(CacheNote::Hit), ..Outcome::new(Ok(value)) })
    }

    /// Keeps a result; a failure never.
    pub(super) fn keep(&self, outcome: &Outcome) {
        let Ok(value) = &outcome.result else { return };
        let mut text = String::new();
        catalog::json::write_json(value, &mut text);
        if text.len() <= LONGEST {
            // A store that does not take it only costs time: whether it is sound, the run's own appends tell.
            let _ = self.parts.journal.put_cached(self.key, &text, self.parts.clock.now());
        }
    }
}

fn key_of(invocation: &Invocation) -> Digest {
    let Invocation { function, args, grants, .. } = invocation;
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(b"flowhost result 1");
    part(&SEMANTICS_VERSION.to_le_bytes());
    part(&function.component.0);
    part(function.interface.as_deref().unwrap_or_default().as_bytes());
    part(function.wit_name.as_bytes());
    for arg in args {
        let mut text = String::new();
        catalog::json::write_json(arg, &mut text);
        part(text.as_bytes());
    }
    for grant in grants {
        part(format!("granted {grant:?}").as_bytes());
    }
    Digest(hash.finalize().into())
}
