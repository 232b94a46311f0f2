//! What a state is made of.

use std::collections::VecDeque;
use std::sync::Arc;

use catalog::{Name, Value};
use lang::plan::{FunctionId, NodeId, RegionId};

use crate::core::slab::Id;
use crate::core::values::ListValue;
use crate::event::{Failure, TaskId, TimerId, Timestamp};
use crate::ports::{GrantedCapability, Message};

use super::mail::Address;

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
    Wait(Box<WaitForm>),
    Emit(TaskId),
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
}

#[derive(Debug)]
pub(crate) struct MapForm {
    pub(crate) items: ListValue,
    pub(crate) results: Vec<Option<Value>>,
    pub(crate) next: usize,
    pub(crate) done: usize,
    pub(crate) collect: bool,
}

#[derive(Debug)]
pub(crate) struct FoldForm {
    pub(crate) items: ListValue,
    pub(crate) next: usize,
}

#[derive(Debug)]
pub(crate) struct TreeForm {
    pub(crate) levels: Vec<Vec<Option<Value>>>,
    /// Pairs whose two values exist, by the level and index of what they give.
    pub(crate) ready: VecDeque<(u32, u32)>,
}

#[derive(Debug)]
pub(crate) struct LoopForm {
    pub(crate) value: Value,
    pub(crate) iteration: u32,
    pub(crate) max: u32,
}

/// A step that is ready, running or waiting.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) activity: ActivityId,
    pub(crate) scope: Option<ScopeId>,
    pub(crate) path: Arc<str>,
    pub(crate) function: FunctionId,
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
    pub(crate) wishes: Wishes,
    pub(crate) class: Option<Name>,
    pub(crate) retries_left: u32,
    pub(crate) failures: u32,
    pub(crate) backoff: Backoff,
    pub(crate) previous: Option<Failure>,
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
    /// An attempt runs.
    Running,
    /// Waits until it may be tried again.
    Backoff(TimerId),
    /// Waits for an operator.
    Unknown,
}

/// What the plan asks of the limits of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// In nanoseconds.
    pub(crate) timeout: Option<u64>,
    /// In bytes.
    pub(crate) memory: Option<u64>,
    pub(crate) fuel: Option<u64>,
}

/// How long to wait before a further attempt, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backoff {
    None,
    Constant(u64),
    Exponential { first: u64, max: Option<u64> },
}

/// A limit on the steps that run at once in a node and all below it.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) limit: u32,
    pub(crate) running: u32,
    pub(crate) parent: Option<ScopeId>,
    pub(crate) queue: VecDeque<TaskId>,
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
}
