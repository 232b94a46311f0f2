//! What can be loaded, and where compiled code comes from.

use std::sync::Arc;

use catalog::{Digest, FailureKind, Type, Value};
use sandbox::{Origin, Sandbox, SandboxConfig, SandboxError};

use crate::support::{Subject, guest, small_sandbox};

#[test]
fn a_second_start_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = || SandboxConfig { pool_instances: 2, cache_dir: Some(folder.path().join("code")), ..SandboxConfig::default() };
    let bytes = guest("echo");
    let first = Sandbox::new(config()).unwrap();
    assert_eq!(first.load(&bytes).unwrap().origin, Origin::Compiled);
    assert_eq!(first.load(&bytes).unwrap().origin, Origin::Memory);
    drop(first);
    let second = Sandbox::new(config()).unwrap();
    assert_eq!(second.load(&bytes).unwrap().origin, Origin::Cache);
    assert_eq!(second.load(&guest("trap")).unwrap().origin, Origin::Compiled);
}

#[test]
fn a_cache_that_cannot_be_made_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error =
        Sandbox::new(SandboxConfig { cache_dir: Some(file.path().join("code")), ..SandboxConfig::default() }).unwrap_err();
    assert!(matches!(error, SandboxError::Cache { .. }), "{error}");
}

#[test]
fn unknown_imports_are_named() {
    let error = small_sandbox().load(&guest("unknown_import")).unwrap_err().to_string();
    assert!(error.contains("`acme:store/kv@1.2.0`"), "{error}");
    assert!(error.contains("`wasi:cli/environment@0.3.0`, which the host has as version 0.2"), "{error}");
    assert!(error.contains("`flowhost:plugin@0.1`"), "{error}");
}

#[test]
fn a_known_import_of_another_type_is_a_fault_of_the_guest() {
    Subject::new(&guest("other_log"), "run").fails(FailureKind::Internal, "`log.write`");
}

#[test]
fn what_needs_too_much_is_refused() {
    let error = small_sandbox().load(&guest("many_memories")).unwrap_err();
    assert!(matches!(error, SandboxError::TooLarge(_)), "{error}");
    assert!(error.to_string().contains("it has 10 Wasm linear memories"), "{error}");
}

#[test]
fn other_bytes_do_not_compile() {
    assert!(matches!(small_sandbox().load(b"\0asm\x0d\0\x01\0\xff").unwrap_err(), SandboxError::Compile(_)));
}

#[test]
fn async_exports_are_called_like_others() {
    let next = Subject::new(&guest("async"), "run").args([Value::U32(41)]);
    assert_eq!(next.value(), Value::U32(42));
    // And beside them the plain ones go on.
    let echo = Subject::within(next.sandbox, &guest("echo"), "number").args([Value::U64(7)]);
    assert_eq!(echo.value(), Value::U64(7));
}

#[test]
fn what_was_not_loaded_or_has_another_type_is_a_missing_dependency() {
    let mut echo = Subject::new(&guest("echo"), "text").args([Value::string("x")]);
    let known = (*echo.invocation.function).clone();
    let mut with = |change: fn(&mut engine::ports::Callee), part: &str| {
        let mut callee = known.clone();
        change(&mut callee);
        echo.invocation.function = Arc::new(callee);
        echo.fails(FailureKind::Dependency, part);
    };
    with(|callee| callee.component = Digest([7; 32]), "is not loaded");
    with(|callee| callee.wit_name = "texts".to_owned(), "does not export it");
    with(|callee| callee.interface = Some("a:b/c".to_owned()), "does not export it");
    with(|callee| callee.params[0].1 = Type::U32, "in the parameter `text`: the flow has `u32` where the component has `string`");
    with(|callee| callee.result = Type::Bool, "in the result");
    with(|callee| callee.params.clear(), "has 1 parameters where the flow has 0");
}
