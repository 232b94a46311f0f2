//! Values of WIT's types.
//!
//! Cheap to clone: whatever can be large is shared. A value knows its logical size, because shared
//! parts make it possible to build a value whose text would not fit any memory (`[x, x]` in a loop).

use std::fmt;
use std::sync::Arc;

use crate::held::Held;
use crate::types::{Name, Type};

/// A value. It carries the names of its fields and cases, so that it can be written without its type;
/// reading needs the type (see [`crate::json`]).
#[derive(Clone)]
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
    /// Any of the others, that is held elsewhere. Only an engine makes such values, of results that it does not look at
    /// for a while; what it hands out has none in it.
    Held(Held),
}

/// Shared members of a value, with their logical size.
#[derive(Clone)]
pub struct Items<T> {
    members: Arc<[T]>,
    /// The logical size, and in the highest bit whether some part is held elsewhere.
    measure: u64,
}

/// The bit of [`Items::measure`].
const HOLDS: u64 = 1 << 63;

impl<T: fmt::Debug> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("members", &self.members).field("size", &self.size()).finish()
    }
}

impl<T: PartialEq> PartialEq for Items<T> {
    fn eq(&self, other: &Self) -> bool {
        // Shared parts are equal without a look, which also bounds the comparison of values built by doubling.
        self.size() == other.size() && (Arc::ptr_eq(&self.members, &other.members) || self.members == other.members)
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
        Self::new(values.into_iter().collect(), |value| (value.size(), value.has_held()))
    }
}

impl FromIterator<(Name, Value)> for Items<(Name, Value)> {
    fn from_iter<I: IntoIterator<Item = (Name, Value)>>(fields: I) -> Self {
        let measure = |(name, value): &(Name, Value)| (value.size().saturating_add(name.len() as u64), value.has_held());
        Self::new(fields.into_iter().collect(), measure)
    }
}

impl<T> Items<T> {
    fn new(members: Arc<[T]>, measure_of: impl Fn(&T) -> (u64, bool)) -> Self {
        let (mut size, mut holds) = (0_u64, false);
        for (of, held) in members.iter().map(measure_of) {
            (size, holds) = (size.saturating_add(of), holds | held);
        }
        Self { members, measure: size.min(HOLDS - 1) | if holds { HOLDS } else { 0 } }
    }

    const fn size(&self) -> u64 {
        self.measure & !HOLDS
    }

    const fn has_held(&self) -> bool {
        self.measure & HOLDS != 0
    }
}

/// What is held elsewhere is shown as what it stands for: states of runs are compared by this text.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = |name: &str, inner: &dyn fmt::Debug| f.debug_tuple(name).field(inner).finish();
        match self {
            Self::Bool(x) => tuple("Bool", x),
            Self::S8(x) => tuple("S8", x),
            Self::S16(x) => tuple("S16", x),
            Self::S32(x) => tuple("S32", x),
            Self::S64(x) => tuple("S64", x),
            Self::U8(x) => tuple("U8", x),
            Self::U16(x) => tuple("U16", x),
            Self::U32(x) => tuple("U32", x),
            Self::U64(x) => tuple("U64", x),
            Self::F32(x) => tuple("F32", x),
            Self::F64(x) => tuple("F64", x),
            Self::Char(x) => tuple("Char", x),
            Self::String(x) => tuple("String", x),
            Self::Bytes(x) => tuple("Bytes", x),
            Self::List(x) => tuple("List", x),
            Self::Tuple(x) => tuple("Tuple", x),
            Self::Record(x) => tuple("Record", x),
            Self::Enum(x) => tuple("Enum", x),
            Self::Flags(x) => tuple("Flags", x),
            Self::Option(x) => tuple("Option", x),
            Self::Result(x) => tuple("Result", x),
            Self::Json(x) => tuple("Json", x),
            Self::Dir(x) => tuple("Dir", x),
            Self::Duration(x) => tuple("Duration", x),
            Self::Variant(name, payload) => f.debug_tuple("Variant").field(name).field(payload).finish(),
            Self::Unit => f.write_str("Unit"),
            Self::Held(held) => held.open().fmt(f),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Held(held), other) | (other, Self::Held(held)) => held.open() == *other,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::S8(a), Self::S8(b)) => a == b,
            (Self::S16(a), Self::S16(b)) => a == b,
            (Self::S32(a), Self::S32(b)) => a == b,
            (Self::S64(a), Self::S64(b)) => a == b,
            (Self::U8(a), Self::U8(b)) => a == b,
            (Self::U16(a), Self::U16(b)) => a == b,
            (Self::U32(a), Self::U32(b)) => a == b,
            (Self::U64(a), Self::U64(b)) | (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::F32(a), Self::F32(b)) => a == b,
            (Self::F64(a), Self::F64(b)) => a == b,
            (Self::Char(a), Self::Char(b)) => a == b,
            (Self::String(a), Self::String(b)) | (Self::Dir(a), Self::Dir(b)) => a == b,
            (Self::Enum(a), Self::Enum(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Record(a), Self::Record(b)) => a == b,
            (Self::Variant(a, x), Self::Variant(b, y)) => a == b && x == y,
            (Self::Flags(a), Self::Flags(b)) => a == b,
            (Self::Option(a), Self::Option(b)) => a == b,
            (Self::Result(a), Self::Result(b)) => a == b,
            (Self::Json(a), Self::Json(b)) => a == b,
            (Self::Unit, Self::Unit) => true,
            _ => false,
        }
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
            Self::List(items) | Self::Tuple(items) => items.size(),
            Self::Record(fields) => fields.size(),
            Self::Variant(name, payload) => (name.len() as u64).saturating_add(payload.as_ref().map_or(0, |value| value.size())),
            Self::Enum(name) => name.len() as u64,
            Self::Flags(names) => names.iter().map(|name| name.len() as u64).sum(),
            Self::Option(Some(value)) | Self::Result(Ok(Some(value)) | Err(Some(value))) => value.size(),
            Self::Json(document) => json_size(document),
            Self::Held(held) => return held.size(),
            _ => 0,
        };
        inner.saturating_add(BASE_SIZE)
    }

    /// Whether it, or some part of it, is held elsewhere. A few operations.
    #[must_use]
    pub fn has_held(&self) -> bool {
        match self {
            Self::Held(_) => true,
            Self::List(items) | Self::Tuple(items) => items.has_held(),
            Self::Record(fields) => fields.has_held(),
            Self::Variant(_, Some(inner)) | Self::Option(Some(inner)) => inner.has_held(),
            Self::Result(Ok(Some(inner)) | Err(Some(inner))) => inner.has_held(),
            _ => false,
        }
    }

    /// Whether it is a `json`, wherever it is held.
    #[must_use]
    pub fn is_document(&self) -> bool {
        match self {
            Self::Json(_) => true,
            Self::Held(held) => held.is_document(),
            _ => false,
        }
    }

    /// The value itself in memory; parts of it may be held elsewhere.
    #[must_use]
    pub fn opened(self) -> Self {
        match self {
            Self::Held(held) => held.open(),
            other => other,
        }
    }

    /// The value in memory with all its parts.
    #[must_use]
    pub fn whole(self) -> Self {
        if !self.has_held() {
            return self;
        }
        let inside = |inner: Arc<Self>| Arc::new(Self::clone(&inner).whole());
        match self {
            Self::Held(held) => held.open(),
            Self::List(items) => Self::list(items.iter().cloned().map(Self::whole)),
            Self::Tuple(items) => Self::tuple(items.iter().cloned().map(Self::whole)),
            Self::Record(fields) => {
                Self::Record(fields.iter().map(|(name, value)| (name.clone(), value.clone().whole())).collect())
            }
            Self::Variant(name, payload) => Self::Variant(name, payload.map(inside)),
            Self::Option(inner) => Self::Option(inner.map(inside)),
            Self::Result(Ok(payload)) => Self::Result(Ok(payload.map(inside))),
            Self::Result(Err(payload)) => Self::Result(Err(payload.map(inside))),
            other => other,
        }
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
