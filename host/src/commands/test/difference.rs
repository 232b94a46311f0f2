//! Two values side by side: in one line each, or line by line where they are long.

use serde_json::Value;

/// A text that is longer is shown line by line.
const ONE_LINE: usize = 80;
/// Lines around a difference.
const AROUND: usize = 2;
/// More lines of a difference are left out.
const MOST_LINES: usize = 80;
/// Above so many pairs of lines what differs is not aligned.
const MOST_PAIRS: usize = 1_000_000;

/// A line of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Both,
    Left,
    Right,
}

/// Both values as lines with the side that they are on.
pub(super) fn of(left: &Value, right: &Value) -> Vec<(Side, String)> {
    let (short_left, short_right) = (left.to_string(), right.to_string());
    if short_left.len() <= ONE_LINE && short_right.len() <= ONE_LINE {
        return vec![(Side::Left, short_left), (Side::Right, short_right)];
    }
    let (a, b) = (text(left), text(right));
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    shorten(&aligned(&a, &b))
}

/// A text as it is, everything else as JSON over several lines.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => text.clone(),
        other => format!("{other:#}"),
    }
}

/// The lines of both in order: what is the same once, what differs left before right.
fn aligned<'t>(a: &[&'t str], b: &[&'t str]) -> Vec<(Side, &'t str)> {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (head, a, b) = (a.get(..same).unwrap_or(&[]), a.get(same..).unwrap_or(&[]), b.get(same..).unwrap_or(&[]));
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, end) = a.split_at(a.len() - tail);
    let b = b.get(..b.len() - tail).unwrap_or(&[]);
    let mut lines: Vec<(Side, &str)> = head.iter().map(|line| (Side::Both, *line)).collect();
    if a.len().saturating_mul(b.len()) > MOST_PAIRS {
        lines.extend(a.iter().map(|line| (Side::Left, *line)));
        lines.extend(b.iter().map(|line| (Side::Right, *line)));
    } else {
        align(a, b, &mut lines);
    }
    lines.extend(end.iter().map(|line| (Side::Both, *line)));
    lines
}

/// Aligns by the longest common subsequence.
fn align<'t>(a: &[&'t str], b: &[&'t str], lines: &mut Vec<(Side, &'t str)>) {
    let width = b.len() + 1;
    // The length of what both have in common from a pair of lines on.
    let mut common = vec![0_u32; (a.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, left) in a.iter().enumerate().rev() {
        for (j, right) in b.iter().enumerate().rev() {
            let length =
                if left == right { at(&common, i + 1, j + 1) + 1 } else { at(&common, i + 1, j).max(at(&common, i, j + 1)) };
            if let Some(slot) = common.get_mut(i * width + j) {
                *slot = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (a.get(i), b.get(j)) {
            (None, None) => return,
            (Some(left), Some(right)) if left == right => {
                lines.push((Side::Both, left));
                (i, j) = (i + 1, j + 1);
            }
            (Some(left), right) if right.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                lines.push((Side::Left, left));
                i += 1;
            }
            (_, Some(right)) => {
                lines.push((Side::Right, right));
                j += 1;
            }
            (Some(_), None) => return,
        }
    }
}

/// Leaves out what is the same and far from any difference.
fn shorten(lines: &[(Side, &str)]) -> Vec<(Side, String)> {
    let near = |at: usize| {
        let around = lines.get(at.saturating_sub(AROUND)..lines.len().min(at + AROUND + 1)).unwrap_or(&[]);
        around.iter().any(|(side, _)| *side != Side::Both)
    };
    let mut shown = Vec::new();
    let mut skipped = false;
    for (at, (side, line)) in lines.iter().enumerate() {
        if shown.len() >= MOST_LINES {
            shown.push((Side::Both, format!("… {} more lines", lines.len() - at)));
            break;
        }
        if near(at) {
            shown.push((*side, (*line).to_owned()));
        } else if !skipped {
            shown.push((Side::Both, "…".to_owned()));
        }
        skipped = !near(at);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{Side, of};
    use serde_json::json;

    fn shown(left: &serde_json::Value, right: &serde_json::Value) -> String {
        let sign = |side| match side {
            Side::Both => ' ',
            Side::Left => '-',
            Side::Right => '+',
        };
        of(left, right).into_iter().map(|(side, line)| format!("{}{line}\n", sign(side))).collect()
    }

    #[test]
    fn short_values_stand_in_one_line() {
        assert_eq!(shown(&json!("a"), &json!(3)), "-\"a\"\n+3\n");
    }

    #[test]
    fn long_values_are_compared_line_by_line() {
        let numbers = |skip: u32| json!((0..40).filter(|n| *n != skip).collect::<Vec<_>>());
        assert_eq!(
            shown(&numbers(10), &numbers(30)),
            " …\n   8,\n   9,\n+  10,\n   11,\n   12,\n …\n   28,\n   29,\n-  30,\n   31,\n   32,\n …\n"
        );
        let text = |word: &str| json!(format!("{}\n{word}\nlast", "one line that is long enough ".repeat(4).trim_end()));
        assert!(shown(&text("left"), &text("right")).ends_with("\n-left\n+right\n last\n"));
    }
}
