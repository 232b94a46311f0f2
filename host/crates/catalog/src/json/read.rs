//! JSON to values of a type.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::document::parse_document;
use super::{MAX_JSON_DEPTH, MAX_SAFE_INTEGER, fits_depth};
use crate::duration;
use crate::types::{FlagsType, Name, RecordType, Type, VariantType};
use crate::value::Value;

/// Why a JSON document is not of a type, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Where in the document, such as `report.items[3].title`; empty for the whole of it.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

impl JsonError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    /// The same error in a document whose field `name` is the document it was found in.
    #[must_use]
    pub fn under(mut self, name: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{joint}{}", self.path);
        self
    }

    fn at(self, index: usize) -> Self {
        self.under(&format!("[{index}]"))
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "`{}`: {}", self.path, self.message) }
    }
}

impl std::error::Error for JsonError {}

/// The value of a type that a text stands for.
///
/// # Errors
/// The text is not JSON, or not of the type.
pub fn parse(text: &str, ty: &Type) -> Result<Value, JsonError> {
    let document = parse_document(text).map_err(|error| JsonError::new(format!("this is not valid JSON: {error}")))?;
    match ty {
        Type::Json if fits_depth(&document, MAX_JSON_DEPTH) => Ok(Value::Json(Arc::new(document))),
        _ => from_json(&document, ty),
    }
}

/// The value of a type that a JSON tree stands for.
///
/// # Errors
/// The document is not of the type; the error says where and why.
pub fn from_json(document: &Json, ty: &Type) -> Result<Value, JsonError> {
    match ty {
        Type::Bool => document.as_bool().map(Value::Bool).ok_or_else(|| mismatch(ty, document)),
        Type::S8 | Type::S16 | Type::S32 | Type::S64 | Type::U8 | Type::U16 | Type::U32 | Type::U64 => read_integer(document, ty),
        Type::F32 | Type::F64 => read_float(document, ty),
        Type::Char => read_char(document),
        Type::String => Ok(Value::string(text(document, ty)?)),
        Type::Dir => Ok(Value::Dir(text(document, ty)?.into())),
        Type::Duration => read_duration(text(document, ty)?),
        Type::List(item) => read_list(document, item, ty),
        Type::Tuple(types) => read_tuple(document, types, ty),
        Type::Option(inner) => read_option(document, inner, ty),
        Type::Result(ok, err) => read_result(document, ok.as_deref(), err.as_deref(), ty),
        Type::Record(record) => read_record(document, record, ty),
        Type::Variant(variant) => read_variant(document, variant, ty),
        Type::Enum(cases) => read_name(text(document, ty)?, &cases.cases, "case", ty).map(Value::Enum),
        Type::Flags(flags) => read_flags(document, flags, ty),
        Type::Json if fits_depth(document, MAX_JSON_DEPTH) => Ok(Value::Json(Arc::new(document.clone()))),
        Type::Json => Err(JsonError::new(format!("a `json` document may be nested at most {MAX_JSON_DEPTH} deep"))),
        Type::Unit => document.as_null().map(|()| Value::Unit).ok_or_else(|| mismatch(ty, document)),
    }
}

/// `expected …, found …`.
fn mismatch(ty: &Type, found: &Json) -> JsonError {
    let expected = match ty {
        Type::Bool => "`bool` (true or false)".to_owned(),
        Type::Char => "`char` (a string of one character)".to_owned(),
        Type::Duration => "`duration` (a text such as `\"30s\"`)".to_owned(),
        Type::Dir => "`dir` (the path of a folder as a string)".to_owned(),
        Type::Unit => "nothing (null)".to_owned(),
        Type::List(item) if **item == Type::U8 => "`list<u8>` (a string in base64)".to_owned(),
        Type::List(_) | Type::Tuple(_) => format!("`{ty}` (an array)"),
        Type::Flags(_) => format!("`{ty}` (an array of flag names)"),
        Type::Record(_) => format!("`{ty}` (an object)"),
        Type::Enum(_) => format!("`{ty}` (the name of a case)"),
        Type::Variant(_) => format!("`{ty}` (the name of a case, or `{{\"case\": …}}`)"),
        Type::Result(..) => format!("`{ty}` (`{{\"ok\": …}}` or `{{\"err\": …}}`)"),
        Type::Option(_) => format!("`{ty}` (null or `{{\"some\": …}}`)"),
        _ => format!("`{ty}`"),
    };
    JsonError::new(format!("expected {expected}, found {}", describe(found)))
}

/// What a document is, for a message.
fn describe(document: &Json) -> String {
    match document {
        Json::Null => "null".to_owned(),
        Json::Bool(x) => format!("`{x}`"),
        Json::Number(x) => format!("the number {x}"),
        Json::String(text) => format!("the string `{}`", shorten(text)),
        Json::Array(_) => "an array".to_owned(),
        Json::Object(_) => "an object".to_owned(),
    }
}

/// At most 40 characters of a text.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn text<'a>(document: &'a Json, ty: &Type) -> Result<&'a str, JsonError> {
    document.as_str().ok_or_else(|| mismatch(ty, document))
}

fn read_integer(document: &Json, ty: &Type) -> Result<Value, JsonError> {
    let safe = i128::from(MAX_SAFE_INTEGER);
    let wide = matches!(ty, Type::S64 | Type::U64);
    let read = match document {
        Json::Number(number) => {
            let Some(x) = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)) else {
                return Err(mismatch(ty, document));
            };
            if wide && x.abs() > safe {
                return Err(JsonError::new(format!("integers beyond 2^53 − 1 are written as strings: `\"{x}\"`")));
            }
            x
        }
        Json::String(digits) if wide => match digits.parse::<i128>() {
            Ok(x) if x.abs() > safe && *digits == x.to_string() => x,
            _ => return Err(mismatch(ty, document)),
        },
        _ => return Err(mismatch(ty, document)),
    };
    integer(read, ty)
}

/// An integer as a value of an integer type.
pub(super) fn integer(x: i128, ty: &Type) -> Result<Value, JsonError> {
    Value::integer(x, ty).ok_or_else(|| {
        let (least, greatest) = ty.integer_range().unwrap_or_default();
        JsonError::new(format!("{x} is out of range for `{ty}` ({least} to {greatest})"))
    })
}

fn read_float(document: &Json, ty: &Type) -> Result<Value, JsonError> {
    let x = match document {
        Json::Number(number) => number.as_f64(),
        Json::String(name) => special_float(name),
        _ => None,
    };
    float(x.ok_or_else(|| mismatch(ty, document))?, ty)
}

/// NaN and the infinities by name.
pub(super) fn special_float(name: &str) -> Option<f64> {
    match name {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A number as a value of a float type.
pub(super) fn float(x: f64, ty: &Type) -> Result<Value, JsonError> {
    if *ty == Type::F64 {
        return Ok(Value::F64(x));
    }
    #[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest f32 is what is asked for")]
    let narrow = x as f32;
    if narrow.is_infinite() && x.is_finite() {
        return Err(JsonError::new(format!("{x:e} is out of range for `f32`")));
    }
    Ok(Value::F32(narrow))
}

fn read_char(document: &Json) -> Result<Value, JsonError> {
    let mut chars = text(document, &Type::Char)?.chars();
    match (chars.next(), chars.next()) {
        (Some(x), None) => Ok(Value::Char(x)),
        _ => Err(mismatch(&Type::Char, document)),
    }
}

pub(super) fn read_duration(text: &str) -> Result<Value, JsonError> {
    duration::parse(text)
        .map(Value::Duration)
        .map_err(|why| JsonError::new(format!("expected `duration`, found the string `{}`: {why}", shorten(text))))
}

pub(super) fn read_bytes(text: &str) -> Result<Value, JsonError> {
    let bytes = STANDARD.decode(text);
    bytes.map(|bytes| Value::Bytes(bytes.into())).map_err(|error| JsonError::new(format!("this is not valid base64: {error}")))
}

fn read_list(document: &Json, item: &Type, ty: &Type) -> Result<Value, JsonError> {
    if *item == Type::U8 {
        return read_bytes(text(document, ty)?);
    }
    let items = document.as_array().ok_or_else(|| mismatch(ty, document))?;
    let read = items.iter().enumerate().map(|(index, value)| from_json(value, item).map_err(|error| error.at(index)));
    Ok(Value::list(read.collect::<Result<Vec<_>, _>>()?))
}

fn read_tuple(document: &Json, types: &[Type], ty: &Type) -> Result<Value, JsonError> {
    let items = document.as_array().ok_or_else(|| mismatch(ty, document))?;
    if items.len() != types.len() {
        return Err(JsonError::new(format!("expected `{ty}`: {} items, found {}", types.len(), items.len())));
    }
    let pairs = items.iter().zip(types).enumerate();
    let read = pairs.map(|(index, (value, ty))| from_json(value, ty).map_err(|error| error.at(index)));
    Ok(Value::tuple(read.collect::<Result<Vec<_>, _>>()?))
}

fn read_option(document: &Json, inner: &Type, ty: &Type) -> Result<Value, JsonError> {
    if document.is_null() {
        return Ok(Value::none());
    }
    let wrapped = document.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("some"));
    let some = match (inner, wrapped) {
        (Type::Option(_) | Type::Unit | Type::Json, Some(value)) => from_json(value, inner).map_err(|error| error.under("some")),
        (Type::Option(_) | Type::Unit, None) => Err(mismatch(ty, document)),
        _ => from_json(document, inner),
    };
    some.map(Value::some)
}

fn read_result(document: &Json, ok: Option<&Type>, err: Option<&Type>, ty: &Type) -> Result<Value, JsonError> {
    let only = document.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next());
    let payload = |ty: Option<&Type>, value: &Json, name: &str| match ty {
        Some(ty) => from_json(value, ty).map(|value| Some(Arc::new(value))).map_err(|error| error.under(name)),
        None => from_json(value, &Type::Unit).map(|_| None).map_err(|error| error.under(name)),
    };
    match only.map(|(name, value)| (name.as_str(), value)) {
        Some(("ok", value)) => payload(ok, value, "ok").map(|value| Value::Result(Ok(value))),
        Some(("err", value)) => payload(err, value, "err").map(|value| Value::Result(Err(value))),
        _ => Err(mismatch(ty, document)),
    }
}

fn read_record(document: &Json, record: &RecordType, ty: &Type) -> Result<Value, JsonError> {
    let fields = document.as_object().ok_or_else(|| mismatch(ty, document))?;
    if let Some(unknown) = fields.keys().find(|key| !record.fields.iter().any(|(name, _)| **name == ***key)) {
        let names = record.fields.iter().map(|(name, _)| name);
        return Err(JsonError::new(format!("`{ty}` has no field `{}`{}", shorten(unknown), suggestion(unknown, names))));
    }
    let read = record.fields.iter().map(|(name, ty)| Ok((name.clone(), read_field(fields, name, ty)?)));
    Ok(Value::Record(read.collect::<Result<Vec<_>, _>>()?.into_iter().collect()))
}

fn read_field(fields: &Map<String, Json>, name: &str, ty: &Type) -> Result<Value, JsonError> {
    match (fields.get(name), ty) {
        (Some(value), _) => from_json(value, ty).map_err(|error| error.under(name)),
        (None, Type::Option(_)) => Ok(Value::none()),
        (None, _) => Err(JsonError::new(format!("the field `{name}` (`{ty}`) is missing"))),
    }
}

fn read_variant(document: &Json, variant: &VariantType, ty: &Type) -> Result<Value, JsonError> {
    let only = document.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.iter().next());
    let (name, value) = match (document, only) {
        (Json::String(name), _) => (name, None),
        (_, Some((name, value))) => (name, Some(value)),
        _ => return Err(mismatch(ty, document)),
    };
    let Some((case, payload)) = variant.cases.iter().find(|(case, _)| **case == **name) else {
        return Err(unknown_name(name, variant.cases.iter().map(|(case, _)| case), "case", ty));
    };
    match (payload, value) {
        (None, None) => Ok(Value::Variant(case.clone(), None)),
        (Some(ty), Some(value)) => {
            let payload = from_json(value, ty).map_err(|error| error.under(case))?;
            Ok(Value::Variant(case.clone(), Some(Arc::new(payload))))
        }
        (None, Some(_)) => Err(JsonError::new(format!("the case `{case}` of `{ty}` carries nothing: write `\"{case}\"`"))),
        (Some(inner), None) => {
            Err(JsonError::new(format!("the case `{case}` of `{ty}` carries `{inner}`: write `{{\"{case}\": …}}`")))
        }
    }
}

fn read_flags(document: &Json, flags: &FlagsType, ty: &Type) -> Result<Value, JsonError> {
    let items = document.as_array().ok_or_else(|| mismatch(ty, document))?;
    let mut set = vec![false; flags.names.len()];
    for (index, item) in items.iter().enumerate() {
        let name = text(item, &Type::String).map_err(|error| error.at(index))?;
        let known = flags.names.iter().zip(&mut set).find(|(flag, _)| ***flag == *name);
        match known {
            Some((_, flag)) if !*flag => *flag = true,
            Some(_) => return Err(JsonError::new(format!("the flag `{name}` is given twice")).at(index)),
            None => return Err(unknown_name(name, flags.names.iter(), "flag", ty).at(index)),
        }
    }
    Ok(Value::Flags(flags.names.iter().zip(set).filter(|(_, set)| *set).map(|(name, _)| name.clone()).collect()))
}

/// The name among those of a type.
pub(super) fn read_name(name: &str, names: &[Name], what: &str, ty: &Type) -> Result<Name, JsonError> {
    let known = names.iter().find(|known| ***known == *name);
    known.cloned().ok_or_else(|| unknown_name(name, names.iter(), what, ty))
}

fn unknown_name<'a>(name: &str, names: impl Iterator<Item = &'a Name> + Clone, what: &str, ty: &Type) -> JsonError {
    JsonError::new(format!("`{ty}` has no {what} `{}`{}", shorten(name), suggestion(name, names)))
}

/// `; did you mean …?`, or all the names when none is close and there are few.
fn suggestion<'a>(wanted: &str, names: impl Iterator<Item = &'a Name> + Clone) -> String {
    let wanted: String = wanted.chars().take(64).collect::<String>().replace('-', "_");
    let closest = names.clone().map(|name| (strsim::damerau_levenshtein(name, &wanted), name)).min();
    match closest {
        Some((distance, name)) if distance <= 1 + name.len() / 4 => format!("; did you mean `{name}`?"),
        Some(_) if names.clone().count() <= 8 => {
            let all: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            format!("; it has {}", all.join(", "))
        }
        _ => String::new(),
    }
}
