//! A cluster under faults: hosts and servers are killed, stopped, cut off and filled up while runs are under way. Each run ends with
//! the result that it has undisturbed, all hosts tell the same of it, and by an outside witness no committed step was executed again
//! and none is missing.
//!
//! A few rounds of each kind unless `FLOWHOST_CLUSTER_CHAOS` says how many; then each fault has its turn.

mod check;
mod rig;

use std::time::Instant;

use e2e::Site;
use rig::{Fault, Rig};

/// All faults, in the order of their rounds.
const FAULTS: [Fault; 10] = [
    Fault::HostKilled,
    Fault::LeaderKilled,
    Fault::StreamFull,
    Fault::HostCut,
    Fault::AllServersKilled,
    Fault::ConnectionLost,
    Fault::LeaderStopped,
    Fault::HostStopped,
    Fault::ServerKilled,
    Fault::AnswersHeld,
];

/// Those of hosts in a short test.
const OF_HOSTS: [Fault; 3] = [Fault::HostKilled, Fault::HostCut, Fault::HostStopped];

/// Those of servers.
const OF_SERVERS: [Fault; 4] = [Fault::LeaderKilled, Fault::StreamFull, Fault::AllServersKilled, Fault::ConnectionLost];

/// Runs that are submitted before each round.
const RUNS: usize = 3;

/// How many rounds somebody wants, beside those of a short test.
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

#[allow(clippy::print_stdout, reason = "told when the test fails, or when somebody wants to see it")]
fn suffer(faults: impl Iterator<Item = Fault>) {
    let sites = [Site::new(), Site::new(), Site::new()];
    let reference = check::undisturbed(&Site::new());
    let mut rig = Rig::start(&sites);
    for (round, fault) in faults.enumerate() {
        let begin = Instant::now();
        for number in 0..RUNS {
            // From all hosts in turn.
            rig.submit((round + number) % sites.len());
        }
        rig.goes_on();
        rig.suffer(fault, round % sites.len());
        println!(
            "round {round}: {fault:?}, {:.1} s, {} of {} steps seen",
            begin.elapsed().as_secs_f64(),
            rig.seen(),
            rig.expected()
        );
    }
    rig.is_whole();
    for (number, (run, folder)) in rig.runs().iter().enumerate() {
        let result = rig.result(number % sites.len(), run);
        assert_eq!(result, reference, "run {number}, {run}");
        check::journal_and_witness_agree(&sites, run, folder);
    }
}
