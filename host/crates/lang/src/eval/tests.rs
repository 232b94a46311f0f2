//! Expressions with their values and failures.

use std::sync::Arc;

use catalog::{EnumType, FailureKind, Name, RecordType, Type, Value};
use serde_json::json;

use super::{EvalError, eval, fold, of_nothing};
use crate::plan::{Expr, LibraryFunction as F, Operator as Op, Pattern, Slot};

mod held;
mod limits;
mod patterns;
mod random;
mod reference;

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

fn con(value: Value) -> Expr {
    Expr::Const(value)
}

fn int(x: i64) -> Expr {
    con(Value::S64(x))
}

fn float(x: f64) -> Expr {
    con(Value::F64(x))
}

fn text(x: &str) -> Expr {
    con(Value::string(x))
}

fn ints(xs: &[i64]) -> Value {
    Value::list(xs.iter().copied().map(Value::S64))
}

fn texts(xs: &[&str]) -> Value {
    Value::list(xs.iter().copied().map(Value::string))
}

fn bytes(xs: &[u8]) -> Value {
    Value::Bytes(xs.into())
}

fn doc(document: serde_json::Value) -> Value {
    Value::Json(Arc::new(document))
}

fn op(operator: Op, a: impl Into<Operand>, b: impl Into<Operand>) -> Expr {
    Expr::Binary(operator, boxed(a.into().0), boxed(b.into().0))
}

fn lib(function: F, args: &[Value]) -> Expr {
    Expr::Library(function, args.iter().cloned().map(con).collect())
}

struct Operand(Expr);

impl From<Value> for Operand {
    fn from(value: Value) -> Self {
        Self(con(value))
    }
}

impl From<Expr> for Operand {
    fn from(expr: Expr) -> Self {
        Self(expr)
    }
}

fn value(expr: &Expr) -> Value {
    let value = eval(expr, &[]).unwrap_or_else(|error| panic!("{expr:?}: {error}"));
    // Unlike `==` of numbers, that of texts takes a NaN for a NaN.
    let away = eval(&held::over_held(expr), &[]).map(Value::whole);
    assert_eq!(format!("{away:?}"), format!("{:?}", Ok::<_, EvalError>(&value)), "{expr:?} over held values");
    value
}

fn error(expr: &Expr) -> EvalError {
    let error = eval(expr, &[]).expect_err("an error");
    assert_eq!(eval(&held::over_held(expr), &[]), Err(error.clone()), "{expr:?} over held values");
    error
}

/// Each expression has its value, before folding and after.
fn check(cases: Vec<(Expr, Value)>) {
    for (mut expr, wanted) in cases {
        assert_eq!(value(&expr), wanted, "{expr:?}");
        let shown = format!("{expr:?}");
        fold(&mut expr);
        assert_eq!(value(&expr), wanted, "{shown} was folded to {expr:?}");
    }
}

/// Each expression fails so, before folding and after.
fn check_errors(kind: FailureKind, cases: Vec<(Expr, &str)>) {
    for (mut expr, message) in cases {
        assert_eq!(error(&expr), EvalError { kind, message: message.to_owned() }, "{expr:?}");
        fold(&mut expr);
        assert_eq!(error(&expr).message, message, "{expr:?}");
    }
}

fn yes(expr: Expr) -> (Expr, Value) {
    (expr, Value::Bool(true))
}

fn no(expr: Expr) -> (Expr, Value) {
    (expr, Value::Bool(false))
}

#[test]
fn arithmetic() {
    use Value::{Duration, F32, F64, S8, S64, U8, U64};
    check(vec![
        (op(Op::Add, S64(2), S64(3)), S64(5)),
        (op(Op::Sub, S64(2), S64(3)), S64(-1)),
        (op(Op::Mul, U64(1 << 32), U64((1 << 32) - 1)), U64(u64::MAX - u64::from(u32::MAX))),
        (op(Op::Div, S64(-7), S64(2)), S64(-3)),
        (op(Op::Rem, S64(-7), S64(2)), S64(-1)),
        (op(Op::Rem, S64(i64::MIN), S64(-1)), S64(0)),
        (op(Op::Sub, U8(3), U8(3)), U8(0)),
        (op(Op::Add, F64(0.1), F64(0.2)), F64(0.1 + 0.2)),
        (op(Op::Div, F64(1.0), F64(0.0)), F64(f64::INFINITY)),
        (op(Op::Rem, F64(5.5), F64(2.0)), F64(1.5)),
        (op(Op::Add, F32(0.1), F32(0.2)), F32(0.1 + 0.2)),
        (op(Op::Add, Duration(1), Duration(2)), Duration(3)),
        (op(Op::Sub, Duration(3), Duration(2)), Duration(1)),
        (Expr::Neg(boxed(int(5))), S64(-5)),
        (Expr::Neg(boxed(con(S8(127)))), S8(-127)),
        (Expr::Neg(boxed(con(U8(0)))), U8(0)),
        (Expr::Neg(boxed(float(0.0))), F64(-0.0)),
    ]);
    // The sign of a NaN is the same on every machine.
    for expr in [op(Op::Div, F64(0.0), F64(0.0)), op(Op::Mul, F64(-f64::NAN), F64(1.0))] {
        assert!(matches!(value(&expr), F64(x) if x.to_bits() == f64::NAN.to_bits()));
    }
    assert!(matches!(value(&op(Op::Sub, F32(f32::INFINITY), F32(f32::INFINITY))), F32(x) if x.to_bits() == f32::NAN.to_bits()));
}

#[test]
fn arithmetic_that_fails() {
    use Value::{Duration, S8, S64, U8, U64};
    let s64 = "`s64` (-9223372036854775808 to 9223372036854775807)";
    check_errors(
        FailureKind::Calculation,
        vec![
            (op(Op::Add, U8(250), U8(10)), "overflow: 250 + 10 does not fit `u8` (0 to 255)"),
            (op(Op::Sub, U8(1), U8(2)), "overflow: 1 - 2 does not fit `u8` (0 to 255)"),
            (op(Op::Mul, U64(u64::MAX), U64(u64::MAX)), {
                "overflow: 18446744073709551615 * 18446744073709551615 does not fit `u64` (0 to 18446744073709551615)"
            }),
            (op(Op::Div, S64(i64::MIN), S64(-1)), &format!("overflow: -9223372036854775808 / -1 does not fit {s64}")),
            (op(Op::Div, S64(7), S64(0)), "division by zero: 7 / 0"),
            (op(Op::Rem, U8(7), U8(0)), "division by zero: 7 % 0"),
            (Expr::Neg(boxed(con(S8(-128)))), "overflow: -(-128) does not fit `s8` (-128 to 127)"),
            (Expr::Neg(boxed(con(U8(1)))), "overflow: -(1) does not fit `u8` (0 to 255)"),
            (op(Op::Sub, Duration(1_000_000_000), Duration(2_000_000_000)), "overflow: 1s - 2s: a duration is never negative"),
            (
                op(Op::Add, Duration(u64::MAX), Duration(1)),
                "overflow: 18446744073709551615ns + 1ns: it is longer than any duration",
            ),
            (Expr::Convert(boxed(int(300)), Type::U8), "overflow: 300 does not fit `u8` (0 to 255)"),
        ],
    );
}

#[test]
fn comparisons() {
    use Value::{Char, Duration, F64, S64, U8};
    let nan = f64::NAN;
    check(vec![
        yes(op(Op::Lt, S64(-1), S64(0))),
        yes(op(Op::Le, U8(3), U8(3))),
        no(op(Op::Gt, U8(3), U8(3))),
        yes(op(Op::Ge, Value::string("b"), Value::string("a"))),
        yes(op(Op::Lt, Value::string("Z"), Value::string("a"))),
        yes(op(Op::Lt, Value::string("z"), Value::string("é"))),
        yes(op(Op::Lt, Char('a'), Char('b'))),
        yes(op(Op::Gt, Duration(2), Duration(1))),
        yes(op(Op::Eq, F64(0.0), F64(-0.0))),
        no(op(Op::Lt, F64(-0.0), F64(0.0))),
        no(op(Op::Lt, F64(nan), F64(1.0))),
        no(op(Op::Ge, F64(nan), F64(nan))),
        no(op(Op::Eq, F64(nan), F64(nan))),
        yes(op(Op::Ne, F64(nan), F64(nan))),
    ]);
}

#[test]
fn equality_looks_at_what_a_value_means() {
    let some = Value::some;
    let ab = Value::record([("a", Value::U8(1)), ("b", Value::Bool(true))]);
    let ba = Value::record([("b", Value::Bool(true)), ("a", Value::U8(1))]);
    let flags = |names: &[&str]| Value::Flags(names.iter().map(|name| Name::from(*name)).collect());
    let case = |x| Value::Variant("c".into(), Some(Arc::new(Value::U8(x))));
    let nans = Value::list([Value::F64(f64::NAN)]);
    check(vec![
        yes(op(Op::Eq, ab.clone(), ba.clone())),
        yes(op(Op::Eq, Value::list([some(ab.clone())]), Value::list([some(ba)]))),
        no(op(Op::Eq, ab, Value::record([("a", Value::U8(1))]))),
        yes(op(Op::Eq, flags(&["r", "w"]), flags(&["w", "r"]))),
        no(op(Op::Eq, flags(&["r"]), flags(&["w"]))),
        yes(op(Op::Eq, case(1), case(1))),
        no(op(Op::Eq, case(1), case(2))),
        no(op(Op::Eq, some(Value::U8(1)), Value::none())),
        yes(op(Op::Eq, Value::Result(Ok(None)), Value::Result(Ok(None)))),
        no(op(Op::Eq, Value::Result(Ok(None)), Value::Result(Err(None)))),
        no(op(Op::Eq, Value::tuple([Value::U8(1)]), Value::tuple([Value::U8(2)]))),
        yes(op(Op::Eq, doc(json!({"a": 1, "b": 2})), doc(json!({"b": 2, "a": 1})))),
        yes(op(Op::Eq, Value::list([]), bytes(&[]))),
        // Shared or not, a NaN is not equal to itself: a replay has other sharing.
        no(op(Op::Eq, nans.clone(), nans)),
    ]);
}

#[test]
fn logic_and_choice() {
    let boom = || boxed(op(Op::Div, int(1), int(0)));
    let bool = |x| boxed(con(Value::Bool(x)));
    check(vec![
        no(Expr::And(bool(false), boom())),
        yes(Expr::Or(bool(true), boom())),
        yes(Expr::And(bool(true), bool(true))),
        no(Expr::Or(bool(false), bool(false))),
        no(Expr::Not(bool(true))),
        (Expr::Coalesce(boxed(con(Value::some(Value::U8(1)))), boom()), Value::U8(1)),
        (Expr::Coalesce(boxed(con(Value::none())), boxed(con(Value::U8(2)))), Value::U8(2)),
        (Expr::If(bool(true), boxed(int(1)), boom()), Value::S64(1)),
        (Expr::If(bool(false), boom(), boxed(int(2))), Value::S64(2)),
    ]);
    check_errors(FailureKind::Calculation, vec![(Expr::And(bool(true), boom()), "division by zero: 1 / 0")]);
}

#[test]
fn parts_of_values() {
    let record = con(Value::record([("a", Value::U8(1)), ("b", Value::U8(2))]));
    let tuple = con(Value::tuple([Value::U8(1), Value::U8(2)]));
    let list = || boxed(con(ints(&[10, 20, 30])));
    check(vec![
        (Expr::Field(boxed(record), "b".into()), Value::U8(2)),
        (Expr::TupleField(boxed(tuple), 1), Value::U8(2)),
        (Expr::Index(list(), boxed(con(Value::U64(2)))), Value::S64(30)),
        (Expr::Index(boxed(con(bytes(&[7, 8]))), boxed(int(1))), Value::U8(8)),
    ]);
    check_errors(
        FailureKind::Calculation,
        vec![
            (Expr::Index(list(), boxed(int(3))), "the index 3 is out of range for a list of 3 items (0 to 2)"),
            (Expr::Index(list(), boxed(int(-1))), "the index -1 is out of range for a list of 3 items (0 to 2)"),
            (
                Expr::Index(boxed(con(ints(&[1]))), boxed(int(1))),
                "the index 1 is out of range for a list of 1 item (its index is 0)",
            ),
            (Expr::Index(boxed(con(bytes(&[]))), boxed(int(0))), "the index 0 is out of range for an empty list"),
        ],
    );
}

#[test]
fn values_are_built() {
    let one = || con(Value::U8(1));
    let payload = || Some(Arc::new(Value::U8(1)));
    check(vec![
        (Expr::List(Type::U8, vec![one(), one()]), bytes(&[1, 1])),
        (Expr::List(Type::U8, vec![]), bytes(&[])),
        (Expr::List(Type::S64, vec![int(1)]), ints(&[1])),
        (Expr::Tuple(vec![one(), int(2)]), Value::tuple([Value::U8(1), Value::S64(2)])),
        (Expr::Record(vec![("a".into(), one())]), Value::record([("a", Value::U8(1))])),
        (Expr::Variant("c".into(), Some(boxed(one()))), Value::Variant("c".into(), payload())),
        (Expr::Variant("c".into(), None), Value::Variant("c".into(), None)),
        (Expr::Some(boxed(one())), Value::some(Value::U8(1))),
        (Expr::Ok(Some(boxed(one()))), Value::Result(Ok(payload()))),
        (Expr::Err(None), Value::Result(Err(None))),
        (op(Op::Add, Value::string("ab"), Value::string("c")), Value::string("abc")),
        (op(Op::Add, ints(&[1]), ints(&[2, 3])), ints(&[1, 2, 3])),
        (op(Op::Add, bytes(&[1]), bytes(&[2])), bytes(&[1, 2])),
        (op(Op::Add, bytes(&[]), bytes(&[2])), bytes(&[2])),
    ]);
}

#[test]
fn texts_of_scalars() {
    let cases = [
        (Value::Bool(true), "true"),
        (Value::S8(-5), "-5"),
        (Value::U64(u64::MAX), "18446744073709551615"),
        (Value::F64(0.8), "0.8"),
        (Value::F64(2.0), "2.0"),
        (Value::F32(0.1), "0.1"),
        (Value::F64(f64::NAN), "NaN"),
        (Value::F64(f64::NEG_INFINITY), "-Infinity"),
        (Value::F32(f32::INFINITY), "Infinity"),
        (Value::Char('é'), "é"),
        (Value::string("a \"b\""), "a \"b\""),
        (Value::Enum("dark_green".into()), "dark_green"),
        (Value::Duration(30_000_000_000), "30s"),
        (doc(json!({"a": "x"})), r#"{"a":"x"}"#),
    ];
    for (x, wanted) in cases {
        check(vec![
            (lib(F::String, std::slice::from_ref(&x)), Value::string(wanted)),
            (Expr::Text(vec![text("<"), con(x), text(">")]), Value::string(format!("<{wanted}>"))),
        ]);
    }
}

#[test]
fn library() {
    use Value::{Bool, Char, Duration, F32, F64, S64, U8, U64};
    let s = |text: &str| Value::string(text);
    check(vec![
        (lib(F::Len, &[s("äöü")]), U64(3)),
        (lib(F::Len, &[ints(&[1, 2])]), U64(2)),
        (lib(F::Len, &[bytes(&[1])]), U64(1)),
        (lib(F::Keys, &[doc(json!({"b": 1, "a": {"c": 1}}))]), texts(&["a", "b"])),
        (lib(F::Join, &[texts(&["a", "b", "c"]), s(", ")]), s("a, b, c")),
        (lib(F::Join, &[texts(&[]), s(", ")]), s("")),
        (lib(F::Split, &[s("a,,b"), s(",")]), texts(&["a", "", "b"])),
        (lib(F::Split, &[s(""), s(",")]), texts(&[""])),
        (lib(F::Split, &[s("aé"), s("")]), texts(&["a", "é"])),
        (lib(F::Contains, &[s("hello"), s("ell")]), Bool(true)),
        (lib(F::Contains, &[s("hello"), Char('x')]), Bool(false)),
        (lib(F::Contains, &[ints(&[1, 2]), S64(2)]), Bool(true)),
        (lib(F::Contains, &[bytes(&[1, 2]), U8(3)]), Bool(false)),
        (lib(F::Min, &[S64(3), S64(2)]), S64(2)),
        (lib(F::Max, &[ints(&[1, 5, 3])]), S64(5)),
        (lib(F::Min, &[bytes(&[4, 2])]), U8(2)),
        (lib(F::Max, &[s("a"), s("b")]), s("b")),
        (lib(F::Min, &[Duration(5), Duration(4)]), Duration(4)),
        (lib(F::Min, &[F64(f64::NAN), F64(1.0)]), F64(1.0)),
        (lib(F::Max, &[F64(1.0), F64(f64::NAN)]), F64(1.0)),
        (lib(F::Max, &[F32(-0.0), F32(0.0)]), F32(0.0)),
        (lib(F::Sum, &[ints(&[1, 2, 3])]), S64(6)),
        (lib(F::Sum, &[ints(&[i64::MAX, 1, -1])]), S64(i64::MAX)),
        (lib(F::Sum, &[bytes(&[1, 2]), U8(0)]), U8(3)),
        (lib(F::Sum, &[Value::list([F64(0.5), F64(0.25)])]), F64(0.75)),
        (lib(F::Sum, &[Value::list([F32(0.5)])]), F32(0.5)),
        (lib(F::Sum, &[Value::list([Duration(1), Duration(2)])]), Duration(3)),
        (lib(F::Sum, &[Value::list([]), F32(0.0)]), F32(0.0)),
        (lib(F::Sum, &[Value::list([]), Value::U16(0)]), Value::U16(0)),
        (lib(F::Zip, &[ints(&[1, 2]), texts(&["a"])]), Value::list([Value::tuple([S64(1), s("a")])])),
        (lib(F::Range, &[S64(-1), S64(2)]), ints(&[-1, 0, 1])),
        (lib(F::Range, &[S64(2), S64(-1)]), ints(&[])),
        (lib(F::Range, &[U8(1), U8(3)]), bytes(&[1, 2])),
        (lib(F::Json, &[Value::record([("a", ints(&[1]))])]), doc(json!({"a": [1]}))),
        (lib(F::Json, &[doc(json!([1]))]), doc(json!([1]))),
        (lib(F::Lower, &[s("ÄB")]), s("äb")),
        (lib(F::Upper, &[s("straße")]), s("STRASSE")),
        (lib(F::Trim, &[s(" \n a b\t")]), s("a b")),
        (lib(F::Take, &[ints(&[1, 2, 3]), U64(2)]), ints(&[1, 2])),
        (lib(F::Take, &[bytes(&[1, 2, 3]), U64(9)]), bytes(&[1, 2, 3])),
        (lib(F::Concat, &[Value::list([ints(&[1]), ints(&[]), ints(&[2])])]), ints(&[1, 2])),
        (lib(F::Concat, &[Value::list([bytes(&[]), bytes(&[2])])]), bytes(&[2])),
        (lib(F::Concat, &[Value::list([]), bytes(&[])]), bytes(&[])),
        (lib(F::Reverse, &[ints(&[1, 2])]), ints(&[2, 1])),
        (lib(F::Reverse, &[bytes(&[1, 2])]), bytes(&[2, 1])),
        (lib(F::ToF64, &[S64(-3)]), F64(-3.0)),
        (lib(F::ToF64, &[F32(0.5)]), F64(0.5)),
        (lib(F::StartsWith, &[s("abc"), s("ab")]), Bool(true)),
        (lib(F::EndsWith, &[s("abc"), s("ab")]), Bool(false)),
    ]);
}

#[test]
fn empty_lists_give_values_of_the_right_type() {
    let cases = [
        (F::Sum, Type::U16, Some(Value::U16(0))),
        (F::Sum, Type::F32, Some(Value::F32(0.0))),
        (F::Sum, Type::F64, Some(Value::F64(0.0))),
        (F::Sum, Type::Duration, Some(Value::Duration(0))),
        (F::Concat, Type::list(Type::U8), Some(bytes(&[]))),
        (F::Concat, Type::list(Type::S64), Some(ints(&[]))),
        (F::Len, Type::U64, None),
    ];
    for (function, ty, wanted) in cases {
        assert_eq!(of_nothing(function, &ty), wanted);
        if let Some(wanted) = wanted {
            assert_eq!(value(&lib(function, &[Value::list([]), wanted.clone()])), wanted);
        }
    }
}

#[test]
fn library_functions_that_fail() {
    check_errors(
        FailureKind::Calculation,
        vec![
            (lib(F::Min, &[ints(&[])]), "`min` of an empty list"),
            (lib(F::Max, &[bytes(&[])]), "`max` of an empty list"),
            (lib(F::Sum, &[bytes(&[200, 100])]), "overflow: the sum 300 does not fit `u8` (0 to 255)"),
            (lib(F::Take, &[ints(&[1]), Value::S64(-1)]), "`take` of -1 items: the number is negative"),
        ],
    );
    let message = "`keys` takes the names of a json object, found an array";
    check_errors(FailureKind::InvalidInput, vec![(lib(F::Keys, &[doc(json!([]))]), message)]);
}

#[test]
fn conversions() {
    let colour = Type::Enum(Arc::new(EnumType { name: Some("colour".into()), cases: vec!["red".into()] }));
    let fields = vec![("title".into(), Type::String), ("colour".into(), Type::option(colour))];
    let item = Type::Record(Arc::new(RecordType { name: Some("item".into()), fields }));
    let to = |value: Value, ty: &Type| Expr::Convert(boxed(con(value)), ty.clone());
    check(vec![
        (to(Value::U8(3), &Type::S64), Value::S64(3)),
        (to(Value::U32(3), &Type::F64), Value::F64(3.0)),
        (to(Value::U16(3), &Type::F32), Value::F32(3.0)),
        (to(Value::F32(0.5), &Type::F64), Value::F64(0.5)),
        (to(ints(&[1]), &Type::Json), doc(json!([1]))),
        (to(doc(json!("x")), &Type::Json), doc(json!("x"))),
        (to(doc(json!("x")), &Type::String), Value::string("x")),
        (to(doc(json!({"title": "x"})), &item), Value::record([("title", Value::string("x")), ("colour", Value::none())])),
    ]);
    check_errors(
        FailureKind::InvalidInput,
        vec![
            (
                to(doc(json!([{"title": "x"}, {"title": 3}])), &Type::list(item)),
                "the json is not a `list<item>`: `[1].title`: expected `string`, found the number 3",
            ),
            (to(doc(json!("3")), &Type::U8), "the json is not a `u8`: expected `u8`, found the string `3`"),
        ],
    );
}

#[test]
fn comprehensions_bind_their_item() {
    let double = |local| op(Op::Mul, Expr::Local(local), int(2));
    let of = |list: Value, condition: Option<Expr>, element: Expr, ty: Type| Expr::Comprehension {
        list: boxed(con(list)),
        condition: condition.map(boxed),
        element: boxed(element),
        ty,
    };
    let inner = Expr::Comprehension {
        list: boxed(con(ints(&[10, 20]))),
        condition: None,
        element: boxed(op(Op::Add, Expr::Local(0), Expr::Local(1))),
        ty: Type::S64,
    };
    check(vec![
        (of(ints(&[1, 2, 3]), None, double(0), Type::S64), ints(&[2, 4, 6])),
        (of(ints(&[1, 2, 3]), Some(op(Op::Gt, Expr::Local(0), int(1))), double(0), Type::S64), ints(&[4, 6])),
        (of(bytes(&[1, 2]), None, Expr::Local(0), Type::U8), bytes(&[1, 2])),
        (of(ints(&[]), None, con(Value::U8(1)), Type::U8), bytes(&[])),
        (of(ints(&[1, 2]), None, inner, Type::list(Type::S64)), Value::list([ints(&[11, 21]), ints(&[12, 22])])),
    ]);
}

#[test]
fn sorting_is_stable_and_total() {
    let by = |list: Value, key: Expr| Expr::SortBy(boxed(con(list)), boxed(key));
    let pair = |a: i64, b: &str| Value::tuple([Value::S64(a), Value::string(b)]);
    let first = || Expr::TupleField(boxed(Expr::Local(0)), 0);
    let floats = |xs: &[f64]| Value::list(xs.iter().copied().map(Value::F64));
    check(vec![
        (
            by(Value::list([pair(2, "x"), pair(1, "b"), pair(2, "a"), pair(1, "a")]), first()),
            Value::list([pair(1, "b"), pair(1, "a"), pair(2, "x"), pair(2, "a")]),
        ),
        (by(Value::list([pair(2, "a"), pair(1, "b"), pair(1, "a")]), Expr::Local(0)), {
            Value::list([pair(1, "a"), pair(1, "b"), pair(2, "a")])
        }),
        (by(bytes(&[3, 1, 2]), Expr::Local(0)), bytes(&[1, 2, 3])),
        (by(ints(&[1, 2, 3]), Expr::Neg(boxed(Expr::Local(0)))), ints(&[3, 2, 1])),
        (by(floats(&[1.0, f64::INFINITY, -0.5, f64::NEG_INFINITY]), Expr::Local(0)), {
            floats(&[f64::NEG_INFINITY, -0.5, 1.0, f64::INFINITY])
        }),
        (by(ints(&[]), Expr::Local(0)), ints(&[])),
    ]);
    let Value::List(sorted) = value(&by(floats(&[f64::NAN, 0.0, -f64::NAN, 5.0, -0.0]), Expr::Local(0))) else {
        panic!("a list")
    };
    assert_eq!(format!("{:?}", &sorted[..3]), "[F64(-0.0), F64(0.0), F64(5.0)]");
}

#[test]
fn a_frame_gives_slots_and_a_missing_one_is_an_error() {
    let frame = [Some(Value::U8(1)), None];
    assert_eq!(eval(&Expr::Slot(Slot(0)), &frame), Ok(Value::U8(1)));
    for expr in [Expr::Slot(Slot(1)), Expr::Slot(Slot(2)), Expr::Slot(Slot(u32::MAX)), Expr::Local(0)] {
        assert_eq!(eval(&expr, &frame).unwrap_err().kind, FailureKind::Internal, "{expr:?}");
    }
    assert_eq!(eval(&Expr::Slot(Slot(1)), &frame).unwrap_err().message, "the plan is damaged: slot 1 has no value");
}

#[test]
fn a_plan_of_wrong_types_is_an_error_and_no_panic() {
    let unit = || con(Value::Unit);
    let two = |operator| op(operator, unit(), int(1));
    for expr in [
        Expr::Not(boxed(unit())),
        Expr::Neg(boxed(unit())),
        two(Op::Add),
        two(Op::Lt),
        op(Op::Add, Value::U8(1), Value::S64(1)),
        op(Op::Mul, Value::Duration(1), Value::Duration(1)),
        Expr::Index(boxed(unit()), boxed(int(0))),
        Expr::Index(boxed(con(ints(&[1]))), boxed(unit())),
        Expr::Field(boxed(unit()), "a".into()),
        Expr::TupleField(boxed(unit()), 0),
        Expr::Coalesce(boxed(unit()), boxed(unit())),
        Expr::Match(boxed(unit()), vec![]),
        Expr::Convert(boxed(unit()), Type::U8),
        Expr::List(Type::U8, vec![int(1)]),
        Expr::SortBy(boxed(con(ints(&[1, 2]))), boxed(unit())),
        Expr::SortBy(boxed(unit()), boxed(unit())),
        Expr::Text(vec![con(Value::Dir("x".into()))]),
        lib(F::Len, &[]),
        lib(F::Sum, &[Value::list([Value::Unit])]),
        lib(F::Sum, &[Value::list([Value::U8(1), Value::Unit])]),
        lib(F::Range, &[Value::U8(1), Value::S64(1)]),
        lib(F::Min, &[Value::U8(1), Value::Bool(true)]),
    ] {
        assert_eq!(error(&expr).kind, FailureKind::Internal, "{expr:?}");
    }
}

#[test]
fn folding_replaces_what_is_known() {
    let slot = || Expr::Slot(Slot(0));
    let two = || op(Op::Add, int(1), int(1));
    let comprehension = |element: Expr| Expr::Comprehension {
        list: boxed(con(ints(&[1, 2]))),
        condition: None,
        element: boxed(element),
        ty: Type::S64,
    };
    let long = || con(Value::string("x".repeat(5_000)));
    let cases = [
        (two(), "Const(S64(2))"),
        (op(Op::Add, slot(), two()), "Binary(Add, Slot(Slot(0)), Const(S64(2)))"),
        (op(Op::Div, two(), int(0)), "Binary(Div, Const(S64(2)), Const(S64(0)))"),
        (comprehension(op(Op::Mul, Expr::Local(0), two())), "Const(List(Items { members: [S64(2), S64(4)], size: 16 }))"),
        (
            comprehension(op(Op::Mul, slot(), two())),
            "Comprehension { list: Const(List(Items { members: [S64(1), S64(2)], size: 16 })), condition: None, \
             element: Binary(Mul, Slot(Slot(0)), Const(S64(2))), ty: S64 }",
        ),
        (
            Expr::Match(boxed(slot()), vec![(Pattern::Bind, None, op(Op::Add, Expr::Local(0), comprehension(Expr::Local(1))))]),
            "Match(Slot(Slot(0)), [(Bind, None, Binary(Add, Local(0), Const(List(Items { members: [S64(1), S64(2)], size: 16 }))))])",
        ),
    ];
    for (mut expr, wanted) in cases {
        fold(&mut expr);
        assert_eq!(format!("{expr:?}"), wanted);
    }
    let mut large = op(Op::Add, long(), long());
    fold(&mut large);
    assert!(matches!(large, Expr::Binary(..)), "a large value stays unfolded");
    let mut slow = comprehension(lib(F::Len, &[Value::list((0..9_999).map(Value::S64))]));
    fold(&mut slow);
    assert!(matches!(slow, Expr::Const(_)));
}
