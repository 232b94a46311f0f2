//! A flow's value → the component's.

use std::sync::Arc;

use catalog::{Name, Type, Value};
use wasmtime::component::Val;

use super::{Conversion, Names, RecordConversion, kind_of};
use crate::grants::Grants;

/// A value is not of its type.
#[derive(Debug)]
pub(crate) struct LowerError(pub(crate) String);

/// Converts an argument.
pub(crate) fn lower(conversion: &Conversion, value: &Value, grants: &Grants) -> Result<Val, LowerError> {
    let unfit = || Err(LowerError(format!("{} does not fit the parameter's type", kind_of(value))));
    Ok(match (conversion, value) {
        // What only flows have crosses in the form that any component can take.
        (Conversion::Plain(Type::String) | Conversion::Dir, Value::Dir(host_path)) => {
            Val::String(grants.to_guest_path(host_path))
        }
        (Conversion::Plain(Type::String) | Conversion::Json, Value::Json(document)) => Val::String(document.to_string()),
        (Conversion::Plain(Type::U64) | Conversion::Duration, Value::Duration(nanos)) => Val::U64(*nanos),
        (Conversion::Plain(ty), value) => match plain(ty, value) {
            Some(val) => val,
            None => return unfit(),
        },
        (Conversion::Bytes, Value::Bytes(bytes)) => Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect()),
        (Conversion::List(item), Value::List(values)) => Val::List(all(values.iter().map(|value| lower(item, value, grants)))?),
        (Conversion::Option(some), Value::Option(value)) => Val::Option(boxed(Some(some), value.as_ref(), grants)?),
        (Conversion::Result(ok, err), Value::Result(value)) => Val::Result(match value {
            Ok(value) => Ok(boxed(ok.as_deref(), value.as_ref(), grants)?),
            Err(value) => Err(boxed(err.as_deref(), value.as_ref(), grants)?),
        }),
        (Conversion::Tuple(items), Value::Tuple(values)) if items.len() == values.len() => {
            Val::Tuple(all(items.iter().zip(values.iter()).map(|(item, value)| lower(item, value, grants)))?)
        }
        (Conversion::Record(record), Value::Record(fields)) => Val::Record(lower_record(record, fields, grants)?),
        (Conversion::Variant(cases), Value::Variant(name, payload)) => {
            let Some((names, conversion)) = cases.iter().find(|(names, _)| names.flow == *name) else { return unfit() };
            let payload = match (conversion, payload) {
                (None, None) => None,
                (Some(conversion), Some(payload)) => Some(Box::new(lower(conversion, payload, grants)?)),
                _ => return unfit(),
            };
            Val::Variant(names.wit.clone(), payload)
        }
        (Conversion::Enum(cases), Value::Enum(name)) => match wit_name(cases, name) {
            Some(wit) => Val::Enum(wit),
            None => return unfit(),
        },
        (Conversion::Flags(known), Value::Flags(names)) => {
            match names.iter().map(|name| wit_name(known, name)).collect::<Option<_>>() {
                Some(set) => Val::Flags(set),
                None => return unfit(),
            }
        }
        _ => return unfit(),
    })
}

fn all(values: impl Iterator<Item = Result<Val, LowerError>>) -> Result<Vec<Val>, LowerError> {
    values.collect()
}

fn boxed(conversion: Option<&Conversion>, value: Option<&Arc<Value>>, grants: &Grants) -> Result<Option<Box<Val>>, LowerError> {
    match (conversion, value) {
        (_, None) => Ok(None),
        (Some(conversion), Some(value)) => lower(conversion, value, grants).map(|val| Some(Box::new(val))),
        (None, Some(_)) => Err(LowerError("a result carries a value where its type has none".to_owned())),
    }
}

fn lower_record(record: &RecordConversion, values: &[(Name, Value)], grants: &Grants) -> Result<Vec<(String, Val)>, LowerError> {
    let mut lowered = Vec::with_capacity(record.fields.len());
    for (index, (names, conversion)) in record.fields.iter().enumerate() {
        // Nearly always the value has its fields in the component's order.
        let value = match values.get(index) {
            Some((name, value)) if *name == names.flow => Some(value),
            _ => values.iter().find(|(name, _)| *name == names.flow).map(|(_, value)| value),
        };
        let Some(value) = value else {
            return Err(LowerError(format!("the record has no field `{}`", names.flow)));
        };
        let val = lower(conversion, value, grants).map_err(|error| LowerError(format!("in `{}`: {}", names.flow, error.0)))?;
        lowered.push((names.wit.clone(), val));
    }
    Ok(lowered)
}

fn wit_name(known: &[Names], flow: &str) -> Option<String> {
    known.iter().find(|names| &*names.flow == flow).map(|names| names.wit.clone())
}

fn plain(ty: &Type, value: &Value) -> Option<Val> {
    Some(match (ty, value) {
        (Type::Bool, Value::Bool(x)) => Val::Bool(*x),
        (Type::S8, Value::S8(x)) => Val::S8(*x),
        (Type::S16, Value::S16(x)) => Val::S16(*x),
        (Type::S32, Value::S32(x)) => Val::S32(*x),
        (Type::S64, Value::S64(x)) => Val::S64(*x),
        (Type::U8, Value::U8(x)) => Val::U8(*x),
        (Type::U16, Value::U16(x)) => Val::U16(*x),
        (Type::U32, Value::U32(x)) => Val::U32(*x),
        (Type::U64, Value::U64(x)) => Val::U64(*x),
        (Type::F32, Value::F32(x)) => Val::Float32(*x),
        (Type::F64, Value::F64(x)) => Val::Float64(*x),
        (Type::Char, Value::Char(x)) => Val::Char(*x),
        (Type::String, Value::String(text)) => Val::String(text.to_string()),
        _ => return None,
    })
}
