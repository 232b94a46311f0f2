//! What is wrong with an answer, and how it becomes better.

use crate::arithmetic::{Binding, value};

/// What is wrong; empty when the answer is right.
pub(crate) fn notes(task: &str, answer: &str) -> String {
    let Ok(expected) = value(task, Binding::Usual) else { return "the task has no value".to_owned() };
    match answer.trim().parse::<i64>() {
        Ok(given) if given == expected => String::new(),
        _ => format!("expected {expected}"),
    }
}

/// The answer with its first digit that differs from the expected one put right; without usable notes as it is.
pub(crate) fn revise(answer: &str, notes: &str) -> String {
    let Some(expected) = notes.strip_prefix("expected ") else { return answer.to_owned() };
    let mut revised: Vec<char> = answer.trim().chars().collect();
    let differs = expected.chars().enumerate().find(|(place, digit)| revised.get(*place) != Some(digit));
    match differs {
        None => revised.truncate(expected.chars().count()),
        Some((place, digit)) => match revised.get_mut(place) {
            Some(slot) => *slot = digit,
            None => revised.push(digit),
        },
    }
    revised.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{notes, revise};

    #[test]
    fn one_digit_at_a_time() {
        assert_eq!(notes("1 + 1", "2"), "");
        assert_eq!(notes("1 + 1", "two"), "expected 2");
        assert_eq!(notes("1 +", "2"), "the task has no value");
        assert_eq!(revise("46", "expected 408"), "40");
        assert_eq!(revise("40", "expected 408"), "408");
        assert_eq!(revise("4081", "expected 408"), "408");
        assert_eq!(revise("46", "hm"), "46");
    }
}
