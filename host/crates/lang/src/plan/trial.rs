//! What only the plan of a test has.

use catalog::{Digest, FailureKind, Name};
use grammar::Span;

use super::{Expr, Pattern, Target};

/// The digest that stands for whoever runs a test: what is called of this component is answered there.
pub const TRIAL: Digest = Digest([0; 32]);

/// The function of [`TRIAL`] that counts the attempts of a function so far; the argument is its [`FunctionId`](super::FunctionId)
/// as a number.
pub const CALLS: &str = "calls";

/// The same for a role; the argument is its [`RoleId`](super::RoleId) as a number.
pub const ASKED: &str = "asked";

/// The function of [`TRIAL`] that gives the documents which were sent on a topic so far, in order.
pub const EMITTED: &str = "emitted";

/// What a mock stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MockTarget {
    /// Whatever answers a step.
    Step(Target),
    /// All of `run plan`.
    Plan,
    /// Whoever sends this signal.
    Signal(Name),
    /// Whoever sends messages on this topic.
    Message(Name),
}

/// Stands for what answers a step, or for a sender, in a test.
#[derive(Clone, Debug)]
pub struct MockPlan {
    /// What it stands for.
    pub target: MockTarget,
    /// One for each argument; what they bind are the locals of the expressions, in order.
    pub patterns: Vec<Pattern>,
    /// How often it answers; none: without end.
    pub times: Option<u32>,
    /// How long the answer takes; a duration.
    pub takes: Option<Expr>,
    /// What comes then.
    pub answer: MockAnswer,
    /// Where it stands.
    pub span: Span,
}

/// What a mock answers.
#[derive(Clone, Debug)]
pub enum MockAnswer {
    /// The step's value, or what is sent.
    Value(Expr),
    /// A failure with a `string`.
    Fails(FailureKind, Expr),
}
