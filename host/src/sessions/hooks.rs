//! The runs that opening and closing a session makes.

use std::sync::Arc;

use catalog::Digest;
use engine::event::RunId;
use engine::shell::NewRun;
use journal::{SessionRow, SessionWrite};
use lang::SessionEvent;
use lang::plan::Plan;
use serde_json::{Map, Value};

use super::{Document, HOOK_LABEL, LABEL};
use crate::exit::{Exit, Problem};
use crate::inputs;
use crate::serve::derived_id;

/// A run that calls a handler.
pub(crate) struct HookRun {
    /// Always the same for this session and hook.
    pub(crate) id: RunId,
    /// Such as `session start guard.opened`.
    pub(crate) name: String,
    pub(crate) program: Digest,
    labels: Vec<(String, String)>,
    allow: Vec<String>,
    /// What there is to tell.
    told: Map<String, Value>,
}

impl HookRun {
    /// The run, once its plan is made. Its flow has a parameter for each thing that the handler wants to be told.
    pub(crate) fn new_run(&self, plan: Arc<Plan>) -> Result<NewRun, Problem> {
        let unreadable = || Problem::new(Exit::Store, format!("the program of `{}` has no flow", self.name));
        let flow = plan.flows.get(plan.entry).ok_or_else(unreadable)?;
        let wanted = |(name, _): &(&String, &Value)| flow.params.iter().any(|param| *param.name == **name);
        let told: Map<String, Value> =
            self.told.iter().filter(wanted).map(|(name, value)| (name.clone(), value.clone())).collect();
        let input = inputs::of_fields(&told, flow)?;
        Ok(NewRun {
            id: self.id.clone(),
            plan,
            program: self.program,
            input,
            labels: self.labels.clone(),
            permitted: self.allow.clone(),
            origin: None,
            trace: None,
        })
    }
}

/// The runs that are still to be started for a session, in the order of its file.
pub(crate) fn due(session: &SessionRow) -> Result<Vec<HookRun>, Problem> {
    let document = Document::read(&session.id, &session.document)?;
    let mut runs = Vec::new();
    for (number, hook) in document.hooks.iter().enumerate() {
        let wanted = match hook.event() {
            SessionEvent::Start => session.starting,
            SessionEvent::End => session.ending,
        };
        if !wanted {
            continue;
        }
        let event = hook.event().name();
        let unreadable =
            || Problem::new(Exit::Store, format!("the hook `{}` of session `{}` names no program", hook.handler, session.id));
        let name = format!("session {event} {}", hook.handler);
        let mut labels: Vec<(String, String)> = session.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        labels.push((LABEL.to_owned(), session.id.clone()));
        labels.push((HOOK_LABEL.to_owned(), name.clone()));
        runs.push(HookRun {
            id: derived_id(&format!("session {}\n{event} {number}", session.id)),
            name,
            program: hook.program().ok_or_else(unreadable)?,
            labels,
            allow: document.allow.clone(),
            told: told(session),
        });
    }
    Ok(runs)
}

fn told(session: &SessionRow) -> Map<String, Value> {
    let labels: Map<String, Value> = session.labels.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    [("session", session.id.clone()), ("labels", Value::Object(labels).to_string())]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect()
}

/// What to note when all that was due has begun.
pub(crate) fn done(session: &SessionRow) -> Vec<SessionWrite> {
    let started = session.starting.then(|| SessionWrite::Started(session.id.clone()));
    let ended = session.ending.then(|| SessionWrite::Ended(session.id.clone()));
    started.into_iter().chain(ended).collect()
}
