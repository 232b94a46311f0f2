//! The component's value → the flow's.

use std::sync::Arc;

use catalog::json;
use catalog::{Name, Value};
use wasmtime::component::Val;

use super::{Conversion, Names, RecordConversion};

/// Why a result is not a value.
#[derive(Debug)]
pub(crate) enum LiftError {
    /// It is larger than the attempt's limit.
    TooLarge,
    /// A string that should hold JSON does not, and why.
    NotJson(String),
    /// The runtime gave something of another type than the component states.
    Unexpected,
}

/// Converts a result. `room` is what its logical size may be, and what is left of it afterwards.
pub(crate) fn lift(conversion: &Conversion, val: Val, room: &mut u64) -> Result<Value, LiftError> {
    // Close to the logical size of a value, and cheap; the exact size is compared at the end.
    take(room, 8)?;
    Ok(match (conversion, val) {
        (Conversion::Plain(_), val) => plain(val, room)?,
        (Conversion::Bytes, Val::List(items)) => Value::Bytes(bytes(&items, room)?),
        (Conversion::Json, Val::String(text)) => {
            take(room, text.len())?;
            Value::Json(json::parse_document(&text).map_err(|error| LiftError::NotJson(error.to_string()))?)
        }
        (Conversion::Dir, Val::String(text)) => {
            take(room, text.len())?;
            Value::Dir(text.into())
        }
        (Conversion::Duration, Val::U64(nanos)) => Value::Duration(nanos),
        (Conversion::List(item), Val::List(items)) => {
            Value::List(all(items.into_iter().map(|val| lift(item, val, room)))?.into_iter().collect())
        }
        (Conversion::Option(some), Val::Option(val)) => Value::Option(inner(Some(some), val, room)?),
        (Conversion::Result(ok, err), Val::Result(result)) => Value::Result(match result {
            Ok(val) => Ok(inner(ok.as_deref(), val, room)?),
            Err(val) => Err(inner(err.as_deref(), val, room)?),
        }),
        (Conversion::Tuple(items), Val::Tuple(vals)) => {
            let values = items.iter().zip(vals).map(|(item, val)| lift(item, val, room));
            Value::Tuple(all(values)?.into_iter().collect())
        }
        (Conversion::Record(record), Val::Record(fields)) => lift_record(record, fields, room)?,
        (Conversion::Variant(cases), Val::Variant(wit, payload)) => {
            let (names, conversion) = cases.iter().find(|(names, _)| names.wit == wit).ok_or(LiftError::Unexpected)?;
            take(room, names.flow.len())?;
            Value::Variant(names.flow.clone(), inner(conversion.as_deref(), payload, room)?)
        }
        (Conversion::Enum(cases), Val::Enum(wit)) => Value::Enum(flow_name(cases, &wit)?),
        (Conversion::Flags(known), Val::Flags(set)) => {
            Value::Flags(set.iter().map(|wit| flow_name(known, wit)).collect::<Result<_, _>>()?)
        }
        _ => return Err(LiftError::Unexpected),
    })
}

fn take(room: &mut u64, size: usize) -> Result<(), LiftError> {
    *room = room.checked_sub(size as u64).ok_or(LiftError::TooLarge)?;
    Ok(())
}

fn all(values: impl Iterator<Item = Result<Value, LiftError>>) -> Result<Vec<Value>, LiftError> {
    values.collect()
}

fn inner(conversion: Option<&Conversion>, val: Option<Box<Val>>, room: &mut u64) -> Result<Option<Arc<Value>>, LiftError> {
    match (conversion, val) {
        (_, None) => Ok(None),
        (Some(conversion), Some(val)) => lift(conversion, *val, room).map(|value| Some(Arc::new(value))),
        (None, Some(_)) => Err(LiftError::Unexpected),
    }
}

fn bytes(items: &[Val], room: &mut u64) -> Result<Arc<[u8]>, LiftError> {
    take(room, items.len())?;
    let byte = |val: &Val| match val {
        Val::U8(byte) => Ok(*byte),
        _ => Err(LiftError::Unexpected),
    };
    items.iter().map(byte).collect()
}

fn lift_record(record: &RecordConversion, vals: Vec<(String, Val)>, room: &mut u64) -> Result<Value, LiftError> {
    let mut fields: Vec<Option<(Name, Value)>> = Vec::with_capacity(vals.len());
    for ((names, conversion), (_, val)) in record.fields.iter().zip(vals) {
        take(room, names.flow.len())?;
        fields.push(Some((names.flow.clone(), lift(conversion, val, room)?)));
    }
    let ordered: Option<Vec<(Name, Value)>> = match &record.order {
        None => fields.into_iter().collect(),
        Some(order) => order.iter().map(|position| fields.get_mut(*position).and_then(Option::take)).collect(),
    };
    Ok(Value::Record(ordered.ok_or(LiftError::Unexpected)?.into_iter().collect()))
}

fn flow_name(known: &[Names], wit: &str) -> Result<Name, LiftError> {
    known.iter().find(|names| names.wit == wit).map(|names| names.flow.clone()).ok_or(LiftError::Unexpected)
}

fn plain(val: Val, room: &mut u64) -> Result<Value, LiftError> {
    Ok(match val {
        Val::Bool(x) => Value::Bool(x),
        Val::S8(x) => Value::S8(x),
        Val::S16(x) => Value::S16(x),
        Val::S32(x) => Value::S32(x),
        Val::S64(x) => Value::S64(x),
        Val::U8(x) => Value::U8(x),
        Val::U16(x) => Value::U16(x),
        Val::U32(x) => Value::U32(x),
        Val::U64(x) => Value::U64(x),
        Val::Float32(x) => Value::F32(x),
        Val::Float64(x) => Value::F64(x),
        Val::Char(x) => Value::Char(x),
        Val::String(text) => {
            take(room, text.len())?;
            Value::String(text.into())
        }
        _ => return Err(LiftError::Unexpected),
    })
}
