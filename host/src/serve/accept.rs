//! Takes connections of either kind of listener, so many at a time, each served by a task of its own.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::Parts;

/// After a connection that could not be taken: mostly because too many files are open, of which some will be closed.
const PATIENCE: Duration = Duration::from_millis(200);

/// Where connections come from.
pub(super) trait Accept: Send + 'static {
    /// A connection.
    type Stream: Send + 'static;

    /// The next one.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// What a listener is called in the log when it takes no connections, and how many it serves at the same time.
pub(super) struct Door {
    pub(super) failed: &'static str,
    pub(super) connections: usize,
}

/// Serves connections until it is dropped; those beyond the number wait with the operating system. That none can be
/// taken is said once until one can be taken again.
pub(super) async fn listen<L, F>(parts: Arc<Parts>, listener: L, door: Door, serve: fn(Arc<Parts>, L::Stream) -> F)
where
    L: Accept,
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    let mut failing = false;
    loop {
        tokio::select! {
            accepted = listener.next(), if open.len() < door.connections => match accepted {
                Ok(stream) => {
                    failing = false;
                    open.spawn(serve(Arc::clone(&parts), stream));
                }
                Err(error) => {
                    if !failing {
                        parts.log.problem(door.failed, &[("why", &error.to_string())]);
                    }
                    failing = true;
                    tokio::time::sleep(PATIENCE).await;
                }
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
        }
    }
}
