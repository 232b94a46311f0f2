//! Runs that have this host as their owner and that it does not drive: an append was stored whose answer never came, perhaps. No
//! other host takes them over as long as this one lives, so it has to notice them itself.

use std::collections::BTreeMap;

use engine::event::RunId;

/// What was seen, how often in a row.
#[derive(Debug, Default)]
pub(super) struct Orphans(BTreeMap<RunId, u32>);

impl Orphans {
    /// Takes note of the runs that are not driven now. Gives those that are to be taken up: never one that is seen for the first
    /// time, because it may be on its way, and one that stays in longer and longer steps.
    pub(super) fn seen(&mut self, missing: impl Iterator<Item = RunId>) -> Vec<RunId> {
        let before = std::mem::take(&mut self.0);
        for run in missing {
            let times = before.get(&run).map_or(1, |times| times.saturating_add(1));
            self.0.insert(run, times);
        }
        let due = |times: &u32| *times > 1 && times.is_power_of_two();
        self.0.iter().filter(|(_, times)| due(times)).map(|(run, _)| run.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Orphans;
    use engine::event::RunId;

    #[test]
    fn a_run_is_taken_up_when_it_was_missing_twice_and_then_less_and_less_often() {
        let mut orphans = Orphans::default();
        let run = || RunId("a".into());
        let due: Vec<usize> = (1..=9).filter(|_| !orphans.seen(std::iter::once(run())).is_empty()).collect();
        assert_eq!(due, [2, 4, 8]);
        // One that is driven in between begins anew.
        assert!(orphans.seen(std::iter::empty()).is_empty() && orphans.seen(std::iter::once(run())).is_empty());
        assert_eq!(orphans.seen([run(), RunId("b".into())].into_iter()), [run()]);
    }
}
