//! What stands only in tests: mocks, `assert`, `calls`, and folders that are texts.

use std::rc::Rc;
use std::sync::Arc;

use catalog::{FailureKind, Type, Value};
use cranelift_entity::{EntityRef, PrimaryMap};
use grammar::ast::{Arg, Expr, ExprKind, Mock, MockAnswer, MockTarget, Pattern, TextPart};
use grammar::{Ident, Span};

use super::expr::node;
use super::flow::{FlowChecker, constant};
use super::names;
use super::place::Place;
use super::signatures::Step;
use super::why::Why;
use crate::diagnostics::{forms, trials as say};
use crate::ir;
use crate::plan::{CALLS, ComponentRef, FlowId, FunctionId, FunctionRef, MockTarget as Target, TRIAL};

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
            MockTarget::Call(path, patterns) => flow.mocked_call(mock, path, patterns, span),
            MockTarget::Ask(..) => flow.not_yet("a mock of `ask`", span),
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

    fn not_yet(&mut self, what: &str, at: Span) -> Option<ir::Mock> {
        self.g.report(forms::later(what, at));
        None
    }

    fn mocked_call(&mut self, mock: &Mock, path: &Expr, patterns: &[Pattern], span: Span) -> Option<ir::Mock> {
        let Some(step) = self.named_step(path) else {
            patterns.iter().for_each(|pattern| self.bind_all(pattern));
            return None;
        };
        let patterns = self.argument_patterns(&step, patterns, path.span);
        let limits = self.mock_limits(mock);
        let answer = match &mock.answer {
            MockAnswer::Value(value) => self.answer(&step, value).map(ir::MockAnswer::Value),
            MockAnswer::Fails(kind, message) => self.failure(kind, message.as_ref()),
        };
        let (times, takes) = limits?;
        let target = Target::Function(step.id);
        Some(ir::Mock { target, patterns: patterns?, times, takes, answer: answer?, span })
    }

    /// `times` and `takes`.
    fn mock_limits(&mut self, mock: &Mock) -> Option<(Option<u32>, Option<ir::Expr>)> {
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
    fn argument_patterns(&mut self, step: &Step<'_>, written: &[Pattern], at: Span) -> Option<Vec<ir::Pattern>> {
        let params = &step.signature.params;
        if written.len() != params.len() {
            let signature = format!("{}: {}", step.function.wit_name, step.signature);
            let diagnostic = say::patterns(&step.name, &signature, params.len(), written.len(), at, step.declared);
            self.g.report(diagnostic);
            written.iter().for_each(|pattern| self.bind_all(pattern));
            return None;
        }
        let nowhere = Span { end: at.start, ..at };
        let checked: Vec<Option<ir::Pattern>> =
            written.iter().zip(params).map(|(pattern, (_, ty))| self.pattern(pattern, ty, nowhere)).collect();
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
    fn answer(&mut self, step: &Step<'_>, written: &Expr) -> Option<ir::Expr> {
        if step.output != Type::Unit {
            return self.pure(Place::Mock, |flow| flow.check(written, &step.output, Why::Answer(step)));
        }
        if !matches!(written.kind, ExprKind::None) {
            self.pure(Place::Mock, |flow| flow.visit(written));
            self.g.report(say::gives_nothing(&step.name, written.span, step.declared));
            return None;
        }
        Some(constant(Value::Unit, Type::Unit, written.span))
    }

    fn failure(&mut self, kind: &Ident, message: Option<&Expr>) -> Option<ir::MockAnswer> {
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

    /// The function that `component.function` or `component.interface.function` names.
    fn named_step(&mut self, path: &Expr) -> Option<Rc<Step<'a>>> {
        let (alias, interface, function) = match &path.kind {
            ExprKind::Name(alias) => (alias, None, None),
            ExprKind::Field(base, function) => match &base.kind {
                ExprKind::Name(alias) => (alias, None, Some(function)),
                ExprKind::Field(inner, interface) => match &inner.kind {
                    ExprKind::Name(alias) => (alias, Some(interface), Some(function)),
                    _ => return None,
                },
                _ => return None,
            },
            _ => return None,
        };
        match (self.g.lookup(self.file, &alias.name).map(|found| found.target), function) {
            (Some(names::Target::Use(index)), Some(function)) => self.g.step(index, interface, function),
            (Some(names::Target::Broken), _) => None,
            (Some(other), _) => {
                self.g.report(say::not_a_step(&alias.name, other.what(), alias.span));
                None
            }
            (None, _) => {
                self.g.unknown_alias(self.file, alias);
                None
            }
        }
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

    /// `calls(component.function)`: how many attempts of it there were so far.
    pub(super) fn calls(&mut self, args: &[Arg], span: Span) -> Option<ir::Expr> {
        if self.mocks.is_none() {
            self.g.report(say::calls_outside(span));
            return None;
        }
        self.refuse_step("`calls`", span);
        self.steps += 1;
        let path = match args {
            [Arg { name: None, value }] if matches!(value.kind, ExprKind::Name(_) | ExprKind::Field(..)) => value,
            _ => {
                self.g.report(say::calls_of(span));
                return None;
            }
        };
        let counted = self.named_step(path)?.id;
        let args = vec![constant(Value::U32(counted.as_u32()), Type::U32, path.span)];
        let kind = ir::ExprKind::Call { function: self.g.counter(), args, through: Box::default(), name: CALLS.into() };
        Some(node(kind, Type::U64, span))
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

    /// The function that counts attempts, which whoever runs the test answers.
    fn counter(&mut self) -> FunctionId {
        let components = &mut self.components;
        let component = *self
            .component_ids
            .entry(TRIAL)
            .or_insert_with(|| components.push(ComponentRef { source: "test".to_owned(), digest: TRIAL }));
        let known = self.functions.iter().find(|(_, known)| known.component == component).map(|(id, _)| id);
        known.unwrap_or_else(|| {
            self.functions.push(FunctionRef {
                component,
                interface: None,
                wit_name: CALLS.to_owned(),
                params: vec![("function".into(), Type::U32)],
                result: Type::U64,
                output: Type::U64,
            })
        })
    }
}
