//! `host run`: from a file to a result.

use std::str::FromStr;
use std::sync::Arc;

use engine::event::RunId;
use engine::permit::Permit;
use engine::shell::NewRun;

use crate::cli::{Global, RunArgs};
use crate::commands::session::{self, Session};
use crate::commands::{drive, plan};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::inputs;
use crate::output::Output;
use crate::program;
use crate::roles::RoleAgents;
use crate::world::DiskWorld;

/// Compiles, starts, and waits for the end.
#[expect(clippy::indexing_slicing, reason = "a plan's typed ids fit its own tables")]
pub(crate) fn run(output: Output, global: &Global, args: &RunArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let permitted = permitted(&config, args)?;
    let labels = labels(args)?;
    let world = DiskWorld::default();
    let root = args.flow_file.to_string_lossy();
    let plan = match plan::compile(output, &world, &root, args.flow.as_deref())? {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let input = inputs::read(args, &plan.flows[plan.entry])?;
    let files = world.into_files();
    let roles = RoleAgents::configured(&config, &plan)?;
    let journal = session::open_store(&config, args.durability)?;
    let program = program::pack(&*journal, &root, args.flow.as_deref(), &files, &roles)?;
    let mut session = Session::open(&config, journal, args.parallel, roles.agents)?;
    session.load(files.bytes.values().chain(roles.bytes.values()))?;
    let new = NewRun { id: new_id(), plan: Arc::new(plan), program, input, labels, permitted, origin: None };
    drive::drive(output, &session, drive::Begin::New(Box::new(new)))
}

/// What the operator permits, from the configuration and the command line.
fn permitted(config: &Config, args: &RunArgs) -> Result<Vec<String>, Problem> {
    let all: Vec<String> = config.policy.allow.iter().chain(&args.allow).cloned().collect();
    for text in &all {
        Permit::from_str(text).map_err(|error| Problem::usage(error.to_string()))?;
    }
    Ok(all)
}

fn labels(args: &RunArgs) -> Result<Vec<(String, String)>, Problem> {
    let split = |label: &String| {
        let (key, value) = label.split_once('=').ok_or_else(|| Problem::usage(format!("`--label {label}` has no `=`")))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    args.labels.iter().map(split).collect()
}

/// Twelve letters and digits, no look-alikes: 60 random bits.
pub(crate) fn new_id() -> RunId {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bits = fastrand::u64(..);
    let mut id = String::with_capacity(12);
    for _ in 0..12 {
        let letter = ALPHABET.get((bits % 32) as usize).copied().unwrap_or(b'0');
        id.push(char::from(letter));
        bits /= 32;
    }
    RunId(id.into())
}
