//! Cleans the store up while the service runs: what `host gc` does, again and again, in small parts beside the runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::event::Timestamp;
use engine::ports::{Clock, SystemClock};
use journal::retention::{Pace, Retention};

use super::Parts;
use crate::commands::gc;
use crate::config::{Config, RetentionConfig, parse_duration};
use crate::exit::Problem;

/// How often, where the configuration says what is kept and not how often.
const EVERY: Duration = Duration::from_secs(3600);

/// The shortest time between two.
const LEAST: Duration = Duration::from_secs(1);

/// The first one comes so soon after the start: most services live longer.
const FIRST: Duration = Duration::from_secs(60);

/// A clock that went ahead of time by so much may be wrong, and by a wrong clock everything is old.
const JUMP: Duration = Duration::from_secs(3600);

/// What is cleaned up, and how often.
pub(super) struct Plan {
    retention: Retention,
    every: Duration,
}

impl Plan {
    /// What the configuration says; none where it keeps everything.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, Problem> {
        let retention = gc::retention(&config.retention)?;
        let every = config.retention.every.as_deref().map(parse_duration).transpose()?;
        if every.is_some_and(|every| every < LEAST) {
            return Err(Problem::usage("`[retention] every` is shorter than a second").help("write `1h`, or leave it out"));
        }
        let is_silent = config.retention == RetentionConfig::default();
        Ok((!is_silent).then(|| Self { retention, every: every.unwrap_or(EVERY) }))
    }
}

/// Cleans up until the service stops.
pub(super) async fn watch(parts: Arc<Parts>) {
    let Some(plan) = &parts.cleanup else { return parts.stopped().await };
    let mut pause = plan.every.min(FIRST);
    loop {
        let before = (SystemClock.now(), Instant::now());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = parts.stopped() => return,
        }
        pause = plan.every;
        if jumped(before, (SystemClock.now(), Instant::now())) {
            parts
                .log
                .problem("cleanup-put-off", &[("why", "the clock was set forward; if that is right, the next one goes by it")]);
            continue;
        }
        let shared = Arc::clone(&parts);
        let cleaned = tokio::task::spawn_blocking(move || {
            let plan = shared.cleanup.as_ref()?;
            Some(gc::clean_up(&shared.config, &plan.retention, Pace::Gentle, false))
        });
        match cleaned.await {
            Ok(Some(Ok(report))) => {
                let counts = report.counts().map(|(name, count)| (name, count.to_string()));
                let fields: Vec<(&str, &str)> = counts.iter().map(|(name, count)| (*name, count.as_str())).collect();
                parts.log.note("cleaned-up", &fields);
            }
            Ok(Some(Err(problem))) => parts.log.problem("cleanup-failed", &[("why", &problem.message)]),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Whether the clock went much further than time did.
fn jumped(before: (Timestamp, Instant), after: (Timestamp, Instant)) -> bool {
    let by_clock = Duration::from_millis(after.0.0.saturating_sub(before.0.0));
    by_clock > after.1.saturating_duration_since(before.1) + JUMP
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use engine::event::Timestamp;

    use super::jumped;

    #[test]
    fn a_clock_that_is_far_ahead_of_time_is_noticed() {
        let (hour, start) = (Duration::from_secs(3600), Instant::now());
        let after = |clock: u64, time: Duration| jumped((Timestamp(1_000), start), (Timestamp(1_000 + clock), start + time));
        assert!(!after(3_600_000, hour) && !after(0, hour) && !after(3_600_000, Duration::ZERO));
        assert!(after(3_600_001, Duration::ZERO) && after(86_400_000, hour));
        assert!(!jumped((Timestamp(5_000), start), (Timestamp(1_000), start + hour)), "set back");
    }
}
