//! The syntax tree of a `.flow` file.
//!
//! It says what was written, not what it means: names are not resolved and types are not checked.
//! Parts that could not be parsed are left out of the tree, or stand as [`ExprKind::Error`], so that
//! everything around them is still there to be checked.

mod item;
mod kinds;
mod spans;

use crate::span::{Ident, Span};
pub use item::{
    CaseDef, ClassDef, EnumDef, FieldDef, Flow, FunctionDef, Hook, HookTarget, Import, ImportName, InterfaceDef, Item, Package,
    Param, RecordDef, TestDef, Text, Trigger, TriggerKind, Use, VariantDef,
};

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// `package ns:name@version`.
    pub package: Option<Package>,
    /// Everything declared, in order.
    pub items: Vec<Item>,
    /// Each `//` comment that is not documentation, in order, for the formatter.
    pub comments: Vec<Span>,
    /// Names of items that could not be parsed; already reported, so that uses of them are not reported again.
    pub broken: Vec<Ident>,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// Which.
    pub kind: TypeKind,
    /// Where.
    pub span: Span,
}

/// The forms of a written type.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `string`, `report`, `json`, `dir`.
    Named(Ident),
    /// `plugin.type`: a type of a component's WIT.
    Member(Ident, Ident),
    /// `list<t>`.
    List(Box<TypeExpr>),
    /// `option<t>`.
    Option(Box<TypeExpr>),
    /// `result<t, e>`, `result<_, e>`, `result<t>`, `result`.
    Result(Option<Box<TypeExpr>>, Option<Box<TypeExpr>>),
    /// `tuple<a, b>`.
    Tuple(Vec<TypeExpr>),
    /// `flow(a, b) -> c`: a parameter that takes a flow.
    Flow(Vec<TypeExpr>, Option<Box<TypeExpr>>),
    /// Something that could not be parsed; already reported.
    Error,
}

/// `{ statements }`. Its value is that of its last statement when that is an expression.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// In order.
    pub statements: Vec<Statement>,
    /// Including the braces.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Which.
    pub kind: StatementKind,
    /// Where.
    pub span: Span,
}

/// The forms of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `let name: type = value`.
    Let {
        /// The name that is bound.
        name: Ident,
        /// Its type when stated.
        ty: Option<TypeExpr>,
        /// Its value.
        value: Expr,
    },
    /// `require condition else "message"`.
    Require {
        /// What must hold.
        condition: Expr,
        /// What to say when it does not.
        message: Option<Expr>,
    },
    /// `return value`.
    Return(Option<Expr>),
    /// `mock component.function(patterns) => value`; only in a test.
    Mock(Box<Mock>),
    /// `assert condition else "message"`; only in a test.
    Assert {
        /// What must hold.
        condition: Expr,
        /// What to say when it does not.
        message: Option<Expr>,
    },
    /// An expression or step.
    Expr(Expr),
    /// Could not be parsed; already reported. `binds` is the name of the `let` that was here, so
    /// that later uses of the name are not reported again.
    Error {
        /// The name that a broken `let` would have bound.
        binds: Option<Ident>,
    },
}

/// `mock target times n takes d => value`, or `… fails kind "message"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mock {
    /// What it stands for.
    pub target: MockTarget,
    /// How often it answers; after that the next one that fits does.
    pub times: Option<Expr>,
    /// How long the answer takes, in virtual time.
    pub takes: Option<Expr>,
    /// The answer.
    pub answer: MockAnswer,
}

/// What a mock stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum MockTarget {
    /// `component.function(patterns)`: patterns for the arguments in order; what they bind is seen by the answer.
    Call(Expr, Vec<Pattern>),
    /// `ask role(patterns)`.
    Ask(Ident, Vec<Pattern>),
    /// `run plan(patterns)`.
    Plan(Vec<Pattern>),
    /// `wait signal name`.
    Signal(Ident),
    /// `wait message "topic"`.
    Message(Text),
}

/// What a mock answers.
#[derive(Clone, Debug, PartialEq)]
pub enum MockAnswer {
    /// `=> value`.
    Value(Expr),
    /// `fails kind "message"`.
    Fails(Ident, Option<Expr>),
}

/// An expression, step or structured form.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Which.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `true`, `false`.
    Bool(bool),
    /// `1_000`. Without a sign: negation is an operator.
    Int(u64),
    /// `0.8`, `1e-3`.
    Float(f64),
    /// `"text ${expr}"` or `"""raw"""`.
    Text(Vec<TextPart>),
    /// `'c'`.
    Char(char),
    /// `250ms 30s 5m 2h 7d`, in nanoseconds.
    Duration(u64),
    /// `64KiB 32MiB 1GiB`, in bytes.
    Size(u64),
    /// `none`.
    None,
    /// A name in scope.
    Name(Ident),
    /// `base.field`, also `plugin.function`, `type.case`.
    Field(Box<Expr>, Ident),
    /// `base.0` of a tuple.
    TupleField(Box<Expr>, u32, Span),
    /// `base[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// `callee(args)`: a step, a flow, a library function, a case with a payload, `some(x)`, `ok(x)`, `err(x)`.
    Call(Box<Expr>, Vec<Arg>),
    /// `not x`, `-x`.
    Unary(UnaryOp, Box<Expr>),
    /// `a op b`; the span is the operator's.
    Binary(BinaryOp, Span, Box<Expr>, Box<Expr>),
    /// `j as type`.
    As(Box<Expr>, TypeExpr),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `(a, b)`; `(a,)` for one.
    Tuple(Vec<Expr>),
    /// `type { field: value }`; the name may be `plugin.type`.
    Record {
        /// The record's name, as [`ExprKind::Name`] or [`ExprKind::Field`].
        ty: Box<Expr>,
        /// The fields in the order written.
        fields: Vec<FieldInit>,
    },
    /// `[element for name in list if condition]`.
    Comprehension {
        /// Each result.
        element: Box<Expr>,
        /// The name of each item.
        name: Ident,
        /// The list.
        list: Box<Expr>,
        /// Which items.
        condition: Option<Box<Expr>>,
    },
    /// `name => body`, only as an argument of a library function.
    Lambda(Ident, Box<Expr>),
    /// `if c { } else if c { } else { }`.
    If {
        /// Conditions with their blocks, in order.
        arms: Vec<(Expr, Block)>,
        /// The last `else`.
        otherwise: Option<Block>,
    },
    /// `match subject { pattern if guard => value }`.
    Match {
        /// What is matched.
        subject: Box<Expr>,
        /// The arms in order.
        arms: Vec<MatchArm>,
    },
    /// `map name in list with { } { body }`.
    Map {
        /// The name of each item.
        name: Ident,
        /// The list.
        list: Box<Expr>,
        /// Policy.
        with: Option<With>,
        /// Run for each item.
        body: Block,
    },
    /// `reduce acc = init, name in list with { } { body }`: an ordered fold.
    Fold {
        /// The name of the accumulator.
        acc: Ident,
        /// Its first value.
        init: Box<Expr>,
        /// The name of each item.
        name: Ident,
        /// The list.
        list: Box<Expr>,
        /// Policy.
        with: Option<With>,
        /// Gives the next accumulator.
        body: Block,
    },
    /// `reduce a, b in list with { } { body }`: a parallel tree.
    Tree {
        /// The name of the left value.
        left: Ident,
        /// The name of the right value.
        right: Ident,
        /// The list.
        list: Box<Expr>,
        /// Policy.
        with: Option<With>,
        /// Joins two values.
        body: Block,
    },
    /// `loop name = init until condition max bound with { } { body }`.
    Loop {
        /// The name of the value.
        name: Ident,
        /// Its first value.
        init: Box<Expr>,
        /// Ends the loop; tested before each body.
        until: Box<Expr>,
        /// At most so many bodies. Absent when it was forgotten, which the checker reports.
        max: Option<Box<Expr>>,
        /// Policy.
        with: Option<With>,
        /// Gives the next value.
        body: Block,
    },
    /// `seq with { } { }`.
    Seq {
        /// Policy.
        with: Option<With>,
        /// Run in order.
        body: Block,
    },
    /// `phase name with { } { }`.
    Phase {
        /// Its name.
        name: Ident,
        /// Policy.
        with: Option<With>,
        /// Its steps.
        body: Block,
    },
    /// `try with { } { } catch e { }`.
    Try {
        /// Policy.
        with: Option<With>,
        /// What may fail.
        body: Block,
        /// The name of the failure.
        binding: Option<Ident>,
        /// What to do then.
        handler: Block,
    },
    /// `race with { } { arms }`: the first arm that succeeds.
    Race {
        /// Policy.
        with: Option<With>,
        /// One block each; an arm of one statement is a block of it.
        arms: Vec<Block>,
    },
    /// `any count of with { } { arms }`: the first so many that succeed.
    Any {
        /// How many.
        count: Box<Expr>,
        /// Policy.
        with: Option<With>,
        /// As of a race.
        arms: Vec<Block>,
    },
    /// `wait 10m`.
    Wait(Box<Expr>),
    /// `wait signal name: type`; nothing is carried where there is no type.
    Signal(Ident, Option<TypeExpr>),
    /// `wait message "topic": type`.
    Message(Box<Expr>, Option<TypeExpr>),
    /// `emit "topic" value`.
    Emit {
        /// A text.
        topic: Box<Expr>,
        /// What is sent.
        value: Box<Expr>,
    },
    /// `ask role(args)`.
    Ask(Ident, Vec<Arg>),
    /// `run plan(args)`.
    RunPlan(Vec<Arg>),
    /// A step or form with something attached; attached ones nest outwards in the order written.
    Postfix(Box<Expr>, Postfix),
    /// Could not be parsed; already reported.
    Error,
}

/// What can be attached to a step or a structured form.
#[derive(Clone, Debug, PartialEq)]
pub enum Postfix {
    /// `with { … }`.
    With(With),
    /// `else fallback`.
    Else(Box<Expr>),
    /// `after a, b`.
    After(Vec<Ident>),
    /// `undo compensation`.
    Undo {
        /// `undo always`: also when the step fails or is interrupted.
        always: bool,
        /// What takes the step's effect back.
        compensation: Box<Expr>,
    },
}

/// A part of a text literal.
#[derive(Clone, Debug, PartialEq)]
pub enum TextPart {
    /// Literal text, unescaped.
    Literal(Box<str>),
    /// `${expr}`.
    Expr(Expr),
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// `name: value`.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// `field: value` of a record literal; `field` alone stands for `field: field`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldInit {
    /// The field.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
}

/// `pattern if guard => value`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchArm {
    /// What it takes.
    pub pattern: Pattern,
    /// A pure condition in addition.
    pub guard: Option<Expr>,
    /// The value; a one-expression arm is a block of one statement.
    pub body: Block,
    /// The whole arm.
    pub span: Span,
}

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// Which.
    pub kind: PatternKind,
    /// Where.
    pub span: Span,
}

/// The forms of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum PatternKind {
    /// `_`.
    Any,
    /// A bare name: a case when an enum or variant is matched, else a binding.
    Name(Ident),
    /// `case(pattern)`, `some(p)`, `ok(p)`, `err(p)`.
    Case(Ident, Option<Box<Pattern>>),
    /// `type.case` or `type.case(pattern)`.
    TypeCase(Ident, Ident, Option<Box<Pattern>>),
    /// A literal: bool, integer, float, text, char, with its sign; [`ExprKind::None`] for `none`.
    Literal(Box<Expr>),
    /// `(p, q)`.
    Tuple(Vec<Pattern>),
    /// `{ field: pattern, field }`.
    Record(Vec<(Ident, Option<Pattern>)>),
}

/// `with { key: value }`.
#[derive(Clone, Debug, PartialEq)]
pub struct With {
    /// In the order written.
    pub settings: Vec<Setting>,
    /// From `with` to the closing brace.
    pub span: Span,
}

/// `key: value` of a `with` or a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The key; unknown keys are for the checker to report.
    pub key: Ident,
    /// The value.
    pub value: SettingValue,
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    /// Most are expressions, among them `exponential(200ms, max: 10s)` and bare words.
    Expr(Expr),
    /// `[http "host", read folder]`, the value of `allow`.
    Grants(Vec<GrantExpr>),
    /// `{ steps: 100, time: 5m }`, the value of `budget`; the span includes the braces.
    Settings(Vec<Setting>, Span),
}

/// One capability of an `allow`: a word and what it applies to.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantExpr {
    /// `http`, `read`, `read_write`, `env`, `clock`, `random`.
    pub capability: Ident,
    /// A text, or the name of a `dir` parameter.
    pub subject: Option<Expr>,
    /// Both.
    pub span: Span,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `not`.
    Not,
    /// `-`.
    Neg,
}

/// Infix operators, weakest first: `??`; `or`; `and`; comparisons (they do not chain); `+ -`; `* / %`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `??`: the value of an option, else the right side.
    Coalesce,
    /// `or`.
    Or,
    /// `and`.
    And,
    /// `==`.
    Eq,
    /// `!=`.
    Ne,
    /// `<`.
    Lt,
    /// `<=`.
    Le,
    /// `>`.
    Gt,
    /// `>=`.
    Ge,
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`.
    Div,
    /// `%`.
    Rem,
}

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Coalesce => "??",
            Self::Or => "or",
            Self::And => "and",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        }
    }
}
