//! Plugin `report`: the pieces of a digest as Markdown.

mod bindings;
mod markdown;
mod tally;

use bindings::exports::flowhost::report::api::{Guest, Pieces, SkippedFile, Tally};

struct Plugin;

impl Guest for Plugin {
    fn count_skipped(files: Vec<SkippedFile>) -> Vec<Tally> {
        tally::count(&files)
    }

    fn markdown(pieces: Pieces) -> String {
        markdown::render(&pieces)
    }
}
