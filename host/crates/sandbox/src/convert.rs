//! How values cross a component's border.
//!
//! A function's types are compared with the component's once, into a [`Conversion`] per parameter and result; each call
//! then follows it, without looking anything up by name but what values carry themselves.

use catalog::{Name, Type, Value, snake_case};
use wasmtime::component::Val;
use wasmtime::component::types::Type as WitType;

mod lift;
mod lower;

pub(crate) use lift::{LiftError, lift};
pub(crate) use lower::lower;

/// How a value of one type crosses, in both directions.
#[derive(Clone, Debug)]
pub(crate) enum Conversion {
    /// Numbers, booleans, characters and strings: the same on both sides.
    Plain(Type),
    /// `list<u8>`.
    Bytes,
    /// A string that holds JSON.
    Json,
    /// A string that holds a path in the guest.
    Dir,
    /// A `u64` of nanoseconds.
    Duration,
    List(Box<Conversion>),
    Option(Box<Conversion>),
    Result(Option<Box<Conversion>>, Option<Box<Conversion>>),
    Tuple(Vec<Conversion>),
    Record(RecordConversion),
    /// Cases in the component's order.
    Variant(Vec<(Names, Option<Box<Conversion>>)>),
    Enum(Vec<Names>),
    Flags(Vec<Names>),
}

/// How a record crosses.
#[derive(Clone, Debug)]
pub(crate) struct RecordConversion {
    /// Fields in the component's order.
    fields: Vec<(Names, Conversion)>,
    /// For each field of the flow's type, in its order, the position in the component's; none when they are the same.
    order: Option<Vec<usize>>,
}

/// One name in both forms.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// kebab-case
    wit: String,
    /// `snake_case`
    flow: Name,
}

/// The component's type is not the one that the plan was checked against.
#[derive(Debug)]
pub(crate) struct Misfit(pub(crate) String);

impl Conversion {
    /// Compares a type of the flow with the component's.
    pub(crate) fn new(flow: &Type, wit: &WitType) -> Result<Self, Misfit> {
        let misfit = || Misfit(format!("the flow has `{flow}` where the component has {}", wit_name(wit)));
        Ok(match (flow, wit) {
            (Type::Bool, WitType::Bool)
            | (Type::S8, WitType::S8)
            | (Type::S16, WitType::S16)
            | (Type::S32, WitType::S32)
            | (Type::S64, WitType::S64)
            | (Type::U8, WitType::U8)
            | (Type::U16, WitType::U16)
            | (Type::U32, WitType::U32)
            | (Type::U64, WitType::U64)
            | (Type::F32, WitType::Float32)
            | (Type::F64, WitType::Float64)
            | (Type::Char, WitType::Char)
            | (Type::String, WitType::String) => Self::Plain(flow.clone()),
            (Type::Json, WitType::String) => Self::Json,
            (Type::Dir, WitType::String) => Self::Dir,
            (Type::Duration, WitType::U64) => Self::Duration,
            (Type::List(item), WitType::List(list)) => match (&**item, list.ty()) {
                (Type::U8, WitType::U8) => Self::Bytes,
                (item, ty) => Self::List(Box::new(Self::new(item, &ty)?)),
            },
            (Type::Option(some), WitType::Option(option)) => Self::Option(Box::new(Self::new(some, &option.ty())?)),
            (Type::Result(ok, err), WitType::Result(result)) => {
                let side = |flow: &Option<std::sync::Arc<Type>>, wit: Option<WitType>| match (flow, wit) {
                    (None, None) => Ok(None),
                    (Some(flow), Some(wit)) => Self::new(flow, &wit).map(|found| Some(Box::new(found))),
                    _ => Err(misfit()),
                };
                Self::Result(side(ok, result.ok())?, side(err, result.err())?)
            }
            (Type::Tuple(flow), WitType::Tuple(tuple)) if flow.len() == tuple.types().len() => {
                Self::Tuple(flow.iter().zip(tuple.types()).map(|(flow, wit)| Self::new(flow, &wit)).collect::<Result<_, _>>()?)
            }
            (Type::Record(flow), WitType::Record(record)) if flow.fields.len() == record.fields().len() => {
                Self::Record(record_conversion(&flow.fields, record).ok_or_else(misfit)??)
            }
            (Type::Variant(flow), WitType::Variant(variant)) if flow.cases.len() == variant.cases().len() => {
                let mut cases = Vec::with_capacity(flow.cases.len());
                for case in variant.cases() {
                    let names = Names::new(case.name);
                    let (_, payload) = flow.cases.iter().find(|(name, _)| *name == names.flow).ok_or_else(misfit)?;
                    let payload = match (payload, case.ty) {
                        (None, None) => None,
                        (Some(flow), Some(wit)) => Some(Box::new(Self::new(flow, &wit)?)),
                        _ => return Err(misfit()),
                    };
                    cases.push((names, payload));
                }
                Self::Variant(cases)
            }
            (Type::Enum(flow), WitType::Enum(found)) => Self::Enum(same_names(&flow.cases, found.names()).ok_or_else(misfit)?),
            (Type::Flags(flow), WitType::Flags(found)) => Self::Flags(same_names(&flow.names, found.names()).ok_or_else(misfit)?),
            _ => return Err(misfit()),
        })
    }
}

impl Conversion {
    /// Whether a `list<u8>` is in it.
    pub(crate) fn has_bytes(&self) -> bool {
        let inside = |side: &Option<Box<Self>>| side.as_ref().is_some_and(|conversion| conversion.has_bytes());
        match self {
            Self::Bytes => true,
            Self::List(item) | Self::Option(item) => item.has_bytes(),
            Self::Result(ok, err) => inside(ok) || inside(err),
            Self::Tuple(items) => items.iter().any(Self::has_bytes),
            Self::Record(record) => record.fields.iter().any(|(_, field)| field.has_bytes()),
            Self::Variant(cases) => cases.iter().any(|(_, payload)| inside(payload)),
            _ => false,
        }
    }
}

/// None when the fields have other names.
fn record_conversion(
    flow: &[(Name, Type)],
    record: &wasmtime::component::types::Record,
) -> Option<Result<RecordConversion, Misfit>> {
    let mut fields = Vec::with_capacity(flow.len());
    for field in record.fields() {
        let names = Names::new(field.name);
        let (_, ty) = flow.iter().find(|(name, _)| *name == names.flow)?;
        match Conversion::new(ty, &field.ty) {
            Ok(conversion) => fields.push((names, conversion)),
            Err(misfit) => return Some(Err(Misfit(format!("in the field `{}`: {}", names.flow, misfit.0)))),
        }
    }
    let order: Vec<usize> =
        flow.iter().map(|(name, _)| fields.iter().position(|(names, _)| names.flow == *name)).collect::<Option<_>>()?;
    let same = order.iter().enumerate().all(|(index, position)| index == *position);
    Some(Ok(RecordConversion { fields, order: (!same).then_some(order) }))
}

fn same_names<'a>(flow: &[Name], wit: impl ExactSizeIterator<Item = &'a str>) -> Option<Vec<Names>> {
    if flow.len() != wit.len() {
        return None;
    }
    let names: Vec<Names> = wit.map(Names::new).collect();
    names.iter().all(|names| flow.contains(&names.flow)).then_some(names)
}

impl Names {
    fn new(wit: &str) -> Self {
        Self { wit: wit.to_owned(), flow: snake_case(wit).into() }
    }
}

/// What people call a component's type.
fn wit_name(ty: &WitType) -> &'static str {
    match ty {
        WitType::Bool => "`bool`",
        WitType::S8 => "`s8`",
        WitType::S16 => "`s16`",
        WitType::S32 => "`s32`",
        WitType::S64 => "`s64`",
        WitType::U8 => "`u8`",
        WitType::U16 => "`u16`",
        WitType::U32 => "`u32`",
        WitType::U64 => "`u64`",
        WitType::Float32 => "`f32`",
        WitType::Float64 => "`f64`",
        WitType::Char => "`char`",
        WitType::String => "`string`",
        WitType::List(_) => "another list",
        WitType::Record(_) => "another record",
        WitType::Tuple(_) => "another tuple",
        WitType::Variant(_) => "another variant",
        WitType::Enum(_) => "another enum",
        WitType::Option(_) => "another option",
        WitType::Result(_) => "another result",
        WitType::Flags(_) => "other flags",
        _ => "a type that flows do not have",
    }
}

/// What a value seems to be, for messages.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "a boolean",
        Value::String(_) => "a string",
        Value::Char(_) => "a char",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "a list",
        Value::Tuple(_) => "a tuple",
        Value::Record(_) => "a record",
        Value::Variant(..) => "a variant",
        Value::Enum(_) => "an enum",
        Value::Flags(_) => "flags",
        Value::Option(_) => "an option",
        Value::Result(_) => "a result",
        Value::Json(_) => "json",
        Value::Dir(_) => "a dir",
        Value::Duration(_) => "a duration",
        Value::Unit => "nothing",
        Value::Held(held) => kind_of(&held.open()),
        _ => "a number",
    }
}

/// A result place before the call fills it.
pub(crate) const fn empty() -> Val {
    Val::Bool(false)
}
