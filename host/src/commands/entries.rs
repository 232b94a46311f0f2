//! The programs of what something outside starts: the triggers of a file, and its hooks of sessions.

use catalog::Digest;
use journal::SqliteJournal;
use lang::Entry;

use crate::cluster::hooks;
use crate::commands::{plan, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::program;
use crate::roles::RoleAgents;
use crate::world::DiskWorld;

/// Keeps the program of each entry, in their order, and tries its components. When one does not compile, its diagnostics
/// are printed and the exit code is returned.
pub(super) fn pack<'e>(
    output: Output,
    config: &Config,
    journal: &SqliteJournal,
    (root, world): (&str, DiskWorld),
    entries: impl Iterator<Item = Entry<'e>>,
) -> Result<Result<Vec<Digest>, Exit>, Problem> {
    let mut plans = Vec::new();
    for entry in entries {
        match plan::compile(output, &world, root, entry)? {
            Ok(plan) => plans.push((entry, plan)),
            Err(exit) => return Ok(Err(exit)),
        }
    }
    let (files, sandbox) = (world.into_files(), session::open_sandbox()?);
    // Around what a session calls there are no hooks, and a file's entries are all of one kind.
    let starts_runs = plans.iter().any(|(entry, _)| !matches!(entry, Entry::Session(_)));
    let hooks = if starts_runs { hooks::configured(config)? } else { Vec::new() };
    let mut programs = Vec::new();
    for (entry, plan) in plans {
        let roles = RoleAgents { hooks: hooks.clone(), ..RoleAgents::configured(config, &plan)? };
        for bytes in files.bytes.values().chain(roles.bytes.values()) {
            sandbox.load(bytes).map_err(|error| Problem::new(Exit::Plugin, error.to_string()))?;
        }
        programs.push(program::pack(journal, root, entry, &files, &roles)?);
    }
    Ok(Ok(programs))
}
