//! Writes JSON objects straight to text: bodies are written for each event, so they are not built as trees.

use std::fmt::Write;

use catalog::json::write_string;
use itoa::Integer;

/// An object that is being written.
pub(super) struct Object {
    text: String,
}

impl Object {
    /// An object that has its version.
    pub(super) fn new(version: u32) -> Self {
        let mut text = String::with_capacity(256);
        text.push_str("{\"v\":");
        number(version, &mut text);
        Self { text }
    }

    /// The text.
    pub(super) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    /// Begins the member `key`, a plain name, whose value the caller appends.
    pub(super) fn member(&mut self, key: &str) -> &mut String {
        self.text.push_str(",\"");
        self.text.push_str(key);
        self.text.push_str("\":");
        &mut self.text
    }

    /// A text.
    pub(super) fn string(&mut self, key: &str, value: &str) {
        write_string(value, self.member(key));
    }

    /// A whole number.
    pub(super) fn number(&mut self, key: &str, value: impl Integer) {
        number(value, self.member(key));
    }

    /// A mark that is there or not.
    pub(super) fn mark(&mut self, key: &str) {
        self.member(key).push_str("true");
    }

    /// A list of texts.
    pub(super) fn strings(&mut self, key: &str, values: &[String]) {
        list('[', ']', values, self.member(key), |value, out| write_string(value, out));
    }
}

/// Appends members with commas between two brackets.
pub(super) fn list<T>(open: char, close: char, items: &[T], out: &mut String, mut write: impl FnMut(&T, &mut String)) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(close);
}

/// Appends a whole number. Each event has a dozen of them, so this does not go through the formatter.
pub(super) fn number(value: impl Integer, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// Appends formatted text, which cannot fail on a `String`.
pub(super) fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments);
}
