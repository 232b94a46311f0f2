//! Starts the runs of deployments. A firing has a name that says it all (deployment, trigger, and the time or message), and
//! its run an id that follows from this name: so a firing that is repeated, because the service died before it had noted
//! it, finds its run there, and none starts twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::event::{RunId, Timestamp, Trace};
use engine::ports::{Clock, SystemClock};
use engine::shell::NewRun;
use journal::{DeployWrite, Deployment, Fired};
use serde_json::{Map, Value};

use super::Parts;
use super::deployment::{Document, Missed, Overlap, StoredTrigger, When};
use super::schedule::{Due, Schedule};
use super::submit::{self, derived_id};
use crate::exit::{Exit, Problem};
use crate::{inputs, output};

/// How often deployments and their messages are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// When a trigger is tried again that the store did not take. By no clock that may be set.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages that are taken at once for a trigger.
const MESSAGES: u32 = 64;

/// The parameter of a flow that a message or a request starts.
const DOCUMENT: &str = "event";

/// The current version of a deployment.
pub(super) struct Current {
    pub(super) name: String,
    version: u32,
    pub(super) document: Document,
}

/// A firing.
pub(super) struct Firing<'a> {
    pub(super) deployment: &'a Current,
    pub(super) trigger: &'a StoredTrigger,
    /// What tells it from the trigger's other ones.
    pub(super) key: &'a str,
    /// A label that says which one it is.
    pub(super) label: Option<(&'a str, String)>,
    /// What the flow is given.
    pub(super) event: Option<Value>,
    /// The trace of whoever sent that.
    pub(super) trace: Option<Trace>,
}

impl Current {
    /// A version that is current and not paused.
    pub(super) fn read(stored: &Deployment) -> Option<Result<Self, Problem>> {
        (stored.current && !stored.paused).then(|| {
            let document = Document::read(&stored.name, &stored.document)?;
            Ok(Self { name: stored.name.clone(), version: stored.version, document })
        })
    }
}

/// Starts the run of a firing, unless it was started before.
pub(super) async fn start(parts: &Arc<Parts>, firing: Firing<'_>) -> Result<RunId, Problem> {
    let Firing { deployment, trigger, key, label, event, trace } = firing;
    let unreadable = || Problem::new(Exit::Store, format!("the trigger `{}` names no program", trigger.item));
    let digest = trigger.program().ok_or_else(unreadable)?;
    let (digest, loaded) = submit::load(parts, digest).await?;
    let flow = loaded.plan.flows.get(loaded.plan.entry).ok_or_else(unreadable)?;
    let given: Map<String, Value> = event.map(|event| (DOCUMENT.to_owned(), event)).into_iter().collect();
    let input = inputs::of_fields(&given, flow)?;
    let id = derived_id(&format!("trigger {}\n{}\n{key}", deployment.name, trigger.item));
    let labels: Vec<(String, String)> = deployment
        .document
        .labels
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .chain([
            ("deployment".to_owned(), deployment.name.clone()),
            ("version".to_owned(), deployment.version.to_string()),
            ("trigger".to_owned(), trigger.item.clone()),
        ])
        .chain(label.map(|(name, value)| (name.to_owned(), value)))
        .collect();
    let (plan, permitted) = (Arc::clone(&loaded.plan), deployment.document.allow.clone());
    submit::begin(
        parts,
        &loaded,
        NewRun { id: id.clone(), plan, program: digest, input, labels, permitted, origin: None, trace },
    )
    .await?;
    Ok(id)
}

/// Fires until the service stops.
pub(super) async fn watch(parts: Arc<Parts>) {
    let mut watcher = Watcher { parts: Arc::clone(&parts), known: BTreeMap::new() };
    loop {
        if !parts.leads() {
            // What the host that leads has fired is read again when this one leads.
            watcher.known.clear();
        } else if let Err(error) = watcher.look().await {
            parts.log.problem("triggers-failed", &[("why", &error.message)]);
            tokio::time::sleep(PATIENCE).await;
        }
        let now = SystemClock.now();
        let next = watcher.next().map_or(LOOK, |at| Duration::from_millis(at.0.saturating_sub(now.0)).min(LOOK));
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = parts.deployed.notified() => {}
            () = parts.stopped() => return,
        }
    }
}

struct Watcher {
    parts: Arc<Parts>,
    /// By name, with the text that they were read from.
    known: BTreeMap<String, (Deployment, Vec<Live>)>,
}

/// A trigger that can fire.
struct Live {
    deployment: Arc<Current>,
    trigger: StoredTrigger,
    schedule: Option<Schedule>,
    /// No time up to this one fires any more.
    mark: Timestamp,
    /// The last run that it started.
    last: Option<RunId>,
    /// After a failure it is left alone for a while.
    not_before: Option<Instant>,
    next: Option<Timestamp>,
}

impl Watcher {
    async fn look(&mut self) -> Result<(), Problem> {
        self.refresh()?;
        for (_, live) in self.known.values_mut() {
            for trigger in live {
                let now = SystemClock.now();
                if trigger.not_before.is_some_and(|at| Instant::now() < at) || self.parts.is_stopping() {
                    continue;
                }
                match trigger.fire(&self.parts, now).await {
                    Ok(()) => {}
                    Err(problem) => {
                        let why = ("why", problem.message.as_str());
                        self.parts.log.problem("trigger-failed", &[("trigger", &trigger.trigger.item), why]);
                        trigger.not_before = Some(Instant::now() + PATIENCE);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in what was deployed, replaced, paused or removed.
    fn refresh(&mut self) -> Result<(), Problem> {
        let stored: Vec<Deployment> = self.parts.reader.deployments()?.into_iter().filter(|found| found.current).collect();
        self.known.retain(|name, _| stored.iter().any(|found| found.name == *name));
        for found in stored {
            if self.known.get(&found.name).is_some_and(|(known, _)| *known == found) {
                continue;
            }
            let live = match Current::read(&found) {
                None => Vec::new(),
                Some(Ok(current)) => live(&self.parts, &found, current)?,
                Some(Err(problem)) => {
                    self.parts.log.problem("deployment-skipped", &[("deployment", &found.name), ("why", &problem.message)]);
                    Vec::new()
                }
            };
            let (version, triggers) = (found.version.to_string(), live.len().to_string());
            self.parts.log.note("deployed", &[("deployment", &found.name), ("version", &version), ("triggers", &triggers)]);
            self.known.insert(found.name.clone(), (found, live));
        }
        Ok(())
    }

    /// When the next schedule fires.
    fn next(&self) -> Option<Timestamp> {
        self.known.values().flat_map(|(_, live)| live).filter_map(|live| live.next).min()
    }
}

fn live(parts: &Parts, stored: &Deployment, current: Current) -> Result<Vec<Live>, Problem> {
    let deployment = Arc::new(current);
    let mut all = Vec::new();
    for trigger in &deployment.document.triggers {
        let schedule = match &trigger.when {
            When::Schedule { cron, zone } => match Schedule::new(cron, zone.as_deref()) {
                Ok(schedule) => Some(schedule),
                Err(why) => {
                    parts.log.problem("trigger-skipped", &[("trigger", &trigger.item), ("why", &why)]);
                    continue;
                }
            },
            When::Event { .. } => None,
            When::Webhook { .. } => continue,
        };
        let mark = parts.reader.trigger_mark(&deployment.name, &trigger.item)?;
        let (mark, last) = mark.map_or((stored.at, None), |mark| (mark.mark, mark.run));
        let (deployment, trigger) = (Arc::clone(&deployment), trigger.clone());
        let next = schedule.as_ref().and_then(|schedule| schedule.next_after(mark));
        all.push(Live { deployment, trigger, schedule, mark, last, not_before: None, next });
    }
    Ok(all)
}

impl Live {
    async fn fire(&mut self, parts: &Arc<Parts>, now: Timestamp) -> Result<(), Problem> {
        match &self.schedule {
            Some(schedule) if self.next.is_some_and(|next| next <= now) => {
                let due = schedule.due(self.mark, now, self.deployment.document.missed);
                self.fire_times(parts, due).await
            }
            Some(_) => Ok(()),
            None => self.fire_messages(parts).await,
        }
    }

    async fn fire_times(&mut self, parts: &Arc<Parts>, due: Due) -> Result<(), Problem> {
        if due.passed_over > 0 && self.deployment.document.missed != Missed::All {
            let count = due.passed_over.to_string();
            parts.log.note("trigger-missed", &[("trigger", &self.trigger.item), ("times", &count)]);
        }
        for at in due.fire {
            match self.overlapping(parts)? {
                Some(Overlap::Queue) => return Ok(()),
                Some(_) => {
                    let time = output::time(at);
                    parts.log.note("trigger-skipped", &[("trigger", &self.trigger.item), ("due", &time)]);
                }
                None => self.run(parts, &at.0.to_string(), Some(("due", output::time(at))), None, None).await?,
            }
            self.settle(parts, at).await?;
        }
        if let Some(through) = due.through.filter(|through| *through > self.mark) {
            self.settle(parts, through).await?;
        }
        Ok(())
    }

    async fn fire_messages(&mut self, parts: &Arc<Parts>) -> Result<(), Problem> {
        for Fired { no, id, payload, trace } in parts.reader.fired(&self.deployment.name, &self.trigger.item, MESSAGES)? {
            match self.overlapping(parts)? {
                Some(Overlap::Queue) => return Ok(()),
                Some(_) => parts.log.note("trigger-skipped", &[("trigger", &self.trigger.item), ("message", &id)]),
                None => {
                    let event = serde_json::from_str(&payload).unwrap_or(Value::String(payload));
                    self.run(parts, &id, Some(("message", id.clone())), Some(event), trace).await?;
                    self.settle(parts, self.mark).await?;
                }
            }
            parts.journal.write_deployment(DeployWrite::Done(no)).await?;
        }
        Ok(())
    }

    /// Starts a run. One that can never be started is told of and left out; what the store does not take is tried again.
    async fn run(
        &mut self,
        parts: &Arc<Parts>,
        key: &str,
        label: Option<(&str, String)>,
        event: Option<Value>,
        trace: Option<Trace>,
    ) -> Result<(), Problem> {
        let firing = Firing { deployment: &self.deployment, trigger: &self.trigger, key, label, event, trace };
        match start(parts, firing).await {
            Ok(run) => {
                parts.log.note(
                    "triggered",
                    &[("deployment", &self.deployment.name), ("trigger", &self.trigger.item), ("run", &run.0)],
                );
                self.last = Some(run);
                Ok(())
            }
            Err(problem) if problem.exit == Exit::Store => Err(problem),
            Err(problem) => {
                parts.log.problem("trigger-failed", &[("trigger", &self.trigger.item), ("why", &problem.message)]);
                Ok(())
            }
        }
    }

    /// What is to be done because the last run has not ended.
    fn overlapping(&self, parts: &Parts) -> Result<Option<Overlap>, Problem> {
        let overlap = self.deployment.document.overlap;
        let Some(last) = self.last.as_ref().filter(|_| overlap != Overlap::Allow) else { return Ok(None) };
        match parts.reader.find(&last.0) {
            Ok(row) if row.status.is_end() => Ok(None),
            Ok(_) => Ok(Some(overlap)),
            // It was removed from the store.
            Err(journal::FindError::Journal(engine::ports::JournalError::NoSuchRun(_))) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that nothing up to this time fires any more.
    async fn settle(&mut self, parts: &Parts, through: Timestamp) -> Result<(), Problem> {
        let (name, item) = (self.deployment.name.clone(), self.trigger.item.clone());
        parts.journal.write_deployment(DeployWrite::Mark { name, item, mark: through, run: self.last.clone() }).await?;
        self.mark = through;
        self.next = self.schedule.as_ref().and_then(|schedule| schedule.next_after(through));
        Ok(())
    }
}
