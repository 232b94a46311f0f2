//! Orders to live runs: each works whoever drives the run, and also when nobody does.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use e2e::{Site, finish};
use serde_json::Value;

/// Many steps one after the other, each of which leaves a mark.
const MARKS: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(folder: dir) -> list<string> with { allow: [read_write folder] } {
    map n in range(0, 200) with { parallel: 1 } {
        witness.mark_slowly(folder, "item ${n}", 40)
    }
}
"#;

/// A step that takes long, after one that is taken back.
const BOOKING: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

flow main(folder: dir, ms: u64 = 60000) -> string with { allow: [read_write folder] } {
    let booked = witness.mark(folder, "booked") undo witness.mark(folder, "cancelled")
    let slept = kit.slow(ms) with { allow: [], timeout: 5m } after booked
    witness.mark(folder, "slept ${slept}")
}
"#;

/// A step after a signal.
const ASKING: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(folder: dir) -> string with { allow: [read_write folder] } {
    let booked = witness.mark(folder, "asked")
    let go = wait signal go: bool
    witness.mark(folder, "${booked}: ${go}")
}
"#;

struct Run {
    site: Site,
    id: String,
    child: Option<Child>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Run {
    /// Starts a run in a process of its own, and waits until so many marks are there.
    fn start(flow: &str, marks: usize, args: &[&str]) -> Self {
        let site = Site::new();
        site.flow("main.flow", flow);
        site.write("folder/.keep", "");
        let all = ["run", "main.flow", "--json", "--label", "team=a", "--input", "folder=folder"];
        let child = site.command(all.iter().chain(args)).spawn().unwrap();
        let mut run = Self { site, id: String::new(), child: Some(child) };
        run.until(|run| run.marks().len() >= marks);
        run.id = run.row()["id"].as_str().unwrap().to_owned();
        run
    }

    fn until(&self, fits: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !fits(self) {
            assert!(started.elapsed() < Duration::from_secs(60), "it never happens");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn marks(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.site.path().join("folder/witness.txt")).unwrap_or_default();
        text.lines().map(|line| line.split_once(" = ").unwrap().1.to_owned()).collect()
    }

    fn row(&self) -> Value {
        self.site.host(["ps", "--json"]).expect(0).json()[0].clone()
    }

    fn kinds(&self) -> Vec<String> {
        let events = self.site.host(["events", &self.id, "--json"]).expect(0).json();
        events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }

    fn count(&self, kind: &str) -> usize {
        self.kinds().iter().filter(|found| *found == kind).count()
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn host(&self, args: &[&str], code: i32) -> e2e::Printed {
        let args: Vec<&str> = args.iter().map(|arg| if *arg == "RUN" { &self.id } else { *arg }).collect();
        self.site.host(args).expect(code)
    }
}

#[test]
fn a_run_of_another_process_is_paused_stepped_and_resumed() {
    let mut run = Run::start(MARKS, 2, &[]);
    let answer = run.host(&["pause", "RUN", "--reason", "lunch", "--json"], 0).json();
    assert_eq!((&answer[0]["answer"], &answer[0]["status"]), (&"done".into(), &"paused".into()), "{answer:#}");
    let ended = finish(run.child.take().unwrap()).expect(6).json();
    assert_eq!(ended["status"], "paused");
    assert_eq!(run.row()["reason"], "lunch");
    let before = run.count("attempt-succeeded");
    let answer = run.host(&["step", "RUN", "3", "--json"], 0).json();
    assert_eq!((&answer["ended"], &answer["status"]), (&3.into(), &"paused".into()), "{answer:#}");
    assert_eq!(run.count("attempt-succeeded"), before + 3);
    assert!(run.host(&["step", "RUN"], 0).out.contains("is paused again after 1 of 1 step"));
    let refused = run.host(&["pause", "RUN"], 2);
    assert!(refused.out.contains("it is paused already (lunch)"), "{}", refused.out);
    let result = run.host(&["resume", "RUN", "--json"], 0).json();
    assert_eq!(result["result"].as_array().unwrap().len(), 200);
    assert_eq!(run.marks().len(), 200, "each step ran once");
}

#[test]
fn a_run_of_another_process_is_cancelled_in_two_steps() {
    let mut run = Run::start(BOOKING, 1, &[]);
    let waits = run.host(&["cancel", "RUN", "--timeout", "300ms"], 6);
    assert!(waits.out.contains("is being cancelled and has not ended yet"), "{}", waits.out);
    assert_eq!(run.marks(), ["booked"], "what runs may finish before anything is taken back");
    let refused = run.host(&["cancel", "RUN"], 2);
    assert!(refused.out.contains("`--now` stops what still runs"), "{}", refused.out);
    let answer = run.host(&["cancel", "RUN", "--now", "--json"], 0).json();
    assert_eq!((&answer[0]["answer"], &answer[0]["status"]), (&"done".into(), &"cancelled".into()), "{answer:#}");
    finish(run.child.take().unwrap()).expect(1);
    assert_eq!(run.marks(), ["booked", "cancelled"]);
    assert_eq!(run.count("cancel-requested"), 2);
    assert!(run.host(&["cancel", "RUN"], 2).out.contains("it has ended: cancelled"));
}

#[test]
fn a_gentle_cancellation_keeps_what_finished_only_to_take_it_back() {
    let mut run = Run::start(BOOKING, 1, &["--input", "ms=700"]);
    run.host(&["cancel", "RUN"], 0);
    finish(run.child.take().unwrap()).expect(1);
    assert_eq!(run.marks(), ["booked", "cancelled"], "nothing new started");
    assert_eq!(run.count("attempt-cancelled"), 0);
}

#[test]
fn a_run_without_an_owner_is_cancelled_with_all_that_it_takes() {
    let mut run = Run::start(BOOKING, 1, &[]);
    run.kill();
    let answer = run.host(&["cancel", "--label", "team=a", "--json"], 0).json();
    assert_eq!((&answer[0]["run"], &answer[0]["status"]), (&run.id.as_str().into(), &"cancelled".into()), "{answer:#}");
    assert_eq!(run.marks(), ["booked", "cancelled"]);
    assert_eq!(run.host(&["cancel", "--all", "--json"], 0).json(), serde_json::json!([]));
}

#[test]
fn a_run_without_an_owner_is_paused_and_a_letter_waits_for_its_next_owner() {
    let mut run = Run::start(BOOKING, 1, &[]);
    run.kill();
    // A letter that nobody reads now.
    let left = run.host(&["pause", "RUN", "--no-wait", "--json"], 0).json();
    assert_eq!(left[0]["answer"], "left");
    assert_eq!(run.count("paused"), 0);
    // The new owner reads it, and its own order no longer fits.
    let answer = run.host(&["pause", "RUN", "--reason", "mine", "--json"], 0).json();
    assert_eq!(answer[0]["status"], "paused", "{answer:#}");
    assert_eq!((run.count("paused"), run.count("control-taken")), (1, 2));
    assert_eq!(run.marks(), ["booked"]);
    // Another letter: read by the one who takes the run over, whose word comes after it.
    run.host(&["cancel", "RUN", "--no-wait"], 0);
    run.host(&["resume", "RUN"], 1);
    assert_eq!(run.row()["status"], "cancelled");
    assert_eq!(run.marks(), ["booked", "cancelled"]);
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    let mut run = Run::start(BOOKING, 1, &[]);
    let printed = run.host(&["step", "RUN"], 2);
    assert!(printed.err.contains("is not paused, it is running") && printed.err.contains("host pause"), "{}", printed.err);
    let printed = run.host(&["resume", "RUN"], 2);
    assert!(printed.err.contains("is being driven by"), "{}", printed.err);
    let printed = run.host(&["resume", "RUN", "--retry", "0"], 2);
    assert!(printed.err.contains("step 0 does not wait for a decision"), "{}", printed.err);
    run.host(&["pause"], 2);
    run.host(&["pause", "nobody"], 5);
    run.host(&["pause", "--status", "succeeded"], 2);
    run.host(&["pause", "--label", "team"], 2);
    run.host(&["step", "RUN", "0"], 2);
    run.host(&["cancel", "RUN", "--timeout", "soon"], 2);
    assert_eq!(run.host(&["pause", "--label", "team=b", "--json"], 0).json(), serde_json::json!([]));
    run.host(&["cancel", "RUN", "--now"], 0);
    finish(run.child.take().unwrap()).expect(1);
    for command in ["pause", "cancel", "step", "resume"] {
        run.host(&[command, "RUN"], 2);
    }
}

#[test]
fn a_run_of_the_service_is_steered_as_any_other() {
    let site = Site::new();
    site.flow("asking.flow", ASKING);
    site.flow("booking.flow", BOOKING);
    site.write("folder/.keep", "");
    let service = site.command(["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut run = Run { site, id: String::new(), child: Some(service) };
    run.until(|run| run.site.host(["serve", "status"]).code == 0);
    let submit = |run: &Run, flow: &str| {
        let printed = run.site.host(["submit", flow, "--json", "--input", "folder=folder"]).expect(0);
        printed.json()["run"].as_str().unwrap().to_owned()
    };
    run.id = submit(&run, "asking.flow");
    run.until(|run| run.marks().len() == 1);
    let answer = run.host(&["pause", "RUN", "--reason", "lunch", "--json"], 0).json();
    assert_eq!(answer[0]["status"], "paused", "{answer:#}");
    // The signal is taken in the pause, and what follows it is held.
    run.host(&["signal", "RUN", "go", "true"], 0);
    run.until(|run| run.host(&["why", "RUN"], 6).out.contains("is held: the run is paused (lunch)"));
    let stepped = run.host(&["step", "RUN", "--json"], 0).json();
    assert_eq!(stepped["answer"], "done", "{stepped:#}");
    run.until(|run| run.row()["status"] == "succeeded");
    assert_eq!(run.marks(), ["asked", "asked: true"]);
    run.id = submit(&run, "booking.flow");
    run.until(|run| run.marks().len() == 3);
    run.host(&["pause", "RUN"], 0);
    let resumed = run.host(&["resume", "RUN", "--json"], 0).json();
    assert!(resumed["message"].as_str().unwrap().contains("goes on, driven by"), "{resumed:#}");
    run.host(&["cancel", "RUN", "--now"], 0);
    assert_eq!(run.marks().last().unwrap(), "cancelled");
}
