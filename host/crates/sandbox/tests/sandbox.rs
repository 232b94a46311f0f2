//! Guests, hostile and good, against the sandbox.
//!
//! `guests/*.wat` are components as text; each says in its first line what it does. One that no test here asks for by
//! `guest("name")` fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a failed test says where")]

#[path = "sandbox/containment.rs"]
mod containment;
#[path = "sandbox/grants.rs"]
mod grants;
#[path = "sandbox/loading.rs"]
mod loading;
#[path = "sandbox/mail.rs"]
mod mail;
#[path = "sandbox/support.rs"]
mod support;
#[path = "sandbox/values.rs"]
mod values;

#[test]
fn every_guest_has_a_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let tests: String = ["containment", "grants", "loading", "mail", "values"]
        .map(|module| read(&folder.join("sandbox").join(module).with_extension("rs")))
        .concat();
    for entry in std::fs::read_dir(folder.join("guests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(tests.contains(&format!("guest(\"{name}\")")), "no test asks for the guest `{name}`");
    }
}
