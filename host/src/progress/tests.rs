//! What is shown of runs.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::FailureKind;
use engine::core::Following;
use engine::event::{Bill, Denial, Failure, TaskId};
use engine::shell::Update;
use indicatif::ProgressDrawTarget;

use super::board::Board;
use super::{Progress, Shown, tree};

fn started(task: u64, path: &str) -> Update {
    Update::Started { task: TaskId(task), path: path.into(), number: 1 }
}

fn succeeded(task: u64, path: &str) -> Update {
    Update::Succeeded { task: TaskId(task), path: path.into(), bill: Bill::default(), cache: None }
}

fn failed(task: u64, path: &str, message: &str, will_retry: bool) -> Update {
    failed_before(task, path, message, will_retry.then_some(Following { number: 2, last: 3, wait: 0 }))
}

fn failed_before(task: u64, path: &str, message: &str, next: Option<Following>) -> Update {
    let failure = Failure { kind: FailureKind::Network, message: message.into(), details: None, retry_after: None };
    Update::Failed { task: TaskId(task), path: path.into(), failure, next }
}

fn cancelled(task: u64, path: &str) -> Update {
    Update::Cancelled { task: TaskId(task), path: path.into() }
}

/// A board after these updates, one each second.
fn board(updates: &[Update]) -> (Board, Instant) {
    let begin = Instant::now();
    let mut board = Board::new(begin);
    let mut now = begin;
    for update in updates {
        now += Duration::from_secs(1);
        board.on(update, now);
    }
    (board, now)
}

fn shown(updates: &[Update]) -> String {
    let (board, now) = board(updates);
    tree::render(&board, now)
}

fn a_run() -> Vec<Update> {
    vec![
        started(0, "digest/documents.list"),
        succeeded(0, "digest/documents.list"),
        started(1, "digest/profiles[0]/text.profile"),
        started(2, "digest/profiles[1]/text.profile"),
        failed(1, "digest/profiles[0]/text.profile", "no\nroute\u{1b}[31m", true),
        started(1, "digest/profiles[0]/text.profile"),
        succeeded(2, "digest/profiles[1]/text.profile"),
        failed(1, "digest/profiles[0]/text.profile", "no route", false),
    ]
}

#[test]
fn steps_are_grouped_by_the_first_parts_of_their_paths() {
    let mut updates = a_run();
    let wanted = [
        "⣾ 2 done, 1 failed, 1 retried  8.0s",
        "  ✓ digest/documents.list  1 done  1.0s",
        "  ✗ digest/profiles[*]     1 done, 1 failed, 1 retried  5.0s",
        "  ✗ digest/profiles[0]/text.profile: failed (network): no route [31m; attempt 2 of 3 follows",
        "  ✗ digest/profiles[0]/text.profile: failed (network): no route",
    ];
    assert_eq!(shown(&updates), wanted.join("\n"));
    updates.push(started(3, "digest/merge/text.join"));
    updates.push(Update::Log { path: "digest/merge/text.join".into(), line: "half\tway".into() });
    let tree = shown(&updates);
    assert!(tree.contains("\n  ● digest/merge           1 running  1.0s\n"), "{tree}");
    assert!(tree.ends_with("\n  › digest/merge/text.join: half way"), "{tree}");
    updates.push(Update::Ended);
    let tree = shown(&updates);
    assert!(tree.starts_with("✗ 2 done, 1 failed, 1 retried, 1 stopped  11.0s\n"), "{tree}");
    assert!(tree.contains("\n  ○ digest/merge           1 stopped  2.0s\n"), "{tree}");
}

#[test]
fn a_wait_before_the_next_attempt_is_shown_while_it_lasts() {
    let next = Some(Following { number: 3, last: 5, wait: 4_000 });
    let mut updates = vec![started(0, "main/a"), failed_before(0, "main/a", "no\nroute", next)];
    let expected = ["main/a: failed (network): no route; waits 4.0s before attempt 3 of 5"];
    assert_eq!(lines(&updates)[..1], expected);
    let (waiting, now) = board(&updates);
    let shown_at = |after| tree::render(&waiting, now + Duration::from_millis(after)).lines().last().unwrap().to_owned();
    assert_eq!(shown_at(0), "  ↻ main/a: waits 4.0s before attempt 3 of 5, network: no route");
    assert_eq!(shown_at(2_500), "  ↻ main/a: waits 1.5s before attempt 3 of 5, network: no route");
    assert_eq!(shown_at(4_000), "  ○ main/a  1 retried  1.0s");
    for last in [started(0, "main/a"), cancelled(0, "main/a"), Update::Ended] {
        updates.truncate(2);
        updates.push(last);
        let tree = shown(&updates);
        assert!(tree.ends_with("  ✗ main/a: failed (network): no route; it is tried again"), "{tree}");
    }
}

#[test]
fn a_cancelled_step_runs_no_more() {
    let mut updates = vec![started(0, "race/first"), started(1, "race/second"), succeeded(0, "race/first")];
    assert!(shown(&updates).contains("\n  ● race/second  1 running  "));
    updates.push(cancelled(1, "race/second"));
    // Cancelled before it was begun: nothing was shown of it, nothing is to be taken back.
    updates.push(cancelled(2, "race/third"));
    assert_eq!(shown(&updates), "⣾ 1 done, 1 stopped  5.0s\n  ✓ race/first   1 done  2.0s\n  ○ race/second  1 stopped  2.0s");
    updates.extend([started(1, "race/second"), succeeded(1, "race/second")]);
    assert!(shown(&updates).contains("\n  ✓ race/second  1 done, 1 stopped  5.0s"), "{}", shown(&updates));
}

#[test]
fn a_board_without_steps() {
    assert_eq!(shown(&[]), "⣾ no step has started  0.0s");
    assert_eq!(shown(&[Update::Waiting { what: "a decision".into() }]), "⣾ no step has started  1.0s\n  waiting: a decision");
}

#[test]
fn a_large_run_is_folded_to_what_matters() {
    let mut updates: Vec<Update> = (0..100).map(|n| started(n, &format!("flow/step_{n}"))).collect();
    updates.extend(
        (0..99).map(|n| if n == 5 { failed(n, "flow/step_5", "x", false) } else { succeeded(n, &format!("flow/step_{n}")) }),
    );
    updates.extend((0..9).map(|n| failed(1_000 + n, "flow/step_5", "x", false)));
    let tree = shown(&updates);
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!(lines.len(), tree::MAX_LINES, "{tree}");
    assert!(tree.contains("● flow/step_99") && tree.contains("✗ flow/step_5 ") && tree.contains("✓ flow/step_98"), "{tree}");
    assert!(tree.contains("  … and 85 more: 85 done\n"), "{tree}");
}

#[test]
fn lines_have_a_bounded_width() {
    let tree = shown(&[failed(0, "flow/step", &"é".repeat(500), false)]);
    assert!(tree.lines().all(|line| line.chars().count() <= 100));
    assert!(tree.ends_with("é…"));
}

#[test]
fn times_are_for_people() {
    for (millis, text) in
        [(0, "0.0s"), (449, "0.4s"), (59_999, "59.9s"), (60_000, "1m 00s"), (192_000, "3m 12s"), (3_900_000, "1h 05m")]
    {
        assert_eq!(tree::time(Duration::from_millis(millis)), text);
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines without their times, which are real.
fn lines(updates: &[Update]) -> Vec<String> {
    let sink = Sink::default();
    let mut progress = Progress::with(Shown::Lines(Box::new(sink.clone())));
    updates.iter().for_each(|update| progress.on(update));
    progress.finish();
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.rsplit_once(" in ").map_or(line, |(what, _)| what).to_owned()).collect()
}

#[test]
fn without_a_terminal_there_are_lines_for_failures_and_ended_parts() {
    let mut updates = a_run();
    let denial = Denial { capability: "files".into(), subject: "/etc/passwd".into() };
    updates.push(started(3, "digest/merge"));
    updates.push(Update::Denied { path: "digest/merge".into(), denial });
    updates.push(Update::Log { path: "digest/merge".into(), line: "not shown".into() });
    let wanted = [
        "digest/documents.list: 1 done",
        "digest/profiles[0]/text.profile: failed (network): no route [31m; attempt 2 of 3 follows",
        "digest/profiles[0]/text.profile: failed (network): no route",
        "digest/profiles[*]: 1 done, 1 failed, 1 retried",
        "digest/merge: files was denied: /etc/passwd",
        "digest/merge: 1 stopped",
    ];
    assert_eq!(lines(&updates), wanted);
    updates.push(succeeded(3, "digest/merge"));
    updates.push(Update::Ended);
    let ended = lines(&updates);
    assert_eq!(ended.last().map(String::as_str), Some("digest/merge: 1 done"));
    assert_eq!(ended.len(), wanted.len());
}

#[test]
fn parts_that_begin_again_and_again_are_not_reported_each_time() {
    let updates: Vec<Update> = (0..100)
        .flat_map(|n| {
            ["a", "b"]
                .map(|part| format!("flow/{part}"))
                .into_iter()
                .flat_map(move |path| [started(n, &path), succeeded(n, &path)])
        })
        .collect();
    let wanted = ["flow/a: 1 done", "flow/b: 1 done", "flow/a: 100 done", "flow/b: 100 done"];
    assert_eq!(lines(&updates), wanted);
}

#[test]
fn a_quiet_or_hidden_progress_takes_everything_and_ends() {
    for mut progress in [Progress::with(Shown::Nothing), Progress::live(ProgressDrawTarget::hidden())] {
        a_run().iter().for_each(|update| progress.on(update));
        progress.finish();
        progress.on(&Update::Ended);
        progress.finish();
        let board = progress.board.lock().unwrap();
        assert!(!board.active());
        assert_eq!(board.groups().len(), 2);
    }
}

#[test]
fn a_hundred_thousand_steps_are_taken_in_quickly() {
    let begin = Instant::now();
    let mut progress = Progress::with(Shown::Nothing);
    for n in 0..100_000 {
        let path = format!("flow/step_{n}");
        progress.on(&started(n, &path));
        progress.on(&succeeded(n, &path));
    }
    let board = progress.board.lock().unwrap();
    assert_eq!(tree::render(&board, Instant::now()).lines().count(), 20);
    assert!(begin.elapsed() < Duration::from_secs(20));
}
