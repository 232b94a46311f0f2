//! What steps do to the world, wherever they run: a server to which each of them says by HTTP that it begins, and that its effect
//! has happened.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a request may take that was begun: its sender may be stopped meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server, for as long as the test's process.
pub(crate) struct Outside {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    /// It is not held any more.
    released: Condvar,
}

#[derive(Default)]
struct Seen {
    steps: BTreeMap<String, Step>,
    /// Steps are held, those with an odd number when they have begun, the others when their effect is about to happen.
    holds: bool,
    /// So many are.
    held: usize,
}

/// What was seen of a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    /// The numbers of the attempts that began, and when, in milliseconds of Unix time.
    pub(crate) begun: Vec<(u32, u128)>,
    /// Those whose effect happened.
    pub(crate) done: Vec<u32>,
    /// Those whose effect was refused, because somebody had been told that it had not happened.
    pub(crate) refused: Vec<u32>,
    value: String,
    /// No effect of an attempt up to this one may happen any more.
    closed: u32,
}

impl Outside {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, shared) = (listener.local_addr().unwrap().port(), Arc::<Shared>::default());
        let listening = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&listening);
                // Whoever is stopped in the middle of a request holds up nobody else; one that is killed says nothing more.
                std::thread::spawn(move || answer(&stream.unwrap(), &shared));
            }
        });
        Self { port, shared }
    }

    /// What steps are told of it.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Holds steps in the middle, from now on or not any more.
    pub(crate) fn hold(&self, holds: bool) {
        self.shared.lock().holds = holds;
        self.shared.released.notify_all();
    }

    /// How many steps are held.
    pub(crate) fn held(&self) -> usize {
        self.shared.lock().held
    }

    /// The steps of a run that were seen, by their paths.
    pub(crate) fn of(&self, run: &str) -> BTreeMap<String, Step> {
        let seen = self.shared.lock();
        let own = seen.steps.iter().filter_map(|(key, step)| Some((key.strip_prefix(run)?.strip_prefix('/')?, step)));
        own.map(|(path, step)| (path.to_owned(), step.clone())).collect()
    }

    /// What a step gave whose effect has happened. Where it has not, it will not: attempts up to this one are refused from now on.
    pub(crate) fn ask(&self, run: &str, path: &str, number: u32) -> Option<String> {
        let mut seen = self.shared.lock();
        let step = seen.steps.entry(format!("{run}/{path}")).or_default();
        if step.done.is_empty() {
            step.closed = step.closed.max(number);
            return None;
        }
        Some(step.value.clone())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while_held<'a>(&self, mut seen: MutexGuard<'a, Seen>) -> MutexGuard<'a, Seen> {
        seen.held += 1;
        while seen.holds {
            seen = self.released.wait(seen).unwrap_or_else(PoisonError::into_inner);
        }
        seen.held -= 1;
        seen
    }

    /// Takes what a step says. Gives whether it may go on.
    fn take(&self, what: &str, number: u32, key: &str, value: &str) -> bool {
        let is_odd = value.bytes().last().is_some_and(|digit| digit % 2 == 1);
        let mut seen = self.lock();
        if what == "/begin" {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
            seen.steps.entry(key.to_owned()).or_default().begun.push((number, now));
            if is_odd {
                drop(self.wait_while_held(seen));
            }
            return true;
        }
        assert_eq!(what, "/done");
        if !is_odd {
            seen = self.wait_while_held(seen);
        }
        let step = seen.steps.entry(key.to_owned()).or_default();
        let happens = number > step.closed;
        (if happens { &mut step.done } else { &mut step.refused }).push(number);
        if happens {
            value.clone_into(&mut step.value);
        }
        happens
    }
}

fn answer(mut stream: &TcpStream, shared: &Shared) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let Some((what, text)) = read(stream) else { return };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap();
    let (number, key, value) = (line().parse().unwrap(), line(), line());
    let status = if shared.take(&what, number, key, value) { "204 No Content" } else { "409 Conflict" };
    // Its sender may be gone.
    let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

/// The path and the text of a request; none when its sender went away before it had said all.
fn read(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let line = |reader: &mut BufReader<_>| {
        let mut text = String::new();
        reader.read_line(&mut text).ok().filter(|count| *count > 0).map(|_| text.trim_end().to_owned())
    };
    let path = line(&mut reader)?.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let header = line(&mut reader)?.to_ascii_lowercase();
        match header.split_once(':') {
            Some(("content-length", digits)) => length = digits.trim().parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok()?;
    Some((path, String::from_utf8(bytes).unwrap()))
}
