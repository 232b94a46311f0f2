//! The node that somebody means: by its path, the end of it, its beginning, or a part of it.

use std::collections::BTreeSet;

use engine::core::{Missing, plan_paths};

use super::Known;
use crate::exit::Problem;

/// So many paths of the plan, and of what is under way, are looked at.
const MOST: usize = 20_000;

/// So many are shown.
const SHOWN: usize = 8;

/// The path that is meant.
pub(super) fn resolve(known: &Known, text: &str) -> Result<String, Problem> {
    if known.run.explain_node(text).is_ok() {
        return Ok(text.to_owned());
    }
    let paths = paths(known);
    let ways: [fn(&str, &str) -> bool; 3] =
        [|path, text| path.ends_with(&format!("/{text}")), |path, text| path.starts_with(text), |path, text| path.contains(text)];
    for fits in ways {
        let found: Vec<&String> = paths.iter().filter(|path| fits(path, text)).collect();
        match found.as_slice() {
            [] => {}
            [only] => return Ok((*only).clone()),
            // A node and what is in it: the node is meant.
            [first, rest @ ..] if rest.iter().all(|path| is_in(path, first)) => return Ok((*first).clone()),
            many => return Err(ambiguous(text, many)),
        }
    }
    Err(not_found(known, text, &paths))
}

/// All paths that are known of: of the plan, of what is under way, of what was.
fn paths(known: &Known) -> BTreeSet<String> {
    let (past, open) = (known.history.paths().map(str::to_owned), known.run.open_paths(MOST));
    let concrete: BTreeSet<String> = past.chain(open.iter().map(ToString::to_string)).filter(|path| !path.is_empty()).collect();
    // An item that is there says more than the place for it.
    let seen: BTreeSet<String> = concrete.iter().map(|path| pattern(path)).collect();
    let planned = plan_paths(&known.run.plan(), MOST).into_iter().filter(|path| !seen.contains(path));
    planned.chain(concrete.iter().cloned()).collect()
}

/// A path with `[*]` in place of numbers.
fn pattern(path: &str) -> String {
    let mut text = String::new();
    for (index, part) in path.split('[').enumerate() {
        match (index, part.split_once(']')) {
            (0, _) => text.push_str(part),
            (_, Some((_, rest))) => text.push_str(&format!("[*]{rest}")),
            (_, None) => text.push_str(part),
        }
    }
    text
}

fn is_in(path: &str, node: &str) -> bool {
    path.strip_prefix(node).is_some_and(|rest| rest.starts_with(['/', '[', '.']))
}

fn ambiguous(text: &str, found: &[&String]) -> Problem {
    let more = if found.len() > SHOWN { format!(", and {} more", found.len() - SHOWN) } else { String::new() };
    let shown: Vec<String> = found.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
    Problem::usage(format!("`{text}` may mean several nodes")).help(format!("{}{more}", shown.join(", ")))
}

fn not_found(known: &Known, text: &str, paths: &BTreeSet<String>) -> Problem {
    let problem = Problem::usage(format!("run `{}` has no node `{text}`", known.row.id));
    let ends = paths.iter().filter_map(|path| path.rsplit('/').next());
    let close = lang::closest(text, paths.iter()).or_else(|| lang::closest(text.rsplit('/').next().unwrap_or(text), ends));
    match close {
        Some(close) => problem.help(format!("did you mean `{close}`?")),
        None => match known.run.explain_node(text) {
            Err(missing) if !missing.names.is_empty() => problem.help(listed(&missing)),
            _ => problem,
        },
    }
}

fn listed(missing: &Missing) -> String {
    let names: Vec<String> = missing.names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let place = if missing.known.is_empty() { "there is".to_owned() } else { format!("in `{}` there is", missing.known) };
    format!("{place} {}", names.join(", "))
}

/// A path that leads nowhere after all.
pub(super) fn unknown(known: &Known, text: &str, missing: &Missing) -> Problem {
    Problem::usage(format!("run `{}` has no node `{text}`", known.row.id)).help(listed(missing))
}
