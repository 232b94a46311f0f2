//! `host worker`: a process that owns no runs, and runs attempts of those of others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::nats::{Connection, Loader, Presence, WORK, Worker, WorkerOptions};
use catalog::Digest;
use engine::memory::MemoryJournal;
use engine::ports::SystemClock;
use engine::shell::{Engine, EngineConfig};
use sandbox::Sandbox;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::commands::session;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::owner;
use crate::serve::log::Log;
use crate::signals::Stops;

/// Makes components ready in a sandbox.
pub(super) struct Components(pub(super) Sandbox);

impl Loader for Components {
    fn is_ready(&self, digest: Digest) -> bool {
        self.0.is_loaded(digest)
    }

    fn load(&self, bytes: &[u8]) -> Result<(), String> {
        self.0.load(bytes).map(drop).map_err(|error| error.to_string())
    }
}

/// What the command line says about a worker.
pub(crate) struct Settings {
    /// What it runs.
    pub(crate) options: WorkerOptions,
    /// Attempts at once.
    pub(crate) parallel: Option<u32>,
    /// How long running attempts may take to end when it is stopped.
    pub(crate) drain: Duration,
}

/// A connection to the cluster that the configuration names.
///
/// # Errors
/// It names none, or there is no server that can be used.
pub(crate) fn connect(config: &Config) -> Result<Connection, Problem> {
    let named = config.nats.settings(&config.folder)?.ok_or_else(|| {
        Problem::usage("no NATS servers are named")
            .help("give `--nats URL`, or `url` in the section `[nats]` of the configuration")
    })?;
    Connection::open(&named).map_err(|error| Problem::new(Exit::Store, error.to_string()))
}

/// Runs attempts until it is told to stop and they have ended.
///
/// # Errors
/// There is no server that can be used, or the sandbox does not start.
pub(crate) fn run(log: Log, config: &Config, settings: Settings) -> Result<Exit, Problem> {
    let connection = connect(config)?;
    let presence = Presence::join(&connection)?;
    let name = owner::fresh_name();
    let mut fields = Map::new();
    fields.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    fields.insert("process".to_owned(), Value::from(std::process::id()));
    // It drives no runs, so that none waits for it.
    presence.announce(&name, fields)?;
    let engine_config = EngineConfig { host: name.as_str().into(), ..session::engine_config(config, settings.parallel)? };
    let sandbox = session::open_sandbox()?;
    let (invoker, journal) = (Arc::new(sandbox.clone()), Arc::new(MemoryJournal::new()));
    let engine = Engine::new(invoker, journal, Arc::new(SystemClock), engine_config);
    let announced = presence.clone();
    let announce = move |work| announced.set(WORK, work);
    let worker = Worker::open(&connection, &name, engine, Arc::new(Components(sandbox)), announce, settings.options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new(Exit::Store, format!("no runtime: {error}")))?;
    log.note("working", &[("name", &name), ("places", &worker.room().places.to_string())]);
    let end = runtime.block_on(work(log, &worker, settings.drain));
    presence.leave();
    runtime.shutdown_timeout(Duration::from_millis(500));
    log.note("stopped", &[("steps", &worker.begun().to_string())]);
    end.map(|()| Exit::Done)
}

async fn work(log: Log, worker: &Worker, drain: Duration) -> Result<(), Problem> {
    let mut stops = Stops::listen()?;
    let (stop, stopping) = watch::channel(false);
    let works = worker.run(stopping);
    tokio::pin!(works);
    let mut deadline: Option<Instant> = None;
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        tokio::select! {
            done = &mut works => return Ok(done?),
            why = stops.next() => {
                if deadline.is_some() {
                    log.problem("stopped-at-once", &[]);
                    std::process::exit(i32::from(Exit::Interrupted.code()));
                }
                log.note("draining", &[("why", why), ("steps", &worker.running().to_string())]);
                deadline = Some(Instant::now() + drain);
                stop.send_replace(true);
            }
            () = until(left) => {
                log.problem("drained-in-part", &[("left", &worker.running().to_string())]);
                return Ok(());
            }
        }
    }
}

/// Sleeps for so long, or for ever.
async fn until(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}
