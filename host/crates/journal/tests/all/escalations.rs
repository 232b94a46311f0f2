//! Escalations and the outbox are written with the events that they follow from, and closed with those that end them.

use std::sync::Arc;

use engine::event::{Event, EventBody, RunId, RunOutcome, TaskId, Timestamp};
use engine::ports::Journal;
use journal::conformance::escalated;
use journal::{Options, SqliteJournal};

fn open(folder: &tempfile::TempDir, outbox: bool) -> SqliteJournal {
    SqliteJournal::open(&folder.path().join("store"), &Options { outbox, ..Options::default() }).unwrap()
}

/// The events up to the report.
fn until_report() -> Vec<Event> {
    escalated().into_iter().take(6).collect()
}

async fn append(journal: &SqliteJournal, run: &RunId, events: Vec<Event>) {
    journal.append(run, Arc::from(events)).await.unwrap();
}

fn then(seq: u64, body: EventBody) -> Vec<Event> {
    vec![Event { seq, at: Timestamp(1_700_000_000_000 + seq), body }]
}

#[tokio::test]
async fn a_report_is_listed_until_somebody_decides() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, run) = (open(&folder, false), RunId("r".into()));
    append(&journal, &run, until_report()).await;
    let rows = journal.reader().escalations().unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.run.clone(), row.seq, row.delivery.clone()), (run.clone(), 6, None));
    let EventBody::Escalated(report) = &escalated()[5].body else { panic!("not the report") };
    assert_eq!(row.escalation, **report);
    append(&journal, &run, escalated().into_iter().skip(6).collect()).await;
    assert!(journal.reader().escalations().unwrap().is_empty());
    // It failed again.
    let mut again = report.clone();
    again.attempt.number = 3;
    append(&journal, &run, then(8, EventBody::Escalated(again))).await;
    assert_eq!(journal.reader().escalations().unwrap()[0].escalation.attempt.number, 3);
    append(&journal, &run, then(9, EventBody::RunEnded { outcome: RunOutcome::Cancelled })).await;
    assert!(journal.reader().escalations().unwrap().is_empty());
}

#[tokio::test]
async fn a_report_stays_in_the_outbox_until_it_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, run) = (open(&folder, true), RunId("r".into()));
    append(&journal, &run, until_report()).await;
    let at = 1_700_000_000_006;
    assert!(journal.due_reports(Timestamp(at - 1), 10).unwrap().is_empty(), "not before it happened");
    let due = journal.due_reports(Timestamp(at), 10).unwrap();
    journal.claim_report(&due[0], Timestamp(at + 50)).unwrap();
    assert!(journal.due_reports(Timestamp(at + 49), 10).unwrap().is_empty(), "somebody sends it");
    journal.report_failed(&due[0], Timestamp(at + 100), "status 503").unwrap();
    // The decision does not make the report needless, and another process has it as well.
    append(&journal, &run, escalated().into_iter().skip(6).collect()).await;
    drop(journal);
    let journal = open(&folder, true);
    let due = journal.due_reports(Timestamp(at + 100), 10).unwrap();
    let delivery = due[0].delivery.clone().unwrap();
    assert_eq!((delivery.attempts, delivery.error.as_deref(), delivery.sent), (1, Some("status 503"), None));
    assert_eq!(journal.reader().unsent().unwrap().len(), 1);
    journal.report_sent(&due[0], Timestamp(at + 101)).unwrap();
    assert!(journal.due_reports(Timestamp(u64::MAX >> 1), 10).unwrap().is_empty());
    assert!(journal.reader().unsent().unwrap().is_empty());
}

#[tokio::test]
async fn a_delivered_report_is_remembered_while_the_step_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, run) = (open(&folder, true), RunId("r".into()));
    append(&journal, &run, until_report()).await;
    let due = journal.due_reports(Timestamp(u64::MAX >> 1), 10).unwrap();
    journal.report_sent(&due[0], Timestamp(77)).unwrap();
    let sent = journal.reader().escalations().unwrap()[0].delivery.clone().unwrap().sent;
    assert_eq!(sent, Some(Timestamp(77)));
}

#[tokio::test]
async fn a_step_that_is_no_longer_wanted_closes_with_its_run_only() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, run) = (open(&folder, false), RunId("r".into()));
    append(&journal, &run, until_report()).await;
    let other = EventBody::OperatorDecision { task: TaskId(9), decision: engine::event::Decision::Fail("no".into()) };
    append(&journal, &run, then(7, other)).await;
    assert_eq!(journal.reader().escalations().unwrap().len(), 1, "a decision about another step");
}
