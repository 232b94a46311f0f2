//! Typed trees that are written by hand.

use catalog::{Type, Value};
use cranelift_entity::{EntityRef, PrimaryMap};
use grammar::{FileId, Span};

use crate::ir::{Binding, BindingId, Block, Expr, ExprKind, Flow, Grant, GrantKind, Param, Policy, Statement};
use crate::plan::{FunctionId, Operator};

/// A flow that is being written: each `let` gets a span of its own.
#[derive(Default)]
pub(super) struct Write {
    bindings: PrimaryMap<BindingId, Binding>,
    params: Vec<Param>,
    at: u32,
}

impl Write {
    /// Spans begin here.
    pub(super) fn from(at: u32) -> Self {
        Self { at, ..Self::default() }
    }

    fn span(&mut self) -> Span {
        self.at += 10;
        Span::new(FileId(0), self.at, self.at + 5)
    }

    pub(super) fn bind(&mut self, name: &str, ty: Type) -> BindingId {
        let span = self.span();
        self.bindings.push(Binding { name: name.into(), ty, span })
    }

    pub(super) fn param(&mut self, name: &str, ty: Type) -> BindingId {
        let binding = self.bind(name, ty);
        self.params.push(Param { binding, default: None, docs: Vec::new() });
        binding
    }

    pub(super) fn lets(&mut self, name: &str, expr: Expr) -> (BindingId, Statement) {
        let binding = self.bind(name, expr.ty.clone());
        (binding, Statement::Let(binding, expr))
    }

    pub(super) fn call(&mut self, name: &str, args: Vec<Expr>) -> Expr {
        let span = self.span();
        let function = FunctionId::new(args.len());
        let kind = ExprKind::Call { function, args, through: Box::default(), name: name.into() };
        Expr { kind, ty: Type::S64, span }
    }

    pub(super) fn flow(self, name: &str, statements: Vec<Statement>) -> Flow {
        Flow {
            name: name.into(),
            arguments: Vec::new(),
            docs: Vec::new(),
            params: self.params,
            result: Type::S64,
            policy: Policy::default(),
            cap: None,
            body: block(statements),
            bindings: self.bindings,
            mocks: None,
            recursion: None,
            span: Span::default(),
        }
    }
}

pub(super) fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

pub(super) fn int(value: i64) -> Expr {
    expr(ExprKind::Const(Value::S64(value)), Type::S64)
}

pub(super) fn boolean(value: bool) -> Expr {
    expr(ExprKind::Const(Value::Bool(value)), Type::Bool)
}

pub(super) fn name(binding: BindingId) -> Expr {
    expr(ExprKind::Binding(binding), Type::S64)
}

pub(super) fn add(a: Expr, b: Expr) -> Expr {
    expr(ExprKind::Binary(Operator::Add, Box::new(a), Box::new(b)), Type::S64)
}

pub(super) fn equal(a: Expr, b: Expr) -> Expr {
    expr(ExprKind::Binary(Operator::Eq, Box::new(a), Box::new(b)), Type::Bool)
}

pub(super) fn block(statements: Vec<Statement>) -> Block {
    let ty = match statements.last() {
        Some(Statement::Value(expr)) => expr.ty.clone(),
        _ => Type::Unit,
    };
    Block { statements, ty, span: Span::default() }
}

pub(super) fn value(expr: Expr) -> Statement {
    Statement::Value(expr)
}

pub(super) fn give(value: Expr) -> Block {
    block(vec![Statement::Value(value)])
}

pub(super) fn list(items: Vec<Expr>) -> Expr {
    expr(ExprKind::List(items), Type::list(Type::S64))
}

pub(super) fn if_else(condition: Expr, then: Block, otherwise: Option<Block>) -> Expr {
    let ty = then.ty.clone();
    expr(ExprKind::If { condition: Box::new(condition), then, otherwise }, ty)
}

pub(super) fn require(condition: Expr) -> Statement {
    let message = expr(ExprKind::Const(Value::string("no")), Type::String);
    Statement::Require { condition, message, assert: false, span: Span::default() }
}

pub(super) fn with(inner: Expr, policy: Policy) -> Expr {
    let (ty, span) = (inner.ty.clone(), inner.span);
    Expr { kind: ExprKind::With(Box::new(inner), Box::new(policy)), ty, span }
}

pub(super) fn after(inner: Expr, names: Vec<BindingId>) -> Expr {
    let (ty, span) = (inner.ty.clone(), inner.span);
    Expr { kind: ExprKind::After(Box::new(inner), names), ty, span }
}

pub(super) fn rescue(inner: Expr, fallback: Expr) -> Expr {
    let ty = inner.ty.clone();
    expr(ExprKind::Rescue(Box::new(inner), Box::new(fallback)), ty)
}

pub(super) fn memory(bytes: u64) -> Option<Expr> {
    Some(Expr { kind: ExprKind::Const(Value::U64(bytes)), ty: Type::U64, span: Span::new(FileId(0), 900, 905) })
}

pub(super) fn count(n: u32) -> Option<Expr> {
    Some(expr(ExprKind::Const(Value::U32(n)), Type::U32))
}

pub(super) fn duration(nanoseconds: u64) -> Option<Expr> {
    Some(expr(ExprKind::Const(Value::Duration(nanoseconds)), Type::Duration))
}

pub(super) fn grant(kind: GrantKind) -> Grant {
    Grant { kind, span: Span::new(FileId(0), 800, 805) }
}

pub(super) fn allow(grants: Vec<GrantKind>) -> Policy {
    Policy { allow: Some(grants.into_iter().map(grant).collect()), ..Policy::default() }
}

/// A step that is not pure.
pub(super) fn effect(step: Expr) -> Expr {
    with(step, allow(vec![GrantKind::Http("example.com".into())]))
}
