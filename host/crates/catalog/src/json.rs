//! The one mapping between values and JSON, used by the command line, the journal and every protocol.
//!
//! - A record is an object with its field names, written in alphabetical order; a tuple and a list are arrays.
//! - `list<u8>` is base64 with padding.
//! - Integers beyond ±(2^53 − 1) are strings, NaN and infinities `"NaN"`, `"Infinity"`, `"-Infinity"`.
//! - `option` is the value or null. Where that could not be told from `none` or from the other form, it is
//!   `{"some": v}`: an option in an option, a `json` that is null or an object with only the field `some`, nothing.
//! - `result` is `{"ok": v}` or `{"err": v}`, a variant `{"case": v}` or `"case"`, an enum a string, flags a list of strings.
//! - A duration is a text such as `"30s"` (never a number), a `dir` its path, nothing is null.
//! - `json` is the document itself, nested at most [`MAX_JSON_DEPTH`] deep.
//!
//! Reading is strict: no coercion between strings and numbers, no unknown field. A missing field is an
//! error, or `none` where the field is an option.

mod argument;
mod document;
mod read;
mod write;

use std::sync::Arc;

use crate::types::Type;
use crate::value::Value;

pub use argument::parse_argument;
pub use read::{JsonError, from_json, parse};
pub use write::{to_json, write_json, write_string};

/// A text as a `json` document, nested at most [`MAX_JSON_DEPTH`] deep. The way in for text that comes from a
/// guest or a store.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_document(text: &str) -> Result<Arc<serde_json::Value>, JsonError> {
    match parse(text, &Type::Json)? {
        Value::Json(document) => Ok(document),
        other => Ok(Arc::new(to_json(&other))),
    }
}

/// How deep a `json` document may be nested. With it a value that holds documents, of a type nested up to
/// 60 deep, is still read back by a JSON parser that stops at 128.
pub const MAX_JSON_DEPTH: usize = 64;

/// The greatest integer that every JSON reader keeps exact: 2^53 − 1.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Whether a document is nested at most `limit` deep; a scalar has depth 0. Looks no deeper than the limit.
#[must_use]
pub fn fits_depth(document: &serde_json::Value, limit: usize) -> bool {
    match document {
        serde_json::Value::Array(items) => limit > 0 && items.iter().all(|item| fits_depth(item, limit - 1)),
        serde_json::Value::Object(fields) => limit > 0 && fields.values().all(|value| fits_depth(value, limit - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
