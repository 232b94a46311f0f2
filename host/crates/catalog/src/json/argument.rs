//! The command-line form of a value, as in `--input name=text`.

use super::read::{float, integer, parse, read_bytes, read_duration, read_name, shorten, special_float};
use super::{JsonError, write_json};
use crate::types::Type;
use crate::value::Value;

/// The value of a type that an argument of the command line stands for: a string, char, path, duration,
/// base64 text or name of a case as it is, without quotes; a number or bool by its type; anything else in
/// JSON. For an option `null` is none and any other text is what the option holds.
///
/// # Errors
/// The text is not of the type.
pub fn parse_argument(text: &str, ty: &Type) -> Result<Value, JsonError> {
    match ty {
        Type::String => Ok(Value::string(text)),
        Type::Dir => Ok(Value::Dir(text.into())),
        Type::Duration => read_duration(text),
        Type::Char => single_char(text),
        Type::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(unexpected("`bool` (true or false)", text)),
        },
        Type::S8 | Type::S16 | Type::S32 | Type::S64 | Type::U8 | Type::U16 | Type::U32 | Type::U64 => match text.parse() {
            Ok(x) => integer(x, ty),
            Err(_) => Err(unexpected(&format!("`{ty}`"), text)),
        },
        Type::F32 | Type::F64 => {
            // Rust also reads `inf` and `nan`; a number has a digit.
            let number = text.parse().ok().filter(|_| text.contains(|c: char| c.is_ascii_digit()));
            number.or_else(|| special_float(text)).map_or_else(|| Err(unexpected(&format!("`{ty}`"), text)), |x| float(x, ty))
        }
        Type::Enum(cases) => read_name(text, &cases.cases, "case", ty).map(Value::Enum),
        Type::Option(_) if text == "null" => Ok(Value::none()),
        Type::Option(inner) if !matches!(**inner, Type::Option(_) | Type::Unit | Type::Json) => {
            parse_argument(text, inner).map(Value::some)
        }
        Type::List(item) if **item == Type::U8 && !text.starts_with('"') => read_bytes(text),
        Type::Variant(_) if is_name(text) => parse(&quoted(text), ty),
        _ => parse(text, ty).map_err(|error| if error.path.is_empty() { in_json(error, ty, text) } else { error }),
    }
}

fn single_char(text: &str) -> Result<Value, JsonError> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(x), None) => Ok(Value::Char(x)),
        _ => Err(unexpected("`char` (one character)", text)),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    write_json(&Value::string(text), &mut out);
    out
}

fn unexpected(expected: &str, found: &str) -> JsonError {
    JsonError::new(format!("expected {expected}, found `{}`", shorten(found)))
}

/// Says that JSON was expected when the text is not JSON at all.
fn in_json(error: JsonError, ty: &Type, text: &str) -> JsonError {
    if error.message.starts_with("this is not valid JSON") {
        JsonError::new(format!("a `{ty}` is given in JSON, found `{}`; {}", shorten(text), error.message))
    } else {
        error
    }
}
