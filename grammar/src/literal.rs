//! The values of literals.

use crate::ast::ExprKind;

/// Why a number has no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NumberError<'a> {
    /// Beyond the largest, which the text names.
    TooLarge(&'static str),
    /// An unknown unit.
    Unit(&'a str),
    /// A unit after a decimal.
    DecimalUnit,
}

const MAX_DURATION: &str = "about 584 years";
const MAX_SIZE: &str = "`18446744073709551615B`";
const MAX_INT: &str = "`18446744073709551615`";

/// The value of a number as the grammar reads it: digits, a fraction, an exponent, a unit.
pub(crate) fn number(text: &str) -> Result<ExprKind, NumberError<'_>> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (whole, rest) = text.split_at_checked(digits).unwrap_or((text, ""));
    if rest.is_empty() {
        return integer(whole).map(ExprKind::Int).ok_or(NumberError::TooLarge(MAX_INT));
    }
    let exponent = rest.strip_prefix(['e', 'E']).map(|power| power.trim_start_matches(['+', '-']));
    let is_exponent = exponent.is_some_and(|power| !power.is_empty() && power.bytes().all(|byte| byte.is_ascii_digit()));
    if rest.starts_with('.') || is_exponent {
        return decimal(text);
    }
    let unit_of = |table: &[(&str, u64)]| table.iter().find(|(name, _)| *name == rest).map(|(_, factor)| *factor);
    let scaled = |factor: u64| integer(whole).and_then(|value| value.checked_mul(factor));
    if let Some(factor) = unit_of(&DURATIONS) {
        return scaled(factor).map(ExprKind::Duration).ok_or(NumberError::TooLarge(MAX_DURATION));
    }
    if let Some(factor) = unit_of(&SIZES) {
        return scaled(factor).map(ExprKind::Size).ok_or(NumberError::TooLarge(MAX_SIZE));
    }
    Err(NumberError::Unit(rest))
}

const DURATIONS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

fn integer(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

fn decimal(text: &str) -> Result<ExprKind, NumberError<'_>> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(ExprKind::Float(value)),
        Ok(_) => Err(NumberError::TooLarge("`1.7976931348623157e308`")),
        Err(_) => Err(NumberError::DecimalUnit),
    }
}

/// Why an escape has no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EscapeError {
    /// No such escape.
    Unknown,
    /// `\u{…}` without a character of that number.
    CodePoint,
}

/// The character that an escape with its backslash stands for.
pub(crate) fn escape(text: &str) -> Result<char, EscapeError> {
    let rest = text.strip_prefix('\\').unwrap_or_default();
    match rest {
        "n" => Ok('\n'),
        "t" => Ok('\t'),
        "r" => Ok('\r'),
        "\"" => Ok('"'),
        "\\" => Ok('\\'),
        "$" => Ok('$'),
        "'" => Ok('\''),
        _ => {
            let digits = rest.strip_prefix("u{").and_then(|rest| rest.strip_suffix('}')).ok_or(EscapeError::Unknown)?;
            let valid = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let code = u32::from_str_radix(digits, 16).ok().filter(|_| valid);
            code.and_then(char::from_u32).ok_or(EscapeError::CodePoint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EscapeError, NumberError, escape, number};
    use crate::ast::ExprKind;

    #[test]
    fn numbers_have_their_units() {
        assert_eq!(number("1_000"), Ok(ExprKind::Int(1000)));
        assert_eq!(number("18446744073709551615"), Ok(ExprKind::Int(u64::MAX)));
        assert!(matches!(number("18446744073709551616"), Err(NumberError::TooLarge(_))));
        assert_eq!(number("250ms"), Ok(ExprKind::Duration(250_000_000)));
        assert_eq!(number("7d"), Ok(ExprKind::Duration(604_800_000_000_000)));
        assert!(matches!(number("999999d"), Err(NumberError::TooLarge(_))));
        assert_eq!(number("64KiB"), Ok(ExprKind::Size(65_536)));
        assert_eq!(number("10KB"), Ok(ExprKind::Size(10_000)));
        assert_eq!(number("1e-3"), Ok(ExprKind::Float(0.001)));
        assert_eq!(number("2E6"), Ok(ExprKind::Float(2e6)));
        assert!(matches!(number("1e999"), Err(NumberError::TooLarge(_))));
        assert_eq!(number("5min"), Err(NumberError::Unit("min")));
        assert_eq!(number("0x10"), Err(NumberError::Unit("x10")));
        assert_eq!(number("1.5s"), Err(NumberError::DecimalUnit));
    }

    #[test]
    fn escapes_are_the_documented_ones() {
        assert_eq!(escape("\\u{1F600}"), Ok('😀'));
        assert_eq!(escape("\\u{d800}"), Err(EscapeError::CodePoint));
        assert_eq!(escape("\\u{+41}"), Err(EscapeError::CodePoint));
        assert_eq!(escape("\\q"), Err(EscapeError::Unknown));
    }
}
