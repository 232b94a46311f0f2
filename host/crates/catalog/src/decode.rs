//! The bytes of a component → what it exports and imports, without compiling it.
//!
//! # Steps
//!
//! 1. [`bytes`] tells a component from everything else that people hand in.
//! 2. [`surface`] validates the bytes (all but function bodies, which the runtime validates when it
//!    compiles) and collects imports and exports.
//! 3. [`types`] turns the validator's types into [`Type`]s, or says why a flow cannot have them.
//! 4. [`wit`] prints the world.
//!
//! The validator's own type information is read instead of `wit_parser`'s, because `wit_parser` panics on some
//! valid components that WIT cannot express (a function imported under an interface's name, for one),
//! and because one such item must not make the rest of a component unusable.

use std::collections::BTreeMap;

use sha2::Digest as _;
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ComponentFuncTypeId, ComponentItem};

use crate::component::{Component, Digest, Function, Refusal, Signature};
use crate::types::{Name, Type};
use surface::Surface;
use types::Converter;

mod bytes;
mod error;
mod surface;
mod types;
mod wit;

pub use error::DecodeError;

/// The largest component that is accepted, in bytes.
pub const MAX_COMPONENT_SIZE: u64 = 256 << 20;

/// Reads a component.
///
/// A function that a flow cannot call is listed with the reason; the others stay callable.
///
/// # Errors
/// [`DecodeError`] when the bytes are not a valid component that exports at least one function.
pub fn decode(bytes: &[u8]) -> Result<Component, DecodeError> {
    let size = bytes.len() as u64;
    if size > MAX_COMPONENT_SIZE {
        return Err(DecodeError::TooLarge { size });
    }
    bytes::check_kind(bytes)?;
    let surface = Surface::read(bytes)?;
    if surface.is_wit_package() {
        return Err(DecodeError::WitPackage);
    }
    let mut converter = Converter::new(&surface);
    let functions = functions(&surface, &mut converter);
    if functions.is_empty() {
        return Err(DecodeError::NoFunctions);
    }
    Ok(Component {
        digest: Digest(sha2::Sha256::digest(bytes).into()),
        size,
        types: declared_types(&surface, &mut converter),
        imports: surface.imports.iter().filter(|(_, item)| created_type(item).is_none()).map(|(name, _)| name.clone()).collect(),
        wit: wit::print(&surface),
        functions,
    })
}

/// A name of WIT as flows write it: `read-file` is `read_file`, `XML-text` is `xml_text`.
#[must_use]
pub fn snake_case(wit_name: &str) -> String {
    wit_name.replace('-', "_").to_ascii_lowercase()
}

fn functions(surface: &Surface, converter: &mut Converter<'_>) -> Vec<Function> {
    let mut found = Vec::new();
    for (name, item) in &surface.exports {
        match item.ty {
            ComponentEntityType::Func(id) => found.push(function(surface, converter, None, name, id)),
            ComponentEntityType::Instance(id) => {
                let Some(instance) = surface.types().get(id) else { continue };
                for (member, item) in &instance.exports {
                    if let ComponentEntityType::Func(id) = item.ty {
                        found.push(function(surface, converter, Some(name), member, id));
                    }
                }
            }
            // Core modules, components and types are no functions.
            _ => {}
        }
    }
    found
}

fn function(
    surface: &Surface,
    converter: &mut Converter<'_>,
    interface: Option<&str>,
    wit_name: &str,
    id: ComponentFuncTypeId,
) -> Function {
    Function {
        interface: interface.map(str::to_owned),
        wit_name: wit_name.to_owned(),
        // Methods look like `[method]pool.get` and keep their dot, so that they hide no function of the same name.
        name: snake_case(wit_name.rsplit(']').next().unwrap_or(wit_name)).into(),
        is_async: surface.types().get(id).is_some_and(|ty| ty.async_),
        docs: surface.docs_of(interface, wit_name),
        signature: signature(surface, converter, wit_name, id),
    }
}

fn signature(
    surface: &Surface,
    converter: &mut Converter<'_>,
    wit_name: &str,
    id: ComponentFuncTypeId,
) -> Result<Signature, Refusal> {
    if let Some((kind, resource)) = member_of_resource(wit_name) {
        return Err(Refusal(format!("it is {kind} of the resource `{resource}`")));
    }
    let Some(ty) = surface.types().get(id) else {
        return Err(Refusal("the component does not state its type".to_owned()));
    };
    let mut params: Vec<(Name, Type)> = Vec::with_capacity(ty.params.len());
    for (name, ty) in &ty.params {
        params.push((snake_case(name.as_str()).into(), converter.value_type(*ty)?));
    }
    let result = match ty.result {
        Some(ty) => converter.value_type(ty)?,
        None => Type::Unit,
    };
    Ok(Signature { params, result })
}

/// `[method]pool.get`, `[static]pool.open` and `[constructor]pool` belong to the resource `pool`.
fn member_of_resource(wit_name: &str) -> Option<(&'static str, &str)> {
    let (kind, rest) = wit_name.strip_prefix('[')?.split_once(']')?;
    let kind = match kind {
        "constructor" => "the constructor",
        "static" => "a static function",
        _ => "a method",
    };
    Some((kind, rest.split('.').next().unwrap_or(rest)))
}

/// The types of all exported interfaces and of the world, as `interface.name`, and as `name` alone
/// where that can only mean one type.
fn declared_types(surface: &Surface, converter: &mut Converter<'_>) -> BTreeMap<Name, Type> {
    let mut by_name: BTreeMap<Name, Option<Type>> = BTreeMap::new();
    let mut qualified = BTreeMap::new();
    for (interface, name, item) in surface.declared_types() {
        let Some(ty) = converter.declared(item) else { continue };
        let name: Name = snake_case(name).into();
        if let Some(interface) = interface {
            qualified.insert(format!("{}.{name}", short_name(interface)).into(), ty.clone());
        }
        by_name.entry(name).and_modify(|known| *known = known.take().filter(|known| *known == ty)).or_insert(Some(ty));
    }
    qualified.extend(by_name.into_iter().filter_map(|(name, ty)| Some((name, ty?))));
    qualified
}

/// `read_api` for `docs:read/read-api@1.0.0`.
fn short_name(interface: &str) -> String {
    let path = interface.split('@').next().unwrap_or(interface);
    snake_case(path.rsplit('/').next().unwrap_or(path))
}

/// The type that an item declares, if it is a defined type.
fn created_type(item: &ComponentItem) -> Option<ComponentAnyTypeId> {
    match item.ty {
        ComponentEntityType::Type { created, .. } => Some(created),
        _ => None,
    }
}
