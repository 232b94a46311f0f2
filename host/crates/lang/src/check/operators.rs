//! Chains of infix operators. The left spine of a chain is walked without recursion.

use catalog::Type;
use grammar::Span;
use grammar::ast::{BinaryOp, Expr, ExprKind};

use super::expr::node;
use super::flow::FlowChecker;
use super::types::widens;
use super::why::{Want, Why, broken};
use crate::diagnostics::types as say;
use crate::ir;
use crate::plan::Operator;

/// Operators whose value has the type of their operands.
pub(super) const fn is_arithmetic(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem)
}

const fn is_comparison(op: BinaryOp) -> bool {
    operator(op).is_some() && !is_arithmetic(op)
}

const fn operator(op: BinaryOp) -> Option<Operator> {
    Some(match op {
        BinaryOp::Eq => Operator::Eq,
        BinaryOp::Ne => Operator::Ne,
        BinaryOp::Lt => Operator::Lt,
        BinaryOp::Le => Operator::Le,
        BinaryOp::Gt => Operator::Gt,
        BinaryOp::Ge => Operator::Ge,
        BinaryOp::Add => Operator::Add,
        BinaryOp::Sub => Operator::Sub,
        BinaryOp::Mul => Operator::Mul,
        BinaryOp::Div => Operator::Div,
        BinaryOp::Rem => Operator::Rem,
        BinaryOp::Coalesce | BinaryOp::Or | BinaryOp::And => return None,
    })
}

/// An operator of a chain with its right side.
struct Link<'e> {
    op: BinaryOp,
    at: Span,
    right: &'e Expr,
    /// Where the whole up to here stands.
    span: Span,
}

impl FlowChecker<'_, '_> {
    /// Checks `a op b op c …`.
    pub(super) fn chain(&mut self, written: &Expr, want: Want<'_>) -> Option<ir::Expr> {
        let mut links = Vec::new();
        let mut first = written;
        while let ExprKind::Binary(op, at, left, right) = &first.kind {
            links.push(Link { op: *op, at: *at, right, span: first.span });
            first = left;
        }
        links.reverse();
        // The tree that this gives is as deep as the chain is long.
        if !self.enter(links.len(), written.span) {
            return None;
        }
        let checked = self.links(first, &links, want);
        self.leave(links.len());
        checked
    }

    fn links(&mut self, first: &Expr, links: &[Link<'_>], want: Want<'_>) -> Option<ir::Expr> {
        let arithmetic = links.iter().all(|link| is_arithmetic(link.op));
        let outer = if arithmetic { want.value() } else { Want::Any };
        let (leader, early) = self.leader(first, links, outer.hint().is_some());
        let leader = early.as_ref().map(|(_, checked)| checked.ty.clone()).or(leader);
        let mut value = match (&leader, links.first().map(|link| link.op)) {
            (_, Some(BinaryOp::And)) => self.check(first, &Type::Bool, Why::Condition("and")),
            (_, Some(BinaryOp::Or)) => self.expr(first, Want::Type(&Type::Bool, Why::Condition("or"))),
            (_, Some(BinaryOp::Coalesce)) => {
                let option = want.hint().map(|ty| Type::option(ty.clone()));
                let hint = option.as_ref().filter(|_| links.len() == 1).map_or(Want::Any, |ty| Want::Type(ty, Why::Plain));
                self.expr(first, hint)
            }
            (Some(ty), _) => self.expr(first, Want::Type(ty, Why::Plain)),
            (None, _) => self.expr(first, outer),
        };
        let mut early = early;
        for (index, link) in links.iter().enumerate() {
            let checked = early.take_if(|(at, _)| *at == index).map(|(_, checked)| checked);
            value = self.link(value, link, checked, outer);
        }
        value
    }

    /// The type of the first operand that says what type the literals before it have, with that operand
    /// when it had to be checked for it.
    fn leader(&mut self, first: &Expr, links: &[Link<'_>], hinted: bool) -> (Option<Type>, Option<(usize, ir::Expr)>) {
        let weakness = self.weakness(first);
        if weakness == 0 {
            return (None, None);
        }
        let mut float = false;
        for (index, link) in links.iter().enumerate() {
            if operator(link.op).is_none() {
                break;
            }
            match self.weakness(link.right) {
                0 => return (None, self.expr(link.right, Want::Any).map(|checked| (index, checked))),
                1 => float = true,
                _ => {}
            }
            if is_comparison(link.op) {
                break;
            }
        }
        (Some(Type::F64).filter(|_| float && weakness == 2 && !hinted), None)
    }

    fn link(&mut self, left: Option<ir::Expr>, link: &Link<'_>, early: Option<ir::Expr>, outer: Want<'_>) -> Option<ir::Expr> {
        let span = link.span;
        match link.op {
            BinaryOp::And | BinaryOp::Or => {
                let word = link.op.symbol();
                if link.op == BinaryOp::Or
                    && let Some(left) = left.as_ref().filter(|left| left.ty != Type::Bool)
                {
                    let right = self.expr(link.right, Want::Type(&left.ty, Why::Plain))?;
                    if right.ty == left.ty {
                        self.g.report(say::or_else(&left.ty.to_string(), link.at, left.span));
                        return Some(broken(right.ty, span));
                    }
                    self.coerce(right, &Type::Bool, Why::Condition(word));
                    self.coerce(left.clone(), &Type::Bool, Why::Condition(word));
                    return Some(broken(Type::Bool, span));
                }
                let right = self.check(link.right, &Type::Bool, Why::Condition(word));
                let left = self.coerce(left?, &Type::Bool, Why::Condition(word));
                let (left, right) = (Box::new(left), Box::new(right?));
                let kind = if link.op == BinaryOp::And { ir::ExprKind::And(left, right) } else { ir::ExprKind::Or(left, right) };
                Some(node(kind, Type::Bool, span))
            }
            BinaryOp::Coalesce => self.coalesce(left, link),
            op => {
                let right = match (early, &left) {
                    (Some(right), _) => Some(right),
                    (None, Some(left)) => {
                        let ty = left.ty.clone();
                        self.expr(link.right, Want::Type(&ty, Why::First(left.span)))
                    }
                    // A number on the right still says what the whole is.
                    (None, None) if is_arithmetic(op) && self.weakness(link.right) == 0 => {
                        let right = self.expr(link.right, Want::Any)?;
                        return right.ty.is_number().then(|| broken(right.ty, span));
                    }
                    (None, None) => {
                        self.visit(link.right);
                        None
                    }
                };
                let operator = operator(op)?;
                let (Some(left), Some(right)) = (left, right) else {
                    return if is_comparison(op) { Some(broken(Type::Bool, span)) } else { None };
                };
                Some(self.binary(op, operator, left, right, link, outer))
            }
        }
    }

    fn coalesce(&mut self, left: Option<ir::Expr>, link: &Link<'_>) -> Option<ir::Expr> {
        let Some(left) = left else {
            self.visit(link.right);
            return None;
        };
        let Type::Option(inner) = left.ty.clone() else {
            self.visit(link.right);
            let step = matches!(left.kind, ir::ExprKind::Call { .. });
            self.g.report(say::coalesce(&left.ty.to_string(), step, link.at, left.span));
            return Some(left);
        };
        let why = Why::First(left.span);
        let right = self.expr(link.right, Want::Type(&inner, why));
        let Some(right) = right else { return Some(broken((*inner).clone(), link.span)) };
        // `a ?? b ?? c`: an option on the right leaves an option.
        let ty = if right.ty == left.ty { left.ty.clone() } else { (*inner).clone() };
        let right = self.coerce(right, &ty, why);
        Some(node(ir::ExprKind::Coalesce(Box::new(left), Box::new(right)), ty, link.span))
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        operator: Operator,
        left: ir::Expr,
        right: ir::Expr,
        link: &Link<'_>,
        outer: Want<'_>,
    ) -> ir::Expr {
        let failed = |ty: &Type| broken(if is_comparison(op) { Type::Bool } else { ty.clone() }, link.span);
        let sides = (left.span, right.span);
        let (left, right) = match joined(left, right) {
            Ok(joined) => joined,
            Err((left, right)) => {
                let help = operands_help(op, &left, &right);
                self.g.report(say::operands(op.symbol(), &left.to_string(), &right.to_string(), link.at, sides).help(help));
                return failed(outer.hint().unwrap_or(&left));
            }
        };
        let ty = left.ty.clone();
        if let Some(wants) = wanted(op, &ty) {
            self.g.report(say::operator(op.symbol(), &ty.to_string(), wants, link.at, sides.0));
            return failed(&ty);
        }
        let result = if is_comparison(op) { Type::Bool } else { ty };
        node(ir::ExprKind::Binary(operator, Box::new(left), Box::new(right)), result, link.span)
    }
}

/// Both operands with one type, if one of the two widens to the other.
fn joined(left: ir::Expr, right: ir::Expr) -> Result<(ir::Expr, ir::Expr), (Type, Type)> {
    let widened = |from: ir::Expr, to: &Type| {
        let span = from.span;
        node(ir::ExprKind::Convert(Box::new(from)), to.clone(), span)
    };
    if left.ty == right.ty {
        return Ok((left, right));
    }
    if widens(&left.ty, &right.ty) {
        let left = widened(left, &right.ty);
        return Ok((left, right));
    }
    if widens(&right.ty, &left.ty) {
        let right = widened(right, &left.ty);
        return Ok((left, right));
    }
    Err((left.ty, right.ty))
}

/// What an operator takes, when it does not take this type.
fn wanted(op: BinaryOp, ty: &Type) -> Option<&'static str> {
    let (fits, wants) = match op {
        BinaryOp::Eq | BinaryOp::Ne => (*ty != Type::Unit, "two values of one type"),
        BinaryOp::Add => {
            (ty.is_number() || matches!(ty, Type::Duration | Type::String | Type::List(_)), "numbers, durations, texts and lists")
        }
        BinaryOp::Sub => (ty.is_number() || *ty == Type::Duration, "numbers and durations"),
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => (ty.is_number(), "numbers"),
        _ => (is_ordered(ty), "numbers, durations, texts and chars"),
    };
    (!fits).then_some(wants)
}

/// Whether values of the type have an order.
pub(super) fn is_ordered(ty: &Type) -> bool {
    ty.is_number() || matches!(ty, Type::String | Type::Char | Type::Duration)
}

fn operands_help(op: BinaryOp, left: &Type, right: &Type) -> String {
    let number = |ty: &Type| ty.is_number();
    match (left, right) {
        (Type::String, _) | (_, Type::String) if op == BinaryOp::Add => {
            "join texts with `\"${a}${b}\"`, which also takes numbers".to_owned()
        }
        (Type::Option(_), _) => "say what to take when there is none: `(a ?? default)`".to_owned(),
        (_, Type::Option(_)) => "say what to take when there is none: `(b ?? default)`".to_owned(),
        (Type::List(_), right) if op == BinaryOp::Add && !matches!(right, Type::List(_)) => {
            "add a list: `list + [item]`".to_owned()
        }
        (left, right) if number(left) && number(right) && (*left == Type::F64 || *right == Type::F64) => {
            "convert the other one: `f64(…)`".to_owned()
        }
        (left, right) if number(left) && number(right) => {
            format!("neither holds all values of the other; `json(…) as {left}` converts with a check while the flow runs")
        }
        (Type::Json, other) | (other, Type::Json) => format!("convert it first: `… as {other}`"),
        _ => "make both of one type".to_owned(),
    }
}
