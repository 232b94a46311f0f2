//! Who drives a run: what others see of it, and how it is taken over.

use std::process::Child;
use std::time::{Duration, Instant};

use e2e::{Site, finish};
use serde_json::Value;

const WAITS: &str = r#"flow main() -> string {
    let word = wait signal word: string with { timeout: 1h } else "none"
    word
}"#;

fn runs(site: &Site, args: &[&str]) -> Vec<Value> {
    let args = ["ps", "--json"].iter().chain(args);
    site.host(args).expect(0).json().as_array().unwrap().clone()
}

/// A run that waits in a process of its own.
fn start(site: &Site) -> (Child, String) {
    site.flow("main.flow", WAITS);
    let child = site.command(["run", "main.flow", "--json"]).spawn().unwrap();
    let run = waiting(site);
    (child, run)
}

fn waiting(site: &Site) -> String {
    let started = Instant::now();
    loop {
        let printed = site.host(["ps", "--json"]);
        if printed.code == 0
            && let Some(run) = printed.json().as_array().unwrap().iter().find(|run| run["waiting"].is_string())
        {
            return run["id"].as_str().unwrap().to_owned();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "nothing waits: {}\n{}", printed.out, printed.err);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_run_is_running_as_long_as_its_process_lives_and_abandoned_after() {
    let site = Site::new();
    let (mut child, run) = start(&site);
    assert_eq!(runs(&site, &["--status", "running"]).len(), 1);
    assert!(runs(&site, &["--status", "abandoned"]).is_empty());
    let refused = site.host(["resume", &run]).expect(2);
    assert!(refused.err.contains(&format!("run `{run}` is being driven by `")), "{}", refused.err);
    assert!(refused.err.contains(&format!("host resume {run} --take-over")), "{}", refused.err);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(runs(&site, &["--status", "running"]).is_empty());
    assert_eq!(runs(&site, &["--status", "abandoned"])[0]["id"], run.as_str());
    assert_eq!(runs(&site, &[])[0]["status"], "abandoned");
    let shown = site.host(["show", &run]).expect(0);
    assert!(shown.out.contains("status   abandoned"), "{}", shown.out);
    site.host(["signal", &run, "word", "\"yes\""]).expect(0);
    assert_eq!(site.host(["resume", &run, "--json"]).expect(0).json()["result"], "yes");
    assert_eq!(runs(&site, &[])[0]["status"], "succeeded");
}

#[test]
fn a_run_can_be_taken_from_a_process_that_lives() {
    let site = Site::new();
    let (child, run) = start(&site);
    site.host(["resume", &run, "--take-over", "--signal", "word=\"taken\""]).expect(0);
    // The former owner notices when it next wants to write: here its pause.
    interrupt(&child);
    let former = finish(child).expect(5);
    assert!(former.err.contains("is owned by another process"), "{}", former.err);
    assert_eq!(runs(&site, &[])[0]["status"], "succeeded");
}

fn interrupt(child: &Child) {
    let done = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

#[test]
fn nothing_stays_of_an_owner_that_ends_and_little_of_one_that_is_killed() {
    let site = Site::new();
    let (mut child, run) = start(&site);
    let owners = site.path().join(".flowhost/flowhost.db.owners");
    let count = || std::fs::read_dir(&owners).unwrap().count();
    assert_eq!(count(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(count(), 1);
    site.host(["resume", &run, "--signal", "word=\"end\""]).expect(0);
    assert_eq!(count(), 0);
}
