//! From the start of a process to its result, or to where it answers.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::Site;
use engine::event::{Event, RunId};
use engine::ports::Journal;
use journal::{Options, SqliteJournal};
use serde_json::Value;

use crate::compile::chain;
use crate::many::waiting;
use crate::median;
use crate::table::{Bound, Table};

/// Runs that a service takes up, and the steps of each.
const OPEN: usize = 10_000;
const STEPS: u32 = 98;

/// How often a figure is measured.
const ROUNDS: usize = 15;

/// What is waited for at most.
const PATIENCE: Duration = Duration::from_secs(300);

/// Times `host run` and `host serve` with a warm cache of compiled code.
pub(crate) fn measure(table: &mut Table) {
    one_step(table);
    let runs = (0..ROUNDS).map(|_| empty_run()).collect();
    table.bounded("host run of no step, no store yet", "ms", median(runs), Bound::Most(50.0));
    let serves = (0..ROUNDS).map(|_| empty_service()).collect();
    table.bounded("host serve, no store yet, until it answers", "ms", median(serves), Bound::Most(50.0));
    recovery(table);
}

fn one_step(table: &mut Table) {
    let site = Site::new();
    site.flow("main.flow", "use \"{plugins}/kit.wasm\" as kit\nflow main() -> s64 { kit.add(1, 2) }\n");
    let once = || {
        let started = Instant::now();
        let _ = site.host(["run", "main.flow", "--quiet"]).expect(0);
        started.elapsed().as_secs_f64() * 1e3
    };
    once();
    table.bounded("host run of one step, warm cache", "ms", median((0..ROUNDS).map(|_| once()).collect()), Bound::Most(100.0));
}

/// Milliseconds of a first run in a new folder.
fn empty_run() -> f64 {
    let site = Site::new();
    site.flow("main.flow", "flow main() -> u32 { 1 }\n");
    let started = Instant::now();
    let _ = site.host(["run", "main.flow", "--quiet"]).expect(0);
    started.elapsed().as_secs_f64() * 1e3
}

/// A service that is killed when it is dropped.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Milliseconds from the start of a service in a new folder to its first answer.
fn empty_service() -> f64 {
    let site = Site::new();
    let started = Instant::now();
    let _service = Service(site.victim(["serve"]));
    while status(&site).is_none() {
        assert!(started.elapsed() < PATIENCE, "the service does not answer");
        std::thread::sleep(Duration::from_micros(200));
    }
    started.elapsed().as_secs_f64() * 1e3
}

/// How a service is, if it answers.
fn status(site: &Site) -> Option<Value> {
    let mut stream = UnixStream::connect(site.path().join(".flowhost/flowhost.db.sock")).ok()?;
    stream.write_all(b"{\"v\": 1, \"do\": \"status\"}\n").ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    serde_json::from_str::<Value>(&line).ok()?.get("ok").cloned()
}

/// A service over a store of many runs that a process left, each with some events behind it.
fn recovery(table: &mut Table) {
    let site = Site::new();
    let text = waiting(&chain(STEPS)).replace("kit.wasm", "{plugins}/kit.wasm");
    site.flow("main.flow", &text);
    let run = site.host(["run", "main.flow", "--json"]).expect(6).json()["run"].as_str().unwrap().to_owned();
    let length = copy(&site, &run);
    let started = Instant::now();
    let _service = Service(site.victim(["serve"]));
    let (mut answered, mut taken) = (None, 0);
    while taken <= OPEN {
        assert!(started.elapsed() < PATIENCE, "{taken} runs were taken up");
        std::thread::sleep(Duration::from_millis(5));
        let Some(status) = status(&site) else { continue };
        answered.get_or_insert_with(|| started.elapsed());
        let count = |name: &str| status["runs"][name].as_u64().unwrap() as usize;
        taken = count("idle") + count("parked");
        if count("queued") > 0 {
            taken = taken.min(OPEN);
        }
    }
    let took = started.elapsed().as_secs_f64();
    let name = format!("host serve over {OPEN} open runs of {length} events");
    table.figure(&format!("{name}, until it answers"), "s", answered.unwrap_or_default().as_secs_f64());
    table.bounded(&format!("{name}, until all wait"), "s", took, Bound::Most(10.0));
}

/// Puts many runs with the events of this one into its store. Gives how many events that are.
fn copy(site: &Site, run: &str) -> usize {
    let journal = SqliteJournal::open(&site.path().join(".flowhost/flowhost.db"), &Options::default()).unwrap();
    let events: Arc<[Event]> = journal.load(&RunId(run.into())).unwrap().into();
    let runtime = crate::floor::runtime();
    for number in 0..OPEN {
        let id = RunId(format!("open-{number}").into());
        runtime.block_on(journal.append(&id, Arc::clone(&events))).unwrap();
    }
    events.len()
}
