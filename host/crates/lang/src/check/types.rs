//! Written types → [`Type`]s; how types differ and which widen.

use std::sync::Arc;

use catalog::{EnumType, Name, RecordType, Type, VariantType, failure_type};
use grammar::ast::{EnumDef, RecordDef, TypeExpr, TypeKind, VariantDef};
use grammar::{Ident, Span};

use super::Checker;
use super::names::Target;
use crate::diagnostics::{generics as say_generic, names as say};

/// Levels of a type when all names are expanded.
const MAX_DEPTH: u32 = 100;
/// Members of a type when all names are expanded.
const MAX_WEIGHT: u64 = 10_000;

/// A declared type.
pub(super) struct TypeDecl<'a> {
    pub(super) file: usize,
    def: TypeDef<'a>,
    state: State,
}

/// Its declaration.
#[derive(Clone, Copy)]
pub(super) enum TypeDef<'a> {
    Record(&'a RecordDef),
    Enum(&'a EnumDef),
    Variant(&'a VariantDef),
}

enum State {
    New,
    Active,
    Done(Option<Expanded>),
}

/// A type with its size when all names in it are expanded.
#[derive(Clone)]
struct Expanded {
    ty: Type,
    depth: u32,
    weight: u64,
}

impl Expanded {
    const fn leaf(ty: Type) -> Self {
        Self { ty, depth: 1, weight: 1 }
    }

    fn around(ty: Type, parts: &[Self]) -> Self {
        Self {
            ty,
            depth: parts.iter().map(|part| part.depth).max().unwrap_or(0) + 1,
            weight: parts.iter().map(|part| part.weight).fold(1, u64::saturating_add),
        }
    }
}

impl<'a> TypeDecl<'a> {
    pub(super) const fn new(file: usize, def: TypeDef<'a>) -> Self {
        Self { file, def, state: State::New }
    }
}

impl<'a> TypeDef<'a> {
    const fn name(self) -> &'a Ident {
        match self {
            Self::Record(def) => &def.name,
            Self::Enum(def) => &def.name,
            Self::Variant(def) => &def.name,
        }
    }
}

/// A built-in type by its name.
pub(super) fn builtin(name: &str) -> Option<Type> {
    Some(match name {
        "bool" => Type::Bool,
        "s8" => Type::S8,
        "s16" => Type::S16,
        "s32" => Type::S32,
        "s64" => Type::S64,
        "u8" => Type::U8,
        "u16" => Type::U16,
        "u32" => Type::U32,
        "u64" => Type::U64,
        "f32" => Type::F32,
        "f64" => Type::F64,
        "char" => Type::Char,
        "string" => Type::String,
        "json" => Type::Json,
        "dir" => Type::Dir,
        "duration" => Type::Duration,
        "failure" => failure_type(),
        "failure_kind" => failure_kind(),
        _ => return None,
    })
}

fn failure_kind() -> Type {
    match failure_type() {
        Type::Record(record) => {
            record.fields.iter().find(|(name, _)| &**name == "kind").map_or(Type::String, |(_, ty)| ty.clone())
        }
        other => other,
    }
}

const BUILTINS: [&str; 18] = [
    "bool",
    "s8",
    "s16",
    "s32",
    "s64",
    "u8",
    "u16",
    "u32",
    "u64",
    "f32",
    "f64",
    "char",
    "string",
    "json",
    "dir",
    "duration",
    "failure",
    "failure_kind",
];

/// The name here of a type as other languages call it.
fn foreign(name: &str) -> Option<&'static str> {
    Some(match name {
        "int" | "integer" | "i64" | "long" | "isize" => "s64",
        "i32" | "int32" => "s32",
        "i16" | "int16" => "s16",
        "i8" | "int8" => "s8",
        "int64" => "s64",
        "uint" | "usize" | "uint64" => "u64",
        "uint32" => "u32",
        "uint16" => "u16",
        "byte" | "uint8" => "u8",
        "float" | "double" | "number" | "decimal" | "float64" => "f64",
        "float32" => "f32",
        "str" | "String" | "text" | "Text" => "string",
        "boolean" | "Bool" | "Boolean" => "bool",
        "any" | "Any" | "object" | "Object" | "JSON" | "map" | "dict" => "json",
        "array" | "Array" | "vec" | "Vec" | "List" => "list<t>",
        "optional" | "Option" | "maybe" | "Maybe" => "option<t>",
        "folder" | "directory" | "path" => "dir",
        "bytes" | "Bytes" | "blob" | "bytearray" => "list<u8>",
        "date" | "datetime" | "timestamp" | "uuid" | "url" => "string",
        "time" => "duration",
        _ => return None,
    })
}

impl Checker<'_> {
    /// Expands every declared type, so that mistakes in unused ones are reported too.
    pub(super) fn resolve_types(&mut self) {
        for index in 0..self.types.len() {
            if let Some(at) = self.types.get(index).map(|decl| decl.def.name().span) {
                self.declared(index, at, 0);
            }
        }
    }

    /// The type that a written type means; none when it was already reported.
    pub(super) fn ty(&mut self, file: usize, written: &TypeExpr) -> Option<Type> {
        if let TypeKind::Named(name) = &written.kind
            && &*name.name == "dir"
        {
            self.report(say::dir_type(written.span));
            return None;
        }
        Some(self.expand(file, written, 0)?.ty)
    }

    /// Like [`Self::ty`], where `dir` may stand.
    pub(super) fn parameter_type(&mut self, file: usize, written: &TypeExpr) -> Option<Type> {
        match &written.kind {
            TypeKind::Named(name) if &*name.name == "dir" => Some(Type::Dir),
            _ => self.ty(file, written),
        }
    }

    /// The type of a declaration.
    pub(super) fn declared_type(&mut self, index: usize, at: Span) -> Option<Type> {
        Some(self.declared(index, at, 0)?.ty)
    }

    fn declared(&mut self, index: usize, at: Span, level: u32) -> Option<Expanded> {
        let decl = self.types.get_mut(index)?;
        let (file, def) = (decl.file, decl.def);
        match &decl.state {
            State::Done(done) => return done.clone(),
            State::Active => {
                let name = def.name();
                self.report(say::recursive_type(&name.name, at, name.span));
                return None;
            }
            State::New => decl.state = State::Active,
        }
        let expanded = self.define(file, def, level).filter(|found| self.bounded(found, def.name().span));
        if let Some(decl) = self.types.get_mut(index) {
            decl.state = State::Done(expanded.clone());
        }
        expanded
    }

    fn bounded(&mut self, found: &Expanded, at: Span) -> bool {
        let fits = found.depth <= MAX_DEPTH && found.weight <= MAX_WEIGHT;
        if !fits {
            self.report(say::huge_type(at));
        }
        fits
    }

    fn define(&mut self, file: usize, def: TypeDef<'_>, level: u32) -> Option<Expanded> {
        let name: Name = Arc::from(&*def.name().name);
        match def {
            TypeDef::Record(def) => {
                let distinct = self.distinct("field", def.fields.iter().map(|field| &field.name));
                let parts: Vec<Option<Expanded>> =
                    def.fields.iter().map(|field| self.expand(file, &field.ty, level + 1)).collect();
                let parts: Vec<Expanded> = parts.into_iter().collect::<Option<_>>().filter(|_| distinct)?;
                let fields =
                    def.fields.iter().zip(&parts).map(|(field, part)| (Arc::from(&*field.name.name), part.ty.clone())).collect();
                Some(Expanded::around(Type::Record(Arc::new(RecordType { name: Some(name), fields })), &parts))
            }
            TypeDef::Enum(def) => {
                let cases = def.cases.iter().map(|case| Arc::from(&*case.name)).collect();
                let ty = Type::Enum(Arc::new(EnumType { name: Some(name), cases }));
                self.distinct("case", &def.cases).then(|| Expanded::leaf(ty))
            }
            TypeDef::Variant(def) => {
                let distinct = self.distinct("case", def.cases.iter().map(|case| &case.name));
                let mut parts = Vec::new();
                let mut cases = Vec::new();
                let mut complete = distinct;
                for case in &def.cases {
                    let part = case.ty.as_ref().map(|ty| self.expand(file, ty, level + 1));
                    complete &= !matches!(part, Some(None));
                    let part = part.flatten();
                    cases.push((Arc::from(&*case.name.name), part.as_ref().map(|part| part.ty.clone())));
                    parts.extend(part);
                }
                let ty = Type::Variant(Arc::new(VariantType { name: Some(name), cases }));
                complete.then(|| Expanded::around(ty, &parts))
            }
        }
    }

    /// Reports names that stand twice or differ only by case.
    pub(super) fn distinct<'i>(&mut self, what: &str, names: impl IntoIterator<Item = &'i Ident>) -> bool {
        let mut seen: std::collections::BTreeMap<String, &Ident> = std::collections::BTreeMap::new();
        let before = self.errors;
        for name in names {
            match seen.get(&name.name.to_lowercase()) {
                None => {
                    seen.insert(name.name.to_lowercase(), name);
                }
                Some(first) if first.name == name.name => {
                    self.report(say::duplicate_member(what, &name.name, name.span, first.span));
                }
                Some(first) => self.report(say::case_only(&name.name, &first.name, name.span, first.span)),
            }
        }
        self.errors == before
    }

    fn expand(&mut self, file: usize, written: &TypeExpr, level: u32) -> Option<Expanded> {
        if level > MAX_DEPTH {
            self.report(say::huge_type(written.span));
            return None;
        }
        let found = match &written.kind {
            TypeKind::Error => return None,
            TypeKind::Flow(..) => {
                self.report(say_generic::compile_time_type("a `flow` type", written.span, None));
                return None;
            }
            TypeKind::Named(name) => self.named(file, name, level)?,
            TypeKind::Member(alias, name) => Expanded::leaf(self.member(file, alias, name)?),
            TypeKind::List(item) => {
                let item = self.expand(file, item, level + 1)?;
                Expanded::around(Type::list(item.ty.clone()), &[item])
            }
            TypeKind::Option(some) => {
                let some = self.expand(file, some, level + 1)?;
                Expanded::around(Type::option(some.ty.clone()), &[some])
            }
            TypeKind::Result(ok, err) => {
                let ok = ok.as_ref().map(|ty| self.expand(file, ty, level + 1));
                let err = err.as_ref().map(|ty| self.expand(file, ty, level + 1));
                let (ok, err) = (transposed(ok)?, transposed(err)?);
                let part = |part: &Option<Expanded>| part.as_ref().map(|part| Arc::new(part.ty.clone()));
                let ty = Type::Result(part(&ok), part(&err));
                Expanded::around(ty, &ok.into_iter().chain(err).collect::<Vec<_>>())
            }
            TypeKind::Tuple(items) => {
                let items: Vec<Option<Expanded>> = items.iter().map(|item| self.expand(file, item, level + 1)).collect();
                let items: Vec<Expanded> = items.into_iter().collect::<Option<_>>()?;
                Expanded::around(Type::Tuple(items.iter().map(|item| item.ty.clone()).collect()), &items)
            }
        };
        if found.depth > MAX_DEPTH || found.weight > MAX_WEIGHT {
            self.report(say::huge_type(written.span));
            return None;
        }
        Some(found)
    }

    fn named(&mut self, file: usize, name: &Ident, level: u32) -> Option<Expanded> {
        if &*name.name == "dir" {
            self.report(say::dir_type(name.span));
            return None;
        }
        if let Some(ty) = builtin(&name.name) {
            return Some(Expanded::leaf(ty));
        }
        match self.lookup(file, &name.name).map(|found| (found.target, found.span)) {
            Some((Target::Type(index), _)) => self.declared(index, name.span, level + 1),
            Some((Target::Broken, _)) => None,
            Some((Target::Interface(_), declared)) => {
                let what = format!("the interface `{}`", name.name);
                self.report(say_generic::compile_time_type(&what, name.span, Some(declared)));
                None
            }
            Some((other, declared)) => {
                self.report(say::not_a_type(&name.name, other.what(), name.span, declared));
                None
            }
            None if matches!(&*name.name, "list" | "option" | "result" | "tuple") => {
                self.report(say::type_without_parameters(&name.name, name.span));
                None
            }
            None => {
                self.unknown_type(file, name);
                None
            }
        }
    }

    fn unknown_type(&mut self, file: usize, name: &Ident) {
        let close = match foreign(&name.name) {
            Some(known) => Some(known.to_owned()),
            None => {
                let declared =
                    self.files.get(file).map(|names| names.all(|target| matches!(target, Target::Type(_)))).unwrap_or_default();
                let candidates = BUILTINS.iter().copied().chain(declared);
                self.suggestions.closest(&name.name, candidates)
            }
        };
        self.report(say::unknown_type(&name.name, close.as_deref(), name.span));
    }

    /// `alias.type`.
    pub(super) fn member(&mut self, file: usize, alias: &Ident, name: &Ident) -> Option<Type> {
        let found = self.lookup(file, &alias.name).map(|found| (found.target, found.span));
        let Some((Target::Use(index), used)) = found else {
            match found {
                Some((Target::Broken, _)) => {}
                Some((other, declared)) => {
                    self.report(say::not_a_type(&alias.name, other.what(), alias.span, declared));
                }
                None => self.unknown_alias(file, alias),
            }
            return None;
        };
        let component = self.uses.get(index)?.component?;
        let types = &component.component.types;
        if let Some(ty) = types.get(&*name.name) {
            return Some(ty.clone());
        }
        if self.refuse_interface_type(file, alias, name) {
            return None;
        }
        let known: Vec<&str> = types.keys().map(|name| &**name).filter(|name| !name.contains('.')).collect();
        let close = self.suggestions.closest(&name.name, &known);
        self.report(say::unknown_component_type(&alias.name, &name.name, close.as_deref(), &known, name.span, used));
        None
    }
}

/// The inner none is an error that was reported.
#[expect(clippy::option_option, reason = "absent, broken and present are three things")]
fn transposed(part: Option<Option<Expanded>>) -> Option<Option<Expanded>> {
    match part {
        None => Some(None),
        Some(part) => part.map(Some),
    }
}

/// Whether each value of `from` is also one of `to`, so that it widens by itself.
pub(super) fn widens(from: &Type, to: &Type) -> bool {
    match (from.integer_range(), to.integer_range()) {
        (Some((low, high)), Some((least, most))) => least <= low && high <= most,
        (Some((low, high)), None) => *to == Type::F64 && low >= i32::MIN.into() && high <= u32::MAX.into(),
        _ => matches!((from, to), (Type::F32, Type::F64)),
    }
}

/// A declared type with its members, anything else as [`Type`] displays it.
pub(super) fn long(ty: &Type) -> String {
    let (name, members) = match ty {
        Type::Record(record) => (record.name.as_ref(), record.fields.iter().map(|(name, ty)| format!("{name}: {ty}")).collect()),
        Type::Enum(ty) => (ty.name.as_ref(), ty.cases.iter().map(ToString::to_string).collect()),
        Type::Flags(ty) => (ty.name.as_ref(), ty.names.iter().map(ToString::to_string).collect()),
        Type::Variant(ty) => {
            let case =
                |(name, ty): &(Name, Option<Type>)| ty.as_ref().map_or_else(|| name.to_string(), |ty| format!("{name}({ty})"));
            (ty.name.as_ref(), ty.cases.iter().map(case).collect())
        }
        Type::List(item) => return format!("list<{}>", long(item)),
        Type::Option(some) => return format!("option<{}>", long(some)),
        _ => return ty.to_string(),
    };
    let members: Vec<String> = members;
    name.map_or_else(|| ty.to_string(), |name| format!("{name} {{ {} }}", members.join(", ")))
}

/// Where two types of one shape differ first, such as "the field `score` is `f32` here, `f64` is expected".
pub(super) fn difference(expected: &Type, found: &Type) -> Option<String> {
    differs(expected, found, "")
}

fn differs(expected: &Type, found: &Type, path: &str) -> Option<String> {
    match (expected, found) {
        (Type::Record(expected), Type::Record(found)) => record_differs(expected, found, path),
        (Type::Variant(expected), Type::Variant(found)) => variant_differs(expected, found, path),
        (Type::Enum(expected), Type::Enum(found)) => names_differ("case", &expected.cases, &found.cases, path),
        (Type::Flags(expected), Type::Flags(found)) => names_differ("flag", &expected.names, &found.names, path),
        (Type::List(expected), Type::List(found)) if expected != found => inner(expected, found, &format!("{path}[]")),
        (Type::Option(expected), Type::Option(found)) if expected != found => inner(expected, found, path),
        _ => None,
    }
}

fn inner(expected: &Type, found: &Type, path: &str) -> Option<String> {
    differs(expected, found, path)
}

fn dotted(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn record_differs(expected: &RecordType, found: &RecordType, path: &str) -> Option<String> {
    for (name, wanted) in &expected.fields {
        let at = dotted(path, name);
        match found.fields.iter().find(|(other, _)| other == name) {
            None => return Some(format!("the field `{at}` (`{wanted}`) is missing")),
            Some((_, ty)) if ty != wanted => {
                return differs(wanted, ty, &at).or_else(|| Some(format!("the field `{at}` is `{ty}`, `{wanted}` is expected")));
            }
            Some(_) => {}
        }
    }
    let extra = found.fields.iter().find(|(name, _)| !expected.fields.iter().any(|(other, _)| other == name));
    extra.map(|(name, _)| format!("the field `{}` is not expected", dotted(path, name)))
}

fn variant_differs(expected: &VariantType, found: &VariantType, path: &str) -> Option<String> {
    let payload = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    for (name, wanted) in &expected.cases {
        let at = dotted(path, name);
        match found.cases.iter().find(|(other, _)| other == name) {
            None => return Some(format!("the case `{at}` is missing")),
            Some((_, ty)) if ty != wanted => {
                return Some(format!("the case `{at}` carries `{}`, `{}` is expected", payload(ty), payload(wanted)));
            }
            Some(_) => {}
        }
    }
    let extra = found.cases.iter().find(|(name, _)| !expected.cases.iter().any(|(other, _)| other == name));
    extra.map(|(name, _)| format!("the case `{}` is not expected", dotted(path, name)))
}

fn names_differ(what: &str, expected: &[Name], found: &[Name], path: &str) -> Option<String> {
    if let Some(missing) = expected.iter().find(|name| !found.contains(name)) {
        return Some(format!("the {what} `{}` is missing", dotted(path, missing)));
    }
    found
        .iter()
        .find(|name| !expected.contains(name))
        .map(|extra| format!("the {what} `{}` is not expected", dotted(path, extra)))
}
