//! A [`World`] in memory, read from a folder of a test case.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use catalog::Component;
use lang::{ComponentProblem, LoadedComponent, World};

use crate::component::component_from_wit;

/// Files by their path relative to the folder, with `/`.
///
/// A `use "name.wasm"` finds the file `name.wasm` next to the file that it stands in, or else a component made from `name.wit`.
#[derive(Debug, Default)]
pub struct MemoryWorld {
    files: BTreeMap<String, Vec<u8>>,
    components: Mutex<BTreeMap<String, Result<Arc<Component>, ComponentProblem>>>,
}

impl MemoryWorld {
    /// A world without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All files of a folder and its folders.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn from_folder(folder: &Path) -> std::io::Result<Self> {
        let mut world = Self::new();
        world.read(folder, "")?;
        Ok(world)
    }

    /// Adds a file.
    #[must_use]
    pub fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    fn read(&mut self, folder: &Path, prefix: &str) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                self.read(&entry.path(), &format!("{name}/"))?;
            } else {
                self.files.insert(name, std::fs::read(entry.path())?);
            }
        }
        Ok(())
    }

    fn decode(&self, path: &str) -> Result<Arc<Component>, ComponentProblem> {
        let problem = |message: String| ComponentProblem { message, help: None };
        let bytes = match self.files.get(path) {
            Some(bytes) => bytes.clone(),
            None => {
                let wit = path.strip_suffix(".wasm").and_then(|stem| self.files.get(&format!("{stem}.wit")));
                let Some(wit) = wit else {
                    let help = Some("build it first, or correct the path".to_owned());
                    return Err(ComponentProblem { message: "no such file".to_owned(), help });
                };
                component_from_wit(&String::from_utf8_lossy(wit)).map_err(problem)?
            }
        };
        catalog::decode(&bytes).map(Arc::new).map_err(|error| problem(error.to_string()))
    }
}

impl World for MemoryWorld {
    fn source(&self, path: &str) -> Result<Arc<str>, String> {
        let bytes = self.files.get(path).ok_or_else(|| "no such file".to_owned())?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Arc::from(text)),
            Err(error) => Err(format!("it is not UTF-8 (byte {})", error.valid_up_to())),
        }
    }

    fn component(&self, reference: &str, from: &str) -> Result<LoadedComponent, ComponentProblem> {
        let folder = from.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let source = format!("{folder}{reference}");
        let mut known = self.components.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let component = known.entry(source.clone()).or_insert_with(|| self.decode(&source)).clone()?;
        Ok(LoadedComponent { source, component })
    }
}
