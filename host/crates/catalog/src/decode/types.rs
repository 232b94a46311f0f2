//! The validator's types → [`Type`]s.

use std::collections::HashMap;
use std::sync::Arc;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentItem, ComponentValType,
};

use super::surface::Surface;
use super::{created_type, snake_case};
use crate::component::Refusal;
use crate::types::{EnumType, FlagsType, Name, RecordType, Type, VariantType};

/// How deep types may nest.
const MAX_DEPTH: u32 = 40;
/// How many parts a type may have when nothing is shared. Whoever prints or compares a type walks over all of them.
const MAX_PARTS: u64 = 10_000;

/// Converts types, each once.
pub(super) struct Converter<'a> {
    surface: &'a Surface,
    /// Only looked up, never iterated.
    known: HashMap<ComponentDefinedTypeId, Result<Measured, Refusal>>,
}

/// A type with its extent.
#[derive(Clone)]
struct Measured {
    ty: Type,
    depth: u32,
    parts: u64,
}

impl<'a> Converter<'a> {
    pub(super) fn new(surface: &'a Surface) -> Self {
        Self { surface, known: HashMap::new() }
    }

    /// The type of a parameter or result.
    pub(super) fn value_type(&mut self, ty: ComponentValType) -> Result<Type, Refusal> {
        Ok(self.measured(ty)?.ty)
    }

    /// The type that an item declares; none when flows cannot have it.
    pub(super) fn declared(&mut self, item: &ComponentItem) -> Option<Type> {
        match created_type(item)? {
            ComponentAnyTypeId::Defined(id) => self.value_type(ComponentValType::Type(id)).ok(),
            _ => None,
        }
    }

    fn measured(&mut self, ty: ComponentValType) -> Result<Measured, Refusal> {
        let id = match ty {
            ComponentValType::Primitive(primitive) => {
                return Ok(Measured { ty: primitive_type(primitive)?, depth: 1, parts: 1 });
            }
            ComponentValType::Type(id) => id,
        };
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        // The validator bounds the depth of types (to 100), and so this recursion.
        let converted = self.defined(id);
        self.known.insert(id, converted.clone());
        converted
    }

    fn defined(&mut self, id: ComponentDefinedTypeId) -> Result<Measured, Refusal> {
        let surface = self.surface;
        let Some(defined) = surface.types().get(id) else {
            return Err(Refusal("the component does not state its type".to_owned()));
        };
        let name: Option<Name> = surface.name_of(id.into()).map(|name| snake_case(name).into());
        let mut extent = Extent { depth: 0, parts: 1 };
        let ty = match defined {
            ComponentDefinedType::Primitive(primitive) => primitive_type(*primitive)?,
            ComponentDefinedType::Record(record) => {
                let mut fields = Vec::with_capacity(record.fields.len());
                for (name, ty) in &record.fields {
                    fields.push((snake_case(name.as_str()).into(), self.inner(*ty, &mut extent)?));
                }
                Type::Record(Arc::new(RecordType { name, fields }))
            }
            ComponentDefinedType::Variant(variant) => {
                let mut cases = Vec::with_capacity(variant.cases.len());
                for (name, case) in &variant.cases {
                    let payload = case.ty.map(|ty| self.inner(ty, &mut extent)).transpose()?;
                    cases.push((snake_case(name.as_str()).into(), payload));
                }
                Type::Variant(Arc::new(VariantType { name, cases }))
            }
            ComponentDefinedType::Enum(cases) => {
                Type::Enum(Arc::new(EnumType { name, cases: names(cases.iter().map(|name| name.as_str()), &mut extent) }))
            }
            ComponentDefinedType::Flags(flags) => {
                Type::Flags(Arc::new(FlagsType { name, names: names(flags.iter().map(|name| name.as_str()), &mut extent) }))
            }
            ComponentDefinedType::List { element, .. } => Type::list(self.inner(*element, &mut extent)?),
            ComponentDefinedType::Option { ty, .. } => Type::option(self.inner(*ty, &mut extent)?),
            ComponentDefinedType::Result { ok, err, .. } => {
                let ok = ok.map(|ty| self.inner(ty, &mut extent)).transpose()?;
                let err = err.map(|ty| self.inner(ty, &mut extent)).transpose()?;
                Type::Result(ok.map(Arc::new), err.map(Arc::new))
            }
            ComponentDefinedType::Tuple(tuple) => {
                let types: Result<Arc<[Type]>, Refusal> = tuple.types.iter().map(|ty| self.inner(*ty, &mut extent)).collect();
                Type::Tuple(types?)
            }
            other => return Err(self.refusal(other)),
        };
        extent.checked(ty)
    }

    /// A type inside another one.
    fn inner(&mut self, ty: ComponentValType, outer: &mut Extent) -> Result<Type, Refusal> {
        let inner = self.measured(ty)?;
        outer.depth = outer.depth.max(inner.depth);
        outer.parts = outer.parts.saturating_add(inner.parts);
        Ok(inner.ty)
    }

    fn refusal(&self, ty: &ComponentDefinedType) -> Refusal {
        Refusal(match ty {
            ComponentDefinedType::Own(id) | ComponentDefinedType::Borrow(id) => match self.surface.name_of((*id).into()) {
                Some(name) => format!("it uses the resource `{name}`"),
                None => "it uses a resource".to_owned(),
            },
            ComponentDefinedType::Stream { .. } => "it uses a stream".to_owned(),
            ComponentDefinedType::Future { .. } => "it uses a future".to_owned(),
            ComponentDefinedType::Map { .. } => "it uses a map".to_owned(),
            ComponentDefinedType::FixedLengthList { .. } => "it uses a list of fixed length".to_owned(),
            _ => "it uses a type that flows do not have".to_owned(),
        })
    }
}

struct Extent {
    depth: u32,
    parts: u64,
}

impl Extent {
    fn checked(&self, ty: Type) -> Result<Measured, Refusal> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(Refusal(format!("its types nest more than {MAX_DEPTH} deep")));
        }
        if self.parts > MAX_PARTS {
            return Err(Refusal(format!("its types have more than {MAX_PARTS} parts")));
        }
        Ok(Measured { ty, depth, parts: self.parts })
    }
}

/// Case or flag names.
fn names<'a>(names: impl Iterator<Item = &'a str>, extent: &mut Extent) -> Vec<Name> {
    let names: Vec<Name> = names.map(|name| snake_case(name).into()).collect();
    extent.parts = extent.parts.saturating_add(names.len() as u64);
    names
}

fn primitive_type(primitive: PrimitiveValType) -> Result<Type, Refusal> {
    Ok(match primitive {
        PrimitiveValType::Bool => Type::Bool,
        PrimitiveValType::S8 => Type::S8,
        PrimitiveValType::S16 => Type::S16,
        PrimitiveValType::S32 => Type::S32,
        PrimitiveValType::S64 => Type::S64,
        PrimitiveValType::U8 => Type::U8,
        PrimitiveValType::U16 => Type::U16,
        PrimitiveValType::U32 => Type::U32,
        PrimitiveValType::U64 => Type::U64,
        PrimitiveValType::F32 => Type::F32,
        PrimitiveValType::F64 => Type::F64,
        PrimitiveValType::Char => Type::Char,
        PrimitiveValType::String => Type::String,
        PrimitiveValType::ErrorContext => return Err(Refusal("it uses an error context".to_owned())),
    })
}
