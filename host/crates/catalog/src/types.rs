//! WIT's types, as flows see them.
//!
//! Equality is structural: two records are equal when their field names and types are, whatever they
//! are called and whichever component declares them, so that plugins written apart can be joined.
//! Names are in snake_case (`read_file` for WIT's `read-file`).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A name, shared between types and values.
pub type Name = Arc<str>;

/// A type of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `s16`
    S16,
    /// `s32`
    S32,
    /// `s64`, the type of an integer literal without context.
    S64,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`, the type of a decimal literal without context.
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<t>`
    List(Arc<Type>),
    /// `option<t>`
    Option(Arc<Type>),
    /// `result<ok, err>`
    Result(Option<Arc<Type>>, Option<Arc<Type>>),
    /// `tuple<a, b>`
    Tuple(Arc<[Type]>),
    /// `record`
    Record(Arc<RecordType>),
    /// `variant`
    Variant(Arc<VariantType>),
    /// `enum`
    Enum(Arc<EnumType>),
    /// `flags`
    Flags(Arc<FlagsType>),
    /// Any JSON document: the type of what is untyped. Crosses a component border as a string.
    Json,
    /// A folder that was granted: its value is the guest path. Crosses a component border as a string.
    Dir,
    /// A length of time; only flows have it. Crosses a component border as `u64` nanoseconds.
    Duration,
    /// The value of a function or block that gives nothing.
    Unit,
}

/// A record type. The order of fields is that of the declaration and does not count for equality.
#[derive(Clone, Debug)]
pub struct RecordType {
    /// What it is called where it was declared; for messages.
    pub name: Option<Name>,
    /// Names with types.
    pub fields: Vec<(Name, Type)>,
}

/// A variant type.
#[derive(Clone, Debug)]
pub struct VariantType {
    /// What it is called where it was declared; for messages.
    pub name: Option<Name>,
    /// Case names with what they carry.
    pub cases: Vec<(Name, Option<Type>)>,
}

/// An enum type.
#[derive(Clone, Debug)]
pub struct EnumType {
    /// What it is called where it was declared; for messages.
    pub name: Option<Name>,
    /// Case names.
    pub cases: Vec<Name>,
}

/// A flags type.
#[derive(Clone, Debug)]
pub struct FlagsType {
    /// What it is called where it was declared; for messages.
    pub name: Option<Name>,
    /// Flag names.
    pub names: Vec<Name>,
}

impl PartialEq for RecordType {
    fn eq(&self, other: &Self) -> bool {
        same_members(&self.fields, &other.fields, |x| &x.0)
    }
}

impl Eq for RecordType {}

impl Hash for RecordType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_members(&self.fields, |x| &x.0, state);
    }
}

impl PartialEq for VariantType {
    fn eq(&self, other: &Self) -> bool {
        same_members(&self.cases, &other.cases, |x| &x.0)
    }
}

impl Eq for VariantType {}

impl Hash for VariantType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_members(&self.cases, |x| &x.0, state);
    }
}

impl PartialEq for EnumType {
    fn eq(&self, other: &Self) -> bool {
        same_members(&self.cases, &other.cases, |x| x)
    }
}

impl Eq for EnumType {}

impl Hash for EnumType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_members(&self.cases, |x| x, state);
    }
}

impl PartialEq for FlagsType {
    fn eq(&self, other: &Self) -> bool {
        same_members(&self.names, &other.names, |x| x)
    }
}

impl Eq for FlagsType {}

impl Hash for FlagsType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_members(&self.names, |x| x, state);
    }
}

/// Whether two lists of named members are equal when the order does not count.
fn same_members<T: PartialEq>(a: &[T], b: &[T], name: fn(&T) -> &Name) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.iter().zip(b).all(|(x, y)| name(x) == name(y)) {
        return a == b;
    }
    sorted(a, name) == sorted(b, name)
}

fn hash_members<T: Hash, H: Hasher>(members: &[T], name: fn(&T) -> &Name, state: &mut H) {
    for member in sorted(members, name) {
        member.hash(state);
    }
}

fn sorted<T>(members: &[T], name: fn(&T) -> &Name) -> Vec<&T> {
    let mut view: Vec<&T> = members.iter().collect();
    view.sort_by(|x, y| name(x).cmp(name(y)));
    view
}

impl Type {
    /// `list<item>`.
    #[must_use]
    pub fn list(item: Self) -> Self {
        Self::List(Arc::new(item))
    }

    /// `option<some>`.
    #[must_use]
    pub fn option(some: Self) -> Self {
        Self::Option(Arc::new(some))
    }

    /// Whether it is one of the ten number types.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, Self::F32 | Self::F64)
    }

    /// Whether it is one of the eight integer types.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.integer_range().is_some()
    }

    /// The least and greatest value of an integer type.
    #[must_use]
    pub fn integer_range(&self) -> Option<(i128, i128)> {
        Some(match self {
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
            _ => return None,
        })
    }
}

impl fmt::Display for Type {
    /// As WIT prints it: a declared type by its name, an anonymous one by its members.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::S8 => f.write_str("s8"),
            Self::S16 => f.write_str("s16"),
            Self::S32 => f.write_str("s32"),
            Self::S64 => f.write_str("s64"),
            Self::U8 => f.write_str("u8"),
            Self::U16 => f.write_str("u16"),
            Self::U32 => f.write_str("u32"),
            Self::U64 => f.write_str("u64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::Json => f.write_str("json"),
            Self::Dir => f.write_str("dir"),
            Self::Duration => f.write_str("duration"),
            Self::Unit => f.write_str("nothing"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::Option(some) => write!(f, "option<{some}>"),
            Self::Result(None, None) => f.write_str("result"),
            Self::Result(Some(ok), None) => write!(f, "result<{ok}>"),
            Self::Result(None, Some(err)) => write!(f, "result<_, {err}>"),
            Self::Result(Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
            Self::Tuple(items) => {
                f.write_str("tuple<")?;
                join(f, items.iter(), |f, t| write!(f, "{t}"))?;
                f.write_str(">")
            }
            Self::Record(ty) => named(f, "record", ty.name.as_ref(), &ty.fields, |f, (name, ty)| write!(f, "{name}: {ty}")),
            Self::Variant(ty) => named(f, "variant", ty.name.as_ref(), &ty.cases, |f, (name, ty)| match ty {
                Some(ty) => write!(f, "{name}({ty})"),
                None => f.write_str(name),
            }),
            Self::Enum(ty) => named(f, "enum", ty.name.as_ref(), &ty.cases, |f, name| f.write_str(name)),
            Self::Flags(ty) => named(f, "flags", ty.name.as_ref(), &ty.names, |f, name| f.write_str(name)),
        }
    }
}

fn named<T>(
    f: &mut fmt::Formatter<'_>,
    keyword: &str,
    name: Option<&Name>,
    members: &[T],
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if let Some(name) = name {
        return f.write_str(name);
    }
    write!(f, "{keyword} {{ ")?;
    join(f, members.iter(), each)?;
    f.write_str(" }")
}

fn join<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
    each: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    Ok(())
}
