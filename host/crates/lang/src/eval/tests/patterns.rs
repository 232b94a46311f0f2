//! Patterns and arms.

use std::sync::Arc;

use catalog::{FailureKind, Value};
use cranelift_entity::EntityRef;

use super::{boxed, check, con, int, op, text};
use crate::eval::{bind, matches};
use crate::plan::{Arm, Child, Expr, Operator as Op, Pattern, RegionId, Slot};

#[test]
fn patterns_bind_in_the_order_written() {
    let fields = |xs: &[(&str, Pattern)]| Pattern::Record(xs.iter().map(|(name, p)| ((*name).into(), p.clone())).collect());
    let some = |p| Pattern::Some(Box::new(p));
    let ok = |x: u8| Value::Result(Ok(Some(Arc::new(Value::U8(x)))));
    let case = |x: u8| Value::Variant("c".into(), Some(Arc::new(Value::U8(x))));
    let case_pattern = |p: Option<Pattern>| Pattern::Variant("c".into(), p.map(Box::new));
    let pair = || Value::tuple([Value::U8(1), Value::U8(2)]);
    let record = || Value::record([("a", Value::U8(1)), ("b", Value::U8(2))]);
    let bind_u8 = |x: u8| Pattern::Literal(Value::U8(x));
    let cases: Vec<(Pattern, Value, Option<Vec<u8>>)> = vec![
        (Pattern::Any, pair(), Some(vec![])),
        (Pattern::Bind, Value::U8(3), Some(vec![3])),
        (bind_u8(3), Value::U8(3), Some(vec![])),
        (bind_u8(3), Value::U8(4), None),
        (Pattern::Literal(Value::F64(f64::NAN)), Value::F64(f64::NAN), None),
        (Pattern::None, Value::none(), Some(vec![])),
        (Pattern::None, Value::some(Value::U8(1)), None),
        (some(Pattern::Bind), Value::some(Value::U8(1)), Some(vec![1])),
        (some(Pattern::Bind), Value::none(), None),
        (Pattern::Ok(Some(Box::new(Pattern::Bind))), ok(7), Some(vec![7])),
        (Pattern::Ok(None), ok(7), Some(vec![])),
        (Pattern::Err(None), ok(7), None),
        (Pattern::Err(None), Value::Result(Err(None)), Some(vec![])),
        (Pattern::Enum("x".into()), Value::Enum("x".into()), Some(vec![])),
        (Pattern::Enum("x".into()), Value::Enum("y".into()), None),
        (case_pattern(Some(Pattern::Bind)), case(9), Some(vec![9])),
        (case_pattern(None), case(9), Some(vec![])),
        (case_pattern(None), Value::Variant("d".into(), None), None),
        (Pattern::Tuple(vec![Pattern::Bind, Pattern::Bind]), pair(), Some(vec![1, 2])),
        (Pattern::Tuple(vec![Pattern::Bind, bind_u8(9)]), pair(), None),
        (fields(&[("b", Pattern::Bind), ("a", Pattern::Bind)]), record(), Some(vec![2, 1])),
        (fields(&[("a", Pattern::Bind), ("b", bind_u8(9))]), record(), None),
    ];
    for (pattern, subject, wanted) in cases {
        let mut bound = vec![Value::Unit];
        let fits = bind(&pattern, &subject, &mut bound);
        assert_eq!(fits, wanted.is_some(), "{pattern:?}");
        let wanted: Vec<Value> = wanted.into_iter().flatten().map(Value::U8).collect();
        assert_eq!(bound[1..], wanted, "{pattern:?}");
    }
}

#[test]
fn a_match_takes_the_first_arm_that_fits() {
    let subject = || boxed(con(Value::some(Value::S64(5))));
    let some = || Pattern::Some(Box::new(Pattern::Bind));
    let big = op(Op::Gt, Expr::Local(0), int(9));
    let arms = |first: Pattern, guard: Option<Expr>| {
        vec![(first, guard, text("first")), (some(), None, Expr::Text(vec![Expr::Local(0)])), (Pattern::Any, None, text("any"))]
    };
    check(vec![
        (Expr::Match(subject(), arms(some(), None)), Value::string("first")),
        (Expr::Match(subject(), arms(some(), Some(big))), Value::string("5")),
        (Expr::Match(subject(), arms(Pattern::None, None)), Value::string("5")),
        (Expr::Match(boxed(con(Value::none())), arms(some(), None)), Value::string("any")),
    ]);
}

#[test]
fn arms_of_a_node_see_the_frame_and_their_bindings() {
    let child = || Child { region: RegionId::new(0), captures: vec![] };
    let guard = op(Op::Gt, Expr::Local(0), Expr::Slot(Slot(0)));
    let some = || Pattern::Some(Box::new(Pattern::Bind));
    let arms = [
        Arm { pattern: some(), guard: Some(guard), body: child() },
        Arm { pattern: Pattern::None, guard: None, body: child() },
        Arm { pattern: Pattern::Bind, guard: None, body: child() },
    ];
    let subject = Value::some(Value::S64(5));
    assert_eq!(matches(&arms, &subject, &[Some(Value::S64(4))]), Ok((0, vec![Value::S64(5)])));
    assert_eq!(matches(&arms, &subject, &[Some(Value::S64(5))]), Ok((2, vec![subject.clone()])));
    assert_eq!(matches(&arms, &Value::none(), &[]), Ok((1, vec![])));
    assert_eq!(matches(&arms, &subject, &[None]).unwrap_err().kind, FailureKind::Internal);
    assert_eq!(matches(&arms[..2], &subject, &[Some(Value::S64(5))]).unwrap_err().kind, FailureKind::Internal);
}
