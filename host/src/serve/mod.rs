//! `host serve`: keeps the runs of a store going without a terminal, and starts runs when triggers say so.
//!
//! # Steps
//!
//! 1. [`serve`] takes the store's service lock, opens store, sandbox and engine, and starts the parts below.
//! 2. `service` is the one loop that owns the runs: which are in memory, which are parked, which wait for their turn.
//! 3. `driver` takes one run from its journal to its end, or to where nothing goes on.
//! 4. `programs` makes the program of each run ready, once for all runs of it.
//! 5. `mail` notices letters to runs, whether they are in memory or not.
//! 6. `submit` starts a run, durably and once; `socket` takes submissions and questions, in the form of `protocol`. `accept` takes its
//!    connections and those of `webhook`.
//! 7. `triggers` starts the runs of deployments: by `schedule`, by message, and, over `webhook`, by HTTP.
//! 8. `cleanup` deletes what is not kept any more.
//! 9. `sessions` starts what is called when a session is opened or closed.
//! 10. `abandoned` takes over the runs of hosts of a cluster that are gone.
//! 11. `pulled` starts runs that other hosts of a cluster have no room for.
//! 12. `upkeep` keeps what the hosts of a cluster share short.
//! 13. `client` is the other end of the socket, for the commands.

mod abandoned;
mod accept;
mod cleanup;
pub(crate) mod client;
pub(crate) mod deployment;
mod driver;
mod lock;
pub(crate) mod log;
mod mail;
mod orphans;
mod programs;
pub(crate) mod protocol;
mod pulled;
mod runs;
pub(crate) mod schedule;
mod service;
mod sessions;
mod socket;
mod submit;
mod triggers;
mod upkeep;
mod webhook;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bus::LocalBus;
use engine::ports::{Journal, MailStore, SystemClock};
use engine::shell::{Engine, EngineConfig};
use journal::{Reader, SqliteJournal};
use sandbox::Sandbox;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use crate::cluster;
use crate::cluster::dispatch::Dispatch;
use crate::cluster::messages::Deliveries;
use crate::commands::session;
use crate::config::Config;
use crate::escalation::Courier;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::owner::Owner;
use crate::planner::Planner;
use log::Log;
use programs::Programs;
use service::Event;

pub(crate) use service::DRAINED;
pub(crate) use submit::derived_id;

/// What the command line says about the service.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where its socket is.
    pub(crate) socket: PathBuf,
    /// Where it takes webhooks.
    pub(crate) listen: Option<SocketAddr>,
    /// How long running steps may take to end when it is stopped.
    pub(crate) drain: Duration,
    /// Runs in memory at most.
    pub(crate) keep: u32,
    pub(crate) parallel: Option<u32>,
    pub(crate) durability: Option<crate::cli::Durability>,
}

/// What all parts of the service share.
struct Parts {
    config: Config,
    journal: Arc<SqliteJournal>,
    reader: Reader,
    sandbox: Sandbox,
    engine: Engine,
    /// What lets other hosts run attempts, in a cluster.
    dispatch: Option<Arc<Dispatch>>,
    /// The service's name in the journals of its runs.
    owner: Arc<str>,
    bus: LocalBus,
    /// Puts messages of the cluster into inboxes.
    _delivery: Option<Deliveries>,
    programs: Programs,
    /// For runs in memory.
    places: Arc<Semaphore>,
    /// For clients that follow runs.
    followers: Semaphore,
    /// When it cleans up; never without.
    cleanup: Option<cleanup::Plan>,
    events: mpsc::UnboundedSender<Event>,
    /// There may be new mail, or a message for a trigger.
    published: Arc<Notify>,
    /// Deployments may have changed.
    deployed: Notify,
    /// Sessions may have been opened or closed.
    sessions: Notify,
    /// True when nothing new is to start.
    stopping: watch::Sender<bool>,
    log: Log,
}

impl Parts {
    fn tell(&self, event: Event) {
        // The service is the last to go; what nobody takes any more is in the store.
        drop(self.events.send(event));
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Whether this service starts runs by itself: of a cluster one does.
    fn leads(&self) -> bool {
        self.config.cluster().is_none_or(|cluster| cluster.leads())
    }

    /// Ends when the service stops.
    async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        drop(stopping.wait_for(|stopping| *stopping).await);
    }
}

/// Runs the service until it is told to stop.
pub(crate) fn serve(output: Output, config: Config, settings: &Settings) -> Result<Exit, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new(Exit::Store, format!("no runtime: {error}")))?;
    let config = Config { service: true, ..config };
    let journal = session::open_store(&config, settings.durability)?;
    if let (None, Some(cluster)) = (config.cluster(), journal.replica_of()) {
        let message = format!("the store `{}` is a replica of {cluster}", config.store.path.display());
        return Err(Problem::new(Exit::Store, message).help("start `host serve --nats URL`, or choose another store"));
    }
    // Each run that starts here is to have the operator's hooks: better no service than one whose triggers lead to nothing.
    cluster::hooks::configured(&config)?;
    let _only = lock::Lock::take(&config.store.path)?;
    let owner = Owner::take(&config.store.path)?;
    journal.own_as(owner.name());
    let _there = cluster::There::announce(&config, &owner)?;
    let _courier = config.webhook()?.map(|target| Courier::start(Arc::clone(&journal), target));
    let (events, inbox) = mpsc::unbounded_channel();
    let parts = Arc::new(parts(output, config, settings, journal, &owner, events)?);
    let _answering = cluster::roles::answer(&parts.config, &parts.sandbox, settings.parallel, runtime.handle())?;
    let exit = runtime.block_on(service::run(Arc::clone(&parts), settings, inbox));
    // Attempts that were not waited for are not to hold the process up.
    runtime.shutdown_timeout(Duration::from_millis(500));
    exit
}

fn parts(
    output: Output,
    config: Config,
    settings: &Settings,
    journal: Arc<SqliteJournal>,
    owner: &Owner,
    events: mpsc::UnboundedSender<Event>,
) -> Result<Parts, Problem> {
    let engine_config = EngineConfig { host: owner.name(), ..session::engine_config(&config, settings.parallel)? };
    let cleanup = cleanup::Plan::of(&config)?;
    let sandbox = session::open_sandbox()?;
    let published = Arc::new(Notify::new());
    let log = Log::new(output);
    let bus = LocalBus::watched(Arc::clone(&journal) as Arc<dyn MailStore>, Arc::clone(&published));
    let refused = move |subject: &str, why: &str| log.problem("message-refused", &[("subject", subject), ("why", why)]);
    let (bus, delivery) = cluster::messages::connect(&config, bus, refused)?;
    let shared = Arc::clone(&journal);
    let planner = Arc::new(Planner::new(Arc::clone(&journal) as Arc<dyn Journal>));
    let (invoker, clock) = (Arc::new(sandbox.clone()), Arc::new(SystemClock));
    let dispatch = Dispatch::open(&config, &(Arc::clone(&shared) as Arc<dyn Journal>))?;
    let engine = Engine::with_compiler(invoker, shared, clock, Arc::new(bus.clone()), planner, engine_config);
    let engine = dispatch.as_ref().map_or(engine.clone(), |dispatch| dispatch.engine(&engine));
    Ok(Parts {
        reader: journal.reader(),
        config,
        journal,
        sandbox,
        engine,
        dispatch,
        owner: owner.name(),
        bus,
        _delivery: delivery,
        programs: Programs::default(),
        places: Arc::new(Semaphore::new(usize::try_from(settings.keep).unwrap_or(Semaphore::MAX_PERMITS))),
        followers: Semaphore::new(socket::FOLLOWERS),
        cleanup,
        events,
        published,
        deployed: Notify::new(),
        sessions: Notify::new(),
        stopping: watch::Sender::new(false),
        log,
    })
}
