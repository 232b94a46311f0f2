//! What holds of every formatted text. The formatter's own tests use it too, so it needs nothing but the parser.

use grammar::{FileId, format, parse};

/// The formatted text, after everything that holds of each was checked; nothing of a text with errors.
pub(crate) fn formatted(text: &str) -> Option<String> {
    let before = parse(FileId(0), text);
    let once = match format(text) {
        Ok(once) => once,
        Err(found) => {
            assert_eq!(found, before.diagnostics, "what the parser reports is reported");
            assert!(!found.is_empty(), "a reason why it is not formatted");
            return None;
        }
    };
    let after = parse(FileId(0), &once);
    assert!(after.diagnostics.is_empty(), "{:?}\n--- from\n{text}\n--- to\n{once}", after.diagnostics);
    let comments = |text: &str, file: &grammar::ast::File| -> Vec<String> {
        file.comments.iter().map(|at| text[at.range()].trim_end().to_owned()).collect()
    };
    assert_eq!(comments(text, &before.file), comments(&once, &after.file), "comments, from\n{text}");
    assert_eq!(before.file.without_spans(), after.file.without_spans(), "the tree\n--- from\n{text}\n--- to\n{once}");
    assert_eq!(format(&once).as_ref(), Ok(&once), "formatted twice, from\n{text}");
    let plain = !once.contains("\"\"\"");
    assert!(!plain || once.lines().all(|line| line.trim_end() == line), "blanks at a line's end\n{once}");
    Some(once)
}
