//! Plans for people and tools: a table, Mermaid, Graphviz and JSON.

#![expect(clippy::indexing_slicing, reason = "tables of a plan are indexed by typed ids that come from it")]

mod critical;
mod difference;
mod dot;
mod json;
mod mermaid;
mod names;
mod steps;
mod table;

pub use critical::{critical_path, leaves, roots};
pub use difference::{Change, Field, What, difference};
pub(crate) use steps::{Step, steps};

use crate::plan::Plan;

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text for a terminal: each node on a line, then a summary.
    Table,
    /// A Mermaid flowchart, a subgraph for each region.
    Mermaid,
    /// Graphviz, a cluster for each region.
    Dot,
    /// Everything, for tools.
    Json,
}

/// The plan in that format, with a newline at its end.
#[must_use]
pub fn render(plan: &Plan, format: Format) -> String {
    match format {
        Format::Table => table::table(plan),
        Format::Mermaid => mermaid::mermaid(plan),
        Format::Dot => dot::dot(plan),
        Format::Json => json::json(plan),
    }
}
