//! `host lock`: pins the components of flows to the bytes that they have now.
//!
//! A lock file belongs to a folder: it pins what the flow files in it name, and the files that these import. Nothing is
//! written for flows that do not compile with what would be pinned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lang::{Compilation, Entry};
use serde_json::{Value, json};

use crate::cli::{Global, LockArgs};
use crate::commands::check;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::parts::{Lock, Moving, Parts, Pin, Update, is_path};
use crate::world::DiskWorld;

/// A lock file before and after.
struct Made {
    before: Lock,
    after: BTreeMap<String, Pin>,
}

/// Writes the lock file of each folder, or says which is out of date.
pub(crate) fn run(output: Output, global: &Global, args: &LockArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let moving = match &args.update {
        None => Moving::None,
        Some(None) => Moving::All,
        Some(Some(name)) => Moving::Only(name),
    };
    let update = Update { moving, paths: args.paths };
    let mut made = Vec::new();
    for (folder, files) in folders(args)? {
        match make(output, &config, &folder, &files, update, args.flow_files.is_empty())? {
            Ok(found) => made.push(found),
            Err(exit) => return Ok(exit),
        }
    }
    if let Moving::Only(name) = moving
        && !made.iter().any(|made| made.before.pins.keys().any(|key| Parts::is_called(key, name)))
    {
        let known: BTreeSet<&str> = made.iter().flat_map(|made| made.before.pins.keys()).map(String::as_str).collect();
        return Err(not_pinned(name, &known));
    }
    let stale = made.iter().any(|made| made.is_stale());
    if !args.check {
        for made in made.iter().filter(|made| made.is_stale()) {
            Lock { pins: made.after.clone(), ..made.before.clone() }.write()?;
        }
    }
    report(output, &made, args.check);
    Ok(if args.check && stale { Exit::RunFailed } else { Exit::Done })
}

/// The flow files by folder.
fn folders(args: &LockArgs) -> Result<BTreeMap<PathBuf, Vec<PathBuf>>, Problem> {
    let mut folders: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    let named = if args.flow_files.is_empty() { here()? } else { args.flow_files.clone() };
    for file in named {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        folders.entry(folder).or_default().push(file);
    }
    Ok(folders)
}

/// The flow files of the current folder.
fn here() -> Result<Vec<PathBuf>, Problem> {
    let entries =
        std::fs::read_dir(".").map_err(|error| Problem::usage(format!("the current folder cannot be read: {error}")))?;
    let names = entries.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name())));
    let mut files: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|ending| ending == "flow")).collect();
    files.sort();
    if files.is_empty() {
        return Err(
            Problem::usage("there is no flow file in the current folder").help("name those whose components are to be pinned")
        );
    }
    Ok(files)
}

/// Finds what the flows of a folder name. When these are all of its flows, what none names is not pinned any more.
fn make(
    output: Output,
    config: &Config,
    folder: &Path,
    files: &[PathBuf],
    update: Update<'_>,
    all: bool,
) -> Result<Result<Made, Exit>, Problem> {
    let before = Lock::of_folder(folder)?;
    let mut after = if all { BTreeMap::new() } else { before.pins.clone() };
    let mut compilations: Vec<Compilation> = Vec::new();
    for file in files {
        let world = DiskWorld::with(Parts::for_lock(output, config, before.clone(), update)?);
        compilations.push(lang::compile(&world, &file.to_string_lossy(), Entry::None));
        for (key, pin) in world.into_files().pins() {
            // A path is pinned when that is asked for, and stays so.
            if !is_path(key) || update.paths || before.pins.contains_key(key) {
                after.insert(key.to_owned(), pin.clone());
            }
        }
    }
    let exit = compilations.iter().map(check::failed).fold(Exit::Done, check::worse);
    if exit != Exit::Done || !output.json() {
        output.diagnostics(&compilations.iter().collect::<Vec<_>>());
    }
    Ok(if exit == Exit::Done { Ok(Made { before, after }) } else { Err(exit) })
}

fn not_pinned(name: &str, known: &BTreeSet<&str>) -> Problem {
    let help = match lang::closest(name, known.iter().map(|key| key.split('@').next().unwrap_or(key))) {
        Some(close) => format!("did you mean `--update={close}`?"),
        None if known.is_empty() => "nothing is pinned yet: `host lock` alone pins what is not".to_owned(),
        None => {
            let keys: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
            format!("pinned are {}", keys.join(", "))
        }
    };
    Problem::usage(format!("nothing that is called `{name}` is pinned")).help(help)
}

impl Made {
    fn is_stale(&self) -> bool {
        self.before.pins != self.after || (!self.before.exists && !self.after.is_empty())
    }

    /// What changes: reference, before, after.
    fn changes(&self) -> Vec<(&str, Option<&Pin>, Option<&Pin>)> {
        let keys: BTreeSet<&String> = self.before.pins.keys().chain(self.after.keys()).collect();
        let both = keys.into_iter().map(|key| (key.as_str(), self.before.pins.get(key), self.after.get(key)));
        both.filter(|(_, before, after)| before != after).collect()
    }

    fn document(&self) -> Value {
        let changes: Vec<Value> = self
            .changes()
            .into_iter()
            .map(|(key, before, after)| json!({ "reference": key, "before": before.map(document), "after": after.map(document) }))
            .collect();
        let pinned: Vec<Value> = self
            .after
            .iter()
            .map(|(key, pin)| {
                let mut found = document(pin);
                if let Value::Object(fields) = &mut found {
                    fields.insert("reference".to_owned(), json!(key));
                }
                found
            })
            .collect();
        json!({ "file": self.before.path, "out_of_date": self.is_stale(), "components": pinned, "changes": changes })
    }

    fn text(&self, check: bool) -> String {
        let file = self.before.path.display();
        let mut text = String::new();
        for (key, before, after) in self.changes() {
            let line = match (before, after) {
                (None, Some(after)) => format!("+ {key}  {}\n", shown(after)),
                (Some(before), None) => format!("- {key}  {}\n", shown(before)),
                (Some(before), Some(after)) => format!("  {key}  {} -> {}\n", shown(before), shown(after)),
                (None, None) => continue,
            };
            text.push_str(&line);
        }
        let verdict = match (self.is_stale(), check) {
            (false, _) => format!("{file} is up to date, {} pinned", self.after.len()),
            (true, true) => format!("{file} is out of date; `host lock` writes it anew"),
            (true, false) => format!("{file} written, {} pinned", self.after.len()),
        };
        format!("{text}{verdict}\n")
    }
}

fn document(pin: &Pin) -> Value {
    json!({
        "version": pin.version.as_ref().map(ToString::to_string),
        "sha256": hex::encode(pin.sha256.0),
        "manifest": pin.manifest.map(|digest| hex::encode(digest.0)),
    })
}

fn shown(pin: &Pin) -> String {
    let digest: String = hex::encode(pin.sha256.0).chars().take(12).collect();
    pin.version.as_ref().map_or_else(|| digest.clone(), |version| format!("{version} ({digest})"))
}

fn report(output: Output, made: &[Made], check: bool) {
    let document: Value = made.iter().map(Made::document).collect();
    output.document(&document, || made.iter().map(|made| made.text(check)).collect());
}
