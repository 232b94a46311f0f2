//! Values to JSON: as a tree, and straight to text.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json};

use super::MAX_SAFE_INTEGER;
use crate::duration;
use crate::types::Name;
use crate::value::Value;

/// A value as a JSON tree.
#[must_use]
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(x) => Json::Bool(*x),
        Value::S8(x) => Json::from(*x),
        Value::S16(x) => Json::from(*x),
        Value::S32(x) => Json::from(*x),
        Value::S64(x) if x.unsigned_abs() > MAX_SAFE_INTEGER => Json::String(x.to_string()),
        Value::S64(x) => Json::from(*x),
        Value::U8(x) => Json::from(*x),
        Value::U16(x) => Json::from(*x),
        Value::U32(x) => Json::from(*x),
        Value::U64(x) if *x > MAX_SAFE_INTEGER => Json::String(x.to_string()),
        Value::U64(x) => Json::from(*x),
        Value::F32(x) => float(widen(*x)).map_or_else(Json::from, Json::Number),
        Value::F64(x) => float(*x).map_or_else(Json::from, Json::Number),
        Value::Char(x) => Json::String(x.to_string()),
        Value::String(x) | Value::Dir(x) => Json::from(&**x),
        Value::Bytes(x) => Json::String(STANDARD.encode(x)),
        Value::List(items) | Value::Tuple(items) => items.iter().map(to_json).collect(),
        Value::Record(fields) => sorted(fields).into_iter().map(|(name, value)| (name.to_string(), to_json(value))).collect(),
        Value::Variant(name, None) | Value::Enum(name) => Json::from(&**name),
        Value::Variant(name, Some(payload)) => object(name, to_json(payload)),
        Value::Flags(names) => names.iter().map(|name| Json::from(&**name)).collect(),
        Value::Option(None) | Value::Unit => Json::Null,
        Value::Option(Some(inner)) if needs_some(inner) => object("some", to_json(inner)),
        Value::Option(Some(inner)) => to_json(inner),
        Value::Result(Ok(payload)) => object("ok", payload.as_deref().map_or(Json::Null, to_json)),
        Value::Result(Err(payload)) => object("err", payload.as_deref().map_or(Json::Null, to_json)),
        Value::Json(document) => Json::clone(document),
        Value::Duration(nanos) => Json::String(duration::display(*nanos).to_string()),
        Value::Held(held) => to_json(&held.open()),
    }
}

/// Appends the text of [`to_json`] without building the tree.
pub fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Bool(x) => out.push_str(if *x { "true" } else { "false" }),
        Value::S8(x) => integer(*x, out),
        Value::S16(x) => integer(*x, out),
        Value::S32(x) => integer(*x, out),
        Value::S64(x) if x.unsigned_abs() > MAX_SAFE_INTEGER => quoted(*x, out),
        Value::S64(x) => integer(*x, out),
        Value::U8(x) => integer(*x, out),
        Value::U16(x) => integer(*x, out),
        Value::U32(x) => integer(*x, out),
        Value::U64(x) if *x > MAX_SAFE_INTEGER => quoted(*x, out),
        Value::U64(x) => integer(*x, out),
        Value::F32(x) => write_float(widen(*x), out),
        Value::F64(x) => write_float(*x, out),
        Value::Char(x) => write_string(x.encode_utf8(&mut [0; 4]), out),
        Value::String(x) | Value::Dir(x) => write_string(x, out),
        Value::Bytes(x) => {
            out.push('"');
            STANDARD.encode_string(x, out);
            out.push('"');
        }
        Value::List(items) | Value::Tuple(items) => between('[', ']', items.iter(), out, write_json),
        Value::Record(fields) => write_record(fields, out),
        Value::Variant(name, None) | Value::Enum(name) => write_string(name, out),
        Value::Variant(name, Some(payload)) => write_object(name, Some(payload), out),
        Value::Flags(names) => between('[', ']', names.iter(), out, |name, out| write_string(name, out)),
        Value::Option(None) | Value::Unit => out.push_str("null"),
        Value::Option(Some(inner)) if needs_some(inner) => write_object("some", Some(inner), out),
        Value::Option(Some(inner)) => write_json(inner, out),
        Value::Result(Ok(payload)) => write_object("ok", payload.as_deref(), out),
        Value::Result(Err(payload)) => write_object("err", payload.as_deref(), out),
        Value::Json(document) => displayed(document, out),
        Value::Duration(nanos) => quoted(duration::display(*nanos), out),
        Value::Held(held) => write_json(&held.open(), out),
    }
}

/// Whether the inside of an option could be taken for `none`, or for its own wrapped form.
fn needs_some(inner: &Value) -> bool {
    match inner {
        Value::Option(_) | Value::Unit => true,
        Value::Json(document) => match &**document {
            Json::Null => true,
            Json::Object(fields) => fields.len() == 1 && fields.contains_key("some"),
            _ => false,
        },
        Value::Held(held) => needs_some(&held.open()),
        _ => false,
    }
}

/// The number, or the name of one that JSON has no number for.
fn float(x: f64) -> Result<Number, &'static str> {
    Number::from_f64(x).ok_or(if x.is_nan() {
        "NaN"
    } else if x > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    })
}

fn write_float(x: f64, out: &mut String) {
    match float(x) {
        Ok(finite) => displayed(finite, out),
        Err(name) => quoted(name, out),
    }
}

/// The `f64` with the shortest text that still reads back as this `f32`: 0.1, not 0.10000000149011612.
fn widen(x: f32) -> f64 {
    match format!("{x:e}").parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, reason = "asks whether the truncation gives the same number")]
        Ok(short) if (short as f32).to_bits() == x.to_bits() => short,
        _ => f64::from(x),
    }
}

fn object(name: &str, value: Json) -> Json {
    Json::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// Fields by name, so that equal records have equal texts.
fn sorted(fields: &[(Name, Value)]) -> Vec<&(Name, Value)> {
    let mut view: Vec<_> = fields.iter().collect();
    view.sort_by(|a, b| a.0.cmp(&b.0));
    view
}

fn write_record(fields: &[(Name, Value)], out: &mut String) {
    let field = |(name, value): &(Name, Value), out: &mut String| {
        write_string(name, out);
        out.push(':');
        write_json(value, out);
    };
    if fields.is_sorted_by(|a, b| a.0 <= b.0) {
        between('{', '}', fields.iter(), out, field);
    } else {
        between('{', '}', sorted(fields).into_iter(), out, field);
    }
}

fn write_object(name: &str, value: Option<&Value>, out: &mut String) {
    out.push('{');
    write_string(name, out);
    out.push(':');
    write_json(value.unwrap_or(&Value::Unit), out);
    out.push('}');
}

fn between<T>(open: char, close: char, items: impl Iterator<Item = T>, out: &mut String, each: impl Fn(T, &mut String)) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        each(item, out);
    }
    out.push(close);
}

fn integer(x: impl itoa::Integer, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(x));
}

/// Anything whose `Display` is JSON.
fn displayed(x: impl std::fmt::Display, out: &mut String) {
    // Writing to a `String` cannot fail.
    let _ = write!(out, "{x}");
}

fn quoted(x: impl std::fmt::Display, out: &mut String) {
    let _ = write!(out, "\"{x}\"");
}

/// Appends a JSON string with the escapes that `serde_json` writes.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    // Looked at whole, which takes many bytes at a time: names and most texts have nothing to escape.
    if text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        write_escaped(text, out);
    } else {
        out.push_str(text);
    }
    out.push('"');
}

const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escaped(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_escaped) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = tail.chars();
        match chars.next().unwrap_or_default() {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}
