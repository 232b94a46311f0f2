//! What stands only in tests: mocks, `assert`, and folders that are texts.

use std::sync::Arc;

use catalog::{FailureKind, Type, Value};
use cranelift_entity::{EntityRef, PrimaryMap};
use grammar::ast::{Expr, ExprKind, Mock, MockAnswer, MockTarget, Pattern, TextPart};
use grammar::{Ident, Span};

use super::flow::{FlowChecker, constant};
use super::mocked::Mocked;
use super::place::Place;
use super::why::Why;
use crate::diagnostics::trials as say;
use crate::ir;
use crate::plan::{FlowId, MockTarget as Target};

const TAKES: Why<'static> = Why::Library("mock component.function(_) takes 2s => value");
const TIMES: Why<'static> = Why::Library("mock component.function(_) times 2 => value");
const MESSAGE: Why<'static> = Why::Library("mock component.function(_) fails network \"message\"");

impl<'a> FlowChecker<'_, 'a> {
    /// Checks a `mock` and keeps it: mocks hold for the whole test, whatever their place in it.
    pub(super) fn mock(&mut self, mock: &Mock, span: Span) {
        if self.mocks.is_none() {
            return self.g.report(say::mock_outside(span));
        }
        if self.is_nested() {
            self.g.report(say::nested_mock(span));
        }
        let checked = self.apart(|flow| match &mock.target {
            MockTarget::Call(path, patterns) => {
                let mocked = flow.named_step(path).map(Mocked::Step);
                flow.mocked(mocked, (mock, span), patterns, path.span)
            }
            MockTarget::Ask(role, patterns) => {
                let mocked = flow.named_role(role);
                flow.mocked(mocked, (mock, span), patterns, role.span)
            }
            MockTarget::Plan(patterns) => flow.mocked_plan(mock, patterns, span),
            // Its type is that of the waits, which may not all be known yet.
            MockTarget::Signal(_) | MockTarget::Message(_) => {
                if let Some(instance) = &flow.instance {
                    let test = instance.flow;
                    flow.g.sender_mocks.push(SenderMock { test, file: flow.file, mock: mock.clone(), span });
                }
                None
            }
        });
        if let (Some(mocks), Some(checked)) = (&mut self.mocks, checked) {
            mocks.push(checked);
        }
    }

    /// A mock of what answers a step.
    fn mocked(&mut self, mocked: Option<Mocked<'_>>, mock: (&Mock, Span), patterns: &[Pattern], at: Span) -> Option<ir::Mock> {
        let (mock, span) = mock;
        let Some(mocked) = mocked else {
            patterns.iter().for_each(|pattern| self.bind_all(pattern));
            return None;
        };
        let patterns = self.argument_patterns(&mocked, patterns, at);
        let limits = self.mock_limits(mock);
        let answer = match &mock.answer {
            MockAnswer::Value(value) => self.answer(&mocked, value).map(ir::MockAnswer::Value),
            MockAnswer::Fails(kind, message) => self.failure(kind, message.as_ref()),
        };
        let (times, takes) = limits?;
        let target = Target::Step(mocked.target());
        Some(ir::Mock { target, patterns: patterns?, times, takes, answer: answer?, span })
    }

    /// `times` and `takes`.
    pub(super) fn mock_limits(&mut self, mock: &Mock) -> Option<(Option<u32>, Option<ir::Expr>)> {
        let times = mock.times.as_ref().map(|times| self.times(times));
        let takes = mock.takes.as_ref().map(|takes| self.pure(Place::Mock, |flow| flow.check(takes, &Type::Duration, TAKES)));
        let times = times.map_or(Some(None), |times| times.map(Some))?;
        let takes = takes.map_or(Some(None), |takes| takes.map(Some))?;
        Some((times, takes))
    }

    /// The mock of a sender, when the type that is waited for is known.
    fn sender_mock(&mut self, found: &SenderMock, ty: Option<&(Type, Span)>) -> Option<ir::Mock> {
        let (target, name, what) = match &found.mock.target {
            MockTarget::Signal(name) => (Target::Signal(Arc::from(&*name.name)), name.span, "signal"),
            MockTarget::Message(topic) => (Target::Message(Arc::from(&*topic.value)), topic.span, "message"),
            _ => return None,
        };
        let limits = self.mock_limits(&found.mock);
        let Some((ty, at)) = ty else {
            let written = self.g.loaded.sources.text(name).to_owned();
            self.g.report(say::nothing_waits(what, &written, name));
            return None;
        };
        let value = match &found.mock.answer {
            MockAnswer::Value(value) if *ty == Type::Unit && matches!(value.kind, ExprKind::None) => {
                Some(constant(Value::Unit, Type::Unit, value.span))
            }
            MockAnswer::Value(value) if *ty == Type::Unit => {
                self.g.report(say::carries_nothing(what, value.span, *at));
                None
            }
            MockAnswer::Value(value) => self.pure(Place::Mock, |flow| flow.check(value, ty, Why::Declared(*at))),
            MockAnswer::Fails(kind, _) => {
                self.g.report(say::sender_fails(what, kind.span));
                None
            }
        };
        let (times, takes) = limits?;
        let answer = ir::MockAnswer::Value(value?);
        Some(ir::Mock { target, patterns: Vec::new(), times, takes, answer, span: found.span })
    }

    /// One pattern for each parameter.
    fn argument_patterns(&mut self, mocked: &Mocked<'_>, written: &[Pattern], at: Span) -> Option<Vec<ir::Pattern>> {
        let params = mocked.params();
        if written.len() != params.len() {
            let counts = (params.len(), written.len());
            let diagnostic = say::patterns(mocked.name(), &mocked.signature(), counts, at, mocked.declared());
            self.g.report(diagnostic);
            written.iter().for_each(|pattern| self.bind_all(pattern));
            return None;
        }
        let nowhere = Span { end: at.start, ..at };
        let checked: Vec<Option<ir::Pattern>> =
            written.iter().zip(&params).map(|(pattern, ty)| self.pattern(pattern, ty, nowhere)).collect();
        checked.into_iter().collect()
    }

    fn times(&mut self, written: &Expr) -> Option<u32> {
        let checked = self.pure(Place::Mock, |flow| flow.check(written, &Type::U32, TIMES))?;
        self.at_least_one("`times`", Some(&checked));
        match checked.kind {
            ir::ExprKind::Const(Value::U32(times)) => Some(times),
            // What is broken was reported.
            ir::ExprKind::Const(_) => None,
            _ => {
                self.g.report(say::times(written.span));
                None
            }
        }
    }

    /// The answer for a step; `none` for one that gives nothing.
    fn answer(&mut self, mocked: &Mocked<'_>, written: &Expr) -> Option<ir::Expr> {
        if *mocked.output() != Type::Unit {
            return self.pure(Place::Mock, |flow| flow.check(written, mocked.output(), mocked.why()));
        }
        if !matches!(written.kind, ExprKind::None) {
            self.pure(Place::Mock, |flow| flow.visit(written));
            self.g.report(say::gives_nothing(mocked.name(), written.span, mocked.declared()));
            return None;
        }
        Some(constant(Value::Unit, Type::Unit, written.span))
    }

    pub(super) fn failure(&mut self, kind: &Ident, message: Option<&Expr>) -> Option<ir::MockAnswer> {
        let found = kind.name.parse::<FailureKind>().ok();
        if found.is_none() {
            let known = FailureKind::ALL.map(FailureKind::name);
            let close = self.g.suggestions.closest(&kind.name, known);
            self.g.report(say::failure_kind(&kind.name, close.as_deref(), &known, kind.span));
        }
        let message = match message {
            Some(message) => self.pure(Place::Mock, |flow| flow.check(message, &Type::String, MESSAGE)),
            None => Some(constant(Value::string("the mock fails"), Type::String, kind.span)),
        };
        Some(ir::MockAnswer::Fails(found?, message?))
    }

    /// `assert` in a test.
    pub(super) fn assert(&mut self, condition: &Expr, message: Option<&Expr>, span: Span) -> Option<ir::Statement> {
        if self.mocks.is_none() {
            self.g.report(say::assert_outside(span));
        }
        let checked = self.check(condition, &Type::Bool, Why::Condition("assert"));
        let message = match message {
            Some(message) => self.check(message, &Type::String, Why::Library("assert condition else \"message\"")),
            None => {
                let text = format!("the assertion `{}` does not hold", self.g.loaded.sources.text(condition.span));
                Some(constant(Value::string(text), Type::String, span))
            }
        };
        Some(ir::Statement::Require { condition: checked?, message: message?, assert: true, span })
    }

    /// A text where a folder is expected: one that is never opened.
    pub(super) fn virtual_folder(&self, written: &Expr, ty: &Type) -> Option<ir::Expr> {
        let ExprKind::Text(parts) = &written.kind else { return None };
        if self.mocks.is_none() || *ty != Type::Dir {
            return None;
        }
        let path = match parts.as_slice() {
            [] => "",
            [TextPart::Literal(text)] => text,
            _ => return None,
        };
        Some(constant(Value::Dir(Arc::from(path)), Type::Dir, written.span))
    }
}

/// A `mock wait …`, kept until everything is checked that may wait.
pub(super) struct SenderMock {
    /// The test's declaration.
    test: usize,
    file: usize,
    mock: Mock,
    span: Span,
}

impl super::Checker<'_> {
    /// Checks the mocks of senders and adds them to their tests.
    pub(super) fn check_sender_mocks(&mut self, flows: &mut PrimaryMap<FlowId, ir::Flow>, first: usize) {
        for found in std::mem::take(&mut self.sender_mocks) {
            let ty = match &found.mock.target {
                MockTarget::Signal(name) => self.awaited_signal(&name.name),
                MockTarget::Message(topic) => self.awaited_message(&topic.value),
                _ => None,
            };
            let mock = FlowChecker::detached(self, found.file, |flow| flow.sender_mock(&found, ty.as_ref()));
            let test = self.instances.iter().position(|instance| instance.flow == found.test);
            let test = test.and_then(|test| test.checked_sub(first)).map(FlowId::new);
            if let (Some(mock), Some(flow)) = (mock, test.and_then(|test| flows.get_mut(test))) {
                flow.mocks.get_or_insert_default().push(mock);
            }
        }
    }
}
