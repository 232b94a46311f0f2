//! Components made from WIT text: they have its types, and their functions trap. Calls of components.

use std::sync::Arc;

use catalog::Value;
use engine::ports::{Callee, Invocation, Limits};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// The bytes of a component with the world of a WIT text, which holds one package with one world.
///
/// # Errors
/// What is wrong with the text.
pub fn component_from_wit(wit: &str) -> Result<Vec<u8>, String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("component.wit", wit).map_err(chain)?;
    let world = resolve.select_world(&[package], None).map_err(chain)?;
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(chain)?;
    let encoder = ComponentEncoder::default().module(&module).map_err(chain)?;
    encoder.validate(true).encode().map_err(chain)
}

/// The second attempt of a step that calls a function of a component, with nothing granted and the usual limits. None: the
/// component cannot be read, or has no such function.
#[must_use]
pub fn invocation(bytes: &[u8], function: &str, args: Vec<Value>) -> Option<Invocation> {
    let component = catalog::decode(bytes).ok()?;
    let found = component.functions.iter().find(|found| found.wit_name == function)?;
    let signature = found.signature.clone().ok()?;
    let callee = Callee {
        component: component.digest,
        interface: found.interface.clone(),
        wit_name: function.to_owned(),
        params: signature.params,
        result: signature.result,
    };
    Some(Invocation {
        function: Arc::new(callee),
        args,
        grants: Vec::new(),
        limits: Limits::default(),
        idempotency_key: "r/main/step".into(),
        number: 2,
        previous_failure: None,
        asking: None,
    })
}

fn chain(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::component_from_wit;

    /// The components of `grammar/fuzz/world` and what they are made from. The fuzzers read them as files, so that they need not
    /// be built with all that makes components.
    const FUZZED: [(&str, &str); 10] = [
        ("text", "host/crates/lang/tests/cases/valid_forms/text.wit"),
        ("two", "host/crates/lang/tests/cases/ambiguous_function/two.wit"),
        ("tools", "grammar/fuzz/world/tools.wit"),
        ("shop", "host/crates/catalog/tests/cases/types.wit"),
        ("plugins/documents", "wit/documents/documents.wit"),
        ("plugins/text", "wit/text/text.wit"),
        ("plugins/keywords", "wit/keywords/keywords.wit"),
        ("plugins/summary", "wit/summary/summary.wit"),
        ("plugins/critic", "wit/critic/critic.wit"),
        ("plugins/report", "wit/report/report.wit"),
    ];

    /// `BLESS=1` writes them anew.
    #[test]
    fn the_fuzzers_have_the_components_of_their_wit() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
        // A package within the text of another stands in braces.
        let failure = read("wit/plugin/failure.wit");
        let (head, body) = failure.split_once(';').unwrap();
        for (name, wit) in FUZZED {
            let text = read(wit);
            let whole = if text.contains(head) { text } else { format!("{text}\n{head} {{{body}}}\n") };
            let made = component_from_wit(&whole).unwrap();
            let path = root.join("grammar/fuzz/world").join(name).with_extension("wasm");
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&path, &made).unwrap();
            }
            assert!(std::fs::read(&path).is_ok_and(|kept| kept == made), "{} is not made from {wit}", path.display());
        }
    }
}
