//! What is sent is read as it was meant.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Digest, FailureKind, Type, Value};
use engine::event::{Bill, Denial, Failure};
use engine::ports::{Begun, Callee, GrantedCapability, Invocation, Kind, Limits, Offer, Outcome};

use super::{Parcel, Task, Unreadable, outcome, outcome_text, read, write};

fn offer(args: Vec<Value>, grants: Vec<GrantedCapability>) -> Offer {
    let callee = Callee {
        component: Digest([7; 32]),
        interface: Some("test:kit/api@1.0.0".to_owned()),
        wit_name: "do-it".to_owned(),
        params: Vec::new(),
        result: Type::Unit,
    };
    let details = Some(Arc::new(serde_json::json!({ "page": 3 })));
    let previous = Failure { kind: FailureKind::Network, message: "away".to_owned(), details, retry_after: Some(5) };
    Offer {
        invocation: Box::new(Invocation {
            function: Arc::new(callee),
            args,
            grants,
            limits: Limits { timeout: Duration::from_nanos(1_000_000_007), ..Limits::default() },
            idempotency_key: "r/main/a".into(),
            number: 3,
            previous_failure: Some(previous),
            asking: None,
        }),
        kind: Kind { class: Some("small".into()), http: true, env: true },
        class_parallel: Some(2),
        repeatable: true,
        lost: 0,
        begun: Begun::default(),
    }
}

#[test]
fn a_task_is_read_as_it_was_written() {
    let grants = vec![
        GrantedCapability::Http("*.a.b:81".into()),
        GrantedCapability::Env("HOME".into()),
        GrantedCapability::Clock,
        GrantedCapability::Random,
    ];
    let args = vec![
        Value::U64(u64::MAX),
        Value::F64(f64::INFINITY),
        Value::Option(None),
        Value::list([Value::string("ä\"\n"), Value::string("")]),
        Value::Json(Arc::new(serde_json::json!({ "a": [1, null] }))),
        Value::Duration(90),
    ];
    let offer = offer(args, grants.clone());
    let task: Task = read(&write(&Task::of(5, "owner", &offer).unwrap())).unwrap();
    assert_eq!((task.id, &*task.owner, &*task.key, task.number), (5, "owner", "r/main/a", 3));
    assert_eq!((task.class.as_deref(), task.class_parallel, task.repeatable), (Some("small"), Some(2), true));
    assert_eq!((task.interface.as_deref(), &*task.function), (Some("test:kit/api@1.0.0"), "do-it"));
    assert_eq!((task.component().unwrap(), task.grants().unwrap()), (Digest([7; 32]), grants));
    assert_eq!(
        (task.limits(), task.previous().unwrap()),
        (offer.invocation.limits.clone(), offer.invocation.previous_failure.clone())
    );
    let strings = Type::list(Type::String);
    let types = [Type::U64, Type::F64, Type::Option(Arc::new(Type::Bool)), strings, Type::String, Type::U64];
    let params: Vec<_> = types.into_iter().map(|ty| ("x".into(), ty)).collect();
    let read = task.args(&params).unwrap();
    // A component sees a document as its text, and a length of time as nanoseconds.
    let plain = [Value::string("{\"a\":[1,null]}"), Value::U64(90)];
    assert_eq!(read, offer.invocation.args.iter().take(4).cloned().chain(plain).collect::<Vec<_>>());
    assert!(matches!(task.args(&params[1..]), Err(Unreadable::Garbage(_))));
}

#[test]
fn an_outcome_is_read_as_it_was_written() {
    let bill = Bill { fuel: 1, peak_memory: 2, wall: 3, host_calls: 4, bytes_in: 5, bytes_out: 6, attempts: 0 };
    let denials = vec![Denial { capability: "network".to_owned(), subject: "a.b".to_owned() }];
    let details = Some(Arc::new(serde_json::json!(["x"])));
    let failure = Failure { kind: FailureKind::Resource, message: "out of fuel".to_owned(), details, retry_after: Some(7) };
    let cases = [
        (Ok(Value::Unit), Type::Unit),
        (Ok(Value::Option(None)), Type::Option(Arc::new(Type::U64))),
        (Ok(Value::Option(Some(Arc::new(Value::U64(1))))), Type::Option(Arc::new(Type::U64))),
        (Ok(Value::Bytes(Arc::from(&b"\x00\xff"[..]))), Type::list(Type::U8)),
        (Err(failure), Type::Unit),
    ];
    for (result, ty) in cases {
        let said = Outcome { bill, denials: denials.clone(), log: vec!["a line".to_owned()], ..Outcome::new(result) };
        let text = outcome_text(&said).unwrap();
        let heard = outcome(text.get().as_bytes(), &ty, 5).unwrap();
        assert_eq!(format!("{heard:?}"), format!("{said:?}"));
    }
    for bad in ["", "{}", "{\"bill\":{},\"denials\":[],\"log\":[]}", "[1]"] {
        assert!(outcome(bad.as_bytes(), &Type::Unit, 0).is_err(), "{bad}");
    }
}

#[test]
fn what_is_newer_is_told_from_what_is_none_of_ours() {
    assert_eq!(read::<Task>(b"{\"v\":2,\"what\":1}").err(), Some(Unreadable::Newer(2)));
    for garbage in [&b"\xff"[..], b"", b"{}", b"{\"v\":1}", b"{\"v\":1,\"id\":3}"] {
        assert!(matches!(read::<Task>(garbage), Err(Unreadable::Garbage(_))));
    }
    let parcel = write(&Parcel::of(Digest([1; 32])));
    assert_eq!(Parcel::in_message(&parcel), Some(Digest([1; 32])));
    assert_eq!(Parcel::in_message(b"{\"v\":1,\"id\":3}"), None);
}
