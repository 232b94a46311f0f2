//! A service that tests start, stop and kill.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::{Printed, Site};
use serde_json::Value;

/// What a test waits for at most before it fails.
const PATIENCE: Duration = Duration::from_secs(90);

/// Looks again and again until there is something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(15));
    }
}

/// `host serve` in a site. Killed when it is dropped.
pub(crate) struct Service<'a> {
    site: &'a Site,
    child: Child,
    log: PathBuf,
}

impl<'a> Service<'a> {
    /// Starts it and waits until it answers.
    pub(crate) fn start(site: &'a Site, args: &[&str]) -> Self {
        Self::spawn(site, site.command(["serve", "--json"].iter().chain(args)))
    }

    /// The same by a command that starts the one that it is given.
    pub(crate) fn start_by(site: &'a Site, wrap: impl FnOnce(&Command) -> Command) -> Self {
        let host = site.command(["serve", "--json"]);
        let mut wrapped = wrap(&host);
        wrapped.current_dir(site.path()).stdin(Stdio::null()).env_remove("FLOWHOST_STORE").env_remove("FLOWHOST_CONFIG");
        Self::spawn(site, wrapped)
    }

    fn spawn(site: &'a Site, mut command: Command) -> Self {
        let number = std::fs::read_dir(site.path()).unwrap().count();
        let log = site.path().join(format!("serve-{number}.log"));
        let child = command
            .env("LLVM_PROFILE_FILE", site.path().join("killed.profraw"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut service = Self { site, child, log };
        eventually("the service answers", || {
            assert!(service.child.try_wait().unwrap().is_none(), "the service ended: {}", service.text());
            service.log().iter().any(|line| line["event"] == "serving").then_some(())
        });
        service
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The lines of its log that are whole.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The first line of its log about something.
    pub(crate) fn logged(&self, event: &str) -> Value {
        eventually(event, || self.log().into_iter().find(|line| line["event"] == event))
    }

    pub(crate) fn status(&self) -> Value {
        self.site.host(["serve", "status", "--json"]).expect(0).json()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it has ended, and gives its exit code.
    pub(crate) fn ended(mut self) -> i32 {
        eventually("the service ends", || self.child.try_wait().unwrap()).code().unwrap_or(-1)
    }

    /// The same, with all that it said.
    pub(crate) fn end(mut self) -> (i32, String) {
        let status = eventually("the service ends", || self.child.try_wait().unwrap());
        (status.code().unwrap_or(-1), self.text())
    }

    /// Submits and gives the run's id.
    pub(crate) fn submit(&self, args: &[&str]) -> String {
        self.site.host(["submit", "--json"].iter().chain(args)).expect(0).json()["run"].as_str().unwrap().to_owned()
    }

    pub(crate) fn wait(&self, run: &str) -> Printed {
        self.site.host(["wait", run, "--json", "--timeout", "80s"])
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All runs of the store, oldest first.
pub(crate) fn runs(site: &Site) -> Vec<Value> {
    let mut runs = site.host(["ps", "--json", "--limit", "100000"]).expect(0).json().as_array().unwrap().clone();
    runs.reverse();
    runs
}

/// Waits until a run waits for something.
pub(crate) fn waiting(site: &Site, run: &str) {
    eventually("the run waits", || runs(site).iter().any(|row| row["id"] == run && row["waiting"].is_string()).then_some(()));
}
