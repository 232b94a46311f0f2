//! What stands in one folder.
//!
//! The listing of the standard library ends at the first name that is not UTF-8 when it runs in
//! WebAssembly, so there the system's interface is asked itself.

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With its size in bytes.
    File(u64),
    Folder,
    Symlink,
    Special,
}

/// A name in a folder; `Err` says why it cannot be looked at.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: Result<Kind, String>,
}

/// The entries of a folder in the system's order.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) found: Vec<Entry>,
    /// How many names are not UTF-8; nobody can open them.
    pub(crate) nameless: usize,
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::list;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasi::list;

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use super::{Entries, Entry, Kind};

    pub(crate) fn list(folder: &str) -> Result<Entries, String> {
        let mut entries = Entries::default();
        for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            match entry.file_name().into_string() {
                Ok(name) => entries.found.push(Entry { name, kind: kind(&entry).map_err(|error| error.to_string()) }),
                Err(_) => entries.nameless += 1,
            }
        }
        Ok(entries)
    }

    fn kind(entry: &std::fs::DirEntry) -> std::io::Result<Kind> {
        let found = entry.file_type()?;
        Ok(if found.is_dir() {
            Kind::Folder
        } else if found.is_symlink() {
            Kind::Symlink
        } else if found.is_file() {
            Kind::File(entry.metadata()?.len())
        } else {
            Kind::Special
        })
    }
}

#[cfg(target_arch = "wasm32")]
mod wasi {
    use wasip2::filesystem::preopens::get_directories;
    use wasip2::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags};

    use super::{Entries, Entry, Kind};

    pub(crate) fn list(folder: &str) -> Result<Entries, String> {
        let folder = open(folder)?;
        let stream = folder.read_directory().map_err(describe)?;
        let mut entries = Entries::default();
        loop {
            match stream.read_directory_entry() {
                Ok(None) => return Ok(entries),
                Ok(Some(entry)) => {
                    let kind = kind(&folder, entry.type_, &entry.name);
                    entries.found.push(Entry { name: entry.name, kind });
                }
                Err(ErrorCode::IllegalByteSequence) => entries.nameless += 1,
                Err(error) => return Err(describe(error)),
            }
        }
    }

    /// The folder, through the granted one that is above it.
    fn open(path: &str) -> Result<Descriptor, String> {
        let below = |granted: &str| -> Option<String> {
            let rest = path.strip_prefix(granted.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/').to_owned())
        };
        let granted = get_directories().into_iter().filter_map(|(root, name)| Some((root, below(&name)?)));
        let (root, rest) = granted.min_by_key(|(_, rest)| rest.len()).ok_or("it was not granted")?;
        let rest = if rest.is_empty() { "." } else { &rest };
        root.open_at(PathFlags::empty(), rest, OpenFlags::DIRECTORY, DescriptorFlags::READ).map_err(describe)
    }

    fn kind(folder: &Descriptor, found: DescriptorType, name: &str) -> Result<Kind, String> {
        Ok(match found {
            DescriptorType::Directory => Kind::Folder,
            DescriptorType::SymbolicLink => Kind::Symlink,
            DescriptorType::RegularFile => Kind::File(folder.stat_at(PathFlags::empty(), name).map_err(describe)?.size),
            _ => Kind::Special,
        })
    }

    fn describe(error: ErrorCode) -> String {
        error.name().replace('-', " ")
    }
}
