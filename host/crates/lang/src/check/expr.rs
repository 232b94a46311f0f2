//! Expressions: one dispatch, names, members, conversions.

use std::sync::Arc;

use catalog::{Name, Type, Value};
use grammar::ast::{Expr, ExprKind, TypeExpr, UnaryOp};
use grammar::{Ident, Span};

use super::flow::{FlowChecker, constant};
use super::names::Target;
use super::types::builtin;
use super::why::{Want, Why, broken};
use crate::diagnostics::{arms, calls, listed, names as say_name, trials, types as say};
use crate::ir;

const INDEX: Why<'static> = Why::Library("list[0]");

/// An expression node.
pub(super) const fn node(kind: ir::ExprKind, ty: Type, span: Span) -> ir::Expr {
    ir::Expr { kind, ty, span }
}

impl FlowChecker<'_, '_> {
    /// Checks an expression. What is wanted is a hint for literals and for the parts of forms; see [`Self::check`] for the
    /// comparison with it. None: its type is not known because of an error.
    pub(super) fn expr(&mut self, written: &Expr, want: Want<'_>) -> Option<ir::Expr> {
        if !self.enter(1, written.span) {
            return None;
        }
        let checked = self.dispatch(written, want);
        self.leave(1);
        checked
    }

    fn dispatch(&mut self, written: &Expr, want: Want<'_>) -> Option<ir::Expr> {
        let span = written.span;
        match &written.kind {
            ExprKind::Error => None,
            ExprKind::Bool(value) => Some(constant(Value::Bool(*value), Type::Bool, span)),
            ExprKind::Int(value) => Some(self.integer(i128::from(*value), &Type::S64, span, want)),
            ExprKind::Size(value) => Some(self.integer(i128::from(*value), &Type::U64, span, want)),
            ExprKind::Float(value) => Some(self.float(*value, span, want)),
            ExprKind::Char(value) => Some(constant(Value::Char(*value), Type::Char, span)),
            ExprKind::Duration(value) => Some(constant(Value::Duration(*value), Type::Duration, span)),
            ExprKind::None => self.none(span, want),
            ExprKind::Text(parts) => self.text(parts, span),
            ExprKind::List(items) => self.list(items, span, want),
            ExprKind::Tuple(items) => self.tuple(items, span, want),
            ExprKind::Record { ty, fields } => self.record(ty, fields, span),
            ExprKind::Name(name) => self.name(name, want),
            ExprKind::Field(base, field) => self.field(base, field, span, want),
            ExprKind::TupleField(base, index, at) => self.tuple_field(base, *index, *at, span),
            ExprKind::Index(base, index) => self.index(base, index, span),
            ExprKind::Call(callee, args) => self.call(callee, args, span, want),
            ExprKind::Unary(UnaryOp::Not, operand) => {
                let operand = self.check(operand, &Type::Bool, Why::Condition("not"))?;
                Some(node(ir::ExprKind::Not(Box::new(operand)), Type::Bool, span))
            }
            ExprKind::Unary(UnaryOp::Neg, operand) => self.negation(operand, span, want),
            ExprKind::Binary(..) => self.chain(written, want),
            ExprKind::As(source, target) => self.conversion(source, target, span),
            ExprKind::Comprehension { element, name, list, condition } => {
                self.comprehension(element, name, list, condition.as_deref(), span, want)
            }
            ExprKind::Lambda(name, _) => {
                self.g.report(say::lambda_here(name.span));
                None
            }
            _ => self.form(written, want),
        }
    }

    /// Checks an expression that is known to stand in the wrong place, for what is wrong inside and for the names it uses.
    pub(super) fn visit(&mut self, written: &Expr) {
        match &written.kind {
            // Alone it has no type, which is not what is wrong here.
            ExprKind::None => {}
            // A name in it may be a case of the type that would have been expected.
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|item| self.visit(item)),
            ExprKind::Call(callee, args) if matches!(&callee.kind, ExprKind::Name(name) if matches!(&*name.name, "some" | "ok" | "err")) =>
            {
                args.iter().for_each(|arg| self.visit(&arg.value));
            }
            ExprKind::Lambda(name, body) => self.scoped(|flow| {
                flow.bind(name, None, super::flow::Origin::Other);
                flow.visit(body);
            }),
            ExprKind::Name(name) => {
                if let Some(binding) = self.find(&name.name) {
                    self.use_binding(binding);
                }
            }
            _ => {
                self.expr(written, Want::Any);
            }
        }
    }

    fn name(&mut self, name: &Ident, want: Want<'_>) -> Option<ir::Expr> {
        if self.refuse_generic(name) {
            return None;
        }
        if let Some(binding) = self.find(&name.name) {
            let ty = self.use_binding(binding)?;
            return Some(node(ir::ExprKind::Binding(binding), ty, name.span));
        }
        if let Some(ty) = want.hint()
            && let Some(checked) = bare_case(name, ty)
        {
            return Some(checked);
        }
        match self.g.lookup(self.file, &name.name).map(|found| found.target) {
            Some(Target::Broken) => {}
            Some(target) => {
                let help = match target {
                    Target::Flow(_) => format!("call it: `{}(…)`", name.name),
                    Target::Use(_) => format!("call one of its functions: `{}.function(…)`", name.name),
                    Target::Type(_) => {
                        format!("make a value of it: `{} {{ … }}` for a record, `{}.case` for a case", name.name, name.name)
                    }
                    Target::Interface(_) => format!("it is the type of a parameter: `flow name(part: {})`", name.name),
                    Target::Role(_) => format!("ask it: `ask {}(…)`", name.name),
                    Target::Class | Target::Broken => "a class stands in `with { class: … }`".to_owned(),
                };
                self.g.report(say_name::not_a_value(&name.name, target.what(), help, name.span));
            }
            None => self.unknown_name(name, want.hint()),
        }
        None
    }

    fn unknown_name(&mut self, name: &Ident, expected: Option<&Type>) {
        if self.is_refused(&name.name) {
            return;
        }
        if let Some(bound) = self.hidden(&name.name) {
            return self.g.report(trials::let_in_mock(&name.name, name.span, bound));
        }
        if let Some(bound) = self.bound_later(name) {
            return self.g.report(say_name::bound_later(&name.name, name.span, bound));
        }
        if let Some(bound) = self.ended(&name.name) {
            return self.g.report(say_name::out_of_block(&name.name, name.span, bound));
        }
        if let Some(withheld) = self.withheld.as_ref().filter(|withheld| withheld.name == name.name) {
            let diagnostic = arms::always_without_result(&name.name, name.span, withheld.span);
            self.g.report(diagnostic);
            return;
        }
        let cases: Vec<Name> = match expected {
            Some(Type::Enum(ty)) => ty.cases.clone(),
            Some(Type::Variant(ty)) => ty.cases.iter().map(|(name, _)| name.clone()).collect(),
            _ => Vec::new(),
        };
        let names = self.names_in_scope();
        let close = self.g.suggestions.closest(&name.name, cases.iter().chain(&names));
        let diagnostic = say_name::unknown(&name.name, close.as_deref(), name.span);
        self.g.report(match (&close, expected) {
            (None, Some(ty)) if !cases.is_empty() => diagnostic.help(format!("the cases of `{ty}` are {}", listed(&cases))),
            _ => diagnostic,
        });
    }

    fn field(&mut self, base: &Expr, field: &Ident, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        match &base.kind {
            ExprKind::Name(name) if self.find(&name.name).is_none() => return self.member(name, field, span, want),
            ExprKind::Field(inner, name) => {
                if let ExprKind::Name(alias) = &inner.kind
                    && self.find(&alias.name).is_none()
                    && let Some(Target::Use(_)) = self.g.lookup(self.file, &alias.name).map(|found| found.target)
                {
                    let ty = self.g.member(self.file, alias, name)?;
                    return self.case(&ty, field, None, span);
                }
            }
            _ => {}
        }
        let base = self.expr(base, Want::Any)?;
        let ty = base.ty.clone();
        let Type::Record(record) = &ty else {
            self.g.report(say::no_fields(&field.name, &ty.to_string(), fieldless(&ty, &field.name), field.span));
            return None;
        };
        if let Some((name, ty)) = record.fields.iter().find(|(name, _)| **name == *field.name) {
            return Some(node(ir::ExprKind::Field(Box::new(base), name.clone()), ty.clone(), span));
        }
        let known: Vec<&str> = record.fields.iter().map(|(name, _)| &**name).collect();
        let close = self.g.suggestions.closest(&field.name, &known);
        self.g.report(say::unknown_field(&field.name, &ty.to_string(), close.as_deref(), &known, field.span));
        None
    }

    /// `type.case` or, by mistake, `plugin.function` without a call.
    fn member(&mut self, name: &Ident, field: &Ident, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        match self.g.lookup(self.file, &name.name).map(|found| found.target) {
            Some(Target::Type(index)) => {
                let ty = self.g.declared_type(index, name.span)?;
                self.case(&ty, field, None, span)
            }
            Some(Target::Use(index)) => {
                self.g.step(index, None, field)?;
                self.g.report(calls::not_called(&name.name, &field.name, span));
                None
            }
            Some(Target::Broken) => None,
            Some(_) => self.name(name, want),
            None => match builtin(&name.name) {
                Some(ty) => self.case(&ty, field, None, span),
                None => {
                    self.unknown_name(name, None);
                    None
                }
            },
        }
    }

    /// A case of an enum or variant, with what it carries when that is written.
    pub(super) fn case(
        &mut self,
        ty: &Type,
        case: &Ident,
        payload: Option<&[grammar::ast::Arg]>,
        span: Span,
    ) -> Option<ir::Expr> {
        let known: Vec<&str> = match ty {
            Type::Enum(cases) => cases.cases.iter().map(|name| &**name).collect(),
            Type::Variant(cases) => cases.cases.iter().map(|(name, _)| &**name).collect(),
            _ => {
                let help = Some("only cases of an enum or variant are named like this".to_owned());
                self.g.report(say::no_fields(&case.name, &ty.to_string(), help, case.span));
                return None;
            }
        };
        if !known.contains(&&*case.name) {
            let close = self.g.suggestions.closest(&case.name, &known);
            self.g.report(say::unknown_case(&case.name, &ty.to_string(), close.as_deref(), &known, case.span));
            for arg in payload.unwrap_or_default() {
                self.visit(&arg.value);
            }
            return Some(broken(ty.clone(), span));
        }
        let carried = match ty {
            Type::Variant(cases) => cases.cases.iter().find(|(name, _)| **name == *case.name).and_then(|(_, ty)| ty.as_ref()),
            _ => None,
        };
        let name: Name = Arc::from(&*case.name);
        match (carried, payload) {
            (None, None) => {
                let value = if matches!(ty, Type::Enum(_)) { Value::Enum(name) } else { Value::Variant(name, None) };
                Some(constant(value, ty.clone(), span))
            }
            (Some(carried), None) => {
                self.g.report(say::case_payload_missing(&case.name, &carried.to_string(), span));
                Some(broken(ty.clone(), span))
            }
            (None, Some(args)) => {
                for arg in args {
                    self.visit(&arg.value);
                }
                self.g.report(say::case_payload_extra(&case.name, span));
                Some(broken(ty.clone(), span))
            }
            (Some(carried), Some(args)) => {
                let value = self.one(&case.name, args, span)?;
                let value = self.check(value, carried, Why::Payload(&case.name))?;
                Some(node(ir::ExprKind::Variant(name, Some(Box::new(value))), ty.clone(), span))
            }
        }
    }

    /// The only argument.
    pub(super) fn one<'e>(&mut self, name: &str, args: &'e [grammar::ast::Arg], span: Span) -> Option<&'e Expr> {
        if let [arg] = args
            && arg.name.is_none()
        {
            return Some(&arg.value);
        }
        for arg in args {
            self.visit(&arg.value);
        }
        self.g.report(say::one_argument(name, args.len(), span));
        None
    }

    fn tuple_field(&mut self, base: &Expr, index: u32, at: Span, span: Span) -> Option<ir::Expr> {
        let base = self.expr(base, Want::Any)?;
        let member = match &base.ty {
            Type::Tuple(items) => items.get(index as usize).cloned(),
            _ => None,
        };
        let Some(ty) = member else {
            self.g.report(say::tuple_index(index, &base.ty.to_string(), at));
            return None;
        };
        Some(node(ir::ExprKind::TupleField(Box::new(base), index), ty, span))
    }

    fn index(&mut self, base: &Expr, index: &Expr, span: Span) -> Option<ir::Expr> {
        let base = self.expr(base, Want::Any);
        if let ExprKind::Unary(UnaryOp::Neg, counted) = &index.kind
            && let ExprKind::Int(back) = counted.kind
            && back > 0
        {
            self.g.report(say::counts_back(back, index.span));
            let Type::List(item) = base?.ty else { return None };
            return Some(broken((*item).clone(), span));
        }
        let index = self.expr(index, Want::Type(&Type::U64, INDEX));
        let base = base?;
        let Type::List(item) = base.ty.clone() else {
            let help = match &base.ty {
                Type::Json => "convert it first: `(value as list<json>)[0]`",
                Type::Tuple(_) => "members of a tuple are written `pair.0`",
                Type::Record(_) => "fields are written `record.field`",
                Type::String => "cut the text first: `split(text, \" \")[0]`",
                _ => "only lists can be indexed",
            };
            self.g.report(say::not_indexable(&base.ty.to_string(), help, base.span));
            return None;
        };
        let item = (*item).clone();
        let Some(index) = index else { return Some(broken(item, span)) };
        if !index.ty.is_integer() {
            let at = index.span;
            self.coerce(index, &Type::U64, INDEX);
            return Some(broken(item, at));
        }
        Some(node(ir::ExprKind::Index(Box::new(base), Box::new(index)), item, span))
    }

    fn conversion(&mut self, source: &Expr, target: &TypeExpr, span: Span) -> Option<ir::Expr> {
        let source = self.expr(source, Want::Type(&Type::Json, Why::Plain));
        let target_ty = self.g.ty(self.file, target)?;
        let Some(source) = source else { return Some(broken(target_ty, span)) };
        if matches!(target_ty, Type::Duration | Type::Json) {
            self.g.report(say::as_target(&target_ty.to_string(), target.span));
            return Some(broken(target_ty, span));
        }
        if source.ty != Type::Json {
            self.g.report(say::as_source(&source.ty.to_string(), &target_ty.to_string(), source.span));
            return Some(broken(target_ty, span));
        }
        Some(node(ir::ExprKind::Convert(Box::new(source)), target_ty, span))
    }
}

/// A bare case name where its enum or variant is expected.
fn bare_case(name: &Ident, ty: &Type) -> Option<ir::Expr> {
    let value = match ty {
        Type::Enum(cases) => Value::Enum(cases.cases.iter().find(|case| ***case == *name.name)?.clone()),
        Type::Variant(cases) => {
            let (case, carried) = cases.cases.iter().find(|(case, _)| **case == *name.name)?;
            if carried.is_some() {
                return None;
            }
            Value::Variant(case.clone(), None)
        }
        _ => return None,
    };
    Some(constant(value, ty.clone(), name.span))
}

/// How to reach a field of something that is not a record.
fn fieldless(ty: &Type, field: &str) -> Option<String> {
    let has = |inner: &Type| matches!(inner, Type::Record(record) if record.fields.iter().any(|(name, _)| &**name == field));
    Some(match ty {
        Type::Json => format!("convert it first: `value as type`, with a record that has the field `{field}`"),
        Type::Option(inner) if has(inner) => {
            format!("it may be `none`: `match value {{ some(x) => x.{field}, none => … }}`, or `??` before")
        }
        Type::List(inner) if has(inner) => {
            format!("take it from each item: `[x.{field} for x in list]`, or from one: `list[0].{field}`")
        }
        Type::Result(Some(ok), _) if has(ok) => {
            format!("it may be an error: `match value {{ ok(x) => x.{field}, err(e) => … }}`")
        }
        Type::List(_) | Type::String if matches!(field, "len" | "length" | "size" | "count") => "write `len(value)`".to_owned(),
        Type::Option(_) => "open it first: `match value { some(x) => …, none => … }`, or `value ?? other`".to_owned(),
        Type::Result(..) => "open it first: `match value { ok(x) => …, err(e) => … }`".to_owned(),
        Type::Tuple(_) => "members of a tuple are written `pair.0`".to_owned(),
        _ => return None,
    })
}
