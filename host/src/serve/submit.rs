//! Starts runs, durably and once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Digest, Value};
use engine::event::{EventBody, RunId, Trace};
use engine::ports::JournalError;
use engine::shell::{EngineError, NewRun};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Parts;
use super::programs::Loaded;
use super::protocol::{Submission, Waiting};
use super::service::Event;
use crate::cluster::hooks;
use crate::commands::{documents, run};
use crate::exit::{Exit, Problem};
use crate::{inputs, program};

/// The longest id of a submission in bytes.
const MAX_ID: usize = 512;

/// How long a submission that is queued waits to see it begin.
const QUEUED: Duration = Duration::from_secs(3);

/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// The label that a run has of its submission.
const LABEL: &str = "submission";

/// Whether a submission started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    New,
    /// The same was submitted before.
    Known,
}

/// Starts the run of a submission. When it says so, the run is in the store, and goes on whatever happens here; or it is in
/// the queue of the cluster, and starts where there is room.
pub(super) async fn submit(parts: &Arc<Parts>, submission: Submission) -> Result<serde_json::Value, Problem> {
    if submission.id.as_ref().is_some_and(|id| id.is_empty() || id.len() > MAX_ID) {
        return Err(wrong(&format!("its id must have between 1 and {MAX_ID} bytes")));
    }
    let id = submission.id.as_deref().map_or_else(run::new_id, derived_id);
    let (loaded, new) = prepare(parts, id.clone(), &submission).await?;
    let input = new.input.clone();
    if let Some(queue) = parts.config.cluster().and_then(|cluster| cluster.queue()).filter(|_| is_full(parts)) {
        settle(parts, &id).await?;
        if parts.reader.find(&id.0).is_err() {
            let waiting = Waiting::new(id.0.to_string(), submission);
            let document = serde_json::to_vec(&waiting).map_err(|error| wrong(&error.to_string()))?;
            queue.put(&id, document).await?;
            return Ok(json!({ "run": &*id.0, "known": false, "queued": !started(parts, &id).await }));
        }
    }
    let begun = begin(parts, &loaded, new).await?;
    if begun == Begun::Known {
        settle(parts, &id).await?;
        let asked = submission.id.as_deref().unwrap_or_default();
        compare(parts, &id, asked, &submission.program, &input)?;
    }
    Ok(json!({ "run": &*id.0, "known": begun == Begun::Known }))
}

/// Starts a run out of the queue of the cluster, unless another host has started it.
pub(super) async fn pulled(parts: &Arc<Parts>, waiting: Waiting) -> Result<RunId, Problem> {
    let id = RunId(waiting.run.into());
    let (loaded, new) = prepare(parts, id.clone(), &waiting.submission).await?;
    begin(parts, &loaded, new).await?;
    Ok(id)
}

fn wrong(what: &str) -> Problem {
    Problem::usage(format!("the submission cannot be used: {what}"))
}

/// Makes a submission ready to be started.
async fn prepare(parts: &Arc<Parts>, id: RunId, submission: &Submission) -> Result<(Arc<Loaded>, NewRun), Problem> {
    let digest = program::parse_digest(&submission.program)
        .ok_or_else(|| wrong(&format!("`{}` is not the digest of a program", submission.program)))?;
    let (digest, loaded) = load(parts, digest).await?;
    let input = loaded.plan.flows.get(loaded.plan.entry).map(|flow| inputs::of_fields(&submission.input, flow));
    let input = input.ok_or_else(|| wrong("its program has no flow"))??;
    let labels = submission.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
    let labels = labels.chain(submission.id.iter().map(|id| (LABEL.to_owned(), id.clone()))).collect();
    let (plan, permitted) = (Arc::clone(&loaded.plan), submission.allow.clone());
    let trace = submission.trace.as_deref().and_then(Trace::parse);
    let new = NewRun { id, plan, program: digest, input, labels, permitted, origin: None, trace };
    Ok((loaded, new))
}

/// The program of a run that starts here, with the hooks that this host's operator puts around runs: who gives it need not know of
/// them.
pub(super) async fn load(parts: &Arc<Parts>, digest: Digest) -> Result<(Digest, Arc<Loaded>), Problem> {
    let mut digest = digest;
    if parts.config.cluster().is_some() {
        let shared = Arc::clone(parts);
        let add = move || program::hooked(&*shared.journal, digest, &hooks::rules(&shared.config)?);
        let added = tokio::task::spawn_blocking(add).await;
        digest = added.unwrap_or_else(|error| Err(Problem::new(Exit::Store, error.to_string())))?;
    }
    Ok((digest, parts.programs.get(parts, digest).await?))
}

fn is_full(parts: &Parts) -> bool {
    parts.places.available_permits() == 0
}

/// Waits a moment for a queued run to begin somewhere.
async fn started(parts: &Parts, id: &RunId) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < QUEUED {
        if parts.reader.find(&id.0).is_ok() {
            return true;
        }
        tokio::time::sleep(LOOK).await;
    }
    false
}

/// Waits until the store has what another host wrote of a run.
pub(super) async fn settle(parts: &Arc<Parts>, id: &RunId) -> Result<(), Problem> {
    let (journal, id) = (Arc::clone(&parts.journal), id.clone());
    let settled = tokio::task::spawn_blocking(move || journal.settled(&id)).await;
    Ok(settled.map_err(|error| Problem::new(Exit::Store, error.to_string()))??)
}

/// Makes a run durable, and lets it go on as soon as there is room for it.
pub(super) async fn begin(parts: &Arc<Parts>, loaded: &Loaded, new: NewRun) -> Result<Begun, Problem> {
    if parts.is_stopping() {
        return Err(Problem::new(Exit::Store, "the service is stopping and starts nothing new")
            .help("submit again when the next `host serve` runs"));
    }
    let id = new.id.clone();
    let made = match Arc::clone(&parts.places).try_acquire_owned() {
        Ok(place) => loaded.engine.start(new).await.map(|handle| Event::Started(handle, place)),
        Err(_) => loaded.engine.create(new).await.map(|()| Event::Queued(id)),
    };
    match made {
        Ok(event) => {
            parts.tell(event);
            Ok(Begun::New)
        }
        Err(EngineError::Journal(JournalError::Fenced { .. })) => Ok(Begun::Known),
        Err(error) => Err(error.into()),
    }
}

/// The id of the run of a submission: the same each time. A hundred bits of a hash, so that two submissions never share one.
pub(crate) fn derived_id(submission: &str) -> RunId {
    let hash = Sha256::digest(format!("flowhost submission 1\0{submission}"));
    let letters = hash.iter().take(20).map(|byte| run::letter(*byte));
    RunId(letters.collect::<String>().into())
}

/// Refuses a submission whose id was used for something else.
fn compare(parts: &Parts, id: &RunId, asked: &str, program: &str, input: &[(String, Value)]) -> Result<(), Problem> {
    let row = parts.reader.find(&id.0)?;
    let prefix = parts.reader.load_prefix(id)?;
    let Some(EventBody::RunStarted(started)) = prefix.events.first().map(|event| &event.body) else {
        return Err(Problem::new(Exit::Store, format!("the journal of run `{id}` does not begin with its start")));
    };
    let before: Vec<_> = started.input.iter().map(|(name, value)| (name.clone(), documents::payload(value))).collect();
    let now: Vec<_> = input.iter().map(|(name, value)| (name.clone(), catalog::json::to_json(value))).collect();
    let digests = program::parse_digest(&row.program).zip(program::parse_digest(program));
    // Hooks may have come or gone meanwhile.
    let same = digests.map_or(Ok(false), |(one, other)| program::is_same(&*parts.journal, one, other))?;
    if same && before == now {
        return Ok(());
    }
    let what = if same { "other input" } else { "another program" };
    Err(Problem::usage(format!("the submission `{asked}` was used before with {what}, for run `{id}`"))
        .help("each submission needs an id of its own; `host show` prints the run that has this one"))
}

#[cfg(test)]
mod tests {
    use super::derived_id;

    #[test]
    fn the_run_of_a_submission_always_has_the_same_id() {
        assert_eq!(derived_id("order 1"), derived_id("order 1"));
        assert_ne!(derived_id("order 1"), derived_id("order 2"));
        assert_eq!(derived_id("").0.len(), 20);
        assert!(derived_id("x").0.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
    }
}
