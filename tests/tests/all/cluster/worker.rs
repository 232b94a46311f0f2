//! A process that runs steps of others, which tests start, stop and kill.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use e2e::Site;
use serde_json::Value;

use crate::service::eventually;

/// `host worker` in a site. Killed when it is dropped.
pub(crate) struct Worker {
    child: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts it and waits until it works.
    pub(crate) fn start(site: &Site, servers: &str, args: &[&str]) -> Self {
        let number = std::fs::read_dir(site.path()).unwrap().count();
        let log = site.path().join(format!("worker-{number}.log"));
        let mut command: Command = site.command(["worker", "--json", "--nats", servers].iter().chain(args));
        command.env("LLVM_PROFILE_FILE", site.path().join("killed.profraw")).stdout(Stdio::null());
        let child = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        let worker = Self { child, log };
        eventually("the worker works", || worker.logged("working"));
        worker
    }

    /// The first line of its log about something.
    pub(crate) fn logged(&self, event: &str) -> Option<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| line["event"] == event)
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Stops it, and gives how many steps it has run.
    pub(crate) fn stop(mut self) -> u64 {
        self.signal("-TERM");
        let status = eventually("the worker ends", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0));
        self.logged("stopped").unwrap()["steps"].as_str().unwrap().parse().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
