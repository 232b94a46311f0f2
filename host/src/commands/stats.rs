//! `host stats`: how runs and steps went.

use journal::stats::{FlowStats, Stats, StatsFilter, Tally, failure_rate};
use serde_json::{Value, json};

use crate::cli::{Global, StatsArgs, StatsBy};
use crate::commands::selection;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// The percentiles that are printed.
const PERCENTILES: [(&str, u64); 3] = [("p50", 50), ("p90", 90), ("p99", 99)];

/// Prints sums by flow or by node.
pub(crate) fn run(output: Output, global: &Global, args: &StatsArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    if args.by == StatsBy::Store {
        return of_store(output, &config);
    }
    let filter = StatsFilter {
        flow: args.flow.clone(),
        since: args.since.as_deref().map(selection::time).transpose()?,
        until: args.until.as_deref().map(selection::time).transpose()?,
    };
    let stats = match selection::store(&config)? {
        Some(reader) => reader.stats(&filter)?,
        None => Stats::default(),
    };
    let by_node = args.by == StatsBy::Node;
    let document: Value = if by_node {
        stats.nodes.iter().map(|((flow, node), tally)| node_document(flow, node, tally)).collect()
    } else {
        stats.flows.iter().map(|(name, flow)| flow_document(name, flow)).collect()
    };
    output.document(&document, || if by_node { node_table(&stats) } else { flow_table(&stats) });
    Ok(Exit::Done)
}

/// Prints how large the store is, and how it was last cleaned up.
fn of_store(output: Output, config: &Config) -> Result<Exit, Problem> {
    let Some(reader) = selection::store(config)? else {
        output.document(&json!({}), || "no store".to_owned());
        return Ok(Exit::Done);
    };
    let (space, (runs, ended)) = (reader.space()?, reader.run_counts()?);
    let cleaned: Value = reader.cleaned_up()?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let document = json!({
        "file_bytes": space.file,
        "free_bytes": space.free,
        "runs": runs,
        "open": runs - ended.min(runs),
        "cleaned_up": cleaned,
    });
    output.document(&document, || {
        let size = format!("{} KiB, of which {} KiB are free", space.file >> 10, space.free >> 10);
        let open = format!("{runs}, {} of them have not ended", runs - ended.min(runs));
        format!("size        {size}\nruns        {open}\ncleaned up  {}", last_clean_up(&cleaned))
    });
    Ok(Exit::Done)
}

/// A clean-up for people.
fn last_clean_up(noted: &Value) -> String {
    let Some(at) = noted.get("at").and_then(Value::as_str) else { return "never".to_owned() };
    let count = |name: &str| noted.get(name).and_then(Value::as_u64).unwrap_or_default();
    format!("{at}: {} runs, {} blobs, {} results of the cache deleted", count("runs"), count("blobs"), count("cached"))
}

fn flow_document(name: &str, flow: &FlowStats) -> Value {
    let mut durations = serde_json::Map::new();
    for (name, percent) in PERCENTILES {
        durations.insert(name.to_owned(), flow.durations.percentile(percent).into());
    }
    durations.insert("max".to_owned(), (flow.durations.count() > 0).then(|| flow.durations.largest()).into());
    json!({
        "flow": name,
        "runs": flow.runs(),
        "succeeded": flow.succeeded,
        "failed": flow.failed,
        "cancelled": flow.cancelled,
        "open": flow.open,
        "failure_percent": failure_rate(flow.succeeded, flow.failed),
        "duration_ms": durations,
        "attempts": attempts_document(&flow.attempts),
    })
}

fn node_document(flow: &str, node: &str, tally: &Tally) -> Value {
    let mut document = attempts_document(tally);
    if let Value::Object(fields) = &mut document {
        fields.insert("flow".into(), flow.into());
        fields.insert("node".into(), node.into());
    }
    document
}

fn attempts_document(tally: &Tally) -> Value {
    let mut walls = serde_json::Map::new();
    for (name, percent) in PERCENTILES {
        walls.insert(name.to_owned(), tally.walls.percentile(percent).into());
    }
    walls.insert("max".to_owned(), (tally.walls.count() > 0).then(|| tally.walls.largest()).into());
    json!({
        "attempts": tally.attempts(),
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "cancelled": tally.cancelled,
        "outcome_unknown": tally.unknown,
        "retries": tally.retries,
        "cache_hits": tally.hits,
        "failure_percent": failure_rate(tally.succeeded, tally.failed),
        "wall_us": walls,
        "wall_us_sum": tally.wall,
        "fuel": tally.fuel,
        "peak_memory": tally.memory,
    })
}

fn flow_table(stats: &Stats) -> String {
    if stats.flows.is_empty() {
        return "no runs".to_owned();
    }
    let lines = stats.flows.iter().map(|(name, flow)| {
        let duration = |percent| flow.durations.percentile(percent).map_or_else(none, |ms| length(ms.saturating_mul(1000)));
        let longest = flow.durations.largest();
        [
            name.clone(),
            flow.runs().to_string(),
            flow.succeeded.to_string(),
            flow.failed.to_string(),
            flow.cancelled.to_string(),
            flow.open.to_string(),
            percent(failure_rate(flow.succeeded, flow.failed)),
            duration(50),
            duration(90),
            duration(99),
            if flow.durations.count() > 0 { length(longest.saturating_mul(1000)) } else { none() },
            flow.attempts.attempts().to_string(),
            flow.attempts.retries.to_string(),
            flow.attempts.fuel.to_string(),
            memory(flow.attempts.memory),
        ]
    });
    let head = [
        "FLOW",
        "RUNS",
        "OK",
        "FAILED",
        "CANCELLED",
        "OPEN",
        "FAIL%",
        "P50",
        "P90",
        "P99",
        "MAX",
        "ATTEMPTS",
        "RETRIES",
        "FUEL",
        "MEMORY",
    ];
    output::columns(head, lines)
}

fn node_table(stats: &Stats) -> String {
    if stats.nodes.is_empty() {
        return "no attempts".to_owned();
    }
    let lines = stats.nodes.iter().map(|((_, node), tally)| {
        let wall = |percent| tally.walls.percentile(percent).map_or_else(none, length);
        [
            node.clone(),
            tally.attempts().to_string(),
            tally.failed.to_string(),
            percent(failure_rate(tally.succeeded, tally.failed)),
            tally.retries.to_string(),
            tally.hits.to_string(),
            wall(50),
            wall(90),
            wall(99),
            if tally.walls.count() > 0 { length(tally.walls.largest()) } else { none() },
            tally.fuel.to_string(),
            memory(tally.memory),
        ]
    });
    let head = ["NODE", "ATTEMPTS", "FAILED", "FAIL%", "RETRIES", "CACHED", "P50", "P90", "P99", "MAX", "FUEL", "MEMORY"];
    output::columns(head, lines)
}

fn none() -> String {
    "-".to_owned()
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(none, |rate| format!("{rate:.1}"))
}

fn memory(bytes: u64) -> String {
    format!("{} KiB", bytes >> 10)
}

/// A length of time in microseconds, for people: three digits or so.
fn length(micros: u64) -> String {
    let seconds = micros as f64 / 1e6;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", seconds * 1e3),
        1_000_000..60_000_000 => format!("{seconds:.2} s"),
        60_000_000..3_600_000_000 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}
