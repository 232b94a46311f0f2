//! Counts of a run's steps, grouped by the node of the entry flow that they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use engine::core::Following;
use engine::event::{CacheNote, Failure, TaskId};
use engine::shell::Update;

/// Messages that the tree shows.
const RECENT_FAILURES: usize = 3;

/// Everything that is shown of a run.
pub(super) struct Board {
    /// In the order in which they began.
    groups: Vec<Group>,
    by_name: BTreeMap<String, usize>,
    /// Steps that run, with their groups.
    running: BTreeMap<TaskId, usize>,
    /// Groups in which nothing runs any more and about which there is no line yet.
    idle: BTreeSet<usize>,
    /// Steps that wait for their next attempt.
    pauses: BTreeMap<TaskId, Pause>,
    /// The latest failures and denials.
    problems: Vec<String>,
    /// The latest line that a plugin logged.
    log: Option<String>,
    waiting: Option<String>,
    started: Instant,
    ended: Option<Instant>,
    /// Lines for a log that have not been taken yet.
    lines: Vec<String>,
}

/// The wait of a step before its next attempt.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    path: String,
    next: Following,
    until: Instant,
    /// Why the last attempt failed.
    why: String,
}

impl Pause {
    /// `waits 4.0s before attempt 3 of 5`
    fn wait(&self, now: Instant) -> String {
        let left = super::tree::time(self.until.saturating_duration_since(now));
        format!("waits {left} before attempt {} of {}", self.next.number, self.next.last)
    }

    /// What is shown of it while it lasts.
    pub(super) fn describe(&self, now: Instant) -> String {
        format!("{}: {}, {}", self.path, self.wait(now), self.why)
    }

    /// What is left of it in the list of failures.
    fn problem(&self) -> String {
        format!("{}: failed ({}; it is tried again", self.path, self.why.replacen(": ", "): ", 1))
    }
}

/// The steps of one node of the entry flow: `digest/profiles[*]`.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) counts: Counts,
    started: Instant,
    ended: Option<Instant>,
    /// What was last written about it in a line.
    reported: Option<Counts>,
}

/// How many steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) done: u64,
    /// Of those: how many results came out of the cache, and how many were too old there.
    pub(super) cached: u64,
    /// Those of the run that is retried.
    pub(super) reused: u64,
    pub(super) expired: u64,
    pub(super) running: u64,
    pub(super) failed: u64,
    /// Attempts that failed and are made again.
    pub(super) retried: u64,
    /// Cancelled, or still running when the run ended.
    pub(super) stopped: u64,
}

impl Counts {
    /// `123 done, 2 running, 1 failed`, without what is zero.
    pub(super) fn describe(self) -> String {
        let parts = [
            (self.done, "done"),
            (self.cached, "out of the cache"),
            (self.reused, "reused"),
            (self.expired, "expired in the cache"),
            (self.running, "running"),
            (self.failed, "failed"),
            (self.retried, "retried"),
            (self.stopped, "stopped"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        parts.join(", ")
    }

    pub(super) fn add(&mut self, other: Self) {
        self.done += other.done;
        self.running += other.running;
        self.failed += other.failed;
        self.retried += other.retried;
        self.stopped += other.stopped;
    }
}

impl Group {
    /// From its first start to its last end, or to now while something runs.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        self.ended.unwrap_or(now).saturating_duration_since(self.started)
    }
}

impl Board {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            groups: Vec::new(),
            by_name: BTreeMap::new(),
            running: BTreeMap::new(),
            idle: BTreeSet::new(),
            pauses: BTreeMap::new(),
            problems: Vec::new(),
            log: None,
            waiting: None,
            started: now,
            ended: None,
            lines: Vec::new(),
        }
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(super) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The waits before next attempts that are not over, the shortest first.
    pub(super) fn pauses(&self, now: Instant) -> Vec<&Pause> {
        let mut pauses: Vec<&Pause> = self.pauses.values().filter(|pause| pause.until > now).collect();
        pauses.sort_by_key(|pause| pause.until);
        pauses.truncate(RECENT_FAILURES);
        pauses
    }

    pub(super) fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }

    pub(super) fn waiting(&self) -> Option<&str> {
        self.waiting.as_deref()
    }

    /// Whether the run goes on.
    pub(super) fn active(&self) -> bool {
        self.ended.is_none()
    }

    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        self.ended.unwrap_or(now).saturating_duration_since(self.started)
    }

    /// What is new for a log.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub(super) fn on(&mut self, update: &Update, now: Instant) {
        match update {
            Update::Started { task, path, .. } => self.start(*task, path, now),
            Update::Succeeded { task, path, cache, .. } => self.stop(*task, path, now, |counts| {
                counts.done += 1;
                counts.cached += u64::from(*cache == Some(CacheNote::Hit));
                counts.reused += u64::from(*cache == Some(CacheNote::Reused));
                counts.expired += u64::from(*cache == Some(CacheNote::Expired));
            }),
            Update::Failed { task, path, failure, next } => self.fail(*task, path, failure, *next, now),
            Update::Cancelled { task, path } => {
                self.end_pause(*task);
                // One that was cancelled before it began was never shown.
                if self.running.contains_key(task) {
                    self.stop(*task, path, now, |counts| counts.stopped += 1);
                }
            }
            Update::Denied { path, denial } => {
                let subject = if denial.subject.is_empty() { String::new() } else { format!(": {}", denial.subject) };
                self.problem(&format!("{path}: {} was denied{subject}", denial.capability));
            }
            Update::Note { line } => self.problem(line),
            Update::Log { path, line } => self.log = Some(plain(&format!("{path}: {line}"))),
            Update::Waiting { what } => {
                self.report_idle(now);
                let what = plain(what);
                self.lines.push(format!("waiting: {what}"));
                self.waiting = Some(what);
            }
            Update::Ended => self.end(now),
        }
    }

    fn start(&mut self, task: TaskId, path: &str, now: Instant) {
        self.waiting = None;
        self.end_pause(task);
        let index = self.group(path, now);
        self.idle.remove(&index);
        self.report_idle(now);
        if self.running.insert(task, index).is_none()
            && let Some(group) = self.groups.get_mut(index)
        {
            group.counts.running += 1;
            group.ended = None;
        }
    }

    fn stop(&mut self, task: TaskId, path: &str, now: Instant, count: impl FnOnce(&mut Counts)) {
        self.end_pause(task);
        let running = self.running.remove(&task);
        let index = running.unwrap_or_else(|| self.group(path, now));
        let Some(group) = self.groups.get_mut(index) else { return };
        if running.is_some() {
            group.counts.running = group.counts.running.saturating_sub(1);
        }
        count(&mut group.counts);
        if group.counts.running == 0 {
            group.ended = Some(now);
            if group.reported.is_none() {
                self.idle.insert(index);
            }
        }
    }

    fn fail(&mut self, task: TaskId, path: &str, failure: &Failure, next: Option<Following>, now: Instant) {
        self.stop(task, path, now, |counts| if next.is_some() { counts.retried += 1 } else { counts.failed += 1 });
        let what = format!("{path}: failed ({}): {}", failure.kind, failure.message);
        match next {
            None => self.problem(&what),
            Some(next @ Following { wait: 0, .. }) => {
                self.problem(&format!("{what}; attempt {} of {} follows", next.number, next.last));
            }
            Some(next) => {
                let (path, why) = (plain(path), plain(&format!("{}: {}", failure.kind, failure.message)));
                let pause = Pause { path, next, until: now + Duration::from_millis(next.wait), why };
                self.lines.push(plain(&format!("{what}; {}", pause.wait(now))));
                self.pauses.insert(task, pause);
            }
        }
    }

    /// A step waits no more: what it waited after is one of the failures.
    fn end_pause(&mut self, task: TaskId) {
        if let Some(pause) = self.pauses.remove(&task) {
            self.remember(pause.problem());
        }
    }

    fn problem(&mut self, line: &str) {
        let line = plain(line);
        self.remember(line.clone());
        self.lines.push(line);
    }

    fn remember(&mut self, line: String) {
        if self.problems.len() == RECENT_FAILURES {
            self.problems.remove(0);
        }
        self.problems.push(line);
    }

    /// The run has ended: what is still counted as running was stopped.
    pub(super) fn end(&mut self, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        self.ended = Some(now);
        for pause in std::mem::take(&mut self.pauses).into_values() {
            self.remember(pause.problem());
        }
        for index in std::mem::take(&mut self.running).into_values() {
            if let Some(group) = self.groups.get_mut(index) {
                group.counts.running = group.counts.running.saturating_sub(1);
                group.counts.stopped += 1;
                group.ended = Some(now);
            }
        }
        for index in 0..self.groups.len() {
            self.report(index, now);
        }
    }

    /// A group is reported once before the end of the run, however often it begins again.
    fn report_idle(&mut self, now: Instant) {
        for index in std::mem::take(&mut self.idle) {
            self.report(index, now);
        }
    }

    fn report(&mut self, index: usize, now: Instant) {
        let Some(group) = self.groups.get_mut(index) else { return };
        if group.reported == Some(group.counts) {
            return;
        }
        group.reported = Some(group.counts);
        let line = format!("{}: {} in {}", group.name, group.counts.describe(), super::tree::time(group.elapsed(now)));
        self.lines.push(line);
    }

    /// The group of a step, by its path.
    fn group(&mut self, path: &str, now: Instant) -> usize {
        let name = group_name(path);
        if let Some(index) = self.by_name.get(&name) {
            return *index;
        }
        let index = self.groups.len();
        self.groups.push(Group { name: name.clone(), counts: Counts::default(), started: now, ended: None, reported: None });
        self.by_name.insert(name, index);
        index
    }
}

/// The first two parts of a path without their indices: `digest/profiles[*]` for `digest/profiles[3]/text.profile`.
fn group_name(path: &str) -> String {
    let parts: Vec<String> = path
        .split('/')
        .take(2)
        .map(|part| match part.split_once('[') {
            Some((name, _)) => format!("{name}[*]"),
            None => part.to_owned(),
        })
        .collect();
    plain(&parts.join("/"))
}

/// One line without control characters: what plugins say must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
