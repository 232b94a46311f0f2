//! Fails on purpose, so that recovery can be tried.

use crate::bindings::exports::flowhost::cashcow::agents::Assignment;
use crate::bindings::flowhost::plugin::failure::{Failure, FailureKind};
use crate::failure;

/// What goes wrong inside the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The vectors are cut off in the middle of a row.
    Damaged,
    /// What the first check sees is off by one in its last digit. The agent fails with this kind; with `error` it still answers.
    Wrong(FailureKind),
}

/// What the assignment says about an attempt: nothing, a fault, or a failure at once.
pub(crate) fn strike(order: &Assignment, number: u32) -> Result<Option<Fault>, Failure> {
    let injected = order.inject.iter().find(|injection| injection.task == order.task && number <= injection.times);
    let Some(kind) = injected.map(|injection| injection.kind) else { return Ok(None) };
    let task = &order.task;
    let message = match kind {
        FailureKind::InvalidInput => return Ok(Some(Fault::Damaged)),
        FailureKind::Calculation | FailureKind::Logic | FailureKind::Error => return Ok(Some(Fault::Wrong(kind))),
        FailureKind::Network => format!("{task}: the rates cannot be fetched: attempt {number} was made to fail"),
        FailureKind::Dependency => format!("{task}: the vectors are missing: attempt {number} was made to fail"),
        FailureKind::Permission => format!("{task}: {}", forbidden()),
        FailureKind::Resource => format!("{task}: {} MiB of memory are used up", hoard()),
        FailureKind::Timeout => {
            sleep();
            format!("{task}: slept for a day")
        }
        FailureKind::Internal => {
            trap();
            format!("{task}: did not trap")
        }
    };
    Err(failure(kind, message))
}

/// The text with a quote that nobody closes in place of its last row.
pub(crate) fn damaged(text: &str) -> String {
    let whole = text.trim_end().rsplit_once('\n').map_or("", |(whole, _)| whole);
    format!("{whole}\n\"cut off")
}

/// The text with its last digit one up, or a question mark behind it.
pub(crate) fn distorted(text: &str) -> String {
    let Some((at, digit)) = text.char_indices().rev().find(|(_, c)| c.is_ascii_digit()) else { return format!("{text}?") };
    let next = digit.to_digit(10).and_then(|digit| char::from_digit((digit + 1) % 10, 10)).unwrap_or('?');
    let (before, after) = text.split_at(at);
    let after: String = after.chars().skip(1).collect();
    format!("{before}{next}{after}")
}

/// Opens a file that nobody granted.
#[cfg(target_arch = "wasm32")]
fn forbidden() -> String {
    match std::fs::File::open("/etc/hosts") {
        Ok(_) => "a file could be opened that was not granted".to_owned(),
        Err(error) => format!("`/etc/hosts` cannot be opened: {error}"),
    }
}

/// Takes memory until there is no more, and says how many MiB it got.
#[cfg(target_arch = "wasm32")]
fn hoard() -> usize {
    const MIB: usize = 1 << 20;
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut piece: Vec<u8> = Vec::new();
        if hoard.try_reserve(1).is_err() || piece.try_reserve_exact(MIB).is_err() {
            return hoard.len();
        }
        // Written to, so that it is there and not only promised.
        piece.push(1);
        hoard.push(std::hint::black_box(piece));
    }
}

#[cfg(target_arch = "wasm32")]
fn sleep() {
    std::thread::sleep(std::time::Duration::from_secs(24 * 60 * 60));
}

#[cfg(target_arch = "wasm32")]
fn trap() {
    std::process::abort();
}

/// Outside of a sandbox nothing is used up and nobody waits.
#[cfg(not(target_arch = "wasm32"))]
fn forbidden() -> String {
    "there is no sandbox".to_owned()
}

#[cfg(not(target_arch = "wasm32"))]
fn hoard() -> usize {
    0
}

#[cfg(not(target_arch = "wasm32"))]
fn sleep() {}

#[cfg(not(target_arch = "wasm32"))]
fn trap() {}

#[cfg(test)]
mod tests {
    use super::{Fault, damaged, distorted, strike};
    use crate::bindings::exports::flowhost::cashcow::agents::{Assignment, Injection};
    use crate::bindings::flowhost::plugin::failure::FailureKind;

    fn order(task: &str, kind: FailureKind, times: u32) -> Assignment {
        let inject = vec![Injection { task: "A1".into(), kind, times }];
        Assignment { task: task.into(), expert: String::new(), inject }
    }

    #[test]
    fn only_the_named_task_and_only_so_often() {
        assert_eq!(strike(&order("A1", FailureKind::Network, 2), 2).unwrap_err().kind, FailureKind::Network);
        assert_eq!(strike(&order("A1", FailureKind::Network, 2), 3), Ok(None));
        assert_eq!(strike(&order("A2", FailureKind::Network, 2), 1), Ok(None));
        assert_eq!(strike(&order("A1", FailureKind::Logic, 1), 1), Ok(Some(Fault::Wrong(FailureKind::Logic))));
        assert_eq!(strike(&order("A1", FailureKind::Dependency, 1), 1).unwrap_err().kind, FailureKind::Dependency);
    }

    #[test]
    fn damage_is_seen() {
        assert!(finance::read(&damaged("a,b\nc,d\n")).is_err());
        assert!(finance::read(&damaged("")).is_err());
        assert_eq!(distorted("2083.33"), "2083.34");
        assert_eq!(distorted("-0.9"), "-0.0");
        assert_eq!(distorted("1 row"), "2 row");
        assert_eq!(distorted("true"), "true?");
    }
}
