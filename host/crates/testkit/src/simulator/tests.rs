//! A few hundred seeds, and each planted bug found. The example `simulate` runs many more.

use std::panic::catch_unwind;

use engine::core::Bug;

use super::{Features, run_seed, run_seed_with};

#[test]
fn seeds_come_to_what_the_undisturbed_run_comes_to() {
    let (mut crashes, mut decisions, mut used) = (0, 0, Features::default());
    for seed in 0..300 {
        let report = run_seed(seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(report.length >= 200, "seed {seed} has {} events only", report.length);
        crashes += report.crashes;
        decisions += report.decisions;
        used |= report.features;
    }
    assert!(crashes >= 300 && decisions > 50, "{crashes} crashes, {decisions} decisions");
    let used: Vec<&str> = used.used().collect();
    let unused: Vec<&str> = Features::names().filter(|name| !used.contains(name)).collect();
    assert!(unused.is_empty(), "no seed uses {unused:?}");
}

#[test]
fn each_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = (0..200).find(|seed| !matches!(catch_unwind(|| run_seed_with(*seed, bug)), Ok(Ok(_))));
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
