//! Values as text: interpolation and `string(x)`.

use std::fmt::Write;

use catalog::{Value, duration, json};

use super::{EvalError, Evaluator};
use crate::plan::Expr;

impl Evaluator<'_> {
    /// An interpolated text.
    pub(super) fn text(&mut self, parts: &[Expr]) -> Result<Value, EvalError> {
        let mut out = String::new();
        for part in parts {
            let value = self.eval(part)?;
            self.append(&value, &mut out)?;
        }
        Ok(Value::string(out))
    }

    /// `string(x)`.
    pub(super) fn text_of(&mut self, value: &Value) -> Result<Value, EvalError> {
        let mut out = String::new();
        self.append(value, &mut out)?;
        Ok(Value::string(out))
    }

    fn append(&mut self, value: &Value, out: &mut String) -> Result<(), EvalError> {
        self.spend_bytes(value.size())?;
        let value = &Value::clone(value).whole();
        let length = if let Value::String(text) = value { text.len() as u64 } else { value.size() };
        self.allow_size((out.len() as u64).saturating_add(length))?;
        write_text(value, out)?;
        // The text of a document can be longer than its size, by its escapes.
        self.allow_size(out.len() as u64)
    }
}

/// A scalar as text: a text and a char as they are, numbers as in JSON but never quoted, cases and flags by
/// name, durations like `30s`. Anything else in its JSON form.
fn write_text(value: &Value, out: &mut String) -> Result<(), EvalError> {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Char(c) => out.push(*c),
        Value::Enum(name) | Value::Variant(name, None) => out.push_str(name),
        Value::F32(x) if !x.is_finite() => out.push_str(special(x.is_nan(), *x > 0.0)),
        Value::F64(x) if !x.is_finite() => out.push_str(special(x.is_nan(), *x > 0.0)),
        Value::Duration(nanos) => {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{}", duration::display(*nanos));
        }
        Value::Dir(_) => return Err(EvalError::internal("the path of a `dir` is not known to an expression")),
        _ => match value.as_integer() {
            Some((x, _)) => {
                let _ = write!(out, "{x}");
            }
            None => json::write_json(value, out),
        },
    }
    Ok(())
}

const fn special(nan: bool, positive: bool) -> &'static str {
    match (nan, positive) {
        (true, _) => "NaN",
        (_, true) => "Infinity",
        (_, false) => "-Infinity",
    }
}
