//! The pure library.

use std::cmp::Ordering;

use catalog::{Type, Value};

use super::list::{self, ListBuilder, ListView};
use super::{EvalError, Evaluator, arithmetic, convert, order};
use crate::plan::{LibraryFunction, Operator};

/// What a library function that gives this type gives for an empty list, when the value of an empty list does
/// not tell: the last argument of `sum` and `concat` in a plan.
#[must_use]
pub fn of_nothing(function: LibraryFunction, ty: &Type) -> Option<Value> {
    match (function, ty) {
        (LibraryFunction::Sum, Type::F32) => Some(Value::F32(0.0)),
        (LibraryFunction::Sum, Type::F64) => Some(Value::F64(0.0)),
        (LibraryFunction::Sum, Type::Duration) => Some(Value::Duration(0)),
        (LibraryFunction::Sum, _) => Value::integer(0, ty),
        (LibraryFunction::Concat, Type::List(item)) => Some(ListBuilder::of(item).finish()),
        _ => None,
    }
}

impl Evaluator<'_> {
    /// A library function of evaluated arguments.
    pub(super) fn call(&mut self, function: LibraryFunction, args: &[Value]) -> Result<Value, EvalError> {
        use LibraryFunction as F;
        match (function, args) {
            (F::Len, [x]) => self.len(x),
            (F::Keys, [Value::Json(document)]) => self.keys(document),
            (F::Join, [texts, Value::String(separator)]) => self.join(texts, separator),
            (F::Split, [Value::String(text), Value::String(separator)]) => self.split(text, separator),
            (F::Contains, [Value::String(text), part]) => self.contains_text(text, part),
            (F::Contains, [list, item]) => self.contains_item(list, item),
            (F::Min, _) => self.extreme(args, Ordering::Less, "min"),
            (F::Max, _) => self.extreme(args, Ordering::Greater, "max"),
            (F::Sum, [list]) => self.sum(list, None),
            (F::Sum, [list, zero]) => self.sum(list, Some(zero)),
            (F::Zip, [left, right]) => self.zip(left, right),
            (F::Range, [start, end]) => self.range(start, end),
            (F::Json, [Value::Json(document)]) => Ok(Value::Json(document.clone())),
            (F::Json, [x]) => self.json_of(x),
            (F::String, [x]) => self.text_of(x),
            (F::Lower, [Value::String(text)]) => self.change_case(text, str::to_lowercase),
            (F::Upper, [Value::String(text)]) => self.change_case(text, str::to_uppercase),
            (F::Trim, [Value::String(text)]) => self.trim(text),
            (F::Take, [list, count]) => self.take(list, count),
            (F::Concat, [lists]) => self.concat(lists, None),
            (F::Concat, [lists, empty]) => self.concat(lists, Some(empty)),
            (F::Reverse, [list]) => self.reverse(list),
            (F::ToF64, [x]) => convert::widen(x, &Type::F64),
            (F::StartsWith, [Value::String(text), Value::String(prefix)]) => Ok(Value::Bool(text.starts_with(&**prefix))),
            (F::EndsWith, [Value::String(text), Value::String(suffix)]) => Ok(Value::Bool(text.ends_with(&**suffix))),
            _ => Err(EvalError::internal(format_args!("`{function:?}` got values of other types"))),
        }
    }

    fn len(&mut self, x: &Value) -> Result<Value, EvalError> {
        let count = match x {
            Value::String(text) => {
                self.spend_bytes(text.len() as u64)?;
                text.chars().count()
            }
            _ => list::view(x)?.len(),
        };
        Ok(Value::U64(count as u64))
    }

    fn keys(&mut self, document: &serde_json::Value) -> Result<Value, EvalError> {
        let Some(fields) = document.as_object() else {
            let found = match document {
                serde_json::Value::Null => "null",
                serde_json::Value::Bool(_) => "a bool",
                serde_json::Value::Number(_) => "a number",
                serde_json::Value::String(_) => "a string",
                _ => "an array",
            };
            return Err(EvalError::input(format!("`keys` takes the names of a json object, found {found}")));
        };
        self.spend(fields.len() as u64)?;
        let mut names: Vec<&String> = fields.keys().collect();
        names.sort();
        let mut out = ListBuilder::of(&Type::String);
        names.into_iter().try_for_each(|name| out.push(Value::string(name.as_str()), self))?;
        Ok(out.finish())
    }

    fn join(&mut self, texts: &Value, separator: &str) -> Result<Value, EvalError> {
        let texts = Value::clone(texts).whole();
        let Value::List(texts) = &texts else { return Err(EvalError::internal("`join` got no list of texts")) };
        let parts: Vec<&str> =
            texts.iter().filter_map(|text| if let Value::String(text) = text { Some(&**text) } else { None }).collect();
        let between = (parts.len().saturating_sub(1) as u64).saturating_mul(separator.len() as u64);
        let length = parts.iter().map(|part| part.len() as u64).fold(between, u64::saturating_add);
        self.allow_size(length)?;
        self.spend(parts.len() as u64)?;
        self.spend_bytes(length)?;
        Ok(Value::string(parts.join(separator)))
    }

    /// An empty separator splits between all characters.
    fn split(&mut self, text: &str, separator: &str) -> Result<Value, EvalError> {
        self.spend_bytes(text.len() as u64)?;
        let mut out = ListBuilder::of(&Type::String);
        let mut push = |part: &str| {
            self.spend(1)?;
            out.push(Value::string(part), self)
        };
        if separator.is_empty() {
            text.chars().try_for_each(|c| push(c.encode_utf8(&mut [0; 4])))?;
        } else {
            text.split(separator).try_for_each(push)?;
        }
        Ok(out.finish())
    }

    fn contains_text(&mut self, text: &str, part: &Value) -> Result<Value, EvalError> {
        self.spend_bytes(text.len() as u64)?;
        match part {
            Value::String(part) => Ok(Value::Bool(text.contains(&**part))),
            Value::Char(part) => Ok(Value::Bool(text.contains(*part))),
            _ => Err(EvalError::internal("`contains` looks for something else than a text in a text")),
        }
    }

    fn contains_item(&mut self, list: &Value, item: &Value) -> Result<Value, EvalError> {
        for other in list::view(list)?.iter() {
            self.spend(1)?;
            if self.equal(&other, item)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }

    /// The least or greatest of two values or of a list; the first among equals. A NaN counts only where there is nothing else.
    fn extreme(&mut self, args: &[Value], wanted: Ordering, name: &str) -> Result<Value, EvalError> {
        let items = match args {
            [list] => list::view(list)?,
            _ => ListView::Values(args),
        };
        let mut best: Option<Value> = None;
        for item in items.iter() {
            self.spend(1)?;
            self.spend_bytes(item.size())?;
            let better = match &best {
                None => true,
                Some(best) if is_nan(best) || is_nan(&item) => is_nan(best) && !is_nan(&item),
                Some(best) => order::total(&item, best).ok_or_else(order::incomparable)? == wanted,
            };
            if better {
                best = Some(item);
            }
        }
        best.ok_or_else(|| EvalError::calculation(format!("`{name}` of an empty list")))
    }

    /// Exact for integers and durations: only the whole sum must fit. Floats are added in order.
    fn sum(&mut self, list: &Value, zero: Option<&Value>) -> Result<Value, EvalError> {
        let items = list::view(list)?;
        self.spend(items.len() as u64)?;
        let first = items.get(0).map(Value::opened);
        let add = |sum: Value, item: Value| arithmetic::apply(Operator::Add, &sum, &item.opened());
        match first.as_ref().or(zero).unwrap_or(&Value::S64(0)) {
            Value::F32(_) => items.iter().try_fold(Value::F32(0.0), add),
            Value::F64(_) => items.iter().try_fold(Value::F64(0.0), add),
            Value::Duration(_) => items.iter().try_fold(Value::Duration(0), add),
            sample => {
                let not_a_number = || EvalError::internal("`sum` got something else than numbers");
                let (_, ty) = sample.as_integer().ok_or_else(not_a_number)?;
                let numbers: Option<Vec<i128>> = items.iter().map(|item| item.opened().as_integer().map(|(x, _)| x)).collect();
                // Fewer than 2^63 integers of 64 bits: the sum fits.
                let sum: i128 = numbers.ok_or_else(not_a_number)?.into_iter().sum();
                Value::integer(sum, &ty).ok_or_else(|| arithmetic::overflow(&format!("the sum {sum}"), &ty))
            }
        }
    }

    fn zip(&mut self, left: &Value, right: &Value) -> Result<Value, EvalError> {
        let mut out = ListBuilder::Values { items: Vec::new(), size: 0 };
        for (a, b) in list::view(left)?.iter().zip(list::view(right)?.iter()) {
            self.spend(1)?;
            out.push(Value::tuple([a, b]), self)?;
        }
        Ok(out.finish())
    }

    fn range(&mut self, start: &Value, end: &Value) -> Result<Value, EvalError> {
        let (Some((start, ty)), Some((end, other))) = (start.as_integer(), end.as_integer()) else {
            return Err(EvalError::internal("`range` got something else than integers"));
        };
        if ty != other {
            return Err(EvalError::internal("`range` got integers of two types"));
        }
        let count = u64::try_from(end.saturating_sub(start).max(0)).unwrap_or(u64::MAX);
        let each = if ty == Type::U8 { 1 } else { Value::Unit.size() };
        self.allow_size(count.saturating_mul(each))?;
        self.spend(count)?;
        let mut out = ListBuilder::of(&ty);
        (start..end).filter_map(|x| Value::integer(x, &ty)).try_for_each(|x| out.push(x, self))?;
        Ok(out.finish())
    }

    fn change_case(&mut self, text: &str, change: fn(&str) -> String) -> Result<Value, EvalError> {
        // A character becomes at most three, and those of several characters are short ones.
        self.spend_bytes(text.len() as u64)?;
        self.allow_size(text.len() as u64)?;
        let changed = change(text);
        self.allow_size(changed.len() as u64)?;
        Ok(Value::string(changed))
    }

    fn trim(&mut self, text: &str) -> Result<Value, EvalError> {
        self.spend_bytes(text.len() as u64)?;
        let trimmed = text.trim();
        self.allow_size(trimmed.len() as u64)?;
        Ok(Value::string(trimmed))
    }

    fn take(&mut self, list: &Value, count: &Value) -> Result<Value, EvalError> {
        let items = list::view(list)?;
        let (count, _) = count.as_integer().ok_or_else(|| EvalError::internal("`take` got no number"))?;
        if count < 0 {
            return Err(EvalError::calculation(format!("`take` of {count} items: the number is negative")));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(items.len());
        if count == items.len() {
            return Ok(list.clone());
        }
        self.spend(count as u64)?;
        Ok(items.rebuild(items.iter().take(count)))
    }

    fn concat(&mut self, lists: &Value, empty: Option<&Value>) -> Result<Value, EvalError> {
        let Value::List(lists) = lists else { return Err(EvalError::internal("`concat` got no list of lists")) };
        let Some(first) = lists.first().or(empty) else { return Ok(Value::list([])) };
        let mut out = ListBuilder::like(list::view(&Value::clone(first).opened())?);
        for list in lists.iter() {
            self.spend(1)?;
            out.extend(list::view(&Value::clone(list).opened())?, self)?;
        }
        Ok(out.finish())
    }

    fn reverse(&mut self, list: &Value) -> Result<Value, EvalError> {
        let items = list::view(list)?;
        self.spend(items.len() as u64)?;
        Ok(items.rebuild(items.iter().rev()))
    }
}

fn is_nan(value: &Value) -> bool {
    match value {
        Value::F32(x) => x.is_nan(),
        Value::F64(x) => x.is_nan(),
        Value::Held(held) => is_nan(&held.open()),
        _ => false,
    }
}
