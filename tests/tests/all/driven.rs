//! Changes and migrations of runs that a process drives: it makes them itself, and goes on.

use std::time::{Duration, Instant};

use e2e::{Site, finish};
use serde_json::{Value, json};

use crate::service::{Service, waiting};

/// Waits between its steps for somebody.
const WAITS: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

flow main(folder: dir, tail: string = "t") -> string {
    let a = witness.mark(folder, "a") with { allow: [read_write folder] }
    let go = wait signal go: string after a
    let b = kit.echo("${a} ${go} ${tail}")
    let c = kit.check(3) after b
    "${b} ${c}"
}
"#;

/// Many steps with effects, one after the other.
const MARKS: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(folder: dir) -> list<string> with { allow: [read_write folder] } {
    let marks = map n in range(0, 30) with { parallel: 1 } { witness.mark_slowly(folder, "item ${n}", 60) }
    marks
}
"#;

fn marks(site: &Site) -> Vec<String> {
    let text = std::fs::read_to_string(site.path().join("folder/witness.txt")).unwrap_or_default();
    text.lines().map(|line| line.split_once(" = ").unwrap().1.to_owned()).collect()
}

fn kinds(site: &Site, run: &str) -> Vec<String> {
    let events = site.host(["events", run, "--json"]).expect(0).json();
    events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

fn site(old: &str, new: &str) -> Site {
    let site = Site::new();
    site.flow("old.flow", old);
    site.flow("new.flow", new);
    site.write("folder/.keep", "");
    site
}

#[test]
fn the_service_changes_and_supplies_what_has_not_begun() {
    let site = site(WAITS, WAITS);
    let service = Service::start(&site, &[]);
    let run = service.submit(&["old.flow", "--input", "folder=folder"]);
    waiting(&site, &run);
    let printed = site.host(["set", &run, "main/b", "retry=2", "--input", "tail=tea", "--json"]).expect(0).json();
    assert_eq!(printed, json!({ "run": run, "changed": ["the settings of `main/b`", "the input `tail`"] }));
    let told = site.host(["supply", &run, "main/c", "-8"]).expect(0);
    assert!(told.err.contains("which `") && told.err.contains("` drives"), "{}", told.err);
    for (args, code, reason) in [
        (&["set", &run, "main/a", "retry=2"][..], 2, "`main/a` has ended"),
        (&["supply", &run, "main/a", "\"b\""], 7, "`main/a` has ended"),
        (&["supply", &run, "main/c", "\"text\""], 7, "main/c"),
        // All of it or nothing.
        (&["set", &run, "main/b", "retry=9", "--input", "folder=."], 7, "names a folder"),
    ] {
        let refused = site.host(args).expect(code);
        assert!(refused.err.contains(reason), "{args:?}: {}", refused.err);
    }
    assert_eq!(kinds(&site, &run).iter().filter(|kind| *kind == "changed").count(), 3);
    site.host(["signal", &run, "go", "\"x\""]).expect(0);
    assert_eq!(service.wait(&run).expect(0).json()["result"], "a x tea -8");
    let ended = site.host(["supply", &run, "main/c", "1"]).expect(2);
    assert!(ended.err.contains("has ended"), "{}", ended.err);
}

#[test]
fn the_service_migrates_a_run_that_waits_and_takes_it_back() {
    let new = WAITS.replace("\"${b} ${c}\"", "let d = kit.echo(\"new\") after c\n    \"${b} ${c} ${d}\"");
    let site = site(WAITS, &new);
    site.flow("other.flow", &WAITS.replace("let a = witness.mark(folder, \"a\")", "let a = witness.mark(folder, \"other\")"));
    let service = Service::start(&site, &[]);
    let run = service.submit(&["old.flow", "--input", "folder=folder"]);
    waiting(&site, &run);
    let refused = site.host(["migrate", &run, "--to", "other.flow"]).expect(1);
    assert!(refused.out.contains("left as it is"), "{}", refused.out);
    assert!(!kinds(&site, &run).contains(&"paused".to_owned()), "a run that does not fit is left alone");
    let printed = site.host(["migrate", &run, "--to", "new.flow"]).expect(0);
    assert!(printed.out.contains("migrated: compatible") && printed.out.contains("it goes on"), "{}", printed.out);
    site.host(["migrate", &run, "--back"]).expect(0);
    site.host(["migrate", &run, "--to", "new.flow"]).expect(0);
    let again = site.host(["migrate", &run, "--to", "new.flow"]).expect(2);
    assert!(again.err.contains("belongs to this flow already"), "{}", again.err);
    site.host(["signal", &run, "go", "\"x\""]).expect(0);
    assert_eq!(service.wait(&run).expect(0).json()["result"], "a x t 3 new");
    assert_eq!(kinds(&site, &run).iter().filter(|kind| *kind == "migrated").count(), 3);
    assert_eq!(marks(&site), ["a"]);
}

/// The one step that runs comes to its end, and the process that drives the run goes on with the new flow.
#[test]
fn a_run_is_migrated_between_two_steps_by_the_process_that_drives_it() {
    let new = MARKS.replace("    marks\n", "    let last = witness.mark(folder, \"last\") after marks\n    [last]\n");
    let site = site(MARKS, &new);
    let child = site.command(["run", "old.flow", "--json", "--input", "folder=folder"]).spawn().unwrap();
    let begun = Instant::now();
    while marks(&site).len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run does not get under way");
        std::thread::sleep(Duration::from_millis(5));
    }
    let run = site.host(["ps", "--json"]).expect(0).json()[0]["id"].as_str().unwrap().to_owned();
    site.host(["migrate", &run, "--to", "new.flow"]).expect(0);
    let ended = finish(child).expect(0).json();
    assert_eq!(ended["result"], json!(["last"]));
    let wanted: Vec<String> = (0..30).map(|n| format!("item {n}")).chain(["last".to_owned()]).collect();
    assert_eq!(marks(&site), wanted, "each effect happened once");
    let kinds = kinds(&site, &run);
    let place = |kind: &str| kinds.iter().position(|found| found == kind);
    assert!(place("paused") < place("migrated") && place("migrated") < place("resumed"), "{kinds:?}");
    assert_eq!(site.host(["ps", "--json"]).expect(0).json()[0]["status"], Value::from("succeeded"));
}

#[test]
fn a_run_that_somebody_paused_is_migrated_and_stays_paused() {
    let site = site(WAITS, &WAITS.replace("kit.check(3)", "kit.check(4)"));
    let service = Service::start(&site, &[]);
    let run = service.submit(&["old.flow", "--input", "folder=folder"]);
    waiting(&site, &run);
    site.host(["pause", &run]).expect(0);
    site.host(["migrate", "--all", "--to", "new.flow"]).expect(0);
    assert_eq!(site.host(["ps", "--json"]).expect(0).json()[0]["status"], "paused");
    site.host(["resume", &run]).expect(0);
    site.host(["signal", &run, "go", "\"x\""]).expect(0);
    assert_eq!(service.wait(&run).expect(0).json()["result"], "a x t 4");
}
