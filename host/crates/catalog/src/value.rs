//! Values of WIT's types.
//!
//! Cheap to clone: whatever can be large is shared. A value knows its logical size, because shared
//! parts make it possible to build a value whose text would not fit any memory (`[x, x]` in a loop).

use std::sync::Arc;

use crate::types::{Name, Type};

/// A value. It carries the names of its fields and cases, so that it can be written without its type;
/// reading needs the type (see [`crate::json`]).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `bool`
    Bool(bool),
    /// `s8`
    S8(i8),
    /// `s16`
    S16(i16),
    /// `s32`
    S32(i32),
    /// `s64`
    S64(i64),
    /// `u8`
    U8(u8),
    /// `u16`
    U16(u16),
    /// `u32`
    U32(u32),
    /// `u64`
    U64(u64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `char`
    Char(char),
    /// `string`
    String(Arc<str>),
    /// `list<u8>`, always in this form.
    Bytes(Arc<[u8]>),
    /// Any other list.
    List(Items<Value>),
    /// `tuple`
    Tuple(Items<Value>),
    /// `record`, fields in any order.
    Record(Items<(Name, Value)>),
    /// `variant`
    Variant(Name, Option<Arc<Value>>),
    /// `enum`
    Enum(Name),
    /// `flags`: those that are set, in the order of the type.
    Flags(Arc<[Name]>),
    /// `option`
    Option(Option<Arc<Value>>),
    /// `result`
    Result(Result<Option<Arc<Value>>, Option<Arc<Value>>>),
    /// `json`
    Json(Arc<serde_json::Value>),
    /// `dir`: the guest path, or the host path before the folder is opened for a step.
    Dir(Arc<str>),
    /// `duration` in nanoseconds.
    Duration(u64),
    /// Nothing.
    Unit,
}

/// Shared members of a value, with their logical size.
#[derive(Clone, Debug)]
pub struct Items<T> {
    members: Arc<[T]>,
    size: u64,
}

impl<T: PartialEq> PartialEq for Items<T> {
    fn eq(&self, other: &Self) -> bool {
        // Shared parts are equal without a look, which also bounds the comparison of values built by doubling.
        self.size == other.size && (Arc::ptr_eq(&self.members, &other.members) || self.members == other.members)
    }
}

impl<T> std::ops::Deref for Items<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.members
    }
}

impl FromIterator<Value> for Items<Value> {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self::new(values.into_iter().collect(), Value::size)
    }
}

impl FromIterator<(Name, Value)> for Items<(Name, Value)> {
    fn from_iter<I: IntoIterator<Item = (Name, Value)>>(fields: I) -> Self {
        Self::new(fields.into_iter().collect(), |(name, value)| value.size().saturating_add(name.len() as u64))
    }
}

impl<T> Items<T> {
    fn new(members: Arc<[T]>, size_of: impl Fn(&T) -> u64) -> Self {
        let size = members.iter().map(size_of).fold(0, u64::saturating_add);
        Self { members, size }
    }
}

/// What a value counts for beside its text or bytes.
const BASE_SIZE: u64 = 8;

impl Value {
    /// A `string`.
    #[must_use]
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    /// A `list` that is not `list<u8>`.
    #[must_use]
    pub fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::List(values.into_iter().collect())
    }

    /// A `tuple`.
    #[must_use]
    pub fn tuple(values: impl IntoIterator<Item = Self>) -> Self {
        Self::Tuple(values.into_iter().collect())
    }

    /// A `record`.
    #[must_use]
    pub fn record<N: Into<Name>>(fields: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Record(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// `some(value)`.
    #[must_use]
    pub fn some(value: Self) -> Self {
        Self::Option(Some(Arc::new(value)))
    }

    /// `none`.
    #[must_use]
    pub const fn none() -> Self {
        Self::Option(None)
    }

    /// The field of a record.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Record(fields) => fields.iter().find(|(field, _)| &**field == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value of an integer type; none when the integer does not fit it, or it is not an integer type.
    #[must_use]
    pub fn integer(x: i128, ty: &Type) -> Option<Self> {
        Some(match ty {
            Type::S8 => Self::S8(x.try_into().ok()?),
            Type::S16 => Self::S16(x.try_into().ok()?),
            Type::S32 => Self::S32(x.try_into().ok()?),
            Type::S64 => Self::S64(x.try_into().ok()?),
            Type::U8 => Self::U8(x.try_into().ok()?),
            Type::U16 => Self::U16(x.try_into().ok()?),
            Type::U32 => Self::U32(x.try_into().ok()?),
            Type::U64 => Self::U64(x.try_into().ok()?),
            _ => return None,
        })
    }

    /// An integer with its type; none for any other value.
    #[must_use]
    pub fn as_integer(&self) -> Option<(i128, Type)> {
        Some(match self {
            Self::S8(x) => ((*x).into(), Type::S8),
            Self::S16(x) => ((*x).into(), Type::S16),
            Self::S32(x) => ((*x).into(), Type::S32),
            Self::S64(x) => ((*x).into(), Type::S64),
            Self::U8(x) => ((*x).into(), Type::U8),
            Self::U16(x) => ((*x).into(), Type::U16),
            Self::U32(x) => ((*x).into(), Type::U32),
            Self::U64(x) => ((*x).into(), Type::U64),
            _ => return None,
        })
    }

    /// The size in bytes that the value would have if nothing were shared, close to that of its JSON
    /// text. Never more than a few operations to compute; saturates.
    #[must_use]
    pub fn size(&self) -> u64 {
        let inner = match self {
            Self::String(text) | Self::Dir(text) => text.len() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::List(items) | Self::Tuple(items) => items.size,
            Self::Record(fields) => fields.size,
            Self::Variant(name, payload) => (name.len() as u64).saturating_add(payload.as_ref().map_or(0, |value| value.size())),
            Self::Enum(name) => name.len() as u64,
            Self::Flags(names) => names.iter().map(|name| name.len() as u64).sum(),
            Self::Option(Some(value)) | Self::Result(Ok(Some(value)) | Err(Some(value))) => value.size(),
            Self::Json(document) => json_size(document),
            _ => 0,
        };
        inner.saturating_add(BASE_SIZE)
    }
}

fn json_size(document: &serde_json::Value) -> u64 {
    match document {
        serde_json::Value::String(text) => text.len() as u64 + 2,
        serde_json::Value::Array(items) => items.iter().map(json_size).sum::<u64>() + 2,
        serde_json::Value::Object(fields) => {
            fields.iter().map(|(key, value)| key.len() as u64 + json_size(value)).sum::<u64>() + 2
        }
        _ => BASE_SIZE,
    }
}
