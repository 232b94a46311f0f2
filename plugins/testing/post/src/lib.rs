//! Test plugin `post`: steps with mail.

mod bindings;

use bindings::exports::flowhost::post::api::{Failure, FailureKind, Guest};
use bindings::flowhost::plugin::attempt::current;
use bindings::flowhost::plugin::mail;

struct Plugin;

impl Guest for Plugin {
    fn send(topic: String, payload: String) -> Result<(), Failure> {
        mail::send(&topic, &payload)
    }

    fn send_and_fail(topic: String, payload: String, times: u32) -> Result<(), Failure> {
        mail::send(&topic, &payload)?;
        let number = current().number;
        if number > times { Ok(()) } else { Err(failure(format!("attempt {number} of {times} that fail"))) }
    }

    fn send_many(topic: String, count: u32, size: u32) -> u32 {
        let payload = text(size);
        count_ok(count, || mail::send(&topic, &payload).is_ok())
    }

    fn try_to_send(topic: String, payload: String) -> String {
        mail::send(&topic, &payload).map_or_else(|failure| name(failure.kind).to_owned(), |()| "sent".to_owned())
    }

    fn send_and_hang(topic: String, payload: String) {
        // What came of it does not matter: nobody ever hears of it.
        let _ = mail::send(&topic, &payload);
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }

    fn inquire(role: String, message: String, deadline: Option<u64>) -> Result<String, Failure> {
        mail::ask(&role, &message, deadline)
    }

    fn ask_many(role: String, message: String, count: u32) -> u32 {
        count_ok(count, || mail::ask(&role, &message, None).is_ok())
    }

    fn take(topic: String, most: u32) -> Result<Vec<String>, Failure> {
        let mut taken = Vec::new();
        for _ in 0..most {
            let Some(message) = mail::receive(&topic)? else { break };
            taken.push(message.payload);
        }
        Ok(taken)
    }

    fn take_and_fail(topic: String, times: u32) -> Result<String, Failure> {
        let message = mail::receive(&topic)?;
        let text = message.map_or_else(|| "nothing".to_owned(), |message| format!("{} {}", message.id, message.payload));
        let number = current().number;
        if number > times { Ok(text) } else { Err(failure(format!("attempt {number} of {times} that fail, with {text}"))) }
    }

    fn relay(role: String, message: String, topic: String) -> Result<String, Failure> {
        let answer = mail::ask(&role, &message, None)?;
        mail::send(&topic, &answer)?;
        Ok(answer)
    }
}

/// A JSON text of so many bytes.
fn text(size: u32) -> String {
    format!("\"{}\"", "x".repeat(size.saturating_sub(2) as usize))
}

fn count_ok(count: u32, one: impl Fn() -> bool) -> u32 {
    (0..count).fold(0, |done, _| if one() { done + 1 } else { done })
}

fn failure(message: String) -> Failure {
    Failure { kind: FailureKind::Network, message, details: None, retry_after: None }
}

const fn name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidInput => "invalid_input",
        FailureKind::Permission => "permission",
        FailureKind::Resource => "resource",
        FailureKind::Timeout => "timeout",
        FailureKind::Dependency => "dependency",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::{FailureKind, count_ok, name, text};

    #[test]
    fn small_parts() {
        assert_eq!(text(4), "\"xx\"");
        assert_eq!(text(0), "\"\"");
        let left = std::cell::Cell::new(2);
        assert_eq!(count_ok(5, || left.replace(left.get().max(1) - 1) > 0), 2);
        assert_eq!(name(FailureKind::Permission), "permission");
    }
}
