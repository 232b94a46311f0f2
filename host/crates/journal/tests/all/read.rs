//! What `ps`, `show` and `events` are answered with.

use std::sync::Arc;
use std::time::Duration;

use engine::event::{Event, EventBody, RunId, Timestamp};
use engine::ports::{Journal, JournalError};
use journal::conformance::one_of_each;
use journal::{AttemptState, FindError, Options, Reader, RunFilter, RunOrder, RunStatus, SqliteJournal};

async fn store(folder: &tempfile::TempDir, runs: &[(&str, usize)]) -> SqliteJournal {
    let journal = SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap();
    for (id, count) in runs {
        let events: Vec<Event> = one_of_each().into_iter().take(*count).collect();
        journal.append(&RunId((*id).into()), events.into()).await.unwrap();
    }
    journal
}

fn ids(reader: &Reader, filter: &RunFilter) -> Vec<String> {
    reader.runs(filter).unwrap().into_iter().map(|run| run.id.to_string()).collect()
}

#[tokio::test]
async fn runs_are_listed_latest_first_and_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[("a1", one_of_each().len()), ("a2", 10), ("b1", 3)]).await;
    let reader = journal.reader();
    assert_eq!(ids(&reader, &RunFilter::default()), ["b1", "a2", "a1"]);
    assert_eq!(ids(&reader, &RunFilter { limit: Some(2), ..RunFilter::default() }), ["b1", "a2"]);
    assert_eq!(ids(&reader, &RunFilter { statuses: vec![RunStatus::Failed], ..RunFilter::default() }), ["a1"]);
    assert_eq!(ids(&reader, &RunFilter { flow: Some("all kinds".into()), ..RunFilter::default() }).len(), 3);
    assert!(ids(&reader, &RunFilter { flow: Some("other".into()), ..RunFilter::default() }).is_empty());
}

/// A run that was started at this time, and ended after so many milliseconds when it did.
async fn started(journal: &SqliteJournal, id: &str, flow: &str, at: u64, labels: &[(&str, &str)], took: Option<u64>) {
    let mut first = one_of_each().remove(0);
    first.at = Timestamp(at);
    if let EventBody::RunStarted(started) = &mut first.body {
        started.flow = flow.to_owned();
        started.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    }
    let mut events = vec![first];
    let end = |took| Event { seq: 2, at: Timestamp(at + took), body: failed_end() };
    events.extend(took.map(end));
    journal.append(&RunId(id.into()), events.into()).await.unwrap();
}

/// A run ends with a failure.
fn failed_end() -> EventBody {
    one_of_each().into_iter().rev().map(|event| event.body).find(|body| matches!(body, EventBody::RunEnded { .. })).unwrap()
}

#[tokio::test]
async fn runs_are_selected_and_ordered() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[]).await;
    started(&journal, "a", "build", 1000, &[("team", "docs"), ("100%_sure", "x")], Some(500)).await;
    started(&journal, "b", "deploy", 2000, &[("team", "web")], None).await;
    started(&journal, "c", "build", 3000, &[], Some(9)).await;
    let reader = journal.reader();
    let found = |filter: RunFilter| ids(&reader, &filter).join(" ");
    let all = RunFilter::default;
    let label = |key: &str, value: Option<&str>| RunFilter { labels: vec![(key.into(), value.map(Into::into))], ..all() };
    assert_eq!(found(label("team", None)), "b a");
    assert_eq!(found(label("team", Some("docs"))), "a");
    assert_eq!(found(label("te", None)), "");
    assert_eq!(found(RunFilter { since: Some(Timestamp(2000)), ..all() }), "c b");
    assert_eq!(found(RunFilter { until: Some(Timestamp(2000)), ..all() }), "a");
    let text = |text: &str| RunFilter { text: Some(text.into()), ..all() };
    assert_eq!(found(text("DEPLOY")), "b");
    assert_eq!(found(text("%_s")), "a", "no pattern, the text itself");
    assert_eq!(found(text("quoted")), "c a", "the message of the failure");
    assert_eq!(found(text("main/step[4]")), "c a", "where it came from");
    assert_eq!(found(text("nowhere")), "");
    let order = |order, reverse| RunFilter { order, reverse, ..all() };
    assert_eq!(found(order(RunOrder::Started, true)), "a b c");
    assert_eq!(found(order(RunOrder::Ended, false)), "b c a");
    assert_eq!(found(order(RunOrder::Duration, false)), "a c b");
    assert_eq!(found(order(RunOrder::Flow, false)), "a c b");
    assert_eq!(found(order(RunOrder::Status, true)), "b c a");
    assert_eq!(found(order(RunOrder::Updated, false)), "c b a");
}

#[tokio::test]
async fn pages_hold_each_run_once_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[]).await;
    for n in 0..30_u64 {
        started(&journal, &format!("r{n}"), ["x", "y"][(n % 2) as usize], 1000 + n / 4, &[], (n % 3 > 0).then_some(n % 5)).await;
    }
    let reader = journal.reader();
    for order in RunOrder::ALL {
        for reverse in [false, true] {
            let filter = RunFilter { order, reverse, ..RunFilter::default() };
            let whole = ids(&reader, &filter);
            let mut pages = Vec::new();
            while pages.len() < 30 {
                let after = pages.last().map(|id: &String| RunId(id.as_str().into()));
                let page = ids(&reader, &RunFilter { after, limit: Some(7), ..filter.clone() });
                assert!(!page.is_empty(), "{order:?}");
                pages.extend(page);
            }
            assert_eq!(pages, whole, "{order:?}, reversed: {reverse}");
            let mut each = Vec::new();
            let limit = RunFilter { limit: Some(20), ..filter };
            let mut push = |run: journal::RunRow| {
                each.push(run.id.to_string());
                Ok::<_, JournalError>(())
            };
            reader.each_run(&limit, &mut push).unwrap();
            assert_eq!(each, whole[..20]);
        }
    }
}

#[tokio::test]
async fn a_row_follows_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[("a", 10), ("b", 3)]).await;
    let reader = Reader::open(&folder.path().join("store.db"), Duration::from_secs(1)).unwrap();
    let row = |id| reader.find(id).unwrap();
    assert_eq!((row("a").status, row("a").reason.as_deref()), (RunStatus::Paused, Some("the outcome of a step is unknown")));
    assert_eq!(row("a").labels["team"], "docs");
    assert_eq!((row("b").status, row("b").last_seq, row("b").updated), (RunStatus::Running, 3, Timestamp(1_700_000_000_003)));
    let all = one_of_each().len();
    let rest = |from, to| -> Arc<[Event]> { one_of_each()[from..to].to_vec().into() };
    journal.append(&RunId("a".into()), rest(10, 15)).await.unwrap();
    assert_eq!((row("a").status, row("a").reason, &*row("a").owner), (RunStatus::Running, None, "host-2"));
    journal.append(&RunId("a".into()), rest(15, all - 1)).await.unwrap();
    assert_eq!(row("a").status, RunStatus::Cancelling);
    journal.append(&RunId("a".into()), rest(all - 1, all)).await.unwrap();
    let ended = row("a");
    assert_eq!(
        (ended.status, ended.ended, ended.last_seq),
        (RunStatus::Failed, Some(Timestamp(1_700_000_000_000 + all as u64)), all as u64)
    );
    assert_eq!((ended.failure_kind.as_deref(), ended.failure_path.as_deref()), (Some("invalid_input"), Some("main/step[4]")));
}

#[tokio::test]
async fn a_run_is_found_by_the_beginning_of_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[("abc", 1), ("abcd", 1), ("abce", 1), ("x%", 1)]).await;
    let reader = journal.reader();
    assert_eq!(&*reader.find("x").unwrap().id.0, "x%");
    assert_eq!(&*reader.find("abc").unwrap().id.0, "abc", "a whole id wins");
    assert_eq!(reader.find("ab").unwrap_err().to_string(), "`ab` may mean several runs: abce, abcd, abc; give more of the id");
    assert_eq!(&*reader.find("last").unwrap().id.0, "x%");
    for absent in ["", "%", "y", "abcdx"] {
        assert_eq!(reader.find(absent), Err(FindError::Journal(JournalError::NoSuchRun(absent.to_owned()))));
    }
}

#[tokio::test]
async fn events_are_read_page_by_page_while_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[("a", 10)]).await;
    let reader = Reader::open(&folder.path().join("store.db"), Duration::from_secs(1)).unwrap();
    let run = RunId("a".into());
    let seqs = |after, limit| -> Vec<u64> { reader.events(&run, after, limit).unwrap().iter().map(|event| event.seq).collect() };
    assert_eq!(seqs(0, 4), [1, 2, 3, 4]);
    assert_eq!(seqs(8, 100), [9, 10]);
    assert!(seqs(10, 100).is_empty() && seqs(u64::MAX, 1).is_empty());
    journal.append(&run, one_of_each()[10..11].to_vec().into()).await.unwrap();
    assert_eq!(seqs(10, 100), [11]);
    let first = reader.events(&run, 1, 1).unwrap().remove(0);
    assert_eq!((first.kind.as_str(), first.path.as_str()), ("attempt-started", "main/step[0]"));
    assert_eq!(first.body, r#"{"v":1,"task":0,"number":1,"host":"host-1"}"#);
}

#[tokio::test]
async fn attempts_are_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[("a", 16)]).await;
    let attempts = journal.reader().attempts(&RunId("a".into())).unwrap();
    let states: Vec<_> = attempts.iter().map(|row| (row.attempt.task.0, row.attempt.number, row.state)).collect();
    let expected = [
        (0, 1, AttemptState::Failed),
        (0, 2, AttemptState::Succeeded),
        (1, 1, AttemptState::Succeeded),
        (2, 1, AttemptState::Cancelled),
        (3, 1, AttemptState::OutcomeUnknown),
        (4, 1, AttemptState::Failed),
    ];
    assert_eq!(states, expected);
    let first = &attempts[0];
    assert_eq!((first.started, first.ended), (Some(Timestamp(1_700_000_000_002)), Some(Timestamp(1_700_000_000_004))));
    assert_eq!((first.bill.unwrap().wall, &*first.attempt.path), (12, "main/step[0]"));
    assert!(first.failure.as_ref().unwrap().message.contains("quoted"));
}

#[tokio::test]
async fn an_attempt_says_where_it_ran() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[("a", 1)]).await;
    let attempt = |task| engine::event::Attempt { task: engine::event::TaskId(task), number: 1, path: "main/step".into() };
    let succeeded = |task, cache, host: Option<&str>| {
        let (output, bill) = (engine::event::Payload::Text("null".into()), engine::event::Bill::default());
        EventBody::AttemptSucceeded { attempt: attempt(task), output, bill, cache, host: host.map(Into::into) }
    };
    let bodies = [
        succeeded(0, None, None),
        EventBody::AttemptStarted { attempt: attempt(1), host: "host-1".into(), limits: None },
        EventBody::AttemptStarted { attempt: attempt(2), host: "host-1".into(), limits: None },
        EventBody::OwnerChanged { host: "host-3".into() },
        succeeded(3, None, None),
        succeeded(4, None, Some("host-2")),
        succeeded(5, Some(engine::event::CacheNote::Hit), None),
        EventBody::OutcomeUnknown { attempt: attempt(1), host: Some("host-2".into()) },
        EventBody::OutcomeUnknown { attempt: attempt(2), host: None },
    ];
    let events = (2..).zip(bodies).map(|(seq, body)| Event { seq, at: Timestamp(seq), body }).collect();
    journal.append(&RunId("a".into()), events).await.unwrap();
    let rows = journal.reader().attempts(&RunId("a".into())).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.attempt.task.0, row.host.as_deref(), row.elsewhere)).collect();
    let expected = [
        (0, Some("host-1"), false),
        (1, Some("host-2"), true),
        (2, Some("host-1"), false),
        (3, Some("host-3"), false),
        (4, Some("host-2"), true),
        (5, None, false),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn attempts_of_a_long_run_are_read_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder, &[("a", 1)]).await;
    let EventBody::AttemptSucceeded { attempt, output, bill, .. } = one_of_each().remove(5).body else { panic!() };
    let succeeded = |task: u64| {
        let attempt = engine::event::Attempt { task: engine::event::TaskId(task), ..attempt.clone() };
        EventBody::AttemptSucceeded { attempt, output: output.clone(), bill, cache: None, host: None }
    };
    let events: Vec<_> = (2..5000).map(|seq| Event { seq, at: Timestamp(seq), body: succeeded(seq) }).collect();
    let run = RunId("a".into());
    journal.append(&run, events.into()).await.unwrap();
    assert_eq!(journal.reader().attempts(&run).unwrap().len(), 4998);
    assert_eq!(journal.load(&run).unwrap().len(), 4999);
}
