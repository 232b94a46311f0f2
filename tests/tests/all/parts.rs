//! Components by name, and `flow.lock`.

use e2e::{Printed, Site, component};
use serde_json::{Value, json};
use testkit::component::component_from_wit;

/// A component whose bytes differ with the name of its function.
pub(crate) fn made(package: &str, function: &str) -> Vec<u8> {
    let wit = format!(
        "package {package};\ninterface api {{ {function}: func(text: string) -> u32; words: func(text: string) -> u32; }}\nworld w {{ export api; }}"
    );
    component_from_wit(&wit).unwrap()
}

/// A site with these components in its catalogue, and a flow that uses this one.
fn site(reference: &str, components: &[(&str, &str)]) -> Site {
    let site = Site::new();
    site.write("flowhost.toml", "[catalog]\nfolders = [\"parts\"]\n");
    for (file, package) in components {
        let function = format!("f{}", file.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
        site.write(&format!("parts/{file}"), made(package, &function));
    }
    flow(&site, reference);
    site
}

fn flow(site: &Site, reference: &str) {
    site.flow("main.flow", &format!("use \"{reference}\" as text\n\nflow main(a: string) -> u32 {{\n    text.words(a)\n}}\n"));
}

/// What the lock file has: reference, version.
fn locked(site: &Site) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(site.path().join("flow.lock")).unwrap();
    let document: toml::Table = toml::from_str(&text).unwrap();
    let entries = document.get("component").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let field = |entry: &toml::Value, key: &str| entry.get(key).and_then(toml::Value::as_str).unwrap_or("none").to_owned();
    entries.iter().map(|entry| (field(entry, "reference"), field(entry, "version"))).collect()
}

/// What a command with `--json` said is wrong, with its help.
pub(crate) fn told(printed: &Printed) -> String {
    let diagnostics = serde_json::from_str(&printed.out).unwrap_or_default();
    let problems = printed.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let all: Vec<Value> = if let Value::Array(all) = diagnostics { all } else { Vec::new() };
    let texts = |found: Value| ["message", "error", "help"].map(|key| found[key].as_str().unwrap_or_default().to_owned());
    all.into_iter().chain(problems).flat_map(texts).collect::<Vec<_>>().join("\n")
}

fn refused(site: &Site, args: &[&str], what: &str, help: &str) {
    let text = told(&site.host(args.iter().chain(&["--json"])).expect(4));
    assert!(text.contains(what), "no `{what}` in\n{text}");
    assert!(text.contains(help), "no `{help}` in\n{text}");
}

const VERSIONS: [(&str, &str); 4] = [
    ("text@1.0.0.wasm", "acme:text"),
    ("text/1.10.0.wasm", "acme:text"),
    ("text@1.9.3.wasm", "acme:text"),
    ("text@2.0.0-rc.1.wasm", "acme:text"),
];

#[test]
fn the_highest_version_that_fits_is_taken() {
    for (reference, version) in [
        ("text@^1", "1.10.0"),
        ("text@*", "1.10.0"),
        ("text@~1.9", "1.9.3"),
        ("text@=1.0.0", "1.0.0"),
        ("text@>=1.0, <1.9", "1.0.0"),
        ("text@2.0.0-rc.1", "2.0.0-rc.1"),
        ("acme:text@1", "1.10.0"),
    ] {
        let site = site(reference, &VERSIONS);
        site.host(["check", "main.flow"]).expect(0);
        site.host(["lock"]).expect(0);
        assert_eq!(locked(&site), [(reference.to_owned(), version.to_owned())]);
    }
}

#[test]
fn the_version_of_a_file_without_one_is_that_of_its_interfaces() {
    let site = site("text@^0.3", &[("text.wasm", "acme:text@0.3.1")]);
    site.host(["lock"]).expect(0);
    assert_eq!(locked(&site), [("text@^0.3".to_owned(), "0.3.1".to_owned())]);
}

#[test]
fn what_the_catalogue_has_not_is_refused() {
    let check = |reference: &str, components: &[(&str, &str)], what: &str, help: &str| {
        refused(&site(reference, components), &["check", "main.flow"], what, help);
    };
    check("text@^3", &VERSIONS, "no version of `text` fits `^3`", "the catalogue has 2.0.0-rc.1, 1.10.0, 1.9.3, 1.0.0");
    check("texd@^1", &VERSIONS, "the catalogue has no `texd`", "did you mean `text@^1`?");
    check("finance@^1", &VERSIONS, "the catalogue has no `finance`", "it has `text`");
    check("text@^1", &[], "the catalogue folder `parts` cannot be read", "");
    check("other:text@^1", &VERSIONS[..1], "the catalogue has no `other:text`", "is of the package `acme:text`");
    check("text@^1", &[("text.wasm", "acme:text")], "has no version", "call the file `name@1.2.3.wasm`");
    check(
        "text@^1",
        &[("text@1.0.0.wasm", "a:b"), ("text/1.0.0.wasm", "a:b")],
        "two files are version 1.0.0 of `text`",
        "remove",
    );
    check("text@newest", &VERSIONS, "`newest` is not a range of versions", "`^1.2`");
    check("Text@1", &VERSIONS, "`Text` is not the name of a component", "lower-case");
    check("text", &VERSIONS, "there is no such file", "use \"text@*\"");
    let site = site("text@^1", &VERSIONS);
    site.write("flowhost.toml", "");
    refused(&site, &["check", "main.flow"], "no catalogue is configured", "[catalog] folders");
    site.write("parts/text@1.11.0.wasm", b"\0asm");
    site.write("flowhost.toml", "[catalog]\nfolders = [\"parts\"]\n");
    refused(&site, &["check", "main.flow"], "version 1.11.0 of it", "");
}

#[test]
fn the_first_folder_wins() {
    let site = site("text@^1", &[("text@1.0.0.wasm", "acme:first")]);
    site.write("more/text@1.0.0.wasm", made("acme:second", "other"));
    site.write("more/text@1.0.1.wasm", made("acme:second", "another"));
    site.write("flowhost.toml", "[catalog]\nfolders = [\"parts\", \"more\"]\n");
    site.host(["lock"]).expect(0);
    assert_eq!(locked(&site), [("text@^1".to_owned(), "1.0.1".to_owned())]);
    flow(&site, "text@=1.0.0");
    let document = site.host(["lock", "--json"]).expect(0).json();
    let sha = catalog::decode(&std::fs::read(site.path().join("parts/text@1.0.0.wasm")).unwrap()).unwrap().digest;
    assert_eq!(document[0]["components"][0]["sha256"], hex::encode(sha.0));
}

#[test]
fn what_is_pinned_stays_until_it_is_moved() {
    let site = site("text@^1", &VERSIONS[..1]);
    site.host(["lock"]).expect(0);
    let first = std::fs::read_to_string(site.path().join("flow.lock")).unwrap();
    site.write("parts/text@1.2.0.wasm", made("acme:text", "newer"));
    site.host(["lock"]).expect(0);
    assert_eq!(std::fs::read_to_string(site.path().join("flow.lock")).unwrap(), first);
    site.host(["lock", "--check"]).expect(0);
    let plan = site.host(["plan", "main.flow", "--json"]).expect(0).json();
    assert!(plan.to_string().contains("text@1.0.0"), "{plan}");

    let printed = site.host(["lock", "--update=text"]).expect(0);
    assert!(printed.out.contains("text@^1  1.0.0 (") && printed.out.contains(" -> 1.2.0 ("), "{}", printed.out);
    assert_eq!(locked(&site), [("text@^1".to_owned(), "1.2.0".to_owned())]);
    let printed = site.host(["lock", "--update=texd"]).expect(2);
    assert!(printed.err.contains("did you mean `--update=text`?"), "{}", printed.err);
    site.host(["lock", "--update"]).expect(0);
}

#[test]
fn bytes_that_are_not_the_pinned_ones_are_refused() {
    let site = site("text@^1", &VERSIONS[..1]);
    site.host(["lock"]).expect(0);
    let old = std::fs::read(site.path().join("parts/text@1.0.0.wasm")).unwrap();
    site.write("parts/text@1.0.0.wasm", made("acme:text", "changed"));
    for command in [
        &["check", "main.flow"][..],
        &["plan", "main.flow"],
        &["run", "main.flow", "--input", "a=b"],
        &["lock"],
        &["lock", "--check"],
    ] {
        refused(&site, command, "`flow.lock` pins sha256:", "if the change is meant, `host lock --update=text` pins it");
    }
    // The right bytes in another folder are as good.
    site.write("old/text@1.0.0.wasm", old);
    site.write("flowhost.toml", "[catalog]\nfolders = [\"parts\", \"old\"]\n");
    site.host(["check", "main.flow"]).expect(0);
    // One that is gone is not replaced in silence.
    site.write("flowhost.toml", "[catalog]\nfolders = [\"parts\"]\n");
    std::fs::rename(site.path().join("parts/text@1.0.0.wasm"), site.path().join("parts/text@1.0.1.wasm")).unwrap();
    refused(
        &site,
        &["check", "main.flow"],
        "`flow.lock` pins version 1.0.0, which the catalogue does not have",
        "the catalogue has 1.0.1",
    );
    site.host(["lock", "--update"]).expect(0);
    site.host(["check", "main.flow"]).expect(0);
}

#[test]
fn a_lock_file_that_is_out_of_date_fails_the_check() {
    let site = site("text@^1", &VERSIONS);
    let printed = site.host(["lock", "--check"]).expect(1);
    assert!(printed.out.contains("flow.lock is out of date"), "{}", printed.out);
    assert!(!site.path().join("flow.lock").exists());
    site.host(["lock"]).expect(0);
    site.host(["lock", "--check"]).expect(0);
    // A reference that is new, and one that nothing names any more.
    flow(&site, "text@^1.9");
    let document = site.host(["lock", "--check", "--json"]).expect(1).json();
    let changed: Vec<&Value> = document[0]["changes"].as_array().unwrap().iter().map(|change| &change["reference"]).collect();
    assert_eq!((changed, &document[0]["out_of_date"]), (vec![&json!("text@^1"), &json!("text@^1.9")], &json!(true)));
    // With a lock file, what is not pinned is used and said.
    let printed = site.host(["check", "main.flow"]).expect(0);
    assert!(printed.err.contains("`text@^1.9` is not pinned, `text@1.10.0` was taken"), "{}", printed.err);
    // Naming a flow keeps what the others of the folder may need.
    site.host(["lock", "main.flow"]).expect(0);
    assert_eq!(locked(&site).len(), 2);
    site.host(["lock"]).expect(0);
    assert_eq!(locked(&site).len(), 1);
}

#[test]
fn a_lock_file_that_cannot_be_read_is_refused() {
    let site = site("text@^1", &VERSIONS);
    for (text, what) in [("<<<<<<< HEAD\n", "TOML parse error"), ("version = 2\n", "it has version 2, this host reads version 1")]
    {
        site.write("flow.lock", text);
        refused(&site, &["check", "main.flow"], what, "let `host lock` write it anew");
    }
}

#[test]
fn nothing_is_pinned_that_does_not_compile() {
    let site = site("text@^1", &VERSIONS);
    site.flow("main.flow", "use \"text@^1\" as text\n\nflow main() -> u32 { text.nothing(1) }\n");
    site.host(["lock"]).expect(3);
    assert!(!site.path().join("flow.lock").exists());
    let empty = Site::new();
    let printed = empty.host(["lock"]).expect(2);
    assert!(printed.err.contains("there is no flow file"), "{}", printed.err);
}

#[test]
fn paths_are_pinned_when_that_is_asked_for() {
    let site = Site::new();
    site.write("plugins/text.wasm", made("acme:text", "one"));
    site.flow("flows/lib.flow", "use \"../plugins/text.wasm\" as text\n\nflow count(a: string) -> u32 {\n    text.words(a)\n}\n");
    site.flow("flows/main.flow", "import \"lib.flow\" { count }\n\nflow main(a: string) -> u32 {\n    count(a)\n}\n");
    let lock = |args: &[&str]| site.host(["lock", "flows/main.flow"].iter().chain(args));
    lock(&[]).expect(0);
    assert!(!site.path().join("flows/flow.lock").exists());
    lock(&["--paths"]).expect(0);
    let text = std::fs::read_to_string(site.path().join("flows/flow.lock")).unwrap();
    assert!(text.contains("reference = \"../plugins/text.wasm\""), "{text}");
    lock(&["--check"]).expect(0);
    site.write("plugins/text.wasm", made("acme:text", "two"));
    refused(&site, &["check", "flows/main.flow"], "pins sha256:", "`host lock --paths` pins it");
    refused(&site, &["lock", "flows/main.flow"], "pins sha256:", "put back what was pinned");
    lock(&["--paths"]).expect(0);
    site.host(["check", "flows/main.flow"]).expect(0);
}

#[test]
fn a_run_keeps_the_component_that_it_began_with() {
    let site = Site::new();
    site.write("flowhost.toml", "[catalog]\nfolders = [\"parts\"]\n");
    site.write("parts/kit@1.0.0.wasm", std::fs::read(component("kit")).unwrap());
    site.flow("main.flow", "use \"kit@^1\" as kit\n\nflow main() -> string {\n    wait signal go\n    kit.echo(\"same\")\n}\n");
    site.host(["lock"]).expect(0);
    let run = site.host(["run", "main.flow", "--json"]).expect(6).json()["run"].as_str().unwrap().to_owned();
    std::fs::remove_dir_all(site.path().join("parts")).unwrap();
    std::fs::remove_file(site.path().join("flowhost.toml")).unwrap();
    let printed = site.host(["resume", &run, "--signal", "go", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], "same");
}
