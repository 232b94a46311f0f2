//! What each file declares, and what its imports mean.

use std::collections::BTreeMap;

use grammar::ast::{self, Item};
use grammar::{Ident, Span};

use super::interfaces::InterfaceDecl;
use super::roles::RoleDecl;
use super::signatures::{FlowDecl, UseDecl};
use super::types::{TypeDecl, TypeDef, builtin};
use super::{Checker, ImportDecl, library};
use crate::diagnostics::names as say;
use crate::load::{LoadedFile, Test};
use crate::sessions::is_of_session;

/// The names of a file.
#[derive(Default)]
pub(super) struct FileNames {
    names: BTreeMap<Box<str>, Declared>,
    /// Lower-case forms, each with the name as it was declared.
    folded: BTreeMap<String, Box<str>>,
}

/// A name of a file.
#[derive(Clone, Copy)]
pub(super) struct Declared {
    pub(super) span: Span,
    pub(super) target: Target,
    /// The `import` that brought it in.
    pub(super) import: Option<usize>,
    used: bool,
}

/// What a name of a file stands for; indices into the tables of the [`Checker`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Type(usize),
    Class,
    Interface(usize),
    Flow(usize),
    Use(usize),
    Role(usize),
    /// An import that could not be resolved; already reported.
    Broken,
}

impl Target {
    /// As messages call it.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Type(_) => "a type",
            Self::Class => "a class",
            Self::Interface(_) => "an interface",
            Self::Flow(_) => "a flow",
            Self::Use(_) => "a component",
            Self::Role(_) => "a role",
            Self::Broken => "an import",
        }
    }
}

impl FileNames {
    pub(super) fn get(&self, name: &str) -> Option<Declared> {
        self.names.get(name).copied()
    }

    /// The name, and from now on it counts as used.
    pub(super) fn used(&mut self, name: &str) -> Option<Declared> {
        let declared = self.names.get_mut(name)?;
        declared.used = true;
        Some(*declared)
    }

    /// The names whose target fits, sorted.
    pub(super) fn all(&self, fits: impl Fn(Target) -> bool) -> Vec<&str> {
        self.names.iter().filter(|(_, declared)| fits(declared.target)).map(|(name, _)| &**name).collect()
    }

    fn unused(&self) -> Vec<(&str, Declared)> {
        self.names.iter().filter(|(_, declared)| !declared.used).map(|(name, declared)| (&**name, *declared)).collect()
    }
}

impl<'a> Checker<'a> {
    /// Collects the names of all files, then links imports.
    pub(super) fn collect_names(&mut self) {
        let loaded = self.loaded;
        for (index, file) in loaded.files.iter().enumerate() {
            self.collect_file(index, file);
        }
        for (index, file) in loaded.files.iter().enumerate() {
            for (item, target) in file.import_items().zip(&file.imports) {
                let import = self.imports.len();
                self.imports.push(ImportDecl { file: index, ast: item, cap: None });
                self.link(index, import, *target);
            }
        }
    }

    fn collect_file(&mut self, index: usize, file: &'a LoadedFile) {
        let mut components = file.components.iter();
        let mut triggers = file.triggers.iter();
        let mut sessions = file.sessions.iter();
        for item in &file.ast.items {
            match item {
                Item::Hook(hook) if is_of_session(hook) => {
                    self.flows.extend(sessions.next().map(|flow| FlowDecl::of_session(index, flow, hook)));
                }
                Item::Import(_) | Item::Hook(_) => {}
                Item::Use(item) => {
                    let component = components.next().and_then(Option::as_ref);
                    self.uses.push(UseDecl::new(index, item, component));
                    self.declare(index, &item.alias, Target::Use(self.uses.len() - 1), None);
                }
                Item::Record(def) => self.declare_type(index, &def.name, TypeDef::Record(def)),
                Item::Enum(def) => self.declare_type(index, &def.name, TypeDef::Enum(def)),
                Item::Variant(def) => self.declare_type(index, &def.name, TypeDef::Variant(def)),
                Item::Class(def) => self.declare(index, &def.name, Target::Class, None),
                Item::Interface(def) => {
                    self.interfaces.push(InterfaceDecl::new(index, def));
                    self.declare(index, &def.name, Target::Interface(self.interfaces.len() - 1), None);
                }
                // Its body is among the file's tests.
                Item::Test(_) => {}
                // It has no name by which others could call it.
                Item::Trigger(item) => {
                    self.flows.extend(triggers.next().map(|flow| FlowDecl::of_trigger(index, flow, item)));
                }
                Item::Role(def) => {
                    self.roles.push(RoleDecl::new(index, def));
                    self.declare(index, &def.name, Target::Role(self.roles.len() - 1), None);
                }
                Item::Flow(flow) => {
                    self.flows.push(FlowDecl::new(index, flow));
                    self.declare(index, &flow.name, Target::Flow(self.flows.len() - 1), None);
                }
            }
        }
        self.collect_tests(index, &file.tests);
    }

    /// The tests of a file: no names of it, but no two may be called the same.
    fn collect_tests(&mut self, index: usize, tests: &'a [Test]) {
        let mut first: BTreeMap<&str, Span> = BTreeMap::new();
        for test in tests {
            if let Some(first) = first.insert(&test.name.value, test.name.span) {
                self.report(crate::diagnostics::trials::duplicate(&test.name.value, test.name.span, first));
            }
            self.flows.push(FlowDecl::test(index, &test.flow));
        }
    }

    fn declare_type(&mut self, file: usize, name: &Ident, def: TypeDef<'a>) {
        self.types.push(TypeDecl::new(file, def));
        self.declare(file, name, Target::Type(self.types.len() - 1), None);
    }

    fn declare(&mut self, file: usize, name: &Ident, target: Target, import: Option<usize>) {
        let reserved = match target {
            Target::Type(_) | Target::Interface(_) if builtin(&name.name).is_some() || is_generic(&name.name) => {
                Some("a built-in type")
            }
            Target::Flow(_) if library::is_reserved(&name.name) => Some("a function of the library"),
            _ => None,
        };
        if let Some(what) = reserved {
            return self.report(say::reserved(&name.name, what, name.span));
        }
        let Some(names) = self.files.get_mut(file) else { return };
        let folded = name.name.to_lowercase();
        if let Some(first) = names.folded.get(&folded) {
            let first_span = names.names.get(first).map_or(name.span, |declared| declared.span);
            let diagnostic = if *first == name.name {
                say::duplicate(&name.name, name.span, first_span)
            } else {
                say::case_only(&name.name, first, name.span, first_span)
            };
            return self.report(diagnostic);
        }
        names.folded.insert(folded, name.name.clone());
        names.names.insert(name.name.clone(), Declared { span: name.span, target, import, used: false });
    }

    fn link(&mut self, file: usize, import: usize, target: Option<usize>) {
        let Some(item) = self.imports.get(import).map(|import| import.ast) else { return };
        for name in &item.names {
            let here = name.alias.as_ref().unwrap_or(&name.name);
            let found = match target {
                None => Target::Broken,
                Some(from) => self.imported(from, &name.name, &item.path.value),
            };
            self.declare(file, here, found, Some(import));
        }
    }

    /// What another file declares under a name.
    fn imported(&mut self, from: usize, name: &Ident, path: &str) -> Target {
        let Some(names) = self.files.get(from) else { return Target::Broken };
        match names.get(&name.name) {
            Some(Declared { target: Target::Use(_), span, .. }) => {
                self.report(say::imported_use(&name.name, name.span, span));
                Target::Broken
            }
            Some(declared) if declared.import.is_none() => declared.target,
            _ if self.is_broken(from) => Target::Broken,
            _ if let Some(origin) = self.imports_it(from, &name.name) => {
                self.report(say::imported_import(&name.name, path, origin, name.span));
                Target::Broken
            }
            _ => {
                let known: Vec<&str> = self.exported(from);
                let close = self.suggestions.closest(&name.name, &known);
                let diagnostic = say::unknown_import(&name.name, path, close.as_deref(), &known, name.span);
                self.report(diagnostic);
                Target::Broken
            }
        }
    }

    /// The path from which a file imports a name.
    fn imports_it(&self, file: usize, name: &str) -> Option<&'a str> {
        let here = |import: &&ast::Import| {
            import.names.iter().any(|written| *written.alias.as_ref().unwrap_or(&written.name).name == *name)
        };
        self.file(file)?.import_items().find(here).map(|import| &*import.path.value)
    }

    fn exported(&self, file: usize) -> Vec<&'a str> {
        let Some(file) = self.file(file) else { return Vec::new() };
        file.ast
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Record(def) => Some(&*def.name.name),
                Item::Enum(def) => Some(&*def.name.name),
                Item::Variant(def) => Some(&*def.name.name),
                Item::Class(def) => Some(&*def.name.name),
                Item::Interface(def) => Some(&*def.name.name),
                Item::Flow(def) => Some(&*def.name.name),
                Item::Role(def) => Some(&*def.name.name),
                _ => None,
            })
            .collect()
    }

    /// Resolves a name of a file and marks it as used.
    pub(super) fn lookup(&mut self, file: usize, name: &str) -> Option<Declared> {
        self.files.get_mut(file)?.used(name)
    }

    /// Warns of components and imports that nothing uses, in files without errors.
    pub(super) fn unused_names(&mut self) {
        if self.errors > 0 {
            return;
        }
        let mut found = Vec::new();
        for (index, names) in self.files.iter().enumerate().filter(|(index, _)| !self.is_broken(*index)) {
            for (name, declared) in names.unused() {
                match declared.target {
                    Target::Use(item)
                        if self.uses.get(item).is_some_and(|item| item.file == index && item.component.is_some()) =>
                    {
                        found.push(say::unused_use(name, declared.span));
                    }
                    // A class that is imported is known to the program without being named.
                    Target::Type(_) | Target::Interface(_) | Target::Flow(_) | Target::Role(_) if declared.import.is_some() => {
                        found.push(say::unused_import(name, declared.span));
                    }
                    _ => {}
                }
            }
        }
        self.diagnostics.extend(found);
    }
}

/// Types that are built in and hold others.
fn is_generic(name: &str) -> bool {
    matches!(name, "list" | "option" | "result" | "tuple")
}
