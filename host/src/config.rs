//! The configuration file, and what the command line changes of it.

mod catalog;
mod gates;
mod hooks;
mod nats;
mod recovery;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::shell::RecoveryRules;
use serde::Deserialize;

use crate::cli::{Durability, Global};
use crate::cluster::{Followed, Joined};
use crate::escalation::Target;
use crate::exit::{Exit, Problem};
use crate::output::Output;
pub(crate) use catalog::CatalogConfig;
pub(crate) use gates::{BreakersConfig, HostConfig, read as read_gates};
pub(crate) use hooks::HookConfig;
pub(crate) use nats::{NatsConfig, Urls};
pub(crate) use recovery::{EscalationConfig, RowConfig};
pub(crate) use worker::WorkerConfig;

/// `flowhost.toml`. Every key may be left out; an unknown one is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) store: StoreConfig,
    pub(crate) policy: PolicyConfig,
    pub(crate) limits: LimitsConfig,
    /// What all attempts that run at once may take together.
    pub(crate) host: HostConfig,
    /// Breakers over all runs.
    pub(crate) breakers: BreakersConfig,
    /// Classes by name; they cap what flows declare for a class of the same name.
    pub(crate) classes: BTreeMap<String, ClassConfig>,
    /// Agents by the role that they answer for.
    pub(crate) roles: BTreeMap<String, RoleConfig>,
    /// Hooks around all runs.
    pub(crate) hooks: Vec<HookConfig>,
    /// Where components are that flows name by name or by OCI reference.
    pub(crate) catalog: CatalogConfig,
    pub(crate) retention: RetentionConfig,
    /// What is done about failures that flows do not take, by kind.
    pub(crate) recovery: BTreeMap<String, RowConfig>,
    pub(crate) escalation: EscalationConfig,
    /// The cluster that the store is shared over.
    pub(crate) nats: NatsConfig,
    /// The same, once this process has joined it.
    #[serde(skip)]
    pub(crate) joined: Joined,
    /// The store, where this command has it follow the cluster without anybody else.
    #[serde(skip)]
    pub(crate) followed: Followed,
    /// What this host runs there for the runs of others.
    pub(crate) worker: WorkerConfig,
    /// How this command talks.
    #[serde(skip)]
    pub(crate) output: Output,
    /// Whether this process is the service, and not there for one run.
    #[serde(skip)]
    pub(crate) service: bool,
    /// Where the file is: paths of components are relative to it.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// `[store]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreConfig {
    pub(crate) path: PathBuf,
    pub(crate) durability: Durability,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: PathBuf::from(".flowhost/flowhost.db"), durability: Durability::Full }
    }
}

/// `[policy]`: what flows may grant at all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PolicyConfig {
    pub(crate) allow: Vec<String>,
}

/// `[limits]`: defaults of each step.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsConfig {
    /// Attempts at the same time in this process.
    pub(crate) parallel: Option<u32>,
    /// Units of fuel of an attempt.
    pub(crate) fuel: Option<u64>,
    /// Linear memory, such as `256MiB`.
    pub(crate) memory: Option<String>,
    /// Wall time of an attempt, such as `60s`.
    pub(crate) timeout: Option<String>,
}

/// `[retention]`: what `host gc` and the service keep; without a key for ever.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetentionConfig {
    /// How long after their end runs are kept, such as `30d`, by how they ended.
    pub(crate) succeeded: Option<String>,
    pub(crate) failed: Option<String>,
    pub(crate) cancelled: Option<String>,
    /// At most so many ended runs.
    pub(crate) max_runs: Option<u64>,
    /// About so much of the store in use, such as `10GiB`.
    pub(crate) max_size: Option<String>,
    /// The last so many ended runs of each flow are kept all the same.
    pub(crate) keep_last: u64,
    /// Runs with one of these labels are kept all the same: `key` or `key=value`.
    pub(crate) keep_labels: Vec<String>,
    /// How old a result in the cache may be.
    pub(crate) cache_age: Option<String>,
    /// How large all of them may be together.
    pub(crate) cache_size: Option<String>,
    /// How long what nothing names is kept, such as `24h`; at least two hours.
    pub(crate) grace: Option<String>,
    /// How often `host serve` cleans up, such as `1h`.
    pub(crate) every: Option<String>,
    /// A folder, relative to the configuration file: what is deleted goes there before.
    pub(crate) archive: Option<PathBuf>,
}

/// `[classes.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClassConfig {
    pub(crate) parallel: Option<u32>,
    pub(crate) fuel: Option<u64>,
    pub(crate) memory: Option<String>,
    pub(crate) timeout: Option<String>,
    /// So many attempts may wait for a place.
    pub(crate) queue: Option<u32>,
    /// The class that stands in then.
    pub(crate) fallback: Option<String>,
    /// Units of `[host] cpu` that an attempt takes.
    pub(crate) cpu: Option<u32>,
}

/// `[roles.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleConfig {
    /// Relative to the configuration file.
    pub(crate) component: PathBuf,
    /// `function` or `interface.function`.
    pub(crate) function: String,
    /// What the agent may do: `http HOST`, `env NAME`, `clock`, `random`.
    #[serde(default)]
    pub(crate) allow: Vec<String>,
}

/// Used when `--config` does not name another and it exists.
const DEFAULT_FILE: &str = "flowhost.toml";

impl Config {
    /// Reads the configuration that the command line names.
    pub(crate) fn load(global: &Global) -> Result<Self, Problem> {
        let mut config = match &global.config {
            Some(path) => Self::read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => Self::read(Path::new(DEFAULT_FILE))?,
            None => Self::default(),
        };
        config.output = Output::new(global);
        if let Some(store) = &global.store {
            config.store.path.clone_from(store);
        }
        if let Some(servers) = &global.nats {
            config.nats.url = Some(Urls::split(servers));
            config.nats.asked_for = true;
        }
        Ok(config)
    }

    /// The recovery table that runs are started with.
    pub(crate) fn recovery_rules(&self) -> Result<RecoveryRules, Problem> {
        let escalates = if self.service { self.escalation.service } else { self.escalation.run };
        recovery::rules(&self.recovery, &self.escalation, escalates)
    }

    /// Where reports of escalations are sent.
    pub(crate) fn webhook(&self) -> Result<Option<Target>, Problem> {
        let ca = self.escalation.ca.as_ref().map(|ca| self.folder.join(ca));
        self.escalation.webhook.as_deref().map(|url| Target::parse(url, ca.as_deref())).transpose()
    }

    fn read(path: &Path) -> Result<Self, Problem> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Problem::usage(format!("the configuration `{}` cannot be read: {error}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let config = toml::from_str(&text).map(|config| Self { folder, ..config });
        config.map_err(|error| {
            Problem::usage(format!("the configuration `{}` is wrong: {}", path.display(), error.to_string().trim_end()))
                .help("the reference lists all keys: host/docs/configuration.md")
        })
    }
}

/// A size such as `64KiB`, `256MiB`, `1GiB`, or a plain number of bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, Problem> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let value = number.replace('_', "").parse::<u64>().ok();
    value.zip(factor).and_then(|(value, factor)| value.checked_mul(factor)).ok_or_else(|| {
        Problem::new(Exit::Usage, format!("`{text}` is not a size")).help("write it like `64KiB`, `256MiB` or `1GiB`")
    })
}

/// A length of time such as `250ms` or `60s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, Problem> {
    ::catalog::duration::parse(text)
        .map(Duration::from_nanos)
        .map_err(|error| Problem::usage(format!("`{text}` is not a length of time: {error}")))
}

/// A number that must not be 0.
pub(crate) fn positive(key: &str, value: u32) -> Result<u32, Problem> {
    if value == 0 { Err(Problem::usage(format!("`{key}` must be at least 1"))) } else { Ok(value) }
}
