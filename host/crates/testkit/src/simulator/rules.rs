//! What the rules of steps promise, checked where attempts begin. Names tell the rules: `…_k1` has the key `k1`, `…_p2`
//! starts at most twice in the time of a rate, `budget3/…` is in a block with three steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::generate::RATE_PER;
use super::steps::is_handler;

/// Milliseconds that may pass between the event that lets an attempt start and its beginning: until the event is durable.
const SLACK: u64 = 200;

/// No two steps with a key run at once.
pub(super) fn key_is_free<'a>(running: impl Iterator<Item = &'a Arc<str>>, path: &str) -> Result<(), String> {
    let Some(key) = tail(path, "_k").filter(|_| !is_handler(path)) else { return Ok(()) };
    let mut others = running.filter(|other| &***other != path && !is_handler(other) && tail(other, "_k") == Some(key));
    others.next().map_or(Ok(()), |other| Err(format!("`{path}` began while `{other}` had the key k{key}")))
}

/// What began so far.
#[derive(Default)]
pub(super) struct Limits {
    /// Of each node with a rate: when its attempts began.
    starts: BTreeMap<String, Vec<u64>>,
    /// Of each block with a budget: the attempts in it.
    spent: BTreeMap<String, BTreeSet<(String, u32)>>,
}

impl Limits {
    /// An attempt begins.
    pub(super) fn begin(&mut self, path: &str, number: u32, now: u64) -> Result<(), String> {
        // The rules of a step are not those of what is called around it.
        if is_handler(path) {
            return Ok(());
        }
        if let Some(count) = tail(path, "_p") {
            let starts = self.starts.entry(node_of(path)).or_default();
            starts.retain(|at| now < at + RATE_PER - SLACK);
            starts.push(now);
            if starts.len() as u64 > count {
                return Err(format!("`{path}` started at {now} beyond its rate of {count}: {starts:?}"));
            }
        }
        for (at, _) in path.match_indices("/budget") {
            let (block, inside) = path.get(at + 1..).and_then(|rest| rest.split_once('/')).unwrap_or_default();
            let Some(steps) = block.strip_prefix("budget").and_then(|steps| steps.parse::<usize>().ok()) else { continue };
            let spent = self.spent.entry(path.get(..at).unwrap_or_default().to_owned()).or_default();
            spent.insert((inside.to_owned(), number));
            // What takes an effect back counts, and runs though nothing is left.
            if spent.len() > steps && !path.contains(".undo/") {
                return Err(format!("`{path}`#{number} began though {steps} attempts used the budget up"));
            }
        }
        Ok(())
    }
}

/// The number after a mark in the last part of a path.
fn tail(path: &str, mark: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?;
    let (_, rest) = name.split_once(mark)?;
    rest.split('_').next()?.split(['[', '#']).next()?.parse().ok()
}

/// A path without the numbers of items and iterations: the same for all instances of a node.
fn node_of(path: &str) -> String {
    let parts = path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
    parts.collect()
}
