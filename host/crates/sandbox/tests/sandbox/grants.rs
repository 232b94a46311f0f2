//! What guests can reach, with and without grants.

use catalog::{FailureKind, Value};
use engine::ports::GrantedCapability;
use lang::plan::FolderAccess;

use crate::support::{Subject, guest};

fn folder(path: &std::path::Path, access: FolderAccess) -> GrantedCapability {
    GrantedCapability::Folder { host_path: path.to_str().unwrap().into(), access }
}

/// A call of the guest `files` that opens a path.
fn open(path: &str, write: bool) -> Subject {
    Subject::new(&guest("files"), "open").args([Value::string(path), Value::Bool(write)])
}

/// What the guest `files` says when it may not.
const NOT_PERMITTED: &str = "31";

#[test]
fn files_without_a_grant_are_denied() {
    let (_, outcome) = open("a.txt", false).fails(FailureKind::Permission, "`allow: [read folder]`");
    assert_eq!(outcome.denials.len(), 1);
    assert_eq!(outcome.denials[0].capability, "files");
}

#[test]
fn a_guest_that_copes_with_a_denial_succeeds_and_the_denial_is_listed() {
    let outcome = Subject::new(&guest("files"), "cope").run();
    assert_eq!(outcome.result.unwrap(), Value::Bool(false));
    assert_eq!(outcome.denials.len(), 1);
}

#[test]
fn a_granted_folder_can_be_read_and_not_written() {
    let granted = tempfile::tempdir().unwrap();
    std::fs::write(granted.path().join("a.txt"), "a").unwrap();
    let read = folder(granted.path(), FolderAccess::Read);
    let outcome = open("a.txt", false).grant(read.clone()).run();
    assert_eq!(outcome.result.unwrap(), Value::Unit);
    assert_eq!(outcome.denials, []);
    let (failure, outcome) = open("new.txt", true).grant(read).fails(FailureKind::Permission, "`allow: [read_write folder]`");
    assert!(failure.message.contains("`new.txt`"), "{}", failure.message);
    assert_eq!((outcome.denials[0].capability.as_str(), outcome.denials[0].subject.as_str()), ("files", "new.txt"));
    assert!(!granted.path().join("new.txt").exists());
    assert_eq!(open("new.txt", true).grant(folder(granted.path(), FolderAccess::ReadWrite)).value(), Value::Unit);
    assert!(granted.path().join("new.txt").exists());
}

#[test]
fn a_missing_file_is_no_denial() {
    let granted = tempfile::tempdir().unwrap();
    let (_, outcome) = open("none.txt", false).grant(folder(granted.path(), FolderAccess::Read)).fails(FailureKind::Error, "20");
    assert_eq!(outcome.denials, []);
}

#[test]
fn nothing_leads_out_of_a_granted_folder() {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(outer.path().join("secret.txt"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret.txt", inner.join("relative")).unwrap();
    std::os::unix::fs::symlink(outer.path().join("secret.txt"), inner.join("absolute")).unwrap();
    std::os::unix::fs::symlink("..", inner.join("up")).unwrap();
    std::fs::write(inner.join("fine.txt"), "fine").unwrap();
    std::os::unix::fs::symlink("fine.txt", inner.join("inside")).unwrap();
    for path in ["../secret.txt", "relative", "absolute", "up/secret.txt", "/etc/passwd"] {
        for access in [FolderAccess::Read, FolderAccess::ReadWrite] {
            let (failure, _) = open(path, false).grant(folder(&inner, access)).fails(FailureKind::Permission, "leads out of");
            assert!(failure.message.ends_with(NOT_PERMITTED), "{path}: {}", failure.message);
        }
    }
    assert_eq!(open("inside", false).grant(folder(&inner, FolderAccess::Read)).value(), Value::Unit);
}

#[test]
fn a_folder_stands_under_its_name() {
    let outer = tempfile::tempdir().unwrap();
    let notes = outer.path().join("my notes");
    std::fs::create_dir(&notes).unwrap();
    let place = Subject::new(&guest("files"), "where").grant(folder(&notes, FolderAccess::Read)).value();
    assert_eq!(place, Value::string("/my_notes"));
}

#[test]
fn a_dir_argument_becomes_the_guest_path() {
    let outer = tempfile::tempdir().unwrap();
    let (one, two) = (outer.path().join("one/docs"), outer.path().join("two/docs"));
    for path in [&one, &two] {
        std::fs::create_dir_all(path).unwrap();
    }
    let mut echo =
        Subject::new(&guest("echo"), "text").grant(folder(&one, FolderAccess::Read)).grant(folder(&two, FolderAccess::Read));
    let mut callee = (*echo.invocation.function).clone();
    callee.params[0].1 = catalog::Type::Dir;
    echo.invocation.function = callee.into();
    let dir = |path: &std::path::Path| Value::Dir(path.to_str().unwrap().into());
    let echo = echo.args([dir(&two)]);
    assert_eq!(echo.value(), Value::string("/docs-2"));
    assert_eq!(echo.args([dir(&outer.path().join("other"))]).value(), Value::string("/other"));
}

#[test]
fn a_folder_that_is_not_there_is_a_missing_dependency() {
    let gone = GrantedCapability::Folder { host_path: "/no/such/folder".into(), access: FolderAccess::Read };
    open("a.txt", false).grant(gone).fails(FailureKind::Dependency, "`/no/such/folder`");
}

#[test]
fn sockets_are_never_granted() {
    let (_, outcome) = Subject::new(&guest("network"), "run").fails(FailureKind::Permission, "wasi:http");
    assert_eq!((outcome.denials[0].capability.as_str(), outcome.denials[0].subject.as_str()), ("network", "tcp"));
    let host = GrantedCapability::Http("example.com".into());
    Subject::new(&guest("network"), "run").grant(host).fails(FailureKind::Permission, "wasi:http");
}

#[test]
fn the_environment_is_empty_but_for_what_is_granted() {
    let bytes = guest("environment");
    let (_, outcome) = Subject::new(&bytes, "run").fails(FailureKind::Permission, "`allow: [env \"NAME\"]`");
    assert_eq!(outcome.denials[0].capability, "env");
    // Guests that panic look at the environment, so that alone says nothing about why.
    Subject::new(&bytes, "trap").fails(FailureKind::Internal, "unreachable");
    let name = "CARGO_PKG_NAME";
    let granted = Subject::new(&bytes, "all").grant(GrantedCapability::Env(name.into()));
    let expected = Value::list([Value::tuple([Value::string(name), Value::string(std::env::var(name).unwrap())])]);
    assert_eq!(granted.value(), expected);
    let unset = Subject::new(&bytes, "all").grant(GrantedCapability::Env("NO_SUCH_VARIABLE_HERE".into()));
    assert_eq!(unset.value(), Value::list([]));
}

#[test]
fn a_guest_with_no_grant_is_a_function_of_its_arguments() {
    let pure = Subject::new(&guest("pure"), "run");
    let Value::Tuple(first) = pure.value() else { panic!("a tuple") };
    assert_eq!((&first[0], &first[1]), (&Value::U64(0), &Value::U64(0)));
    assert_ne!(first[2], first[3]);
    assert_eq!(pure.value(), Value::Tuple(first.clone()));
    let Value::Tuple(real) = pure.grant(GrantedCapability::Clock).grant(GrantedCapability::Random).value() else {
        panic!("a tuple")
    };
    assert!(matches!(real[0], Value::U64(seconds) if seconds > 1_700_000_000), "{real:?}");
    assert_ne!(real[2], first[2]);
}
