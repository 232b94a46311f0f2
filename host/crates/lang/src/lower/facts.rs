//! What can be told about a typed expression before it is lowered.

use std::ops::ControlFlow;

use catalog::Type;

use crate::ir::{BindingId, Block, Expr, ExprKind, Statement};
use crate::plan::FlowId;

/// More statements than this in one block, and it becomes a region even where it is pure: nested
/// expressions are as deep as they have names.
const MOST_INLINE_STATEMENTS: usize = 32;

/// A direct part of an expression.
pub(crate) enum Part<'p> {
    Expr(&'p Expr),
    Block(&'p Block),
}

pub(crate) type Visit<'v, 'p> = &'v mut dyn FnMut(Part<'p>) -> ControlFlow<()>;

/// Whether an expression becomes a plan expression as it stands: nothing in it runs, gates or opens a region.
pub(crate) fn is_simple(expr: &Expr) -> bool {
    let runs = matches!(
        &expr.kind,
        ExprKind::Call { .. }
            | ExprKind::Ask { .. }
            | ExprKind::RunPlan { .. }
            | ExprKind::Flow { .. }
            | ExprKind::Map { .. }
            | ExprKind::Fold { .. }
            | ExprKind::Tree { .. }
            | ExprKind::Loop { .. }
            | ExprKind::Seq(_)
            | ExprKind::Phase(..)
            | ExprKind::Try { .. }
            | ExprKind::Race { .. }
            | ExprKind::Rescue(..)
            | ExprKind::Undo { .. }
            | ExprKind::After(..)
            | ExprKind::With(..)
            | ExprKind::Wait(_)
            | ExprKind::Signal(_)
            | ExprKind::Message(_)
            | ExprKind::Emit { .. }
    );
    !runs
        && parts(expr, &mut |part| match part {
            Part::Expr(part) => go_on_if(is_simple(part)),
            Part::Block(block) => go_on_if(is_simple_block(block)),
        })
        .is_continue()
}

/// Whether a block becomes a plan expression.
pub(crate) fn is_simple_block(block: &Block) -> bool {
    block.statements.len() <= MOST_INLINE_STATEMENTS && block.statements.iter().all(is_simple_statement)
}

/// Whether a statement runs nothing and gates nothing.
pub(crate) fn is_simple_statement(statement: &Statement) -> bool {
    match statement {
        Statement::Let(_, expr) | Statement::Do(expr) | Statement::Value(expr) => is_simple(expr),
        Statement::Require { .. } | Statement::Return(..) => false,
    }
}

/// Calls `f` with each flow that is called in a block.
pub(crate) fn callees(block: &Block, f: &mut dyn FnMut(FlowId)) {
    each_in_block(block, &mut |expr| {
        if let ExprKind::Flow { flow, .. } = expr.kind {
            f(flow);
        }
    });
}

/// Calls `f` with each binding that an expression names.
pub(crate) fn bindings(expr: &Expr, f: &mut dyn FnMut(BindingId)) {
    each(expr, &mut |expr| {
        if let ExprKind::Binding(binding) = expr.kind {
            f(binding);
        }
    });
}

/// Parts of a type that are looked at for a folder; beyond them there may be one.
const MOST_TYPE_PARTS: u32 = 256;

/// Whether a value of the type may hold a folder.
pub(crate) fn holds_folder(ty: &Type) -> bool {
    let mut left = MOST_TYPE_PARTS;
    holds_folder_within(ty, &mut left)
}

/// The number of parts bounds the work on types that share parts, which can be far larger written out than in memory.
fn holds_folder_within(ty: &Type, left: &mut u32) -> bool {
    if *left == 0 {
        return true;
    }
    *left -= 1;
    match ty {
        Type::Dir => true,
        Type::List(inner) | Type::Option(inner) => holds_folder_within(inner, left),
        Type::Result(ok, err) => ok.iter().chain(err).any(|ty| holds_folder_within(ty, left)),
        Type::Tuple(members) => members.iter().any(|ty| holds_folder_within(ty, left)),
        Type::Record(record) => record.fields.iter().any(|(_, ty)| holds_folder_within(ty, left)),
        Type::Variant(variant) => variant.cases.iter().filter_map(|(_, ty)| ty.as_ref()).any(|ty| holds_folder_within(ty, left)),
        _ => false,
    }
}

fn each(expr: &Expr, f: &mut dyn FnMut(&Expr)) {
    f(expr);
    // Going through all parts never breaks off.
    let _all = parts(expr, &mut |part| {
        match part {
            Part::Expr(part) => each(part, f),
            Part::Block(block) => each_in_block(block, f),
        }
        ControlFlow::Continue(())
    });
}

fn each_in_block(block: &Block, f: &mut dyn FnMut(&Expr)) {
    for statement in &block.statements {
        match statement {
            Statement::Let(_, expr) | Statement::Do(expr) | Statement::Value(expr) | Statement::Return(expr, _) => each(expr, f),
            Statement::Require { condition, message, .. } => {
                each(condition, f);
                each(message, f);
            }
        }
    }
}

fn go_on_if(condition: bool) -> ControlFlow<()> {
    if condition { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

fn exprs<'p>(exprs: impl IntoIterator<Item = &'p Expr>, f: Visit<'_, 'p>) -> ControlFlow<()> {
    exprs.into_iter().try_for_each(|expr| f(Part::Expr(expr)))
}

/// Calls `f` with each direct part of an expression, until it breaks off.
pub(crate) fn parts<'p>(expr: &'p Expr, f: Visit<'_, 'p>) -> ControlFlow<()> {
    match &expr.kind {
        ExprKind::Const(_) | ExprKind::Binding(_) | ExprKind::Signal(_) => ControlFlow::Continue(()),
        ExprKind::Wait(a) | ExprKind::Message(a) => exprs([&**a], f),
        ExprKind::Emit { topic, value } => exprs([&**topic, &**value], f),
        ExprKind::Field(a, _) | ExprKind::TupleField(a, _) | ExprKind::Not(a) | ExprKind::Neg(a) => exprs([&**a], f),
        ExprKind::Some(a) | ExprKind::Convert(a) | ExprKind::After(a, _) | ExprKind::With(a, _) => exprs([&**a], f),
        ExprKind::Index(a, b) | ExprKind::Binary(_, a, b) | ExprKind::And(a, b) => exprs([&**a, &**b], f),
        ExprKind::Or(a, b) | ExprKind::Coalesce(a, b) | ExprKind::Rescue(a, b) => exprs([&**a, &**b], f),
        ExprKind::List(items) | ExprKind::Tuple(items) | ExprKind::Text(items) | ExprKind::Library(_, items) => exprs(items, f),
        ExprKind::Record(fields) => exprs(fields.iter().map(|(_, value)| value), f),
        ExprKind::Variant(_, payload) | ExprKind::Ok(payload) | ExprKind::Err(payload) => exprs(payload.as_deref(), f),
        ExprKind::Comprehension { list, condition, element, .. } => {
            exprs([&**list], f)?;
            exprs(condition.as_deref(), f)?;
            exprs([&**element], f)
        }
        ExprKind::SortBy { list, key, .. } => exprs([&**list, &**key], f),
        ExprKind::If { condition, then, otherwise } => {
            exprs([&**condition], f)?;
            f(Part::Block(then))?;
            otherwise.iter().try_for_each(|block| f(Part::Block(block)))
        }
        ExprKind::Match { subject, arms } => {
            exprs([&**subject], f)?;
            arms.iter().try_for_each(|arm| {
                exprs(&arm.guard, f)?;
                f(Part::Block(&arm.body))
            })
        }
        ExprKind::Call { args, .. }
        | ExprKind::Flow { args, .. }
        | ExprKind::Ask { args, .. }
        | ExprKind::RunPlan { args, .. } => exprs(args, f),
        ExprKind::Map { list, body, .. } | ExprKind::Tree { list, body, .. } => {
            exprs([&**list], f)?;
            f(Part::Block(body))
        }
        ExprKind::Fold { init, list, body, .. } => {
            exprs([&**init, &**list], f)?;
            f(Part::Block(body))
        }
        ExprKind::Loop { init, until, max, body, .. } => {
            exprs([&**init, &**until, &**max], f)?;
            f(Part::Block(body))
        }
        ExprKind::Seq(body) | ExprKind::Phase(_, body) => f(Part::Block(body)),
        ExprKind::Undo { base, compensation, .. } => {
            exprs([&**base], f)?;
            f(Part::Block(compensation))
        }
        ExprKind::Race { arms, wanted } => {
            exprs(wanted.as_deref(), f)?;
            arms.iter().try_for_each(|arm| f(Part::Block(arm)))
        }
        ExprKind::Try { body, handler, .. } => {
            f(Part::Block(body))?;
            f(Part::Block(handler))
        }
    }
}
