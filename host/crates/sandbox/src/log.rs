//! What a guest says: log lines, progress, and what it writes to its standard output and error.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The longest line that is kept whole.
const MAX_LINE: usize = 8 << 10;

/// The log of an attempt, shared with the streams that write to it.
#[derive(Clone, Debug)]
pub(crate) struct Log(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    lines: Vec<String>,
    /// Bytes that may still be kept.
    room: u64,
    /// Bytes that were not kept.
    dropped: u64,
    /// Lines not ended yet, of standard output and standard error.
    open: [Vec<u8>; 2],
}

impl Log {
    pub(crate) fn new(room: u64) -> Self {
        Self(Arc::new(Mutex::new(Lines { lines: Vec::new(), room, dropped: 0, open: [Vec::new(), Vec::new()] })))
    }

    /// Adds a line with its level.
    pub(crate) fn line(&self, level: &str, text: &str) {
        self.with(|lines| lines.add(level, text));
    }

    /// Ends open lines and takes everything.
    pub(crate) fn take(&self) -> Vec<String> {
        self.with(|lines| {
            lines.end_line(Stream::Out);
            lines.end_line(Stream::Err);
            let mut taken = std::mem::take(&mut lines.lines);
            if lines.dropped > 0 {
                taken.push(format!("({} more bytes of log were dropped)", lines.dropped));
            }
            taken
        })
    }

    fn with<R>(&self, use_lines: impl FnOnce(&mut Lines) -> R) -> R {
        // Lines are whole after each step, so a panic elsewhere does them no harm.
        use_lines(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lines {
    fn add(&mut self, level: &str, text: &str) {
        // The fixed part bounds how many empty lines are kept.
        let size = text.len() as u64 + 16;
        if size > self.room {
            self.dropped = self.dropped.saturating_add(text.len() as u64);
            return;
        }
        self.room -= size;
        self.lines.push(format!("{level}: {text}"));
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            let piece = piece.strip_suffix(b"\n").unwrap_or(piece);
            let open = self.open(stream);
            let fits = piece.len().min(MAX_LINE.saturating_sub(open.len()));
            let (kept, cut) = piece.split_at_checked(fits).unwrap_or((piece, &[]));
            open.extend_from_slice(kept);
            self.dropped = self.dropped.saturating_add(cut.len() as u64);
            if ends {
                self.end_line(stream);
            }
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let open = std::mem::take(self.open(stream));
        if !open.is_empty() {
            self.add(stream.name(), &String::from_utf8_lossy(&open));
        }
    }

    fn open(&mut self, stream: Stream) -> &mut Vec<u8> {
        let [out, err] = &mut self.open;
        match stream {
            Stream::Out => out,
            Stream::Err => err,
        }
    }
}

/// One of the two standard streams of a guest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// A standard stream that ends in a log.
#[derive(Clone)]
pub(crate) struct LogStream(pub(crate) Log, pub(crate) Stream);

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.with(|lines| lines.write(self.1, &bytes));
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.with(|lines| lines.write(self.1, bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, Stream};

    #[test]
    fn streams_become_lines() {
        let log = Log::new(1000);
        log.with(|lines| {
            lines.write(Stream::Out, b"one\ntw");
            lines.write(Stream::Err, b"oops");
            lines.write(Stream::Out, b"o\n\n");
        });
        assert_eq!(log.take(), ["stdout: one", "stdout: two", "stderr: oops"]);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let log = Log::new(40);
        log.line("info", "0123456789");
        log.line("info", "0123456789");
        assert_eq!(log.take(), ["info: 0123456789", "(10 more bytes of log were dropped)"]);
    }
}
