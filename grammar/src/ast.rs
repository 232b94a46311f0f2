//! The syntax tree of a `.flow` file.
//!
//! Long because it is one closed set of types, each with its documentation, and no behaviour.
//!
//! It says what was written, not what it means: names are not resolved and types are not checked.
//! Parts that could not be parsed are left out of the tree, or stand as [`ExprKind::Error`], so that
//! everything around them is still there to be checked.

use crate::span::{Ident, Span};

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

/// `package ns:name@version`.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// Before the colon.
    pub namespace: Ident,
    /// After the colon.
    pub name: Ident,
    /// After the `@`, as written.
    pub version: Option<Ident>,
    /// The whole line.
    pub span: Span,
}

/// A declaration.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `import "lib.flow" { a, b as c }`.
    Import(Import),
    /// `use "plugin.wasm" as name with { … }`.
    Use(Use),
    /// `record name { field: type }`.
    Record(RecordDef),
    /// `enum name { case }`.
    Enum(EnumDef),
    /// `variant name { case(type) }`.
    Variant(VariantDef),
    /// `class name { memory: 64MiB }`.
    Class(ClassDef),
    /// `flow name(params) -> type { … }`.
    Flow(Flow),
}

/// A quoted text without interpolation, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The unescaped value.
    pub value: Box<str>,
    /// Including the quotes.
    pub span: Span,
}

/// `import "lib.flow" { a, b as c } with { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Path relative to the importing file.
    pub path: Text,
    /// What is imported; each with the name that it gets here.
    pub names: Vec<ImportName>,
    /// Caps on what the imported flows may grant.
    pub with: Option<With>,
    /// The whole item.
    pub span: Span,
}

/// One name of an import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportName {
    /// Its name in the imported file.
    pub name: Ident,
    /// Its name here when `as` renames it.
    pub alias: Option<Ident>,
}

/// `use "plugin.wasm" as name with { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// Path, catalogue name or reference of the component.
    pub source: Text,
    /// The name its functions are called by.
    pub alias: Ident,
    /// Policy for all its steps.
    pub with: Option<With>,
    /// The whole item.
    pub span: Span,
}

/// `record name { field: type }`.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordDef {
    /// Lines of `///` before it, without the slashes.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its fields in order.
    pub fields: Vec<FieldDef>,
    /// The whole item.
    pub span: Span,
}

/// A field of a record or a parameter-like `name: type`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDef {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeExpr,
}

/// `enum name { a, b }`.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumDef {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its cases in order.
    pub cases: Vec<Ident>,
    /// The whole item.
    pub span: Span,
}

/// `variant name { a, b(type) }`.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantDef {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its cases in order.
    pub cases: Vec<CaseDef>,
    /// The whole item.
    pub span: Span,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseDef {
    /// Its name.
    pub name: Ident,
    /// What it carries.
    pub ty: Option<TypeExpr>,
}

/// `class name { memory: 64MiB, parallel: 4 }`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassDef {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its limits.
    pub settings: Vec<Setting>,
    /// The whole item.
    pub span: Span,
}

/// `flow name(params) -> type with { … } { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its parameters in order.
    pub params: Vec<Param>,
    /// Its result type; absent when it gives nothing.
    pub result: Option<TypeExpr>,
    /// Policy for all its steps.
    pub with: Option<With>,
    /// Its body.
    pub body: Block,
    /// The whole item.
    pub span: Span,
}

/// A parameter of a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeExpr,
    /// Value when the caller gives none.
    pub default: Option<Expr>,
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
    /// An expression or step.
    Expr(Expr),
    /// Could not be parsed; already reported. `binds` is the name of the `let` that was here, so
    /// that later uses of the name are not reported again.
    Error {
        /// The name that a broken `let` would have bound.
        binds: Option<Ident>,
    },
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
