//! What is called around the events of a run.

use catalog::Name;
use grammar::Span;

use super::{CallPlan, ComponentId, FunctionId};

/// A function that is called before or after events of the run.
#[derive(Clone, Debug)]
pub struct HookPlan {
    /// When.
    pub phase: HookPhase,
    /// Around what.
    pub event: HookEvent,
    /// Around which of them.
    pub target: HookTarget,
    /// The handler with its policy; its arguments are `inputs`.
    pub call: CallPlan,
    /// What each parameter of the handler gets.
    pub inputs: Vec<HookInput>,
    /// How its result decides; only before.
    pub verdict: HookVerdict,
    /// The item.
    pub span: Span,
}

/// When a hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPhase {
    /// Before the event, which waits for it and may be refused or changed by it.
    Before,
    /// After the event, which does not wait for it.
    After,
}

/// What a hook is called around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookEvent {
    /// The whole run.
    Run,
    /// A step: all its attempts.
    Step,
    /// Each attempt of a step.
    Attempt,
    /// A message that the run emits.
    Message,
}

/// Which events a hook is called around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookTarget {
    /// All.
    All,
    /// Steps of a component.
    Component(ComponentId),
    /// Steps that call a function.
    Function(FunctionId),
    /// Messages whose topic fits; `*` stands for one token, `>` at the end for one or more.
    Topic(Name),
    /// Runs of a flow.
    Flow(Name),
    /// Steps as they are written, such as `search.find`; with `*` and `>` as in topics.
    Step(Name),
}

/// What a parameter of a handler gets. Documents are in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookInput {
    /// The run's id.
    Run,
    /// The name of the entry flow.
    Flow,
    /// The input of the run, an object.
    Input,
    /// The path of the step.
    Path,
    /// The step as it was written, such as `search.find`.
    Step,
    /// The arguments of the step, an object by parameter.
    Args,
    /// The idempotency key of the step.
    Key,
    /// The number of the attempt from 1, a `u32`.
    Number,
    /// `{"ok": value}` or `{"err": failure}`; of a run that was cancelled `{"err": …}` as well.
    Outcome,
    /// The topic of the message.
    Topic,
    /// The message.
    Message,
}

impl HookInput {
    /// All, with the names of the parameters that get them.
    pub const ALL: [(&'static str, Self); 11] = [
        ("run", Self::Run),
        ("flow", Self::Flow),
        ("input", Self::Input),
        ("path", Self::Path),
        ("step", Self::Step),
        ("args", Self::Args),
        ("key", Self::Key),
        ("number", Self::Number),
        ("outcome", Self::Outcome),
        ("topic", Self::Topic),
        ("message", Self::Message),
    ];

    /// Whether it is known around an event.
    #[must_use]
    pub const fn is_told(self, phase: HookPhase, event: HookEvent) -> bool {
        match self {
            Self::Run | Self::Flow => true,
            Self::Input => matches!(event, HookEvent::Run),
            Self::Path => !matches!(event, HookEvent::Run),
            Self::Step | Self::Args | Self::Key => matches!(event, HookEvent::Step | HookEvent::Attempt),
            Self::Number => matches!(event, HookEvent::Attempt),
            Self::Outcome => matches!(phase, HookPhase::After) && !matches!(event, HookEvent::Message),
            Self::Topic | Self::Message => matches!(event, HookEvent::Message),
        }
    }
}

/// How the result of a handler decides. One that fails refuses the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookVerdict {
    /// It only fails or does not.
    Nothing,
    /// False refuses.
    Bool,
    /// A variant or enum with the cases `allow`, `veto` (with a reason) and `rewrite` (with a document).
    Cases,
    /// The same, but one that fails agrees.
    Lenient,
}
