//! `kill -9` of the service again and again under many runs at once: each run ends with the result that it has undisturbed,
//! and by an outside witness no committed step was executed again and none is missing.
//!
//! A few runs and kills unless `FLOWHOST_CHAOS` says otherwise, as `KILLSxRUNS`; `cargo xtask chaos` does so.

use e2e::Site;

use crate::service::{Service, eventually};
use crate::witness::{self, executions};

const FLOW: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

/// Steps that leave a mark outside each time that they are executed.
flow main(folder: dir) -> string with { allow: [read_write folder] } {
    let first = witness.mark(folder, "first") with { idempotent: true }
    let wide = map n in range(0, 8) with { parallel: 4 } {
        let quick = kit.slow(3) with { allow: [] }
        witness.mark_slowly(folder, "item ${n}", 4) with { idempotent: true } after quick
    }
    let chain = loop text = first until len(text) > 12 max 12 {
        wait 10ms
        witness.mark(folder, "${text}+") with { idempotent: true }
    }
    let joined = reduce a, b in wide { witness.mark(folder, "${a},${b}") with { idempotent: true } }
    "${chain}|${joined}"
}
"#;

/// Marks that an undisturbed run leaves.
const MARKS: usize = 1 + 8 + 8 + 7;

/// How often the service is killed, and under how many runs.
fn size() -> (usize, usize) {
    let text = std::env::var("FLOWHOST_CHAOS").unwrap_or_else(|_| "5x8".to_owned());
    let (kills, runs) = text.split_once('x').unwrap_or_else(|| panic!("FLOWHOST_CHAOS={text} is not KILLSxRUNS"));
    (kills.parse().unwrap(), runs.parse().unwrap())
}

#[test]
fn a_service_that_is_killed_again_and_again_loses_and_repeats_nothing() {
    let (kills, count) = size();
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site.write("reference/.keep", "");
    let reference = site.host(["run", "main.flow", "--json", "--input", "folder=reference"]).expect(0).json()["result"].clone();
    assert_eq!(executions(&site.path().join("reference")).values().sum::<usize>(), MARKS);
    let mut submitted: Vec<String> = Vec::new();
    for kill in 0..kills {
        let service = Service::start(&site, &["--keep", "20"]);
        // Each kill comes when so much more is seen outside, while submissions come in.
        let wanted = count * MARKS * (kill + 1) / (kills + 1);
        while submitted.len() < count && submitted.len() <= count * (kill + 1) / kills {
            submitted.push(submit(&site, &service, submitted.len()));
        }
        let reachable = wanted.min(submitted.len() * MARKS);
        eventually("the runs get on", || (all_marks(&site, submitted.len()) >= reachable).then_some(()));
        service.kill();
    }
    let service = Service::start(&site, &["--keep", "20"]);
    while submitted.len() < count {
        submitted.push(submit(&site, &service, submitted.len()));
    }
    for (number, run) in submitted.iter().enumerate() {
        // What was acknowledged is there, and submitting it again changes nothing.
        assert_eq!(&submit(&site, &service, number), run);
        assert_eq!(service.wait(run).expect(0).json()["result"], reference, "run {number}");
        let events = site.host(["events", run, "--json"]).expect(0).json();
        witness::agrees(run, events.as_array().unwrap(), &site.path().join(format!("folder{number}")), MARKS);
    }
}

fn submit(site: &Site, service: &Service<'_>, number: usize) -> String {
    let folder = format!("folder{number}");
    site.write(&format!("{folder}/.keep"), "");
    service.submit(&["main.flow", "--input", &format!("folder={folder}"), "--id", &folder])
}

fn all_marks(site: &Site, runs: usize) -> usize {
    // A mark that was made twice counts once: it shows no progress.
    (0..runs).map(|number| executions(&site.path().join(format!("folder{number}"))).len()).sum()
}
