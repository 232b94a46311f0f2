//! Which runs are wanted and in what order, as SQL.

use engine::event::{RunId, Timestamp};
use rusqlite::types::Value;

use super::rows::{RunStatus, UPDATED};

/// Which runs are wanted, and in what order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only those in one of these states; in any when there are none.
    pub statuses: Vec<RunStatus>,
    /// Only those of this flow.
    pub flow: Option<String>,
    /// Only those with all of these labels; without a value, of any value.
    pub labels: Vec<(String, Option<String>)>,
    /// Only those that were started at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that were started before this time.
    pub until: Option<Timestamp>,
    /// Only those with this text in their id, flow, labels, reason, or failure; of ASCII letters the case does not matter.
    pub text: Option<String>,
    /// What comes first.
    pub order: RunOrder,
    /// The other way round.
    pub reverse: bool,
    /// Only those that follow this run in the order.
    pub after: Option<RunId>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// What comes first in a list of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunOrder {
    /// The one that was started last.
    #[default]
    Started,
    /// The one with the latest event.
    Updated,
    /// One that has not ended, then the one that ended last.
    Ended,
    /// The one that took longest, to its end or to its last known change.
    Duration,
    /// By the name of the flow.
    Flow,
    /// By the name of the status.
    Status,
}

impl RunOrder {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Started, Self::Updated, Self::Ended, Self::Duration, Self::Flow, Self::Status];

    /// Its name, as people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Updated => "updated",
            Self::Ended => "ended",
            Self::Duration => "duration",
            Self::Flow => "flow",
            Self::Status => "status",
        }
    }

    /// What is compared, and whether the largest comes first.
    fn key(self) -> (&'static str, bool) {
        match self {
            Self::Started => ("created", true),
            Self::Updated => (UPDATED, true),
            Self::Ended => ("ifnull(ended, 9223372036854775807)", true),
            Self::Duration => ("ifnull(ended, updated) - created", true),
            Self::Flow => ("flow", false),
            Self::Status => ("status", false),
        }
    }
}

impl std::str::FromStr for RunOrder {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|order| order.name() == text).ok_or(())
    }
}

/// What follows `WHERE`, and its values in order.
pub(super) fn condition(filter: &RunFilter) -> (String, Vec<Value>) {
    let mut parts = Parts::default();
    parts.statuses(&filter.statuses);
    parts.add("flow = ?", filter.flow.clone().map(Into::into));
    parts.add("created >= ?", filter.since.map(time));
    parts.add("created < ?", filter.until.map(time));
    for (key, value) in &filter.labels {
        parts.label(key, value.as_deref());
    }
    if let Some(text) = &filter.text {
        parts.text(text);
    }
    let (key, descending) = filter.order.key();
    let descending = descending != filter.reverse;
    if let Some(after) = &filter.after {
        let than = if descending { '<' } else { '>' };
        let follows = format!("({key}, no) {than} (SELECT {key}, no FROM runs WHERE id = ?)");
        parts.add(&follows, Some(after.to_string().into()));
    }
    let direction = if descending { "DESC" } else { "ASC" };
    let limit = i64::try_from(filter.limit.unwrap_or(usize::MAX)).unwrap_or(i64::MAX);
    parts.values.push(limit.into());
    let all = if parts.conditions.is_empty() { "true".to_owned() } else { parts.conditions.join(" AND ") };
    let order = format!("ORDER BY {key} {direction}, no {direction}");
    // Chosen first, so that only what is wanted is read in full.
    (format!("no IN (SELECT no FROM runs WHERE {all} {order} LIMIT ?) {order}"), parts.values)
}

#[derive(Default)]
struct Parts {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Parts {
    fn add(&mut self, condition: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.conditions.push(condition.to_owned());
            self.values.push(value);
        }
    }

    fn statuses(&mut self, statuses: &[RunStatus]) {
        if !statuses.is_empty() {
            let places = vec!["?"; statuses.len()].join(", ");
            self.conditions.push(format!("status IN ({places})"));
            self.values.extend(statuses.iter().map(|status| Value::from(status.name().to_owned())));
        }
    }

    fn label(&mut self, key: &str, value: Option<&str>) {
        let of_value = if value.is_some() { " AND value = ?" } else { "" };
        self.conditions.push(format!("EXISTS (SELECT 1 FROM json_each(labels) WHERE key = ?{of_value})"));
        self.values.push(key.to_owned().into());
        self.values.extend(value.map(|value| Value::from(value.to_owned())));
    }

    fn text(&mut self, text: &str) {
        let pattern = format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let columns = ["id", "flow", "labels", "reason", "failure_kind", "failure_path"];
        let each = columns.map(|column| format!("{column} LIKE ? ESCAPE '\\'"));
        self.conditions.push(format!("({})", each.join(" OR ")));
        self.values.extend(columns.map(|_| Value::from(pattern.clone())));
    }
}

fn time(at: Timestamp) -> Value {
    i64::try_from(at.0).unwrap_or(i64::MAX).into()
}
