//! One of the processes, and what it says.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde_json::Value;

use super::process;
use crate::exit::{Exit, Problem};
use crate::output::Output;

/// So many of its last lines are told when it ends unexpectedly.
const LAST: usize = 5;

/// What is done with the lines that a process says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// All are passed on.
    All,
    /// Only what warns, and nothing before it is [heard](Part::hear): servers that look for each other complain much.
    Warnings,
}

/// A process that was started here.
pub(super) struct Part {
    name: String,
    child: Child,
    reader: Option<JoinHandle<()>>,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    last: Mutex<VecDeque<String>>,
    serving: AtomicBool,
    /// Whether its lines are passed on by now.
    heard: AtomicBool,
}

impl Part {
    /// Starts a process whose lines are passed on with its name before them; all of them go to a file as well.
    pub(super) fn start(name: &str, command: &mut Command, lines: Lines, log: &Path, output: Output) -> Result<Self, Problem> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // What the one before it said tells why it is gone.
        let _ = std::fs::rename(log, log.with_extension("old"));
        let file = File::create(log)
            .map_err(|error| Problem::new(Exit::Store, format!("`{}` cannot be written: {error}", log.display())))?;
        let mut child = spawn(name, command)?;
        let said = Arc::new(Said { heard: (lines == Lines::All).into(), ..Said::default() });
        let reader = child.stderr.take().map(|from| {
            let (name, said) = (name.to_owned(), Arc::clone(&said));
            std::thread::spawn(move || read(&name, from, lines, file, &said, output))
        });
        Ok(Self { name: name.to_owned(), child, reader, said })
    }

    /// Starts a process that is told things, and speaks for itself.
    pub(super) fn start_told(name: &str, command: &mut Command) -> Result<(Self, ChildStdin), Problem> {
        let mut child = spawn(name, command)?;
        let Some(tell) = child.stdin.take() else {
            return Err(Problem::new(Exit::Store, format!("{name} cannot be told anything")));
        };
        Ok((Self { name: name.to_owned(), child, reader: None, said: Arc::default() }, tell))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The number of its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// From now on its lines are passed on.
    pub(super) fn hear(&self) {
        self.said.heard.store(true, Ordering::Relaxed);
    }

    /// Whether it has said that it serves.
    pub(super) fn is_serving(&self) -> bool {
        self.said.serving.load(Ordering::Acquire)
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// How this one ended: what it said last tells more than that.
    pub(super) fn last_words(&mut self, status: ExitStatus) -> String {
        if let Some(reader) = self.reader.take() {
            // It ends with the process; one that panicked has told so.
            let _ = reader.join();
        }
        let last = self.said.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last: Vec<&str> = last.iter().map(String::as_str).collect();
        let said = if last.is_empty() { String::new() } else { format!("; it last said:\n    {}", last.join("\n    ")) };
        format!("{} ended unexpectedly ({status}){said}", self.name)
    }

    /// Asks it to end.
    pub(super) fn terminate(&mut self) {
        if self.ended().is_none() {
            process::signal(self.id(), "TERM");
        }
    }

    /// Does not ask.
    pub(super) fn kill(&mut self) {
        // It may have ended meanwhile.
        let _ = self.child.kill();
    }

    /// Waits until it has ended and all that it said is passed on.
    pub(super) fn wait(mut self) {
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// In a process group of its own: who interrupts from the terminal interrupts the one that started it, which ends them in order.
fn spawn(name: &str, command: &mut Command) -> Result<Child, Problem> {
    let failed = |error| Problem::new(Exit::Store, format!("{name} cannot be started: {error}"));
    command.process_group(0).spawn().map_err(failed)
}

fn read(name: &str, from: ChildStderr, lines: Lines, mut log: File, said: &Said, output: Output) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    while matches!(from.read_until(b'\n', &mut bytes), Ok(1..)) {
        // A full disk must not stop the process.
        let _ = log.write_all(&bytes);
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        if says_serving(&line) {
            said.serving.store(true, Ordering::Release);
        }
        if said.heard.load(Ordering::Relaxed) && (lines == Lines::All || warns(&line)) {
            output.note(&shown(name, &line, output.json()));
        }
        let mut last = said.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST {
            last.pop_front();
        }
        last.push_back(line);
        bytes.clear();
    }
}

/// Whether a line of a host's log says that it serves, in either form.
fn says_serving(line: &str) -> bool {
    match serde_json::from_str::<Value>(line) {
        Ok(document) => document.get("event").is_some_and(|event| event == "serving"),
        Err(_) => line.split(' ').nth(1) == Some("serving"),
    }
}

/// Whether a line of a server's log says that something is wrong.
fn warns(line: &str) -> bool {
    !["[INF]", "[DBG]", "[TRC]"].iter().any(|level| line.contains(level))
}

fn shown(name: &str, line: &str, json: bool) -> String {
    if !json {
        return format!("{name} | {line}");
    }
    let line = serde_json::from_str::<Value>(line).unwrap_or_else(|_| Value::String(line.to_owned()));
    serde_json::json!({ "from": name, "line": line }).to_string()
}

#[cfg(test)]
mod tests {
    use super::{says_serving, shown, warns};

    #[test]
    fn a_line_tells_from_whom_it_is() {
        assert_eq!(shown("host 1", "a b", false), "host 1 | a b");
        assert_eq!(shown("host 1", "a b", true), r#"{"from":"host 1","line":"a b"}"#);
        assert_eq!(shown("host 1", r#"{"event":"x"}"#, true), r#"{"from":"host 1","line":{"event":"x"}}"#);
    }

    #[test]
    fn a_host_says_that_it_serves_in_both_forms() {
        assert!(says_serving("2026-01-01T00:00:00.000Z serving store=a"));
        assert!(says_serving(r#"{"at":"x","event":"serving"}"#));
        assert!(!says_serving("2026-01-01T00:00:00.000Z recovering runs=serving") && !says_serving(r#"{"event":"stopped"}"#));
    }

    #[test]
    fn a_server_is_heard_when_something_is_wrong() {
        assert!(warns("[1] 2026/01/01 [ERR] disk full") && warns("nats-server: no such file"));
        assert!(!warns("[1] 2026/01/01 00:00:00.000000 [INF] Server is ready"));
    }
}
