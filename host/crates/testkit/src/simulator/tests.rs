//! A few hundred seeds, and each planted bug found. The example `simulate` runs many more.

use std::panic::catch_unwind;

use engine::core::Bug;

use super::{run_seed, run_seed_with};

#[test]
fn seeds_come_to_what_the_undisturbed_run_comes_to() {
    let (mut crashes, mut decisions) = (0, 0);
    for seed in 0..300 {
        let report = run_seed(seed).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(report.length >= 200, "seed {seed} has {} events only", report.length);
        crashes += report.crashes;
        decisions += report.decisions;
    }
    assert!(crashes >= 300 && decisions > 50, "{crashes} crashes, {decisions} decisions");
}

#[test]
fn each_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = (0..200).find(|seed| !matches!(catch_unwind(|| run_seed_with(*seed, bug)), Ok(Ok(_))));
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
