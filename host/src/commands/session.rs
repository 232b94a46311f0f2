//! What a command needs to run flows: store, sandbox, engine, in one runtime.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bus::{Agent, Agents, LocalBus};
use catalog::Name;
use engine::ports::{Journal, Limits, MailStore, SystemClock};
use engine::shell::{ClassLimits, Engine, EngineConfig};
use journal::{Options, Reader, SqliteJournal};
use sandbox::{Origin, Sandbox, SandboxConfig};

use crate::cli::Durability;
use crate::cluster::dispatch::Dispatch;
use crate::cluster::messages::Deliveries;
use crate::cluster::{self, There};
use crate::config::{self, ClassConfig, Config, parse_duration, parse_size, positive};
use crate::escalation::Courier;
use crate::exit::{Exit, Problem};
use crate::owner::Owner;
use crate::planner::Planner;

/// Everything that runs flows.
pub(crate) struct Session {
    pub(crate) sandbox: Sandbox,
    pub(crate) engine: Engine,
    pub(crate) journal: Arc<SqliteJournal>,
    /// This process's name in the journals of its runs.
    pub(crate) name: Arc<str>,
    /// Whether other hosts may take its runs away.
    pub(crate) cluster: bool,
    /// Attempts that run at the same time, as the command line says.
    pub(crate) parallel: Option<u32>,
    /// Components that had to be compiled because the cache did not have them.
    pub(crate) compiled: u32,
    /// Sends reports of escalations, where that is configured.
    courier: Option<Courier>,
    /// Puts messages of a cluster into inboxes.
    _delivery: Option<Deliveries>,
    /// Shows this process to the other hosts of a cluster.
    _there: Option<There>,
    /// Given up last: as long as it is held, nobody else takes the runs.
    _owner: Owner,
}

/// The store that the configuration names, for writing.
pub(crate) fn open_store(config: &Config, durability: Option<Durability>) -> Result<Arc<SqliteJournal>, Problem> {
    if let Some(store) = config.followed.store() {
        return Ok(store);
    }
    // A replica can be made again.
    let configured = if config.nats.url.is_some() { Durability::Process } else { config.store.durability };
    let durability = match durability.unwrap_or(configured) {
        Durability::Full => journal::Durability::Full,
        Durability::Process => journal::Durability::Process,
    };
    let outbox = config.webhook()?.is_some();
    let journal = SqliteJournal::open(&config.store.path, &Options { durability, outbox, ..Options::default() })?;
    cluster::attach(config, &journal)?;
    Ok(Arc::new(journal))
}

/// The same for reading only.
pub(crate) fn open_for_reading(config: &Config) -> Result<SqliteJournal, Problem> {
    cluster::follow(config)?;
    Ok(SqliteJournal::open(&config.store.path, &Options { read_only: true, ..Options::default() })?)
}

/// The store that the configuration names, for reading beside whoever writes. Where it is a copy of what a cluster has, which nobody
/// keeps up to date, this command does.
pub(crate) fn open_reader(config: &Config) -> Result<Reader, Problem> {
    cluster::follow(config)?;
    open_beside(config)
}

/// The same as it is.
pub(crate) fn open_beside(config: &Config) -> Result<Reader, Problem> {
    Ok(Reader::open(&config.store.path, Options::default().lock_timeout)?)
}

/// A sandbox with the cache of compiled components.
pub(crate) fn open_sandbox() -> Result<Sandbox, Problem> {
    // It clears away what it does not know, so that it gets a folder of its own.
    let cache_dir = cache_dir().map(|folder| folder.join("compiled"));
    Sandbox::new(SandboxConfig { cache_dir, ..SandboxConfig::default() })
        .map_err(|error| Problem::new(Exit::Plugin, format!("the sandbox cannot be made: {error}")))
}

impl Session {
    /// Opens sandbox and engine over a store.
    pub(crate) fn open(
        config: &Config,
        journal: Arc<SqliteJournal>,
        parallel: Option<u32>,
        agents: BTreeMap<Name, Agent>,
    ) -> Result<Self, Problem> {
        let owner = Owner::take(&config.store.path)?;
        journal.own_as(owner.name());
        let there = There::announce(config, &owner)?;
        let engine_config = EngineConfig { host: owner.name(), ..engine_config(config, parallel)? };
        let sandbox = open_sandbox()?;
        let agents = Agents::new(Arc::new(sandbox.clone()), agents);
        let bus = LocalBus::new(Arc::clone(&journal) as Arc<dyn MailStore>).with_agents(agents);
        // What is no message is a dead letter; a run that waits for others has no use for the news.
        let (bus, delivery) = cluster::messages::connect(config, bus, |_, _| ())?;
        let courier = config.webhook()?.map(|target| Courier::start(Arc::clone(&journal), target));
        let planner = Arc::new(Planner::new(Arc::clone(&journal) as Arc<dyn Journal>));
        let (invoker, stored) = (Arc::new(sandbox.clone()), Arc::clone(&journal));
        let engine = Engine::with_compiler(invoker, stored, Arc::new(SystemClock), Arc::new(bus), planner, engine_config);
        let dispatch = Dispatch::open(config, &(Arc::clone(&journal) as Arc<dyn Journal>))?;
        let engine = dispatch.map_or(engine.clone(), |dispatch| dispatch.engine(&engine));
        let (name, cluster) = (owner.name(), there.is_some());
        Ok(Self {
            sandbox,
            engine,
            journal,
            name,
            cluster,
            parallel,
            compiled: 0,
            courier,
            _delivery: delivery,
            _there: there,
            _owner: owner,
        })
    }

    /// Sends the reports that are due, and says which could not be delivered.
    pub(crate) fn settle_reports(&self) -> Vec<String> {
        self.courier.as_ref().map(Courier::settle).unwrap_or_default()
    }

    /// Makes components ready to be called.
    pub(crate) fn load<'a>(&mut self, components: impl IntoIterator<Item = &'a Arc<[u8]>>) -> Result<(), Problem> {
        for bytes in components {
            let loaded = self.sandbox.load(bytes).map_err(|error| Problem::new(Exit::Plugin, error.to_string()))?;
            self.compiled += u32::from(loaded.origin == Origin::Compiled);
        }
        Ok(())
    }
}

/// Where components are kept between starts: compiled ones, and those that were pulled.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os("FLOWHOST_CACHE") {
        return Some(PathBuf::from(chosen));
    }
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(base.join("flowhost"))
}

/// The engine's part of the configuration.
pub(crate) fn engine_config(config: &Config, parallel: Option<u32>) -> Result<EngineConfig, Problem> {
    let mut engine = EngineConfig { recovery: Some(config.recovery_rules()?), ..EngineConfig::default() };
    if let Some(parallel) = parallel.or(config.limits.parallel) {
        engine.parallel = positive("parallel", parallel)?;
    }
    let Limits { fuel, memory, timeout, .. } = &mut engine.limits;
    if let Some(value) = config.limits.fuel {
        *fuel = value;
    }
    if let Some(text) = &config.limits.memory {
        *memory = parse_size(text)?;
    }
    if let Some(text) = &config.limits.timeout {
        *timeout = parse_duration(text)?;
    }
    for (name, class) in &config.classes {
        engine.classes.insert(name.as_str().into(), class_limits(class)?);
    }
    config::read_gates(config, &mut engine)?;
    Ok(engine)
}

fn class_limits(class: &ClassConfig) -> Result<ClassLimits, Problem> {
    Ok(ClassLimits {
        parallel: class.parallel.map(|parallel| positive("parallel", parallel)).transpose()?,
        fuel: class.fuel,
        memory: class.memory.as_deref().map(parse_size).transpose()?,
        timeout: class.timeout.as_deref().map(parse_duration).transpose()?,
        queue: class.queue,
        fallback: class.fallback.as_deref().map(Into::into),
        cpu: class.cpu,
    })
}
