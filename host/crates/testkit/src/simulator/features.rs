//! Which parts of the engine a seed's run has used, by its events: what is generated and never happens is not tested.

use std::ops::{BitOr, BitOrAssign};

use engine::event::{CacheNote, Decision, Event, EventBody, RunOutcome};
use lang::plan::Plan;

use super::steps::sender;

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u128);

/// How a feature is seen.
enum Mark {
    /// A part of a step's path begins so.
    Part(&'static str),
    /// A step's path has this in it.
    Within(&'static str),
    /// The last part of a step's path has this in it.
    Tail(&'static str),
    /// Something else, noted where it is seen.
    Noted,
}

use Mark::{Noted, Part, Tail, Within};

/// All of them, by name.
const ALL: &[(&str, Mark)] = &[
    ("effect", Tail("_e")),
    ("idempotent effect", Tail("_i")),
    ("look", Tail("_o")),
    ("denied grant", Tail("denied")),
    ("retry", Noted),
    ("key", Tail("_k")),
    ("rate", Tail("_p")),
    ("breaker", Within("racyfuse")),
    ("budget", Within("/budget")),
    ("priority", Noted),
    ("if", Part("if")),
    ("match", Part("match")),
    ("map", Part("map")),
    ("collecting map", Part("collect")),
    ("fold", Part("fold")),
    ("tree", Part("tree")),
    ("loop", Part("loop")),
    ("block", Part("block")),
    ("flow", Part("flow")),
    ("early return", Part("racyflow")),
    ("try", Part("try")),
    ("catch", Within(".catch")),
    ("race", Within("past")),
    ("compensation", Within(".undo/")),
    ("recursion", Part("recursion")),
    ("timer", Noted),
    ("deadline", Noted),
    ("wait for time", Part("woken")),
    ("signal", Noted),
    ("message", Noted),
    ("emit", Noted),
    ("message of a step", Noted),
    ("question to a role", Tail("_a")),
    ("plan in a run", Tail("_g")),
    ("stalled plan", Noted),
    ("handler before", Within(".before[")),
    ("handler after", Within(".after[")),
    ("takeover", Noted),
    ("unknown outcome", Noted),
    ("decision to retry", Noted),
    ("decision to supply", Noted),
    ("decision to fail", Noted),
    ("pause", Noted),
    ("single steps", Noted),
    ("gentle cancellation", Noted),
    ("hasty cancellation", Noted),
    ("cancelled attempt", Noted),
    ("repeated order", Noted),
    ("refused order", Noted),
    ("escalation", Noted),
    ("escalation decided in a letter", Noted),
    ("changed setting", Noted),
    ("supplied result", Noted),
    ("changed input", Noted),
    ("migration", Noted),
    ("migration back", Noted),
    ("refused migration", Noted),
    ("retried run", Noted),
    ("retried from a node", Noted),
    ("retried with other input", Noted),
    ("result taken over", Noted),
    ("failed run", Noted),
];

impl Features {
    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|(name, _)| *name)
    }

    /// The names of these.
    pub fn used(self) -> impl Iterator<Item = &'static str> {
        ALL.iter().enumerate().filter(move |(place, _)| self.0 >> place & 1 == 1).map(|(_, (name, _))| *name)
    }

    /// Notes one that no path tells.
    pub(super) fn note(&mut self, name: &str) {
        if let Some(place) = ALL.iter().position(|(known, _)| *known == name) {
            self.0 |= 1 << place;
        }
    }

    /// What a plan's steps have.
    pub(super) fn note_plan(&mut self, plan: &Plan) {
        let has_priority =
            |kind: &lang::plan::NodeKind| matches!(kind, lang::plan::NodeKind::Call(call) if call.rules.priority.is_some());
        if plan.nodes.values().any(|node| has_priority(&node.kind)) {
            self.note("priority");
        }
    }

    /// What an event tells.
    pub(super) fn note_event(&mut self, event: &Event) {
        if let Some(path) = event.body.path() {
            self.note_path(path);
        }
        if let Some(name) = of_event(&event.body) {
            self.note(name);
        }
    }

    fn note_path(&mut self, path: &str) {
        let last = path.rsplit('/').next().unwrap_or(path);
        for (place, (_, mark)) in ALL.iter().enumerate() {
            let seen = match mark {
                Part(prefix) => path.split('/').any(|part| part.starts_with(prefix)),
                Within(text) => path.contains(text),
                Tail(text) => last.contains(text),
                Noted => false,
            };
            self.0 |= u128::from(seen) << place;
        }
    }
}

fn of_event(body: &EventBody) -> Option<&'static str> {
    Some(match body {
        EventBody::AttemptSucceeded { cache: Some(CacheNote::Reused), .. } => "result taken over",
        EventBody::AttemptSucceeded { attempt, .. } if attempt.number > 1 => "retry",
        EventBody::AttemptCancelled { attempt, .. } if hangs(&attempt.path) => "deadline",
        EventBody::AttemptCancelled { .. } => "cancelled attempt",
        EventBody::OutcomeUnknown { .. } => "unknown outcome",
        EventBody::TimerFired { .. } => "timer",
        EventBody::SignalReceived { .. } => "signal",
        EventBody::MessageReceived { .. } => "message",
        EventBody::MessageSent { attempt } if sender(&attempt.path).is_some() => "message of a step",
        EventBody::MessageSent { .. } => "emit",
        EventBody::OwnerChanged { .. } => "takeover",
        EventBody::OperatorDecision { decision: Decision::Retry(_), .. } => "decision to retry",
        EventBody::OperatorDecision { decision: Decision::Supply(_), .. } => "decision to supply",
        EventBody::OperatorDecision { decision: Decision::Fail(_), .. } => "decision to fail",
        EventBody::Paused { .. } => "pause",
        EventBody::Advanced { .. } => "single steps",
        EventBody::CancelRequested { gently: true, .. } => "gentle cancellation",
        EventBody::CancelRequested { gently: false, .. } => "hasty cancellation",
        EventBody::ControlTaken { refusal: Some(_), .. } => "refused order",
        EventBody::Escalated(_) => "escalation",
        EventBody::RunEnded { outcome: RunOutcome::Failed { .. } } => "failed run",
        _ => return None,
    })
}

/// Only its deadline ends a step `h7`.
fn hangs(path: &str) -> bool {
    path.rsplit('/')
        .next()
        .and_then(|name| name.strip_prefix('h'))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Features {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}
