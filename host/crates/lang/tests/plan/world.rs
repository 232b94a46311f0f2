//! A world of one file and one component.

use std::sync::Arc;

use catalog::{Component, Digest, Function, Signature, Type};
use lang::{ComponentProblem, LoadedComponent, World};

/// Gives `main.flow` and `tools.wasm`.
pub struct OneFile {
    pub text: Arc<str>,
}

impl World for OneFile {
    fn source(&self, path: &str) -> Result<Arc<str>, String> {
        if path == "main.flow" { Ok(self.text.clone()) } else { Err("no such file".to_owned()) }
    }

    fn component(&self, reference: &str, _from: &str) -> Result<LoadedComponent, ComponentProblem> {
        if reference != "tools.wasm" {
            return Err(ComponentProblem { message: "no such file".to_owned(), help: None });
        }
        Ok(LoadedComponent { source: reference.to_owned(), component: Arc::new(tools()) })
    }
}

fn tools() -> Component {
    let strings = Type::list(Type::String);
    let functions = vec![
        function("number", &[], Type::S64),
        function("double", &[("n", Type::S64)], Type::S64),
        function("add", &[("a", Type::S64), ("b", Type::S64)], Type::S64),
        function("flag", &[("n", Type::S64)], Type::Bool),
        function("maybe", &[("n", Type::S64)], Type::option(Type::S64)),
        function("list", &[("folder", Type::String)], strings),
        function("read", &[("path", Type::String)], Type::String),
        function("write", &[("folder", Type::String), ("text", Type::String)], Type::Unit),
        function("score", &[("text", Type::String)], Type::F64),
        function("join", &[("a", Type::String), ("b", Type::String)], Type::String),
    ];
    Component {
        digest: Digest([9; 32]),
        size: 1,
        functions,
        types: std::collections::BTreeMap::new(),
        // All that a step can be granted, and the log, so that no plan is about these.
        imports: ["wasi:filesystem/types", "wasi:http/outgoing-handler", "wasi:clocks/wall-clock", "flowhost:plugin/log"]
            .map(|interface| format!("{interface}@0.2.0"))
            .into(),
        wit: String::new(),
    }
}

fn function(name: &str, params: &[(&str, Type)], result: Type) -> Function {
    let params = params.iter().map(|(name, ty)| ((*name).into(), ty.clone())).collect();
    Function {
        interface: None,
        wit_name: name.replace('_', "-"),
        name: name.into(),
        is_async: false,
        docs: None,
        signature: Ok(Signature { params, result }),
    }
}
