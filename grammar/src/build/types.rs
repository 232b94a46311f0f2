//! Written types.

use super::{Build, Pair, Parts};
use crate::ast::{TypeExpr, TypeKind};
use crate::diagnostics;
use crate::rules::Rule;
use crate::span::Span;

impl Build<'_> {
    pub(super) fn type_expr(&mut self, pair: Pair<'_>) -> TypeExpr {
        let span = self.span(&pair);
        let mut parts = self.parts(pair);
        let kind = match parts.next() {
            Some(flow) if flow.as_rule() == Rule::flow_type => self.flow_type(flow),
            Some(word) if word.as_rule() == Rule::generic_word => {
                let name = word.as_str();
                let arguments: Vec<TypeExpr> = parts.map(|part| self.type_expr(part)).collect();
                self.generic(name, arguments, span)
            }
            Some(word) if matches!(word.as_str(), "list" | "option" | "tuple") && !parts.next_is(Rule::word) => {
                self.report(diagnostics::type_arguments(span, word.as_str()));
                TypeKind::Error
            }
            Some(word) if word.as_str() == "result" && !parts.next_is(Rule::word) => TypeKind::Result(None, None),
            Some(word) => self.named(&word, parts),
            None => {
                self.report(diagnostics::internal(span));
                TypeKind::Error
            }
        };
        TypeExpr { kind, span }
    }

    /// `flow(a, b) -> c`.
    fn flow_type(&mut self, pair: Pair<'_>) -> TypeKind {
        let (mut params, mut result) = (Vec::new(), None);
        for part in self.parts(pair) {
            match part.as_rule() {
                Rule::flow_result => result = self.parts(part).next().map(|ty| Box::new(self.type_expr(ty))),
                _ => params.push(self.type_expr(part)),
            }
        }
        TypeKind::Flow(params, result)
    }

    fn named(&mut self, word: &Pair<'_>, mut parts: Parts<'_>) -> TypeKind {
        // `any` is a keyword here and a type elsewhere, which whoever looks for the type answers.
        let name = if word.as_str() == "any" { self.key(word) } else { self.ident(word) };
        match parts.next() {
            Some(member) => TypeKind::Member(name, self.ident(&member)),
            None => TypeKind::Named(name),
        }
    }

    fn generic(&mut self, name: &str, arguments: Vec<TypeExpr>, span: Span) -> TypeKind {
        let count = arguments.len();
        let mut arguments = arguments.into_iter();
        match (name, count, arguments.next(), arguments.next()) {
            ("list", 1, Some(item), _) => TypeKind::List(Box::new(item)),
            ("option", 1, Some(item), _) => TypeKind::Option(Box::new(item)),
            ("tuple", 1, Some(first), None) => TypeKind::Tuple(vec![first]),
            ("tuple", _, Some(first), Some(second)) => TypeKind::Tuple([first, second].into_iter().chain(arguments).collect()),
            ("result", 1, Some(ok), _) => TypeKind::Result(absent(ok), None),
            ("result", 2, Some(ok), Some(err)) => TypeKind::Result(absent(ok), absent(err)),
            _ => {
                self.report(diagnostics::type_arguments(span, name));
                TypeKind::Error
            }
        }
    }
}

/// `_` stands for no type.
fn absent(ty: TypeExpr) -> Option<Box<TypeExpr>> {
    match &ty.kind {
        TypeKind::Named(name) if &*name.name == "_" => None,
        _ => Some(Box::new(ty)),
    }
}
