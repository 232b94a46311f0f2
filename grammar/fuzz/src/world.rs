//! What a fuzzed text may name: a second text, a library, and components.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use catalog::Component;
use lang::{ComponentProblem, LoadedComponent, World};

/// References, which are those of the seeds, and what they mean. A test of `testkit` makes the components from WIT.
const COMPONENTS: [(&str, &[u8]); 10] = [
    ("text.wasm", include_bytes!("../world/text.wasm")),
    ("two.wasm", include_bytes!("../world/two.wasm")),
    ("tools.wasm", include_bytes!("../world/tools.wasm")),
    ("shop.wasm", include_bytes!("../world/shop.wasm")),
    ("../plugins/dist/documents.wasm", include_bytes!("../world/plugins/documents.wasm")),
    ("../plugins/dist/text.wasm", include_bytes!("../world/plugins/text.wasm")),
    ("../plugins/dist/keywords.wasm", include_bytes!("../world/plugins/keywords.wasm")),
    ("../plugins/dist/summary.wasm", include_bytes!("../world/plugins/summary.wasm")),
    ("../plugins/dist/critic.wasm", include_bytes!("../world/plugins/critic.wasm")),
    ("../plugins/dist/report.wasm", include_bytes!("../world/plugins/report.wasm")),
];

/// A file that can be imported.
const LIBRARY: &str = include_str!("../../../host/crates/lang/tests/cases/valid_caps/lib.flow");

static LOADED: LazyLock<BTreeMap<&str, Arc<Component>>> = LazyLock::new(|| {
    let decoded = |bytes: &[u8]| Arc::new(catalog::decode(bytes).expect("a component that was made from WIT"));
    COMPONENTS.iter().map(|(reference, bytes)| (*reference, decoded(bytes))).collect()
});

/// The world of one input, which may hold two files.
pub(crate) struct Texts<'a> {
    main: &'a str,
    other: Option<&'a str>,
}

impl<'a> Texts<'a> {
    /// The path of the file that is compiled.
    pub(crate) const ROOT: &'static str = "main.flow";

    /// The line that begins the second file.
    const CUT: &'static str = "\n// other.flow\n";

    pub(crate) fn new(text: &'a str) -> Self {
        match text.split_once(Self::CUT) {
            Some((main, other)) => Self { main, other: Some(other) },
            None => Self { main: text, other: None },
        }
    }
}

impl World for Texts<'_> {
    fn source(&self, path: &str) -> Result<Arc<str>, String> {
        match path {
            Self::ROOT => Ok(self.main.into()),
            "lib.flow" => Ok(LIBRARY.into()),
            "other.flow" => self.other.map(Arc::from).ok_or_else(|| "it is not UTF-8 (byte 17)".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }

    fn component(&self, reference: &str, _from: &str) -> Result<LoadedComponent, ComponentProblem> {
        let component = LOADED.get(reference).cloned();
        let problem = || ComponentProblem { message: "no such file".to_owned(), help: None };
        Ok(LoadedComponent { source: reference.to_owned(), component: component.ok_or_else(problem)? })
    }
}
