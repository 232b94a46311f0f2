//! Where the compiler's texts and components come from: the disk, or what a run was started with.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use catalog::{Component, Digest};
use lang::{ComponentProblem, LoadedComponent, World};

use crate::config::Config;
use crate::exit::Problem;
use crate::output::Output;
use crate::parts::{Part, Parts, Pin};

/// The most bytes of a source file or component that are read.
const MAX_FILE: u64 = 256 << 20;

/// Files on disk, and the components that they name. Keeps what it read, so that the same bytes are checked, stored and run.
pub(crate) struct DiskWorld {
    parts: Parts,
    read: Mutex<ReadFiles>,
}

/// What was read during a compilation.
#[derive(Clone, Default)]
pub(crate) struct ReadFiles {
    /// Source texts by path.
    pub(crate) sources: BTreeMap<String, Arc<str>>,
    /// What each reference of each file resolved to: (reference, file) to (path, digest).
    pub(crate) references: BTreeMap<(String, String), (String, Digest)>,
    /// The bytes of components.
    pub(crate) bytes: BTreeMap<Digest, Arc<[u8]>>,
    /// By what a lock file calls them.
    parts: BTreeMap<String, Result<Part, ComponentProblem>>,
}

impl ReadFiles {
    /// What a lock file would say of the components that were found.
    pub(crate) fn pins(&self) -> impl Iterator<Item = (&str, &Pin)> {
        self.parts.iter().filter_map(|(key, part)| Some((key.as_str(), &part.as_ref().ok()?.pin)))
    }
}

impl DiskWorld {
    /// For a root file, whose components are as the configuration and the lock file beside it say.
    pub(crate) fn open(output: Output, config: &Config, root: &Path) -> Result<Self, Problem> {
        Ok(Self::with(Parts::open(output, config, root)?))
    }

    /// With components as these parts find them.
    pub(crate) fn with(parts: Parts) -> Self {
        Self { parts, read: Mutex::default() }
    }

    /// The bytes of a component that was read.
    pub(crate) fn bytes(&self, digest: Digest) -> Option<Arc<[u8]>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).bytes.get(&digest).cloned()
    }

    /// Everything that was read.
    pub(crate) fn into_files(self) -> ReadFiles {
        self.read.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World for DiskWorld {
    fn source(&self, path: &str) -> Result<Arc<str>, String> {
        let text: Arc<str> = read_text(Path::new(path))?.into();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.sources.insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn component(&self, reference: &str, from: &str) -> Result<LoadedComponent, ComponentProblem> {
        let wanted = self.parts.wanted(reference, from)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let part = match read.parts.get(&wanted.key) {
            Some(known) => known.clone()?,
            None => {
                let found = self.parts.find(&wanted);
                if let Ok(part) = &found {
                    read.bytes.insert(part.digest(), part.bytes.clone());
                }
                read.parts.insert(wanted.key, found.clone());
                found?
            }
        };
        let loaded = part.loaded();
        read.references.insert((reference.to_owned(), from.to_owned()), (loaded.source.clone(), part.digest()));
        Ok(loaded)
    }
}

/// Reads the component in a file.
pub(crate) fn load_component(path: &Path) -> Result<(Arc<Component>, Arc<[u8]>), ComponentProblem> {
    let bytes = read_file(path)
        .map_err(|reason| ComponentProblem { message: format!("it cannot be read: {reason}"), help: Some(missing_help(path)) })?;
    let component = catalog::decode(&bytes).map_err(|error| ComponentProblem { message: error.to_string(), help: None })?;
    Ok((Arc::new(component), bytes.into()))
}

fn missing_help(path: &Path) -> String {
    let parent = path.parent().unwrap_or(Path::new("."));
    let close = beside(parent, "wasm").and_then(|names| lang::closest(&path.file_stem()?.to_string_lossy(), names));
    if let Some(close) = close {
        format!("did you mean `{close}.wasm`, which is there?")
    } else if parent.ends_with("plugins/dist") {
        "build the shipped plugins with `cargo xtask plugins`".to_owned()
    } else if parent.join("Cargo.toml").is_file() && parent.join("wit").is_dir() {
        format!("its plugin is not built: `host plugin build {}`", parent.display())
    } else if path.extension().is_none() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "it was looked for at `{}`; what the catalogue has is named with a range of versions: `use \"{name}@*\"`",
            path.display()
        )
    } else {
        format!("it was looked for at `{}`; a path in a `use` is relative to the flow file", path.display())
    }
}

/// The names of the files in a folder that end like this, without that end.
fn beside(folder: &Path, extension: &str) -> Option<Vec<String>> {
    const MOST: usize = 10_000;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let paths = std::fs::read_dir(folder).ok()?.take(MOST).flatten().map(|entry| entry.path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Some(names)
}

/// Reads the text of a regular file. The error is a phrase.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let text = String::from_utf8(read_file(path)?);
    text.map_err(|error| format!("it is not UTF-8 (byte {})", error.utf8_error().valid_up_to()))
}

/// Reads a regular file with a bound. The error is a phrase.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let phrase = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    let metadata = std::fs::metadata(path).map_err(phrase)?;
    if metadata.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(phrase)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(phrase)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} MiB", MAX_FILE >> 20));
    }
    Ok(bytes)
}
