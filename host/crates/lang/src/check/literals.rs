//! Literals: they take the type that is expected.

use catalog::{FlagsType, Name, RecordType, Type, Value};
use grammar::ast::{Expr, ExprKind, FieldInit, TextPart};
use grammar::{Ident, Span};

use super::expr::node;
use super::flow::{FlowChecker, Origin, constant};
use super::names::Target;
use super::place::Place;
use super::types::builtin;
use super::why::{Want, Why, broken};
use crate::diagnostics::{forms, names as say_name, types as say};
use crate::ir;

/// The greatest integer up to which `f64` and `f32` hold each one.
const F64_EXACT: i128 = 1 << 53;
const F32_EXACT: i128 = 1 << 24;

impl FlowChecker<'_, '_> {
    /// An integer literal with its sign.
    pub(super) fn integer(&mut self, value: i128, default: &Type, span: Span, want: Want<'_>) -> ir::Expr {
        let ty = match want.hint() {
            Some(ty) if ty.is_number() => ty,
            _ => default,
        };
        if let Some(value) = number(value, ty) {
            return constant(value, ty.clone(), span);
        }
        let range = match ty.integer_range() {
            Some((low, high)) => format!("{low} to {high}"),
            None if *ty == Type::F32 => format!("each integer only up to 2^24; write `{value}.0` for the nearest value"),
            None => format!("each integer only up to 2^53; write `{value}.0` for the nearest value"),
        };
        let written = self.g.loaded.sources.text(span).to_owned();
        self.g.report(say::literal_range(&written, &ty.to_string(), &range, span));
        broken(ty.clone(), span)
    }

    pub(super) fn float(&mut self, value: f64, span: Span, want: Want<'_>) -> ir::Expr {
        if want.hint() != Some(&Type::F32) {
            return constant(Value::F64(value), Type::F64, span);
        }
        #[expect(clippy::cast_possible_truncation, reason = "a literal takes the nearest value of its type")]
        let narrow = value as f32;
        if narrow.is_infinite() {
            let written = self.g.loaded.sources.text(span).to_owned();
            self.g.report(say::literal_range(&written, "f32", "up to about 3.4e38", span));
        }
        constant(Value::F32(narrow), Type::F32, span)
    }

    pub(super) fn negation(&mut self, operand: &Expr, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        match &operand.kind {
            ExprKind::Int(value) => return Some(self.integer(-i128::from(*value), &Type::S64, span, want)),
            ExprKind::Float(value) => return Some(self.float(-*value, span, want)),
            _ => {}
        }
        let operand = self.expr(operand, want.value())?;
        let ty = operand.ty.clone();
        if !ty.is_number() {
            self.g.report(say::operator("-", &ty.to_string(), "a number", span, operand.span));
            return None;
        }
        if ty.integer_range().is_some_and(|(low, _)| low == 0) {
            self.g.report(say::negative(&ty.to_string(), span));
            return Some(broken(ty, span));
        }
        Some(node(ir::ExprKind::Neg(Box::new(operand)), ty, span))
    }

    pub(super) fn none(&mut self, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        match want.hint() {
            Some(ty @ Type::Option(_)) => Some(constant(Value::none(), ty.clone(), span)),
            Some(ty) => {
                // The comparison with the expected type would have no type to name.
                self.g.report(say::mismatch(&ty.to_string(), "option<_>", span));
                Some(broken(ty.clone(), span))
            }
            None => {
                self.g.report(say::needs_type("`none`", "let x: option<string> = none", span));
                None
            }
        }
    }

    pub(super) fn text(&mut self, parts: &[TextPart], span: Span) -> Option<ir::Expr> {
        self.names_in_text(parts, span);
        if let [TextPart::Literal(text)] = parts {
            return Some(constant(Value::string(&**text), Type::String, span));
        }
        let mut joined = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                TextPart::Literal(text) => joined.push(constant(Value::string(&**text), Type::String, span)),
                TextPart::Expr(written) => {
                    let checked = self.pure(Place::Text, |flow| flow.expr(written, Want::Any));
                    if let Some(checked) = checked {
                        if !in_text(&checked.ty) {
                            self.g.report(say::interpolation(&checked.ty.to_string(), checked.span));
                        }
                        joined.push(checked);
                    }
                }
            }
        }
        if joined.is_empty() {
            return Some(constant(Value::string(""), Type::String, span));
        }
        Some(node(ir::ExprKind::Text(joined), Type::String, span))
    }

    pub(super) fn list(&mut self, items: &[Expr], span: Span, want: Want<'_>) -> Option<ir::Expr> {
        let expected = match want {
            Want::Type(Type::List(item), why) => Some((&**item, why)),
            Want::Type(ty @ Type::Flags(flags), _) => return Some(self.flags(ty, flags, items, span)),
            _ => None,
        };
        if let Some((item, why)) = expected {
            let checked: Vec<Option<ir::Expr>> = items.iter().map(|written| self.check(written, item, why)).collect();
            let ty = Type::list(item.clone());
            let checked: Option<Vec<ir::Expr>> = checked.into_iter().collect();
            return Some(
                checked.map_or_else(|| broken(ty.clone(), span), |items| node(ir::ExprKind::List(items), ty.clone(), span)),
            );
        }
        let Some(leader) = items.iter().min_by_key(|item| self.weakness(item)) else {
            self.g.report(say::needs_type("this empty list", "let xs: list<string> = []", span));
            return None;
        };
        // The item that says most about the type comes first.
        let Some(first) = self.expr(leader, Want::Any) else {
            for item in items.iter().filter(|item| item.span != leader.span) {
                self.visit(item);
            }
            return None;
        };
        let (ty, at) = (first.ty.clone(), first.span);
        let mut first = Some(first);
        let mut checked = Vec::with_capacity(items.len());
        for item in items {
            checked.push(if item.span == leader.span { first.take() } else { self.check(item, &ty, Why::First(at)) });
        }
        let items: Option<Vec<ir::Expr>> = checked.into_iter().collect();
        let ty = Type::list(ty);
        Some(items.map_or_else(|| broken(ty.clone(), span), |items| node(ir::ExprKind::List(items), ty.clone(), span)))
    }

    fn flags(&mut self, ty: &Type, flags: &FlagsType, items: &[Expr], span: Span) -> ir::Expr {
        let known: Vec<&str> = flags.names.iter().map(|name| &**name).collect();
        let mut set = Vec::new();
        for item in items {
            match &item.kind {
                ExprKind::Name(name) if known.contains(&&*name.name) => set.push(&*name.name),
                ExprKind::Error => {}
                _ => {
                    let written = self.g.loaded.sources.text(item.span).to_owned();
                    self.g.report(say::unknown_flag(&written, &ty.to_string(), &known, item.span));
                }
            }
        }
        let names: Vec<Name> = flags.names.iter().filter(|name| set.contains(&&***name)).cloned().collect();
        constant(Value::Flags(names.into()), ty.clone(), span)
    }

    pub(super) fn tuple(&mut self, items: &[Expr], span: Span, want: Want<'_>) -> Option<ir::Expr> {
        let expected = match want {
            Want::Type(Type::Tuple(types), why) if types.len() == items.len() => Some((types, why)),
            _ => None,
        };
        let checked: Vec<Option<ir::Expr>> = match expected {
            Some((types, why)) => items.iter().zip(types.iter()).map(|(item, ty)| self.check(item, ty, why)).collect(),
            None => items.iter().map(|item| self.expr(item, Want::Any)).collect(),
        };
        let checked: Vec<ir::Expr> = match checked.into_iter().collect() {
            Some(checked) => checked,
            None => return want.hint().filter(|_| expected.is_some()).map(|ty| broken(ty.clone(), span)),
        };
        let ty = Type::Tuple(checked.iter().map(|item| item.ty.clone()).collect());
        Some(node(ir::ExprKind::Tuple(checked), ty, span))
    }

    pub(super) fn record(&mut self, written: &Expr, fields: &[FieldInit], span: Span) -> Option<ir::Expr> {
        let ty = match &written.kind {
            ExprKind::Name(name) => self.record_type(name),
            ExprKind::Field(base, name) => match &base.kind {
                ExprKind::Name(alias) => self.g.member(self.file, alias, name),
                _ => None,
            },
            _ => None,
        };
        let ty = match ty {
            Some(Type::Record(record)) => record,
            other => {
                if let Some(other) = other {
                    let name = self.g.loaded.sources.text(written.span).to_owned();
                    let what = match other {
                        Type::Enum(_) => "an enum",
                        Type::Variant(_) => "a variant",
                        Type::Flags(_) => "a set of flags",
                        _ => "another type",
                    };
                    self.g.report(say::not_a_record(&name, what, written.span));
                }
                for field in fields {
                    self.visit(&field.value);
                }
                return None;
            }
        };
        let result = Type::Record(ty.clone());
        Some(match self.fields(&ty, fields, written.span) {
            Some(fields) => node(ir::ExprKind::Record(fields), result, span),
            None => broken(result, span),
        })
    }

    fn record_type(&mut self, name: &Ident) -> Option<Type> {
        match self.g.lookup(self.file, &name.name).map(|found| found.target) {
            Some(Target::Type(index)) => self.g.declared_type(index, name.span),
            Some(Target::Broken) => None,
            Some(other) => {
                self.g.report(say::not_a_record(&name.name, other.what(), name.span));
                None
            }
            None => match builtin(&name.name) {
                Some(ty) => Some(ty),
                None => {
                    self.g.unknown_record(self.file, name);
                    None
                }
            },
        }
    }

    /// The fields in the order of the type.
    fn fields(&mut self, ty: &RecordType, fields: &[FieldInit], at: Span) -> Option<Vec<(Name, ir::Expr)>> {
        let display = ty.name.as_deref().unwrap_or("the record").to_owned();
        let mut complete = true;
        let mut found: Vec<Option<(Span, Option<ir::Expr>)>> = ty.fields.iter().map(|_| None).collect();
        for init in fields {
            let position = ty.fields.iter().position(|(name, _)| **name == *init.name.name);
            let Some((slot, (name, wanted))) = position.and_then(|at| Some((found.get_mut(at)?, ty.fields.get(at)?))) else {
                let known: Vec<&str> = ty.fields.iter().map(|(name, _)| &**name).collect();
                let close = self.g.suggestions.closest(&init.name.name, &known);
                self.g.report(say::unknown_field(&init.name.name, &display, close.as_deref(), &known, init.name.span));
                self.visit(&init.value);
                complete = false;
                continue;
            };
            let checked = self.check(&init.value, wanted, Why::Field(ty, name));
            match slot {
                Some((first, _)) => {
                    self.g.report(say_name::duplicate_member("field", name, init.name.span, *first));
                    complete = false;
                }
                None => *slot = Some((init.name.span, checked)),
            }
        }
        let missing: Vec<String> = ty
            .fields
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|((name, ty), _)| format!("{name}: {ty}"))
            .collect();
        // A field that does not exist is most likely a missing one, misspelt.
        if !missing.is_empty() {
            if complete {
                self.g.report(say::missing_fields(&display, &missing, at));
            }
            return None;
        }
        let values: Option<Vec<ir::Expr>> = found.into_iter().map(|found| found?.1).collect();
        let values = values.filter(|_| complete)?;
        Some(ty.fields.iter().map(|(name, _)| name.clone()).zip(values).collect())
    }

    pub(super) fn comprehension(
        &mut self,
        element: &Expr,
        name: &Ident,
        list: &Expr,
        condition: Option<&Expr>,
        span: Span,
        want: Want<'_>,
    ) -> Option<ir::Expr> {
        // The list is computed once, so steps may stand in it unless the whole already is where they may not.
        let list = self.expr(list, Want::Any);
        let item = self.item_type("[… for …]", list.as_ref());
        let (binding, condition, element) = self.scoped(|flow| {
            let binding = flow.bind(name, item.as_ref(), Origin::Other);
            flow.pure(Place::Comprehension, |flow| {
                let condition = condition.map(|condition| flow.check(condition, &Type::Bool, Why::Condition("if")));
                let element = match want {
                    Want::Type(Type::List(item), why) => flow.check(element, item, why),
                    _ => flow.expr(element, Want::Any),
                };
                (binding, condition, element)
            })
        });
        let element = element?;
        let ty = Type::list(element.ty.clone());
        let (Some(list), Some(_)) = (list, item) else { return Some(broken(ty, span)) };
        let condition = match condition {
            Some(None) => return Some(broken(ty, span)),
            Some(Some(condition)) => Some(Box::new(condition)),
            None => None,
        };
        let kind = ir::ExprKind::Comprehension { binding, list: Box::new(list), condition, element: Box::new(element) };
        Some(node(kind, ty, span))
    }

    /// The type of a list's items; anything but a list is reported.
    pub(super) fn item_type(&mut self, form: &str, list: Option<&ir::Expr>) -> Option<Type> {
        let list = list?;
        if let Type::List(item) = &list.ty {
            return Some((**item).clone());
        }
        self.g.report(forms::not_a_list(form, &list.ty.to_string(), list.span));
        None
    }

    /// `some(x)`, `ok(x)`, `err(x)`.
    pub(super) fn wrapped(&mut self, name: &Ident, args: &[grammar::ast::Arg], span: Span, want: Want<'_>) -> Option<ir::Expr> {
        if &*name.name == "some" {
            let value = self.one("some", args, span)?;
            let part = want.part(|ty| if let Type::Option(some) = ty { Some(&**some) } else { None });
            let value = match part {
                Want::Type(ty, why) => self.check(value, ty, why)?,
                other => self.expr(value, other.value())?,
            };
            let ty = Type::option(value.ty.clone());
            return Some(node(ir::ExprKind::Some(Box::new(value)), ty, span));
        }
        let Want::Type(ty @ Type::Result(ok, err), why) = want else {
            for arg in args {
                self.visit(&arg.value);
            }
            let what = format!("`{}(…)`", name.name);
            match want.hint() {
                Some(ty) => self.g.report(say::mismatch(&ty.to_string(), "result<_, _>", span)),
                None => self.g.report(say::needs_type(&what, "let x: result<string, string> = …", span)),
            }
            return want.hint().map(|ty| broken(ty.clone(), span));
        };
        let carried = if &*name.name == "ok" { ok } else { err };
        let value = match (carried, args) {
            (None, []) => None,
            (None, _) => {
                self.g.report(say::case_payload_extra(&name.name, span));
                return Some(broken(ty.clone(), span));
            }
            (Some(carried), args) => {
                let checked = self.one(&name.name, args, span).and_then(|value| self.check(value, carried, why));
                let Some(value) = checked else { return Some(broken(ty.clone(), span)) };
                Some(Box::new(value))
            }
        };
        let kind = if &*name.name == "ok" { ir::ExprKind::Ok(value) } else { ir::ExprKind::Err(value) };
        Some(node(kind, ty.clone(), span))
    }

    /// How little an expression says about its own type: 0 for one that always has the same.
    pub(super) fn weakness(&self, written: &Expr) -> u8 {
        self.weakness_among(written, &[])
    }

    /// The same where further names will be in scope.
    pub(super) fn weakness_among(&self, written: &Expr, names: &[&str]) -> u8 {
        let of = |written: &Expr| self.weakness_among(written, names);
        match &written.kind {
            ExprKind::Float(_) => 1,
            ExprKind::Int(_) | ExprKind::Size(_) => 2,
            ExprKind::None => 3,
            ExprKind::List(items) => items.iter().map(of).min().unwrap_or(3),
            ExprKind::Tuple(items) => items.iter().map(of).max().unwrap_or(0),
            ExprKind::Unary(_, operand) => of(operand),
            ExprKind::Binary(op, _, left, right) if super::operators::is_arithmetic(*op) => of(left).min(of(right)),
            ExprKind::Name(name) if !names.contains(&&*name.name) && self.find(&name.name).is_none() => 3,
            ExprKind::Call(callee, args) => match &callee.kind {
                ExprKind::Name(name) if &*name.name == "some" => args.iter().map(|arg| of(&arg.value)).max().unwrap_or(3),
                ExprKind::Name(name) if matches!(&*name.name, "ok" | "err") => 3,
                _ => 0,
            },
            _ => 0,
        }
    }
}

impl super::Checker<'_> {
    fn unknown_record(&mut self, file: usize, name: &Ident) {
        let known = self.files.get(file).map(|names| names.all(|target| matches!(target, Target::Type(_)))).unwrap_or_default();
        let close = self.suggestions.closest(&name.name, &known);
        self.report(say_name::unknown_type(&name.name, close.as_deref(), name.span));
    }
}

/// Whether a value can stand in a text.
pub(super) fn in_text(ty: &Type) -> bool {
    ty.is_number() || matches!(ty, Type::Bool | Type::Char | Type::String | Type::Enum(_) | Type::Duration)
}

/// An integer as a value of a number type.
fn number(value: i128, ty: &Type) -> Option<Value> {
    Some(match ty {
        Type::S8 => Value::S8(value.try_into().ok()?),
        Type::S16 => Value::S16(value.try_into().ok()?),
        Type::S32 => Value::S32(value.try_into().ok()?),
        Type::S64 => Value::S64(value.try_into().ok()?),
        Type::U8 => Value::U8(value.try_into().ok()?),
        Type::U16 => Value::U16(value.try_into().ok()?),
        Type::U32 => Value::U32(value.try_into().ok()?),
        Type::U64 => Value::U64(value.try_into().ok()?),
        #[expect(clippy::cast_precision_loss, reason = "checked to be exact")]
        Type::F32 if value.abs() <= F32_EXACT => Value::F32(value as f32),
        #[expect(clippy::cast_precision_loss, reason = "checked to be exact")]
        Type::F64 if value.abs() <= F64_EXACT => Value::F64(value as f64),
        _ => return None,
    })
}
