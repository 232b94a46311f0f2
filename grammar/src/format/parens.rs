//! Which expressions need parentheses where they stand.

use crate::ast::{BinaryOp, Expr, ExprKind, Postfix};

/// Which rule of the grammar reads an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Everything may stand here.
    Full,
    /// A `{` follows: no record literals, nothing attached.
    Head,
    /// Nothing attached.
    Bare,
}

/// What an expression is to the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing is around it.
    Whole,
    /// The left side of an operator.
    Left(BinaryOp),
    /// The right side.
    Right(BinaryOp),
    /// Behind `not` or `-`.
    Prefixed,
    /// Before `as`.
    Cast,
    /// Before `.field`, `(args)`, `[index]`.
    Base,
    /// What something is attached to.
    Step,
    /// Behind `else` or `undo`.
    Fallback,
}

/// Whether the expression must stand in parentheses.
pub(super) fn needs_parens(expr: &Expr, place: Place, part: Part) -> bool {
    let operand = matches!(part, Part::Left(_) | Part::Right(_));
    match &expr.kind {
        ExprKind::Binary(op, ..) => match part {
            Part::Whole => false,
            Part::Left(outer) => joins_later(*op, outer, true) || is_open(expr),
            Part::Right(outer) => joins_later(*op, outer, false) || is_open(expr),
            _ => true,
        },
        ExprKind::As(..) => matches!(part, Part::Base | Part::Step | Part::Fallback),
        ExprKind::Unary(..) => matches!(part, Part::Base | Part::Step | Part::Cast) || operand && is_open(expr),
        ExprKind::Postfix(..) => {
            place != Place::Full
                || match part {
                    Part::Whole => false,
                    Part::Prefixed | Part::Fallback => !holds_what_is_attached(expr),
                    Part::Step => !lets_attach(expr),
                    Part::Base => true,
                    Part::Cast | Part::Left(_) | Part::Right(_) => is_open(expr),
                }
        }
        ExprKind::Record { .. } => place == Place::Head,
        ExprKind::Wait(_) => operand || matches!(part, Part::Base | Part::Cast),
        ExprKind::Emit { .. } => place == Place::Head || operand || matches!(part, Part::Base | Part::Cast),
        ExprKind::Signal(..) | ExprKind::Message(..) => part == Part::Base,
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Duration(_) | ExprKind::Size(_) => part == Part::Base,
        ExprKind::Lambda(..) => true,
        _ => false,
    }
}

/// How strongly an operator binds.
pub(super) const fn strength(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Coalesce => 0,
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => 3,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => 5,
    }
}

/// Whether an operation inside another one would be read otherwise.
fn joins_later(inner: BinaryOp, outer: BinaryOp, left: bool) -> bool {
    const COMPARISON: u8 = 3;
    let (inner, outer) = (strength(inner), strength(outer));
    let right_first = outer == strength(BinaryOp::Coalesce);
    inner < outer || inner == outer && (outer == COMPARISON || left == right_first)
}

/// Whether the expression ends in one that would also take what follows: `wait x` takes operators and `as`.
fn is_open(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Wait(_) | ExprKind::Emit { .. } => true,
        ExprKind::Unary(_, inner) => is_open(inner),
        ExprKind::Binary(_, _, _, right) => is_open(right),
        ExprKind::Postfix(_, Postfix::Else(last) | Postfix::Undo { compensation: last, .. }) => is_open(last),
        _ => false,
    }
}

/// Whether the expression ends in an `if` that would take a following `else`.
pub(super) fn ends_in_open_if(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::If { otherwise, .. } => otherwise.is_none(),
        ExprKind::Unary(_, inner) | ExprKind::Binary(_, _, _, inner) | ExprKind::Wait(inner) => ends_in_open_if(inner),
        ExprKind::Emit { value, .. } => ends_in_open_if(value),
        _ => false,
    }
}

/// Whether the expression ends in an `after` that would take a following comma.
pub(super) fn ends_in_after(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Postfix(_, Postfix::After(_)) => true,
        ExprKind::Postfix(_, Postfix::Else(last) | Postfix::Undo { compensation: last, .. }) => ends_in_after(last),
        ExprKind::Unary(_, inner) | ExprKind::Binary(_, _, _, inner) | ExprKind::Lambda(_, inner) => ends_in_after(inner),
        _ => false,
    }
}

/// The name with which the expression begins, when it is more than a name.
pub(super) fn first_name(expr: &Expr) -> Option<&str> {
    let mut first = expr;
    loop {
        first = match &first.kind {
            ExprKind::Field(base, _)
            | ExprKind::TupleField(base, ..)
            | ExprKind::Index(base, _)
            | ExprKind::Call(base, _)
            | ExprKind::Binary(_, _, base, _)
            | ExprKind::As(base, _)
            | ExprKind::Postfix(base, _) => base,
            ExprKind::Record { ty, .. } => ty,
            ExprKind::Name(name) if !std::ptr::eq(first, expr) => return Some(&name.name),
            _ => return None,
        };
    }
}

/// What the grammar attaches things to; anything else leaves them to the step before it.
fn is_step(expr: &Expr) -> bool {
    let mut inner = expr;
    while let ExprKind::Unary(_, next) = &inner.kind {
        inner = next;
    }
    inner.kind.is_step()
}

/// Whether what is attached next goes to the whole, not to its fallback.
fn lets_attach(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Postfix(_, Postfix::Else(last) | Postfix::Undo { compensation: last, .. }) => !is_step(last),
        _ => true,
    }
}

/// Whether all that is attached stays with its own step, where a step stands before it.
fn holds_what_is_attached(expr: &Expr) -> bool {
    let mut inner = expr;
    while let ExprKind::Postfix(base, _) = &inner.kind {
        inner = base;
    }
    // In parentheses a prefix is no part of the step.
    !matches!(inner.kind, ExprKind::Unary(..)) && is_step(inner)
}
