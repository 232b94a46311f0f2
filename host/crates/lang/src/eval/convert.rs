//! Widening of numbers, into `json`, and out of it.

use std::sync::Arc;

use catalog::{Type, Value, json};

use super::{EvalError, Evaluator, arithmetic};
use crate::plan::Expr;

impl Evaluator<'_> {
    pub(super) fn convert_expr(&mut self, x: &Expr, ty: &Type) -> Result<Value, EvalError> {
        let value = self.opened(x)?;
        match (&value, ty) {
            (Value::Json(_), Type::Json) => Ok(value),
            (_, Type::Json) => self.json_of(&value),
            (Value::Json(document), _) => self.value_of(document, ty),
            _ => widen(&value, ty),
        }
    }

    /// Any value as a document.
    pub(super) fn json_of(&mut self, value: &Value) -> Result<Value, EvalError> {
        let size = value.size();
        self.allow_size(size)?;
        self.spend_bytes(size.saturating_mul(4))?;
        let document = json::to_json(value);
        if !json::fits_depth(&document, json::MAX_JSON_DEPTH) {
            let most = json::MAX_JSON_DEPTH;
            return Err(EvalError::resource(format!("the json would be nested more than {most} deep")));
        }
        self.built(Value::Json(Arc::new(document)))
    }

    fn value_of(&mut self, document: &serde_json::Value, ty: &Type) -> Result<Value, EvalError> {
        // A record's missing options take place in the value and none in the document.
        let objects = count_objects(document);
        self.spend(objects)?;
        self.allow_size(objects.saturating_mul(options_size(ty)))?;
        let value =
            json::from_json(document, ty).map_err(|error| EvalError::input(format!("the json is not a `{ty}`: {error}")))?;
        self.spend_bytes(value.size().saturating_mul(4))?;
        self.built(value)
    }
}

/// A number as one of a wider type.
pub(super) fn widen(value: &Value, ty: &Type) -> Result<Value, EvalError> {
    #[expect(clippy::cast_precision_loss, reason = "the checker lets only such integers become floats as are kept exactly")]
    match (value, ty) {
        (Value::F32(_), Type::F32) | (Value::F64(_), Type::F64) => Ok(value.clone()),
        (Value::F32(x), Type::F64) => Ok(Value::F64(f64::from(*x))),
        _ => match (value.as_integer(), ty) {
            (Some((x, _)), Type::F64) => Ok(Value::F64(x as f64)),
            (Some((x, _)), Type::F32) => Ok(Value::F32(x as f32)),
            (Some((x, _)), _) if ty.is_integer() => Value::integer(x, ty).ok_or_else(|| arithmetic::overflow(&x.to_string(), ty)),
            _ => Err(EvalError::internal(format_args!("a value cannot become `{ty}`"))),
        },
    }
}

fn count_objects(document: &serde_json::Value) -> u64 {
    match document {
        serde_json::Value::Array(items) => items.iter().map(count_objects).sum(),
        serde_json::Value::Object(fields) => fields.values().map(count_objects).sum::<u64>() + 1,
        _ => 0,
    }
}

/// The greatest size that the missing options of one record of a type take.
fn options_size(ty: &Type) -> u64 {
    match ty {
        Type::List(inner) | Type::Option(inner) => options_size(inner),
        Type::Tuple(types) => types.iter().map(options_size).max().unwrap_or(0),
        Type::Result(ok, err) => [ok, err].into_iter().flatten().map(|ty| options_size(ty)).max().unwrap_or(0),
        Type::Variant(ty) => ty.cases.iter().filter_map(|(_, ty)| ty.as_ref()).map(options_size).max().unwrap_or(0),
        Type::Record(record) => {
            let options = record.fields.iter().filter(|(_, ty)| matches!(ty, Type::Option(_)));
            let own = options.map(|(name, _)| Value::none().size() + name.len() as u64).sum();
            record.fields.iter().map(|(_, ty)| options_size(ty)).max().unwrap_or(0).max(own)
        }
        _ => 0,
    }
}
