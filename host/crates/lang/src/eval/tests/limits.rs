//! What would be too large, too long or too deep is stopped.

use std::sync::Arc;

use catalog::{FailureKind, RecordType, Type, Value};
use serde_json::json;

use super::{boxed, bytes, check_errors, con, doc, error, int, ints, lib, op, text, value};
use crate::eval::{Budget, MAX_DEPTH, eval, eval_with, fold};
use crate::plan::{Expr, LibraryFunction as F, Operator as Op, Slot};

/// How long and how large something would be if it were not stopped; each is beyond any machine.
#[test]
fn what_would_be_too_large_is_stopped_before_it_is_built() {
    let doubled = || op(Op::Add, Expr::Slot(Slot(0)), Expr::Slot(Slot(0)));
    let pair = || Expr::List(Type::list(Type::S64), vec![Expr::Slot(Slot(0)), Expr::Slot(Slot(0))]);
    let twice = || Expr::Record(vec![("a".into(), Expr::Slot(Slot(0))), ("b".into(), Expr::Slot(Slot(0)))]);
    let starts = [
        (Value::string("x"), doubled()),
        (ints(&[1]), doubled()),
        (bytes(&[1]), doubled()),
        (ints(&[1]), pair()),
        (Value::U8(1), twice()),
        (Value::U8(1), Expr::Tuple(vec![Expr::Slot(Slot(0)), Expr::Slot(Slot(0))])),
        (Value::string("x"), Expr::Text(vec![Expr::Slot(Slot(0)), text("-"), Expr::Slot(Slot(0))])),
        (doc(json!(1)), Expr::Convert(boxed(Expr::List(Type::Json, vec![Expr::Slot(Slot(0)), Expr::Slot(Slot(0))])), Type::Json)),
    ];
    for (start, step) in starts {
        let mut frame = [Some(start)];
        let mut rounds = 0;
        let failure = loop {
            match eval(&step, &frame) {
                Ok(next) => frame = [Some(next)],
                Err(error) => break error,
            }
            rounds += 1;
            assert!(rounds < 64, "{step:?} is never stopped");
        };
        assert_eq!(failure.kind, FailureKind::Resource, "{step:?}");
        assert!(rounds > 10, "{step:?} was stopped after {rounds} rounds: {failure}");
    }
}

#[test]
fn caps_of_library_functions() {
    let million = Value::string("ab".repeat(500_000));
    let many = value(&lib(F::Range, &[Value::S64(0), Value::S64(100_000)]));
    let option_record = {
        let fields = (0..100).map(|n| (format!("field_number_{n}").into(), Type::option(Type::U8))).collect();
        Type::Record(Arc::new(RecordType { name: None, fields }))
    };
    let empty_objects = doc(serde_json::Value::Array(vec![json!({}); 100_000]));
    let too_large = "the value would be larger than the 16777216 bytes that an expression may build";
    check_errors(
        FailureKind::Resource,
        vec![
            (lib(F::Range, &[Value::S64(i64::MIN), Value::S64(i64::MAX)]), too_large),
            (lib(F::Range, &[Value::U64(0), Value::U64(3_000_000)]), too_large),
            (lib(F::Split, &[Value::string("x".repeat(2_500_000)), Value::string("")]), too_large),
            (lib(F::Join, &[Value::list(vec![million.clone(); 20]), Value::string("")]), too_large),
            (lib(F::Join, &[Value::list(vec![Value::string(""); 20]), million]), too_large),
            (lib(F::Concat, &[Value::list(vec![many; 30])]), too_large),
            (Expr::Convert(boxed(con(empty_objects)), Type::list(option_record)), too_large),
        ],
    );
}

#[test]
fn long_work_is_stopped() {
    let million = Value::string("ab".repeat(500_000));
    let many = value(&lib(F::Range, &[Value::S64(0), Value::S64(100_000)]));
    let all = |element: Expr| Expr::Comprehension {
        list: boxed(con(many.clone())),
        condition: None,
        element: boxed(element),
        ty: Type::U64,
    };
    for expr in [
        all(lib(F::Len, std::slice::from_ref(&million))),
        all(lib(F::Contains, &[million.clone(), Value::string("b".repeat(9))])),
        all(lib(F::Contains, &[many.clone(), Value::S64(-1)])),
        all(lib(F::Max, std::slice::from_ref(&many))),
        all(lib(F::Sum, std::slice::from_ref(&many))),
        all(op(Op::Eq, million.clone(), Value::string("ab".repeat(500_000)))),
        all(Expr::Library(F::Len, vec![all(Expr::Local(1))])),
    ] {
        let budget = Budget { work: 500_000, ..Budget::default() };
        let failure = eval_with(&expr, &[], vec![], budget).unwrap_err();
        assert_eq!(failure.message, "the expression needs more than 500000 operations");
        assert_eq!(failure.kind, FailureKind::Resource);
    }
}

#[test]
fn json_is_nested_only_so_deep() {
    let wrap = Expr::Convert(boxed(Expr::List(Type::Json, vec![Expr::Slot(Slot(0))])), Type::Json);
    let mut frame = [Some(doc(json!(1)))];
    for _ in 0..catalog::json::MAX_JSON_DEPTH {
        frame = [Some(eval(&wrap, &frame).unwrap())];
    }
    let failure = eval(&wrap, &frame).unwrap_err();
    assert_eq!((failure.kind, &*failure.message), (FailureKind::Resource, "the json would be nested more than 64 deep"));
}

#[test]
fn nesting_is_bounded_and_fits_a_small_stack() {
    let nest = |levels: u32| {
        (0..levels)
            .fold(int(0), |inner, _| op(Op::Add, int(1), Expr::If(boxed(con(Value::Bool(true))), boxed(inner), boxed(int(0)))))
    };
    let run = move || {
        assert_eq!(value(&nest(MAX_DEPTH / 2)), Value::S64(i64::from(MAX_DEPTH / 2)));
        assert_eq!(error(&nest(MAX_DEPTH / 2 + 1)).message, "the expression is nested more than 512 deep");
        let mut deep = nest(MAX_DEPTH / 2);
        fold(&mut deep);
        assert!(matches!(deep, Expr::Const(Value::S64(256))));
    };
    // Half of what a worker of the engine has.
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_budget_can_be_smaller() {
    let budget = Budget { value_size: 10, work: 5 };
    let joined = op(Op::Add, Value::string("123456"), Value::string("7890"));
    assert_eq!(eval_with(&joined, &[], vec![], budget), Ok(Value::string("1234567890")));
    let joined = op(Op::Add, Value::string("123456"), Value::string("78901"));
    assert_eq!(eval_with(&joined, &[], vec![], budget).unwrap_err().kind, FailureKind::Resource);
    let sum = |terms: usize| (1..terms).fold(int(1), |sum, _| op(Op::Add, sum, int(1)));
    assert_eq!(eval_with(&sum(3), &[], vec![], budget), Ok(Value::S64(3)));
    let failure = eval_with(&sum(4), &[], vec![], budget).unwrap_err();
    assert_eq!(failure.message, "the expression needs more than 5 operations");
}
