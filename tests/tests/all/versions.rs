//! Runs and versions: what a retry takes over, what differs between flows, and runs that go on with another flow.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::{Printed, Site, component};
use serde_json::Value;

/// `b` fails as long as there is a folder where its file should be.
const RETRIED: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

flow main(folder: dir, other: dir) -> string {
    let pure = kit.echo("pure")
    let a = witness.mark(folder, pure) with { allow: [read_write folder] }
    let b = witness.mark_slowly(other, "${a} b", 600) with { allow: [read_write other] }
    kit.echo("${b} end")
}
"#;

fn retried() -> (Site, String) {
    let site = Site::new();
    site.flow("main.flow", RETRIED);
    site.write("folder/.keep", "");
    site.write("other/witness.txt/in the way", "");
    let failed = site.host(["run", "main.flow", "--json", "-i", "folder=folder", "-i", "other=other", "--label", "team=docs"]);
    let run = failed.expect(1).json()["run"].as_str().unwrap().to_owned();
    std::fs::remove_dir_all(site.path().join("other/witness.txt")).unwrap();
    (site, run)
}

/// How often each value was marked in a folder.
fn marks(site: &Site, folder: &str) -> BTreeMap<String, u32> {
    let text = std::fs::read_to_string(site.path().join(folder).join("witness.txt")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        *counts.entry(line.split_once(" = ").map_or(line, |(_, value)| value).to_owned()).or_default() += 1;
    }
    counts
}

fn once(value: &str) -> BTreeMap<String, u32> {
    BTreeMap::from([(value.to_owned(), 1)])
}

#[test]
fn a_retry_takes_over_what_was_done() {
    let (site, run) = retried();
    let printed = site.host(["retry", &run, "--json"]).expect(0).json();
    assert_eq!(printed["result"], "pure b end");
    assert_eq!((marks(&site, "folder"), marks(&site, "other")), (once("pure"), once("pure b")));
    let second = printed["run"].as_str().unwrap();
    let shown = site.host(["show", second, "--json"]).expect(0).json();
    assert_eq!(shown["origin"], serde_json::json!({ "run": run, "from": [], "reused": 2 }));
    assert_eq!(shown["labels"], serde_json::json!({ "team": "docs" }));
    let of = |path: &str| shown["steps"].as_array().unwrap().iter().find(|step| step["path"] == path).unwrap().clone();
    assert_eq!((&of("main/a")["cache"], &of("main/a")["bill"]["fuel"]), (&Value::from("reused"), &Value::from(0)));
    assert_eq!(of("main/b")["cache"], Value::Null);
    let text = site.host(["show", second]).expect(0).out;
    assert!(text.contains(&format!("retries  {run}, 2 results reused")), "{text}");
}

#[test]
fn an_effect_is_never_repeated_silently() {
    let (site, run) = retried();
    let named = ["retry", &run, "--from", "main/a"];
    let refused = site.host(named).expect(2);
    assert!(refused.err.contains("1 step that had succeeded would have") && refused.err.contains("`main/a`"), "{}", refused.err);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    assert_eq!(site.host(["ps", "--json"]).expect(0).json().as_array().unwrap().len(), 1, "nothing was started");
    let printed = site.host(named.into_iter().chain(["--yes"])).expect(0);
    assert!(printed.err.contains("runs again: main/a (its effect happens once more)"), "{}", printed.err);
    assert_eq!(marks(&site, "folder"), BTreeMap::from([("pure".to_owned(), 2)]));

    let unknown = site.host(["retry", &run, "--from", "main/c"]).expect(2);
    assert!(unknown.err.contains("no node `main/c`"), "{}", unknown.err);
    let latest = site.host(["ps", "--json"]).expect(0).json()[0]["id"].as_str().unwrap().to_owned();
    let done = site.host(["retry", &latest]).expect(2);
    assert!(done.err.contains("--from PATH"), "{}", done.err);
    site.host(["retry", "nothing"]).expect(5);
}

#[test]
fn a_killed_retry_goes_on_without_the_run_that_it_retries() {
    let (site, run) = retried();
    let mut child = site
        .command(["retry", &run])
        .env("LLVM_PROFILE_FILE", site.path().join("killed.profraw"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Its start, two results that are taken over, and the start of the slow step.
    let begun = Instant::now();
    let latest = || site.host(["ps", "--json"]).json()[0].clone();
    while latest()["id"] == *run || latest()["events"].as_u64() < Some(4) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the retry does not get under way");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    let _ = child.wait();
    let second = latest()["id"].as_str().unwrap().to_owned();
    let live = site.host(["retry", &second]).expect(2);
    assert!(live.err.contains("has not ended") && live.err.contains("host resume"), "{}", live.err);
    let resumed = site.host(["resume", &second, "--json"]);
    let resumed = if resumed.code == 6 {
        let task = resumed.json()["blocked"][0]["task"].to_string();
        site.host(["resume", &second, "--json", "--retry", &task]).expect(0)
    } else {
        resumed.expect(0)
    };
    assert_eq!(resumed.json()["result"], "pure b end");
    assert_eq!(marks(&site, "folder"), once("pure"), "what was taken over did not run");
}

/// Waits between its steps for somebody.
const WAITS: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

flow main(folder: dir) -> string {
    let a = witness.mark(folder, "a") with { allow: [read_write folder] }
    let go = wait signal go: string after a
    let b = kit.echo("${a} ${go}")
    b
}
"#;

/// A run of [`WAITS`] that waits, and a new version of the flow.
fn waiting(new: &str) -> (Site, String) {
    let site = Site::new();
    site.flow("old.flow", WAITS);
    site.flow("new.flow", new);
    site.write("folder/.keep", "");
    let printed = site.host(["run", "old.flow", "--json", "-i", "folder=folder"]).expect(6).json();
    (site, printed["run"].as_str().unwrap().to_owned())
}

fn verdict(site: &Site, run: &str) -> Value {
    site.host(["diff", run, "new.flow", "--json"]).expect(0).json()["runs"][0].clone()
}

/// The run gets its signal and ends.
fn finish(site: &Site, run: &str) -> Printed {
    site.host(["resume", run, "--json", "--signal", "go=\"x\""])
}

#[test]
fn a_run_goes_on_with_a_step_more() {
    let new = WAITS.replace("    b\n", "    let c = kit.echo(\"${b}!\")\n    c\n");
    let (site, run) = waiting(&new);
    let diff = site.host(["diff", "old.flow", "new.flow", "--runs", "--json"]).expect(0).json();
    assert_eq!(diff["changes"][0]["path"], "flow main");
    assert!(diff["changes"].as_array().unwrap().iter().any(|change| change["path"] == "main/c" && change["change"] == "added"));
    assert_eq!((&diff["runs"][0]["run"], &diff["runs"][0]["verdict"]), (&Value::from(&*run), &Value::from("compatible")));
    let text = site.host(["diff", "old.flow", "new.flow", "--runs"]).expect(0).out;
    assert!(text.contains("+ main/c: step echo") && text.contains("compatible"), "{text}");

    let migrated = site.host(["migrate", "--all", "--to", "new.flow", "--json"]).expect(0).json();
    assert_eq!((&migrated[0]["run"], &migrated[0]["migrated"]), (&Value::from(&*run), &Value::from(true)));
    // The program is in the store: the files are not needed any more.
    std::fs::remove_file(site.path().join("new.flow")).unwrap();
    let ended = finish(&site, &run).expect(0);
    assert_eq!(ended.json()["result"], "a x!");
    assert_eq!(marks(&site, "folder"), once("a"), "what was done is not done again");
    let events = site.host(["events", &run, "--json"]).expect(0).json();
    assert!(events.as_array().unwrap().iter().any(|event| event["kind"] == "migrated"), "{events}");
    // A run that was migrated can be retried, with the flow that it ended with.
    let printed = site.host(["retry", &run, "--from", "main/c", "--json"]).expect(0).json();
    assert_eq!(printed["result"], "a x!");
    assert_eq!(marks(&site, "folder"), once("a"));
}

#[test]
fn a_run_goes_on_with_another_component() {
    let (site, run) = waiting(&WAITS.replace("{plugins}/kit.wasm", "kit.wasm"));
    let mut bytes = std::fs::read(component("kit")).unwrap();
    // A custom section: the same functions, another digest.
    bytes.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    site.write("kit.wasm", bytes);
    let diff = site.host(["diff", &run, "new.flow"]).expect(0).out;
    assert!(diff.contains("component: sha256:"), "{diff}");
    site.host(["migrate", &run, "--to", "new.flow"]).expect(0);
    assert_eq!(finish(&site, &run).expect(0).json()["result"], "a x");
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_changes() {
    let mark = "witness.mark(folder, \"a\")";
    let changes = [
        (WAITS.replace(mark, "witness.mark(folder, \"other\")"), "`main/a` has other arguments in the new flow"),
        (WAITS.replace("let a", "let first").replace("${a}", "${first}").replace("after a", "after first"), "no such step"),
        (WAITS.replace("folder: dir", "folder: dir, more: u64"), "the parameter `more` is new and has no default"),
        (
            WAITS.replace("let a =", "let x = kit.echo(\"x\")\n    let a =").replace("\"a\")", "\"a\") after x"),
            "only after something that this run has not done",
        ),
        (WAITS.replace("flow main", "flow other"), "it starts the flow `main`"),
    ];
    for (new, reason) in changes {
        // `after` stands behind the policy.
        let new = new.replace("after x with { allow: [read_write folder] }", "with { allow: [read_write folder] } after x");
        let (site, run) = waiting(&new);
        let found = verdict(&site, &run);
        assert_eq!(found["verdict"], "not_compatible", "{new}\n{found}");
        assert!(found["reason"].as_str().unwrap().contains(reason), "{found}");
        let refused = site.host(["migrate", &run, "--to", "new.flow"]).expect(1);
        assert!(refused.out.contains("left as it is") && refused.out.contains(reason), "{}", refused.out);
        assert_eq!(finish(&site, &run).expect(0).json()["result"], "a x", "it goes on with its own flow");
    }
}

#[test]
fn a_migration_is_taken_back_while_nothing_was_done_that_only_the_new_flow_has() {
    let new = WAITS
        .replace(
            "    let go",
            "    let more = witness.mark(folder, \"more\") with { allow: [read_write folder] } after a\n    let go",
        )
        .replace("    b\n", "    \"${b} ${more}\"\n");
    let (site, run) = waiting(&new);
    assert_eq!(verdict(&site, &run)["from"], "main/more");
    site.host(["migrate", &run, "--to", "new.flow"]).expect(0);
    let twice = site.host(["migrate", &run, "--to", "new.flow"]).expect(2);
    assert!(twice.err.contains("belongs to this flow already"), "{}", twice.err);
    site.host(["migrate", &run, "--back"]).expect(0);
    site.host(["migrate", &run, "--to", "new.flow"]).expect(0);
    // Now the new step runs, and the run waits again.
    site.host(["resume", &run]).expect(6);
    let refused = site.host(["migrate", &run, "--back"]).expect(1);
    assert!(refused.out.contains("`main/more`") && refused.out.contains("no such step"), "{}", refused.out);
    assert_eq!(finish(&site, &run).expect(0).json()["result"], "a x more");
    assert_eq!(marks(&site, "folder"), BTreeMap::from([("a".to_owned(), 1), ("more".to_owned(), 1)]));
    let ended = site.host(["migrate", &run, "--back"]).expect(2);
    assert!(ended.err.contains("has ended"), "{}", ended.err);
}

#[test]
fn what_has_not_begun_is_changed_and_supplied() {
    let flow = WAITS.replace("folder: dir", "folder: dir, tail: string = \"t\"").replace("${a} ${go}", "${a} ${go} ${tail}");
    let flow = flow
        .replace("    b\n", "    let c = kit.check(3)\n    \"${b} ${c}\"\n")
        .replace("let c = kit.check(3)", "let c = kit.check(3) after b");
    let site = Site::new();
    site.flow("old.flow", &flow);
    site.write("folder/.keep", "");
    let run =
        site.host(["run", "old.flow", "--json", "-i", "folder=folder"]).expect(6).json()["run"].as_str().unwrap().to_owned();
    let set = |args: &[&str]| site.host(["set", &run].into_iter().chain(args.iter().copied()));
    set(&["main/b", "retry=2", "timeout=30s", "priority=-1", "memory=64MiB"]).expect(0);
    set(&["--input", "tail=tea"]).expect(0);
    site.host(["supply", &run, "main/c", "-8"]).expect(0);
    for (args, code, reason) in [
        (&["main/a", "retry=2"][..], 2, "`main/a` has ended"),
        (&["main/x", "retry=2"], 2, "no step `main/x`"),
        (&["main/b"], 2, "no setting"),
        (&[], 2, "nothing is to be changed"),
        (&["main/b", "retry"], 2, "KEY=VALUE"),
        (&["main/b", "retry=-1"], 2, "not a value of `retry`"),
        (&["main/b", "timeout=soon"], 2, "soon"),
        (&["main/b", "class=large"], 2, "no class `large`"),
        (&["main/b", "allow=http *"], 2, "the rights that it was started with"),
        (&["main/b", "colour=red"], 2, "not a setting"),
        (&["--input", "folder=."], 7, "names a folder"),
        (&["--input", "tail"], 2, "has no `=`"),
        (&["--input", "other=1"], 7, "no parameter `other`"),
    ] {
        let printed = set(args).expect(code);
        assert!(printed.err.contains(reason), "{args:?}: {}", printed.err);
    }
    for (path, value, code) in [("main/c", "\"text\"", 7), ("main/c", "{", 7), ("main/a", "\"a\"", 7), ("main/x", "1", 7)] {
        site.host(["supply", &run, path, value]).expect(code);
    }
    assert_eq!(finish(&site, &run).expect(0).json()["result"], "a x tea -8");
    let shown = site.host(["show", &run, "--json"]).expect(0).json();
    let supplied = shown["steps"].as_array().unwrap().iter().find(|step| step["path"] == "main/c").unwrap();
    assert_eq!(supplied["cache"], "supplied");
    let ended = site.host(["supply", &run, "main/c", "1"]).expect(2);
    assert!(ended.err.contains("has ended"), "{}", ended.err);
}

#[test]
fn wrong_commands_say_what_to_do() {
    let (site, run) = waiting(WAITS);
    assert!(site.host(["diff", &run, "new.flow"]).expect(0).out.starts_with("the flows are the same"));
    assert!(site.host(["migrate", &run, "--back"]).expect(2).err.contains("was never migrated"));
    assert!(site.host(["diff", "nothing", "new.flow"]).expect(5).err.contains("neither a file here nor a run"));
    site.host(["migrate", &run]).expect(2);
    site.host(["migrate", "--to", "new.flow"]).expect(2);
    site.write("broken.flow", "flow main( {");
    site.host(["migrate", &run, "--to", "broken.flow"]).expect(3);
    site.host(["diff", "old.flow", "broken.flow"]).expect(3);
    site.host(["diff", "old.flow", "missing.flow"]).expect(3);
}
