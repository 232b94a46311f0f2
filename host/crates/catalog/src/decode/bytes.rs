//! Tells a component from the other files that people hand in, by the first bytes.

use wasmparser::Parser;

use super::DecodeError;

/// Passes anything that claims to be a component.
pub(super) fn check_kind(bytes: &[u8]) -> Result<(), DecodeError> {
    const MAGIC: &[u8] = b"\0asm";
    if Parser::is_core_wasm(bytes) {
        return Err(DecodeError::CoreModule);
    }
    if Parser::is_component(bytes) {
        return Ok(());
    }
    if bytes.starts_with(MAGIC) {
        return Err(match bytes.get(4..8) {
            None => DecodeError::Truncated { offset: bytes.len() as u64 },
            Some(version) => {
                DecodeError::Invalid { offset: 4, message: format!("unknown WebAssembly version {}", hex::encode(version)) }
            }
        });
    }
    Err(DecodeError::NotWasm { what: describe(bytes) })
}

/// A guess at what it is, for people.
fn describe(bytes: &[u8]) -> String {
    const BINARY: [(&[u8], &str); 8] = [
        (b"\x7fELF", "it looks like an ELF file, a native program or library"),
        (b"MZ", "it looks like a Windows program"),
        (b"\xcf\xfa\xed\xfe", "it looks like a macOS program"),
        (b"PK\x03\x04", "it looks like a zip archive"),
        (b"\x1f\x8b", "it looks like a gzip file; unpack it first"),
        (b"\x28\xb5\x2f\xfd", "it looks like a zstd file; unpack it first"),
        (b"!<arch>", "it looks like a static library"),
        (b"#!", "it looks like a script"),
    ];
    if bytes.is_empty() {
        return "it is empty".to_owned();
    }
    if let Some((_, what)) = BINARY.iter().find(|(start, _)| bytes.starts_with(start)) {
        return (*what).to_owned();
    }
    let head = bytes.get(..bytes.len().min(512)).unwrap_or(bytes);
    match describe_text(&String::from_utf8_lossy(head)) {
        Some(what) => what.to_owned(),
        None => format!("it begins with the bytes {}", hex::encode(bytes.get(..bytes.len().min(8)).unwrap_or(bytes))),
    }
}

fn describe_text(head: &str) -> Option<&'static str> {
    let text = head.trim_start_matches('\u{feff}').trim_start();
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("(component") || lower.starts_with("(module") || lower.starts_with(";;") || lower.starts_with("(;") {
        Some("it looks like WebAssembly text (WAT); turn it into a binary with `wasm-tools parse`")
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        Some("it looks like an HTML page, perhaps the error page of a download")
    } else if lower.starts_with("<?xml") || lower.starts_with('<') {
        Some("it looks like XML")
    } else if lower.starts_with("version https://git-lfs") {
        Some("it is a Git LFS pointer; fetch the file with `git lfs pull`")
    } else if lower.starts_with("package ") || lower.starts_with("world ") || lower.starts_with("interface ") {
        Some("it looks like WIT text, which describes a component but holds no code")
    } else if lower.starts_with('{') || lower.starts_with('[') {
        Some("it looks like JSON")
    } else if !text.is_empty() && !text.contains(|c: char| c == '\u{fffd}' || (c.is_control() && !c.is_whitespace())) {
        Some("it looks like plain text")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, check_kind};

    /// What the error for these bytes says.
    fn said(bytes: &[u8]) -> String {
        check_kind(bytes).expect_err("no component").to_string()
    }

    #[test]
    fn other_files_are_named() {
        for (bytes, part) in [
            (&b""[..], "it is empty"),
            (b"\n ;; a comment\n(component)", "WAT"),
            (b"<!DOCTYPE html><html>", "HTML"),
            (b"\x7fELF\x02\x01", "ELF"),
            (b"package docs:read;", "WIT text"),
            (b"hello", "plain text"),
            (b"\x01\x02\x03", "the bytes 010203"),
        ] {
            assert!(said(bytes).contains(part), "{}", said(bytes));
        }
    }

    #[test]
    fn other_wasm_is_told_apart() {
        assert_eq!(check_kind(b"\0asm\x01\0\0\0"), Err(DecodeError::CoreModule));
        assert_eq!(check_kind(b"\0asm\x0d\0\x01\0"), Ok(()));
        assert_eq!(check_kind(b"\0asm\x0d\0"), Err(DecodeError::Truncated { offset: 6 }));
        assert!(said(b"\0asm\x63\0\x01\0").contains("unknown WebAssembly version"));
    }
}
