//! What the steps of a generated plan do. The first letter of a step's name says how it behaves:
//! `s` succeeds after as many failures as its retries allow, `x` always fails, `h` never ends, `c` fails on some
//! paths, `q` fails when its first argument is 0, `e` fails until a human has decided. Handlers agree, some when they are
//! asked once more. What has `_m` in its name sends messages; what it sends when it fails is never sent.

use std::sync::Arc;

use catalog::{FailureKind, Value};
use engine::event::{Bill, Failure, Posting};
use engine::ports::Outcome;
use lang::plan::PLAN_SOURCE;

/// The topic of what is sent by attempts that fail.
pub(super) const NEVER: &str = "out.never";

/// How an attempt goes.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// It ends.
    Ends(Box<Outcome>),
    /// Never.
    Hangs,
}

/// How an attempt at a path goes, after so many durable failures.
pub(super) fn behave(seed: u64, path: &str, function: &str, args: &[Value], failures: u32) -> Behaviour {
    let name = path.rsplit('/').next().unwrap_or(path);
    let chance = hash(seed, &[path]);
    let fails = match name.as_bytes().first() {
        _ if is_handler(path) => u64::from(failures) < chance % 2,
        Some(b'h') => return Behaviour::Hangs,
        // The recovery table tries once more, then a human is asked.
        Some(b'e') => u64::from(failures) < 2 + chance % 2,
        Some(b'x') => true,
        Some(b'c') => chance.is_multiple_of(3),
        Some(b'q') => args.first() == Some(&Value::U64(0)),
        _ => u64::from(failures) < chance % (retries(name) + 1),
    };
    let result = if fails {
        let retry_after = if chance.is_multiple_of(5) { Some(7) } else { None };
        let message = format!("failed on purpose, {failures} before");
        Err(Failure { kind: FailureKind::Error, message, details: Some(Arc::new(chance.into())), retry_after })
    } else {
        let mut text = String::new();
        catalog::json::write_json(&Value::list(args.iter().cloned()), &mut text);
        let number = hash(0, &[function, &text]) % 1000;
        Ok(match function {
            "guard" => Value::Bool(true),
            PLAN_SOURCE => Value::Json(Arc::new(number.into())),
            _ => Value::U64(number),
        })
    };
    let bill = Bill { fuel: chance % 100, attempts: if function == PLAN_SOURCE { 2 } else { 0 }, ..Bill::default() };
    let posted = if sends(path) { posted(chance, result.is_ok()) } else { Vec::new() };
    Behaviour::Ends(Box::new(Outcome { bill, posted, ..Outcome::new(result) }))
}

fn posted(chance: u64, succeeds: bool) -> Vec<Posting> {
    let topic = if succeeds { "out.done" } else { NEVER };
    (0..1 + chance % 3).map(|number| Posting { topic: topic.into(), payload: number.to_string().into() }).collect()
}

/// Whether this is the path of a call of a handler.
pub(super) fn is_handler(path: &str) -> bool {
    path.contains(".before[") || path.contains(".after[")
}

/// The step that has sent a message, by the message's path or id.
pub(super) fn sender(path: &str) -> Option<&str> {
    path.split_once(".mail[").map(|(step, _)| step)
}

/// Whether the step at a path sends messages.
pub(super) fn sends(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains("_m")) && !is_handler(path)
}

/// A step `s7_r2` has two retries.
fn retries(name: &str) -> u64 {
    name.rsplit_once("_r").and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}

/// FNV-1a, then mixed once more so that low bits are good.
pub(super) fn hash(seed: u64, parts: &[&str]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325 ^ seed;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    state ^= state >> 29;
    state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state ^ (state >> 32)
}
