//! Whole-number arithmetic, read from left to right with a stack for each level of parentheses.

use std::fmt;

/// How deeply parentheses may be nested.
const MAX_DEPTH: usize = 64;

/// Why a task has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is no arithmetic; at this byte.
    Unreadable(usize),
    /// Parentheses are nested too deeply.
    TooDeep,
    /// Division by zero.
    ByZero,
    /// Division with a remainder.
    Remainder(i64, i64),
    /// A number beyond 64 bits.
    Overflow,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(at) => write!(f, "it is no arithmetic from byte {at} on"),
            Self::TooDeep => write!(f, "parentheses are nested more than {MAX_DEPTH} deep"),
            Self::ByZero => f.write_str("division by zero"),
            Self::Remainder(a, b) => write!(f, "{a} / {b} has a remainder"),
            Self::Overflow => f.write_str("a number is beyond 64 bits"),
        }
    }
}

/// How operators bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// `*` and `/` more tightly than `+` and `-`.
    Usual,
    /// All alike, from left to right.
    Flat,
}

/// The value of a task.
pub(crate) fn value(task: &str, binding: Binding) -> Result<i64, Problem> {
    let mut reader = Reader { text: task.as_bytes(), at: 0, binding };
    let value = reader.sum(0)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(Problem::Unreadable(reader.at)),
    }
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    binding: Binding,
}

impl Reader<'_> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: &[u8]) -> Option<u8> {
        let next = self.peek().filter(|next| wanted.contains(next))?;
        self.at += 1;
        Some(next)
    }

    fn sum(&mut self, depth: usize) -> Result<i64, Problem> {
        let operators: &[u8] = if self.binding == Binding::Flat { b"+-*/" } else { b"+-" };
        let mut value = self.term(depth)?;
        while let Some(operator) = self.take(operators) {
            let right = self.term(depth)?;
            value = apply(operator, value, right)?;
        }
        Ok(value)
    }

    fn term(&mut self, depth: usize) -> Result<i64, Problem> {
        let mut value = self.operand(depth)?;
        while self.binding == Binding::Usual {
            let Some(operator) = self.take(b"*/") else { break };
            let right = self.operand(depth)?;
            value = apply(operator, value, right)?;
        }
        Ok(value)
    }

    fn operand(&mut self, depth: usize) -> Result<i64, Problem> {
        if self.take(b"-").is_some() {
            if depth == MAX_DEPTH {
                return Err(Problem::TooDeep);
            }
            return self.operand(depth + 1)?.checked_neg().ok_or(Problem::Overflow);
        }
        if self.take(b"(").is_some() {
            if depth == MAX_DEPTH {
                return Err(Problem::TooDeep);
            }
            let value = self.sum(depth + 1)?;
            return self.take(b")").map(|_| value).ok_or(Problem::Unreadable(self.at));
        }
        self.number()
    }

    fn number(&mut self) -> Result<i64, Problem> {
        self.peek();
        let start = self.at;
        let mut value: i64 = 0;
        while let Some(digit) = self.text.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            value =
                value.checked_mul(10).and_then(|value| value.checked_add(i64::from(digit - b'0'))).ok_or(Problem::Overflow)?;
            self.at += 1;
        }
        if self.at == start { Err(Problem::Unreadable(start)) } else { Ok(value) }
    }
}

fn apply(operator: u8, a: i64, b: i64) -> Result<i64, Problem> {
    match operator {
        b'+' => a.checked_add(b).ok_or(Problem::Overflow),
        b'-' => a.checked_sub(b).ok_or(Problem::Overflow),
        b'*' => a.checked_mul(b).ok_or(Problem::Overflow),
        _ if b == 0 => Err(Problem::ByZero),
        _ => match (a.checked_rem(b), a.checked_div(b)) {
            (Some(0), Some(value)) => Ok(value),
            (Some(_), _) => Err(Problem::Remainder(a, b)),
            _ => Err(Problem::Overflow),
        },
    }
}

/// The numbers of a task, whatever stands between them; those beyond 64 bits are left out.
pub(crate) fn numbers(task: &str) -> impl Iterator<Item = i64> + '_ {
    task.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{Binding, Problem, numbers, value};

    #[test]
    fn operators_bind_as_usual_or_flat() {
        for (task, usual, flat) in [
            ("1 + 2 * 3", 7, 9),
            ("(1 + 2) * 3", 9, 9),
            ("10 - 4 - 3", 3, 3),
            ("2 * 3 + 8 / 4", 8, 3),
            ("-(2 - 5) * 4", 12, 12),
            ("  7 ", 7, 7),
        ] {
            assert_eq!(value(task, Binding::Usual), Ok(usual), "{task}");
            if task != "2 * 3 + 8 / 4" {
                assert_eq!(value(task, Binding::Flat), Ok(flat), "{task}");
            }
        }
        assert_eq!(value("2 * 3 + 8 / 4", Binding::Flat), Err(Problem::Remainder(14, 4)));
    }

    #[test]
    fn what_has_no_value_says_why() {
        for (task, problem) in [
            ("", Problem::Unreadable(0)),
            ("1 +", Problem::Unreadable(3)),
            ("1 2", Problem::Unreadable(2)),
            ("(1", Problem::Unreadable(2)),
            ("one", Problem::Unreadable(0)),
            ("1 / 0", Problem::ByZero),
            ("7 / 2", Problem::Remainder(7, 2)),
            ("9223372036854775807 + 1", Problem::Overflow),
            ("99999999999999999999", Problem::Overflow),
        ] {
            assert_eq!(value(task, Binding::Usual), Err(problem), "{task}");
        }
        let deep = format!("{}1{}", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(value(&deep, Binding::Usual), Err(Problem::TooDeep));
        assert_eq!(value(&"-".repeat(1000), Binding::Usual), Err(Problem::TooDeep));
    }

    #[test]
    fn numbers_are_found_between_anything() {
        assert_eq!(numbers("12 apples and 3, x4").collect::<Vec<_>>(), [12, 3, 4]);
    }
}
