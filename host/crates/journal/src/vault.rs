//! Values that a run has put out of memory: files beside the store that have no name.
//!
//! What is in them is in the journal as well, so nothing of them has to outlive the process. Each is written once, from its
//! beginning to its end, and its space is given back when no value in it is used any more.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use catalog::packed::{pack, unpack};
use catalog::{Held, Hold, Value};
use engine::ports::Vault;

/// A file that has so many bytes gets no more.
const SEGMENT: u64 = 64 << 20;

/// So many bytes wait in memory for a write.
const BUFFER: usize = 256 << 10;

/// The files of a store's runs.
#[derive(Debug)]
pub(crate) struct Segments {
    store: PathBuf,
    current: Mutex<Option<Arc<Segment>>>,
}

/// Files of this process are told apart by a number.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Segments {
    pub(crate) fn beside(store: &Path) -> Self {
        Self { store: store.to_owned(), current: Mutex::default() }
    }

    /// Writes bytes to the end of the current file; gives the file and where they are in it.
    fn put(&self, bytes: &[u8]) -> std::io::Result<(Arc<Segment>, u64)> {
        let mut current = locked(&self.current);
        let segment = match &*current {
            Some(segment) => Arc::clone(segment),
            None => Arc::new(Segment { file: self.file()?, tail: Mutex::default() }),
        };
        let (at, goes_on) = segment.append(bytes);
        *current = goes_on.then(|| Arc::clone(&segment));
        Ok((segment, at))
    }

    /// A file that is gone with its last user.
    fn file(&self) -> std::io::Result<File> {
        let mut path = self.store.as_os_str().to_owned();
        path.push(format!("-held-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
        // One that a dead process with the same id left behind is nobody's.
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    }
}

/// A file without a name.
#[derive(Debug)]
struct Segment {
    file: File,
    tail: Mutex<Tail>,
}

/// What is not written yet.
#[derive(Debug, Default)]
struct Tail {
    /// Where it belongs in the file.
    from: u64,
    bytes: Vec<u8>,
}

impl Segment {
    /// Adds bytes, which are in the buffer together or in the file together. Gives where, and whether more may follow.
    fn append(&self, bytes: &[u8]) -> (u64, bool) {
        let mut tail = locked(&self.tail);
        let at = tail.from + tail.bytes.len() as u64;
        tail.bytes.extend_from_slice(bytes);
        let end = at + bytes.len() as u64;
        if tail.bytes.len() < BUFFER && end < SEGMENT {
            return (at, true);
        }
        match self.file.write_all_at(&tail.bytes, tail.from) {
            Ok(()) => {
                tail.from = end;
                tail.bytes = Vec::new();
                (at, end < SEGMENT)
            }
            // No space: what is here stays in memory.
            Err(_) => (at, false),
        }
    }

    fn read(&self, at: u64, length: usize) -> std::io::Result<Vec<u8>> {
        let tail = locked(&self.tail);
        if let Some(begin) = at.checked_sub(tail.from) {
            let begin = usize::try_from(begin).unwrap_or(usize::MAX);
            let found = tail.bytes.get(begin..begin.saturating_add(length)).map(<[u8]>::to_vec);
            return found.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into());
        }
        drop(tail);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a run puts away.
#[derive(Debug)]
pub(crate) struct RunVault {
    segments: Arc<Segments>,
    trouble: Arc<OnceLock<String>>,
}

impl RunVault {
    pub(crate) fn over(segments: Arc<Segments>) -> Self {
        Self { segments, trouble: Arc::default() }
    }
}

impl Vault for RunVault {
    fn put(&self, value: Value) -> Value {
        let mut packed = Vec::new();
        pack(&value, &mut packed);
        let Ok((segment, at)) = self.segments.put(&packed) else { return value };
        let (size, document) = (value.size(), value.is_document());
        let (length, sum, trouble) = (packed.len(), checksum(&packed), Arc::clone(&self.trouble));
        Value::Held(Held::new(Arc::new(Slip { segment, at, length, sum, size, document, trouble })))
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.get().cloned()
    }
}

/// Where a value is.
struct Slip {
    segment: Arc<Segment>,
    at: u64,
    length: usize,
    sum: u64,
    size: u64,
    document: bool,
    trouble: Arc<OnceLock<String>>,
}

impl Hold for Slip {
    fn size(&self) -> u64 {
        self.size
    }

    fn is_document(&self) -> bool {
        self.document
    }

    fn open(&self) -> Value {
        let read = self.segment.read(self.at, self.length).map_err(|error| error.to_string());
        let value = read.and_then(|packed| {
            let whole = checksum(&packed) == self.sum;
            whole.then(|| unpack(&packed)).flatten().ok_or_else(|| "it was changed".to_owned())
        });
        value.unwrap_or_else(|what| {
            let text = format!("a value that was put out of memory cannot be read again: {what}; the journal is whole");
            drop(self.trouble.set(text));
            Value::Unit
        })
    }
}

/// Tells whether bytes are the same again (FNV-1a).
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    use catalog::Value;
    use engine::ports::Vault;

    use super::{BUFFER, RunVault, Segments};

    fn text(number: usize) -> Value {
        Value::string(format!("{number} {}", "x".repeat(1000)))
    }

    #[test]
    fn values_come_back_from_the_buffer_and_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let segments = Arc::new(Segments::beside(&folder.path().join("store")));
        let vault = RunVault::over(Arc::clone(&segments));
        let count = BUFFER / 1000 * 3 + 10;
        let held: Vec<Value> = (0..count).map(|number| vault.put(text(number))).collect();
        for (number, held) in held.iter().enumerate() {
            assert!(held.has_held());
            assert_eq!(held.size(), text(number).size());
            assert_eq!(*held, text(number));
        }
        let nested = vault.put(Value::list(held));
        assert_eq!(nested, Value::list((0..count).map(text)));
        assert!(!nested.opened().has_held(), "what is read has no further parts elsewhere");
        assert_eq!(vault.trouble(), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn a_lost_value_is_noted_for_its_run() {
        let folder = tempfile::tempdir().unwrap();
        let segments = Arc::new(Segments::beside(&folder.path().join("store")));
        let (vault, other) = (RunVault::over(Arc::clone(&segments)), RunVault::over(Arc::clone(&segments)));
        let held = vault.put(Value::string("x".repeat(BUFFER)));
        let segment = segments.current.lock().unwrap().clone().unwrap();
        segment.file.write_all_at(b"?", 100).unwrap();
        assert_eq!(held.clone().opened(), Value::Unit);
        assert!(vault.trouble().unwrap().ends_with("cannot be read again: it was changed; the journal is whole"));
        segment.file.set_len(10).unwrap();
        assert_eq!(held.opened(), Value::Unit);
        assert_eq!(other.trouble(), None);
    }

    #[test]
    fn without_a_place_values_stay_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let vault = RunVault::over(Arc::new(Segments::beside(&folder.path().join("missing").join("store"))));
        let value = vault.put(text(1));
        assert!(!value.has_held());
        assert_eq!(value, text(1));
    }
}
