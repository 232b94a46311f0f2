//! Prints the world of a component as WIT.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncTypeId, ComponentItem, ComponentValType,
};

use super::surface::Surface;

/// Words that WIT reads as its own, so that a name must be marked with `%`.
const KEYWORDS: [&str; 44] = [
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
    "_",
];

/// How many types are written, so that a hostile component cannot make the text grow without end.
const MAX_TYPES: u32 = 200_000;

/// The world, and the exported interfaces by package.
pub(super) fn print(surface: &Surface) -> String {
    let budget = Cell::new(MAX_TYPES);
    let mut world = Printer::new(surface, &budget);
    let mut packages: BTreeMap<String, String> = BTreeMap::new();
    world.text.push_str("package root:component;\n\nworld root {\n");
    for (name, item) in &surface.imports {
        match item.ty {
            ComponentEntityType::Instance(_) => world.line(&format!("import {name};")),
            ComponentEntityType::Func(id) => world.function(&format!("import {}", escaped(name)), id),
            _ => {}
        }
    }
    world.types(surface.imports.iter().chain(&surface.exports).map(|(name, item)| (name.as_str(), item)));
    for (name, item) in &surface.exports {
        match item.ty {
            ComponentEntityType::Func(id) => world.function(&format!("export {}", escaped(name)), id),
            ComponentEntityType::Instance(_) => match name.split_once('/') {
                Some((package, interface)) => {
                    world.line(&format!("export {name};"));
                    let (interface, version) = interface.split_once('@').map_or((interface, ""), |(name, v)| (name, v));
                    let package = if version.is_empty() { package.to_owned() } else { format!("{package}@{version}") };
                    packages.entry(package).or_default().push_str(&interface_text(surface, &budget, interface, item));
                }
                None => {
                    world.line(&format!("export {}: interface {{", escaped(name)));
                    world.interface(item);
                    world.line("}");
                }
            },
            _ => {}
        }
    }
    world.text.push_str("}\n");
    let mut text = world.text;
    for (package, interfaces) in packages {
        let _ = write!(text, "\npackage {package} {{\n{interfaces}}}\n");
    }
    text
}

fn interface_text(surface: &Surface, budget: &Cell<u32>, name: &str, item: &ComponentItem) -> String {
    let mut printer = Printer::new(surface, budget);
    printer.line(&format!("interface {} {{", escaped(name)));
    printer.interface(item);
    printer.line("}");
    printer.text
}

/// Writes one scope: the world, or an interface.
struct Printer<'a> {
    surface: &'a Surface,
    text: String,
    indent: usize,
    /// How many more types may be written.
    budget: &'a Cell<u32>,
    /// The types that this scope declares. Only looked up, never iterated.
    scope: HashMap<ComponentAnyTypeId, &'a str>,
}

impl<'a> Printer<'a> {
    fn new(surface: &'a Surface, budget: &'a Cell<u32>) -> Self {
        Self { surface, text: String::new(), indent: 1, budget, scope: HashMap::new() }
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{:width$}{line}", "", width = self.indent * 2);
    }

    fn interface(&mut self, item: &ComponentItem) {
        let surface = self.surface;
        let outer = std::mem::take(&mut self.scope);
        self.indent += 1;
        self.types(surface.members(item));
        self.methods(item);
        for (name, item) in surface.members(item) {
            if let ComponentEntityType::Func(id) = item.ty
                && !name.starts_with('[')
            {
                self.function(&escaped(name), id);
            }
        }
        self.indent -= 1;
        self.scope = outer;
    }

    /// Declares the types among some items.
    fn types(&mut self, items: impl Iterator<Item = (&'a str, &'a ComponentItem)>) {
        for (name, item) in items {
            let ComponentEntityType::Type { referenced, created } = item.ty else { continue };
            self.declare(&escaped(name), referenced);
            self.scope.insert(created, name);
        }
    }

    fn declare(&mut self, name: &str, id: ComponentAnyTypeId) {
        if let Some(known) = self.in_scope(id) {
            let known = escaped(known);
            self.line(&format!("type {name} = {known};"));
            return;
        }
        let defined = match id {
            ComponentAnyTypeId::Defined(id) => self.surface.types().get(id),
            _ => None,
        };
        match defined {
            Some(ComponentDefinedType::Record(record)) => {
                let fields: Vec<String> =
                    record.fields.iter().map(|(name, ty)| format!("{}: {}", escaped(name.as_str()), self.value(*ty))).collect();
                self.members("record", name, &fields);
            }
            Some(ComponentDefinedType::Variant(variant)) => {
                let cases: Vec<String> = variant
                    .cases
                    .iter()
                    .map(|(name, case)| match case.ty {
                        Some(ty) => format!("{}({})", escaped(name.as_str()), self.value(ty)),
                        None => escaped(name.as_str()),
                    })
                    .collect();
                self.members("variant", name, &cases);
            }
            Some(ComponentDefinedType::Enum(cases)) => {
                let cases: Vec<String> = cases.iter().map(|name| escaped(name.as_str())).collect();
                self.members("enum", name, &cases);
            }
            Some(ComponentDefinedType::Flags(names)) => {
                let names: Vec<String> = names.iter().map(|name| escaped(name.as_str())).collect();
                self.members("flags", name, &names);
            }
            Some(other) => {
                let ty = self.defined(other);
                self.line(&format!("type {name} = {ty};"));
            }
            // Written with its methods, when every type that they may name is declared.
            None => {}
        }
    }

    /// Resources with their methods.
    fn methods(&mut self, item: &ComponentItem) {
        let surface = self.surface;
        for (resource, declared) in surface.members(item) {
            let ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(_), .. } = declared.ty else { continue };
            self.line(&format!("resource {} {{", escaped(resource)));
            self.indent += 1;
            for (name, member) in surface.members(item) {
                let (ComponentEntityType::Func(id), Some((kind, rest))) = (member.ty, name.split_once(']')) else { continue };
                let (owner, method) = rest.split_once('.').unwrap_or((rest, ""));
                if owner != resource {
                    continue;
                }
                match kind {
                    "[constructor" => self.constructor(id),
                    "[static" => self.callable(&escaped(method), "static ", id, 0),
                    _ => self.callable(&escaped(method), "", id, 1),
                }
            }
            self.indent -= 1;
            self.line("}");
        }
    }

    fn constructor(&mut self, id: ComponentFuncTypeId) {
        let params = self.params(id, 0);
        self.line(&format!("constructor({params});"));
    }

    fn members(&mut self, keyword: &str, name: &str, members: &[String]) {
        self.line(&format!("{keyword} {name} {{"));
        for member in members {
            self.line(&format!("  {member},"));
        }
        self.line("}");
    }

    fn function(&mut self, head: &str, id: ComponentFuncTypeId) {
        self.callable(head, "", id, 0);
    }

    /// A function or method; the first `hidden` parameters are not written.
    fn callable(&mut self, head: &str, kind: &str, id: ComponentFuncTypeId, hidden: usize) {
        let Some(ty) = self.surface.types().get(id) else { return };
        let params = self.params(id, hidden);
        let result = ty.result.map_or_else(String::new, |ty| format!(" -> {}", self.value(ty)));
        let is_async = if ty.async_ { "async " } else { "" };
        self.line(&format!("{head}: {kind}{is_async}func({params}){result};"));
    }

    fn params(&self, id: ComponentFuncTypeId, hidden: usize) -> String {
        let Some(ty) = self.surface.types().get(id) else { return String::new() };
        let params = ty.params.iter().skip(hidden);
        params.map(|(name, ty)| format!("{}: {}", escaped(name.as_str()), self.value(*ty))).collect::<Vec<_>>().join(", ")
    }

    /// What a type is called here.
    fn in_scope(&self, id: ComponentAnyTypeId) -> Option<&'a str> {
        self.surface.aliases(id).find_map(|id| self.scope.get(&id).copied())
    }

    fn value(&self, ty: ComponentValType) -> String {
        let Some(left) = self.budget.get().checked_sub(1) else { return "…".to_owned() };
        self.budget.set(left);
        let id = match ty {
            ComponentValType::Primitive(primitive) => return primitive_name(primitive).to_owned(),
            ComponentValType::Type(id) => id,
        };
        if let Some(name) = self.in_scope(id.into()).or_else(|| self.surface.name_of(id.into())) {
            return escaped(name);
        }
        match self.surface.types().get(id) {
            Some(defined) => self.defined(defined),
            None => "…".to_owned(),
        }
    }

    /// The validator bounds the depth of types, and so this recursion.
    fn defined(&self, ty: &ComponentDefinedType) -> String {
        let value = |ty: &ComponentValType| self.value(*ty);
        let resource = |id: ComponentAnyTypeId| {
            self.in_scope(id).or_else(|| self.surface.name_of(id)).map_or_else(|| "resource".to_owned(), escaped)
        };
        match ty {
            ComponentDefinedType::Primitive(primitive) => primitive_name(*primitive).to_owned(),
            ComponentDefinedType::List { element, .. } => format!("list<{}>", value(element)),
            ComponentDefinedType::FixedLengthList { element, length, .. } => format!("list<{}, {length}>", value(element)),
            ComponentDefinedType::Map { key, value: of, .. } => format!("map<{}, {}>", value(key), value(of)),
            ComponentDefinedType::Option { ty, .. } => format!("option<{}>", value(ty)),
            ComponentDefinedType::Tuple(tuple) => {
                format!("tuple<{}>", tuple.types.iter().map(value).collect::<Vec<_>>().join(", "))
            }
            ComponentDefinedType::Result { ok, err, .. } => match (ok, err) {
                (None, None) => "result".to_owned(),
                (Some(ok), None) => format!("result<{}>", value(ok)),
                (None, Some(err)) => format!("result<_, {}>", value(err)),
                (Some(ok), Some(err)) => format!("result<{}, {}>", value(ok), value(err)),
            },
            ComponentDefinedType::Own(id) => resource((*id).into()),
            ComponentDefinedType::Borrow(id) => format!("borrow<{}>", resource((*id).into())),
            ComponentDefinedType::Future { ty, .. } => payload("future", ty.as_ref().map(value)),
            ComponentDefinedType::Stream { ty, .. } => payload("stream", ty.as_ref().map(value)),
            // The validator only lets these stand under a name.
            ComponentDefinedType::Record(_) => "record".to_owned(),
            ComponentDefinedType::Variant(_) => "variant".to_owned(),
            ComponentDefinedType::Enum(_) => "enum".to_owned(),
            ComponentDefinedType::Flags(_) => "flags".to_owned(),
        }
    }
}

fn payload(keyword: &str, ty: Option<String>) -> String {
    ty.map_or_else(|| keyword.to_owned(), |ty| format!("{keyword}<{ty}>"))
}

fn escaped(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("%{name}") } else { name.to_owned() }
}

const fn primitive_name(primitive: PrimitiveValType) -> &'static str {
    match primitive {
        PrimitiveValType::Bool => "bool",
        PrimitiveValType::S8 => "s8",
        PrimitiveValType::S16 => "s16",
        PrimitiveValType::S32 => "s32",
        PrimitiveValType::S64 => "s64",
        PrimitiveValType::U8 => "u8",
        PrimitiveValType::U16 => "u16",
        PrimitiveValType::U32 => "u32",
        PrimitiveValType::U64 => "u64",
        PrimitiveValType::F32 => "f32",
        PrimitiveValType::F64 => "f64",
        PrimitiveValType::Char => "char",
        PrimitiveValType::String => "string",
        PrimitiveValType::ErrorContext => "error-context",
    }
}
