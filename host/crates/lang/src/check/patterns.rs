//! Patterns against the type that is matched.

use std::sync::Arc;

use catalog::{Name, Type};
use grammar::ast::{Expr, ExprKind, Pattern, PatternKind};
use grammar::{Ident, Span};

use super::flow::{FlowChecker, Origin};
use super::names::Target;
use super::types::builtin;
use super::why::{Want, Why};
use crate::diagnostics::{forms as say, names as say_name, types};
use crate::ir;

impl FlowChecker<'_, '_> {
    /// Checks a pattern and binds its names.
    pub(super) fn pattern(&mut self, written: &Pattern, ty: &Type, subject: Span) -> Option<ir::Pattern> {
        match &written.kind {
            PatternKind::Any => Some(ir::Pattern::Any),
            PatternKind::Name(name) if is_case(&name.name, ty) => self.case_pattern(name, None, ty, written.span, subject),
            PatternKind::Name(name) => Some(ir::Pattern::Bind(self.bind(name, Some(ty), Origin::Other))),
            PatternKind::Case(case, payload) => self.case_pattern(case, payload.as_deref(), ty, written.span, subject),
            PatternKind::TypeCase(of, case, payload) => {
                let named = self.pattern_type(of);
                if let Some(named) = &named
                    && named != ty
                {
                    let text = format!("`{}.{}`", of.name, case.name);
                    self.g.report(say::pattern(&text, &ty.to_string(), written.span, subject));
                    payload.iter().for_each(|payload| self.bind_all(payload));
                    return None;
                }
                if named.is_none() {
                    payload.iter().for_each(|payload| self.bind_all(payload));
                }
                self.case_pattern(case, payload.as_deref(), &named?, written.span, subject)
            }
            PatternKind::Literal(literal) => self.literal_pattern(literal, ty, subject),
            PatternKind::Tuple(members) => self.tuple_pattern(members, ty, written.span, subject),
            PatternKind::Record(fields) => self.record_pattern(fields, ty, written.span, subject),
        }
    }

    /// Binds the names of a pattern whose type is not known.
    pub(super) fn bind_all(&mut self, written: &Pattern) {
        match &written.kind {
            PatternKind::Name(name) if self.find(&name.name).is_none() => {
                self.bind(name, None, Origin::Other);
            }
            PatternKind::Case(_, Some(inner)) | PatternKind::TypeCase(_, _, Some(inner)) => self.bind_all(inner),
            PatternKind::Tuple(members) => members.iter().for_each(|member| self.bind_all(member)),
            PatternKind::Record(fields) => {
                for (name, inner) in fields {
                    match inner {
                        Some(inner) => self.bind_all(inner),
                        None if self.find(&name.name).is_none() => {
                            self.bind(name, None, Origin::Other);
                        }
                        None => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn pattern_type(&mut self, name: &Ident) -> Option<Type> {
        match self.g.lookup(self.file, &name.name).map(|found| found.target) {
            Some(Target::Type(index)) => self.g.declared_type(index, name.span),
            Some(Target::Broken) => None,
            Some(other) => {
                let span =
                    self.g.files.get(self.file).and_then(|names| names.get(&name.name)).map_or(name.span, |found| found.span);
                self.g.report(say_name::not_a_type(&name.name, other.what(), name.span, span));
                None
            }
            None if builtin(&name.name).is_some() => builtin(&name.name),
            None => {
                self.g.unknown_alias(self.file, name);
                None
            }
        }
    }

    fn case_pattern(
        &mut self,
        case: &Ident,
        payload: Option<&Pattern>,
        ty: &Type,
        span: Span,
        subject: Span,
    ) -> Option<ir::Pattern> {
        let found = match (ty, &*case.name) {
            (Type::Option(some), "some") => Some((Some((**some).clone()), Kind::Some)),
            (Type::Option(_), "none") => Some((None, Kind::None)),
            (Type::Result(ok, _), "ok") => Some((ok.as_deref().cloned(), Kind::Ok)),
            (Type::Result(_, err), "err") => Some((err.as_deref().cloned(), Kind::Err)),
            (Type::Enum(cases), name) => {
                cases.cases.iter().find(|case| ***case == *name).map(|name| (None, Kind::Enum(name.clone())))
            }
            (Type::Variant(cases), name) => {
                cases.cases.iter().find(|(case, _)| **case == *name).map(|(name, ty)| (ty.clone(), Kind::Variant(name.clone())))
            }
            _ => None,
        };
        let Some((carried, kind)) = found else {
            payload.into_iter().for_each(|payload| self.bind_all(payload));
            self.unknown_case(case, ty, span, subject);
            return None;
        };
        let inner = match (payload, carried) {
            (None, None) => None,
            (None, Some(_)) => Some(Box::new(ir::Pattern::Any)),
            (Some(payload), Some(carried)) => Some(Box::new(self.pattern(payload, &carried, subject)?)),
            (Some(payload), None) => {
                self.bind_all(payload);
                self.g.report(types::case_payload_extra(&case.name, span));
                return None;
            }
        };
        Some(match kind {
            Kind::None => ir::Pattern::None,
            Kind::Some => ir::Pattern::Some(inner.unwrap_or_else(|| Box::new(ir::Pattern::Any))),
            Kind::Ok => ir::Pattern::Ok(inner),
            Kind::Err => ir::Pattern::Err(inner),
            Kind::Enum(name) => ir::Pattern::Enum(name),
            Kind::Variant(name) => ir::Pattern::Variant(name, inner),
        })
    }

    fn unknown_case(&mut self, case: &Ident, ty: &Type, span: Span, subject: Span) {
        let known: Vec<&str> = match ty {
            Type::Enum(cases) => cases.cases.iter().map(|name| &**name).collect(),
            Type::Variant(cases) => cases.cases.iter().map(|(name, _)| &**name).collect(),
            Type::Option(_) => vec!["some", "none"],
            Type::Result(..) => vec!["ok", "err"],
            _ => return self.g.report(say::pattern(&format!("`{}(…)`", case.name), &ty.to_string(), span, subject)),
        };
        let close = self.g.suggestions.closest(&case.name, &known);
        self.g.report(types::unknown_case(&case.name, &ty.to_string(), close.as_deref(), &known, case.span));
    }

    fn literal_pattern(&mut self, literal: &Expr, ty: &Type, subject: Span) -> Option<ir::Pattern> {
        if matches!(literal.kind, ExprKind::None) {
            if matches!(ty, Type::Option(_)) {
                return Some(ir::Pattern::None);
            }
            self.g.report(say::pattern("`none`", &ty.to_string(), literal.span, subject));
            return None;
        }
        let checked = self.expr(literal, Want::Type(ty, Why::Plain))?;
        match checked.kind {
            ir::ExprKind::Const(value) if checked.ty == *ty => Some(ir::Pattern::Literal(value)),
            _ => {
                let text = self.g.loaded.sources.text(literal.span);
                let mut diagnostic = say::pattern(&format!("`{text}`"), &ty.to_string(), literal.span, subject);
                if let (ExprKind::Text(_), Some(case)) = (&literal.kind, case_for(ty, text.trim_matches('"'))) {
                    diagnostic = diagnostic.help(format!("a case is written by its name, without quotes: `{case}`"));
                }
                self.g.report(diagnostic);
                None
            }
        }
    }

    fn tuple_pattern(&mut self, members: &[Pattern], ty: &Type, span: Span, subject: Span) -> Option<ir::Pattern> {
        let Type::Tuple(types) = ty else {
            members.iter().for_each(|member| self.bind_all(member));
            self.g.report(say::pattern("`(…)`", &ty.to_string(), span, subject));
            return None;
        };
        if types.len() != members.len() {
            members.iter().for_each(|member| self.bind_all(member));
            self.g.report(say::tuple_pattern(types.len(), members.len(), span));
            return None;
        }
        let checked: Vec<Option<ir::Pattern>> =
            members.iter().zip(types.iter()).map(|(member, ty)| self.pattern(member, ty, subject)).collect();
        Some(ir::Pattern::Tuple(checked.into_iter().collect::<Option<_>>()?))
    }

    fn record_pattern(
        &mut self,
        fields: &[(Ident, Option<Pattern>)],
        ty: &Type,
        span: Span,
        subject: Span,
    ) -> Option<ir::Pattern> {
        let Type::Record(record) = ty else {
            for (name, inner) in fields {
                match inner {
                    Some(inner) => self.bind_all(inner),
                    None => {
                        self.bind(name, None, Origin::Other);
                    }
                }
            }
            self.g.report(say::pattern("`{ … }`", &ty.to_string(), span, subject));
            return None;
        };
        let mut checked = Vec::with_capacity(fields.len());
        let mut complete = self.g.distinct("field", fields.iter().map(|(name, _)| name));
        for (field, inner) in fields {
            let found = record.fields.iter().find(|(name, _)| **name == *field.name);
            let pattern = match (found, inner) {
                (None, inner) => {
                    let known: Vec<&str> = record.fields.iter().map(|(name, _)| &**name).collect();
                    let close = self.g.suggestions.closest(&field.name, &known);
                    self.g.report(types::unknown_field(&field.name, &ty.to_string(), close.as_deref(), &known, field.span));
                    match inner {
                        Some(inner) => self.bind_all(inner),
                        None => {
                            self.bind(field, None, Origin::Other);
                        }
                    }
                    None
                }
                (Some((_, ty)), Some(inner)) => self.pattern(inner, ty, subject),
                (Some((_, ty)), None) => Some(ir::Pattern::Bind(self.bind(field, Some(ty), Origin::Other))),
            };
            let name: Name = Arc::from(&*field.name);
            match pattern {
                Some(pattern) => checked.push((name, pattern)),
                None => complete = false,
            }
        }
        complete.then_some(ir::Pattern::Record(checked))
    }
}

enum Kind {
    Some,
    None,
    Ok,
    Err,
    Enum(Name),
    Variant(Name),
}

/// Whether a bare name in a pattern is a case rather than a binding.
fn is_case(name: &str, ty: &Type) -> bool {
    match ty {
        Type::Enum(_) | Type::Variant(_) => true,
        Type::Option(_) => matches!(name, "some" | "none"),
        Type::Result(..) => matches!(name, "ok" | "err"),
        _ => false,
    }
}

/// The names that a pattern may bind.
pub(super) fn bound_names(pattern: &Pattern) -> Vec<&str> {
    let mut names = Vec::new();
    collect_names(pattern, &mut names);
    names
}

fn collect_names<'p>(pattern: &'p Pattern, names: &mut Vec<&'p str>) {
    match &pattern.kind {
        PatternKind::Name(name) => names.push(&name.name),
        PatternKind::Case(_, Some(inner)) | PatternKind::TypeCase(_, _, Some(inner)) => collect_names(inner, names),
        PatternKind::Tuple(members) => members.iter().for_each(|member| collect_names(member, names)),
        PatternKind::Record(fields) => {
            for (name, inner) in fields {
                match inner {
                    Some(inner) => collect_names(inner, names),
                    None => names.push(&name.name),
                }
            }
        }
        _ => {}
    }
}

/// The case of an enum or variant with this name, else its first one.
fn case_for(ty: &Type, written: &str) -> Option<Name> {
    let cases: Vec<&Name> = match ty {
        Type::Enum(cases) => cases.cases.iter().collect(),
        Type::Variant(cases) => cases.cases.iter().map(|(case, _)| case).collect(),
        _ => Vec::new(),
    };
    cases.iter().find(|case| &****case == written).or(cases.first()).map(|case| (*case).clone())
}
