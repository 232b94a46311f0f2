//! The way of an attempt that found no place here to another host, and back when there is one after all.

use std::sync::Arc;

use catalog::Value;

use super::line::Stage;
use super::places::Queue;
use super::pool::{Held, Kind as Of, Pool, Units};
use super::{Asker, Gates, Want, kept};
use crate::core::StartAttempt;
use crate::event::Failure;
use crate::ports::{Begun, Callable, Elsewhere, Errand, Fate, GrantedCapability, Invocation, Kind, Offer, Outcome};
use crate::shell::Parts;
use crate::shell::valve::Valve;
use lang::plan::Plan;

/// What another host has to know of an attempt beside the attempt itself.
#[derive(Clone)]
pub(in crate::shell) struct Terms {
    pub(super) kind: Kind,
    class_parallel: Option<u32>,
    repeatable: bool,
}

/// A place at another host, for an attempt that still waits for one here.
pub(in crate::shell) struct Away {
    pub(super) terms: Box<Terms>,
    pub(super) place: Option<Held>,
    pub(super) queue: Queue,
    pub(super) want: Want,
    pub(super) who: Asker,
    /// What the attempt waits for, and whether it is asked to stop.
    pub(in crate::shell) stage: Stage,
}

/// Where an attempt went that had a place at another host.
pub(in crate::shell) enum Went {
    /// There, and this came of it.
    There(Box<Outcome>),
    /// There, and nothing says how it ended.
    Lost(Option<Arc<str>>),
    /// There, and it was stopped.
    Stopped(Arc<str>),
    /// There is a place here now, and nobody has begun it.
    Here(Vec<Held>),
    /// There is no place here, and the line is as long as it may be.
    Full(Failure),
    /// Nowhere: nothing was to start any more.
    Nowhere,
}

/// What follows when an attempt was offered.
enum Next {
    Went(Went),
    /// Its host is gone, and it may run a second time.
    Again,
    /// It waits for a place here.
    Stay,
}

impl Terms {
    /// None: it must not leave this host. Folders and mail are here, and roles are answered by whoever has them.
    pub(in crate::shell) fn of(start: &StartAttempt, plan: &Plan) -> Option<Self> {
        let grants = |fits: fn(&GrantedCapability) -> bool| start.grants.iter().any(fits);
        let is_local = grants(|grant| matches!(grant, GrantedCapability::Folder { .. } | GrantedCapability::Mail(..)));
        if is_local || !matches!(start.target, Callable::Function(_)) || start.args.iter().any(names_folder) {
            return None;
        }
        let declared = plan.classes.iter().find(|class| Some(&class.name) == start.class.as_ref());
        Some(Self {
            kind: Kind {
                class: start.class.clone(),
                http: grants(|grant| matches!(grant, GrantedCapability::Http(_))),
                env: grants(|grant| matches!(grant, GrantedCapability::Env(_))),
            },
            class_parallel: declared.and_then(|class| class.parallel),
            repeatable: start.repeatable,
        })
    }
}

/// Whether a folder of this host is in a value.
fn names_folder(value: &Value) -> bool {
    match value {
        Value::Dir(_) => true,
        Value::List(items) | Value::Tuple(items) => items.iter().any(names_folder),
        Value::Record(fields) => fields.iter().any(|(_, value)| names_folder(value)),
        Value::Variant(_, inner) | Value::Option(inner) => inner.as_deref().is_some_and(names_folder),
        Value::Result(Ok(inner) | Err(inner)) => inner.as_deref().is_some_and(names_folder),
        _ => false,
    }
}

impl Gates {
    /// Waits for a place at another host.
    pub(super) async fn place_away(&self, elsewhere: &dyn Elsewhere, kind: &Kind, who: &Asker) -> Option<Held> {
        let none = Units { places: 0, ..Units::PLACE };
        let pool = kept(&self.away, kind.clone(), || Pool::new(Of::Away, none), |pool| pool.is_idle());
        let (mut ticket, mut seen) = (pool.ask(Units::PLACE, who), 0);
        loop {
            pool.resize(Units { places: elsewhere.places(kind), ..none });
            tokio::select! {
                biased;
                held = ticket.wait() => return held,
                now = elsewhere.changed(seen) => seen = now,
            }
        }
    }
}

impl Away {
    /// Lets another host run the attempt, unless there is a place here before it has begun there. None when the engine is being dropped.
    pub(in crate::shell) async fn run(mut self, parts: &Parts, valve: &Valve, invocation: Invocation) -> Option<Went> {
        let elsewhere = Arc::clone(parts.elsewhere.as_ref()?);
        for lost in 0.. {
            let Terms { kind, class_parallel, repeatable } = Terms::clone(&self.terms);
            let invocation = Box::new(invocation.clone());
            let begun = Begun::default();
            self.stage.offered(Some(begun.clone()));
            let offer = Offer { invocation, kind, class_parallel, repeatable, lost, begun: begun.clone() };
            let next = self.offered(parts, valve, elsewhere.offer(offer), &begun).await?;
            self.stage.offered(None);
            match next {
                Next::Went(went) => return Some(went),
                // It need not be the same host that it gets now, nor another one at all.
                Next::Again => {
                    if let Some(went) = self.again(parts, valve, &*elsewhere).await? {
                        return Some(went);
                    }
                }
                Next::Stay => return self.stay(parts, valve).await,
            }
        }
        None
    }

    async fn offered(&mut self, parts: &Parts, valve: &Valve, mut errand: Box<dyn Errand>, begun: &Begun) -> Option<Next> {
        let stage = self.stage.clone();
        let fate = tokio::select! {
            biased;
            () = stage.braked() => return Some(stop(errand, begun).await),
            fate = errand.fate() => Some(fate),
            here = self.queue.wait(parts, &self.stage, &self.who) => {
                here?;
                None
            }
            () = valve.closes() => None,
        };
        self.stage.clear();
        let fate = match fate {
            Some(fate) => fate,
            None if errand.take_back() => return Some(Next::Stay),
            None => {
                // It runs elsewhere: what it waited for here is for others.
                self.queue.give_up();
                tokio::select! {
                    biased;
                    () = stage.braked() => return Some(stop(errand, begun).await),
                    fate = errand.fate() => fate,
                }
            }
        };
        Some(match fate {
            Fate::Lost => Next::Again,
            Fate::Refused(_) => Next::Stay,
            Fate::Outcome(outcome) => Next::Went(Went::There(Box::new(Outcome { host: begun.host(), ..*outcome }))),
            Fate::Unknown => Next::Went(Went::Lost(begun.host())),
        })
    }

    /// Stands in line again, here and for another host.
    async fn again(&mut self, parts: &Parts, valve: &Valve, elsewhere: &dyn Elsewhere) -> Option<Option<Went>> {
        match parts.gates.places.stand(&parts.config, &self.want, &self.who) {
            Ok(queue) => self.queue = queue,
            Err(failure) => return Some(Some(Went::Full(failure))),
        }
        self.place = None;
        let stage = self.stage.clone();
        tokio::select! {
            biased;
            here = self.queue.wait(parts, &self.stage, &self.who) => {
                here?;
                Some(Some(Went::Here(self.queue.take())))
            }
            place = parts.gates.place_away(elsewhere, &self.terms.kind, &self.who) => {
                self.place = Some(place?);
                Some(None)
            }
            () = valve.closes() => Some(Some(Went::Nowhere)),
            () = stage.braked() => Some(Some(Went::Nowhere)),
        }
    }

    /// Waits for a place here.
    async fn stay(mut self, parts: &Parts, valve: &Valve) -> Option<Went> {
        self.place = None;
        if valve.is_shut() {
            return Some(Went::Nowhere);
        }
        let stage = self.stage.clone();
        let went = tokio::select! {
            biased;
            () = stage.braked() => Some(Went::Nowhere),
            here = self.queue.wait(parts, &self.stage, &self.who) => here.map(|()| Went::Here(self.queue.take())),
            () = valve.closes() => Some(Went::Nowhere),
        };
        stage.clear();
        went
    }
}

/// Nobody wants its result any more. What follows may undo what it did, so that it must have stopped before.
async fn stop(mut errand: Box<dyn Errand>, begun: &Begun) -> Next {
    if errand.take_back() {
        return Next::Went(Went::Nowhere);
    }
    errand.stop().await;
    Next::Went(begun.host().map_or(Went::Nowhere, Went::Stopped))
}
