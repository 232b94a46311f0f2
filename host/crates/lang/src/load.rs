//! Root, imports and components through the [`World`]: each file is read and parsed once.

use std::collections::BTreeMap;
use std::sync::Arc;

use grammar::ast::{File, Flow, Import, Item, Text, Use};
use grammar::{Diagnostic, FileId, Ident, Severity, Span};

use crate::diagnostics::files as say;
use crate::sessions;
use crate::sources::Sources;
use crate::triggers;
use crate::world::{LoadedComponent, World};

/// More files than this are a mistake, or an attack.
const MAX_FILES: usize = 4096;

/// Everything that the checker reads.
pub(crate) struct Loaded {
    pub(crate) sources: Sources,
    pub(crate) files: Vec<LoadedFile>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) component_failed: bool,
}

/// A parsed file with what it names.
pub(crate) struct LoadedFile {
    pub(crate) ast: File,
    /// Whether something in it could not be parsed.
    pub(crate) broken: bool,
    /// For each `import` in order: the index of the file, none when it could not be used.
    pub(crate) imports: Vec<Option<usize>>,
    /// For each `on` in order: the flow that it stands for.
    pub(crate) triggers: Vec<Flow>,
    /// For each `hook session` in order: the flow that it stands for.
    pub(crate) sessions: Vec<Flow>,
    /// For each `use` in order: the component, none when it could not be loaded.
    pub(crate) components: Vec<Option<LoadedComponent>>,
    /// Each `test` in order.
    pub(crate) tests: Vec<Test>,
}

/// A `test`.
pub(crate) struct Test {
    pub(crate) name: Text,
    /// Its body, taken out of the tree: it is checked as that of a flow without parameters and result.
    pub(crate) flow: Flow,
}

impl LoadedFile {
    pub(crate) fn import_items(&self) -> impl Iterator<Item = &Import> {
        self.ast.items.iter().filter_map(|item| if let Item::Import(import) = item { Some(import) } else { None })
    }

    pub(crate) fn use_items(&self) -> impl Iterator<Item = &Use> {
        self.ast.items.iter().filter_map(|item| if let Item::Use(item) = item { Some(item) } else { None })
    }
}

/// Reads `root` and everything that it names.
pub(crate) fn load(world: &dyn World, root: &str) -> Loaded {
    let mut loader = Loader { world, ids: BTreeMap::new(), failed: BTreeMap::new(), loaded: Loaded::empty() };
    let text = world.source(root).unwrap_or_else(|reason| {
        loader.loaded.diagnostics.push(say::unreadable_root(root, &reason));
        Arc::from("")
    });
    loader.add(root.to_owned(), text);
    let mut next = 0;
    while next < loader.loaded.files.len() {
        loader.follow(next);
        next += 1;
    }
    let mut loaded = loader.loaded;
    cut_cycles(&mut loaded);
    loaded
}

impl Loaded {
    const fn empty() -> Self {
        Self { sources: Sources::new(), files: Vec::new(), diagnostics: Vec::new(), component_failed: false }
    }
}

struct Loader<'w> {
    world: &'w dyn World,
    ids: BTreeMap<String, usize>,
    /// Why a path gave no text, so that the world is asked once.
    failed: BTreeMap<String, String>,
    loaded: Loaded,
}

impl Loader<'_> {
    fn add(&mut self, path: String, text: Arc<str>) -> Option<usize> {
        let index = self.loaded.files.len();
        let id = FileId(u16::try_from(index).ok()?);
        let parsed = grammar::parse(id, &text);
        let broken = parsed.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        self.loaded.diagnostics.extend(parsed.diagnostics);
        self.loaded.sources.push(path.clone(), text);
        let mut ast = parsed.file;
        let (triggers, tests) = (triggers::flows(&ast), take_tests(&mut ast));
        let file = LoadedFile { ast, broken, imports: Vec::new(), triggers, sessions: Vec::new(), components: Vec::new(), tests };
        self.loaded.files.push(file);
        self.ids.insert(path, index);
        Some(index)
    }

    /// Loads what a file names.
    fn follow(&mut self, index: usize) {
        let Some(file) = self.loaded.files.get(index) else { return };
        let imports: Vec<(String, Span)> =
            file.import_items().map(|import| (import.path.value.to_string(), import.path.span)).collect();
        let uses: Vec<(String, Span)> = file.use_items().map(|item| (item.source.value.to_string(), item.source.span)).collect();
        let id = FileId(u16::try_from(index).unwrap_or(u16::MAX));
        let from = self.loaded.sources.get(id).map(|source| source.path.clone()).unwrap_or_default();
        let imports = imports.into_iter().map(|(path, at)| self.import(&from, &path, at)).collect();
        let components: Vec<_> = uses.into_iter().map(|(reference, at)| self.component(&from, &reference, at)).collect();
        if let Some(file) = self.loaded.files.get_mut(index) {
            file.imports = imports;
            file.sessions = sessions::flows(&file.ast, &components);
            file.components = components;
        }
    }

    fn import(&mut self, from: &str, path: &str, at: Span) -> Option<usize> {
        if path.is_empty() {
            self.loaded.diagnostics.push(say::unreadable_import(path, "the path is empty", at));
            return None;
        }
        let path = join(from, path);
        if let Some(index) = self.ids.get(&path) {
            return Some(*index);
        }
        if self.loaded.files.len() >= MAX_FILES {
            self.loaded.diagnostics.push(say::too_many_files(MAX_FILES, at));
            return None;
        }
        let text = match self.failed.get(&path) {
            Some(reason) => Err(reason.clone()),
            None => self.world.source(&path),
        };
        match text {
            Ok(text) => self.add(path, text),
            Err(reason) => {
                self.loaded.diagnostics.push(say::unreadable_import(&path, &reason, at));
                self.failed.insert(path, reason);
                None
            }
        }
    }

    fn component(&mut self, from: &str, reference: &str, at: Span) -> Option<LoadedComponent> {
        match self.world.component(reference, from) {
            Ok(component) => Some(component),
            Err(problem) => {
                self.loaded.component_failed = true;
                self.loaded.diagnostics.push(say::component(reference, &problem, at));
                None
            }
        }
    }
}

/// The tests of a file, as the flows that their bodies are checked as. All are called `test`, which no other flow can
/// be: it is the first part of the paths of their steps.
fn take_tests(file: &mut File) -> Vec<Test> {
    let tests = file.items.iter_mut().filter_map(|item| if let Item::Test(test) = item { Some(test) } else { None });
    let taken = tests.map(|test| Test {
        name: test.name.clone(),
        flow: Flow {
            docs: Vec::new(),
            name: Ident { name: "test".into(), span: test.name.span },
            params: Vec::new(),
            result: None,
            recursive: None,
            with: None,
            body: std::mem::take(&mut test.body),
            span: test.span,
        },
    });
    taken.collect()
}

/// `path` relative to the folder of `from`, without `.` and `..` where possible.
fn join(from: &str, path: &str) -> String {
    let folder = if path.starts_with('/') { "" } else { from.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let absolute = path.starts_with('/') || folder.starts_with('/') || (folder.is_empty() && from.starts_with('/'));
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match (part, parts.last()) {
            ("" | ".", _) => {}
            ("..", Some(last)) if *last != ".." => {
                parts.pop();
            }
            ("..", None) if absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

/// Reports each import that closes a cycle and takes it out.
fn cut_cycles(loaded: &mut Loaded) {
    let mut state = vec![Visit::New; loaded.files.len()];
    // Files that are being visited, each with the number of its next import.
    let mut stack: Vec<(usize, usize)> = vec![(0, 0)];
    while let Some((file, import)) = stack.last_mut() {
        let (current, number) = (*file, *import);
        *import += 1;
        set(&mut state, current, Visit::Open);
        let Some(target) = loaded.files.get(current).and_then(|file| file.imports.get(number)).copied() else {
            set(&mut state, current, Visit::Done);
            stack.pop();
            continue;
        };
        let Some(target) = target else { continue };
        match state.get(target).copied() {
            Some(Visit::New) => stack.push((target, 0)),
            Some(Visit::Open) => {
                let from = stack.iter().position(|(file, _)| *file == target).unwrap_or(0);
                let files: Vec<usize> = stack.iter().skip(from).map(|(file, _)| *file).chain([target]).collect();
                report_cycle(loaded, current, number, &files);
            }
            _ => {}
        }
    }
}

#[derive(Clone, Copy)]
enum Visit {
    New,
    Open,
    Done,
}

fn set(state: &mut [Visit], index: usize, visit: Visit) {
    if let Some(slot) = state.get_mut(index) {
        *slot = visit;
    }
}

fn report_cycle(loaded: &mut Loaded, file: usize, number: usize, cycle: &[usize]) {
    let paths: Vec<&str> = cycle
        .iter()
        .filter_map(|index| loaded.sources.get(FileId(u16::try_from(*index).ok()?)))
        .map(|source| source.path.as_str())
        .collect();
    let Some(at) = loaded.files.get(file).and_then(|file| file.import_items().nth(number)).map(|import| import.path.span) else {
        return;
    };
    let diagnostic = say::import_cycle(&paths, at);
    loaded.diagnostics.push(diagnostic);
    if let Some(slot) = loaded.files.get_mut(file).and_then(|file| file.imports.get_mut(number)) {
        *slot = None;
    }
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn joins_relative_to_the_importing_file() {
        for (from, path, expected) in [
            ("main.flow", "lib.flow", "lib.flow"),
            ("a/main.flow", "lib.flow", "a/lib.flow"),
            ("a/b/main.flow", "../lib.flow", "a/lib.flow"),
            ("a/main.flow", "./x/../lib.flow", "a/lib.flow"),
            ("main.flow", "../lib.flow", "../lib.flow"),
            ("../x/main.flow", "../../lib.flow", "../../lib.flow"),
            ("/a/main.flow", "../../lib.flow", "/lib.flow"),
            ("/main.flow", "lib.flow", "/lib.flow"),
            ("a/main.flow", "/lib.flow", "/lib.flow"),
        ] {
            assert_eq!(join(from, path), expected, "{path} from {from}");
        }
    }
}
