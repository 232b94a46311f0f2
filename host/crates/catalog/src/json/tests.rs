//! The mapping both ways: by examples, by refusals, and by random values of random types.

use std::sync::Arc;

use serde_json::json;

use super::{JsonError, MAX_JSON_DEPTH, from_json, parse, parse_argument, to_json, write_json};
use crate::failure::failure_type;
use crate::types::{EnumType, FlagsType, Name, RecordType, Type, VariantType};
use crate::value::Value;

fn record(name: &str, fields: &[(&str, Type)]) -> Type {
    let fields = fields.iter().map(|(name, ty)| ((*name).into(), ty.clone())).collect();
    Type::Record(Arc::new(RecordType { name: Some(name.into()), fields }))
}

fn variant(name: &str, cases: &[(&str, Option<Type>)]) -> Type {
    let cases = cases.iter().map(|(name, ty)| ((*name).into(), ty.clone())).collect();
    Type::Variant(Arc::new(VariantType { name: Some(name.into()), cases }))
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| (*name).into()).collect()
}

fn colour() -> Type {
    Type::Enum(Arc::new(EnumType { name: Some("colour".into()), cases: names(&["red", "dark_green", "blue"]) }))
}

fn rights() -> Type {
    Type::Flags(Arc::new(FlagsType { name: Some("rights".into()), names: names(&["read", "write", "run"]) }))
}

fn shape() -> Type {
    variant("shape", &[("dot", None), ("circle", Some(Type::F64)), ("some", Some(Type::U8))])
}

fn report() -> Type {
    let item = record("item", &[("title", Type::String), ("score", Type::F64), ("note", Type::option(Type::String))]);
    record("report", &[("title", Type::String), ("items", Type::list(item))])
}

fn result(ok: Option<Type>, err: Option<Type>) -> Type {
    Type::Result(ok.map(Arc::new), err.map(Arc::new))
}

fn written(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

#[test]
fn values_have_this_json_form() {
    let some = Value::some;
    let doc = |document| Value::Json(Arc::new(document));
    let ok = |value| Value::Result(Ok(Some(Arc::new(value))));
    let cases: Vec<(Type, Value, &str)> = vec![
        (Type::Bool, Value::Bool(true), "true"),
        (Type::S8, Value::S8(-128), "-128"),
        (Type::U64, Value::U64(9_007_199_254_740_991), "9007199254740991"),
        (Type::U64, Value::U64(9_007_199_254_740_992), r#""9007199254740992""#),
        (Type::S64, Value::S64(i64::MIN), r#""-9223372036854775808""#),
        (Type::F64, Value::F64(0.8), "0.8"),
        (Type::F64, Value::F64(1.0), "1.0"),
        (Type::F64, Value::F64(-0.0), "-0.0"),
        (Type::F64, Value::F64(1e300), "1e+300"),
        (Type::F64, Value::F64(f64::INFINITY), r#""Infinity""#),
        (Type::F32, Value::F32(0.1), "0.1"),
        (Type::F32, Value::F32(f32::NEG_INFINITY), r#""-Infinity""#),
        (Type::Char, Value::Char('ß'), r#""ß""#),
        (Type::Char, Value::Char('"'), r#""\"""#),
        (Type::String, Value::string("a\n\"b\"\\\u{1}\u{7f}/é"), "\"a\\n\\\"b\\\"\\\\\\u0001\u{7f}/é\""),
        (Type::list(Type::U8), Value::Bytes([0, 255, 16].as_slice().into()), r#""AP8Q""#),
        (Type::list(Type::U8), Value::Bytes([].as_slice().into()), r#""""#),
        (Type::list(Type::U16), Value::list([Value::U16(1), Value::U16(2)]), "[1,2]"),
        (Type::Tuple([Type::U8, Type::String].into()), Value::tuple([Value::U8(1), Value::string("x")]), r#"[1,"x"]"#),
        (colour(), Value::Enum("dark_green".into()), r#""dark_green""#),
        (rights(), Value::Flags(["read".into(), "run".into()].into()), r#"["read","run"]"#),
        (shape(), Value::Variant("dot".into(), None), r#""dot""#),
        (shape(), Value::Variant("circle".into(), Some(Arc::new(Value::F64(1.5)))), r#"{"circle":1.5}"#),
        (Type::option(Type::U8), Value::none(), "null"),
        (Type::option(Type::U8), some(Value::U8(3)), "3"),
        (Type::option(Type::option(Type::U8)), some(Value::none()), r#"{"some":null}"#),
        (Type::option(Type::option(Type::U8)), some(some(Value::U8(3))), r#"{"some":3}"#),
        (Type::option(Type::option(Type::option(Type::U8))), some(some(Value::none())), r#"{"some":{"some":null}}"#),
        (Type::option(Type::Unit), some(Value::Unit), r#"{"some":null}"#),
        (Type::option(Type::Json), some(doc(json!(null))), r#"{"some":null}"#),
        (Type::option(Type::Json), some(doc(json!({"some": 1}))), r#"{"some":{"some":1}}"#),
        (Type::option(Type::Json), some(doc(json!({"a": 1}))), r#"{"a":1}"#),
        (Type::option(shape()), some(Value::Variant("some".into(), Some(Arc::new(Value::U8(1))))), r#"{"some":1}"#),
        (result(Some(Type::U8), None), ok(Value::U8(1)), r#"{"ok":1}"#),
        (result(Some(Type::U8), None), Value::Result(Err(None)), r#"{"err":null}"#),
        (result(None, Some(Type::option(Type::U8))), Value::Result(Err(Some(Arc::new(Value::none())))), r#"{"err":null}"#),
        (Type::Duration, Value::Duration(30_000_000_000), r#""30s""#),
        (Type::Dir, Value::Dir("./docs".into()), r#""./docs""#),
        (Type::Json, doc(json!({"b": [1, null], "a": {"c": 1.5}})), r#"{"a":{"c":1.5},"b":[1,null]}"#),
        (Type::Unit, Value::Unit, "null"),
    ];
    for (ty, value, text) in cases {
        assert_eq!(written(&value), text);
        assert_eq!(to_json(&value).to_string(), text, "tree and text differ");
        assert_eq!(parse(text, &ty), Ok(value), "{text} as {ty}");
    }
    assert_eq!(written(&Value::F64(f64::NAN)), r#""NaN""#);
    assert!(matches!(parse(r#""NaN""#, &Type::F32), Ok(Value::F32(x)) if x.is_nan()));
}

#[test]
fn equal_records_have_equal_texts() {
    let a = Value::record([("b", Value::U8(1)), ("a", Value::Bool(true))]);
    let b = Value::record([("a", Value::Bool(true)), ("b", Value::U8(1))]);
    assert_eq!(written(&a), r#"{"a":true,"b":1}"#);
    assert_eq!(written(&b), written(&a));
    assert_eq!(to_json(&a).to_string(), written(&a));
}

#[test]
fn a_missing_option_is_none_and_fields_come_in_the_order_of_the_type() {
    let ty = record("r", &[("z", Type::U8), ("a", Type::option(Type::U8))]);
    assert_eq!(parse(r#"{"z": 1}"#, &ty), Ok(Value::record([("z", Value::U8(1)), ("a", Value::none())])));
}

#[test]
fn flags_are_put_in_the_order_of_the_type() {
    assert_eq!(parse(r#"["run", "read"]"#, &rights()), Ok(Value::Flags(["read".into(), "run".into()].into())));
}

#[test]
fn refusals_say_where_and_why() {
    let pair = Type::Tuple([Type::U8, Type::U8].into());
    let option2 = Type::option(Type::option(Type::U8));
    let cases: Vec<(Type, &str, &str)> = vec![
        (Type::U8, "256", "256 is out of range for `u8` (0 to 255)"),
        (Type::U8, "-1", "-1 is out of range for `u8` (0 to 255)"),
        (Type::U8, "1.0", "expected `u8`, found the number 1.0"),
        (Type::U8, r#""1""#, "expected `u8`, found the string `1`"),
        (Type::S64, r#""12""#, "expected `s64`, found the string `12`"),
        (Type::S64, r#""+9223372036854775807""#, "expected `s64`, found the string `+9223372036854775807`"),
        (Type::U64, "9007199254740993", "integers beyond 2^53 − 1 are written as strings: `\"9007199254740993\"`"),
        (Type::U64, r#""99999999999999999999""#, "99999999999999999999 is out of range for `u64` (0 to 18446744073709551615)"),
        (Type::F64, r#""0.5""#, "expected `f64`, found the string `0.5`"),
        (Type::F32, "1e60", "1e60 is out of range for `f32`"),
        (Type::Bool, "1", "expected `bool` (true or false), found the number 1"),
        (Type::Char, r#""ab""#, "expected `char` (a string of one character), found the string `ab`"),
        (Type::String, "null", "expected `string`, found null"),
        (Type::list(Type::U8), "[1]", "expected `list<u8>` (a string in base64), found an array"),
        (Type::list(Type::U8), r#""A""#, "this is not valid base64: Invalid input length: 1"),
        (Type::list(Type::U16), "{}", "expected `list<u16>` (an array), found an object"),
        (Type::list(Type::U16), "[1, 70000]", "`[1]`: 70000 is out of range for `u16` (0 to 65535)"),
        (pair.clone(), "[1]", "expected `tuple<u8, u8>`: 2 items, found 1"),
        (pair, "[1, true]", "`[1]`: expected `u8`, found `true`"),
        (colour(), r#""dark-green""#, "`colour` has no case `dark-green`; did you mean `dark_green`?"),
        (colour(), r#""yellow""#, "`colour` has no case `yellow`; it has `red`, `dark_green`, `blue`"),
        (rights(), r#"["read", "read"]"#, "`[1]`: the flag `read` is given twice"),
        (rights(), r#"["raed"]"#, "`[0]`: `rights` has no flag `raed`; did you mean `read`?"),
        (rights(), r#""read""#, "expected `rights` (an array of flag names), found the string `read`"),
        (shape(), r#""circle""#, "the case `circle` of `shape` carries `f64`: write `{\"circle\": …}`"),
        (shape(), r#"{"dot": 1}"#, "the case `dot` of `shape` carries nothing: write `\"dot\"`"),
        (shape(), r#"{"circle": "x"}"#, "`circle`: expected `f64`, found the string `x`"),
        (shape(), r#"{"circle": 1, "dot": 2}"#, "expected `shape` (the name of a case, or `{\"case\": …}`), found an object"),
        (result(None, None), r#"{"ok": 1}"#, "`ok`: expected nothing (null), found the number 1"),
        (result(None, None), "1", "expected `result` (`{\"ok\": …}` or `{\"err\": …}`), found the number 1"),
        (option2.clone(), "3", "expected `option<option<u8>>` (null or `{\"some\": …}`), found the number 3"),
        (option2, r#"{"some": "x"}"#, "`some`: expected `u8`, found the string `x`"),
        (Type::Duration, "30", "expected `duration` (a text such as `\"30s\"`), found the number 30"),
        (
            Type::Duration,
            r#""30""#,
            "expected `duration`, found the string `30`: a duration is a whole number with one of the units `ns us ms s m h d`, such as `30s`",
        ),
        (Type::Unit, "{}", "expected nothing (null), found an object"),
        (Type::U8, "{", "this is not valid JSON: EOF while parsing an object at line 1 column 1"),
        (report(), "[]", "expected `report` (an object), found an array"),
        (report(), r#"{"title": "x"}"#, "the field `items` (`list<item>`) is missing"),
        (report(), r#"{"titel": "x"}"#, "`report` has no field `titel`; did you mean `title`?"),
        (
            report(),
            r#"{"title": "x", "items": [{"title": "a", "score": 1}, {"title": 2, "score": 1}]}"#,
            "`items[1].title`: expected `string`, found the number 2",
        ),
        (
            report(),
            r#"{"title": "x", "items": [{"title": "a", "score": 1, "colour": 3}]}"#,
            "`items[0]`: `item` has no field `colour`; it has `title`, `score`, `note`",
        ),
    ];
    for (ty, text, message) in cases {
        let error = parse(text, &ty).expect_err(text);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_path_can_be_put_under_a_name() {
    let error = parse(r#"{"title": "x", "items": [{}]}"#, &report()).unwrap_err();
    assert_eq!(error.under("input").path, "input.items[0]");
    assert_eq!(parse("[true]", &Type::list(Type::U16)).unwrap_err().under("xs").path, "xs[0]");
    assert_eq!(JsonError::new("x").under("a").to_string(), "`a`: x");
}

#[test]
fn a_document_is_nested_only_so_deep() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(MAX_JSON_DEPTH), &Type::Json).is_ok());
    let error = parse(&nested(MAX_JSON_DEPTH + 1), &Type::Json).unwrap_err();
    assert_eq!(error.message, "a `json` document may be nested at most 64 deep");
    for depth in [200, 2_000_000] {
        let error = parse(&nested(depth), &Type::Json).unwrap_err();
        assert!(error.message.contains("recursion limit exceeded"), "{error}");
    }
    assert_eq!(parse(&format!(r#"{{"a": {}}}"#, nested(64)), &record("r", &[("a", Type::Json)])).map(|_| ()), Ok(()));
}

#[test]
fn arguments_are_read_by_their_type() {
    let some = Value::some;
    let cases: Vec<(Type, &str, Value)> = vec![
        (Type::String, r#"say "hi""#, Value::string("say \"hi\"")),
        (Type::String, "", Value::string("")),
        (Type::String, "5", Value::string("5")),
        (Type::Dir, "./some docs", Value::Dir("./some docs".into())),
        (Type::U64, "18446744073709551615", Value::U64(u64::MAX)),
        (Type::S8, "-5", Value::S8(-5)),
        (Type::F64, "1", Value::F64(1.0)),
        (Type::F64, "1e3", Value::F64(1000.0)),
        (Type::F64, "-Infinity", Value::F64(f64::NEG_INFINITY)),
        (Type::Bool, "true", Value::Bool(true)),
        (Type::Char, "ä", Value::Char('ä')),
        (Type::Duration, "5m", Value::Duration(300_000_000_000)),
        (colour(), "red", Value::Enum("red".into())),
        (shape(), "dot", Value::Variant("dot".into(), None)),
        (shape(), r#"{"circle": 2}"#, Value::Variant("circle".into(), Some(Arc::new(Value::F64(2.0))))),
        (Type::option(Type::String), "null", Value::none()),
        (Type::option(Type::String), "x", some(Value::string("x"))),
        (Type::option(Type::option(Type::U8)), r#"{"some": 3}"#, some(some(Value::U8(3)))),
        (Type::list(Type::U8), "AP8Q", Value::Bytes([0, 255, 16].as_slice().into())),
        (Type::list(Type::U8), "\"AP8Q\"", Value::Bytes([0, 255, 16].as_slice().into())),
        (Type::list(Type::String), r#"["a", "b"]"#, Value::list([Value::string("a"), Value::string("b")])),
        (Type::Json, "[1]", Value::Json(Arc::new(json!([1])))),
    ];
    for (ty, text, value) in cases {
        assert_eq!(parse_argument(text, &ty), Ok(value), "{text} as {ty}");
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let cases: Vec<(Type, &str, &str)> = vec![
        (Type::U8, "300", "300 is out of range for `u8` (0 to 255)"),
        (Type::U8, "ten", "expected `u8`, found `ten`"),
        (Type::F64, "inf", "expected `f64`, found `inf`"),
        (Type::F64, "nan", "expected `f64`, found `nan`"),
        (Type::Bool, "yes", "expected `bool` (true or false), found `yes`"),
        (Type::Char, "ab", "expected `char` (one character), found `ab`"),
        (colour(), "rad", "`colour` has no case `rad`; did you mean `red`?"),
        (shape(), "dto", "`shape` has no case `dto`; did you mean `dot`?"),
        (
            Type::list(Type::U16),
            "1,2",
            "a `list<u16>` is given in JSON, found `1,2`; this is not valid JSON: trailing characters at line 1 column 2",
        ),
        (Type::list(Type::U16), r#"["a"]"#, "`[0]`: expected `u16`, found the string `a`"),
    ];
    for (ty, text, message) in cases {
        assert_eq!(parse_argument(text, &ty).expect_err(text).to_string(), message);
    }
}

/// A type; `depth` bounds its nesting.
fn random_type(rng: &mut fastrand::Rng, depth: usize) -> Type {
    let scalars = [
        Type::Bool,
        Type::S8,
        Type::S16,
        Type::S32,
        Type::S64,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::F32,
        Type::F64,
        Type::Char,
        Type::String,
        Type::Json,
        Type::Dir,
        Type::Duration,
        Type::Unit,
        colour(),
        rights(),
        failure_type(),
    ];
    let choice = if depth == 0 { 0 } else { rng.usize(..8) };
    let mut inner = || random_type(rng, depth - 1);
    match choice {
        1 => Type::list(inner()),
        2 | 3 => Type::option(inner()),
        4 => Type::Tuple([inner(), inner()].into()),
        5 => result(Some(inner()), Some(inner())),
        6 => record("r", &[("b", inner()), ("a", inner()), ("some", inner())]),
        7 => variant("v", &[("none", None), ("some", Some(inner())), ("other", Some(inner()))]),
        _ => scalars[rng.usize(..scalars.len())].clone(),
    }
}

fn random_document(rng: &mut fastrand::Rng, depth: usize) -> serde_json::Value {
    match rng.usize(..if depth == 0 { 4 } else { 7 }) {
        0 => json!(null),
        1 => json!(rng.bool()),
        2 => json!(rng.i64(..)),
        3 => json!(random_text(rng)),
        4 => json!([random_document(rng, depth - 1), random_document(rng, depth - 1)]),
        5 => json!({"some": random_document(rng, depth - 1)}),
        _ => json!({"a": random_document(rng, depth - 1), random_text(rng): 1.5}),
    }
}

fn random_text(rng: &mut fastrand::Rng) -> String {
    let special = ['"', '\\', '\n', '\u{0}', '\u{1f}', '\u{2028}', 'é', '💡'];
    (0..rng.usize(..6)).map(|_| if rng.bool() { special[rng.usize(..special.len())] } else { rng.char('a'..='z') }).collect()
}

fn random_value(rng: &mut fastrand::Rng, ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(rng.bool()),
        Type::F32 => Value::F32([f32::from_bits(rng.u32(..)), 0.1, -0.0, f32::INFINITY][rng.usize(..4)]),
        Type::F64 => Value::F64([f64::from_bits(rng.u64(..)), 0.1, -0.0, f64::NEG_INFINITY][rng.usize(..4)]),
        Type::Char => Value::Char(rng.char(..)),
        Type::String => Value::string(random_text(rng)),
        Type::Dir => Value::Dir(random_text(rng).into()),
        Type::Duration => Value::Duration(rng.u64(..) >> rng.u32(..64)),
        Type::Unit => Value::Unit,
        Type::Json => Value::Json(Arc::new(random_document(rng, 3))),
        Type::Enum(ty) => Value::Enum(ty.cases[rng.usize(..ty.cases.len())].clone()),
        Type::Flags(ty) => Value::Flags(ty.names.iter().filter(|_| rng.bool()).cloned().collect()),
        Type::List(item) if **item == Type::U8 => Value::Bytes((0..rng.usize(..9)).map(|_| rng.u8(..)).collect()),
        Type::List(item) => Value::list((0..rng.usize(..4)).map(|_| random_value(rng, item)).collect::<Vec<_>>()),
        Type::Tuple(types) => Value::tuple(types.iter().map(|ty| random_value(rng, ty)).collect::<Vec<_>>()),
        Type::Option(inner) => Value::Option(rng.bool().then(|| Arc::new(random_value(rng, inner)))),
        Type::Record(ty) => Value::Record(ty.fields.iter().map(|(name, ty)| (name.clone(), random_value(rng, ty))).collect()),
        Type::Variant(ty) => {
            let (name, payload) = &ty.cases[rng.usize(..ty.cases.len())];
            Value::Variant(name.clone(), payload.as_ref().map(|ty| Arc::new(random_value(rng, ty))))
        }
        Type::Result(ok, err) => {
            let mut side = |ty: &Option<Arc<Type>>| ty.as_ref().map(|ty| Arc::new(random_value(rng, ty)));
            let sides = (side(ok), side(err));
            Value::Result(if rng.bool() { Ok(sides.0) } else { Err(sides.1) })
        }
        _ => {
            let (least, greatest) = ty.integer_range().unwrap();
            let near = [least, greatest, rng.i128(least..=greatest), 0, 1 << 53, (1 << 53) - 1];
            Value::integer(near[rng.usize(..near.len())].clamp(least, greatest), ty).unwrap()
        }
    }
}

#[test]
fn random_values_come_back() {
    let mut rng = fastrand::Rng::with_seed(17);
    for _ in 0..20_000 {
        let ty = random_type(&mut rng, 3);
        let value = random_value(&mut rng, &ty);
        let text = written(&value);
        assert_eq!(to_json(&value).to_string(), text);
        let back = parse(&text, &ty).unwrap_or_else(|error| panic!("{text} as {ty}: {error}"));
        // NaN is not equal to itself, so texts are compared, which are canonical.
        assert_eq!(written(&back), text, "{ty}");
        assert_eq!(format!("{back:?}"), format!("{value:?}"), "{ty}");
        assert_eq!(from_json(&to_json(&value), &ty).map(|value| written(&value)), Ok(text));
    }
}

#[test]
fn documents_of_another_type_are_refused_or_read_but_never_panic() {
    let mut rng = fastrand::Rng::with_seed(23);
    let mut refused = 0;
    for _ in 0..20_000 {
        let (ty, other) = (random_type(&mut rng, 3), random_type(&mut rng, 3));
        let text = written(&random_value(&mut rng, &other));
        match parse(&text, &ty) {
            Ok(value) => assert_eq!(parse(&written(&value), &ty).map(|value| written(&value)), Ok(written(&value))),
            Err(_) => refused += 1,
        }
        let _ = parse_argument(&text, &ty);
    }
    assert!(refused > 10_000, "only {refused} were refused");
}

/// The text of a document in a string in an object that `serde_json` with `raw_value` would parse anew.
fn raw_in_raw(levels: usize, inner: &str) -> String {
    (0..levels).fold(inner.to_owned(), |text, _| {
        let quoted = serde_json::Value::String(text).to_string();
        format!(r#"{}{{"$serde_json::private::RawValue":{quoted}}}{}"#, "[".repeat(60), "]".repeat(60))
    })
}

#[test]
fn no_key_of_an_object_is_special() {
    let text = raw_in_raw(16, "[1");
    let value = parse(&text, &Type::Json).unwrap();
    assert_eq!(written(&value), text);
    let text = r#"{"$serde_json::private::Number":"1","$serde_json::private::RawValue":"2"}"#;
    assert_eq!(written(&parse(text, &Type::Json).unwrap()), text);
}
