//! What a file declares.

use super::{Arg, Block, Expr, Setting, TypeExpr, With};
use crate::span::{Ident, Span};

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
    /// `interface name { function(param: type) -> type }`.
    Interface(InterfaceDef),
    /// `role name(param: type) -> type`.
    Role(FunctionDef),
    /// `flow name(params) -> type { … }`.
    Flow(Flow),
    /// `hook before step component.* -> component.function`.
    Hook(Hook),
    /// `on schedule "0 9 * * *" -> flow(args)`.
    Trigger(Trigger),
    /// `test "name" { … }`.
    Test(TestDef),
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

/// `flow name(params) -> type recursive max n with { … } { … }`.
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
    /// `recursive max n`: how deep it may call itself.
    pub recursive: Option<Expr>,
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

/// `name(param: type) -> type`: a function of an interface, or a role.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionDef {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its parameters in order.
    pub params: Vec<FieldDef>,
    /// Its result type; absent when it gives nothing.
    pub result: Option<TypeExpr>,
    /// The whole of it, of a role with its keyword.
    pub span: Span,
}

/// `interface name { function(param: type) -> type }`: what a component must export to be passed as a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct InterfaceDef {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Ident,
    /// Its functions in order.
    pub functions: Vec<FunctionDef>,
    /// The whole item.
    pub span: Span,
}

/// `hook before step search.* -> guard.check with { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// `before`, `after` or `session`; others are for the checker to report.
    pub phase: Ident,
    /// `run`, `step`, `attempt`, `message`; of a session `start`, `end`.
    pub event: Ident,
    /// Which of these events; none: all.
    pub target: Option<HookTarget>,
    /// The function that is called, as `component.function`.
    pub handler: Expr,
    /// Policy of that call.
    pub with: Option<With>,
    /// The whole item.
    pub span: Span,
}

/// Which events a hook is called for.
#[derive(Clone, Debug, PartialEq)]
pub enum HookTarget {
    /// `*`.
    All,
    /// `component.*`.
    Component(Ident),
    /// `component.function`.
    Function(Ident, Ident),
    /// The name of a flow or role.
    Name(Ident),
    /// `"orders.>"`: the topic of a message.
    Topic(Text),
}

/// `on schedule "0 9 * * mon-fri" in "Europe/Berlin" -> flow(args)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// When.
    pub kind: TriggerKind,
    /// The flow that is started.
    pub flow: Ident,
    /// Its arguments; of an event or webhook `event` is the document that came.
    pub args: Vec<Arg>,
    /// The whole item.
    pub span: Span,
}

/// What starts a run.
#[derive(Clone, Debug, PartialEq)]
pub enum TriggerKind {
    /// `schedule "cron" in "zone"`.
    Schedule(Text, Option<Text>),
    /// `event "topic"`.
    Event(Text),
    /// `webhook "/path"`.
    Webhook(Text),
}

/// `test "name" { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct TestDef {
    /// Lines of `///` before it.
    pub docs: Vec<Box<str>>,
    /// Its name.
    pub name: Text,
    /// Its statements.
    pub body: Block,
    /// The whole item.
    pub span: Span,
}
