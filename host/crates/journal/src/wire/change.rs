//! The stored form of what is written beside events: mail, deployments, sessions. Its own version, as events have theirs.

use std::collections::BTreeMap;

use engine::event::{RunId, Timestamp, Trace};
use engine::ports::{Control, Live, MailWrite, Message, RunsOn, Signal, WaitingNote};
use serde::{Deserialize, Serialize};

use crate::deploy::{DeployWrite, Topic};
use crate::order;
use crate::replica::Change;
use crate::sessions::SessionWrite;

/// The version that is written.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Versioned {
    v: u32,
    #[serde(flatten)]
    change: Stored,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Stored {
    Publish {
        topic: String,
        id: String,
        payload: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
    },
    Control {
        run: String,
        id: String,
        verb: String,
        fields: String,
    },
    Signal {
        run: String,
        name: String,
        id: String,
        payload: String,
    },
    Subscribe {
        run: String,
        topics: Vec<String>,
    },
    Unsubscribe {
        run: String,
        topic: String,
    },
    Remove {
        run: String,
        letters: Vec<u64>,
    },
    Waiting {
        run: String,
        note: Option<StoredNote>,
    },
    Forget {
        run: String,
    },
    Deploy {
        name: String,
        document: String,
        topics: Vec<(String, String)>,
    },
    Select {
        name: String,
        version: u32,
    },
    PauseDeployment {
        name: String,
        paused: bool,
    },
    RemoveDeployment {
        name: String,
    },
    Mark {
        name: String,
        item: String,
        mark: u64,
        run: Option<String>,
    },
    Done {
        no: u64,
    },
    OpenSession {
        id: String,
        document: String,
        labels: BTreeMap<String, String>,
    },
    Session {
        id: String,
        becomes: Becomes,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredNote {
    what: String,
    live: Vec<(String, String, Option<u64>)>,
    /// Those that run on another host, by path: that host, and since when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    runs: BTreeMap<String, (String, u64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Becomes {
    Closing,
    Open,
    Closed,
    Started,
    Ended,
}

/// The text of a change.
#[must_use]
pub fn encode_change(change: &Change) -> String {
    let change = match change {
        Change::Mail(write) => mail(write),
        Change::Deployment(write) => deployment(write),
        Change::Session(write) => session(write),
    };
    // Texts and numbers are always JSON.
    serde_json::to_string(&Versioned { v: VERSION, change }).unwrap_or_default()
}

/// Reads such a text.
///
/// # Errors
/// What is wrong with it.
pub fn decode_change(text: &[u8]) -> Result<Change, String> {
    let version: Version = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if version.v != VERSION {
        return Err(format!(
            "its version {} is not known to this program, which reads {VERSION}; a newer one may have written it",
            version.v
        ));
    }
    let stored: Versioned = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    change(stored.change)
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

fn text(run: &RunId) -> String {
    run.0.to_string()
}

fn mail(write: &MailWrite) -> Stored {
    match write {
        MailWrite::Publish(Message { topic, id, payload, trace }) => Stored::Publish {
            topic: topic.to_string(),
            id: id.to_string(),
            payload: payload.to_string(),
            trace: trace.as_ref().map(|trace| trace.text().to_owned()),
        },
        MailWrite::Control(run, Control { id, order }) => {
            let (verb, fields) = order::encode(order);
            Stored::Control { run: text(run), id: id.to_string(), verb: verb.to_owned(), fields }
        }
        MailWrite::Signal(run, Signal { name, id, payload }) => {
            Stored::Signal { run: text(run), name: name.to_string(), id: id.to_string(), payload: payload.to_string() }
        }
        MailWrite::Subscribe(run, topics) => {
            Stored::Subscribe { run: text(run), topics: topics.iter().map(ToString::to_string).collect() }
        }
        MailWrite::Unsubscribe(run, topic) => Stored::Unsubscribe { run: text(run), topic: topic.to_string() },
        MailWrite::Remove(run, letters) => Stored::Remove { run: text(run), letters: letters.clone() },
        MailWrite::Waiting(run, note) => Stored::Waiting { run: text(run), note: note.as_ref().map(note_of) },
        MailWrite::Forget(run) => Stored::Forget { run: text(run) },
    }
}

fn note_of(note: &WaitingNote) -> StoredNote {
    let live = note.live.iter().map(|live| (live.path.to_string(), live.what.clone(), live.until.map(|until| until.0)));
    let runs = note.live.iter().filter_map(|live| {
        let RunsOn { host, since } = live.runs.as_ref()?;
        Some((live.path.to_string(), (host.to_string(), since.0)))
    });
    StoredNote { what: note.what.clone(), live: live.collect(), runs: runs.collect() }
}

fn deployment(write: &DeployWrite) -> Stored {
    match write.clone() {
        DeployWrite::Put { name, document, topics } => {
            let topics = topics.into_iter().map(|Topic { item, pattern }| (item, pattern)).collect();
            Stored::Deploy { name, document, topics }
        }
        DeployWrite::Select(name, version) => Stored::Select { name, version },
        DeployWrite::Pause(name, paused) => Stored::PauseDeployment { name, paused },
        DeployWrite::Remove(name) => Stored::RemoveDeployment { name },
        DeployWrite::Mark { name, item, mark, run } => Stored::Mark { name, item, mark: mark.0, run: run.as_ref().map(text) },
        DeployWrite::Done(no) => Stored::Done { no },
    }
}

fn session(write: &SessionWrite) -> Stored {
    let becomes = |id: &String, becomes| Stored::Session { id: id.clone(), becomes };
    match write {
        SessionWrite::Open { id, document, labels } => {
            Stored::OpenSession { id: id.clone(), document: document.clone(), labels: labels.clone() }
        }
        SessionWrite::Close(id) => becomes(id, Becomes::Closing),
        SessionWrite::Reopen(id) => becomes(id, Becomes::Open),
        SessionWrite::Closed(id) => becomes(id, Becomes::Closed),
        SessionWrite::Started(id) => becomes(id, Becomes::Started),
        SessionWrite::Ended(id) => becomes(id, Becomes::Ended),
    }
}

fn change(stored: Stored) -> Result<Change, String> {
    let id = |run: String| RunId(run.into());
    Ok(match stored {
        Stored::Publish { topic, id, payload, trace } => {
            let trace = trace.as_deref().and_then(Trace::parse);
            Change::Mail(MailWrite::Publish(Message { topic: topic.into(), id: id.into(), payload: payload.into(), trace }))
        }
        Stored::Control { run, id: letter, verb, fields } => {
            let order = order::decode(&verb, &fields).ok_or_else(|| format!("its order `{verb}` cannot be read"))?;
            Change::Mail(MailWrite::Control(id(run), Control { id: letter.into(), order }))
        }
        Stored::Signal { run, name, id: letter, payload } => {
            let signal = Signal { name: name.as_str().into(), id: letter.into(), payload: payload.into() };
            Change::Mail(MailWrite::Signal(id(run), signal))
        }
        Stored::Subscribe { run, topics } => {
            Change::Mail(MailWrite::Subscribe(id(run), topics.into_iter().map(Into::into).collect()))
        }
        Stored::Unsubscribe { run, topic } => Change::Mail(MailWrite::Unsubscribe(id(run), topic.into())),
        Stored::Remove { run, letters } => Change::Mail(MailWrite::Remove(id(run), letters)),
        Stored::Waiting { run, note } => Change::Mail(MailWrite::Waiting(id(run), note.map(read_note))),
        Stored::Forget { run } => Change::Mail(MailWrite::Forget(id(run))),
        Stored::Deploy { name, document, topics } => {
            let topics = topics.into_iter().map(|(item, pattern)| Topic { item, pattern }).collect();
            Change::Deployment(DeployWrite::Put { name, document, topics })
        }
        Stored::Select { name, version } => Change::Deployment(DeployWrite::Select(name, version)),
        Stored::PauseDeployment { name, paused } => Change::Deployment(DeployWrite::Pause(name, paused)),
        Stored::RemoveDeployment { name } => Change::Deployment(DeployWrite::Remove(name)),
        Stored::Mark { name, item, mark, run } => {
            Change::Deployment(DeployWrite::Mark { name, item, mark: Timestamp(mark), run: run.map(id) })
        }
        Stored::Done { no } => Change::Deployment(DeployWrite::Done(no)),
        Stored::OpenSession { id, document, labels } => Change::Session(SessionWrite::Open { id, document, labels }),
        Stored::Session { id, becomes } => Change::Session(match becomes {
            Becomes::Closing => SessionWrite::Close(id),
            Becomes::Open => SessionWrite::Reopen(id),
            Becomes::Closed => SessionWrite::Closed(id),
            Becomes::Started => SessionWrite::Started(id),
            Becomes::Ended => SessionWrite::Ended(id),
        }),
    })
}

fn read_note(note: StoredNote) -> WaitingNote {
    let live = |(path, what, until): (String, String, Option<u64>)| {
        let runs = note.runs.get(&path).map(|(host, since)| RunsOn { host: host.as_str().into(), since: Timestamp(*since) });
        Live { path: path.into(), what, until: until.map(Timestamp), runs }
    };
    WaitingNote { what: note.what, live: note.live.into_iter().map(live).collect() }
}

#[cfg(test)]
mod tests {
    use engine::event::{RunId, Timestamp, Trace};
    use engine::ports::{Control, Live, MailWrite, Message, Order, RunsOn, Signal, WaitingNote};

    use super::{decode_change, encode_change};
    use crate::deploy::{DeployWrite, Topic};
    use crate::replica::Change;
    use crate::sessions::SessionWrite;

    fn all() -> Vec<Change> {
        let run = || RunId("r \"1\"".into());
        let trace = || Trace::parse("00-34e9aedefffddf04c3cf3f9e055ba714-48eb0d9a9133f6d4-01");
        let runs = || Some(RunsOn { host: "b/1".into(), since: Timestamp(8) });
        let note = WaitingNote {
            what: "waits".to_owned(),
            live: vec![
                Live { path: "main/a".into(), what: "for b".to_owned(), until: Some(Timestamp(7)), runs: None },
                Live { path: "main/c".into(), what: "runs".to_owned(), until: None, runs: runs() },
            ],
        };
        let mail = [
            MailWrite::Publish(Message { topic: "a.b".into(), id: "m".into(), payload: "{\"n\": 1}".into(), trace: None }),
            MailWrite::Publish(Message { topic: "a".into(), id: "n".into(), payload: "1".into(), trace: trace() }),
            MailWrite::Control(run(), Control { id: "c".into(), order: Order::Pause { reason: "lunch".to_owned() } }),
            MailWrite::Signal(run(), Signal { name: "go".into(), id: "".into(), payload: "null".into() }),
            MailWrite::Subscribe(run(), vec!["a".into(), "b".into()]),
            MailWrite::Unsubscribe(run(), "a".into()),
            MailWrite::Remove(run(), vec![1, u64::MAX]),
            MailWrite::Waiting(run(), Some(note)),
            MailWrite::Waiting(run(), None),
            MailWrite::Forget(run()),
        ];
        let name = || "daily".to_owned();
        let deployments = [
            DeployWrite::Put {
                name: name(),
                document: "{}".to_owned(),
                topics: vec![Topic { item: "1".to_owned(), pattern: "a.>".to_owned() }],
            },
            DeployWrite::Select(name(), 3),
            DeployWrite::Pause(name(), true),
            DeployWrite::Remove(name()),
            DeployWrite::Mark { name: name(), item: "1".to_owned(), mark: Timestamp(9), run: Some(run()) },
            DeployWrite::Done(4),
        ];
        let sessions = [
            SessionWrite::Open { id: name(), document: "{}".to_owned(), labels: [(name(), name())].into() },
            SessionWrite::Close(name()),
            SessionWrite::Reopen(name()),
            SessionWrite::Closed(name()),
            SessionWrite::Started(name()),
            SessionWrite::Ended(name()),
        ];
        let mail = mail.into_iter().map(Change::Mail);
        mail.chain(deployments.into_iter().map(Change::Deployment)).chain(sessions.into_iter().map(Change::Session)).collect()
    }

    #[test]
    fn a_change_comes_back_as_it_was() {
        for change in all() {
            let text = encode_change(&change);
            assert_eq!(decode_change(text.as_bytes()), Ok(change), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (text, what) in [
            ("{\"v\":2,\"kind\":\"new\"}", "newer"),
            ("{\"v\":1,\"kind\":\"new\"}", "unknown variant"),
            ("{\"v\":1,\"kind\":\"control\",\"run\":\"r\",\"id\":\"1\",\"verb\":\"dance\",\"fields\":\"{}\"}", "dance"),
            ("[]", "invalid"),
        ] {
            let error = decode_change(text.as_bytes()).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }
}
