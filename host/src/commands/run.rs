//! `host run`: from a file to a result.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use bus::nats::HookRule;
use catalog::{Digest, Value};
use engine::event::RunId;
use engine::permit::Permit;
use engine::shell::NewRun;
use journal::SqliteJournal;
use lang::plan::Plan;

use crate::cli::{Durability, Global, RunArgs, StartArgs};
use crate::cluster::hooks;
use crate::commands::session::{self, Session};
use crate::commands::{drive, plan};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::inputs;
use crate::output::Output;
use crate::program;
use crate::roles::RoleAgents;
use crate::sessions;
use crate::trace;
use crate::world::DiskWorld;

/// Compiles, starts, and waits for the end.
pub(crate) fn run(output: Output, global: &Global, args: &RunArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let prepared = match prepare(output, &config, &args.start, args.durability, hooks::rules)? {
        Ok(prepared) => prepared,
        Err(exit) => return Ok(exit),
    };
    let Prepared { plan, input, labels, permitted, program, journal, bytes, roles } = prepared;
    let mut session = Session::open(&config, journal, args.parallel, roles.agents)?;
    session.load(bytes.values().chain(roles.bytes.values()))?;
    let new =
        NewRun { id: new_id(), plan: Arc::new(plan), program, input, labels, permitted, origin: None, trace: trace::given() };
    drive::drive(output, &config, session, drive::Begin::New(Box::new(new)))
}

/// A run that can be started: its program is in the store.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) input: Vec<(String, Value)>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) permitted: Vec<String>,
    pub(crate) program: Digest,
    journal: Arc<SqliteJournal>,
    /// Of the flow's components.
    bytes: BTreeMap<Digest, Arc<[u8]>>,
    roles: RoleAgents,
}

/// Compiles a flow, reads its input and keeps its program; without a plan the diagnostics are printed.
#[expect(clippy::indexing_slicing, reason = "a plan's typed ids fit its own tables")]
pub(crate) fn prepare(
    output: Output,
    config: &Config,
    args: &StartArgs,
    durability: Option<Durability>,
    hooks: fn(&Config) -> Result<Vec<HookRule>, Problem>,
) -> Result<Result<Prepared, Exit>, Problem> {
    let permitted = permitted(config, &args.allow)?;
    let mut labels = labels(&args.labels)?;
    if let Some(session) = &args.session {
        labels = sessions::labelled(&sessions::find(&session::open_reader(config)?, session)?, labels)?;
    }
    let world = DiskWorld::open(output, config, &args.flow_file)?;
    let root = args.flow_file.to_string_lossy();
    let entry = plan::entry(args.flow.as_deref());
    let mut plan = match plan::compile(output, &world, &root, entry)? {
        Ok(plan) => plan,
        Err(exit) => return Ok(Err(exit)),
    };
    let input = inputs::read(args, &plan.flows[plan.entry])?;
    let files = world.into_files();
    let roles = RoleAgents { hooks: hooks(config)?, ..RoleAgents::configured(config, &plan)? };
    HookRule::put_around(&roles.hooks, &mut plan);
    let journal = session::open_store(config, durability)?;
    let program = program::pack(&*journal, &root, entry, &files, &roles)?;
    Ok(Ok(Prepared { plan, input, labels, permitted, program, journal, bytes: files.bytes, roles }))
}

/// What the operator permits, from the configuration and the command line.
pub(crate) fn permitted(config: &Config, allow: &[String]) -> Result<Vec<String>, Problem> {
    let all: Vec<String> = config.policy.allow.iter().chain(allow).cloned().collect();
    for text in &all {
        Permit::from_str(text).map_err(|error| Problem::usage(error.to_string()))?;
    }
    Ok(all)
}

/// Labels as the command line writes them.
pub(crate) fn labels(labels: &[String]) -> Result<Vec<(String, String)>, Problem> {
    let split = |label: &String| {
        let (key, value) = label.split_once('=').ok_or_else(|| Problem::usage(format!("`--label {label}` has no `=`")))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    labels.iter().map(split).collect()
}

/// Twelve letters and digits, no look-alikes: 60 random bits.
pub(crate) fn new_id() -> RunId {
    let mut bytes = [0; 12];
    fastrand::fill(&mut bytes);
    RunId(bytes.into_iter().map(letter).collect::<String>().into())
}

/// A letter or digit of an id: the lower five bits.
pub(crate) fn letter(bits: u8) -> char {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    ALPHABET.get(usize::from(bits % 32)).copied().map_or('0', char::from)
}
