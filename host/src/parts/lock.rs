//! `flow.lock`: which bytes each reference of the flows beside it means.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use catalog::Digest;
use lang::ComponentProblem;
use semver::Version;

use super::problem;
use super::wire::{LockDocument, LockedComponent};
use crate::exit::{Exit, Problem};
use crate::program::parse_digest;

/// What the file is called.
const LOCK_FILE: &str = "flow.lock";

/// The format's version.
const VERSION: u32 = 1;

const HEAD: &str =
    "# Written by `host lock`: which bytes each component is. Keep it under version control with the flows beside it.\n";

/// What a reference is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    /// Of a component of the catalogue.
    pub(crate) version: Option<Version>,
    /// Of the component's bytes.
    pub(crate) sha256: Digest,
    /// Of the manifest of an image.
    pub(crate) manifest: Option<Digest>,
}

/// A lock file that was read.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) path: PathBuf,
    pub(crate) exists: bool,
    /// By reference, or by path relative to the lock file.
    pub(crate) pins: BTreeMap<String, Pin>,
}

/// The lock file for a flow file.
pub(super) fn beside(flow_file: &Path) -> PathBuf {
    flow_file.parent().unwrap_or(Path::new("")).join(LOCK_FILE)
}

impl Lock {
    /// Reads it; one that is not there pins nothing.
    pub(crate) fn read(path: &Path) -> Result<Self, Problem> {
        let lock = |exists, pins| Self { path: path.to_owned(), exists, pins };
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(lock(true, parse(&text).map_err(|reason| unusable(path, &reason))?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(lock(false, BTreeMap::new())),
            Err(error) => Err(unusable(path, &format!("it cannot be read: {error}"))),
        }
    }

    /// For the flow files of a folder.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self, Problem> {
        Self::read(&folder.join(LOCK_FILE))
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self) -> Result<(), Problem> {
        let failed = |error: std::io::Error| Problem::usage(format!("`{}` cannot be written: {error}", self.path.display()));
        let text = self.text().map_err(|reason| Problem::usage(format!("`{}`: {reason}", self.path.display())))?;
        let fresh = self.path.with_extension(format!("lock.{}", std::process::id()));
        std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &self.path)).map_err(|error| {
            let _ = std::fs::remove_file(&fresh);
            failed(error)
        })
    }

    fn text(&self) -> Result<String, String> {
        let component = |(reference, pin): (&String, &Pin)| LockedComponent {
            reference: reference.clone(),
            version: pin.version.as_ref().map(Version::to_string),
            sha256: hex::encode(pin.sha256.0),
            manifest: pin.manifest.map(|digest| hex::encode(digest.0)),
        };
        let document = LockDocument { version: VERSION, components: self.pins.iter().map(component).collect() };
        toml::to_string(&document).map(|text| format!("{HEAD}{text}")).map_err(|error| error.to_string())
    }

    /// A path as this file calls it: relative to its folder, with `/`.
    pub(super) fn relative(&self, path: &Path) -> String {
        let (folder, path) = (normal(self.path.parent().unwrap_or(Path::new(""))), normal(path));
        let shared = folder.iter().zip(&path).take_while(|(a, b)| a == b).count();
        let ups = folder.iter().skip(shared).map(|_| "..".to_owned());
        ups.chain(path.iter().skip(shared).cloned()).collect::<Vec<_>>().join("/")
    }

    /// Says that something is not what is pinned.
    pub(super) fn differs(&self, pin: &Pin, found: Digest, place: &str, help: &str) -> ComponentProblem {
        let message = format!("`{}` pins {}, and `{place}` has {found}", self.path.display(), pin.sha256);
        problem(message, format!("put back what was pinned; {help}"))
    }
}

/// The parts of a path without `.`, and without `..` where possible.
fn normal(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.last().is_some_and(|last| last != ".." && !last.is_empty()) => drop(parts.pop()),
            Component::RootDir => parts.push(String::new()),
            other => parts.push(other.as_os_str().to_string_lossy().into_owned()),
        }
    }
    parts
}

fn unusable(path: &Path, reason: &str) -> Problem {
    Problem::new(Exit::Plugin, format!("`{}` cannot be used: {reason}", path.display()))
        .help("mend it, or remove it and let `host lock` write it anew")
}

fn parse(text: &str) -> Result<BTreeMap<String, Pin>, String> {
    let document: LockDocument = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    if document.version != VERSION {
        return Err(format!("it has version {}, this host reads version {VERSION}", document.version));
    }
    let mut pins = BTreeMap::new();
    for LockedComponent { reference, version, sha256, manifest } in document.components {
        let digest = |text: &str| parse_digest(text).ok_or_else(|| format!("`{text}` is not a sha256"));
        let version = version.map(|text| Version::parse(&text).map_err(|error| format!("`{text}` is not a version: {error}")));
        let pin = Pin {
            version: version.transpose()?,
            sha256: digest(&sha256)?,
            manifest: manifest.as_deref().map(digest).transpose()?,
        };
        if pins.insert(reference.clone(), pin).is_some() {
            return Err(format!("it has `{reference}` twice"));
        }
    }
    Ok(pins)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Lock, parse};

    fn lock(path: &str, text: &str) -> Lock {
        Lock { path: PathBuf::from(path), exists: true, pins: parse(text).unwrap() }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = format!(
            "{}version = 1\n\n[[component]]\nreference = \"a@^1\"\nversion = \"1.2.3\"\nsha256 = \"{}\"\n\n\
             [[component]]\nreference = \"oci://h/r:1\"\nsha256 = \"{}\"\nmanifest = \"{}\"\n",
            super::HEAD,
            "0a".repeat(32),
            "0b".repeat(32),
            "0c".repeat(32)
        );
        assert_eq!(lock("flow.lock", &text).text().unwrap(), text);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let entry = format!("[[component]]\nreference = \"a@1\"\nsha256 = \"{}\"\n", "0a".repeat(32));
        for (text, what) in [
            ("<<<<<<< ours\nversion = 1\n".to_owned(), "TOML parse error"),
            ("version = 9\n".to_owned(), "it has version 9, this host reads version 1"),
            (format!("version = 1\n{entry}{entry}"), "it has `a@1` twice"),
            ("version = 1\n[[component]]\nreference = \"a\"\nsha256 = \"12\"\n".to_owned(), "`12` is not a sha256"),
            (format!("version = 1\n{entry}version = \"one\"\n"), "`one` is not a version"),
            (format!("version = 1\n{entry}size = 1\n"), "unknown field `size`"),
        ] {
            let found = parse(&text).unwrap_err();
            assert!(found.contains(what), "{found}");
        }
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        for (lock_file, path, expected) in [
            ("flow.lock", "a.wasm", "a.wasm"),
            ("flows/flow.lock", "flows/lib/../a.wasm", "a.wasm"),
            ("flows/flow.lock", "flows/../plugins/a.wasm", "../plugins/a.wasm"),
            ("./flow.lock", "./x/a.wasm", "x/a.wasm"),
            ("/w/flows/flow.lock", "/w/plugins/a.wasm", "../plugins/a.wasm"),
            ("../flow.lock", "../a.wasm", "a.wasm"),
        ] {
            assert_eq!(lock(lock_file, "version = 1").relative(Path::new(path)), expected, "{path}");
        }
    }
}
