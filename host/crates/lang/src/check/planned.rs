//! `run plan`: a plan that is made while the run goes on.

use std::sync::Arc;

use catalog::{Name, Type};
use grammar::Span;
use grammar::ast::{Arg, Mock, MockAnswer, Pattern};

use super::Checker;
use super::expr::node;
use super::flow::FlowChecker;
use super::names::Target;
use super::place::Place;
use super::why::{Want, Why, broken};
use crate::diagnostics::{calls, planned as say};
use crate::ir;
use crate::plan::{MockTarget, PLAN_SOURCE, PlanId, PlanRef};

/// How it is written.
pub(crate) const RUN_PLAN: &str = "run plan(source, name: value) with { budget: { steps: 100 } }";

const ANSWER: Why<'static> = Why::Library("mock run plan(_) => json(\"done\")");

impl Checker<'_> {
    /// The plan's place among the others.
    fn plan_id(&mut self, file: usize, inputs: Vec<(Name, Type)>) -> PlanId {
        let from = self.loaded.sources.iter().nth(file).map_or_else(String::new, |source| source.path.clone());
        let params = [(PLAN_SOURCE.into(), Type::String)].into_iter().chain(inputs).collect();
        let found = PlanRef { params, from };
        // A body that is checked more than once says the same each time.
        let known = self.plans.iter().find(|(_, known)| **known == found).map(|(id, _)| id);
        known.unwrap_or_else(|| self.plans.push(found))
    }
}

impl FlowChecker<'_, '_> {
    /// `run plan(source, name: value)`.
    pub(super) fn run_plan(&mut self, args: &[Arg], span: Span) -> Option<ir::Expr> {
        self.steps += 1;
        self.use_components();
        let Some((source, inputs)) = args.split_first() else {
            self.g.report(say::no_source(span));
            return None;
        };
        if let Some(name) = &source.name {
            self.g.report(say::named_source(name.span));
            return self.give_up(args);
        }
        let source = self.check(&source.value, &Type::String, Why::Library(RUN_PLAN));
        let errors = self.g.errors;
        let given: Vec<Option<(Name, ir::Expr)>> =
            inputs.iter().enumerate().map(|(at, arg)| self.plan_input(arg, inputs.get(..at).unwrap_or(&[]))).collect();
        let (Some(source), Some(given)) = (source, given.into_iter().collect::<Option<Vec<_>>>()) else {
            return Some(broken(Type::Json, span));
        };
        if self.g.errors > errors {
            return Some(broken(Type::Json, span));
        }
        let types = given.iter().map(|(name, value)| (name.clone(), value.ty.clone())).collect();
        let plan = self.g.plan_id(self.file, types);
        let args = [source].into_iter().chain(given.into_iter().map(|(_, value)| value)).collect();
        Some(node(ir::ExprKind::RunPlan { plan, args, through: Box::default() }, Type::Json, span))
    }

    /// A plan may name any component of the file, so none of them is unused.
    fn use_components(&mut self) {
        let uses = self.g.files.get(self.file).map(|names| names.all(|target| matches!(target, Target::Use(_))));
        let uses: Vec<String> = uses.unwrap_or_default().into_iter().map(str::to_owned).collect();
        for name in uses {
            self.g.lookup(self.file, &name);
        }
    }

    /// What a parameter of the plan's flow is given. Whether there is such a parameter is known when there is a plan.
    fn plan_input(&mut self, arg: &Arg, before: &[Arg]) -> Option<(Name, ir::Expr)> {
        let Some(name) = &arg.name else {
            self.g.report(say::unnamed_input(arg.value.span));
            self.visit(&arg.value);
            return None;
        };
        let earlier = before.iter().filter_map(|arg| arg.name.as_ref()).find(|earlier| earlier.name == name.name);
        if let Some(earlier) = earlier {
            let first = earlier.span;
            self.g.report(calls::repeated_argument(&name.name, name.span, first));
        }
        let value = self.expr(&arg.value, Want::Any)?;
        Some((Arc::from(&*name.name), value))
    }

    /// `mock run plan(pattern) => value`: the pattern is for the text of the plan.
    pub(super) fn mocked_plan(&mut self, mock: &Mock, patterns: &[Pattern], span: Span) -> Option<ir::Mock> {
        let [pattern] = patterns else {
            self.g.report(say::mock_patterns(patterns.len(), span));
            patterns.iter().for_each(|pattern| self.bind_all(pattern));
            return None;
        };
        let nowhere = Span { end: span.start, ..span };
        let pattern = self.pattern(pattern, &Type::String, nowhere);
        let limits = self.mock_limits(mock);
        let answer = match &mock.answer {
            MockAnswer::Value(value) => {
                self.pure(Place::Mock, |flow| flow.check(value, &Type::Json, ANSWER)).map(ir::MockAnswer::Value)
            }
            MockAnswer::Fails(kind, message) => self.failure(kind, message.as_ref()),
        };
        let (times, takes) = limits?;
        Some(ir::Mock { target: MockTarget::Plan, patterns: vec![pattern?], times, takes, answer: answer?, span })
    }
}
