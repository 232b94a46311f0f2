//! What is written is read again, and nothing else is.

use super::{WireError, decode, encode};
use crate::conformance::{escalated, one_of_each};

fn no_blob(digest: catalog::Digest) -> Result<Vec<u8>, String> {
    Err(format!("no blob {digest}"))
}

fn read(kind: &str, body: &str) -> String {
    decode(kind, "p", body, &mut no_blob).unwrap_err().to_string()
}

#[test]
fn every_kind_comes_back_and_is_written_the_same_again() {
    for event in one_of_each().into_iter().chain(escalated()) {
        let stored = encode(&event);
        serde_json::from_str::<serde_json::Value>(&stored.body).unwrap();
        let body = decode(stored.kind, &stored.path, &stored.body, &mut no_blob).unwrap();
        assert_eq!(encode(&engine::event::Event { body, ..event }), stored);
    }
}

#[test]
fn what_a_later_program_wrote_is_refused() {
    assert_eq!(
        read("teleported", "{}"),
        "the event kind `teleported` is not known to this program; a newer version may have written it"
    );
    let later = decode("resumed", "", r#"{"v":2,"how":"fast"}"#, &mut no_blob);
    assert_eq!(later, Err(WireError::UnknownVersion { kind: "resumed".to_owned(), found: 2 }));
    assert_eq!(decode("resumed", "", r#"{"v":2}"#, &mut no_blob), later);
}

#[test]
fn a_body_of_another_form_is_refused() {
    let cases = [
        ("resumed", r#"{"v":1,"why":"x"}"#),
        ("resumed", "[]"),
        ("resumed", ""),
        ("paused", r#"{"v":1}"#),
        ("timer-fired", r#"{"v":1,"timer":-1}"#),
        ("operator-decision", r#"{"v":1,"task":1,"decision":"retry","message":"x"}"#),
        ("operator-decision", r#"{"v":1,"task":1,"decision":"supply","output":{"value":1,"blob":"x"}}"#),
        ("operator-decision", r#"{"v":1,"task":1,"decision":"supply","output":{"blob":"md5:00","size":1}}"#),
        ("run-ended", r#"{"v":1,"outcome":"succeeded"}"#),
        ("run-ended", r#"{"v":1,"outcome":"failed","failure":{"kind":"odd","message":""}}"#),
    ];
    for (kind, body) in cases {
        assert!(read(kind, body).starts_with(&format!("the body of the `{kind}` event cannot be read: ")), "{kind} {body}");
    }
}

#[test]
fn a_null_value_is_a_value() {
    let body = decode("run-ended", "", r#"{"v":1,"outcome":"succeeded","output":{"value":null}}"#, &mut no_blob).unwrap();
    assert!(format!("{body:?}").contains("Text(\"null\")"), "{body:?}");
}

#[test]
fn the_form_of_each_kind() {
    let rendered: Vec<_> = one_of_each()
        .iter()
        .map(|event| {
            let stored = encode(event);
            format!("{} {} {}", stored.kind, stored.path, stored.body)
        })
        .collect();
    for (start, kind) in [
        (r#"attempt-started main/step[0] {"v":1,"task":0,"number":1,"host":"host-1"}"#, "attempt-started"),
        (r#"timer-fired  {"v":1,"timer":0}"#, "timer-fired"),
        (r#"owner-changed  {"v":1,"host":"host-2"}"#, "owner-changed"),
    ] {
        assert!(rendered.iter().any(|line| line == start), "{kind}: {rendered:#?}");
    }
}
