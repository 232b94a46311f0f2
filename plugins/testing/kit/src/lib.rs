//! Test plugin `kit`: small steps for tests and benchmarks.

mod bindings;

use bindings::exports::flowhost::kit::api::{AttemptInfo, Failure, FailureKind, Guest, Verdict};
use bindings::flowhost::plugin::attempt::current;

struct Plugin;

impl Guest for Plugin {
    fn noop() {}

    fn echo(value: String) -> String {
        value
    }

    fn echo_number(value: i64) -> i64 {
        value
    }

    fn add(a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }

    fn slow(ms: u64) -> u64 {
        std::thread::sleep(std::time::Duration::from_millis(ms));
        ms
    }

    fn fail(kind: FailureKind, message: String) -> Result<String, Failure> {
        Err(failure(kind, message))
    }

    fn fail_times(times: u32, kind: FailureKind, value: String) -> Result<String, Failure> {
        succeed_after(times, current().number, kind, value)
    }

    fn check(value: i64) -> Result<i64, String> {
        if value < 0 { Err(format!("`{value}` is negative")) } else { Ok(value) }
    }

    fn guard(step: String, args: String) -> Verdict {
        if args.contains("forbidden") {
            Verdict::Veto(format!("`{step}` must not see this"))
        } else if args.contains("coffee") {
            Verdict::Rewrite(args.replace("coffee", "tea"))
        } else {
            Verdict::Allow
        }
    }

    fn audit(run: String, outcome: String) -> Result<String, String> {
        if outcome.starts_with("{\"ok\"") { Ok(run) } else { Err(outcome) }
    }

    fn session(session: String, labels: String) -> Result<String, String> {
        told(&session, &labels, &|| current().number)
    }

    fn attempt() -> AttemptInfo {
        current()
    }
}

fn told(session: &str, labels: &str, attempt: &dyn Fn() -> u32) -> Result<String, String> {
    if labels.contains("\"broken\"") || (labels.contains("\"flaky\"") && attempt() == 1) {
        return Err(format!("{session} is not to be"));
    }
    Ok(format!("{session} {labels}"))
}

fn succeed_after(times: u32, number: u32, kind: FailureKind, value: String) -> Result<String, Failure> {
    if number > times { Ok(value) } else { Err(failure(kind, format!("attempt {number} of {times} that fail"))) }
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message, details: None, retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::{FailureKind, Guest, Plugin, Verdict, succeed_after, told};

    #[test]
    fn the_first_attempts_fail() {
        let run = |number| succeed_after(2, number, FailureKind::Network, "done".into());
        assert_eq!(run(1).unwrap_err().kind, FailureKind::Network);
        assert_eq!(run(2).unwrap_err().message, "attempt 2 of 2 that fail");
        assert_eq!(run(3).unwrap(), "done");
    }

    #[test]
    fn small_steps() {
        assert_eq!(Plugin::add(i64::MAX, 1), i64::MIN);
        assert_eq!(Plugin::check(-1).unwrap_err(), "`-1` is negative");
        assert_eq!(Plugin::check(0), Ok(0));
        assert_eq!(Plugin::guard("a.b".into(), "{\"x\":\"coffee\"}".into()), Verdict::Rewrite("{\"x\":\"tea\"}".into()));
        assert_eq!(Plugin::guard("a.b".into(), "{}".into()), Verdict::Allow);
        assert!(told("s", "{\"flaky\":\"1\"}", &|| 1).is_err() && told("s", "{\"flaky\":\"1\"}", &|| 2).is_ok());
        assert_eq!(told("s", "{}", &|| 1).unwrap(), "s {}");
        assert_eq!(Plugin::audit("run".into(), "{\"err\":1}".into()).unwrap_err(), "{\"err\":1}");
        assert_eq!(Plugin::fail(FailureKind::Logic, "no".into()).unwrap_err().message, "no");
    }
}
