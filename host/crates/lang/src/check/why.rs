//! What is wanted of an expression and why; conversions, and the answer when the type does not fit.

use catalog::{Name, RecordType, Signature as WitSignature, Type};
use grammar::{Diagnostic, Span};

use super::flow::FlowChecker;
use super::interfaces::Member;
use super::signatures::{Signature, Step};
use super::types::{difference, long, widens};
use crate::diagnostics::types as say;
use crate::ir;

/// What is wanted of an expression.
#[derive(Clone, Copy)]
pub(super) enum Want<'x> {
    /// Its value, of whatever type.
    Any,
    /// Nothing: its value is not used.
    Discard,
    /// A value of this type.
    Type(&'x Type, Why<'x>),
}

impl<'x> Want<'x> {
    /// The type that literals take.
    pub(super) const fn hint(self) -> Option<&'x Type> {
        match self {
            Self::Type(ty, _) => Some(ty),
            Self::Any | Self::Discard => None,
        }
    }

    /// The same for a part of the value, whose type `part` takes out of the whole.
    pub(super) fn part(self, part: impl FnOnce(&'x Type) -> Option<&'x Type>) -> Self {
        match self {
            Self::Type(ty, why) => part(ty).map_or(Self::Any, |ty| Self::Type(ty, why)),
            Self::Any | Self::Discard => Self::Any,
        }
    }

    /// Where nothing is wanted, some value is.
    pub(super) const fn value(self) -> Self {
        match self {
            Self::Discard => Self::Any,
            other => other,
        }
    }
}

/// Why a type is expected: the second place of the diagnostic.
#[derive(Clone, Copy)]
pub(super) enum Why<'x> {
    /// The n-th parameter of a step.
    Step(&'x Step<'x>, usize),
    /// The n-th parameter of a function of an interface, as it is called here.
    Member(&'x Name, &'x Member, &'x WitSignature, usize),
    /// The n-th parameter of a flow.
    Flow(&'x Signature, usize),
    /// The answer of a mock for a step.
    Answer(&'x Step<'x>),
    /// The answer of a mock for a role.
    RoleAnswer(&'x Signature),
    /// The n-th parameter of a role.
    Role(&'x Signature, usize),
    /// A field of a record literal.
    Field(&'x RecordType, &'x Name),
    /// A type that was written.
    Declared(Span),
    /// The result of the flow.
    Result(Span),
    /// Another arm of the same form.
    Arm(Span),
    /// The first item of a list, the left operand.
    First(Span),
    /// The first value of a loop or fold.
    Accumulator(Span),
    /// What a fallback stands for.
    Fallback(Span),
    /// `if`, `until`, `require`, …
    Condition(&'static str),
    /// How a library function is used.
    Library(&'static str),
    /// A key of a `with`.
    Setting(&'static str),
    /// What a case carries.
    Payload(&'x str),
    /// Nothing more to say.
    Plain,
}

impl Why<'_> {
    fn explain(self, diagnostic: Diagnostic, help: &mut Vec<String>) -> Diagnostic {
        match self {
            Self::Step(step, param) => {
                let name = step.signature.params.get(param).map_or("", |(name, _)| &**name);
                help.push(format!("signature: `{}: {}`", step.function.wit_name, step.signature));
                diagnostic.and(step.declared, format!("`{name}` is a parameter of `{}`, exported by this component", step.name))
            }
            Self::Member(called, member, signature, param) => {
                let name = signature.params.get(param).map_or("", |(name, _)| &**name);
                help.push(format!("signature: `{}`", member.text()));
                diagnostic.and(member.span, format!("`{name}` is a parameter of `{called}`"))
            }
            Self::Flow(flow, param) if flow.params.get(param).is_some_and(|param| param.name.is_empty()) => {
                help.push(format!("signature: `{}`", flow.text()));
                diagnostic.and(flow.span, format!("the type of `{}` says so", flow.name))
            }
            Self::Flow(flow, param) => {
                let name = flow.params.get(param).map_or("", |param| &*param.name);
                help.push(format!("signature: `{}`", flow.text()));
                diagnostic.and(flow.span, format!("`{name}` is a parameter of this flow"))
            }
            Self::Answer(step) => {
                help.push(format!("signature: `{}: {}`", step.function.wit_name, step.signature));
                diagnostic.and(step.declared, format!("`{}`, exported by this component, gives this type", step.name))
            }
            Self::RoleAnswer(role) => {
                help.push(format!("signature: `{}`", role.text()));
                diagnostic.and(role.span, format!("`{}` gives this type", role.name))
            }
            Self::Role(role, param) => {
                let name = role.params.get(param).map_or("", |param| &*param.name);
                help.push(format!("signature: `{}`", role.text()));
                diagnostic.and(role.span, format!("`{name}` is a parameter of this role"))
            }
            Self::Field(record, field) => {
                let ty = record.name.as_deref().unwrap_or("the record");
                help.push(format!("the field `{field}` of `{ty}` has this type"));
                diagnostic
            }
            Self::Declared(at) => diagnostic.and(at, "this type was declared"),
            Self::Result(at) => diagnostic.and(at, "the flow's result"),
            Self::Arm(at) => diagnostic.and(at, "this arm decides the type"),
            Self::First(at) => diagnostic.and(at, "this decides the type"),
            Self::Accumulator(at) => diagnostic.and(at, "the first value decides the type"),
            Self::Fallback(at) => diagnostic.and(at, "the fallback must give the same as this"),
            Self::Condition(_) if !help.is_empty() => diagnostic,
            Self::Condition(word) => {
                help.push(format!("`{word}` takes a condition, such as `a == b`"));
                diagnostic
            }
            Self::Library(usage) => {
                help.push(format!("usage: `{usage}`"));
                diagnostic
            }
            Self::Setting(key) => {
                help.push(format!("such as `{}`", example(key)));
                diagnostic
            }
            Self::Payload(case) => {
                help.push(format!("the case `{case}` carries this type"));
                diagnostic
            }
            Self::Plain => diagnostic,
        }
    }
}

impl FlowChecker<'_, '_> {
    /// Checks an expression against a type. Only none when nothing more can be said about it.
    pub(super) fn check(&mut self, written: &grammar::ast::Expr, ty: &Type, why: Why<'_>) -> Option<ir::Expr> {
        if let Some(folder) = self.virtual_folder(written, ty) {
            return Some(folder);
        }
        let checked = self.expr(written, Want::Type(ty, why))?;
        Some(self.coerce(checked, ty, why))
    }

    /// Makes a checked expression one of this type.
    pub(super) fn coerce(&mut self, checked: ir::Expr, ty: &Type, why: Why<'_>) -> ir::Expr {
        if checked.ty == *ty || crosses(&checked.ty, ty, why) {
            return checked;
        }
        let span = checked.span;
        if widens(&checked.ty, ty) {
            return ir::Expr { kind: ir::ExprKind::Convert(Box::new(checked)), ty: ty.clone(), span };
        }
        self.mismatch(&checked.ty, ty, why, span);
        broken(ty.clone(), span)
    }

    fn mismatch(&mut self, found: &Type, expected: &Type, why: Why<'_>, at: Span) {
        let differs = difference(expected, found);
        let (wanted, given) = match (expected.to_string(), found.to_string()) {
            (wanted, given) if differs.is_none() && wanted != given => (wanted, given),
            _ => (long(expected), long(found)),
        };
        let mut help = Vec::new();
        if let Some(differs) = differs {
            help.push(differs);
        }
        // A setting is explained by its example.
        if !matches!(why, Why::Setting(_)) {
            help.extend(conversion(expected, found));
        }
        let diagnostic = why.explain(say::mismatch(&wanted, &given, at), &mut help);
        let help = help.join("\n");
        self.g.report(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }
}

/// An expression that was reported, of the type that it should have had: what follows is checked as if it were right.
pub(super) const fn broken(ty: Type, span: Span) -> ir::Expr {
    ir::Expr { kind: ir::ExprKind::Const(catalog::Value::Unit), ty, span }
}

/// Whether a value that only flows have is passed to a component in the form in which it crosses the border.
fn crosses(found: &Type, expected: &Type, why: Why<'_>) -> bool {
    matches!(why, Why::Step(..) | Why::Member(..))
        && matches!((found, expected), (Type::Dir | Type::Json, Type::String) | (Type::Duration, Type::U64))
}

/// Whether a value of one type becomes one of another by itself.
pub(super) fn converts(found: &Type, expected: &Type, why: Why<'_>) -> bool {
    crosses(found, expected, why) || widens(found, expected)
}

/// How a setting is written.
fn example(key: &str) -> &'static str {
    match key {
        "retry" => "retry: 3",
        "backoff" => "backoff: exponential(200ms, max: 10s)",
        "timeout" => "timeout: 30s",
        "deadline" => "deadline: 10m",
        "parallel" => "parallel: 4",
        "memory" => "memory: 64MiB",
        "fuel" => "fuel: 1_000_000_000",
        "priority" => "priority: 10",
        "key" => "key: \"customer ${id}\"",
        "artifact" => "artifact: \"report.json\"",
        "rate" => "rate: at_most(10, per: 1s)",
        "breaker" => "breaker: trip(5, within: 1m, cooldown: 30s)",
        "cache" => "cache: 1h",
        "steps" => "budget: { steps: 100 }",
        "time" => "budget: { time: 5m }",
        _ => "max 5",
    }
}

/// How to get from one type to the other.
fn conversion(expected: &Type, found: &Type) -> Option<String> {
    let scalar = |ty: &Type| ty.is_number() || matches!(ty, Type::Bool | Type::Char | Type::Enum(_) | Type::Duration);
    Some(match (expected, found) {
        (_, Type::Unit) => "a step without a result gives nothing".to_owned(),
        (Type::Option(inner), found) if **inner == *found => "wrap it: `some(…)`".to_owned(),
        (expected, Type::Option(inner)) if **inner == *expected => {
            "say what to take when there is none: `… ?? default`".to_owned()
        }
        (expected, Type::Result(Some(ok), _)) if **ok == *expected => {
            "take it apart: `match … { ok(value) => …, err(e) => … }`".to_owned()
        }
        (expected, Type::List(item)) if **item == *expected => {
            "take one item: `list[0]`, or go through all with `map`".to_owned()
        }
        (Type::List(item), found) if **item == *found => "make a list of it: `[…]`".to_owned(),
        (Type::Json, _) => "make json of it: `json(…)`".to_owned(),
        (expected, Type::Json) => format!("convert it with a check: `… as {expected}`"),
        (Type::F64, found) if found.is_integer() => "convert it: `f64(…)`".to_owned(),
        (Type::String, found) if scalar(found) => "make a text of it: `\"${…}\"`".to_owned(),
        (Type::String, Type::Char) => "a text stands in double quotes: `\"…\"`; of a character it is `\"${…}\"`".to_owned(),
        (Type::Char, Type::String) => "a single character stands in single quotes: `'c'`".to_owned(),
        (Type::Bool, found) if found.is_number() => "compare it: `… != 0`".to_owned(),
        (Type::Bool, Type::String | Type::List(_)) => "compare it: `len(…) > 0`".to_owned(),
        (Type::Duration, found) if found.is_number() => "a duration has a unit: `30s`, `5m`, `2h`".to_owned(),
        (Type::Duration, Type::String) => "a duration stands without quotes: `30s`, `5m`, `2h`".to_owned(),
        (expected, Type::Duration) if expected.is_number() => "a number has no unit of time".to_owned(),
        (Type::Unit, _) => "the flow declares no result: write `-> type` behind its parameters".to_owned(),
        (Type::String, Type::Dir) => "only a component can take a folder as a text".to_owned(),
        (expected, found) if expected.is_number() && found.is_number() => {
            format!("this could lose something; `json(…) as {expected}` converts with a check while the flow runs")
        }
        _ => return None,
    })
}
