//! What ended unexpectedly while the cluster ran, and when it is started again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So often one is started again; one that ends yet another time will not stay.
const MOST: u32 = 5;

/// How long one is gone before it is started again.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// Those that fell, by their names.
#[derive(Debug, Default)]
pub(super) struct Falls(BTreeMap<String, Fall>);

#[derive(Debug)]
struct Fall {
    times: u32,
    /// When it is started again; none while it runs.
    again: Option<Instant>,
}

/// What is to be done about one that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It has just fallen: people are told.
    Tell,
    /// Nothing yet.
    Wait,
    /// It is started again.
    Start,
    /// It has fallen too often.
    GiveUp,
}

impl Falls {
    /// One is seen to have ended.
    pub(super) fn seen(&mut self, name: &str, now: Instant) -> Next {
        let fall = self.0.entry(name.to_owned()).or_insert(Fall { times: 0, again: None });
        match fall.again {
            None if fall.times == MOST => Next::GiveUp,
            None => {
                fall.times += 1;
                fall.again = Some(now + PAUSE);
                Next::Tell
            }
            Some(again) if now < again => Next::Wait,
            Some(_) => {
                fall.again = None;
                Next::Start
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Falls, MOST, Next, PAUSE};

    #[test]
    fn one_that_falls_again_and_again_is_given_up() {
        let (mut falls, mut now) = (Falls::default(), Instant::now());
        for _ in 0..MOST {
            assert_eq!((falls.seen("a", now), falls.seen("a", now)), (Next::Tell, Next::Wait));
            now += PAUSE + Duration::from_millis(1);
            assert_eq!(falls.seen("a", now), Next::Start);
        }
        assert_eq!((falls.seen("a", now), falls.seen("b", now)), (Next::GiveUp, Next::Tell));
    }
}
