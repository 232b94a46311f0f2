//! Processes of which more than the number is known, so that only these are ended and no other that has their number by now.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::exit::{Exit, Problem};

/// How long a process may take to be gone after it was killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// The file with what a `host dev` has started, and itself.
const FILE: &str = "processes";

/// What a `host dev` is called among its processes.
const ITSELF: &str = "host dev";

/// A process that was started, and when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    id: u32,
    began: String,
    name: String,
}

impl Process {
    /// The process with this number; none when it is gone, or when the system does not say since when it runs.
    pub(super) fn of(id: u32, name: &str) -> Option<Self> {
        Some(Self { id, began: began(id)?, name: name.to_owned() })
    }

    /// One line that [`Process::parse`] reads.
    pub(super) fn line(&self) -> String {
        format!("{} {} {}\n", self.id, self.began, self.name)
    }

    /// Reads a line; none when it is not whole.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.trim_end().splitn(3, ' ');
        let (id, began, name) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        Some(Self { id, began: began.to_owned(), name: name.to_owned() })
    }

    /// Whether it still runs.
    pub(super) fn lives(&self) -> bool {
        began(self.id).is_some_and(|began| began == self.began)
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        signal(self.id, "TERM");
    }
}

/// When a process began: the machine's start and the kernel's ticks since then. None for one that is gone or only waits to be
/// noticed as ended.
fn began(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}:{}", boot.trim(), ticks(&stat)?))
}

/// The name in parentheses may have anything in it; what follows it are state, 18 numbers, and the ticks.
fn ticks(stat: &str) -> Option<&str> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18) }
}

/// Sends a signal, such as `TERM`, to a process that this one has started, or that was recognised.
pub(super) fn signal(id: u32, name: &str) {
    let mut kill = Command::new("kill");
    kill.args([&format!("-{name}"), &id.to_string()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It may have ended meanwhile.
    let _ = kill.status();
}

/// Kills those that still run and waits until they are gone. Says which.
///
/// # Errors
/// One does not go.
pub(super) fn end(processes: &[Process]) -> Result<Vec<String>, Problem> {
    let left: Vec<&Process> = processes.iter().filter(|process| process.lives()).collect();
    left.iter().for_each(|process| signal(process.id, "KILL"));
    let begin = Instant::now();
    while let Some(stays) = left.iter().find(|process| process.lives()) {
        if begin.elapsed() > PATIENCE {
            let message = format!("{} of an earlier `host dev`, process {}, cannot be ended", stays.name, stays.id);
            return Err(Problem::new(Exit::Store, message));
        }
        std::thread::sleep(LOOK);
    }
    Ok(left.iter().map(|process| process.name.clone()).collect())
}

/// The list of what was started, in the folder, for the next one who starts there.
#[derive(Debug)]
pub(super) struct List {
    path: PathBuf,
    file: std::fs::File,
}

impl List {
    /// Ends what an earlier one left behind, and begins anew with this process. Says what it has ended.
    ///
    /// # Errors
    /// The list cannot be written, or something cannot be ended.
    pub(super) fn begin(folder: &Path) -> Result<(Self, Vec<String>), Problem> {
        let ended = end(&listed(folder))?;
        let path = folder.join(FILE);
        let file = std::fs::File::create(&path).map_err(|error| unwritable(&path, &error))?;
        let mut list = Self { path, file };
        if let Some(process) = Process::of(std::process::id(), ITSELF) {
            list.add(&process)?;
        }
        Ok((list, ended))
    }

    /// Notes one more.
    pub(super) fn add(&mut self, process: &Process) -> Result<(), Problem> {
        self.file.write_all(process.line().as_bytes()).map_err(|error| unwritable(&self.path, &error))
    }

    /// All have ended.
    pub(super) fn end(self) {
        // What stays only names processes that are gone.
        let _ = std::fs::remove_file(self.path);
    }
}

/// The `host dev` that uses a folder, if it lives.
pub(super) fn living(folder: &Path) -> Option<Process> {
    listed(folder).into_iter().find(|process| process.name == ITSELF && process.lives())
}

fn listed(folder: &Path) -> Vec<Process> {
    std::fs::read_to_string(folder.join(FILE)).unwrap_or_default().lines().filter_map(Process::parse).collect()
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Exit::Store, format!("`{}` cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{FILE, List, Process, end, living, ticks};
    use std::process::{Child, Command};

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn the_ticks_are_found_whatever_the_name_is() {
        let numbers: Vec<String> = (4..=22).map(|number| number.to_string()).collect();
        assert_eq!(ticks(&format!("1 (a) b) S {} 23", numbers.join(" "))), Some("22"));
        assert_eq!(ticks(&format!("1 (a) Z {} 23", numbers.join(" "))), None);
        assert_eq!(ticks("1 (a) S 4"), None);
    }

    #[test]
    fn a_line_comes_back() {
        let process = Process::of(std::process::id(), "host 1").unwrap();
        assert_eq!(Process::parse(&process.line()), Some(process));
        assert_eq!(Process::parse("12 x"), None);
    }

    #[test]
    fn what_was_left_is_ended_and_a_number_that_another_one_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut left, mut other) = (sleeper(), sleeper());
        let (mut list, ended) = List::begin(folder.path()).unwrap();
        assert!(ended.is_empty());
        list.add(&Process::of(left.id(), "left").unwrap()).unwrap();
        let stranger = Process { began: "earlier".to_owned(), ..Process::of(other.id(), "other").unwrap() };
        list.add(&stranger).unwrap();
        drop(list);
        assert_eq!(living(folder.path()).unwrap().id, std::process::id());
        // This process stands for one that is gone.
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        std::fs::write(folder.path().join(FILE), text.lines().skip(1).map(|line| line.to_owned() + "\n").collect::<String>())
            .unwrap();
        let (list, ended) = List::begin(folder.path()).unwrap();
        assert_eq!(ended, ["left"]);
        assert!(left.try_wait().unwrap().is_some() && other.try_wait().unwrap().is_none());
        list.end();
        assert!(living(folder.path()).is_none() && !folder.path().join("processes").exists());
        assert_eq!(end(&[Process::of(other.id(), "other").unwrap()]).unwrap(), ["other"]);
        other.wait().unwrap();
    }
}
