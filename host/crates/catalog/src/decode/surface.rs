//! Imports and exports of a component, as the validator sees them.

use std::collections::HashMap;

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ComponentItem};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{Encoding, Parser, Payload, ValidPayload, Validator, WasmFeatures};

use super::{DecodeError, created_type};

/// What the outside of a component consists of, in its own order.
pub(super) struct Surface {
    /// Names with what is imported.
    pub(super) imports: Vec<(String, ComponentItem)>,
    /// Names with what is exported.
    pub(super) exports: Vec<(String, ComponentItem)>,
    /// What declared types are called. Only looked up, never iterated.
    names: HashMap<ComponentAnyTypeId, String>,
    docs: Option<serde_json::Value>,
    types: Types,
}

impl Surface {
    /// Validates a component but for its function bodies.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let (mut imports, mut exports, mut docs, mut types) = (Vec::new(), Vec::new(), None, None);
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let ValidPayload::End(ended) = validator.payload(&payload)? {
                types = Some(ended);
            }
            match payload {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if depth == 1 && encoding != Encoding::Component {
                        return Err(DecodeError::CoreModule);
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::CustomSection(section) if depth == 1 && section.name() == "package-docs" => {
                    docs = parse_docs(section.data());
                }
                _ => {}
            }
        }
        // The last `End` is that of the outermost component.
        let types = types.ok_or(DecodeError::Truncated { offset: bytes.len() as u64 })?;
        let (imports, exports) = {
            let found = types.as_ref();
            (
                imports.into_iter().filter_map(|name| item(name, |name| found.component_item_for_import(name))).collect(),
                exports.into_iter().filter_map(|name| item(name, |name| found.component_item_for_export(name))).collect(),
            )
        };
        let mut surface = Self { imports, exports, names: HashMap::new(), docs, types };
        surface.names = surface.type_names();
        Ok(surface)
    }

    /// The validator's types.
    pub(super) fn types(&self) -> TypesRef<'_> {
        self.types.as_ref()
    }

    /// A WIT package in binary form exports component types and nothing else.
    pub(super) fn is_wit_package(&self) -> bool {
        let is_world = |item: &ComponentItem| matches!(created_type(item), Some(ComponentAnyTypeId::Component(_)));
        self.imports.is_empty() && !self.exports.is_empty() && self.exports.iter().all(|(_, item)| is_world(item))
    }

    /// What a type was declared as, through its aliases.
    pub(super) fn name_of(&self, id: ComponentAnyTypeId) -> Option<&str> {
        self.aliases(id).find_map(|id| self.names.get(&id).map(String::as_str))
    }

    /// A type and what it is an alias of, in turn. Nobody needs long chains.
    pub(super) fn aliases(&self, id: ComponentAnyTypeId) -> impl Iterator<Item = ComponentAnyTypeId> {
        std::iter::successors(Some(id), |id| self.types().peel_alias(*id)).take(100)
    }

    /// Types that the world declares, or one of its exported interfaces: interface, name, item.
    pub(super) fn declared_types(&self) -> impl Iterator<Item = (Option<&str>, &str, &ComponentItem)> {
        let of_world = self.imports.iter().chain(&self.exports).map(|(name, item)| (None, name.as_str(), item));
        let of_interfaces = self
            .exports
            .iter()
            .flat_map(|(interface, item)| self.members(item).map(move |(name, item)| (Some(interface.as_str()), name, item)));
        of_world.chain(of_interfaces).filter(|(_, _, item)| created_type(item).is_some())
    }

    /// What an exported or imported instance consists of.
    pub(super) fn members<'a>(&'a self, item: &ComponentItem) -> impl Iterator<Item = (&'a str, &'a ComponentItem)> + use<'a> {
        let instance = match item.ty {
            ComponentEntityType::Instance(id) => self.types().get(id),
            _ => None,
        };
        instance.into_iter().flat_map(|instance| instance.exports.iter().map(|(name, item)| (name.as_str(), item)))
    }

    /// The first documentation line of a function.
    pub(super) fn docs_of(&self, interface: Option<&str>, function: &str) -> Option<String> {
        let docs = self.docs.as_ref()?;
        let in_world = |world: &serde_json::Value| {
            let function = match interface {
                None => world.get("func_exports")?.get(function)?,
                Some(interface) => world.get("interface_exports")?.get(interface)?.get("funcs")?.get(function)?,
            };
            function.get("docs")?.as_str().map(str::to_owned)
        };
        let text = docs.get("worlds")?.as_object()?.values().find_map(in_world)?;
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }

    fn type_names(&self) -> HashMap<ComponentAnyTypeId, String> {
        let mut names = HashMap::new();
        for (name, item) in self.imports.iter().chain(&self.exports) {
            if let Some(id) = created_type(item) {
                names.insert(id, name.clone());
            }
            for (name, item) in self.members(item) {
                if let Some(id) = created_type(item) {
                    names.insert(id, name.to_owned());
                }
            }
        }
        names
    }
}

fn item<'a>(name: String, find: impl Fn(&str) -> Option<&'a ComponentItem>) -> Option<(String, ComponentItem)> {
    let item = find(&name)?.clone();
    Some((name, item))
}

/// The custom section in which tools keep documentation: a version byte, then JSON. Damaged documentation is no
/// reason to refuse a component.
fn parse_docs(data: &[u8]) -> Option<serde_json::Value> {
    let (version, json) = data.split_first()?;
    if *version > 1 {
        return None;
    }
    serde_json::from_slice(json).ok()
}
