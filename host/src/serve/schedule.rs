//! When a schedule fires: pure functions of its pattern, how far it has come, and the time.
//!
//! What a local time means that does not exist or comes twice is what `croner` says on the time zones of `jiff`: a time
//! that the clock jumps over fires at the first moment after the jump, one that comes twice fires once where the hour
//! is fixed, and a pattern that fires all through the repeated hour fires in both.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use engine::event::Timestamp;
use jiff::Zoned;
use jiff::tz::TimeZone;

use super::deployment::Missed;

/// A firing that is so late at most is not a missed one.
const GRACE: u64 = 60_000;

/// The most missed times that `missed = all` makes up for, the latest ones.
pub(super) const MOST: usize = 1_000;

/// A schedule of a deployment.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// What is to be done at some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// The times to fire for, in order.
    pub(super) fire: Vec<Timestamp>,
    /// The last time that has come, whether it fires or not. None: no time has come.
    pub(super) through: Option<Timestamp>,
    /// Times that have come and do not fire. A bound: there may be more of a long outage.
    pub(super) passed_over: usize,
}

impl Schedule {
    /// A pattern of five fields, or six with seconds first, in a zone of the IANA database; none: the host's.
    pub(crate) fn new(cron: &str, zone: Option<&str>) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(cron).map_err(|error| error.to_string())?;
        let zone = match zone {
            Some(name) => TimeZone::get(name).map_err(|error| error.to_string())?,
            None => TimeZone::system(),
        };
        Ok(Self { cron, zone })
    }

    /// The first time after this one. None: there is none that this calendar reaches.
    pub(crate) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.cron.find_next_occurrence(&self.local(after)?, false).ok().and_then(|at| stamp(&at))
    }

    /// What fires at `now` when everything up to `mark` is settled. A clock that was set back to before the mark fires
    /// nothing: those times have fired.
    pub(super) fn due(&self, mark: Timestamp, now: Timestamp, missed: Missed) -> Due {
        let times = self.between(mark, now);
        let (late, fresh): (Vec<Timestamp>, Vec<Timestamp>) = times.iter().partition(|at| at.0.saturating_add(GRACE) < now.0);
        let fire = match missed {
            Missed::All => times.clone(),
            Missed::Skip => fresh,
            Missed::Once if late.is_empty() => fresh,
            Missed::Once => times.last().copied().into_iter().collect(),
        };
        Due { passed_over: times.len() - fire.len(), through: times.last().copied(), fire }
    }

    /// The times after `mark` up to `now`, in order; the latest of them when there are very many.
    fn between(&self, mark: Timestamp, now: Timestamp) -> Vec<Timestamp> {
        let (mut found, mut before, mut inclusive) = (Vec::new(), now, true);
        while found.len() < MOST {
            let Some(local) = self.local(before) else { break };
            let Ok(at) = self.cron.find_previous_occurrence(&local, inclusive) else { break };
            let Some(at) = stamp(&at).filter(|at| *at > mark && (*at < before || inclusive)) else { break };
            found.push(at);
            (before, inclusive) = (at, false);
        }
        found.reverse();
        found
    }

    fn local(&self, at: Timestamp) -> Option<Zoned> {
        let at = jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }
}

fn stamp(at: &Zoned) -> Option<Timestamp> {
    u64::try_from(at.timestamp().as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::{Due, MOST, Schedule};
    use crate::serve::deployment::Missed;
    use engine::event::Timestamp;

    const MINUTE: u64 = 60_000;

    fn at(text: &str) -> Timestamp {
        let time: jiff::Timestamp = text.parse().unwrap();
        Timestamp(u64::try_from(time.as_millisecond()).unwrap())
    }

    fn text(at: Timestamp) -> String {
        jiff::Timestamp::from_millisecond(i64::try_from(at.0).unwrap()).unwrap().to_string()
    }

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule::new(cron, Some(zone)).unwrap()
    }

    /// The next times after one, in UTC.
    fn next(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
        let mut times = Vec::new();
        let mut last = at(after);
        for _ in 0..count {
            last = schedule.next_after(last).unwrap();
            times.push(text(last));
        }
        times
    }

    #[test]
    fn a_schedule_fires_at_the_local_times_of_its_zone() {
        let workdays = schedule("0 9 * * mon-fri", "Europe/Berlin");
        // A Friday in winter, then Monday.
        assert_eq!(next(&workdays, "2026-01-09T07:59:59Z", 2), ["2026-01-09T08:00:00Z", "2026-01-12T08:00:00Z"]);
        assert_eq!(next(&workdays, "2026-07-09T12:00:00Z", 1), ["2026-07-10T07:00:00Z"]);
        let seconds = schedule("*/20 * * * * *", "UTC");
        assert_eq!(next(&seconds, "2026-01-01T00:00:00Z", 2), ["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z"]);
        assert!(Schedule::new("0 9 * *", None).is_err() && Schedule::new("0 9 * * *", Some("Europe/Nowhere")).is_err());
    }

    #[test]
    fn a_local_time_that_does_not_exist_fires_after_the_jump() {
        // On 29 March 2026 the clock goes from 02:00 to 03:00 in Berlin: 01:00 in UTC.
        let night = schedule("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            next(&night, "2026-03-27T12:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
    }

    #[test]
    fn a_local_time_that_comes_twice_fires_once_and_a_pattern_of_each_hour_in_both() {
        // On 25 October 2026 the clock goes from 03:00 back to 02:00 in Berlin: 01:00 in UTC.
        let night = schedule("30 2 * * *", "Europe/Berlin");
        assert_eq!(next(&night, "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let hourly = schedule("30 * * * *", "Europe/Berlin");
        assert_eq!(
            next(&hourly, "2026-10-24T23:00:00Z", 3),
            ["2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]
        );
    }

    /// What fires, how far it came, and how many times do not fire.
    fn due(schedule: &Schedule, mark: &str, now: &str, missed: Missed) -> (Vec<String>, Option<String>, usize) {
        let Due { fire, through, passed_over } = schedule.due(at(mark), at(now), missed);
        (fire.into_iter().map(text).collect(), through.map(text), passed_over)
    }

    #[test]
    fn a_time_fires_once_whatever_the_clock_does_after() {
        let hourly = schedule("0 * * * *", "UTC");
        let (fire, through, _) = due(&hourly, "2026-01-01T00:30:00Z", "2026-01-01T01:00:00.250Z", Missed::Once);
        assert_eq!((fire, through), (vec!["2026-01-01T01:00:00Z".to_owned()], Some("2026-01-01T01:00:00Z".to_owned())));
        let nothing = (Vec::new(), None, 0);
        // A little later, and with the clock set back.
        assert_eq!(due(&hourly, "2026-01-01T01:00:00Z", "2026-01-01T01:00:01Z", Missed::All), nothing);
        assert_eq!(due(&hourly, "2026-01-01T01:00:00Z", "2026-01-01T00:59:00Z", Missed::All), nothing);
        assert_eq!(due(&hourly, "2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z", Missed::All), nothing);
    }

    #[test]
    fn what_was_missed_follows_the_policy() {
        let hourly = schedule("0 * * * *", "UTC");
        let after = |missed| due(&hourly, "2026-01-01T00:00:00Z", "2026-01-01T03:30:00Z", missed);
        let last = "2026-01-01T03:00:00Z".to_owned();
        assert_eq!(after(Missed::Skip), (Vec::new(), Some(last.clone()), 3));
        assert_eq!(after(Missed::Once), (vec![last.clone()], Some(last), 2));
        assert_eq!(after(Missed::All).0, ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"]);
        // What is only a moment late was not missed.
        let punctual = due(&hourly, "2026-01-01T00:00:00Z", "2026-01-01T01:00:40Z", Missed::Skip);
        assert_eq!(punctual.0, ["2026-01-01T01:00:00Z"]);
    }

    #[test]
    fn a_year_of_missed_seconds_is_bounded() {
        let seconds = schedule("* * * * * *", "UTC");
        let due = seconds.due(at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), Missed::All);
        assert_eq!(due.fire.len(), MOST);
        assert_eq!(due.fire.last(), due.through.as_ref());
    }

    #[test]
    fn times_follow_each_other_whatever_the_pattern() {
        for cron in ["*/7 * * * *", "0 0 29 2 *", "30 2 * * sun", "15 10 L * *", "@monthly", "0 0 * * fri#2"] {
            for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"] {
                let schedule = schedule(cron, zone);
                let mut last = at("2026-02-01T00:00:00Z");
                for _ in 0..40 {
                    let next = schedule.next_after(last).unwrap();
                    assert!(next > last, "{cron} {zone}: {} after {}", text(next), text(last));
                    // The way back finds the same time.
                    let due = schedule.due(Timestamp(next.0 - 1), Timestamp(next.0 + MINUTE / 2), Missed::All);
                    assert_eq!(due.fire.first(), Some(&next), "{cron} {zone} {}", text(next));
                    last = next;
                }
            }
        }
    }
}
