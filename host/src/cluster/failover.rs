//! Who takes over a run whose owner is gone: each living host has a place in a line that is another one for each run, so that the
//! runs of a dead host are spread, and mostly one of them tries at a time. That only one succeeds is up to the journal.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// How much later each further host in the line tries.
const STEP: Duration = Duration::from_secs(2);

/// How many of the other living hosts are before this one in the line for a run.
pub(crate) fn place(run: &str, own: &str, others: &[String]) -> usize {
    let own = weight(run, own);
    others.iter().filter(|other| weight(run, other) > own).count()
}

/// How long a host at this place waits.
pub(crate) fn delay(place: usize) -> Duration {
    STEP.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX))
}

/// What puts a host before others for a run.
fn weight(run: &str, host: &str) -> [u8; 32] {
    Sha256::digest(format!("{run}\0{host}")).into()
}

#[cfg(test)]
mod tests {
    use super::{delay, place};

    #[test]
    fn each_run_has_one_line_and_the_first_places_are_spread() {
        let hosts: Vec<String> = (0..3).map(|n| format!("host-{n}")).collect();
        let mut firsts = [0; 3];
        for run in 0..300 {
            let places: Vec<usize> = (0..3)
                .map(|n| {
                    let others: Vec<String> = hosts.iter().filter(|host| **host != hosts[n]).cloned().collect();
                    place(&run.to_string(), &hosts[n], &others)
                })
                .collect();
            let mut sorted = places.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
            firsts[places.iter().position(|place| *place == 0).unwrap()] += 1;
        }
        assert!(firsts.iter().all(|count| *count > 50), "{firsts:?}");
        assert_eq!(delay(2).as_secs(), 4);
    }
}
