//! Which runs a command is about, as the command line says it.

use std::path::Path;
use std::str::FromStr;

use engine::event::Timestamp;
use engine::ports::{Clock, JournalError, SystemClock};
use journal::{Reader, RunFilter, RunRow, RunStatus};

use crate::cli::Selection;
use crate::cluster;
use crate::commands::session;
use crate::config::Config;
use crate::exit::Problem;
use crate::owner;

/// The status of a run that would go on if a process drove it.
pub(crate) const ABANDONED: &str = "abandoned";

/// Which runs are wanted.
pub(crate) struct Wanted {
    /// What the store is asked for.
    pub(crate) filter: RunFilter,
    /// Only those that nobody drives, or only others.
    abandoned: Option<bool>,
}

/// Whether nobody drives a run of the store at this path that its events call running.
pub(crate) fn is_abandoned(store: &Path, row: &RunRow) -> bool {
    matches!(row.status, RunStatus::Running | RunStatus::Cancelling) && !owner::is_alive(store, &row.owner)
}

impl Wanted {
    /// What the command line says.
    pub(crate) fn of(selection: &Selection) -> Result<Self, Problem> {
        let labels = selection.labels.iter().map(|label| match label.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (label.clone(), None),
        });
        let (statuses, abandoned) = selection.status.as_deref().map(status).transpose()?.unwrap_or_default();
        let filter = RunFilter {
            statuses,
            flow: selection.flow.clone(),
            labels: labels.collect(),
            since: selection.since.as_deref().map(time).transpose()?,
            until: selection.until.as_deref().map(time).transpose()?,
            text: selection.search.clone(),
            ..RunFilter::default()
        };
        Ok(Self { filter, abandoned })
    }

    /// Gives each run of the store at this path that fits to `take`, in order.
    pub(crate) fn each<E: From<JournalError>>(
        &self,
        reader: &Reader,
        store: &Path,
        mut take: impl FnMut(RunRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut left = self.filter.limit.unwrap_or(usize::MAX);
        // Only owners tell whether a run is abandoned, so the store cannot count these.
        let limit = if self.abandoned.is_some() { None } else { self.filter.limit };
        let filter = RunFilter { limit, ..self.filter.clone() };
        let each = reader.each_run(&filter, |row| {
            if left == 0 {
                return Err(Early::Enough);
            }
            if self.abandoned.is_none_or(|abandoned| is_abandoned(store, &row) == abandoned) {
                left -= 1;
                take(row).map_err(Early::Failed)?;
            }
            Ok(())
        });
        match each {
            Err(Early::Failed(error)) => Err(error),
            Ok(()) | Err(Early::Enough) => Ok(()),
        }
    }
}

/// Why no more runs are looked at.
enum Early<E> {
    Enough,
    Failed(E),
}

impl<E: From<JournalError>> From<JournalError> for Early<E> {
    fn from(error: JournalError) -> Self {
        Self::Failed(error.into())
    }
}

/// The store for reading; none where none was ever made, which is no error for who asks for all that is there.
pub(crate) fn store(config: &Config) -> Result<Option<Reader>, Problem> {
    cluster::follow(config)?;
    if config.store.path.exists() { session::open_beside(config).map(Some) } else { Ok(None) }
}

/// The stored states that a status may be, and whether the owner decides.
fn status(text: &str) -> Result<(Vec<RunStatus>, Option<bool>), Problem> {
    if text == ABANDONED {
        return Ok((vec![RunStatus::Running, RunStatus::Cancelling], Some(true)));
    }
    let status = RunStatus::from_str(text).map_err(|()| {
        let known: Vec<&str> = RunStatus::ALL.iter().map(|status| status.name()).collect();
        Problem::usage(format!("`{text}` is not a status")).help(format!("one of {ABANDONED}, {}", known.join(", ")))
    })?;
    let driven = matches!(status, RunStatus::Running | RunStatus::Cancelling).then_some(false);
    Ok((vec![status], driven))
}

/// A time: so long ago, a day, or a moment. Without a zone it is in UTC.
pub(crate) fn time(text: &str) -> Result<Timestamp, Problem> {
    if let Ok(ago) = catalog::duration::parse(text) {
        return Ok(Timestamp(SystemClock.now().0.saturating_sub(ago / 1_000_000)));
    }
    let moment = jiff::Timestamp::from_str(text).or_else(|error| {
        let civil = jiff::civil::DateTime::from_str(text).map_err(|_| error)?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
    });
    let millis = moment.ok().and_then(|moment| u64::try_from(moment.as_millisecond()).ok());
    millis.map(Timestamp).ok_or_else(|| {
        Problem::usage(format!("`{text}` is not a time"))
            .help("write `2h` for two hours ago, `2026-05-01` for the beginning of a day in UTC, or `2026-05-01T12:00:00Z`")
    })
}

#[cfg(test)]
mod tests {
    use engine::event::Timestamp;
    use engine::ports::{Clock, SystemClock};

    use super::time;

    #[test]
    fn times_are_days_moments_and_lengths_of_time() {
        assert_eq!(time("1970-01-02").unwrap(), Timestamp(86_400_000));
        assert_eq!(time("1970-01-01T00:00:01Z").unwrap(), Timestamp(1000));
        assert_eq!(time("1970-01-01T01:00:00.5+01:00").unwrap(), Timestamp(500));
        assert_eq!(time("1970-01-01 00:01").unwrap(), Timestamp(60_000));
        let hour_ago = time("1h").unwrap().0;
        assert!(SystemClock.now().0 - hour_ago >= 3_600_000);
        for wrong in ["", "yesterday", "2026-13-01", "1900-01-01", "5", "-1h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
