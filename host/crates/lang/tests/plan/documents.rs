//! Runs the case folders of `tests/documents`: `main.flow`, and `document.md` with its documentation. A case whose name
//! begins with `graph` has graphs in it.

use std::path::Path;
use std::sync::Arc;

use lang::{ComponentProblem, DocumentOptions, LoadedComponent, World, document};
use testkit::cases::{Comparison, entries};

use crate::world::OneFile;

/// The shared component, which here imports something.
struct Importing(OneFile);

impl World for Importing {
    fn source(&self, path: &str) -> Result<Arc<str>, String> {
        self.0.source(path)
    }

    fn component(&self, reference: &str, from: &str) -> Result<LoadedComponent, ComponentProblem> {
        let loaded = self.0.component(reference, from)?;
        let mut component = (*loaded.component).clone();
        component.imports = vec!["wasi:filesystem/types@0.2.6".into(), "wasi:http/outgoing-handler@0.2.6".into()];
        Ok(LoadedComponent { component: Arc::new(component), ..loaded })
    }
}

fn documented(text: &str, options: DocumentOptions<'_>) -> Result<String, Vec<&'static str>> {
    let world = Importing(OneFile { text: Arc::from(text) });
    document(&world, "main.flow", options).map_err(|found| found.diagnostics.iter().map(|found| found.code).collect())
}

#[test]
fn every_case_has_its_document() {
    let mut comparison = Comparison::default();
    let folders = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents"));
    assert!(folders.len() >= 3);
    for folder in folders {
        let graph = folder.file_name().unwrap().to_string_lossy().starts_with("graph");
        let text = std::fs::read_to_string(folder.join("main.flow")).unwrap();
        let document = documented(&text, DocumentOptions { flow: None, graph }).unwrap();
        comparison.compare(&folder.join("document.md"), &document);
        assert_eq!(entries(&folder), ["document.md", "main.flow"].map(|name| folder.join(name)));
    }
    comparison.finish();
}

#[test]
fn one_flow_can_be_asked_for() {
    let text = "flow a() -> s64 { 1 }\nflow b() -> s64 { a() }\nrecord r { x: s64 }\n";
    let only = documented(text, DocumentOptions { flow: Some("b"), graph: false }).unwrap();
    assert!(only.contains("### b") && !only.contains("### a") && !only.contains("record"), "{only}");
    let missing = documented(text, DocumentOptions { flow: Some("c"), graph: false }).unwrap_err();
    assert_eq!(missing.len(), 1);
    assert!(!documented("flow a() -> s64 { x }", DocumentOptions::default()).unwrap_err().is_empty());
}
