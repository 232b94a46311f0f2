//! What a run was started with, packed into the store: sources, and components by digest.
//!
//! A run is continued from this, never from files that may have changed since. The document is JSON:
//! `{"v": 1, "root": path, "entry": name or null, "trigger": n, "session": n, "sources": {path: text},
//! "components": [{"reference", "from", "source", "digest"}], "roles": [{"role", "digest", "function", "allow"}]}`; the
//! components' bytes are blobs of their own. `roles` are the agents of the plan's roles, `trigger` is which one of the root
//! file starts the run, `session` which of its session hooks it calls, and `hooks_of` is the program whose hooks are called too, in one that a run has made, and
//! `hooks` are those that the operator puts around the run; each is left out where there is none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::nats::HookRule;
use catalog::Digest;
use engine::ports::{Journal, JournalError};
use lang::plan::Plan;
use lang::{ComponentProblem, Entry, LoadedComponent, World};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Problem};
use crate::roles::{RoleAgents, StoredRole};
use crate::world::ReadFiles;

/// The packed form's version.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Packed {
    v: u32,
    root: String,
    entry: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trigger: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<usize>,
    sources: BTreeMap<String, String>,
    components: Vec<PackedComponent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<PackedRole>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hooks_of: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hooks: Vec<PackedHook>,
}

#[derive(Serialize, Deserialize)]
struct PackedHook {
    name: String,
    phase: String,
    event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<String>,
    timeout_ns: u64,
    lenient: bool,
}

#[derive(Serialize, Deserialize)]
struct PackedRole {
    role: String,
    digest: String,
    function: String,
    allow: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct PackedComponent {
    reference: String,
    from: String,
    source: String,
    digest: String,
}

/// Keeps sources and components in the store and returns the program's digest.
pub(crate) fn pack(
    journal: &dyn Journal,
    root: &str,
    entry: Entry<'_>,
    files: &ReadFiles,
    roles: &RoleAgents,
) -> Result<Digest, JournalError> {
    pack_made(journal, root, entry, files, roles, None)
}

/// The same for a program that a run of another one has made, whose hooks are called too.
pub(crate) fn pack_made(
    journal: &dyn Journal,
    root: &str,
    entry: Entry<'_>,
    files: &ReadFiles,
    roles: &RoleAgents,
    hooks_of: Option<Digest>,
) -> Result<Digest, JournalError> {
    for bytes in files.bytes.values().chain(roles.bytes.values()) {
        journal.put_blob(bytes)?;
    }
    let packed = Packed {
        v: VERSION,
        root: root.to_owned(),
        entry: if let Entry::Named(name) = entry { Some(name.to_owned()) } else { None },
        trigger: if let Entry::Trigger(number) = entry { Some(number) } else { None },
        session: if let Entry::Session(number) = entry { Some(number) } else { None },
        sources: files.sources.iter().map(|(path, text)| (path.clone(), text.to_string())).collect(),
        components: files
            .references
            .iter()
            .map(|((reference, from), (source, digest))| PackedComponent {
                reference: reference.clone(),
                from: from.clone(),
                source: source.clone(),
                digest: hex::encode(digest.0),
            })
            .collect(),
        roles: roles
            .stored
            .iter()
            .map(|stored| PackedRole {
                role: stored.role.clone(),
                digest: hex::encode(stored.digest.0),
                function: stored.function.clone(),
                allow: stored.allow.clone(),
            })
            .collect(),
        hooks_of: hooks_of.map(|digest| hex::encode(digest.0)),
        hooks: roles.hooks.iter().map(packed_hook).collect(),
    };
    let text = serde_json::to_vec(&packed).map_err(|error| JournalError::Unavailable(error.to_string()))?;
    journal.put_blob(&text)
}

/// A program read back from the store.
pub(crate) struct Program {
    /// The root file's path when the run was started.
    pub(crate) root: String,
    entry: Option<String>,
    trigger: Option<usize>,
    session: Option<usize>,
    /// Gives the compiler what the run was started with.
    pub(crate) world: PackedWorld,
    /// The agents that it was started with.
    pub(crate) roles: Vec<StoredRole>,
    /// The program whose hooks are called around its steps too, when another run made it.
    pub(crate) hooks_of: Option<Digest>,
    /// The operator's hooks that it was started with.
    pub(crate) hooks: Vec<HookRule>,
}

impl Program {
    /// What the run starts.
    pub(crate) fn entry(&self) -> Entry<'_> {
        match (self.trigger, self.session, self.entry.as_deref()) {
            (Some(number), _, _) => Entry::Trigger(number),
            (None, Some(number), _) => Entry::Session(number),
            (None, None, Some(name)) => Entry::Named(name),
            (None, None, None) => Entry::Default,
        }
    }
}

/// Texts and components from the store.
pub(crate) struct PackedWorld {
    sources: BTreeMap<String, Arc<str>>,
    references: BTreeMap<(String, String), LoadedComponent>,
    /// The components' bytes.
    pub(crate) bytes: BTreeMap<Digest, Arc<[u8]>>,
}

/// Reads a program back.
pub(crate) fn unpack(journal: &dyn Journal, digest: Digest) -> Result<Program, Problem> {
    let packed = read(journal, digest)?;
    let mut world = PackedWorld { sources: BTreeMap::new(), references: BTreeMap::new(), bytes: BTreeMap::new() };
    world.sources = packed.sources.into_iter().map(|(path, text)| (path, text.into())).collect();
    let mut decoded = BTreeMap::new();
    for entry in packed.components {
        let digest = parse_digest(&entry.digest).ok_or_else(|| unreadable(&format!("`{}` is not a digest", entry.digest)))?;
        let component = match decoded.get(&digest) {
            Some(component) => Arc::clone(component),
            None => {
                let bytes = journal.blob(digest)?;
                let component = Arc::new(catalog::decode(&bytes).map_err(|error| unreadable(&error.to_string()))?);
                world.bytes.insert(digest, bytes.into());
                decoded.insert(digest, Arc::clone(&component));
                component
            }
        };
        world.references.insert((entry.reference, entry.from), LoadedComponent { source: entry.source, component });
    }
    let role = |packed: PackedRole| {
        let digest = parse_digest(&packed.digest).ok_or_else(|| unreadable(&format!("`{}` is not a digest", packed.digest)))?;
        Ok(StoredRole { role: packed.role, digest, function: packed.function, allow: packed.allow })
    };
    let roles = packed.roles.into_iter().map(role).collect::<Result<_, Problem>>()?;
    let digest = |text: String| parse_digest(&text).ok_or_else(|| unreadable(&format!("`{text}` is not a digest")));
    let hooks_of = packed.hooks_of.map(digest).transpose()?;
    let hook =
        |packed: PackedHook| rule(&packed).ok_or_else(|| unreadable("a hook of it is of a kind that this host does not know"));
    let hooks = packed.hooks.into_iter().map(hook).collect::<Result<_, Problem>>()?;
    Ok(Program {
        root: packed.root,
        entry: packed.entry,
        trigger: packed.trigger,
        session: packed.session,
        world,
        roles,
        hooks_of,
        hooks,
    })
}

/// The same program with these hooks, as far as it has none of the same name: a program of its own, which is kept in the store.
pub(crate) fn hooked(journal: &dyn Journal, digest: Digest, hooks: &[HookRule]) -> Result<Digest, Problem> {
    let mut packed = read(journal, digest)?;
    let is_known = |hook: &&HookRule| packed.hooks.iter().any(|known| known.name == hook.name);
    let missing: Vec<PackedHook> = hooks.iter().filter(|hook| !is_known(hook)).map(packed_hook).collect();
    if missing.is_empty() {
        return Ok(digest);
    }
    packed.hooks.extend(missing);
    let text = serde_json::to_vec(&packed).map_err(|error| unreadable(&error.to_string()))?;
    Ok(journal.put_blob(&text)?)
}

/// Whether two programs differ in nothing but the operator's hooks.
pub(crate) fn is_same(journal: &dyn Journal, one: Digest, other: Digest) -> Result<bool, Problem> {
    let bare = |digest| {
        let packed = Packed { hooks: Vec::new(), ..read(journal, digest)? };
        serde_json::to_vec(&packed).map_err(|error| unreadable(&error.to_string()))
    };
    Ok(one == other || bare(one)? == bare(other)?)
}

fn read(journal: &dyn Journal, digest: Digest) -> Result<Packed, Problem> {
    let packed: Packed = serde_json::from_slice(&journal.blob(digest)?).map_err(|error| unreadable(&error.to_string()))?;
    if packed.v != VERSION {
        return Err(unreadable(&format!("it has version {}, this host reads version {VERSION}", packed.v)));
    }
    Ok(packed)
}

fn packed_hook(rule: &HookRule) -> PackedHook {
    PackedHook {
        name: rule.name.clone(),
        phase: rule.phase_name().to_owned(),
        event: rule.event_name().to_owned(),
        on: rule.on.clone(),
        timeout_ns: u64::try_from(rule.timeout.as_nanos()).unwrap_or(u64::MAX),
        lenient: rule.lenient,
    }
}

fn rule(packed: &PackedHook) -> Option<HookRule> {
    let (phase, event) = HookRule::when(&packed.phase, &packed.event)?;
    let timeout = Duration::from_nanos(packed.timeout_ns);
    Some(HookRule { name: packed.name.clone(), phase, event, on: packed.on.clone(), timeout, lenient: packed.lenient })
}

/// The plan of a program that compiled when it was stored, without the operator's hooks.
pub(crate) fn plan(program: &Program) -> Result<Plan, Problem> {
    lang::compile(&program.world, &program.root, program.entry())
        .plan
        .ok_or_else(|| Problem::new(Exit::Store, "the program of this run does not compile with this version of `host`"))
}

fn unreadable(reason: &str) -> Problem {
    Problem::new(Exit::Store, format!("the program of this run cannot be read from the store: {reason}"))
}

/// A digest, with or without `sha256:` before it.
pub(crate) fn parse_digest(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text.strip_prefix("sha256:").unwrap_or(text), &mut digest).ok()?;
    Some(Digest(digest))
}

impl World for PackedWorld {
    fn source(&self, path: &str) -> Result<Arc<str>, String> {
        self.sources.get(path).cloned().ok_or_else(|| "it was not stored with the run".to_owned())
    }

    fn component(&self, reference: &str, from: &str) -> Result<LoadedComponent, ComponentProblem> {
        self.references
            .get(&(reference.to_owned(), from.to_owned()))
            .cloned()
            .ok_or_else(|| ComponentProblem { message: "it was not stored with the run".to_owned(), help: None })
    }
}
