//! What a state is made of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use catalog::{Name, Value};
use lang::plan::{Breaker, NodeId, Rate, RegionId, Target};

use super::budget::Budget;
use crate::core::action::Shared;
use crate::core::line::{Line, Ticket};
use crate::core::slab::Id;
use crate::core::values::ListValue;
use crate::event::{Amounts, Failure, Level, TaskId, TimerId, Timestamp, Tried};
use crate::ports::{GrantedCapability, Message};

use super::mail::Address;
use super::planned::Planned;
use super::vault::Resident;

pub(crate) type InstanceId = Id<Instance>;
pub(crate) type ActivityId = Id<Activity>;
pub(crate) type ScopeId = Id<Scope>;

/// Something that follows from what happened and is still to be done.
#[derive(Debug)]
pub(crate) enum Work {
    /// A node has all that it waits for.
    Ready(InstanceId, NodeId),
    /// All nodes of a region are done.
    Finish(InstanceId),
    /// Nothing runs any more in a region that was told to stop.
    Settle(InstanceId),
    /// Nothing runs any more in a node that was told to stop.
    Stopped(ActivityId),
    /// An attempt is refused by its breaker, which is open for so many milliseconds.
    Refuse(TaskId, u64),
    /// Nobody has this key any more.
    Unlock(Arc<str>),
}

/// An open region.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) region: RegionId,
    pub(crate) owner: ActivityId,
    pub(crate) role: Role,
    /// Its place among the owner's children.
    pub(crate) at: usize,
    pub(crate) frame: Vec<Option<Value>>,
    /// How many predecessors each node still waits for.
    pub(crate) waits: Vec<u32>,
    /// Nodes that are not done.
    pub(crate) remaining: u32,
    /// Nodes that have begun and not ended.
    pub(crate) active: Vec<ActivityId>,
    pub(crate) scope: Option<ScopeId>,
    pub(crate) closing: Option<Cause>,
    pub(crate) undos: Undos,
}

/// What is to be taken back should a region fail or be cancelled.
#[derive(Debug, Default)]
pub(crate) struct Undos {
    /// By a number that counts up with what is done: the last one is taken back first.
    pub(crate) kept: BTreeMap<u64, Undo>,
    /// Compensations that failed, with their paths.
    pub(crate) failed: Vec<(Arc<str>, Failure)>,
}

/// A compensation that may be needed.
#[derive(Debug)]
pub(crate) struct Undo {
    /// Of the node.
    pub(crate) path: Arc<str>,
    pub(crate) node: NodeId,
    /// What its region's frame begins with.
    pub(crate) frame: Vec<Option<Value>>,
}

/// What a region is to the node that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The only one at its time and without a number.
    Body,
    /// The n-th item or iteration.
    Index(u32),
    /// The test before the n-th iteration.
    Test(u32),
    /// Takes a failure.
    Handler,
    /// What a loop does at its bound.
    Exhausted,
    /// Takes the node's effect back.
    Undo,
    /// Gives a value of this level of a tree.
    Pair { level: u32, index: u32 },
}

/// Why a region ends before its nodes are done.
#[derive(Clone, Debug)]
pub(crate) enum Cause {
    /// A node failed.
    Failed(Box<Failed>),
    /// A `return` in it or below.
    Returned(Value),
    /// Nobody wants its value.
    Unwanted,
}

impl Cause {
    /// Whether what the region did is taken back.
    pub(crate) const fn takes_back(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Unwanted)
    }
}

/// A failure with the path of the node that it came from.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) path: Arc<str>,
}

/// A node that has begun and takes time.
#[derive(Debug)]
pub(crate) struct Activity {
    /// None for the run itself, which opens the entry flow.
    pub(crate) place: Option<(InstanceId, NodeId)>,
    /// Its place among the active nodes of its region.
    pub(crate) at: usize,
    pub(crate) form: Form,
    pub(crate) children: Vec<InstanceId>,
    pub(crate) deadline: Option<TimerId>,
    /// The scopes that it made, outermost first.
    pub(crate) own_scopes: Vec<ScopeId>,
    /// The scope of what is in it.
    pub(crate) scope: Option<ScopeId>,
    pub(crate) stopping: Option<Stop>,
}

/// Why a node is stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nobody wants its value.
    Unwanted,
    /// It has failed as soon as all in it has ended.
    Failed(Box<Failed>),
}

/// What a node that has begun is about.
#[derive(Debug)]
pub(crate) enum Form {
    Call(TaskId),
    Flow,
    /// One child, whose value is the node's: if, match, block.
    Single,
    Map(Box<MapForm>),
    Fold(Box<FoldForm>),
    Tree(Box<TreeForm>),
    Loop(Box<LoopForm>),
    Try,
    Race(Box<RaceForm>),
    /// A compensation, in the region that is taken back; the path is the node's whose effect it is.
    Undo(Arc<str>),
    Wait(Box<WaitForm>),
    Emit(TaskId),
    /// A handler is called.
    Hook(Box<HookForm>),
}

/// What a `wait` waits for.
#[derive(Debug)]
pub(crate) enum WaitForm {
    /// A time; none until its timer is set.
    Time(Option<TimerId>),
    /// A signal or message, as the n-th wait of the run that opened.
    Mail(Address, u64),
}

/// A message that is to be sent.
#[derive(Debug)]
pub(crate) struct Emit {
    pub(crate) activity: ActivityId,
    pub(crate) path: Arc<str>,
    pub(crate) message: Message,
    /// Whether it is handed out.
    pub(crate) sending: bool,
    /// The handlers that have agreed to it, as a place in the plan's hooks.
    pub(crate) asked: usize,
    /// The step that has sent it; none: it is a node of the flow.
    pub(crate) of: Option<TaskId>,
}

/// A call of a handler.
#[derive(Debug)]
pub(crate) struct HookForm {
    pub(crate) task: TaskId,
    /// Its place in the plan's hooks.
    pub(crate) hook: usize,
    pub(crate) subject: Subject,
}

/// What a handler is called about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    /// Whether the run may begin.
    Run,
    /// Whether an attempt of a step may begin.
    Step(TaskId),
    /// Whether a message may be sent.
    Message(TaskId),
    /// It is only told.
    Told,
}

/// The handlers that have agreed to a step, as a place in the plan's hooks; those around attempts are asked for each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) step: usize,
    pub(crate) attempt: usize,
    pub(crate) number: u32,
}

impl Activity {
    /// One that no region waits for.
    pub(crate) const fn loose(form: Form) -> Self {
        Self {
            place: None,
            at: 0,
            form,
            children: Vec::new(),
            deadline: None,
            own_scopes: Vec::new(),
            scope: None,
            stopping: None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct MapForm {
    pub(crate) items: ListValue,
    pub(crate) results: Vec<Option<Value>>,
    pub(crate) next: usize,
    pub(crate) done: usize,
    pub(crate) collect: bool,
    pub(super) resident: Resident,
}

#[derive(Debug)]
pub(crate) struct FoldForm {
    pub(crate) items: ListValue,
    pub(crate) next: usize,
}

#[derive(Debug)]
pub(crate) struct TreeForm {
    pub(crate) levels: Vec<Vec<Option<Value>>>,
    pub(super) resident: Resident,
    /// Pairs whose two values exist, by the level and index of what they give.
    pub(crate) ready: VecDeque<(u32, u32)>,
}

#[derive(Debug)]
pub(crate) struct LoopForm {
    pub(crate) value: Value,
    pub(crate) iteration: u32,
    pub(crate) max: u32,
}

/// Arms that run at once.
#[derive(Debug)]
pub(crate) struct RaceForm {
    /// What the arms gave, by their index.
    pub(crate) won: Vec<Option<Value>>,
    pub(crate) winners: u32,
    pub(crate) failures: u32,
    /// So many successes decide it.
    pub(crate) wanted: u32,
    /// How it ends as soon as the other arms have ended.
    pub(crate) decided: Option<Result<Value, Box<Failed>>>,
}

/// A step that is ready, running or waiting.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) activity: ActivityId,
    pub(crate) scope: Option<ScopeId>,
    pub(crate) path: Arc<str>,
    /// As it was written.
    pub(crate) name: Name,
    pub(crate) target: Target,
    pub(crate) number: u32,
    pub(crate) status: Status,
    /// Whether it has its place in all scopes around it.
    pub(crate) placed: bool,
    /// Whether the `attempt-started` of this attempt is durable.
    pub(crate) started: bool,
    /// Whether nothing that it does can be seen outside.
    pub(crate) pure_step: bool,
    /// Whether it may run again when an outcome is not known.
    pub(crate) repeatable: bool,
    pub(crate) args: Vec<Value>,
    pub(crate) grants: Vec<GrantedCapability>,
    pub(crate) wishes: Amounts,
    pub(crate) class: Option<Name>,
    pub(crate) retries_left: u32,
    pub(crate) failures: u32,
    pub(crate) backoff: Backoff,
    pub(crate) previous: Option<Failure>,
    /// Most steps have none.
    pub(crate) rules: Option<Box<Rules>>,
    /// Whether it calls a handler, around which no others are called.
    pub(crate) is_hook: bool,
    pub(crate) asked: Asked,
    /// What its run may use, when it runs a plan.
    pub(crate) planned: Option<Box<Planned>>,
    /// Whether a capability was denied to the attempt.
    pub(crate) denied: bool,
    /// Most steps never fail.
    pub(crate) recovering: Option<Box<Recovering>>,
}

/// What was done about the failures of a step.
#[derive(Debug, Default)]
pub(crate) struct Recovering {
    /// Attempts that the first and the second level of the recovery table have had.
    pub(crate) used: (u32, u32),
    /// Who wanted the attempt that runs; none: the flow.
    pub(crate) by: Option<Level>,
    /// What the attempt may use beyond what the flow asks for.
    pub(crate) raised: Amounts,
    pub(crate) tried: Vec<Tried>,
    pub(crate) escalated: Option<Escalated>,
}

/// A step about which a human was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Escalated {
    /// Whether the report is durable.
    pub(crate) told: bool,
    /// When nobody is waited for any more.
    pub(crate) patience: Option<TimerId>,
    /// Nobody is: the step is to fail.
    pub(crate) given_up: bool,
}

/// What the plan says of a step beside its limits.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) node: NodeId,
    pub(crate) priority: i32,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) rate: Option<Rate>,
    pub(crate) breaker: Option<Breaker>,
    /// Whether its result may come out of the cache, and how old it may be in nanoseconds.
    pub(crate) cache: Option<Option<u64>>,
    /// Whether an operator decides when its attempts are used up.
    pub(crate) pauses: bool,
    /// The name under which people find what it gives.
    pub(crate) artifact: Option<Arc<str>>,
    /// Whether it fails then, whatever the recovery table says.
    pub(crate) fails: bool,
    /// Its attempts are used up, and an operator is asked.
    pub(crate) exhausted: bool,
}

impl Rules {
    /// Nothing is said.
    pub(crate) const fn none(node: NodeId) -> Self {
        Self {
            node,
            priority: 0,
            key: None,
            rate: None,
            breaker: None,
            cache: None,
            pauses: false,
            artifact: None,
            fails: false,
            exhausted: false,
        }
    }
}

impl Task {
    pub(crate) fn priority(&self) -> i32 {
        self.rules.as_ref().map_or(0, |rules| rules.priority)
    }

    pub(crate) fn key(&self) -> Option<&Arc<str>> {
        self.rules.as_ref()?.key.as_ref()
    }

    pub(crate) fn rate(&self) -> Option<(NodeId, Rate)> {
        let rules = self.rules.as_ref()?;
        Some((rules.node, rules.rate?))
    }

    pub(crate) fn breaker(&self) -> Option<(Target, Breaker)> {
        Some((self.target, self.rules.as_ref()?.breaker?))
    }

    /// What it asks of that which all runs of a process share.
    pub(crate) fn shared(&self) -> Option<Box<Shared>> {
        let rules = self.rules.as_ref()?;
        let shared = Shared { key: rules.key.clone(), rate: rules.rate, breaker: rules.breaker };
        (shared.key.is_some() || shared.rate.is_some() || shared.breaker.is_some()).then(|| Box::new(shared))
    }

    /// Whether its result may come out of the cache, and how old it may be in nanoseconds.
    pub(crate) fn cache(&self) -> Option<Option<u64>> {
        self.rules.as_ref()?.cache
    }

    /// Whether it waits for an operator because its attempts are used up.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.exhausted)
    }

    /// What is known of a human who was asked about it.
    pub(crate) fn escalated(&self) -> Option<Escalated> {
        self.recovering.as_ref()?.escalated
    }

    /// What the attempt may use beyond what the flow asks for.
    pub(crate) fn raised(&self) -> Amounts {
        self.recovering.as_ref().map(|recovering| recovering.raised).unwrap_or_default()
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// To be started.
    Ready,
    /// Waits for a place in this scope.
    Queued(ScopeId),
    /// Waits because nothing starts now.
    Held,
    /// Waits for its key.
    Locked,
    /// Waits until its rate lets it start.
    Paced(NodeId, Ticket),
    /// Its breaker is open: the attempt fails.
    Refused,
    /// Waits for the trial of its breaker.
    Fused,
    /// Waits for what a handler says.
    Asking,
    /// An attempt runs.
    Running,
    /// It has its result, and what it sent leaves.
    Sending,
    /// Waits until it may be tried again.
    Backoff(TimerId),
    /// Waits for an operator.
    Unknown,
}

/// How long to wait before a further attempt, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backoff {
    None,
    Constant(u64),
    Exponential { first: u64, max: Option<u64> },
}

/// A limit on the steps that run at once in a node and all below it, or a budget of them.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) limit: u32,
    pub(crate) running: u32,
    pub(crate) parent: Option<ScopeId>,
    pub(crate) queue: Line,
    pub(crate) budget: Option<Box<Budget>>,
}

/// A timer.
#[derive(Debug)]
pub(crate) struct Timer {
    pub(crate) at: Timestamp,
    pub(crate) due: Due,
}

/// What happens when a timer fires.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// The node has taken too long.
    Deadline(ActivityId),
    /// The step may be tried again.
    Retry(TaskId),
    /// The time of a `wait` has come.
    Wait(ActivityId),
    /// A further attempt of the node may start.
    Rate(NodeId),
    /// The time of the budget is over.
    Budget(ScopeId),
    /// Nobody has decided about an escalated step.
    Patience(TaskId),
}
