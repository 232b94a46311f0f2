//! What long runs and large results cost: memory of the process, and how long a new owner needs for a long journal.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::Site;

use crate::table::{Bound, Table};

/// Results of a map, small and large, and the bytes of each.
const FEW: u64 = 1_000;
const MANY: u64 = 100_000;
const BYTES: usize = 1024;

/// Bodies of a loop, a short one and a long one.
const SHORT: u64 = 10_000;
const LONG: u64 = 1_000_000;

/// A map whose results are all needed at its end, and looked into once each.
const MAP: &str = "use \"{plugins}/kit.wasm\" as kit with { allow: [] }

flow main(count: s64, text: string) -> u64 {
    let all = map x in range(0, count)POLICY { kit.echo(value: \"${x} ${text}\") }
    len([x for x in all if x == text]) + len(all)
}
";

/// So many steps one after the other in a loop of loops, then a pause that lasts until somebody sends a signal.
const LOOP: &str = "use \"{plugins}/kit.wasm\" as kit with { allow: [] }

flow main(outer: u32) -> s64 {
    let sum = loop a = 0 until false max outer {
        loop b = a until false max 1000 { kit.add(a: b, b: 1) }
    }
    wait signal go
    sum
}
";

/// Measures in processes of their own.
pub(crate) fn measure(table: &mut Table) {
    let site = Site::new();
    for (name, policy) in [("", ""), (", parallel 8", " with { parallel: 8 }")] {
        site.flow("map.flow", &MAP.replace("POLICY", policy));
        let few = map(&site, FEW);
        let many = map(&site, MANY);
        table.figure(&format!("peak, map of {FEW} results of 1 KiB{name}"), "MiB", few);
        table.figure(&format!("peak, map of {MANY} results of 1 KiB{name}"), "MiB", many);
        table.bounded(&format!("(h) peak of the large map above the small one{name}"), "MiB", many - few, Bound::Most(64.0));
    }
    site.flow("loop.flow", LOOP);
    let short = steps(&site, SHORT);
    let long = steps(&site, LONG);
    table.figure(&format!("{LONG} steps one after the other, process"), "steps/s", LONG as f64 / long.took);
    table.figure(&format!("the same of the first {SHORT}"), "steps/s", SHORT as f64 / short.took);
    table.bounded(&format!("(i) peak of {LONG} steps above {SHORT}"), "MiB", long.peak - short.peak, Bound::Most(16.0));
    let (again, baseline) = (resume(&site, &long.run), resume(&site, &short.run));
    table.figure(&format!("take over a run of {LONG} steps"), "s", again.took);
    table.bounded("(k) that, by its steps", "us/step", again.took * 1e6 / LONG as f64, Bound::Most(20.0));
    table.bounded(&format!("(l) its peak above that of {SHORT} steps"), "MiB", again.peak - baseline.peak, Bound::Most(32.0));
}

fn map(site: &Site, count: u64) -> f64 {
    let (count, text) = (format!("count={count}"), format!("text={}", "x".repeat(BYTES)));
    host(site, 0, &["run", "map.flow", "--durability", "process", "--input", &count, "--input", &text]).peak
}

fn steps(site: &Site, count: u64) -> Measured {
    let outer = format!("outer={}", count / 1000);
    host(site, 6, &["run", "loop.flow", "--durability", "process", "--input", &outer])
}

fn resume(site: &Site, run: &str) -> Measured {
    host(site, 6, &["resume", run])
}

/// What a process took.
struct Measured {
    run: String,
    /// Seconds.
    took: f64,
    /// The most memory that it had, in MiB.
    peak: f64,
}

fn host(site: &Site, exit: i32, arguments: &[&str]) -> Measured {
    let started = Instant::now();
    let mut command = site.command(arguments.iter().chain(&["--quiet", "--json"]));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let (mut peak, mut took) = (0.0_f64, 0.0);
    let code = loop {
        peak = peak.max(high_water(Path::new(&status)).unwrap_or_default());
        if let Some(ended) = child.try_wait().unwrap() {
            break ended.code();
        }
        took = started.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_millis(5));
    };
    let out = child.wait_with_output().unwrap().stdout;
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(code, Some(exit), "{document:#}");
    Measured { run: document["run"].as_str().unwrap_or_default().to_owned(), took, peak }
}

/// The most resident memory that a process has had so far, in MiB.
fn high_water(status: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? / 1024.0)
}
