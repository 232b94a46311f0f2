//! A connection to NATS, with threads of its own.

use std::future::Future;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{AccountErrorKind, Context, ContextBuilder};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use engine::ports::JournalError;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::problem::{ConnectError, from_connect, innermost, unavailable};
use super::settings::{Auth, Namespace, Settings};

/// The oldest server that is supported.
const OLDEST: (i64, i64, i64) = (2, 12, 0);

/// Threads of a connection: one reads and writes, the other does what its streams need.
const THREADS: usize = 2;

/// How often a server is asked whether it is there. One that has not answered three times in a row is left for another: sooner than
/// the other hosts take this one for dead.
const PING: Duration = Duration::from_secs(2);

/// Publishes that may wait for their acknowledgement at a time.
const IN_FLIGHT: usize = 8192;

/// A connection. It connects again by itself when it breaks. All that is done over it runs on its own threads, which end with
/// the last copy of it; so blocking callers may wait for it wherever they are.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    /// Always there but while it is dropped.
    runtime: Option<Runtime>,
    link: Link,
}

/// What the streams work with.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) settings: Arc<Settings>,
    /// What the server last complained about, such as a subject that this client may not use.
    complaint: Arc<Mutex<Option<String>>>,
    /// Counts how often a connection came about.
    connected: watch::Sender<u64>,
}

impl Link {
    /// Changes whenever a connection has come about: what was asked over the one before is not answered any more.
    pub(super) fn connected(&self) -> watch::Receiver<u64> {
        self.connected.subscribe()
    }

    /// Whose streams these are.
    pub(super) fn namespace(&self) -> &Namespace {
        &self.settings.namespace
    }

    /// How many servers keep each message.
    pub(super) fn replicas(&self) -> usize {
        let default = if self.client.server_info().cluster.is_some() { 3 } else { 1 };
        self.settings.replicas.unwrap_or(default)
    }

    /// What the server last complained about, for messages about requests that it did not answer.
    pub(super) fn complaint(&self) -> String {
        let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        complaint.as_ref().map(|text| format!(" ({text})")).unwrap_or_default()
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("settings", &self.shared.link.settings).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, and looks whether the server is new enough and has JetStream. Blocks meanwhile.
    ///
    /// # Errors
    /// [`ConnectError`] says what is wrong and what to do.
    pub fn open(settings: &Settings) -> Result<Self, ConnectError> {
        let other = |why: String| ConnectError::Other { servers: shown(&settings.servers), why };
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("nats").enable_all().build();
        let runtime = runtime.map_err(|error| other(format!("its threads do not start: {error}")))?;
        let settings_of = Arc::new(settings.clone());
        let connected =
            wait(runtime.handle(), connect(settings_of)).unwrap_or_else(|| Err(other("its threads stopped".to_owned())));
        match connected {
            Ok(link) => Ok(Self { shared: Arc::new(Shared { runtime: Some(runtime), link }) }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Whether a server is connected now. Where none is, it is being looked for.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.link.client.connection_state() == State::Connected
    }

    /// What the streams work with.
    pub(super) fn link(&self) -> &Link {
        &self.shared.link
    }

    /// Starts a task on the connection's threads.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.shared.runtime {
            drop(runtime.spawn(task));
        }
    }

    /// Does something on the connection's threads and waits for it, blocking.
    pub(super) fn block<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, JournalError>> + Send + 'static,
    ) -> Result<T, JournalError> {
        let runtime = self.shared.runtime.as_ref();
        runtime.and_then(|runtime| wait(runtime.handle(), work)).unwrap_or_else(|| Err(unavailable("is closed")))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting here would not be allowed in a future, and nothing is worth waiting for: journals wait for their own.
            runtime.shutdown_background();
        }
    }
}

/// Runs this on the threads of a runtime while the calling thread sleeps.
fn wait<T: Send + 'static>(runtime: &Handle, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (sender, receiver) = sync_channel(1);
    drop(runtime.spawn(async move { drop(sender.send(work.await)) }));
    receiver.recv().ok()
}

async fn connect(settings: Arc<Settings>) -> Result<Link, ConnectError> {
    let servers = shown(&settings.servers);
    let (complaint, connected) = (Arc::new(Mutex::new(None)), watch::Sender::new(0));
    let options = options(&settings, Arc::clone(&complaint), connected.clone()).await?;
    let client = options.connect(&settings.servers).await.map_err(|error| from_connect(&servers, &error))?;
    let info = client.server_info();
    let (major, minor, patch) = OLDEST;
    if !client.is_server_compatible(major, minor, patch) {
        let oldest = format!("{major}.{minor}");
        return Err(ConnectError::TooOld { server: info.server_name, found: info.version, oldest });
    }
    let context = ContextBuilder::new().timeout(settings.timeout).max_ack_inflight(IN_FLIGHT).build(client.clone());
    if !info.jetstream {
        let name = info.server_name;
        return Err(ConnectError::NoJetStream(format!(
            "the NATS server `{name}` has no JetStream; start it with `-js`, or with a `jetstream` block in its configuration"
        )));
    }
    let link = Link { client, context, settings, complaint, connected };
    has_jetstream(&link, &servers).await?;
    Ok(link)
}

/// Whether this account may use JetStream.
async fn has_jetstream(link: &Link, servers: &str) -> Result<(), ConnectError> {
    let Err(error) = link.context.query_account().await else { return Ok(()) };
    let off = |code| matches!(code, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT | ErrorCode::JETSTREAM_NOT_ENABLED);
    match error.kind() {
        AccountErrorKind::JetStream(inner) if off(inner.error_code()) => Err(ConnectError::NoJetStream(format!(
            "the account that this client has on the NATS server at {servers} may not use JetStream; enable it for the account"
        ))),
        _ => {
            let (why, complaint) = (innermost(&error), link.complaint());
            let why = format!(
                "JetStream does not answer: {why}{complaint}; a client needs leave to publish `$JS.API.INFO`, and a cluster a leader"
            );
            Err(ConnectError::Other { servers: servers.to_owned(), why })
        }
    }
}

async fn options(
    settings: &Settings,
    complaint: Arc<Mutex<Option<String>>>,
    connected: watch::Sender<u64>,
) -> Result<ConnectOptions, ConnectError> {
    let mut options = match &settings.auth {
        Auth::None => named_in(&settings.servers),
        Auth::Token(token) => ConnectOptions::with_token(token.clone()),
        Auth::Password { user, password } => ConnectOptions::with_user_and_password(user.clone(), password.clone()),
        Auth::Credentials(path) => ConnectOptions::with_credentials_file(path).await.map_err(|error| unreadable(path, &error))?,
    };
    let tls = &settings.tls;
    if let Some(ca) = &tls.ca {
        readable(ca)?;
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((certificate, key)) = &tls.client {
        readable(certificate)?;
        readable(key)?;
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    if !settings.discover {
        options = options.ignore_discovered_servers();
    }
    let note = move |event: Event| {
        let complaint = Arc::clone(&complaint);
        if matches!(event, Event::Connected) {
            connected.send_modify(|count| *count += 1);
        }
        async move {
            let text = match event {
                Event::ServerError(error) => Some(error.to_string()),
                Event::Disconnected => Some("the connection is broken".to_owned()),
                Event::Connected => None,
                _ => return,
            };
            *complaint.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    };
    Ok(options
        .name("flowhost")
        // Answers go where only this namespace's clients need to listen.
        .custom_inbox_prefix(format!("_INBOX_{}", settings.namespace))
        .require_tls(tls.required)
        .connection_timeout(settings.timeout)
        .ping_interval(PING)
        .request_timeout(Some(settings.timeout))
        .event_callback(note))
}

/// With the user and password, or the token, that stand in an address: the client itself does not look there.
fn named_in(servers: &[String]) -> ConnectOptions {
    let named = servers.iter().filter_map(|server| server.parse::<ServerAddr>().ok()).find(ServerAddr::has_user_pass);
    let Some(named) = named else { return ConnectOptions::new() };
    let user = named.username().unwrap_or_default().to_owned();
    match named.password() {
        Some(password) => ConnectOptions::with_user_and_password(user, password.to_owned()),
        None => ConnectOptions::with_token(user),
    }
}

/// Addresses as they may stand in a message: without what is secret.
fn shown(servers: &[String]) -> String {
    let plain = |server: &String| match (server.split_once("://"), server.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        (None, Some((_, place))) => place.to_owned(),
        _ => server.clone(),
    };
    servers.iter().map(plain).collect::<Vec<_>>().join(", ")
}

fn readable(path: &Path) -> Result<(), ConnectError> {
    std::fs::File::open(path).map(drop).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConnectError {
    ConnectError::Settings(format!("`{}`, which is named for the connection to NATS, cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn no_secret_is_in_a_message() {
        let servers = ["nats://me:secret@a:4222", "tls://token@b", "c:4222", "me:secret@d"].map(str::to_owned);
        assert_eq!(shown(&servers), "nats://a:4222, tls://b, c:4222, d");
    }
}
