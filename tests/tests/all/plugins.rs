//! Making, building and inspecting plugins, and what happens when one changes under a flow.

use e2e::{Site, component};

#[test]
fn a_new_plugin_builds_and_is_called() {
    let site = Site::new();
    site.host(["plugin", "new", "word-count"]).expect(0);
    site.host(["plugin", "new", "word-count"]).expect(2);
    let built = site.host(["plugin", "build", "word-count", "--json"]).expect(0).json();
    let function = built["functions"][0]["name"].as_str().unwrap().to_owned();
    assert!(site.path().join("word-count/word-count.wasm").is_file());
    let inspected = site.host(["plugin", "inspect", "word-count/word-count.wasm"]).expect(0).out;
    assert!(inspected.contains(&function) && inspected.contains("sha256:") && inspected.contains("export"), "{inspected}");
}

#[test]
fn a_plugin_that_is_not_built_is_told_from_a_wrong_path() {
    let site = Site::new();
    site.host(["plugin", "new", "word-count"]).expect(0);
    site.write("main.flow", "use \"word-count/word-count.wasm\" as words\nflow main() -> string { words.shorten(\"a\", 1) }\n");
    let printed = site.host(["check", "main.flow"]).expect(4).err;
    assert!(printed.contains("`host plugin build word-count`"), "{printed}");
}

#[test]
fn a_shipped_plugin_is_inspected() {
    let site = Site::new();
    let documents = component("documents");
    let shown = site.host(["plugin", "inspect", documents.to_str().unwrap(), "--json"]).expect(0).json();
    assert!(
        shown["imports"].as_array().unwrap().iter().any(|import| import["meaning"].as_str().unwrap().contains("read folder"))
    );
}

#[test]
fn a_plugin_that_changed_is_found_at_the_call() {
    let site = Site::new();
    let old = "use \"plugin.wasm\" as plugin\nflow main() -> string { plugin.echo(\"x\") }\n";
    site.write("main.flow", old);
    std::fs::copy(component("kit"), site.path().join("plugin.wasm")).unwrap();
    site.host(["check", "main.flow"]).expect(0);
    std::fs::copy(component("documents"), site.path().join("plugin.wasm")).unwrap();
    let printed = site.host(["check", "main.flow"]).expect(3);
    assert!(printed.err.contains("plugin.echo") || printed.err.contains("`echo`"), "{}", printed.err);
}

#[test]
fn a_second_start_compiles_nothing() {
    let site = Site::new();
    site.flow("main.flow", "use \"{plugins}/kit.wasm\" as kit\nflow main() -> string { kit.echo(\"x\") }\n");
    let cache = site.path().join("cache");
    let start = || {
        let mut command = site.command(["run", "main.flow", "--json"]);
        command.env("FLOWHOST_CACHE", &cache);
        e2e::finish(command.spawn().unwrap()).expect(0).json()
    };
    assert_eq!(start()["compiled"], 1);
    assert_eq!(start()["compiled"], 0);
}
