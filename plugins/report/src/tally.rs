//! Counting skipped files by reason.

use crate::bindings::exports::flowhost::report::api::{SkipReason, SkippedFile, Tally};

/// The reasons in the order in which they are counted.
const REASONS: [&str; 7] = ["not UTF-8", "binary", "too large", "unreadable", "symbolic link", "special file", "hidden"];

fn reason(reason: &SkipReason) -> &'static str {
    let [not_utf8, binary, too_large, unreadable, symlink, special, hidden] = REASONS;
    match reason {
        SkipReason::NotUtf8(_) => not_utf8,
        SkipReason::Binary(_) => binary,
        SkipReason::TooLarge(_) => too_large,
        SkipReason::Unreadable(_) => unreadable,
        SkipReason::Symlink => symlink,
        SkipReason::Special => special,
        SkipReason::Hidden => hidden,
    }
}

/// Only reasons that occur.
pub(crate) fn count(files: &[SkippedFile]) -> Vec<Tally> {
    let of = |name: &str| files.iter().filter(|file| reason(&file.reason) == name).count();
    let all = REASONS.iter().map(|name| Tally { reason: (*name).to_owned(), files: u32::try_from(of(name)).unwrap_or(u32::MAX) });
    all.filter(|tally| tally.files > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::count;
    use crate::bindings::exports::flowhost::report::api::{SkipReason, SkippedFile};

    #[test]
    fn reasons_are_counted_in_their_order() {
        let reasons = [SkipReason::Hidden, SkipReason::NotUtf8(3), SkipReason::Symlink, SkipReason::NotUtf8(0)];
        let files: Vec<_> = reasons.into_iter().map(|reason| SkippedFile { path: "x".into(), reason }).collect();
        let found: Vec<_> = count(&files).into_iter().map(|tally| (tally.reason, tally.files)).collect();
        assert_eq!(found, [("not UTF-8".to_owned(), 2), ("symbolic link".to_owned(), 1), ("hidden".to_owned(), 1)]);
        assert!(count(&[]).is_empty());
    }
}
