//! Random expressions, most of them of wrong types: no panic, and folding changes nothing.

use std::sync::Arc;

use catalog::{FailureKind, Type, Value};
use serde_json::json;

use super::boxed;
use super::held::{held, over_held};
use crate::eval::{Budget, EvalError, eval_with, fold};
use crate::plan::{Expr, LibraryFunction as F, Operator as Op, Pattern, Slot};

/// Xorshift: the same expressions each time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn value(&mut self) -> Value {
        let ints = Value::list([Value::S64(3), Value::S64(-1)]);
        self.pick(&[
            Value::Bool(true),
            Value::S64(2),
            Value::S64(i64::MIN),
            Value::S64(0),
            Value::U8(200),
            Value::F64(f64::NAN),
            Value::F64(1.5),
            Value::string("ab"),
            Value::string(""),
            ints.clone(),
            Value::list([]),
            Value::list([ints.clone(), ints]),
            Value::list([Value::string("x")]),
            Value::Bytes([1, 2].as_slice().into()),
            Value::none(),
            Value::some(Value::S64(1)),
            Value::tuple([Value::S64(1), Value::string("t")]),
            Value::record([("a", Value::S64(1))]),
            Value::Json(Arc::new(json!({"a": 1}))),
            Value::Duration(5),
            Value::Unit,
        ])
    }

    fn pattern(&mut self) -> Pattern {
        let literal = Pattern::Literal(self.value());
        let some = Pattern::Some(Box::new(Pattern::Bind));
        let tuple = Pattern::Tuple(vec![Pattern::Bind, Pattern::Bind]);
        self.pick(&[
            Pattern::Any,
            Pattern::Bind,
            literal,
            some,
            Pattern::None,
            tuple,
            Pattern::Record(vec![("a".into(), Pattern::Bind)]),
        ])
    }

    fn exprs(&mut self, depth: u32) -> Vec<Expr> {
        (0..self.below(3)).map(|_| self.expr(depth)).collect()
    }

    fn expr(&mut self, depth: u32) -> Expr {
        const OPS: [Op; 11] = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Rem];
        const FUNCTIONS: [F; 21] = [
            F::Len,
            F::Keys,
            F::Join,
            F::Split,
            F::Contains,
            F::Min,
            F::Max,
            F::Sum,
            F::Zip,
            F::Range,
            F::Json,
            F::String,
            F::Lower,
            F::Upper,
            F::Trim,
            F::Take,
            F::Concat,
            F::Reverse,
            F::ToF64,
            F::StartsWith,
            F::EndsWith,
        ];
        if depth == 0 {
            return match self.below(8) {
                0 => Expr::Slot(Slot(0)),
                1 | 2 => Expr::Local(u32::try_from(self.below(3)).unwrap()),
                _ => Expr::Const(self.value()),
            };
        }
        let inner = depth - 1;
        let ty = self.pick(&[Type::U8, Type::S64, Type::F64, Type::Json, Type::String]);
        match self.below(16) {
            0 => Expr::Field(boxed(self.expr(inner)), "a".into()),
            1 => Expr::Index(boxed(self.expr(inner)), boxed(self.expr(inner))),
            2 => Expr::Neg(boxed(self.expr(inner))),
            3..=5 => Expr::Binary(self.pick(&OPS), boxed(self.expr(inner)), boxed(self.expr(inner))),
            6 => Expr::Or(boxed(self.expr(inner)), boxed(self.expr(inner))),
            7 => Expr::Coalesce(boxed(self.expr(inner)), boxed(self.expr(inner))),
            8 => Expr::If(boxed(self.expr(inner)), boxed(self.expr(inner)), boxed(self.expr(inner))),
            9 => {
                let guard = (self.below(3) == 0).then(|| self.expr(inner));
                let arms = vec![(self.pattern(), guard, self.expr(inner)), (self.pattern(), None, self.expr(inner))];
                Expr::Match(boxed(self.expr(inner)), arms)
            }
            10 => Expr::List(ty, self.exprs(inner)),
            11 => Expr::Text(self.exprs(inner)),
            12 => Expr::Convert(boxed(self.expr(inner)), ty),
            13 => {
                let condition = (self.below(3) == 0).then(|| boxed(self.expr(inner)));
                Expr::Comprehension { list: boxed(self.expr(inner)), condition, element: boxed(self.expr(inner)), ty }
            }
            14 => Expr::SortBy(boxed(self.expr(inner)), boxed(self.expr(inner))),
            _ => Expr::Library(self.pick(&FUNCTIONS), vec![self.expr(inner), self.expr(inner)]),
        }
    }
}

fn outcome(expr: &Expr, frame: &[Option<Value>]) -> Result<Value, EvalError> {
    eval_with(expr, frame, vec![], Budget { value_size: 1 << 20, work: 200_000 })
}

#[test]
fn folding_changes_no_outcome() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut values, mut failures, mut folded_away) = (0, 0, 0);
    for _ in 0..50_000 {
        let depth = u32::try_from(random.below(4)).unwrap() + 1;
        let expr = random.expr(depth);
        let frame = [Some(random.value())];
        let mut folded = expr.clone();
        fold(&mut folded);
        let (before, after) = (outcome(&expr, &frame), outcome(&folded, &frame));
        assert_eq!(format!("{before:?}"), format!("{after:?}"), "{expr:?}\nwas folded to\n{folded:?}");
        let away = outcome(&over_held(&expr), &frame.map(|value| value.as_ref().map(held))).map(Value::whole);
        let damaged = |found: &Result<Value, EvalError>| found.as_ref().is_err_and(|error| error.kind == FailureKind::Internal);
        assert_eq!(damaged(&before), damaged(&away), "{expr:?} over held values");
        if !damaged(&before) {
            assert_eq!(format!("{before:?}"), format!("{away:?}"), "{expr:?} over held values");
        }
        match before {
            Ok(_) => values += 1,
            Err(error) if error.kind != FailureKind::Internal => failures += 1,
            Err(_) => {}
        }
        folded_away += usize::from(matches!(folded, Expr::Const(_)));
    }
    // Enough of each, so that the test says something.
    assert!(
        values > 3_000 && failures > 300 && folded_away > 2_500,
        "{values} values, {failures} failures, {folded_away} folded"
    );
}
