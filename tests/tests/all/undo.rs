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
