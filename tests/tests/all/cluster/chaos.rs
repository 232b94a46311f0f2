//! A cluster under faults: hosts and servers are killed, stopped, cut off and filled up while runs are under way. Each run ends with
//! the result that it has undisturbed, all hosts tell the same of it, and by an outside witness no committed step was executed again
//! and none is missing.
//!
//! A few rounds unless `FLOWHOST_CLUSTER_CHAOS` says how many; each fault has its turn.

mod check;
mod rig;

use std::time::Instant;

use e2e::Site;
use rig::{Fault, Rig};

/// Faults in the order of their rounds. The first ones are those of a short test, so that all kinds are among them.
const FAULTS: [Fault; 10] = [
    Fault::LeaderKilled,
    Fault::HostKilled,
    Fault::StreamFull,
    Fault::HostCut,
    Fault::AllServersKilled,
    Fault::HostStopped,
    Fault::ConnectionLost,
    Fault::LeaderStopped,
    Fault::AnswersHeld,
    Fault::ServerKilled,
];

/// Rounds of a short test.
const FEW: usize = 6;

/// Runs that are submitted before each round.
const RUNS: usize = 3;

fn rounds() -> usize {
    let text = std::env::var("FLOWHOST_CLUSTER_CHAOS").unwrap_or_else(|_| FEW.to_string());
    text.parse().unwrap_or_else(|_| panic!("FLOWHOST_CLUSTER_CHAOS={text} is not a number of rounds"))
}

#[test]
fn a_cluster_under_faults_loses_and_repeats_nothing() {
    let sites = [Site::new(), Site::new(), Site::new()];
    let reference = check::undisturbed(&Site::new());
    let mut rig = Rig::start(&sites);
    for (round, fault) in FAULTS.into_iter().cycle().take(rounds()).enumerate() {
        let begin = Instant::now();
        for number in 0..RUNS {
            // From all hosts in turn.
            rig.submit((round + number) % sites.len());
        }
        rig.goes_on();
        rig.suffer(fault, round % sites.len());
        println!("round {round}: {fault:?}, {:.1} s, {} of {} steps seen", begin.elapsed().as_secs_f64(), rig.seen(), rig.expected());
    }
    rig.is_whole();
    for (number, (run, folder)) in rig.runs().iter().enumerate() {
        let result = rig.result(number % sites.len(), run);
        assert_eq!(result, reference, "run {number}, {run}");
        check::journal_and_witness_agree(&sites, run, folder);
    }
}
