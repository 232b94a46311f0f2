//! `kill -9` while compensations run: each is done once, in the reverse order of what was done, and the run fails as it would have.

use std::time::Duration;

use e2e::Site;
use serde_json::Value;

/// So many runs are killed while they take something back.
const KILLS: usize = 5;
/// Most rounds.
const ROUNDS: usize = 200;

const FLOW: &str = r#"
use "{plugins}/witness.wasm" as witness

/// Takes back all that it did, because the end does not hold.
flow main(folder: dir) -> string with { allow: [read_write folder] } {
    let first = witness.mark(folder, "first") undo witness.mark_slowly(folder, "not ${first}", 6)
    let items = map n in range(0, 3) with { parallel: 1 } {
        witness.mark(folder, "item ${n} of ${first}") undo witness.mark_slowly(folder, "not item ${n}", 6)
    }
    let won = race {
        witness.mark(folder, items[0]) undo twice(folder)
        {
            require len(items) > 3 else "too few"
            "never"
        }
    }
    require won == "" else "not in the end"
    won
}

flow twice(folder: dir) with { allow: [read_write folder] } {
    seq {
        witness.mark_slowly(folder, "one", 6)
        witness.mark_slowly(folder, "two", 6)
    }
}
"#;

const MARKS: [&str; 11] = [
    "first",
    "item 0 of first",
    "item 1 of first",
    "item 2 of first",
    "item 0 of first",
    "one",
    "two",
    "not item 2",
    "not item 1",
    "not item 0",
    "not first",
];

#[test]
fn what_was_done_is_taken_back_once_whatever_happens() {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site.write("folder/.keep", "");
    let printed = site.host(["run", "main.flow", "--json", "--input", "folder=folder"]).expect(1);
    assert!(printed.out.contains("not in the end"), "{}", printed.out);
    assert_eq!(marks(&site), MARKS);
    let mut interrupted = 0;
    for round in 0..ROUNDS {
        interrupted += usize::from(killed(round % MARKS.len(), Duration::from_millis(round as u64 % 7)));
        if round >= 2 * MARKS.len() && interrupted >= KILLS {
            return;
        }
    }
    panic!("only {interrupted} of {ROUNDS} rounds hit a compensation");
}

fn marks(site: &Site) -> Vec<String> {
    let text = std::fs::read_to_string(site.path().join("folder/witness.txt")).unwrap_or_default();
    text.lines().map(|line| line.split_once(" = ").unwrap().1.to_owned()).collect()
}

/// Kills a run a moment after it has made so many marks, and carries it to its end. Gives whether it was taking something back.
fn killed(made: usize, moment: Duration) -> bool {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site.write("folder/.keep", "");
    let mut child = site.victim(["run", "main.flow", "--json", "--input", "folder=folder"]);
    while marks(&site).len() < made && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment);
    let _ = child.kill();
    let _ = child.wait();
    let before = marks(&site).len();
    let printed = site.host(["ps", "--json"]);
    let runs = if printed.code == 0 { printed.json() } else { Value::Null };
    let Some(run) = runs.as_array().and_then(|runs| runs.first()) else { return false };
    let run = run["id"].as_str().unwrap();
    let over = site.host(["show", run, "--json"]).expect(0).json()["outcome"].is_object();
    if !over {
        carry_to_the_end(&site, run);
    }
    assert_eq!(marks(&site), MARKS, "after a kill {moment:?} after {made} marks");
    !over && before > 5
}

/// Resumes until the run has failed. Where an outcome is not known, the witness knows.
fn carry_to_the_end(site: &Site, run: &str) {
    let mut decisions: Vec<String> = Vec::new();
    for _ in 0..100 {
        let mut args = vec!["resume".to_owned(), run.to_owned(), "--json".to_owned()];
        args.append(&mut decisions);
        let printed = site.host(&args);
        if printed.code == 1 {
            assert!(printed.out.contains("not in the end"), "{}", printed.out);
            return;
        }
        assert_eq!(printed.code, 6, "{}\n{}", printed.out, printed.err);
        for blocked in printed.json()["blocked"].as_array().unwrap() {
            decisions.extend(decide(site, blocked));
        }
    }
    panic!("the run does not end");
}

fn decide(site: &Site, blocked: &Value) -> [String; 2] {
    let (task, path) = (&blocked["task"], blocked["path"].as_str().unwrap());
    let text = std::fs::read_to_string(site.path().join("folder/witness.txt")).unwrap_or_default();
    let key = format!("/{path} = ");
    match text.lines().find_map(|line| line.split_once(&key)) {
        Some((_, result)) => ["--supply".to_owned(), format!("{task}={}", Value::from(result))],
        None => ["--retry".to_owned(), task.to_string()],
    }
}

const SAGA: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

flow main(folder: dir) with { allow: [read_write folder] } {
    let first = witness.mark(folder, "first") undo witness.mark(folder, "not first")
    let second = witness.mark(folder, first) undo kit.fail_times(3, kit.failure_kind.error, "undone") with {
        retry: 1,
        idempotent: true,
    }
    require second == "" else "not in the end"
}
"#;

#[test]
fn a_compensation_is_retried_escalated_decided_about_and_seen_everywhere() {
    let site = Site::new();
    site.flow("main.flow", SAGA);
    site.write("folder/.keep", "");
    site.write("flowhost.toml", "[escalation]\nrun = true");
    let run = site.host(["run", "main.flow", "--json", "--input", "folder=folder"]).expect(6).json();
    let (id, task) = (run["run"].as_str().unwrap(), run["blocked"][0]["task"].to_string());
    let open = site.host(["escalations", "--json"]).expect(0).json()[0].clone();
    assert_eq!((&open["severity"], &open["paused"]), (&"critical".into(), &serde_json::json!(["main/first.undo"])));
    assert_eq!(open["tried"].as_array().unwrap().len(), 2, "its own retry comes first");
    let undone = |run: &str| {
        let shown = site.host(["show", run, "--json"]).expect(0).json();
        let all = shown["undone"].as_array().unwrap().iter();
        all.map(|one| format!("{} {} {}", one["path"].as_str().unwrap(), one["outcome"].as_str().unwrap(), one["attempts"]))
            .collect()
    };
    let seen: Vec<String> = undone(id);
    assert_eq!(seen, ["main/second waits 2"]);
    let why = site.host(["why", id]).expect(6).out;
    assert!(why.contains("main/second.undo/kit.fail_times needs a decision: it is escalated"), "{why}");
    // It fails once more, is escalated again, and then succeeds.
    site.host(["resume", id, "--retry", &task]).expect(6);
    let ended = site.host(["resume", id, "--json", "--retry", &task]).expect(1).json();
    assert_eq!((&ended["failure"]["message"], &ended["not_undone"]), (&"not in the end".into(), &serde_json::json!([])));
    let seen: Vec<String> = undone(id);
    assert_eq!(seen, ["main/second undone 4", "main/first undone 1"]);
    let events = site.host(["events", id, "--json"]).expect(0).json();
    let kinds: Vec<&str> = events.as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "escalated").count(), 2, "{kinds:?}");
    assert_eq!(marks(&site), ["first", "first", "not first"]);
}

#[test]
fn whoever_waits_for_a_run_is_told_what_is_not_undone() {
    let site = Site::new();
    site.flow("main.flow", SAGA);
    site.write("folder/.keep", "");
    let run = site.host(["run", "main.flow", "--json", "--input", "folder=folder"]).expect(1).json();
    let id = run["run"].as_str().unwrap();
    assert_eq!(run["not_undone"][0]["path"], "main/second.undo/kit.fail_times");
    assert_eq!(site.host(["wait", id, "--json"]).expect(1).json()["not_undone"], run["not_undone"]);
    let said = site.host(["wait", id]).expect(1).err;
    assert!(said.contains("`main/second` is not undone") && !said.contains("warning") && !said.contains("⚠"), "{said}");
    let why = site.host(["why", id]).expect(0).out;
    assert!(why.contains("`main/second` is not undone") && why.contains("main.flow:7: "), "{why}");
}
