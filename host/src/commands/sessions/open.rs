//! `host session open`: notes a session with the programs of its hooks, and has those of its start called.

use std::collections::BTreeMap;

use journal::SessionWrite;
use lang::Entry;
use serde_json::json;

use super::{start, write};
use crate::cli::{SessionOpenArgs, SocketArgs};
use crate::commands::{check, entries, run, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::sessions::{self, Document, StoredHook};
use crate::world::DiskWorld;

/// Opens a session. From then on it is in the store, whatever becomes of its hooks.
pub(super) fn run(output: Output, config: &Config, at: &SocketArgs, args: &SessionOpenArgs) -> Result<Exit, Problem> {
    let permitted = run::permitted(config, &args.allow)?;
    let labels = run::labels(&args.labels)?;
    sessions::refuse_reserved(&labels)?;
    let labels: BTreeMap<String, String> = labels.into_iter().collect();
    let root = args.flow_file.to_string_lossy();
    let world = DiskWorld::open(output, config, &args.flow_file)?;
    let compilation = lang::compile(&world, &root, Entry::None);
    let exit = check::failed(&compilation);
    if exit != Exit::Done || !output.json() {
        output.diagnostics(&[&compilation]);
    }
    if exit != Exit::Done {
        return Ok(exit);
    }
    let journal = session::open_store(config, None)?;
    let mut document = Document::new(&root, permitted);
    let entries = (0..compilation.sessions.len()).map(Entry::Session);
    let programs = match entries::pack(output, config, &journal, (&root, world), entries)? {
        Ok(programs) => programs,
        Err(exit) => return Ok(exit),
    };
    let hooks = compilation.sessions.iter().zip(programs);
    document.hooks.extend(hooks.map(|(hook, program)| StoredHook::new(hook.event, &hook.handler, program)));
    let id = run::new_id().0.to_string();
    write(&journal, SessionWrite::Open { id: id.clone(), document: document.write()?, labels: labels.clone() })?;
    let hooks = start::due(output, config, at, &journal, &id)?;
    output.document(&json!({ "session": id, "labels": labels, "hooks": hooks }), || id.clone());
    output.note(&format!("`--session {id}` runs and submits flows in it, `host session close {id}` closes it"));
    Ok(Exit::Done)
}
