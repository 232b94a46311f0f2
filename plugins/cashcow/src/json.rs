//! Writes JSON (RFC 8259).

use std::fmt::Write;

/// A string.
pub(crate) fn text(value: &str) -> String {
    let mut written = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            '\u{0}'..='\u{1f}' => {
                // Writing to a string does not fail.
                let _ = write!(written, "\\u{:04x}", u32::from(c));
            }
            c => written.push(c),
        }
    }
    written + "\""
}

/// An object of values that are written already.
pub(crate) fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::{object, text};

    #[test]
    fn what_must_be_escaped_is() {
        assert_eq!(text("a\"b\\\nc\u{7f}é"), "\"a\\\"b\\\\\\u000ac\u{7f}é\"");
        assert_eq!(object(&[("a", "1".into()), ("b", text("x"))]), "{\"a\":1,\"b\":\"x\"}");
    }
}
