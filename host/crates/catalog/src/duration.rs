//! Lengths of time as text: `250ms`, `30s`, `5m`, `2h`, `7d`.
//!
//! A duration is a whole number of nanoseconds in a `u64` (about 584 years at most). Its text is a whole
//! number and one unit. It is printed with the largest unit that divides it, so the text is exact.

use std::fmt;

/// Units with their nanoseconds, largest first.
const UNITS: [(&str, u64); 7] = [
    ("d", 24 * 60 * 60 * 1_000_000_000),
    ("h", 60 * 60 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The nanoseconds that a text such as `30s` stands for.
///
/// # Errors
/// Says in one phrase what is wrong with it.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let known = UNITS.iter().find(|(name, _)| *name == unit);
    let (Some((_, nanos)), false) = (known, number.is_empty()) else {
        return Err("a duration is a whole number with one of the units `ns us ms s m h d`, such as `30s`".to_owned());
    };
    let count: Option<u64> = number.parse().ok();
    count.and_then(|count| count.checked_mul(*nanos)).ok_or_else(|| "the longest duration is `213503d`".to_owned())
}

/// The text of a duration in nanoseconds.
#[must_use]
pub fn display(nanos: u64) -> impl fmt::Display {
    DurationText(nanos)
}

struct DurationText(u64);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = UNITS.iter().find(|(_, nanos)| self.0.is_multiple_of(*nanos));
        match fitting {
            Some((unit, nanos)) if self.0 > 0 => write!(f, "{}{unit}", self.0 / nanos),
            _ => f.write_str("0s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_nanoseconds_agree() {
        let cases = [
            ("0s", 0),
            ("1ns", 1),
            ("1500ns", 1_500),
            ("250us", 250_000),
            ("250ms", 250_000_000),
            ("30s", 30_000_000_000),
            ("90s", 90_000_000_000),
            ("5m", 300_000_000_000),
            ("2h", 7_200_000_000_000),
            ("7d", 604_800_000_000_000),
            ("18446744073709551615ns", u64::MAX),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse(text), Ok(nanos), "{text}");
            assert_eq!(display(nanos).to_string(), text);
        }
    }

    #[test]
    fn the_largest_exact_unit_is_printed() {
        for (text, printed) in [("60s", "1m"), ("24h", "1d"), ("1000ms", "1s"), ("0d", "0s"), ("007s", "7s")] {
            assert_eq!(display(parse(text).unwrap()).to_string(), printed);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "s", "30", "30 s", "-5s", "1.5s", "1h30m", "30S", "30sec", "1_000ms", "٣s", "s30"] {
            assert!(parse(text).unwrap_err().contains("such as `30s`"), "{text}");
        }
        for text in ["213504d", "99999999999999999999ns"] {
            assert_eq!(parse(text).unwrap_err(), "the longest duration is `213503d`", "{text}");
        }
    }
}
