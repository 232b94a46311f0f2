//! The stream of what is written beside events: mail, deployments, sessions. Each host applies all of it in the same order.
//!
//! What a run has got has a subject of its own, which the last of these writes, that it is forgotten, empties: so the stream holds
//! what concerns runs that have not ended. Of what a run waits for only the last note counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use engine::event::RunId;
use engine::ports::{JournalError, MailWrite};
use journal::replica::Change;
use journal::wire::encode_change;
use sha2::{Digest as _, Sha256};

use super::assets::{Assets, token};
use super::commit::{is_final, is_full};
use super::connection::Link;
use super::fetch::pause;
use super::problem::{innermost, of_the_server, unavailable};

/// How long the server remembers ids of messages: longer than a write is tried.
const DUPLICATES: Duration = Duration::from_secs(150);

/// How long a write waits for servers that do not answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// The header that lets a message take the place of all before it on its subject.
pub(super) const ROLLUP: &str = "Nats-Rollup";

/// The stream of a namespace.
pub(super) fn stream(link: &Link) -> Config {
    Config {
        name: name(link),
        description: Some("flowhost: mail of runs, deployments, sessions".to_owned()),
        subjects: vec![format!("flow.{}.mail.>", link.namespace())],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: link.replicas(),
        duplicate_window: DUPLICATES,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..Config::default()
    }
}

/// The stream's name.
pub(super) fn name(link: &Link) -> String {
    format!("FLOW_MAIL_{}", link.namespace())
}

/// Publishes a change; gives its position in the stream.
pub(super) async fn publish(assets: Arc<Assets>, change: Change) -> Result<u64, JournalError> {
    let Letter { subject, id, replaces } = letter(&assets, &change);
    let text = encode_change(&change);
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id);
    if replaces {
        headers.insert(ROLLUP, "sub");
    }
    let (begin, mut round) = (Instant::now(), 0);
    loop {
        let context = &assets.link.context;
        let sent = context.publish_with_headers(subject.clone(), headers.clone(), text.clone().into()).await;
        let error = match sent {
            Ok(acknowledgement) => match acknowledgement.await {
                Ok(acknowledged) => return Ok(acknowledged.sequence),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let code = of_the_server(&error).map(|inner| (inner.error_code(), inner.to_string()));
        let name = name(&assets.link);
        match code {
            Some((code, what)) if is_full(code) => {
                return Err(unavailable(format_args!(
                    "is full: the stream `{name}` takes no more ({what}); make room or raise its limits"
                )));
            }
            Some((code, what)) if is_final(code) => {
                return Err(unavailable(format_args!("cannot be written: the stream `{name}`: {what}")));
            }
            _ if begin.elapsed() >= PATIENCE => {
                let (waited, why, complaint) = (begin.elapsed().as_secs(), innermost(&error), assets.link.complaint());
                return Err(unavailable(format_args!("did not answer for {waited} s: {why}{complaint}")));
            }
            // The id makes it harmless.
            _ => pause(round).await,
        }
        round += 1;
    }
}

/// Where a change goes, and as what.
struct Letter {
    subject: String,
    id: String,
    /// Whether nothing before it on its subject counts any more.
    replaces: bool,
}

fn letter(assets: &Assets, change: &Change) -> Letter {
    let namespace = assets.link.namespace();
    let unique = || assets.link.client.new_inbox();
    let at = |kind: &str, name: &str| format!("flow.{namespace}.mail.{kind}.{}", token(name));
    let of_run = |run: &RunId| at("run", &run.0);
    match change {
        Change::Mail(MailWrite::Publish(message)) => {
            let id = digest(&["publish", &message.topic, &message.id]);
            Letter { subject: at("topic", &message.topic), id, replaces: false }
        }
        Change::Mail(MailWrite::Control(run, control)) => {
            Letter { subject: of_run(run), id: digest(&["control", &run.0, &control.id]), replaces: false }
        }
        Change::Mail(MailWrite::Signal(run, signal)) if !signal.id.is_empty() => {
            Letter { subject: of_run(run), id: digest(&["signal", &run.0, &signal.id]), replaces: false }
        }
        Change::Mail(MailWrite::Waiting(run, _)) => Letter { subject: at("note", &run.0), id: unique(), replaces: true },
        Change::Mail(MailWrite::Forget(run)) => Letter { subject: of_run(run), id: unique(), replaces: true },
        Change::Mail(
            MailWrite::Signal(run, _) | MailWrite::Subscribe(run, _) | MailWrite::Unsubscribe(run, _) | MailWrite::Remove(run, _),
        ) => Letter { subject: of_run(run), id: unique(), replaces: false },
        Change::Deployment(_) => Letter { subject: format!("flow.{namespace}.mail.deployment"), id: unique(), replaces: false },
        Change::Session(_) => Letter { subject: format!("flow.{namespace}.mail.session"), id: unique(), replaces: false },
    }
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}
