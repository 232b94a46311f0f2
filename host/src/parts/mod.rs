//! Components by what a `use` calls them: a path, a name with a range of versions, an OCI reference.
//!
//! # Steps
//!
//! 1. [`reference`] tells the three apart.
//! 2. [`lock`] says which bytes the reference means, when `flow.lock` pins it.
//! 3. [`folders`] finds a name in the catalogue; [`registry`] pulls an image, which [`cache`] keeps by digest.
//! 4. What is found must have the pinned digest, or nobody gets it.

mod cache;
mod folders;
mod lock;
mod reference;
mod registry;
mod wire;

use std::path::Path;
use std::sync::Arc;

use catalog::{Component, Digest};
use lang::{ComponentProblem, LoadedComponent};

use crate::config::Config;
use crate::exit::Problem;
use crate::output::Output;
use crate::world::load_component;
use cache::Cache;
use folders::Folders;
pub(crate) use lock::{Lock, Pin};
use reference::{Image, Named, Reference};
use registry::Registries;

/// Which pins of a lock file move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moving<'u> {
    /// None: what is pinned stays.
    None,
    /// All names and images.
    All,
    /// Those of this name or reference.
    Only(&'u str),
}

/// What a lock file is made anew with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update<'u> {
    pub(crate) moving: Moving<'u>,
    /// Whether paths are pinned to what they have now.
    pub(crate) paths: bool,
}

/// Finds components for the flows of one root file.
pub(crate) struct Parts {
    output: Output,
    folders: Folders,
    registries: Registries,
    cache: Cache,
    lock: Lock,
    /// Whether what is not pinned is worth a word.
    locking: bool,
}

/// What a `use` names.
pub(crate) struct Wanted {
    /// What a lock file calls it: the reference, or a path relative to the lock file.
    pub(crate) key: String,
    reference: Reference,
}

/// A component that was found, and what a lock file says of it.
#[derive(Clone)]
pub(crate) struct Part {
    /// Where it was found: a path, a name with its version, or an image with its digest.
    source: String,
    component: Arc<Component>,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) pin: Pin,
}

impl Part {
    pub(crate) fn loaded(&self) -> LoadedComponent {
        LoadedComponent { source: self.source.clone(), component: Arc::clone(&self.component) }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.component.digest
    }
}

impl Parts {
    /// With the lock file beside the root file.
    pub(crate) fn open(output: Output, config: &Config, root: &Path) -> Result<Self, Problem> {
        let lock = Lock::read(&lock::beside(root))?;
        Self::with(output, config, lock, false)
    }

    /// For making the lock file anew: what may move is not pinned.
    pub(crate) fn for_lock(output: Output, config: &Config, mut lock: Lock, update: Update<'_>) -> Result<Self, Problem> {
        lock.pins.retain(|key, _| match reference::parse(key) {
            Ok(Reference::Path(_)) | Err(_) => !update.paths,
            Ok(reference) => match update.moving {
                Moving::None => true,
                Moving::All => false,
                Moving::Only(name) => !reference.is_called(name),
            },
        });
        Self::with(output, config, lock, true)
    }

    fn with(output: Output, config: &Config, lock: Lock, locking: bool) -> Result<Self, Problem> {
        let folders = Folders::new(config.catalog.folders.iter().map(|folder| config.folder.join(folder)).collect());
        let (registries, cache) = (Registries::configured(&config.catalog)?, Cache::open());
        Ok(Self { output, folders, registries, cache, lock, locking })
    }

    /// What a reference in a file means.
    pub(crate) fn wanted(&self, reference: &str, from: &str) -> Result<Wanted, ComponentProblem> {
        Ok(match reference::parse(reference)? {
            Reference::Path(path) => {
                let path = Path::new(from).parent().unwrap_or(Path::new("")).join(path);
                Wanted { key: self.lock.relative(&path), reference: Reference::Path(path) }
            }
            reference @ (Reference::Named(_) | Reference::Image(_)) => Wanted { key: reference.to_string(), reference },
        })
    }

    /// The component, which has the digest that it is pinned to.
    pub(crate) fn find(&self, wanted: &Wanted) -> Result<Part, ComponentProblem> {
        let pin = self.lock.pins.get(&wanted.key);
        let part = match &wanted.reference {
            Reference::Path(path) => self.at_path(path, pin),
            Reference::Named(named) => self.in_folders(named, pin),
            Reference::Image(image) => self.in_registry(image, pin),
        }?;
        if pin.is_none() && self.lock.exists && !self.locking && !matches!(wanted.reference, Reference::Path(_)) {
            self.output.note(&format!("`{}` is not pinned, `{}` was taken; `host lock` pins it", wanted.key, part.source));
        }
        Ok(part)
    }

    fn at_path(&self, path: &Path, pin: Option<&Pin>) -> Result<Part, ComponentProblem> {
        let (component, bytes) = load_component(path)?;
        if let Some(pin) = pin
            && pin.sha256 != component.digest
        {
            let help = "if the change is meant, `host lock --paths` pins it";
            return Err(self.lock.differs(pin, component.digest, &path.to_string_lossy(), help));
        }
        let pin = Pin { version: None, sha256: component.digest, manifest: None };
        Ok(Part { source: path.to_string_lossy().into_owned(), component, bytes, pin })
    }

    fn in_folders(&self, named: &Named, pin: Option<&Pin>) -> Result<Part, ComponentProblem> {
        let known = self.folders.versions(named)?;
        let found = match pin {
            Some(pin) => folders::pinned(named, &known, pin, &self.lock)?,
            None => folders::best(named, &known)?,
        };
        let pin = Pin { version: Some(found.version.clone()), sha256: found.component.digest, manifest: None };
        let source = format!("{}@{}", named.full_name(), found.version);
        Ok(Part { source, component: found.component, bytes: found.bytes, pin })
    }

    fn in_registry(&self, image: &Image, pin: Option<&Pin>) -> Result<Part, ComponentProblem> {
        if let Some(pin) = pin
            && let Some(manifest) = pin.manifest
            && let Some(bytes) = self.cache.get(pin.sha256)
        {
            return part_of(image, manifest, bytes);
        }
        self.output.note(&format!("fetching {image}"));
        let pulled = self.registries.pull(image, pin.and_then(|pin| pin.manifest), &self.cache)?;
        let part = part_of(image, pulled.manifest, pulled.bytes)?;
        if let Some(pin) = pin
            && pin.sha256 != part.digest()
        {
            let help = format!("if the change is meant, `host lock --update={}` pins it", image.name());
            return Err(self.lock.differs(pin, part.digest(), &image.to_string(), &help));
        }
        self.cache.put(part.digest(), &part.bytes);
        Ok(part)
    }

    /// Whether `host lock --update=NAME` means the entry of this key.
    pub(crate) fn is_called(key: &str, name: &str) -> bool {
        reference::parse(key).is_ok_and(|reference| reference.is_called(name))
    }
}

fn part_of(image: &Image, manifest: Digest, bytes: Arc<[u8]>) -> Result<Part, ComponentProblem> {
    let component = catalog::decode(&bytes).map_err(|error| ComponentProblem { message: error.to_string(), help: None })?;
    let pin = Pin { version: None, sha256: component.digest, manifest: Some(manifest) };
    Ok(Part { source: format!("{}@{manifest}", image.name()), component: Arc::new(component), bytes, pin })
}

/// Whether a lock file would have an entry of this key for a path.
pub(crate) fn is_path(key: &str) -> bool {
    matches!(reference::parse(key), Ok(Reference::Path(_)))
}

fn problem(message: impl Into<String>, help: impl Into<String>) -> ComponentProblem {
    let help = help.into();
    ComponentProblem { message: message.into(), help: (!help.is_empty()).then_some(help) }
}
