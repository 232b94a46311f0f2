//! The runs that an order is for.

use std::str::FromStr;

use journal::{Reader, RunFilter, RunRow, RunStatus};

use crate::cli::RunSelection;
use crate::exit::Problem;

/// Those named, then those that fit and have not ended, each once.
pub(super) fn rows(reader: &Reader, selection: &RunSelection) -> Result<Vec<RunRow>, Problem> {
    let mut rows: Vec<RunRow> = selection.runs.iter().map(|run| reader.find(run)).collect::<Result<_, _>>()?;
    if selection.all || selection.label.is_some() || selection.flow.is_some() || selection.status.is_some() {
        let statuses = selection.status.as_deref().map(status).transpose()?.into_iter().collect();
        let labels = selection.label.as_deref().map(label).transpose()?.into_iter().collect();
        let filter = RunFilter { statuses, labels, flow: selection.flow.clone(), ..RunFilter::default() };
        rows.extend(reader.runs(&filter)?.into_iter().filter(|row| !row.status.is_end()));
    }
    let mut known = std::collections::BTreeSet::new();
    rows.retain(|row| known.insert(row.id.clone()));
    Ok(rows)
}

fn label(text: &str) -> Result<(String, Option<String>), Problem> {
    let (key, value) = text.split_once('=').ok_or_else(|| Problem::usage(format!("`--label {text}` has no `=`")))?;
    Ok((key.to_owned(), Some(value.to_owned())))
}

fn status(text: &str) -> Result<RunStatus, Problem> {
    let open = RunStatus::ALL.into_iter().filter(|status| !status.is_end());
    RunStatus::from_str(text).ok().filter(|status| !status.is_end()).ok_or_else(|| {
        let known: Vec<&str> = open.map(RunStatus::name).collect();
        Problem::usage(format!("`{text}` is not a status of runs that have not ended"))
            .help(format!("one of {}", known.join(", ")))
    })
}
