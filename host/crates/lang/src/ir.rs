//! The typed tree between the checker and the lowering.
//!
//! Names are resolved to bindings, each expression has its type, literals have taken the expected type,
//! implicit conversions are explicit. Steps still stand inside expressions; the lowering lifts them to nodes.

use std::collections::BTreeMap;

use catalog::{FailureKind, Name, Type, Value};
use cranelift_entity::{PrimaryMap, entity_impl};
use grammar::Span;

use crate::plan::{
    Breaker, Class, ComponentId, ComponentRef, FlowId, FolderAccess, FunctionId, FunctionRef, HookEvent, HookInput, HookPhase,
    HookTarget, HookVerdict, LibraryFunction, MailUse, MockTarget, Operator, PlanId, PlanRef, Rate, RoleId, RoleRef, Target,
};

/// A name bound in a flow: a parameter, `let`, item, accumulator, pattern binding, … Unique in its flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingId(u32);
entity_impl!(BindingId, "binding");

/// All files of a program, checked.
#[derive(Clone, Debug)]
pub struct Program {
    /// The flow that a run starts.
    pub entry: FlowId,
    /// Flows reachable from the entry, and all others of the root file.
    pub flows: PrimaryMap<FlowId, Flow>,
    /// Components of all files, one entry for each digest.
    pub components: PrimaryMap<ComponentId, ComponentRef>,
    /// What each component imports, such as `wasi:filesystem/types@0.2.6`, where it is known.
    pub imports: BTreeMap<ComponentId, Vec<String>>,
    /// Functions that are called.
    pub functions: PrimaryMap<FunctionId, FunctionRef>,
    /// Roles that are asked.
    pub roles: PrimaryMap<RoleId, RoleRef>,
    /// What is run by `run plan`, by id.
    pub plans: PrimaryMap<PlanId, PlanRef>,
    /// Classes of all files.
    pub classes: Vec<Class>,
    /// Of the root file, in order.
    pub hooks: Vec<Hook>,
    /// Source files in the order of [`grammar::FileId`].
    pub files: Vec<String>,
}

/// A checked hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// When it is called.
    pub phase: HookPhase,
    /// Around what.
    pub event: HookEvent,
    /// Around which of them.
    pub target: HookTarget,
    /// What is called: a function, or a role.
    pub called: Target,
    /// What each of its parameters gets.
    pub inputs: Vec<HookInput>,
    /// How its result decides.
    pub verdict: HookVerdict,
    /// Its `with`.
    pub policy: Policy,
    /// That of the `use` that it goes through.
    pub through: Policy,
    /// As written.
    pub name: Name,
    /// The item.
    pub span: Span,
}

/// A checked flow.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its name.
    pub name: Name,
    /// The names of the components and flows that it was compiled with.
    pub arguments: Vec<Name>,
    /// Documentation lines.
    pub docs: Vec<Box<str>>,
    /// Parameters in order, without those for components and flows.
    pub params: Vec<Param>,
    /// What it gives.
    pub result: Type,
    /// `with` of the flow.
    pub policy: Policy,
    /// What the `import` that brought it in permits it to grant; none: no cap.
    pub cap: Option<Vec<Grant>>,
    /// Its body, of type `result`.
    pub body: Block,
    /// Each binding of the flow.
    pub bindings: PrimaryMap<BindingId, Binding>,
    /// Of a test: what answers for its steps, in the order written. The statements of a test are run in sequence.
    pub mocks: Option<Vec<Mock>>,
    /// `recursive max n`: so many of it may be open inside each other.
    pub recursion: Option<u32>,
    /// Its name in the source.
    pub span: Span,
}

impl Flow {
    /// Its name with what it was compiled with: `supervise(writer)`.
    #[must_use]
    pub fn title(&self) -> Name {
        if self.arguments.is_empty() {
            return self.name.clone();
        }
        format!("{}({})", self.name, self.arguments.join(", ")).into()
    }
}

/// A parameter of a flow.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its binding.
    pub binding: BindingId,
    /// A pure expression without bindings.
    pub default: Option<Expr>,
    /// Documentation lines.
    pub docs: Vec<Box<str>>,
}

/// A bound name.
#[derive(Clone, Debug)]
pub struct Binding {
    /// As written.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// Where it is bound.
    pub span: Span,
}

/// Statements and the value of the last one.
#[derive(Clone, Debug)]
pub struct Block {
    /// In order. When the block has a value, the last one is [`Statement::Value`].
    pub statements: Vec<Statement>,
    /// Its type; [`Type::Unit`] without a value. A block that ends in `return` has the type that is expected of it.
    pub ty: Type,
    /// Including the braces.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `let`.
    Let(BindingId, Expr),
    /// An expression or step whose value is not used.
    Do(Expr),
    /// The block's value; always last.
    Value(Expr),
    /// `require`, or `assert` in a test; the message is a `string`.
    Require {
        /// A `bool`.
        condition: Expr,
        /// A `string`, "the condition `…` does not hold" when none was written; or a `failure`.
        message: Expr,
        /// `assert`: a failure also tells what was compared.
        assert: bool,
        /// The statement.
        span: Span,
    },
    /// `return`; the type is the flow's result.
    Return(Expr, Span),
}

/// An expression with its type.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Which.
    pub kind: ExprKind,
    /// Its type.
    pub ty: Type,
    /// Where.
    pub span: Span,
}

/// The forms of a checked expression. Those after [`ExprKind::Library`] are structured: they are pure
/// only where everything in them is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A literal, or a case of an enum or variant without payload.
    Const(Value),
    /// A bound name.
    Binding(BindingId),
    /// A field of a record.
    Field(Box<Expr>, Name),
    /// A member of a tuple.
    TupleField(Box<Expr>, u32),
    /// An item of a list.
    Index(Box<Expr>, Box<Expr>),
    /// `not`.
    Not(Box<Expr>),
    /// `-`.
    Neg(Box<Expr>),
    /// Two operands of one type.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `and`.
    And(Box<Expr>, Box<Expr>),
    /// `or`.
    Or(Box<Expr>, Box<Expr>),
    /// `??`.
    Coalesce(Box<Expr>, Box<Expr>),
    /// A list literal.
    List(Vec<Expr>),
    /// A tuple literal.
    Tuple(Vec<Expr>),
    /// A record literal: fields in the order of the type.
    Record(Vec<(Name, Expr)>),
    /// A case of a variant with its payload.
    Variant(Name, Option<Box<Expr>>),
    /// `some(x)`.
    Some(Box<Expr>),
    /// `ok(x)`.
    Ok(Option<Box<Expr>>),
    /// `err(x)`.
    Err(Option<Box<Expr>>),
    /// Joined texts.
    Text(Vec<Expr>),
    /// To the type of this expression: widening, to `json`, or out of `json`.
    Convert(Box<Expr>),
    /// Pure throughout.
    Comprehension {
        /// Each item.
        binding: BindingId,
        /// What is gone through.
        list: Box<Expr>,
        /// Which items.
        condition: Option<Box<Expr>>,
        /// Each result.
        element: Box<Expr>,
    },
    /// Pure throughout.
    SortBy {
        /// What is sorted.
        list: Box<Expr>,
        /// Each item.
        binding: BindingId,
        /// What it is sorted by.
        key: Box<Expr>,
    },
    /// A library function.
    Library(LibraryFunction, Vec<Expr>),
    /// `if`; the arms have the type of this expression, or there is no `otherwise` and it is unit.
    If {
        /// A `bool`.
        condition: Box<Expr>,
        /// When it holds.
        then: Block,
        /// When it does not; an `else if` is a block of one `if`.
        otherwise: Option<Block>,
    },
    /// `match`; exhaustive.
    Match {
        /// What is matched.
        subject: Box<Expr>,
        /// In order.
        arms: Vec<Arm>,
    },
    /// A step.
    Call {
        /// What is called.
        function: FunctionId,
        /// One for each parameter.
        args: Vec<Expr>,
        /// The `with` of the `use` that the step goes through; its `allow` is a cap, the rest are defaults.
        through: Box<Policy>,
        /// As written, such as `text.profile`, for the node's name.
        name: Name,
    },
    /// A call of a flow.
    Flow {
        /// Which.
        flow: FlowId,
        /// One for each parameter, defaults filled in.
        args: Vec<Expr>,
    },
    /// `map`.
    Map {
        /// Each item.
        binding: BindingId,
        /// What is gone through.
        list: Box<Expr>,
        /// For each item.
        body: Block,
    },
    /// An ordered fold.
    Fold {
        /// The accumulator.
        acc: BindingId,
        /// Its first value.
        init: Box<Expr>,
        /// Each item.
        binding: BindingId,
        /// What is gone through.
        list: Box<Expr>,
        /// Gives the next accumulator.
        body: Block,
    },
    /// A parallel tree.
    Tree {
        /// The left value.
        left: BindingId,
        /// The right value.
        right: BindingId,
        /// What is joined.
        list: Box<Expr>,
        /// Joins two.
        body: Block,
    },
    /// `loop`.
    Loop {
        /// The value.
        binding: BindingId,
        /// Its first value.
        init: Box<Expr>,
        /// May contain steps.
        until: Box<Expr>,
        /// `u32`.
        max: Box<Expr>,
        /// Gives the next value.
        body: Block,
    },
    /// `seq`: each statement with a step waits for those before it.
    Seq(Block),
    /// `phase`: a barrier in the region around it.
    Phase(Name, Block),
    /// `try`.
    Try {
        /// What may fail.
        body: Block,
        /// The failure; bound even when it was not named.
        binding: BindingId,
        /// What to do then.
        handler: Block,
    },
    /// `race` and `any`.
    Race {
        /// Of the type of this expression, or of its items; at least two.
        arms: Vec<Block>,
        /// How many must succeed, `u32`; none for a race, which gives the first.
        wanted: Option<Box<Expr>>,
    },
    /// `step else fallback`; on a loop it also takes the exhausted bound.
    Rescue(Box<Expr>, Box<Expr>),
    /// `step undo compensation`.
    Undo {
        /// A step or structured form.
        base: Box<Expr>,
        /// The name of the `let` that it stands in, bound to what it gives; none with `always`.
        binding: Option<BindingId>,
        /// Also when it fails or is interrupted.
        always: bool,
        /// What takes its effect back; without a value.
        compensation: Block,
    },
    /// `step after a, b`.
    After(Box<Expr>, Vec<BindingId>),
    /// A step or structured form with its own policy.
    With(Box<Expr>, Box<Policy>),
    /// `wait 10m`: a duration; gives nothing.
    Wait(Box<Expr>),
    /// `wait signal name`; what it carries is of the type of this expression.
    Signal(Name),
    /// `wait message topic`: a `string`; what it carries is of the type of this expression.
    Message(Box<Expr>),
    /// `ask role(args)`: a step.
    Ask {
        /// Which role.
        role: RoleId,
        /// One for each parameter.
        args: Vec<Expr>,
        /// Empty: an agent has no `use`.
        through: Box<Policy>,
    },
    /// `run plan(source, name: value)`: a step that gives `json`.
    RunPlan {
        /// Which.
        plan: PlanId,
        /// The source, then one for each name.
        args: Vec<Expr>,
        /// Empty: a plan has no `use`.
        through: Box<Policy>,
    },
    /// `emit topic value`; gives nothing.
    Emit {
        /// A `string`.
        topic: Box<Expr>,
        /// What is sent.
        value: Box<Expr>,
    },
}

/// An arm of a match.
#[derive(Clone, Debug)]
pub struct Arm {
    /// What it takes.
    pub pattern: Pattern,
    /// A pure `bool`.
    pub guard: Option<Expr>,
    /// Its value.
    pub body: Block,
}

/// A checked `mock`.
#[derive(Clone, Debug)]
pub struct Mock {
    /// What it stands for.
    pub target: MockTarget,
    /// One for each parameter. What they bind is seen by `takes` and `answer`, which are pure.
    pub patterns: Vec<Pattern>,
    /// How often it answers, at least once; none: without end.
    pub times: Option<u32>,
    /// A duration.
    pub takes: Option<Expr>,
    /// What comes then.
    pub answer: MockAnswer,
    /// The statement.
    pub span: Span,
}

/// What a mock answers.
#[derive(Clone, Debug)]
pub enum MockAnswer {
    /// A value of the step's output type, or of the type that is waited for.
    Value(Expr),
    /// A failure with a `string`.
    Fails(FailureKind, Expr),
}

/// A checked pattern.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `_`.
    Any,
    /// Binds.
    Bind(BindingId),
    /// An equal value.
    Literal(Value),
    /// A case of a variant.
    Variant(Name, Option<Box<Pattern>>),
    /// A case of an enum.
    Enum(Name),
    /// `none`.
    None,
    /// `some(p)`.
    Some(Box<Pattern>),
    /// `ok(p)`.
    Ok(Option<Box<Pattern>>),
    /// `err(p)`.
    Err(Option<Box<Pattern>>),
    /// `(p, q)`.
    Tuple(Vec<Pattern>),
    /// `{ field: p }`.
    Record(Vec<(Name, Pattern)>),
}

/// A checked `with`. Expressions are pure and of the type stated.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `u32`.
    pub retry: Option<Expr>,
    /// Durations.
    pub backoff: Option<Backoff>,
    /// A duration.
    pub timeout: Option<Expr>,
    /// A duration.
    pub deadline: Option<Expr>,
    /// `u32`.
    pub parallel: Option<Expr>,
    /// `on_error: collect` (true) or `on_error: fail` (false).
    pub collect: Option<bool>,
    /// A declared class, or one of the host's configuration.
    pub class: Option<(Name, Span)>,
    /// `u64` bytes.
    pub memory: Option<Expr>,
    /// `u64`.
    pub fuel: Option<Expr>,
    /// `idempotent: true`.
    pub idempotent: Option<bool>,
    /// `allow`.
    pub allow: Option<Vec<Grant>>,
    /// `s32`.
    pub priority: Option<Expr>,
    /// A `string`.
    pub key: Option<Expr>,
    /// `rate: at_most(…)`.
    pub rate: Option<(Rate, Span)>,
    /// `breaker: trip(…)`.
    pub breaker: Option<(Breaker, Span)>,
    /// `cache`.
    pub cache: Option<Cache>,
    /// `on_exhausted: pause` (true) or `on_exhausted: fail` (false).
    pub pauses: Option<(bool, Span)>,
    /// A `string`.
    pub artifact: Option<Expr>,
    /// `budget`.
    pub budget: Budget,
    /// The whole `with`; none for an empty policy.
    pub span: Option<Span>,
}

/// A checked `backoff`.
#[derive(Clone, Debug)]
pub enum Backoff {
    /// `backoff: 1s` or `constant(1s)`.
    Constant(Expr),
    /// `exponential(first, max: most)`.
    Exponential(Expr, Option<Expr>),
}

/// A checked `cache`.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Not with `cache: false`.
    pub on: bool,
    /// A duration.
    pub ttl: Option<Expr>,
    /// Its value.
    pub span: Span,
}

/// A checked `budget`; empty when there is none.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// `u64`.
    pub steps: Option<Expr>,
    /// `u64`.
    pub fuel: Option<Expr>,
    /// A duration.
    pub time: Option<Expr>,
}

/// A checked capability of an `allow`.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Which.
    pub kind: GrantKind,
    /// Where.
    pub span: Span,
}

/// The capabilities.
#[derive(Clone, Debug)]
pub enum GrantKind {
    /// `read folder`, `read_write folder`; the binding is of type [`Type::Dir`]. On a `use` or `import`
    /// a folder cannot be named, so there it is none: any folder.
    Folder(FolderAccess, Option<BindingId>),
    /// `http "host"`.
    Http(Name),
    /// `env "NAME"`.
    Env(Name),
    /// `clock`.
    Clock,
    /// `random`.
    Random,
    /// `mail_send "topic"`, `mail_receive "topic"`, `mail_ask role`.
    Mail(MailUse, Name),
}

impl Flow {
    /// A flow in which nothing is.
    pub(crate) fn empty(span: Span) -> Self {
        Self {
            name: "".into(),
            arguments: Vec::new(),
            docs: Vec::new(),
            params: Vec::new(),
            result: Type::Unit,
            policy: Policy::default(),
            cap: None,
            body: Block::empty(span),
            bindings: PrimaryMap::new(),
            mocks: None,
            recursion: None,
            span,
        }
    }
}

impl Block {
    /// A block without statements.
    pub(crate) const fn empty(span: Span) -> Self {
        Self { statements: Vec::new(), ty: Type::Unit, span }
    }
}
