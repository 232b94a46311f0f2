//! The NATS servers: the program, their configuration, and when they are ready.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::part::{Lines, Part};
use crate::exit::{Exit, Problem};
use crate::output::Output;

/// The oldest version that is supported.
const OLDEST: (u32, u32) = (2, 12);

/// What the program is called.
const PROGRAM: &str = "nats-server";

/// How long a server may take to answer what its state is.
const ANSWER: Duration = Duration::from_secs(2);

/// How to get the program.
const GET: &str = "get NATS 2.12 or later from https://nats.io/download (one program to put on the PATH; also `brew install nats-server`), or name one with `--nats-server PATH`";

/// Finds the program: the named one, or the one on the path.
///
/// # Errors
/// There is none, or it is too old.
pub(super) fn program(named: Option<&Path>) -> Result<PathBuf, Problem> {
    if let Some(named) = named {
        return match version(named) {
            Ok(version) if version >= OLDEST => Ok(named.to_owned()),
            Ok(version) => Err(Problem::usage(too_old(named, version)).help(GET)),
            Err(why) => Err(Problem::usage(format!("`{}` is no `{PROGRAM}`: {why}", named.display())).help(GET)),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    on_path(std::env::split_paths(&path))
}

fn on_path(folders: impl Iterator<Item = PathBuf>) -> Result<PathBuf, Problem> {
    let mut old = None;
    for program in folders.map(|folder| folder.join(PROGRAM)).filter(|program| program.is_file()) {
        match version(&program) {
            Ok(version) if version >= OLDEST => return Ok(program),
            Ok(version) => old = old.or_else(|| Some(too_old(&program, version))),
            Err(_) => {}
        }
    }
    let why = old.unwrap_or_else(|| format!("there is no `{PROGRAM}` on the PATH"));
    Err(Problem::new(Exit::Store, why).help(GET))
}

fn too_old(program: &Path, (major, minor): (u32, u32)) -> String {
    let (oldest, least) = OLDEST;
    format!("`{}` has version {major}.{minor}, and {oldest}.{least} is the oldest that is supported", program.display())
}

/// Of `nats-server: v2.15.1` the first two numbers.
fn version(program: &Path) -> Result<(u32, u32), String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    parse_version(&text).ok_or_else(|| "it does not say its version".to_owned())
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix(PROGRAM)?.rsplit_once('v')?.1.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A server that was started.
pub(super) struct Server {
    pub(super) part: Part,
    ports: Ports,
}

/// Where a server listens on the loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ports {
    clients: u16,
    monitor: u16,
    routes: u16,
}

impl Server {
    /// Where clients connect.
    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.ports.clients)
    }

    /// Where its state can be read.
    pub(super) fn monitor(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.monitor)
    }

    /// Whether it can keep streams, with all others where there are any.
    pub(super) async fn is_ready(&self, servers: usize) -> bool {
        (servers == 1 || self.has_found(servers).await) && self.is_healthy().await
    }

    async fn is_healthy(&self) -> bool {
        self.ask("/healthz").await.is_some_and(|health| health.get("status").is_some_and(|status| status == "ok"))
    }

    /// Whether it knows all others, and who leads.
    async fn has_found(&self, servers: usize) -> bool {
        let Some(state) = self.ask("/jsz").await else { return false };
        let cluster = |name: &str| state.get("meta_cluster").and_then(|cluster| cluster.get(name));
        let led = cluster("leader").and_then(Value::as_str).is_some_and(|leader| !leader.is_empty());
        led && cluster("cluster_size").and_then(Value::as_u64) == u64::try_from(servers).ok()
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        tokio::time::timeout(ANSWER, get(self.ports.monitor, path)).await.ok()?
    }
}

/// The JSON document at a path of an HTTP server on the loopback.
async fn get(port: u16, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// Starts servers that find together.
///
/// # Errors
/// The folder cannot be written, or the program does not start.
pub(super) fn start(program: &Path, folder: &Path, count: usize, output: Output) -> Result<Vec<Server>, Problem> {
    let ports = free_ports(count).map_err(|error| Problem::new(Exit::Store, format!("there are no free ports: {error}")))?;
    let mut servers = Vec::with_capacity(count);
    for (own, number) in ports.iter().zip(1..) {
        let place = folder.join(format!("server-{number}"));
        let file = place.join("nats.conf");
        let unwritable =
            |error: std::io::Error| Problem::new(Exit::Store, format!("`{}` cannot be written: {error}", file.display()));
        std::fs::create_dir_all(&place).map_err(unwritable)?;
        std::fs::write(&file, configuration(number, &place, *own, &ports)).map_err(unwritable)?;
        servers.push(Server { part: spawn(program, folder, number, output)?, ports: *own });
    }
    Ok(servers)
}

/// Starts the server with this number, counted from 1, as it is configured.
pub(super) fn spawn(program: &Path, folder: &Path, number: usize, output: Output) -> Result<Part, Problem> {
    let place = folder.join(format!("server-{number}"));
    let mut command = Command::new(program);
    command.arg("-c").arg(place.join("nats.conf"));
    Part::start(&format!("server {number}"), &mut command, Lines::Warnings, &place.join("log"), output)
}

fn configuration(number: usize, place: &Path, own: Ports, all: &[Ports]) -> String {
    let Ports { clients, monitor, routes } = own;
    let store = place.join("store");
    let mut text = format!(
        "listen: \"127.0.0.1:{clients}\"\nhttp: \"127.0.0.1:{monitor}\"\nserver_name: server-{number}\n\
         jetstream {{ store_dir: {:?} }}\n",
        store.display().to_string()
    );
    if all.len() > 1 {
        let others: Vec<String> = all.iter().map(|ports| format!("\"nats://127.0.0.1:{}\"", ports.routes)).collect();
        text.push_str(&format!(
            "cluster {{ name: flowhost-dev, listen: \"127.0.0.1:{routes}\", routes: [{}] }}\n",
            others.join(", ")
        ));
    }
    text
}

/// Ports that nobody listens on. They are all held before any is given back, so that none is there twice.
fn free_ports(servers: usize) -> std::io::Result<Vec<Ports>> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let held: Vec<TcpListener> = (0..servers * 3).map(|_| TcpListener::bind(any)).collect::<Result<_, _>>()?;
    let ports: Vec<u16> = held.iter().map(|held| held.local_addr().map(|address| address.port())).collect::<Result<_, _>>()?;
    let of = |ports: &[u16]| match *ports {
        [clients, monitor, routes] => Some(Ports { clients, monitor, routes }),
        _ => None,
    };
    Ok(ports.chunks(3).filter_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::{Ports, configuration, on_path, parse_version, program};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn program_that_says(folder: &Path, text: &str) {
        let path = folder.join("nats-server");
        std::fs::write(&path, format!("#!/bin/sh\necho '{text}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_version_is_read() {
        assert_eq!(parse_version("nats-server: v2.15.1"), Some((2, 15)));
        assert_eq!(parse_version("nats-server: v2.12.0-RC.1"), Some((2, 12)));
        assert_eq!((parse_version("true (coreutils) v9.1"), parse_version("")), (None, None));
    }

    #[test]
    fn the_first_one_that_is_new_enough_is_taken() {
        let (old, new, none) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        program_that_says(old.path(), "nats-server: v2.10.4");
        program_that_says(new.path(), "nats-server: v2.12.0");
        let path = |folders: &[&Path]| on_path(folders.iter().map(|folder| folder.to_path_buf()));
        assert_eq!(path(&[none.path(), old.path(), new.path()]).unwrap(), new.path().join("nats-server"));
        let problem = path(&[none.path(), old.path()]).unwrap_err();
        assert!(problem.message.contains("has version 2.10, and 2.12 is the oldest"), "{problem}");
        let problem = path(&[none.path()]).unwrap_err();
        assert!(problem.message.contains("no `nats-server` on the PATH"), "{problem}");
        assert!(problem.help.unwrap().contains("https://nats.io/download"));
    }

    #[test]
    fn a_named_one_is_taken_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        program_that_says(folder.path(), "nats-server: v2.11.9");
        assert!(program(Some(&folder.path().join("nats-server"))).unwrap_err().message.contains("has version 2.11"));
        assert!(program(Some(&folder.path().join("none"))).unwrap_err().message.contains("is no `nats-server`"));
        assert!(program(Some(Path::new("true"))).unwrap_err().message.contains("does not say its version"));
    }

    #[test]
    fn one_server_is_no_cluster_and_three_know_each_other() {
        let ports: Vec<Ports> = (1..=3).map(|n| Ports { clients: n, monitor: 10 + n, routes: 20 + n }).collect();
        let one = configuration(1, Path::new("/a \"b\""), ports[0], &ports[..1]);
        assert!(!one.contains("cluster") && one.contains(r#"store_dir: "/a \"b\"/store""#), "{one}");
        let three = configuration(2, Path::new("/a"), ports[1], &ports);
        assert!(
            three.contains("listen: \"127.0.0.1:22\"") && three.contains("127.0.0.1:21\", \"nats://127.0.0.1:22\""),
            "{three}"
        );
    }
}
