//! Starts the real `host` binary in a folder of its own, as a user would.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test says where")]

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a command may take at most before the test kills it and fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a store of its own, in which `host` is started.
pub struct Site {
    folder: tempfile::TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Printed {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Printed {
    /// Fails the test, with everything that was printed, unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not JSON: {error}\n{}\n{}", self.out, self.err))
    }
}

/// The project's folder.
#[must_use]
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

/// The `host` binary of the same build as this test.
///
/// # Panics
/// When it was not built: `cargo xtask test` does so.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let found = test.ancestors().map(|folder| folder.join("host")).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("the host binary is not built; run `cargo xtask test`"))
}

/// A shipped or testing component, built by `cargo xtask plugins`.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn component(name: &str) -> PathBuf {
    let path = project().join("plugins/dist").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing; run `cargo xtask plugins`", path.display());
    path
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    /// An empty folder.
    ///
    /// # Panics
    /// When the disk is not writable.
    #[must_use]
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with the folders above it.
    ///
    /// # Panics
    /// When the disk is not writable.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes a flow; `{plugins}` in it becomes the folder of the built components.
    ///
    /// # Panics
    /// When the disk is not writable.
    pub fn flow(&self, name: &str, text: &str) -> PathBuf {
        let dist = project().join("plugins/dist");
        self.write(name, text.replace("{plugins}", &dist.to_string_lossy()))
    }

    /// A command that is ready to be started here.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(binary());
        command.args(args).current_dir(self.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Neither the user's settings nor those of the build that tests run in may reach the binary and the plugins it builds.
        for variable in [
            "FLOWHOST_STORE",
            "FLOWHOST_CONFIG",
            "FLOWHOST_NATS",
            "TRACEPARENT",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
        ] {
            command.env_remove(variable);
        }
        command.env("NO_COLOR", "1").env("CARGO_TARGET_DIR", project().join("target/e2e-plugins"));
        command
    }

    /// Starts `host` to be killed; what it prints is not read.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn victim<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        let mut command = self.command(args);
        // What a killed process measured of itself may be half written; nobody is to count it.
        command.env("LLVM_PROFILE_FILE", self.path().join("killed.profraw")).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Runs `host` with these arguments to its end.
    ///
    /// # Panics
    /// When it cannot be started or does not end in time.
    pub fn host<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Printed {
        finish(self.command(args).spawn().unwrap())
    }
}

/// Waits for a child and collects what it prints; one that hangs is killed and fails the test.
///
/// # Panics
/// When it does not end in time.
pub fn finish(mut child: Child) -> Printed {
    let out = collect(child.stdout.take());
    let err = collect(child.stderr.take());
    let status = wait(&mut child);
    let printed = Printed { code: status.and_then(|status| status.code()).unwrap_or(-1), out: join(out), err: join(err) };
    assert!(status.is_some(), "still running after {PATIENCE:?}\n{}\n{}", printed.out, printed.err);
    printed
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn join(thread: std::thread::JoinHandle<String>) -> String {
    thread.join().unwrap_or_default()
}
