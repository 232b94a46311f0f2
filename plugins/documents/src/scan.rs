//! Listing a folder with all below it.

use crate::bindings::exports::flowhost::documents::api::{Failure, File, Listing, SkipReason, SkippedFile};
use crate::bindings::flowhost::plugin::failure::FailureKind;
use crate::entries::{Entry, Kind, list};
use crate::failure;

/// Folders below folders that are looked into; deeper ones are reported.
const MAX_DEPTH: usize = 64;

/// What is still to be looked at.
struct Pending {
    path: String,
    depth: usize,
    kind: Result<Kind, String>,
}

/// Lists without following links. Everything comes in the order of the whole paths, so that a bound
/// cuts off the same files each time.
pub(crate) fn scan(folder: &str, max_files: usize) -> Result<Listing, Failure> {
    let mut listing = Bounded { listing: Listing { files: vec![], skipped: vec![], left_out: 0 }, max_files };
    let mut pending = Vec::new();
    look_into(folder, "", 0, &mut pending, &mut listing)
        .map_err(|why| failure(FailureKind::Dependency, format!("the folder `{folder}` cannot be read: {why}")))?;
    while let Some(Pending { path, depth, kind }) = pending.pop() {
        match kind {
            Ok(Kind::File(bytes)) => listing.file(path, bytes),
            Ok(Kind::Symlink) => listing.skip(path, SkipReason::Symlink),
            Ok(Kind::Special) => listing.skip(path, SkipReason::Special),
            Ok(Kind::Folder) if depth >= MAX_DEPTH => listing.skip(path, unreadable("too many folders inside each other")),
            Ok(Kind::Folder) => {
                if let Err(why) = look_into(folder, &path, depth + 1, &mut pending, &mut listing) {
                    listing.skip(path, unreadable(&why));
                }
            }
            Err(why) => listing.skip(path, unreadable(&why)),
        }
    }
    Ok(listing.finish())
}

fn unreadable(why: &str) -> SkipReason {
    SkipReason::Unreadable(why.to_owned())
}

/// Puts what stands in a folder on the stack, the first one on top.
fn look_into(root: &str, path: &str, depth: usize, pending: &mut Vec<Pending>, listing: &mut Bounded) -> Result<(), String> {
    let full = if path.is_empty() { root.to_owned() } else { format!("{}/{path}", root.trim_end_matches('/')) };
    let mut entries = list(&full)?;
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    for _ in 0..entries.nameless {
        listing.skip(join("?"), unreadable("its name is not UTF-8"));
    }
    // A folder's files sort as if its name ended with the slash that their paths have there.
    entries.found.sort_by_cached_key(|entry| match entry.kind {
        Ok(Kind::Folder) => format!("{}/", entry.name),
        _ => entry.name.clone(),
    });
    for Entry { name, kind } in entries.found.into_iter().rev() {
        if name.starts_with('.') {
            listing.skip(join(&name), SkipReason::Hidden);
        } else {
            pending.push(Pending { path: join(&name), depth, kind });
        }
    }
    Ok(())
}

/// A listing that does not grow above its bound.
struct Bounded {
    listing: Listing,
    max_files: usize,
}

impl Bounded {
    fn file(&mut self, path: String, bytes: u64) {
        if self.listing.files.len() < self.max_files {
            self.listing.files.push(File { path, bytes });
        } else {
            self.listing.left_out += 1;
        }
    }

    fn skip(&mut self, path: String, reason: SkipReason) {
        if self.listing.skipped.len() < self.max_files {
            self.listing.skipped.push(SkippedFile { path, reason });
        } else {
            self.listing.left_out += 1;
        }
    }

    fn finish(mut self) -> Listing {
        self.listing.skipped.sort_by(|x, y| x.path.cmp(&y.path));
        self.listing
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{MAX_DEPTH, scan};
    use crate::bindings::exports::flowhost::documents::api::{Listing, SkipReason};
    use crate::bindings::flowhost::plugin::failure::FailureKind;
    use crate::read::tests::folder;

    fn paths(listing: &Listing) -> Vec<&str> {
        listing.files.iter().map(|file| file.path.as_str()).collect()
    }

    fn skipped(listing: &Listing) -> Vec<(&str, &SkipReason)> {
        listing.skipped.iter().map(|file| (file.path.as_str(), &file.reason)).collect()
    }

    #[test]
    fn files_are_listed_by_whole_path_with_sizes() {
        let root = folder("sorted");
        for path in ["a/z.txt", "a/b/c.txt", "a.txt", "a-b.txt", "b.txt", "é.txt"] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), path).unwrap();
        }
        let found = scan(root.to_str().unwrap(), 100).unwrap();
        assert_eq!(paths(&found), ["a-b.txt", "a.txt", "a/b/c.txt", "a/z.txt", "b.txt", "é.txt"]);
        assert!(found.files.is_sorted_by(|x, y| x.path < y.path));
        assert!(found.files.iter().all(|file| file.bytes == file.path.len() as u64));
        assert!(found.skipped.is_empty());
        let few = scan(root.to_str().unwrap(), 2).unwrap();
        assert_eq!((paths(&few), few.left_out), (vec!["a-b.txt", "a.txt"], 4));
    }

    #[cfg(unix)]
    #[test]
    fn links_hidden_and_special_files_are_reported() {
        use std::os::unix::ffi::OsStrExt;
        let root = folder("odd");
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::write(root.join(".git/config"), "x").unwrap();
        fs::write(root.join("real.txt"), "x").unwrap();
        fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff.txt")), "x").unwrap();
        std::os::unix::fs::symlink("real.txt", root.join("link.txt")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("sock")).unwrap();
        let found = scan(root.to_str().unwrap(), 100).unwrap();
        assert_eq!(paths(&found), ["real.txt"]);
        let nameless = SkipReason::Unreadable("its name is not UTF-8".into());
        assert_eq!(
            skipped(&found),
            [
                (".git", &SkipReason::Hidden),
                ("?", &nameless),
                ("link.txt", &SkipReason::Symlink),
                ("sock", &SkipReason::Special),
                ("up", &SkipReason::Symlink),
            ]
        );
    }

    #[test]
    fn deep_folders_end_somewhere() {
        let root = folder("deep");
        let mut path = root.clone();
        for _ in 0..MAX_DEPTH + 3 {
            path.push("d");
        }
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("x.txt"), "x").unwrap();
        let found = scan(root.to_str().unwrap(), 100).unwrap();
        assert!(found.files.is_empty());
        assert_eq!(found.skipped.len(), 1);
    }

    #[test]
    fn an_empty_folder_is_empty_and_a_missing_one_fails() {
        let root = folder("empty");
        let found = scan(root.to_str().unwrap(), 100).unwrap();
        assert!(found.files.is_empty() && found.skipped.is_empty() && found.left_out == 0);
        let failure = scan(root.join("missing").to_str().unwrap(), 100).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Dependency);
    }
}
