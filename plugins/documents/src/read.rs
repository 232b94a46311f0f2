//! Reading one text file.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::bindings::exports::flowhost::documents::api::{Content, Failure, SkipReason, SkippedFile};
use crate::bindings::flowhost::plugin::failure::FailureKind;
use crate::failure;

/// Reads the file as text, or says why there is none.
pub(crate) fn read(folder: &str, path: &str, max_bytes: u64) -> Result<Content, Failure> {
    if path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(failure(FailureKind::InvalidInput, format!("`{path}` is not a relative path below the folder")));
    }
    Ok(match bytes(&Path::new(folder).join(path), max_bytes).and_then(text) {
        Ok(text) => Content::Text(text),
        Err(reason) => Content::Skipped(SkippedFile { path: path.to_owned(), reason }),
    })
}

/// The file is looked at before it is opened: opening a pipe would wait for a writer.
fn bytes(path: &Path, max_bytes: u64) -> Result<Vec<u8>, SkipReason> {
    let unreadable = |error: std::io::Error| SkipReason::Unreadable(error.to_string());
    let about = fs::symlink_metadata(path).map_err(unreadable)?;
    if about.is_symlink() {
        return Err(SkipReason::Symlink);
    }
    if about.is_dir() {
        return Err(SkipReason::Unreadable("it is a folder".to_owned()));
    }
    if !about.is_file() {
        return Err(SkipReason::Special);
    }
    if about.len() > max_bytes {
        return Err(SkipReason::TooLarge(about.len()));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    // One more than allowed: the file may have grown meanwhile.
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    let length = bytes.len() as u64;
    if length > max_bytes { Err(SkipReason::TooLarge(length)) } else { Ok(bytes) }
}

fn text(bytes: Vec<u8>) -> Result<String, SkipReason> {
    if let Some(place) = bytes.iter().position(|&byte| byte == 0) {
        return Err(SkipReason::Binary(place as u64));
    }
    let text = String::from_utf8(bytes).map_err(|error| SkipReason::NotUtf8(error.utf8_error().valid_up_to() as u64))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::read;
    use crate::bindings::exports::flowhost::documents::api::{Content, SkipReason, SkippedFile};
    use crate::bindings::flowhost::plugin::failure::FailureKind;

    /// An empty folder for one test.
    pub(crate) fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("flowhost-documents-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn skipped(path: &str, reason: SkipReason) -> Content {
        Content::Skipped(SkippedFile { path: path.into(), reason })
    }

    fn content(bytes: &[u8], max_bytes: u64) -> Content {
        let root = folder(&format!("read-{}-{max_bytes}", bytes.iter().map(|byte| format!("{byte:x}")).collect::<String>()));
        fs::write(root.join("file"), bytes).unwrap();
        let content = read(root.to_str().unwrap(), "file", max_bytes).unwrap();
        fs::remove_dir_all(&root).unwrap();
        content
    }

    #[test]
    fn texts_are_read_whole() {
        assert_eq!(content("né\r\n".as_bytes(), 100), Content::Text("né\r\n".into()));
        assert_eq!(content(b"", 0), Content::Text(String::new()));
        assert_eq!(content("\u{feff}x".as_bytes(), 100), Content::Text("x".into()));
    }

    #[test]
    fn what_is_no_text_is_skipped_with_the_place() {
        assert_eq!(content(b"ab\xffcd", 100), skipped("file", SkipReason::NotUtf8(2)));
        assert_eq!(content(b"ab\xc3", 100), skipped("file", SkipReason::NotUtf8(2)));
        assert_eq!(content(b"a\0b\0", 100), skipped("file", SkipReason::Binary(1)));
        assert_eq!(content(b"\xff\xfea\0", 100), skipped("file", SkipReason::Binary(3)));
    }

    #[test]
    fn the_bound_is_inclusive() {
        assert_eq!(content(b"12345", 5), Content::Text("12345".into()));
        assert_eq!(content(b"12345", 4), skipped("file", SkipReason::TooLarge(5)));
        assert_eq!(content(b"1", u64::MAX), Content::Text("1".into()));
    }

    #[cfg(unix)]
    #[test]
    fn links_folders_and_missing_files_are_skipped() {
        let root = folder("kinds");
        fs::create_dir(root.join("sub")).unwrap();
        fs::write(root.join("real"), "x").unwrap();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        let read = |path: &str| read(root.to_str().unwrap(), path, 100).unwrap();
        assert_eq!(read("link"), skipped("link", SkipReason::Symlink));
        assert_eq!(read("real"), Content::Text("x".into()));
        for path in ["sub", "missing", "real/below"] {
            assert!(matches!(read(path), Content::Skipped(SkippedFile { reason: SkipReason::Unreadable(_), .. })), "{path}");
        }
    }

    #[test]
    fn paths_that_lead_out_fail() {
        for path in ["", "/etc/passwd", "..", "a/../../b"] {
            let failure = read("/nowhere", path, 100).unwrap_err();
            assert_eq!(failure.kind, FailureKind::InvalidInput, "{path}");
        }
    }
}
