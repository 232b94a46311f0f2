//! What a command writes to a replica whose service runs: the service is asked to, over its socket.

use std::path::PathBuf;
use std::sync::Arc;

use catalog::Digest;
use engine::event::{Event, RunId, Timestamp};
use engine::ports::{Cached, JournalError};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use journal::replica::{Change, Upstream};
use journal::wire::encode_change;

use crate::config::Config;
use crate::exit::Problem;
use crate::serve::client::Client;
use crate::serve::protocol::Request;

/// The way to the service of a store.
pub(super) struct Forward {
    config: Config,
    socket: Option<PathBuf>,
}

impl Forward {
    /// Whether a service runs.
    pub(super) fn has_service(config: &Config) -> bool {
        Client::connect(config, socket().as_deref()).is_ok()
    }

    /// None where no service runs.
    pub(super) fn to_service(config: &Config) -> Option<Self> {
        let socket = socket();
        Client::connect(config, socket.as_deref()).ok()?;
        let mut of_store = Config::default();
        of_store.store.path.clone_from(&config.store.path);
        Some(Self { config: of_store, socket })
    }

    fn ask(&self, change: &Change) -> Result<(), Problem> {
        let document = serde_json::from_str(&encode_change(change)).unwrap_or_default();
        Client::connect(&self.config, self.socket.as_deref())?.ask(&Request::Write { change: document }).map(drop)
    }
}

/// Where the service is, if that is said.
fn socket() -> Option<PathBuf> {
    std::env::var_os("FLOWHOST_SOCKET").map(PathBuf::from)
}

impl Upstream for Forward {
    fn append(&self, _: &RunId, _: Arc<[Event]>) -> BoxFuture<'static, Result<(), JournalError>> {
        let store = self.config.store.path.display();
        let what = format!(
            "the store `{store}` is a replica of a cluster, in which only hosts drive runs; give `--nats URL` to drive this one here, or leave it to the service"
        );
        ready(Err(JournalError::Unavailable(what))).boxed()
    }

    fn write(&self, change: Change) -> BoxFuture<'static, Result<(), JournalError>> {
        let failed = |problem: Problem| {
            let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
            JournalError::Unavailable(format!("{}{help}", problem.message))
        };
        ready(self.ask(&change).map_err(failed)).boxed()
    }

    fn settled(&self, _: &RunId) -> Result<(), JournalError> {
        Ok(())
    }

    /// The service gives the others what it is asked to start or to write.
    fn put_blob(&self, _: Digest, _: &[u8]) -> Result<(), JournalError> {
        Ok(())
    }

    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        Err(JournalError::NoSuchBlob(digest))
    }

    fn cached(&self, _: Digest) -> Result<Option<Cached>, JournalError> {
        Ok(None)
    }

    fn put_cached(&self, _: Digest, _: &str, _: Timestamp) {}
}
