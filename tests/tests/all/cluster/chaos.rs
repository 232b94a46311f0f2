//! A cluster under faults: hosts, workers and servers are killed, stopped, cut off and filled up while runs are under way. Each run
//! ends with the result that it has undisturbed, all hosts tell the same of it, and by outside witnesses no committed step was executed
//! again and none is missing. Effects whose outcome is not known are decided about, and each happened once. A handler of hooks is told
//! of all that it is to be told of.
//!
//! A few rounds of each kind unless `FLOWHOST_CLUSTER_CHAOS` says how many; then each fault has its turn.

mod check;
mod faults;
mod handler;
mod operator;
mod rig;

use std::time::Instant;

use e2e::Site;
use faults::Fault;
use rig::{Rig, Run};

use crate::service::eventually;

/// All faults, in the order of their rounds.
const FAULTS: [Fault; 15] = [
    Fault::HostKilled,
    Fault::LeaderKilled,
    Fault::WorkerKilled,
    Fault::StreamFull,
    Fault::HostCut,
    Fault::AllServersKilled,
    Fault::SlowReader,
    Fault::ConnectionLost,
    Fault::WorkerStopped,
    Fault::LeaderStopped,
    Fault::HostStopped,
    Fault::QueueKilled,
    Fault::WorkerCut,
    Fault::ServerKilled,
    Fault::AnswersHeld,
];

/// Those of hosts in a short test.
const OF_HOSTS: [Fault; 3] = [Fault::HostKilled, Fault::HostCut, Fault::HostStopped];

/// Those of workers.
const OF_WORKERS: [Fault; 3] = [Fault::WorkerKilled, Fault::WorkerStopped, Fault::SlowReader];

/// Those of servers.
const OF_SERVERS: [Fault; 4] = [Fault::LeaderKilled, Fault::StreamFull, Fault::AllServersKilled, Fault::ConnectionLost];

/// Runs that are submitted before each round, beside one of effects.
const RUNS: usize = 3;

/// How many rounds somebody wants, in place of those of a short test.
fn wanted() -> Option<usize> {
    let text = std::env::var("FLOWHOST_CLUSTER_CHAOS").ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("FLOWHOST_CLUSTER_CHAOS={text} is not a number of rounds")))
}

#[test]
fn a_cluster_whose_hosts_fail_loses_and_repeats_nothing() {
    match wanted() {
        // The first half of the rounds here, the other one beside it.
        Some(rounds) => suffer(FAULTS.into_iter().cycle().take(rounds.div_ceil(2))),
        None => suffer(OF_HOSTS.into_iter()),
    }
}

#[test]
fn a_cluster_whose_servers_fail_loses_and_repeats_nothing() {
    match wanted() {
        Some(rounds) => suffer(FAULTS.into_iter().rev().cycle().take(rounds / 2)),
        None => suffer(OF_SERVERS.into_iter()),
    }
}

#[test]
fn a_cluster_whose_workers_fail_loses_and_repeats_nothing() {
    // These are among all faults.
    if wanted().is_none() {
        suffer(OF_WORKERS.into_iter());
    }
}

#[allow(clippy::print_stdout, reason = "told when the test fails, or when somebody wants to see it")]
fn suffer(faults: impl Iterator<Item = Fault>) {
    let sites = [Site::new(), Site::new(), Site::new()];
    let references = check::undisturbed();
    let mut rig = Rig::start(&sites);
    for (round, fault) in faults.enumerate() {
        let begin = Instant::now();
        if fault.loses_steps() {
            rig.is_whole();
            rig.outside.hold(true);
        }
        rig.submit_effects(round % sites.len());
        for number in 0..RUNS {
            // From all hosts in turn.
            rig.submit((round + number) % sites.len());
        }
        if fault.loses_steps() {
            rig.is_full()
        } else {
            rig.goes_on()
        }
        rig.suffer(fault, round % sites.len());
        rig.decide((round + 1) % sites.len());
        println!(
            "round {round}: {fault:?}, {:.1} s, {} of {} steps seen",
            begin.elapsed().as_secs_f64(),
            rig.seen(),
            rig.expected()
        );
    }
    rig.is_whole();
    rig.settle();
    for (number, run) in rig.runs().iter().enumerate() {
        let result = rig.result(number % sites.len(), &run.id);
        assert_eq!(result, *(if run.folder.is_some() { &references.0 } else { &references.1 }), "run {number}, {}", run.id);
        ended_well(&rig, &sites, run);
    }
    let (elsewhere, asked, decided) = (rig.stop_workers(), rig.handler.asked(), &rig.operator);
    println!(
        "{elsewhere} steps on workers, {asked} questions of a hook, {} effects tried again, {} that had happened",
        decided.retried, decided.supplied
    );
    assert!(elsewhere > 0 && asked > 0, "no step went to a worker, or no hook was asked");
}

/// The journal, the witnesses and the handler of hooks agree about a run.
fn ended_well(rig: &Rig<'_>, sites: &[Site], run: &Run) {
    let events = check::told_by_all(sites, &run.id);
    let paths = match &run.folder {
        Some(folder) => check::marks_agree(&run.id, &events, folder, &rig.outside, &rig.stops),
        None => check::effects_agree(&run.id, &events, &rig.outside),
    };
    let is_told = |hook: &str, path: &str, least: usize| {
        let told = || Some(rig.handler.told(hook, &run.id, path)).filter(|(_, times)| *times >= least);
        let (told, times) = eventually(&format!("{hook} is told of `{path}` of {}", run.id), told);
        assert_eq!(told, 1, "{hook} of `{path}` of {} is {told} events, told {times} times", run.id);
    };
    paths.iter().for_each(|path| is_told("book", path, 1));
    // The first time it failed.
    is_told("ledger", "", 2);
}
