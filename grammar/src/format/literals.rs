//! Names, literals and types.

use super::doc::{Doc, close, concat, open, spaced, word};
use super::printer::Printer;
use crate::ast::{ExprKind, Text, TextPart, TypeExpr, TypeKind};
use crate::keywords::is_keyword;
use crate::span::{Ident, Span};

impl Printer<'_> {
    /// A name with its `%` when it is written with one.
    pub(super) fn name(&self, ident: &Ident) -> Doc {
        word(self.name_text(ident))
    }

    fn name_text(&self, ident: &Ident) -> String {
        match self.source {
            Some(source) => source.slice(ident.span.start as usize, ident.span.end as usize).into(),
            None if is_keyword(&ident.name) => format!("%{}", ident.name),
            None => ident.name.to_string(),
        }
    }

    /// What is written in the source, without parentheses around it.
    fn written(&self, span: Span) -> Option<&str> {
        let blank = |c: char| c.is_whitespace();
        let text = self.source?.slice(span.start as usize, span.end as usize);
        let text = text.trim_start_matches(|c| c == '(' || blank(c));
        Some(text.trim_end_matches(|c| c == ')' || blank(c)))
    }

    pub(super) fn literal(&self, kind: &ExprKind, span: Span) -> Doc {
        if let Some(text) = self.written(span) {
            return word(text);
        }
        word(match kind {
            ExprKind::Bool(true) => "true".into(),
            ExprKind::Bool(false) => "false".into(),
            ExprKind::Int(value) => value.to_string(),
            ExprKind::Float(value) => format!("{value:?}"),
            ExprKind::Char(letter) => format!("'{}'", escaped(*letter, '\'')),
            ExprKind::Duration(time) => format!("{time}ns"),
            ExprKind::Size(size) => format!("{size}B"),
            ExprKind::Text(parts) => format!("\"{}\"", parts.iter().map(|part| self.text_part(part)).collect::<String>()),
            _ => "none".into(),
        })
    }

    fn text_part(&self, part: &TextPart) -> String {
        match part {
            TextPart::Literal(literal) => literal.chars().map(|letter| escaped(letter, '"')).collect(),
            TextPart::Expr(expr) => format!("${{{}}}", self.on_one_line(expr)),
        }
    }

    pub(super) fn text(&self, text: &Text) -> Doc {
        match self.written(text.span) {
            Some(written) => word(written),
            None => word(format!("\"{}\"", text.value.chars().map(|letter| escaped(letter, '"')).collect::<String>())),
        }
    }

    /// `: type`, or `-> type` with blanks around the arrow.
    pub(super) fn result(&self, ty: Option<&TypeExpr>) -> Doc {
        spaced(ty.map(|ty| concat([word("->"), Doc::Space, self.ty(ty)])))
    }

    pub(super) fn colon_type(&self, ty: Option<&TypeExpr>) -> Doc {
        ty.map_or(Doc::Nil, |ty| concat([word(":"), Doc::Space, self.ty(ty)]))
    }

    pub(super) fn ty(&self, ty: &TypeExpr) -> Doc {
        // As written but for blanks, since the tree does not say `result<t, _>` from `result<t>`.
        let source = self.source.map(|source| (source, ty.span.start as usize, ty.span.end as usize));
        match source.filter(|(source, start, end)| !source.has_comment(*start, *end)) {
            Some((source, start, end)) => word(respaced(source.slice(start, end))),
            None => self.built_type(ty),
        }
    }

    fn built_type(&self, ty: &TypeExpr) -> Doc {
        match &ty.kind {
            TypeKind::Named(name) => self.name(name),
            TypeKind::Member(component, name) => concat([self.name(component), word("."), self.name(name)]),
            TypeKind::List(item) => self.generic("list", &[Some(item)]),
            TypeKind::Option(item) => self.generic("option", &[Some(item)]),
            TypeKind::Result(None, None) => word("result"),
            TypeKind::Result(ok, None) => self.generic("result", &[ok.as_deref()]),
            TypeKind::Result(ok, err) => self.generic("result", &[ok.as_deref(), err.as_deref()]),
            TypeKind::Tuple(items) => self.generic("tuple", &items.iter().map(Some).collect::<Vec<_>>()),
            TypeKind::Flow(params, result) => {
                let params = params.iter().map(|param| self.ty(param));
                concat([word("flow"), open("("), separated(params), close(")"), self.result(result.as_deref())])
            }
            TypeKind::Error => Doc::Nil,
        }
    }

    fn generic(&self, name: &'static str, items: &[Option<&TypeExpr>]) -> Doc {
        let items = items.iter().map(|item| item.map_or_else(|| word("_"), |item| self.ty(item)));
        concat([word(name), word("<"), separated(items), word(">")])
    }
}

/// With a comma and a blank between.
pub(super) fn separated(docs: impl Iterator<Item = Doc>) -> Doc {
    let mut all = Vec::new();
    for (index, doc) in docs.enumerate() {
        if index > 0 {
            all.extend([word(","), Doc::Space]);
        }
        all.push(doc);
    }
    Doc::Concat(all)
}

fn respaced(text: &str) -> String {
    let tight: String = text.split_whitespace().collect();
    tight.replace(',', ", ").replace("->", " -> ")
}

fn escaped(letter: char, quote: char) -> String {
    match letter {
        '\n' => "\\n".into(),
        '\t' => "\\t".into(),
        '\r' => "\\r".into(),
        '\\' => "\\\\".into(),
        '$' if quote == '"' => "\\$".into(),
        _ if letter == quote => format!("\\{letter}"),
        _ if letter.is_control() => format!("\\u{{{:x}}}", u32::from(letter)),
        _ => letter.into(),
    }
}
