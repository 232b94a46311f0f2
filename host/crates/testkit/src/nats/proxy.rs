//! A TCP proxy between a client and a server, for tests of connections that break.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What becomes of the bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// They go through.
    #[default]
    Open,
    /// They go through a few at a time, as for one who reads slowly.
    Slow,
    /// They wait.
    Held,
    /// They get lost. A connection that lost some is cut before anything else goes through it.
    Lost,
}

/// How long a thread waits for bytes before it looks at its orders again.
const LOOK: Duration = Duration::from_millis(2);

/// How many bytes go through a slow way at a time, and how often.
const SLOW: (usize, Duration) = (1024, Duration::from_millis(25));

/// The proxy. Its threads end with it.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    server: u16,
    orders: Mutex<Orders>,
}

#[derive(Default)]
struct Orders {
    ended: bool,
    /// New connections are closed at once.
    closed: bool,
    requests: Way,
    answers: Way,
    connections: Vec<(TcpStream, TcpStream)>,
}

impl Proxy {
    /// A proxy before the server at this port of the loopback.
    #[must_use]
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { server, orders: Mutex::default() });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &accepting));
        Self { port, shared, thread: Some(thread) }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// What becomes of what clients send, and of what the server sends.
    pub fn set(&self, requests: Way, answers: Way) {
        self.shared.with(|orders| (orders.requests, orders.answers) = (requests, answers));
    }

    /// Cuts all connections; new ones go through.
    pub fn cut(&self) {
        self.shared.with(Orders::cut);
    }

    /// Cuts all connections and refuses new ones, until it is opened again.
    pub fn close(&self, closed: bool) {
        self.shared.with(|orders| {
            orders.closed = closed;
            orders.cut();
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.with(|orders| {
            orders.ended = true;
            orders.cut();
        });
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has told so.
            let _ = thread.join();
        }
    }
}

impl Orders {
    fn cut(&mut self) {
        for (client, server) in self.connections.drain(..) {
            // They may be closed already.
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut Orders) -> T) -> T {
        change(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    while !shared.with(|orders| orders.ended) {
        match listener.accept() {
            Ok((client, _)) => threads.extend(connect(client, shared).into_iter().flatten()),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
    for thread in threads {
        // A thread that panicked has told so.
        let _ = thread.join();
    }
}

/// Two threads, one for each direction; none when the connection does not come about.
fn connect(client: TcpStream, shared: &Arc<Shared>) -> Option<[JoinHandle<()>; 2]> {
    client.set_nonblocking(false).ok()?;
    if shared.with(|orders| orders.closed) {
        return None;
    }
    let server = TcpStream::connect(("127.0.0.1", shared.server)).ok()?;
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(LOOK)).ok()?;
    }
    let pair = (client.try_clone().ok()?, server.try_clone().ok()?);
    shared.with(|orders| orders.connections.push(pair));
    let forward = (client.try_clone().ok()?, server.try_clone().ok()?, Arc::clone(shared));
    let back = (server, client, Arc::clone(shared));
    Some([
        std::thread::spawn(move || copy(forward.0, forward.1, &forward.2, |orders| orders.requests)),
        std::thread::spawn(move || copy(back.0, back.1, &back.2, |orders| orders.answers)),
    ])
}

fn copy(mut from: TcpStream, mut to: TcpStream, shared: &Shared, way: impl Fn(&Orders) -> Way) {
    let mut buffer = [0; 65_536];
    let mut lost = false;
    loop {
        let now = shared.with(|orders| way(orders));
        if now == Way::Held {
            if shared.with(|orders| orders.ended || orders.connections.is_empty()) {
                break;
            }
            std::thread::sleep(LOOK);
            continue;
        }
        let most = if now == Way::Slow { SLOW.0 } else { buffer.len() };
        let count = match from.read(buffer.get_mut(..most).unwrap_or_default()) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        if now == Way::Slow {
            std::thread::sleep(SLOW.1);
        }
        // What is read after the order was given is under it.
        let now = shared.with(|orders| way(orders));
        lost |= now == Way::Lost;
        if now == Way::Lost {
            continue;
        }
        if lost || to.write_all(buffer.get(..count).unwrap_or_default()).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
