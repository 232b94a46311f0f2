//! Expressions: operators, what is attached, calls, lists and records.

use super::doc::{BRACES, Doc, LINE, Listed, PARENS, SOFT, SQUARE, close, concat, group, indent, listed, open, spaced, word};
use super::parens::{Part, Place, ends_in_after, first_name, needs_parens, strength};
use super::printer::Printer;
use crate::ast::{Arg, BinaryOp, Expr, ExprKind, FieldInit, Postfix, UnaryOp};

impl Printer<'_> {
    /// An expression where anything may stand.
    pub(super) fn full(&self, expr: &Expr) -> Doc {
        self.expr(expr, Place::Full, Part::Whole)
    }

    /// An expression that a `{` follows.
    pub(super) fn head(&self, expr: &Expr) -> Doc {
        self.expr(expr, Place::Head, Part::Whole)
    }

    pub(super) fn expr(&self, expr: &Expr, place: Place, part: Part) -> Doc {
        if needs_parens(expr, place, part) || self.keeps_parens(expr, part) {
            return self.in_parens(expr);
        }
        self.plain(expr, place, part)
    }

    /// An expression without parentheses around it.
    fn plain(&self, expr: &Expr, place: Place, part: Part) -> Doc {
        // Behind `else` a prefix and what it stands before are read as one.
        let prefixed = if part == Part::Fallback { part } else { Part::Prefixed };
        let inner = |inner: &Expr, part: Part| self.expr(inner, place, part);
        match &expr.kind {
            ExprKind::Name(name) => self.name(name),
            ExprKind::Field(base, name) => concat([inner(base, Part::Base), word("."), self.name(name)]),
            ExprKind::TupleField(base, index, _) => concat([inner(base, Part::Base), word("."), word(index.to_string())]),
            ExprKind::Index(base, index) => {
                let index = group(concat([open("["), indent(concat([SOFT, self.full(index)])), SOFT, close("]")]));
                concat([inner(base, Part::Base), index])
            }
            ExprKind::Call(base, args) => concat([inner(base, Part::Base), self.args(args)]),
            ExprKind::Unary(UnaryOp::Not, operand) => concat([word("not"), Doc::Space, inner(operand, prefixed)]),
            ExprKind::Unary(UnaryOp::Neg, operand) => concat([word("-"), inner(operand, prefixed)]),
            ExprKind::Binary(op, _, left, right) => self.operation(*op, left, right, place),
            ExprKind::As(value, ty) => concat([inner(value, Part::Cast), Doc::Space, word("as"), Doc::Space, self.ty(ty)]),
            ExprKind::List(elements) => listed(self.elements(elements), SQUARE),
            ExprKind::Tuple(elements) => self.tuple(elements),
            ExprKind::Record { ty, fields } => self.record(ty, fields),
            ExprKind::Comprehension { element, name, list, condition } => {
                let list =
                    concat([LINE, word("for"), Doc::Space, self.name(name), Doc::Space, word("in"), Doc::Space, self.full(list)]);
                let condition = condition.as_ref();
                let condition =
                    condition.map_or(Doc::Nil, |condition| concat([LINE, word("if"), Doc::Space, self.full(condition)]));
                let inside = indent(concat([SOFT, self.full(element), list, condition]));
                group(concat([open("["), inside, SOFT, close("]")]))
            }
            ExprKind::Lambda(name, body) => concat([self.name(name), Doc::Space, word("=>"), Doc::Space, self.full(body)]),
            ExprKind::Postfix(..) => self.attached(expr, place),
            ExprKind::Error => Doc::Nil,
            ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Text(_)
            | ExprKind::Char(_)
            | ExprKind::Duration(_)
            | ExprKind::Size(_)
            | ExprKind::None => self.literal(&expr.kind, expr.span),
            _ => self.form(expr, place),
        }
    }

    pub(super) fn in_parens(&self, expr: &Expr) -> Doc {
        let inner = self.plain(expr, Place::Full, Part::Whole);
        group(concat([open("("), indent(concat([SOFT, inner])), SOFT, close(")")]))
    }

    /// Parentheses that are not needed are kept around an operation that is an operand, where they show what belongs
    /// together, and where a comment inside them holds a line's end.
    fn keeps_parens(&self, expr: &Expr, part: Part) -> bool {
        let ExprKind::Binary(_, _, left, right) = &expr.kind else { return false };
        let Some(source) = self.source.filter(|_| expr.span.start < left.span.start && expr.span.end > right.span.end) else {
            return false;
        };
        let operand = matches!(part, Part::Left(_) | Part::Right(_));
        operand || source.has_comment(expr.span.start as usize, expr.span.end as usize)
    }

    /// An operator with others of its strength: all on one line, or each after the first on a line of its own.
    fn operation(&self, op: BinaryOp, left: &Expr, right: &Expr, place: Place) -> Doc {
        let mut rest = Vec::new();
        let first = if op == BinaryOp::Coalesce {
            self.coalesce(right, place, &mut rest);
            self.expr(left, place, Part::Left(op))
        } else {
            let (mut op, mut left, mut right) = (op, left, right);
            loop {
                rest.push(self.operator(op, self.expr(right, place, Part::Right(op))));
                match &left.kind {
                    ExprKind::Binary(inner, _, l, r)
                        if strength(*inner) == strength(op)
                            && !needs_parens(left, place, Part::Left(op))
                            && !self.keeps_parens(left, Part::Left(op)) =>
                    {
                        (op, left, right) = (*inner, l, r);
                    }
                    _ => break,
                }
            }
            rest.reverse();
            self.expr(left, place, Part::Left(op))
        };
        group(concat([first, indent(Doc::Concat(rest))]))
    }

    /// `?? b ?? c` of `a ?? b ?? c`, which joins from the right.
    fn coalesce(&self, right: &Expr, place: Place, rest: &mut Vec<Doc>) {
        let op = BinaryOp::Coalesce;
        match &right.kind {
            ExprKind::Binary(BinaryOp::Coalesce, _, left, next)
                if !needs_parens(right, place, Part::Right(op)) && !self.keeps_parens(right, Part::Right(op)) =>
            {
                rest.push(self.operator(op, self.expr(left, place, Part::Left(op))));
                self.coalesce(next, place, rest);
            }
            _ => rest.push(self.operator(op, self.expr(right, place, Part::Right(op)))),
        }
    }

    /// A line that begins with `-` would be a statement of its own.
    fn operator(&self, op: BinaryOp, right: Doc) -> Doc {
        let before = if op == BinaryOp::Sub { Doc::Space } else { LINE };
        concat([before, word(op.symbol()), Doc::Space, right])
    }

    fn attached(&self, expr: &Expr, place: Place) -> Doc {
        let mut clauses = Vec::new();
        let mut base = expr;
        while let ExprKind::Postfix(inner, clause) = &base.kind {
            clauses.push(self.clause(clause));
            base = inner;
            if needs_parens(inner, place, Part::Step) {
                break;
            }
        }
        clauses.reverse();
        let step = self.expr(base, place, Part::Step);
        if base.kind.is_block() {
            let clauses = clauses.into_iter().flat_map(|clause| [Doc::Space, clause]);
            return concat([step, Doc::Concat(clauses.collect())]);
        }
        let clauses = clauses.into_iter().flat_map(|clause| [LINE, clause]);
        group(concat([step, indent(Doc::Concat(clauses.collect()))]))
    }

    fn clause(&self, clause: &Postfix) -> Doc {
        let fallback = |expr: &Expr| self.expr(expr, Place::Full, Part::Fallback);
        match clause {
            Postfix::With(with) => self.with_clause(with),
            Postfix::Else(expr) => concat([word("else"), Doc::Space, fallback(expr)]),
            Postfix::After(names) => {
                concat([word("after"), Doc::Space, super::literals::separated(names.iter().map(|name| self.name(name)))])
            }
            Postfix::Undo { always, compensation } => {
                let always = spaced(always.then(|| word("always")));
                let name = match &compensation.kind {
                    ExprKind::Name(name) => Some(&*name.name),
                    _ => first_name(compensation),
                };
                let doc = if name == Some("always") { self.in_parens(compensation) } else { fallback(compensation) };
                concat([word("undo"), always, Doc::Space, doc])
            }
        }
    }

    /// Elements between commas. One that ends in `after` names would take the next one's name for one more.
    fn elements(&self, elements: &[Expr]) -> Vec<Doc> {
        let last = elements.len().saturating_sub(1);
        elements.iter().enumerate().map(|(index, element)| self.element(element, index == last)).collect()
    }

    pub(super) fn element(&self, expr: &Expr, last: bool) -> Doc {
        match &expr.kind {
            ExprKind::Lambda(name, body) => {
                concat([self.name(name), Doc::Space, word("=>"), Doc::Space, self.element(body, last)])
            }
            _ if !last && ends_in_after(expr) => self.in_parens(expr),
            _ => self.full(expr),
        }
    }

    fn tuple(&self, elements: &[Expr]) -> Doc {
        match elements {
            [only] => concat([open("("), self.element(only, false), word(","), close(")")]),
            _ => listed(self.elements(elements), PARENS),
        }
    }

    pub(super) fn args(&self, args: &[Arg]) -> Doc {
        let last = args.len().saturating_sub(1);
        let arg = |(index, arg): (usize, &Arg)| {
            let value = self.element(&arg.value, index == last);
            match &arg.name {
                Some(name) => concat([self.name(name), word(":"), Doc::Space, value]),
                None => value,
            }
        };
        let docs: Vec<Doc> = args.iter().enumerate().map(arg).collect();
        match args {
            // The brackets of an only argument are brackets enough.
            [only] if has_brackets(&only.value) => concat([open("("), Doc::Concat(docs), close(")")]),
            _ => listed(docs, PARENS),
        }
    }

    fn record(&self, ty: &Expr, fields: &[FieldInit]) -> Doc {
        let last = fields.len().saturating_sub(1);
        let field = |(index, field): (usize, &FieldInit)| {
            let short = match &field.value.kind {
                ExprKind::Name(name) => name.name == field.name.name && name.span == field.name.span,
                _ => false,
            };
            if short {
                return self.name(&field.name);
            }
            concat([self.name(&field.name), word(":"), Doc::Space, self.element(&field.value, index == last)])
        };
        let docs = fields.iter().enumerate().map(field).collect();
        let first = fields.first().map_or(ty.span.end, |field| field.name.span.start);
        let how = Listed { expanded: self.breaks_between(ty.span.end, first), ..BRACES };
        concat([self.expr(ty, Place::Full, Part::Base), Doc::Space, listed(docs, how)])
    }
}

/// Whether the expression's own brackets hold its lines together.
fn has_brackets(expr: &Expr) -> bool {
    expr.kind.is_block()
        || matches!(
            expr.kind,
            ExprKind::List(_)
                | ExprKind::Tuple(_)
                | ExprKind::Record { .. }
                | ExprKind::Comprehension { .. }
                | ExprKind::Call(..)
                | ExprKind::Ask(..)
                | ExprKind::RunPlan(_)
                | ExprKind::Text(_)
        )
}
