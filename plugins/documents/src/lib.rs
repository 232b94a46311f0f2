//! Plugin `documents`: text files of a granted folder.

mod bindings;
mod entries;
mod read;
mod scan;

use bindings::exports::flowhost::documents::api::{Content, Failure, Guest, Listing};
use bindings::flowhost::plugin::failure::FailureKind;

struct Plugin;

impl Guest for Plugin {
    fn scan(folder: String, max_files: u32) -> Result<Listing, Failure> {
        scan::scan(&folder, max_files as usize)
    }

    fn read(folder: String, path: String, max_bytes: u64) -> Result<Content, Failure> {
        read::read(&folder, &path, max_bytes)
    }
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message, details: None, retry_after: None }
}
