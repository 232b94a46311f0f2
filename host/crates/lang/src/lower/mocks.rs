//! What only tests have: mocks, and what an `assert` compared.

use crate::ir::{self, ExprKind};
use crate::lower::flow::FlowLowering;
use crate::lower::{diagnostics, facts};
use crate::plan::{Expr, LibraryFunction, MockAnswer, MockPlan, Operator};

impl<'p> FlowLowering<'p, '_> {
    /// The mocks of a test. They see nothing of its body, so that they are lowered before it.
    pub(crate) fn mocks(&mut self) -> Vec<MockPlan> {
        let mocks = self.flow.mocks.as_deref().unwrap_or_default();
        mocks.iter().map(|mock| self.mock(mock)).collect()
    }

    fn mock(&mut self, mock: &'p ir::Mock) -> MockPlan {
        let patterns = mock.patterns.iter().map(|pattern| self.bind_pattern(pattern)).collect();
        let takes = mock.takes.as_ref().map(|takes| self.answer(takes));
        let answer = match &mock.answer {
            ir::MockAnswer::Value(value) => MockAnswer::Value(self.answer(value)),
            ir::MockAnswer::Fails(kind, message) => MockAnswer::Fails(*kind, self.answer(message)),
        };
        self.locals = 0;
        MockPlan { target: mock.target.clone(), patterns, times: mock.times, takes, answer, span: mock.span }
    }

    /// A pure expression outside of all regions.
    fn answer(&mut self, expr: &'p ir::Expr) -> Expr {
        if !facts::is_simple(expr) {
            self.report.push(diagnostics::misplaced_step(expr.span));
        }
        self.expr(expr, None)
    }

    /// The condition of an `assert`, and of a comparison the details that tell both sides.
    pub(crate) fn asserted(&mut self, condition: &'p ir::Expr) -> (Expr, Option<Expr>) {
        let ExprKind::Binary(operator, left, right) = &condition.kind else { return (self.expr(condition, None), None) };
        let compares =
            matches!(operator, Operator::Eq | Operator::Ne | Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge);
        let (first, second) = (self.expr(left, None), self.expr(right, None));
        let told = compares && !facts::holds_folder(&left.ty);
        let details = told.then(|| {
            let side = |side: &Expr| Expr::Library(LibraryFunction::Json, vec![side.clone()]);
            let sides = vec![("left".into(), side(&first)), ("right".into(), side(&second))];
            Expr::Library(LibraryFunction::Json, vec![Expr::Record(sides)])
        });
        (Expr::Binary(*operator, Box::new(first), Box::new(second)), details)
    }
}
