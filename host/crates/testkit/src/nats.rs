//! NATS servers for tests: one, or a cluster of three, on free ports of the loopback, and a proxy that breaks connections.
//!
//! Each server has a folder and a process of its own, which ends with the value that stands for it, also when the test fails.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test says where")]

mod program;
mod proxy;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub use proxy::{Proxy, Way};

/// What a server may take to be ready before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at what a server says.
const LOOK: Duration = Duration::from_millis(5);

/// A server with JetStream, unless it is configured otherwise.
pub struct Server {
    folder: Arc<TempDir>,
    name: String,
    /// What its configuration says beside ports and folders.
    extra: String,
    port: Option<u16>,
    monitor: Option<u16>,
    child: Option<Child>,
}

impl Server {
    /// A server with JetStream, which forgets its streams with the test.
    ///
    /// # Panics
    /// When there is no nats-server, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::with("jetstream { store_dir: STORE, max_file_store: 4GB }")
    }

    /// A server with this configuration beside ports and folders; `STORE` in it is a folder of its own.
    ///
    /// # Panics
    /// When there is no nats-server, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn with(extra: &str) -> Self {
        let mut server = Self::new(Arc::new(tempfile::tempdir().unwrap()), "single", extra);
        server.launch();
        server.wait_for_ports();
        server
    }

    fn new(folder: Arc<TempDir>, name: &str, extra: &str) -> Self {
        let store = format!("{:?}", folder.path().join(name).display().to_string());
        let extra = extra.replace("STORE", &store);
        Self { folder, name: name.to_owned(), extra, port: None, monitor: None, child: None }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port())
    }

    /// The port for clients.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap()
    }

    /// Ends it as `kill -9` does. Its streams stay.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().unwrap();
        }
    }

    /// Starts it again, on the same ports and with the same streams.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
        self.wait_for_ports();
    }

    /// Stops its process where it is (SIGSTOP), or lets it go on (SIGCONT).
    ///
    /// # Panics
    /// When the signal cannot be sent.
    #[track_caller]
    pub fn hang(&self, stopped: bool) {
        let signal = if stopped { "-STOP" } else { "-CONT" };
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success(), "kill {signal} {pid}");
    }

    /// What its monitoring says at a path such as `/jsz`; none while it does not answer.
    #[must_use]
    pub fn monitor(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.monitor?)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    /// What it has logged since it was last started.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{kind}", self.name))
    }

    #[track_caller]
    fn launch(&mut self) {
        let port = |port: Option<u16>| port.map_or("-1".to_owned(), |port| port.to_string());
        let configuration = format!(
            "listen: \"127.0.0.1:{}\"\nhttp: \"127.0.0.1:{}\"\nserver_name: {}\nports_file_dir: {:?}\n{}\n",
            port(self.port),
            port(self.monitor),
            self.name,
            self.folder.path().display().to_string(),
            self.extra,
        );
        std::fs::write(self.file("conf"), configuration).unwrap();
        let log = File::create(self.file("log")).unwrap();
        let mut command = Command::new(program());
        command.arg("-c").arg(self.file("conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    /// The server writes its ports into a file when it listens on all of them.
    #[track_caller]
    fn wait_for_ports(&mut self) {
        let pid = self.child.as_ref().unwrap().id();
        let ports = self.wait("listens", |server| {
            let files = std::fs::read_dir(server.folder.path()).ok()?;
            let ends = format!("_{pid}.ports");
            let mut files = files.flatten().map(|entry| entry.path());
            let file = files.find(|path| path.to_string_lossy().ends_with(&ends))?;
            serde_json::from_str::<Value>(&std::fs::read_to_string(file).ok()?).ok()
        });
        let port = |kind: &str| ports.get(kind)?.get(0)?.as_str()?.rsplit(':').next()?.parse().ok();
        self.port = port("nats");
        self.monitor = port("monitoring");
        assert!(self.port.is_some() && self.monitor.is_some(), "{ports}");
    }

    /// Looks until there is something to see.
    #[track_caller]
    fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(seen) = look(self) {
                return seen;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || begin.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.file("log")).unwrap_or_default();
                panic!("no nats-server that {what} after {:?} (ended: {ended:?}):\n{log}", begin.elapsed());
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server's program, for tests of who starts it.
///
/// # Panics
/// When there is none.
#[must_use]
#[track_caller]
pub fn program() -> PathBuf {
    program::find().unwrap_or_else(|why| panic!("{why}"))
}

/// Three servers that keep each stream three times.
pub struct Cluster {
    /// The servers.
    pub servers: Vec<Server>,
}

impl Cluster {
    /// Three servers, ready to keep streams.
    ///
    /// # Panics
    /// When there is no nats-server, or they do not find together.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::with("", "")
    }

    /// The same with more in the block that makes them a cluster, and beside it.
    ///
    /// # Panics
    /// When there is no nats-server, or they do not find together.
    #[must_use]
    #[track_caller]
    pub fn with(cluster: &str, beside: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let routes = free_ports(3);
        let list: Vec<_> = routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let server = |(index, port): (usize, &u16)| {
            let extra = format!(
                "jetstream {{ store_dir: STORE, max_file_store: 4GB }}\n\
                 cluster {{ name: tests, listen: \"127.0.0.1:{port}\", routes: [{}]\n{cluster} }}\n{beside}",
                list.join(", ")
            );
            Server::new(Arc::clone(&folder), &format!("s{index}"), &extra)
        };
        let mut servers: Vec<_> = routes.iter().enumerate().map(server).collect();
        servers.iter_mut().for_each(Server::launch);
        servers.iter_mut().for_each(Server::wait_for_ports);
        let mut cluster = Self { servers };
        cluster.wait_until_whole();
        cluster
    }

    /// Where clients connect: all servers.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(Server::url).collect()
    }

    /// The number of the server that leads a stream; none while there is none that answers.
    #[must_use]
    pub fn leader(&self, stream: &str) -> Option<usize> {
        let told = self.servers.iter().find_map(|server| server.monitor("/jsz?streams=true"))?;
        let accounts = told.get("account_details")?.as_array()?;
        let mut streams = accounts.iter().filter_map(|account| account.get("stream_detail")?.as_array()).flatten();
        let found = streams.find(|found| found.get("name").is_some_and(|name| name == stream))?;
        let leader: usize = found.get("cluster")?.get("leader")?.as_str()?.strip_prefix('s')?.parse().ok()?;
        self.servers.get(leader)?.monitor("/healthz").map(|_| leader)
    }

    /// Waits until all servers have found together, and can keep streams.
    ///
    /// # Panics
    /// When they do not.
    #[track_caller]
    pub fn wait_until_whole(&mut self) {
        let count = self.servers.len() as u64;
        for server in &mut self.servers {
            server.wait("is part of a cluster", |server| {
                let meta = server.monitor("/jsz")?.get("meta_cluster")?.clone();
                let leader = meta.get("leader")?.as_str()?;
                let whole = meta.get("cluster_size")?.as_u64()? == count && !leader.is_empty();
                let healthy = server.monitor("/healthz")?.get("status")?.as_str()? == "ok";
                (whole && healthy).then_some(())
            });
        }
    }
}

/// Ports that were free a moment ago: routes have to be known before the servers start.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// The folder that built programs are in: `target` of the workspace.
fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).map(|root| root.join("target")).unwrap_or_default()
}
