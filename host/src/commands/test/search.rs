//! Which files are meant: those that are named, and the flow files below folders.

use std::path::{Path, PathBuf};

use crate::exit::Problem;

/// A flow file.
pub(super) struct Found {
    pub(super) path: String,
    /// Whether it was found in a folder.
    pub(super) searched: bool,
}

/// The files in the order of the arguments, those of a folder sorted by path.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<Found>, Problem> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            search(path, &mut found)?;
        } else {
            found.push(Found { path: path.to_string_lossy().into_owned(), searched: false });
        }
    }
    Ok(found)
}

/// Links and hidden folders are not followed.
fn search(folder: &Path, found: &mut Vec<Found>) -> Result<(), Problem> {
    let failed = |error: std::io::Error| Problem::usage(format!("the folder `{}` cannot be read: {error}", folder.display()));
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        entries.push((entry.path(), entry.file_type().map_err(failed)?));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (path, kind) in entries {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if kind.is_dir() && !hidden {
            search(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "flow") {
            found.push(Found { path: path.to_string_lossy().into_owned(), searched: true });
        }
    }
    Ok(())
}
