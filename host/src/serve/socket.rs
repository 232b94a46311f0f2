//! The service's socket. Who may open it is who may write the store; still nothing that comes over it can hurt: lines,
//! connections and waiting are bounded, and what a peer does not read is not kept for it.

use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::event::RunId;
use journal::replica::Change;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::accept::{self, Door};
use super::protocol::{self, MAX_LINE, Request};
use super::service::Event;
use super::{Parts, sessions, submit};
use crate::exit::{Exit, Problem};

/// The longest path of a socket that every Unix takes.
const MAX_PATH: usize = 100;

/// Connections at the same time; further ones wait.
const CONNECTIONS: usize = 128;

/// How long a peer may take for a whole line, in either direction.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connections that follow runs at the same time: the others are for questions.
pub(super) const FOLLOWERS: usize = 64;

/// Updates that wait for a follower; one that falls behind further is let go.
const FOLLOWED: usize = 4096;

/// The place of the socket of a store.
pub(crate) fn beside(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".sock");
    PathBuf::from(name)
}

/// Refuses a path that is too long for a socket.
pub(super) fn check_path(path: &Path) -> Result<(), Problem> {
    let length = path.as_os_str().len();
    if length <= MAX_PATH {
        return Ok(());
    }
    let message = format!("the path of the socket `{}` has {length} bytes, at most {MAX_PATH} are possible", path.display());
    Err(Problem::usage(message).help("name a shorter one with `--socket`, for the service and for its clients"))
}

/// Makes the socket, for this user only. The store's service lock is held, so a socket that is there is a dead one's.
pub(super) fn bind(path: &Path) -> Result<UnixListener, Problem> {
    check_path(path)?;
    let failed =
        |error: std::io::Error| Problem::new(Exit::Store, format!("the socket `{}` cannot be made: {error}", path.display()));
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(Problem::usage(format!("`{}` is there and is no socket", path.display()))
                .help("name another place with `--socket`"));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(Problem::new(Exit::Store, format!("another service listens on the socket `{}`", path.display()))
                .help("name another place with `--socket`"));
        }
        _ => {}
    }
    // It takes its name when nobody else may open it any more.
    let unnamed = path.with_file_name(format!("{:07x}", fastrand::u32(..1 << 28)));
    let listener = UnixListener::bind(&unnamed).map_err(failed)?;
    let named = std::fs::set_permissions(&unnamed, Permissions::from_mode(0o600)).and_then(|()| std::fs::rename(&unnamed, path));
    if let Err(error) = named {
        drop(std::fs::remove_file(&unnamed));
        return Err(failed(error));
    }
    Ok(listener)
}

/// Answers until the service stops. What is asked while it drains is still answered.
pub(super) async fn listen(parts: Arc<Parts>, listener: UnixListener) {
    accept::listen(parts, listener, Door { failed: "socket-failed", connections: CONNECTIONS }, serve).await;
}

/// A line that came, or why none did.
enum Line {
    Text(Vec<u8>),
    TooLong,
    End,
}

async fn serve(parts: Arc<Parts>, stream: UnixStream) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        // One who is silent or slow holds a connection only for a while.
        let Ok(Ok(line)) = tokio::time::timeout(PATIENCE, read_line(&mut reader)).await else { return };
        let answered = match line {
            Line::End => return,
            Line::TooLong => {
                let problem = Problem::usage(format!("the request is longer than {} MiB", MAX_LINE >> 20));
                write(&mut writer, &protocol::answer(&Err(problem))).await;
                return;
            }
            Line::Text(line) => answer(&parts, &line, &mut writer).await,
        };
        if !answered {
            return;
        }
    }
}

async fn read_line(reader: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Line> {
    let mut line = Vec::new();
    let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    reader.take(most.saturating_add(1)).read_until(b'\n', &mut line).await?;
    Ok(match line.last() {
        Some(b'\n') => Line::Text(line),
        _ if line.len() > MAX_LINE => Line::TooLong,
        // The rest of a half request will not come.
        _ => Line::End,
    })
}

/// Whether all of it could be written.
async fn write(writer: &mut OwnedWriteHalf, text: &str) -> bool {
    matches!(tokio::time::timeout(PATIENCE, writer.write_all(text.as_bytes())).await, Ok(Ok(())))
}

/// Answers a request. False: the connection is over.
async fn answer(parts: &Arc<Parts>, line: &[u8], writer: &mut OwnedWriteHalf) -> bool {
    let request = match protocol::request(line) {
        Ok(request) => request,
        Err(problem) => return write(writer, &protocol::answer(&Err(problem))).await,
    };
    let answer = match request {
        Request::Submit(submission) => submit::submit(parts, *submission).await,
        Request::SessionOpen(opening) => sessions::open(parts, *opening).await,
        Request::SessionClose { session } => sessions::close(parts, &session).await,
        Request::Status => status(parts).await,
        Request::Follow { run } => return follow(parts, &run, writer).await,
        Request::Stop => {
            parts.tell(Event::Stop);
            Ok(json!({}))
        }
        Request::Wake => {
            parts.published.notify_one();
            parts.deployed.notify_one();
            parts.sessions.notify_one();
            Ok(json!({}))
        }
        Request::Write { change } => write_change(parts, &change).await,
    };
    write(writer, &protocol::answer(&answer)).await
}

/// Writes what a command wants to be written, wherever that goes.
async fn write_change(parts: &Arc<Parts>, change: &Value) -> Result<Value, Problem> {
    let text = change.to_string();
    let wrong = |why: String| Problem::usage(format!("the change cannot be read: {why}"));
    let change = journal::wire::decode_change(text.as_bytes()).map_err(wrong)?;
    // What a document names was only put into this store.
    if !matches!(change, Change::Mail(_)) {
        let shared = Arc::clone(parts);
        let given = tokio::task::spawn_blocking(move || shared.journal.share(&text)).await;
        given.map_err(|error| Problem::new(Exit::Store, error.to_string()))??;
    }
    parts.journal.write_change(change).await?;
    Ok(json!({}))
}

async fn status(parts: &Parts) -> Result<Value, Problem> {
    let (sender, answer) = oneshot::channel();
    parts.tell(Event::Status(sender));
    answer.await.map_err(|_| Problem::new(Exit::Store, "the service has stopped"))
}

/// Streams what happens to a run that is in memory.
async fn follow(parts: &Parts, run: &str, writer: &mut OwnedWriteHalf) -> bool {
    let Ok(_place) = parts.followers.try_acquire() else {
        let problem = Problem::new(Exit::Store, format!("{FOLLOWERS} clients follow runs of the service already"))
            .help("`host wait` waits for the end of a run without following it");
        return write(writer, &protocol::answer(&Err(problem))).await;
    };
    let (follower, mut updates) = mpsc::channel(FOLLOWED);
    let (sender, known) = oneshot::channel();
    parts.tell(Event::Follow(RunId(run.into()), follower, sender));
    let known = known.await.unwrap_or(false);
    if !write(writer, &protocol::answer(&Ok(json!({ "memory": known })))).await {
        return false;
    }
    while let Some(update) = updates.recv().await {
        if let Some(line) = protocol::update(&update)
            && !write(writer, &line).await
        {
            return false;
        }
    }
    write(writer, &protocol::end("the run has left the memory of the service")).await
}
