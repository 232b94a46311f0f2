//! The other end of the service's socket.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::protocol::{self, Reply, Request};
use super::socket;
use crate::config::Config;
use crate::exit::{Exit, Problem};

/// How long the service may take for an answer where it may have to compile components first.
const LONG: Duration = Duration::from_secs(600);

/// How long it may take to say how it is.
const SHORT: Duration = Duration::from_secs(10);

/// How long somebody waits who only wakes it: it looks by itself within a second.
const MOMENT: Duration = Duration::from_secs(1);

/// A connection to the service of a store.
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
}

/// Where the socket of the service is: named on the command line, else beside the store.
pub(crate) fn socket_path(config: &Config, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| socket::beside(&config.store.path), Path::to_owned)
}

impl Client {
    /// Connects to the service.
    ///
    /// # Errors
    /// There is none, or it is another user's.
    pub(crate) fn connect(config: &Config, named: Option<&Path>) -> Result<Self, Problem> {
        let path = socket_path(config, named);
        socket::check_path(&path)?;
        let stream = UnixStream::connect(&path).map_err(|error| absent(config, &path, &error))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks something and waits for the answer, as long as one to this question may take.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Value, Problem> {
        let line = protocol::request_line(request)?;
        let patience = match request {
            Request::Submit(_) | Request::SessionOpen(_) | Request::SessionClose { .. } | Request::Write { .. } => LONG,
            Request::Status | Request::Stop | Request::Follow { .. } => SHORT,
            Request::Wake => MOMENT,
        };
        let stream = self.stream.get_mut();
        stream.set_read_timeout(Some(patience)).map_err(|error| gone(&error))?;
        stream.set_write_timeout(Some(patience)).map_err(|error| gone(&error))?;
        stream.write_all(line.as_bytes()).map_err(|error| gone(&error))?;
        match self.next()? {
            Reply::Ok(value) => Ok(value),
            Reply::Update(_) | Reply::End(_) => {
                Err(Problem::new(Exit::Store, "the service answered something else than was asked"))
            }
        }
    }

    /// The next line that the service sends.
    pub(crate) fn next(&mut self) -> Result<Reply, Problem> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(0) => Err(gone(&ErrorKind::UnexpectedEof.into())),
            Ok(_) => protocol::reply(&line),
            Err(error) => Err(gone(&error)),
        }
    }

    /// Waits as long as it takes for each line from now on.
    pub(crate) fn wait_for_ever(&self) -> Result<(), Problem> {
        self.stream.get_ref().set_read_timeout(None).map_err(|error| gone(&error))
    }
}

fn absent(config: &Config, path: &Path, error: &std::io::Error) -> Problem {
    let store = config.store.path.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            Problem::new(Exit::Store, format!("the store `{store}` has no service: nobody listens on `{}`", path.display()))
                .help("start one with `host serve`, or run the flow here with `host run`")
        }
        ErrorKind::PermissionDenied => {
            Problem::new(Exit::Store, format!("the socket `{}` belongs to another user's service", path.display()))
        }
        _ => Problem::new(Exit::Store, format!("the service of `{store}` cannot be reached: {error}")),
    }
}

fn gone(error: &std::io::Error) -> Problem {
    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
        return Problem::new(Exit::Store, "the service does not answer: its process is stopped, or has more to do than it can")
            .help("`ps` or `top` show its process; what it acknowledged is in the store");
    }
    Problem::new(Exit::Store, format!("the service went away: {error}"))
        .help("what it acknowledged is in the store; `host ps` shows it, and the next `host serve` goes on with it")
}

/// Tells the service of a store, if there is one, to look again.
pub(crate) fn wake(config: &Config, named: Option<&Path>) {
    if let Ok(mut client) = Client::connect(config, named) {
        drop(client.ask(&Request::Wake));
    }
}
