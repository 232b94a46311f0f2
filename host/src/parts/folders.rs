//! The catalogue: folders with components.
//!
//! A component's name is that of its file. Its version is in the name too, `name@1.2.3.wasm`, or `name/1.2.3.wasm`; else it is
//! that of the package whose interfaces it exports. The namespace is always that package's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::Component;
use lang::ComponentProblem;
use semver::Version;

use super::lock::{Lock, Pin};
use super::problem;
use super::reference::Named;
use crate::world::load_component;

/// More files than this are no catalogue but somebody's disk.
const MAX_FILES: usize = 50_000;

/// So many versions or names are listed at most.
const MAX_LISTED: usize = 12;

/// The folders in their order.
pub(super) struct Folders {
    folders: Vec<PathBuf>,
}

/// A file of the catalogue.
struct File {
    name: String,
    version: Option<Version>,
    path: PathBuf,
    /// The number of its folder.
    folder: usize,
}

/// A component of the wanted name.
pub(super) struct Candidate {
    version: Version,
    path: PathBuf,
    folder: usize,
}

/// A component that was read.
pub(super) struct Found {
    pub(super) version: Version,
    pub(super) component: Arc<Component>,
    pub(super) bytes: Arc<[u8]>,
}

impl Folders {
    pub(super) fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// All versions of a name, the highest first.
    pub(super) fn versions(&self, named: &Named) -> Result<Vec<Candidate>, ComponentProblem> {
        if self.folders.is_empty() {
            let help = "name its folders in `flowhost.toml`: `[catalog] folders = [\"plugins/dist\"]`";
            return Err(problem("no catalogue is configured", help));
        }
        let files = self.files()?;
        let (mut known, mut left_out) = (Vec::new(), Vec::new());
        for file in files.iter().filter(|file| file.name == named.name) {
            match identify(file, named) {
                Ok(version) => known.push(Candidate { version, path: file.path.clone(), folder: file.folder }),
                Err(reason) => left_out.push(format!("`{}` {reason}", file.path.display())),
            }
        }
        if known.is_empty() {
            return Err(unknown(named, &files, &left_out));
        }
        known.sort_by(|a, b| b.version.cmp(&a.version).then(a.folder.cmp(&b.folder)));
        Ok(known)
    }

    fn files(&self) -> Result<Vec<File>, ComponentProblem> {
        let mut files = Vec::new();
        for (number, folder) in self.folders.iter().enumerate() {
            let entries = list(folder)
                .map_err(|error| problem(format!("the catalogue folder `{}` cannot be read: {error}", folder.display()), ""))?;
            for path in entries {
                if path.is_dir() {
                    // What cannot be listed inside is not of the catalogue.
                    let inside = list(&path).unwrap_or_default();
                    files.extend(inside.into_iter().filter_map(|file| versioned(&path, file, number)));
                } else {
                    files.extend(plain(path, number));
                }
                if files.len() > MAX_FILES {
                    let message = format!("the catalogue folder `{}` has more than {MAX_FILES} components", folder.display());
                    return Err(problem(message, "name a folder that has nothing but components"));
                }
            }
        }
        Ok(files)
    }
}

fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.take(MAX_FILES + 1).map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

/// `name.wasm` or `name@1.2.3.wasm`.
fn plain(path: PathBuf, folder: usize) -> Option<File> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".wasm")?;
    let (name, version) = match stem.split_once('@') {
        Some((name, version)) => (name, Some(Version::parse(version).ok()?)),
        None => (stem, None),
    };
    Some(File { name: name.replace('_', "-"), version, path, folder })
}

/// `name/1.2.3.wasm`.
fn versioned(above: &Path, path: PathBuf, folder: usize) -> Option<File> {
    let version = Version::parse(path.file_name()?.to_str()?.strip_suffix(".wasm")?).ok()?;
    Some(File { name: above.file_name()?.to_str()?.to_owned(), version: Some(version), path, folder })
}

/// The version of a file, which must have the namespace that is wanted. The error is what is wrong with it.
fn identify(file: &File, named: &Named) -> Result<Version, String> {
    if let (Some(version), None) = (&file.version, &named.namespace) {
        return Ok(version.clone());
    }
    let (component, _) = load_component(&file.path).map_err(|problem| problem.message)?;
    let package = package(&component);
    if let Some(namespace) = &named.namespace {
        let full = format!("{namespace}:{}", named.name);
        match &package {
            Some((name, _)) if *name == full => {}
            Some((name, _)) => return Err(format!("is of the package `{name}`")),
            None => return Err("exports no interface of one package".to_owned()),
        }
    }
    let version = file.version.clone().or_else(|| package.and_then(|(_, version)| version));
    version.ok_or_else(|| "has no version: its name has none, and neither have the interfaces that it exports".to_owned())
}

/// The package that all exported interfaces with a package are of, such as `acme:finance` with `1.2.0`.
fn package(component: &Component) -> Option<(String, Option<Version>)> {
    let mut found: Option<(String, Option<Version>)> = None;
    for interface in component.functions.iter().filter_map(|function| function.interface.as_deref()) {
        let (path, version) = match interface.split_once('@') {
            Some((path, version)) => (path, Version::parse(version).ok()),
            None => (interface, None),
        };
        let Some((name, _)) = path.split_once('/') else { continue };
        let this = (name.to_owned(), version);
        if *found.get_or_insert_with(|| this.clone()) != this {
            return None;
        }
    }
    found
}

/// The highest version that fits the range.
pub(super) fn best(named: &Named, known: &[Candidate]) -> Result<Found, ComponentProblem> {
    let Some(best) = known.iter().find(|candidate| named.range.matches(&candidate.version)) else {
        let message = format!("no version of `{}` fits `{}`", named.full_name(), named.range);
        return Err(problem(message, format!("the catalogue has {}", versions(known))));
    };
    let twin = |other: &&Candidate| other.version == best.version && other.folder == best.folder && other.path != best.path;
    if let Some(twin) = known.iter().find(twin) {
        let message = format!("two files are version {} of `{}`", best.version, named.full_name());
        return Err(problem(message, format!("remove `{}` or `{}`", best.path.display(), twin.path.display())));
    }
    best.read()
}

/// The component that a lock file pins.
pub(super) fn pinned(named: &Named, known: &[Candidate], pin: &Pin, lock: &Lock) -> Result<Found, ComponentProblem> {
    let update = format!("`host lock --update={}`", named.full_name());
    let mut differs = None;
    for candidate in known.iter().filter(|candidate| pin.version.as_ref() == Some(&candidate.version)) {
        let found = candidate.read()?;
        if found.component.digest == pin.sha256 {
            return Ok(found);
        }
        let help = format!("if the change is meant, {update} pins it");
        let other = || lock.differs(pin, found.component.digest, &candidate.path.to_string_lossy(), &help);
        differs = differs.or_else(|| Some(other()));
    }
    Err(differs.unwrap_or_else(|| {
        let wanted = pin.version.as_ref().map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
        let message = format!("`{}` pins {wanted}, which the catalogue does not have", lock.path.display());
        problem(message, format!("put it back, or take another with {update}; the catalogue has {}", versions(known)))
    }))
}

impl Candidate {
    fn read(&self) -> Result<Found, ComponentProblem> {
        let (component, bytes) = load_component(&self.path).map_err(|found| ComponentProblem {
            message: format!("`{}`, version {} of it: {}", self.path.display(), self.version, found.message),
            help: found.help,
        })?;
        Ok(Found { version: self.version.clone(), component, bytes })
    }
}

fn unknown(named: &Named, files: &[File], left_out: &[String]) -> ComponentProblem {
    if !left_out.is_empty() {
        let message = format!("the catalogue has no `{}` with a version: {}", named.full_name(), shown(left_out));
        return problem(message, "call the file `name@1.2.3.wasm`, or give the package of its interfaces a version");
    }
    let mut names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let help = match lang::closest(&named.name, names.iter().copied()) {
        Some(close) => format!("did you mean `{close}@{}`?", named.range),
        None if names.is_empty() => "its folders have no component".to_owned(),
        None => format!("it has {}", shown(&names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>())),
    };
    problem(format!("the catalogue has no `{}`", named.full_name()), help)
}

fn versions(known: &[Candidate]) -> String {
    let mut all: Vec<String> = known.iter().map(|candidate| candidate.version.to_string()).collect();
    all.dedup();
    shown(&all)
}

fn shown(all: &[String]) -> String {
    let first: Vec<&str> = all.iter().take(MAX_LISTED).map(String::as_str).collect();
    let more = all.len().saturating_sub(MAX_LISTED);
    if more == 0 { first.join(", ") } else { format!("{}, and {more} more", first.join(", ")) }
}
