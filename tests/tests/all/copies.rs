//! Many runs out of one.

use std::path::Path;
use std::sync::Arc;

use engine::event::RunId;
use engine::ports::Journal;
use journal::{Options, SqliteJournal};

/// Writes the journal of a run again under `copy-0`, `copy-1`, ….
pub(crate) fn multiply(store: &Path, run: &str, count: usize) {
    let journal = SqliteJournal::open(store, &Options::default()).unwrap();
    let events: Arc<[_]> = journal.load(&RunId(run.into())).unwrap().into();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let appends: Vec<_> =
            (0..count).map(|number| journal.append(&RunId(format!("copy-{number}").into()), Arc::clone(&events))).collect();
        for append in appends {
            append.await.unwrap();
        }
    });
}
