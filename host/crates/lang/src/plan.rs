//! The frozen plan: what the engine runs.
//!
//! A flow is a tree of regions. A region is a DAG of nodes with a frame of values: first its inputs
//! (parameters, then what it captures from the region around it), then one slot for each node's
//! result. Structured nodes own child regions, which are closed: they see their own frame only. At run
//! time a map or a loop opens one instance of its child for each item or iteration.
//!
//! All ids are dense; tables are flat; the edges of each region are counted beforehand, so that an
//! engine finds what is ready by counting down and never by scanning.

mod adopt;
mod derived;
mod expr;
mod hooks;
mod mail;
mod outside;
mod rank;
mod reads;
mod rules;
mod target;
mod trial;

use std::ops::Range;

use catalog::{Digest, Name, Type};
use cranelift_entity::{PrimaryMap, entity_impl};
use grammar::Span;

pub use derived::Derived;
pub use expr::{Expr, LibraryFunction, Operator, Pattern};
pub use hooks::{HookEvent, HookInput, HookPhase, HookPlan, HookTarget, HookVerdict};
pub use mail::{MailUse, is_topic_pattern, topics_within};
pub use outside::OutsideHook;
pub use rules::{Backoff, Breaker, Budget, Cache, Class, Rate, Rules};
pub use target::{PLAN_SOURCE, PlanRef, RoleRef, Target};
pub use trial::{ASKED, CALLS, EMITTED, MockAnswer, MockPlan, MockTarget, TRIAL};

/// The version of the meaning of plans and journals. Raised when the same plan and events would give other commands.
pub const SEMANTICS_VERSION: u32 = 1;

/// A component that the plan uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentId(u32);
entity_impl!(ComponentId, "component");

/// An exported function that the plan calls.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(u32);
entity_impl!(FunctionId, "function");

/// A role that the plan asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId(u32);
entity_impl!(RoleId, "role");

/// A plan that the plan makes and runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(u32);
entity_impl!(PlanId, "plan");

/// A flow of the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(u32);
entity_impl!(FlowId, "flow");

/// A region.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(u32);
entity_impl!(RegionId, "region");

/// A node. The nodes of a region are numbered without a gap, in an order in which each follows what it waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);
entity_impl!(NodeId, "node");

/// A place in a region's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// A checked, frozen program of flows.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The flow that a run starts.
    pub entry: FlowId,
    /// Components by id.
    pub components: PrimaryMap<ComponentId, ComponentRef>,
    /// Functions by id.
    pub functions: PrimaryMap<FunctionId, FunctionRef>,
    /// Roles by id; each has another name.
    pub roles: PrimaryMap<RoleId, RoleRef>,
    /// What is compiled and run by `run plan`, by id.
    pub plans: PrimaryMap<PlanId, PlanRef>,
    /// Flows by id.
    pub flows: PrimaryMap<FlowId, FlowPlan>,
    /// Regions by id.
    pub regions: PrimaryMap<RegionId, Region>,
    /// Nodes by id.
    pub nodes: PrimaryMap<NodeId, Node>,
    /// The nodes that wait for a node, for each node a range of this pool.
    pub successors: Vec<NodeId>,
    /// Classes declared by the flow files, by name.
    pub classes: Vec<Class>,
    /// What is called around the events of the run, in the order written.
    pub hooks: Vec<HookPlan>,
    /// Source files in the order of [`grammar::FileId`], by the path they were loaded from.
    pub files: Vec<String>,
    /// What answers for steps, in the order in which it is tried. Only of a test; not in the digest.
    pub mocks: Vec<MockPlan>,
    /// What follows from all the others, for who asks often. Whoever changes a plan that was asked makes it anew.
    pub derived: Derived,
}

/// A component that the plan uses.
#[derive(Clone, Debug)]
pub struct ComponentRef {
    /// As the `use` wrote it, resolved against the file it stands in.
    pub source: String,
    /// Of the bytes that the plan was checked against.
    pub digest: Digest,
}

/// An exported function that the plan calls.
#[derive(Clone, Debug)]
pub struct FunctionRef {
    /// Where it is exported.
    pub component: ComponentId,
    /// The exported interface, as WIT writes it; none at the top level.
    pub interface: Option<String>,
    /// Its name in WIT's kebab-case.
    pub wit_name: String,
    /// Names (snake_case) with types.
    pub params: Vec<(Name, Type)>,
    /// What the function returns.
    pub result: Type,
    /// What the step gives: `result` with a top-level `result<t, e>` unwrapped to `t`.
    pub output: Type,
}

/// A flow of the plan.
#[derive(Clone, Debug)]
pub struct FlowPlan {
    /// Its name.
    pub name: Name,
    /// Documentation lines.
    pub docs: Vec<Box<str>>,
    /// Its parameters; they are the first inputs of its body. A default is an expression over an empty frame.
    pub params: Vec<ParamPlan>,
    /// What it gives.
    pub result: Type,
    /// Its body, which captures nothing.
    pub body: RegionId,
    /// Ends all that is in the flow so long after it was opened. Over the body's inputs; a duration.
    pub deadline: Option<Expr>,
    /// At most so many steps of the flow run at once. Over the body's inputs; `u32`.
    pub parallel: Option<Expr>,
    /// What all in the flow may use together. Over the body's inputs.
    pub budget: Budget,
    /// So many of it may be open inside each other; none for a flow that does not call itself.
    pub recursion: Option<u32>,
    /// Where it was declared.
    pub span: Span,
}

/// A parameter of a flow.
#[derive(Clone, Debug)]
pub struct ParamPlan {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// Value when the caller gives none: an expression without slots.
    pub default: Option<Expr>,
    /// For a [`Type::Dir`]: the widest access that some step of the plan is granted to it.
    pub access: Option<FolderAccess>,
    /// Documentation lines.
    pub docs: Vec<Box<str>>,
}

/// What a folder grant permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FolderAccess {
    /// `read`
    Read,
    /// `read_write`
    ReadWrite,
}

/// A region: a DAG of nodes with a frame.
#[derive(Clone, Debug)]
pub struct Region {
    /// How many inputs the frame begins with.
    pub inputs: u32,
    /// Its nodes; the n-th one's result is slot `inputs + n`.
    pub nodes: Range<u32>,
    /// Its value, over the whole frame. Evaluated when all nodes are done.
    pub result: Expr,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub kind: NodeKind,
    /// The region it is in.
    pub region: RegionId,
    /// Its part of a path: the `let` name, else what is called; unique in its region.
    pub name: Name,
    /// Where it stands.
    pub span: Span,
    /// How many nodes of its region it waits for.
    pub waits: u32,
    /// The nodes that wait for it, as a range of [`Plan::successors`].
    pub successors: Range<u32>,
    /// Ends the node, all its attempts and children, so long after it was ready. A duration.
    pub deadline: Option<Expr>,
    /// For a map: so many items at once; for any other structured node: so many steps inside at once. `u32`.
    pub parallel: Option<Expr>,
    /// What all in a structured node, or in a plan that a call runs, may use together; empty for any other call.
    pub budget: Budget,
    /// What it gives.
    pub ty: Type,
    /// What takes its effect back when the region around it fails or is cancelled later.
    pub undo: Option<Box<UndoPlan>>,
}

/// A compensation. What its child captures is read by the node, and kept until it is known whether it runs.
#[derive(Clone, Debug)]
pub struct UndoPlan {
    /// What runs. Parameter: what the node gave; none with `always`.
    pub child: Child,
    /// Also when the node failed or was interrupted.
    pub always: bool,
}

impl UndoPlan {
    /// How many parameters its child has.
    #[must_use]
    pub const fn params(&self) -> u32 {
        if self.always { 0 } else { 1 }
    }
}

/// A child region and what it captures. Its inputs are the parameters that the owning node's kind
/// states, then the captured slots of the region around it.
#[derive(Clone, Debug)]
pub struct Child {
    /// The region.
    pub region: RegionId,
    /// Slots of the region around it.
    pub captures: Vec<Slot>,
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Calls a component's function, or asks a role.
    Call(Box<CallPlan>),
    /// Opens a flow's body with these arguments.
    Flow {
        /// Which.
        flow: FlowId,
        /// One for each parameter.
        args: Vec<Expr>,
    },
    /// Evaluates a pure expression.
    Value(Expr),
    /// Opens `then` or `otherwise`; without `otherwise` it gives unit. No parameters.
    If {
        /// A `bool`.
        condition: Expr,
        /// When it holds.
        then: Child,
        /// When it does not.
        otherwise: Option<Child>,
    },
    /// Opens the first arm that fits. An arm's parameters are what its pattern binds, in order.
    Match {
        /// What is matched.
        subject: Expr,
        /// In order; together they cover the type.
        arms: Vec<Arm>,
    },
    /// Opens the body for each item. Parameter: the item. Gives the results in index order.
    Map {
        /// A list.
        list: Expr,
        /// For each item.
        body: Child,
        /// `on_error: collect`: a failed item is an `err(failure)` and the others go on.
        collect: bool,
    },
    /// Opens the body for each item in turn. Parameters: accumulator, item.
    Fold {
        /// The first accumulator.
        init: Expr,
        /// A list.
        list: Expr,
        /// Gives the next accumulator.
        body: Child,
    },
    /// Joins adjacent pairs level by level. Parameters: left, right. An empty list fails (`logic`).
    Tree {
        /// A list.
        list: Expr,
        /// Joins two.
        body: Child,
    },
    /// Tests `until` before each `body`; at most `max` bodies. Parameter of each child: the value.
    Loop {
        /// The first value.
        init: Expr,
        /// Gives a `bool`.
        until: Child,
        /// Gives the next value.
        body: Child,
        /// `u32`.
        max: Expr,
        /// Opened at the bound when `until` still does not hold; parameter: the value. Without it the last value is given.
        exhausted: Option<Child>,
    },
    /// Opens the body; when it fails, the handler. Parameter of the handler: the failure.
    Try {
        /// What may fail.
        body: Child,
        /// What to do then.
        handler: Child,
    },
    /// Opens all arms. The first that succeeds gives the value; with `wanted` the first so many do, as a list in the
    /// order of the arms. The others are stopped, and the node ends when they have.
    Race {
        /// At least two.
        arms: Vec<Child>,
        /// `u32`, from 1 to the number of arms.
        wanted: Option<Expr>,
    },
    /// Opens the body. `seq`, `phase` and a block with its own policy.
    Block {
        /// The body.
        body: Child,
    },
    /// Fails with kind `logic` unless the condition holds.
    Require {
        /// A `bool`.
        condition: Expr,
        /// A `string`; or a `failure`, which is what it fails with.
        message: Expr,
        /// A `json` for the details of the failure. Only in tests.
        details: Option<Expr>,
    },
    /// Ends the flow around it with this value.
    Return(Expr),
    /// Waits for a time, a signal or a message, and gives what it carries.
    Wait(WaitPlan),
    /// Sends a message; gives nothing. Done when the bus has it.
    Emit {
        /// A `string`.
        topic: Expr,
        /// Of any type that holds no folder; sent in its JSON form.
        value: Expr,
    },
}

/// What a node waits for.
#[derive(Clone, Debug)]
pub enum WaitPlan {
    /// So long after it was ready; a duration.
    Time(Expr),
    /// A signal of the run; the name means the same type throughout a plan.
    Signal {
        /// Its name.
        name: Name,
        /// What it carries.
        ty: Type,
    },
    /// A message on a topic; a literal topic means the same type throughout a plan.
    Message {
        /// A `string`.
        topic: Expr,
        /// What it carries.
        ty: Type,
    },
}

impl NodeKind {
    /// The child regions that it may open (not a flow's body).
    pub fn children(&self) -> impl Iterator<Item = &Child> {
        let racing: &[Child] = if let Self::Race { arms, .. } = self { arms } else { &[] };
        let (fixed, arms): ([Option<&Child>; 3], &[Arm]) = match self {
            Self::If { then, otherwise, .. } => ([Some(then), otherwise.as_ref(), None], &[]),
            Self::Match { arms, .. } => ([None; 3], arms),
            Self::Map { body, .. } | Self::Fold { body, .. } | Self::Tree { body, .. } | Self::Block { body } => {
                ([Some(body), None, None], &[])
            }
            Self::Loop { until, body, exhausted, .. } => ([Some(until), Some(body), exhausted.as_ref()], &[]),
            Self::Try { body, handler } => ([Some(body), Some(handler), None], &[]),
            Self::Call(_) | Self::Flow { .. } | Self::Value(_) | Self::Require { .. } | Self::Return(_) => ([None; 3], &[]),
            Self::Race { .. } | Self::Wait(_) | Self::Emit { .. } => ([None; 3], &[]),
        };
        fixed.into_iter().flatten().chain(arms.iter().map(|arm| &arm.body)).chain(racing)
    }
}

/// An arm of a match node.
#[derive(Clone, Debug)]
pub struct Arm {
    /// What it takes.
    pub pattern: Pattern,
    /// In addition; sees the pattern's bindings as locals.
    pub guard: Option<Expr>,
    /// What it opens.
    pub body: Child,
}

/// A step: a call of a component's function, a question to a role, or a plan that it runs, with its policy.
#[derive(Clone, Debug)]
pub struct CallPlan {
    /// As written, such as `search.find`; for people and hooks.
    pub name: Name,
    /// What is called.
    pub target: Target,
    /// One for each parameter, already of its type.
    pub args: Vec<Expr>,
    /// What it is granted by the flow; the operator may still deny.
    pub grants: Vec<Grant>,
    /// Whether the author marked it `idempotent`.
    pub idempotent: bool,
    /// Further attempts after the first; `u32`.
    pub retry: Option<Expr>,
    /// How long to wait before them.
    pub backoff: Backoff,
    /// For one attempt; a duration.
    pub timeout: Option<Expr>,
    /// The class whose limits and places it uses.
    pub class: Option<Name>,
    /// Bytes; already the least of what the blocks around it permit.
    pub memory: Option<Expr>,
    /// Units of fuel; likewise.
    pub fuel: Option<Expr>,
    /// Its order among others, how often it starts, and what is done with results and failures.
    pub rules: Rules,
}

impl CallPlan {
    /// What running it may do to the world, by what it is granted. What an agent does, nobody here knows, and a plan that
    /// it runs is a run of its own, which is there once it was started.
    #[must_use]
    pub fn effect(&self) -> Effect {
        if matches!(self.target, Target::Role(_) | Target::Plan(_)) {
            return Effect::Effectful;
        }
        self.grants.iter().map(Grant::effect).max().unwrap_or(Effect::Pure)
    }

    /// Whether an earlier result may stand for running it.
    #[must_use]
    pub fn cacheable(&self) -> bool {
        (self.idempotent && !self.moves_mail()) || self.effect() == Effect::Pure
    }

    /// Whether it sends or takes messages, which an earlier result does not.
    #[must_use]
    pub fn moves_mail(&self) -> bool {
        self.grants.iter().any(|grant| matches!(grant, Grant::Mail(MailUse::Send | MailUse::Receive, _)))
    }

    /// Whether it may simply run again when the outcome of an attempt is not known. A plan that it runs has a journal of
    /// its own and is continued.
    #[must_use]
    pub fn repeatable(&self) -> bool {
        self.idempotent || matches!(self.target, Target::Plan(_)) || self.effect() != Effect::Effectful
    }

    /// Whether a further attempt after a failed one repeats no effect.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self.target {
            Target::Plan(_) => self.grants.iter().all(|grant| grant.effect() != Effect::Effectful),
            _ => self.repeatable(),
        }
    }
}

/// What a step may do to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Granted nothing: a function of its arguments.
    Pure,
    /// May look at the world, cannot change it.
    ReadOnly,
    /// What it does comes out only when it has succeeded: it may run again until then.
    Deferred,
    /// May change the world.
    Effectful,
}

/// A capability that a flow grants to a step.
#[derive(Clone, Debug)]
pub enum Grant {
    /// `read folder`, `read_write folder`: the expression is a [`Type::Dir`].
    Folder(FolderAccess, Expr),
    /// `http "host"`: a host, `*.domain`, or `host:port`.
    Http(Name),
    /// `env "NAME"`.
    Env(Name),
    /// `clock`: real clocks.
    Clock,
    /// `random`: real random numbers.
    Random,
    /// `mail_send "topic"`, `mail_receive "topic"`, `mail_ask role`: the topic may be a pattern where something is sent.
    Mail(MailUse, Name),
}

impl Grant {
    /// What it lets a step do to the world.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Folder(FolderAccess::Read, _) | Self::Env(_) | Self::Clock | Self::Random => Effect::ReadOnly,
            // Until the attempt has succeeded, nothing was sent and nothing taken.
            Self::Mail(MailUse::Send | MailUse::Receive, _) => Effect::Deferred,
            Self::Folder(FolderAccess::ReadWrite, _) | Self::Http(_) | Self::Mail(MailUse::Ask, _) => Effect::Effectful,
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "the ids come from this plan, whose tables are dense")]
impl Plan {
    /// The nodes of a region with the slots of their results.
    pub fn nodes_of(&self, region: RegionId) -> impl Iterator<Item = (NodeId, Slot)> + '_ {
        let region = &self.regions[region];
        region.nodes.clone().zip(region.inputs..).map(|(node, slot)| (NodeId::from_u32(node), Slot(slot)))
    }

    /// The slot of a node's result in the frame of its region.
    #[must_use]
    pub fn slot_of(&self, node: NodeId) -> Slot {
        let region = &self.regions[self.nodes[node].region];
        Slot(region.inputs + (node.as_u32() - region.nodes.start))
    }
}
