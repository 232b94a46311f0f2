//! The board as a tree of at most [`MAX_LINES`] lines.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::board::{Board, Counts, Group};

/// Lines of the tree, with its head and what stands below it.
pub(super) const MAX_LINES: usize = 20;

/// Characters of a line.
const MAX_WIDTH: usize = 100;

/// Turns of the wheel in a second.
const WHEEL: [&str; 8] = ["⣾", "⣽", "⣻", "⢿", "⡿", "⣟", "⣯", "⣷"];

/// The whole tree, without a newline at its end.
pub(super) fn render(board: &Board, now: Instant) -> String {
    let mut lines = vec![head(board, now)];
    let mut below: Vec<String> = board.problems().iter().map(|line| format!("  ✗ {line}")).collect();
    if board.active() {
        below.extend(board.pauses(now).iter().map(|pause| format!("  ↻ {}", pause.describe(now))));
        below.extend(board.log().map(|line| format!("  › {line}")));
        below.extend(board.waiting().map(|what| format!("  waiting: {what}")));
    }
    let room = MAX_LINES.saturating_sub(below.len() + 2);
    rows(board.groups(), room, now, &mut lines);
    lines.append(&mut below);
    lines.iter().map(|line| clip(line)).collect::<Vec<_>>().join("\n")
}

fn head(board: &Board, now: Instant) -> String {
    let mut all = Counts::default();
    board.groups().iter().for_each(|group| all.add(group.counts));
    let elapsed = board.elapsed(now);
    let turn = usize::try_from(elapsed.as_millis() / 125).unwrap_or(0) % WHEEL.len();
    let sign = if board.active() { WHEEL.get(turn).copied().unwrap_or_default() } else { sign(all) };
    let counts = if board.groups().is_empty() { "no step has started".to_owned() } else { all.describe() };
    format!("{sign} {counts}  {}", time(elapsed))
}

/// A row for each group, or for the most telling ones and one more for the rest.
fn rows(groups: &[Group], room: usize, now: Instant, lines: &mut Vec<String>) {
    let mut shown: Vec<usize> = (0..groups.len()).collect();
    if groups.len() > room {
        // What runs comes first, then what failed, then what began last.
        shown.sort_by_key(|index| {
            let counts = groups.get(*index).map(|group| group.counts).unwrap_or_default();
            (counts.running == 0, counts.failed == 0, std::cmp::Reverse(*index))
        });
    }
    let mut folded = shown.split_off(shown.len().min(room));
    shown.sort_unstable();
    let shown: Vec<&Group> = shown.into_iter().filter_map(|index| groups.get(index)).collect();
    let width = shown.iter().map(|group| group.name.chars().count()).max().unwrap_or(0).min(48);
    for group in shown {
        let mut line = format!("  {} {:width$}", sign(group.counts), group.name);
        let _ = write!(line, "  {}  {}", group.counts.describe(), time(group.elapsed(now)));
        lines.push(line);
    }
    if !folded.is_empty() {
        let mut rest = Counts::default();
        let count = folded.len();
        folded.drain(..).filter_map(|index| groups.get(index)).for_each(|group| rest.add(group.counts));
        lines.push(format!("  … and {count} more: {}", rest.describe()));
    }
}

const fn sign(counts: Counts) -> &'static str {
    match counts {
        Counts { running: 1.., .. } => "●",
        Counts { failed: 1.., .. } => "✗",
        Counts { done: 0, .. } => "○",
        _ => "✓",
    }
}

fn clip(line: &str) -> String {
    match line.char_indices().nth(MAX_WIDTH - 1) {
        Some((end, _)) if line.chars().count() > MAX_WIDTH => format!("{}…", line.get(..end).unwrap_or_default()),
        _ => line.to_owned(),
    }
}

/// A length of time for people: `0.4s`, `3m 12s`, `1h 05m`.
pub(super) fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64().min(59.9)),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}
