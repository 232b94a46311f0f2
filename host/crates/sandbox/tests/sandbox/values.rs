//! Values in and out, and what plugins say.

use std::sync::Arc;

use catalog::{FailureKind, Type, Value};
use engine::event::Failure;

use crate::support::{Subject, guest};

fn point(x: f64, y: f32) -> Value {
    Value::record([("x_axis", Value::F64(x)), ("y_axis", Value::F32(y))])
}

fn everything() -> Value {
    let some = |value| Some(Arc::new(value));
    Value::record([
        ("yes", Value::Bool(true)),
        ("a", Value::S8(-8)),
        ("b", Value::S16(-16)),
        ("c", Value::S32(-32)),
        ("d", Value::S64(i64::MIN)),
        ("e", Value::U8(8)),
        ("f", Value::U16(16)),
        ("g", Value::U32(32)),
        ("h", Value::U64(u64::MAX)),
        ("letter", Value::Char('ß')),
        ("some_text", Value::string("grüße\0 und mehr")),
        ("some_bytes", Value::Bytes([0, 255, 7].into())),
        ("points", Value::list([point(1.5, -2.5), point(f64::INFINITY, 0.0)])),
        ("maybe", Value::some(Value::none())),
        ("outcome", Value::Result(Err(some(Value::string("no"))))),
        ("done", Value::Result(Ok(None))),
        ("pair", Value::tuple([Value::string(""), Value::U8(1)])),
        ("colour", Value::Enum("deep_red".into())),
        ("access", Value::Flags(["read".into(), "run_it".into()].into())),
        (
            "shapes",
            Value::list([
                Value::Variant("no_shape".into(), None),
                Value::Variant("named".into(), some(Value::string("disc"))),
                Value::Variant("at_point".into(), some(point(0.25, 0.5))),
            ]),
        ),
        ("grid", Value::list([Value::list([Value::U16(1), Value::U16(2)]), Value::list([])])),
    ])
}

#[test]
fn every_type_goes_in_and_out() {
    let echo = Subject::new(&guest("echo"), "everything").args([everything()]);
    let outcome = echo.run();
    assert_eq!(outcome.result.unwrap(), everything());
    assert_eq!((outcome.bill.bytes_in, outcome.bill.bytes_out), (everything().size(), everything().size()));
    assert!(outcome.bill.peak_memory >= 17 << 16);
}

#[test]
fn the_order_of_fields_is_the_flows() {
    let reverse = |value: &Value| {
        let Value::Record(fields) = value else { panic!("a record") };
        Value::record(fields.iter().rev().cloned())
    };
    let mut echo = Subject::new(&guest("echo"), "everything");
    let mut callee = (*echo.invocation.function).clone();
    for ty in [&mut callee.params[0].1, &mut callee.result] {
        let Type::Record(record) = &*ty else { panic!("a record") };
        let mut record = (**record).clone();
        record.fields.reverse();
        *ty = Type::Record(Arc::new(record));
    }
    echo.invocation.function = Arc::new(callee);
    assert_eq!(echo.args([reverse(&everything())]).value(), reverse(&everything()));
}

#[test]
fn json_and_durations_cross_as_text_and_numbers() {
    let mut text = Subject::new(&guest("echo"), "text");
    let mut callee = (*text.invocation.function).clone();
    (callee.params[0].1, callee.result) = (Type::Json, Type::Json);
    text.invocation.function = Arc::new(callee.clone());
    let document = Value::Json(Arc::new(serde_json::json!({"a": [1, 2.5, null, "ä"]})));
    assert_eq!(text.args([document.clone()]).value(), document);

    let mut not_json = Subject::new(&guest("echo"), "text").args([Value::string("{")]);
    callee.params[0].1 = Type::String;
    not_json.invocation.function = Arc::new(callee);
    not_json.fails(FailureKind::Internal, "not JSON");

    let mut number = Subject::new(&guest("echo"), "number").args([Value::Duration(1_500)]);
    let mut callee = (*number.invocation.function).clone();
    (callee.params[0].1, callee.result) = (Type::Duration, Type::Duration);
    number.invocation.function = Arc::new(callee);
    assert_eq!(number.value(), Value::Duration(1_500));
}

#[test]
fn arguments_that_do_not_fit_are_told() {
    let bytes = guest("echo");
    let text = Subject::new(&bytes, "text");
    text.args([]).fails(FailureKind::InvalidInput, "0 arguments were given for 1 parameters");
    let wrong = Subject::new(&bytes, "text").args([Value::Bool(true)]);
    wrong.fails(FailureKind::InvalidInput, "in the argument `text`: a boolean does not fit");
    let Value::Record(fields) = everything() else { panic!("a record") };
    let missing = Value::record(fields.iter().filter(|(name, _)| &**name != "grid").cloned());
    Subject::new(&bytes, "everything").args([missing]).fails(FailureKind::InvalidInput, "no field `grid`");
}

#[test]
fn errors_become_failures_of_their_kind() {
    let bytes = guest("failures");
    let (text, _) = Subject::new(&bytes, "text").fails(FailureKind::Error, "no such page");
    assert_eq!(text.details.unwrap().as_str(), Some("no such page"));
    let (kind, _) = Subject::new(&bytes, "kind").fails(FailureKind::InvalidInput, "no such page");
    assert_eq!(kind.message, "no such page");
    let (record, outcome) = Subject::new(&bytes, "record").fails(FailureKind::Dependency, "no such page");
    assert_eq!(record.details.unwrap()["page"], 3);
    assert_eq!(record.retry_after, Some(2_000));
    assert!(outcome.bill.fuel > 0);
    assert_eq!(Subject::new(&bytes, "fine").value(), Value::U32(7));
}

#[test]
fn a_plugin_sees_its_attempt() {
    let mut attempt = Subject::new(&guest("attempt"), "run");
    attempt.invocation.number = 3;
    attempt.invocation.previous_failure = Some(Failure {
        kind: FailureKind::InvalidInput,
        message: "too short".to_owned(),
        details: Some(Arc::new(serde_json::json!({"least": 5}))),
        retry_after: Some(20),
    });
    let outcome = attempt.run();
    assert_eq!(outcome.bill.host_calls, 1);
    let info = outcome.result.unwrap();
    assert_eq!(info.field("idempotency_key"), Some(&Value::string("run/path")));
    assert_eq!(info.field("number"), Some(&Value::U32(3)));
    let expected = Value::record([
        ("kind", Value::Enum("invalid_input".into())),
        ("message", Value::string("too short")),
        ("details", Value::some(Value::string("{\"least\":5}"))),
        ("retry_after", Value::some(Value::U64(20_000_000))),
    ]);
    assert_eq!(info.field("previous_failure"), Some(&Value::some(expected)));
}

#[test]
fn log_and_progress_are_kept_for_people() {
    let outcome = Subject::new(&guest("log_flood"), "talk").run();
    assert_eq!(outcome.log, ["info: a line", "warn: line", "error: a line of the log", "progress: 100% a line"]);
    assert_eq!(outcome.bill.host_calls, 4);
}

#[test]
fn standard_output_is_kept_by_lines() {
    let outcome = Subject::new(&guest("print"), "run").run();
    assert_eq!(outcome.log, ["stdout: first line", "stdout: second"]);
}
