//! Decimal numbers with ten places, checked.

use std::fmt;

/// Units in one.
const ONE: i128 = 10_000_000_000;
const PLACES: u32 = 10;

/// A number in units of 10^-10, exact under addition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i128);

/// Why there is no number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// It is no decimal number.
    Unreadable(String),
    /// It is beyond what is kept: about ±1.7 · 10^28, and 10 places.
    Range,
    /// Division by zero.
    ByZero,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(text) => write!(f, "`{text}` is no decimal number"),
            Self::Range => f.write_str("a number is out of range"),
            Self::ByZero => f.write_str("division by zero"),
        }
    }
}

/// What becomes of a half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the even neighbour: `roundTiesToEven` of IEEE 754-2019, 4.3.1.
    HalfEven,
    /// Away from zero: `roundTiesToAway` of IEEE 754-2019, 4.3.1.
    HalfAway,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(ONE);

    /// A whole number.
    #[must_use]
    pub const fn whole(value: i64) -> Self {
        Self(value as i128 * ONE)
    }

    /// An amount in cents.
    #[must_use]
    pub const fn cents(value: i64) -> Self {
        Self(value as i128 * (ONE / 100))
    }

    /// Reads digits with at most ten places and perhaps a sign; no exponent, no grouping.
    ///
    /// # Errors
    /// [`DecimalError::Unreadable`] for anything else, [`DecimalError::Range`] beyond the range.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let unreadable = || DecimalError::Unreadable(text.to_owned());
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !numeric(whole) || !numeric(fraction) {
            return Err(unreadable());
        }
        let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= PLACES).ok_or(DecimalError::Range)?;
        let scaled: i128 = fraction.parse::<i128>().map_err(|_| unreadable())? * 10_i128.pow(PLACES - places);
        let whole: i128 = whole.parse().map_err(|_| DecimalError::Range)?;
        let value = whole.checked_mul(ONE).and_then(|whole| whole.checked_add(scaled)).ok_or(DecimalError::Range)?;
        Ok(Self(if negative { -value } else { value }))
    }

    /// The nearest one, ties to even.
    ///
    /// # Errors
    /// [`DecimalError::Range`] for what is not finite or too large.
    pub fn nearest(value: f64) -> Result<Self, DecimalError> {
        let scaled = (value * 1e10).round_ties_even();
        if scaled.is_finite() && scaled.abs() < 1e38 { Ok(Self(scaled as i128)) } else { Err(DecimalError::Range) }
    }

    /// The sum.
    ///
    /// # Errors
    /// [`DecimalError::Range`].
    pub fn plus(self, other: Self) -> Result<Self, DecimalError> {
        self.0.checked_add(other.0).map(Self).ok_or(DecimalError::Range)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`DecimalError::Range`].
    pub fn minus(self, other: Self) -> Result<Self, DecimalError> {
        self.0.checked_sub(other.0).map(Self).ok_or(DecimalError::Range)
    }

    /// The product, half to even in the last place.
    ///
    /// # Errors
    /// [`DecimalError::Range`], also where only the product before rounding is too large.
    pub fn times(self, other: Self) -> Result<Self, DecimalError> {
        let product = self.0.checked_mul(other.0).ok_or(DecimalError::Range)?;
        Ok(Self(divide(product, ONE, Rounding::HalfEven)))
    }

    /// The quotient, half to even in the last place.
    ///
    /// # Errors
    /// [`DecimalError::ByZero`], [`DecimalError::Range`].
    pub fn over(self, other: Self) -> Result<Self, DecimalError> {
        if other.0 == 0 {
            return Err(DecimalError::ByZero);
        }
        let scaled = self.0.checked_mul(ONE).ok_or(DecimalError::Range)?;
        Ok(Self(divide(scaled, other.0, Rounding::HalfEven)))
    }

    /// Rounded to so many places, at most ten.
    #[must_use]
    pub fn rounded(self, places: u32, rounding: Rounding) -> Self {
        let unit = 10_i128.pow(PLACES - places.min(PLACES));
        Self(divide(self.0, unit, rounding) * unit)
    }

    /// In whole cents, half to even.
    ///
    /// # Errors
    /// [`DecimalError::Range`].
    pub fn to_cents(self) -> Result<i64, DecimalError> {
        i64::try_from(divide(self.0, ONE / 100, Rounding::HalfEven)).map_err(|_| DecimalError::Range)
    }

    /// Whether it has at most so many places.
    #[must_use]
    pub fn fits(self, places: u32) -> bool {
        self.rounded(places, Rounding::HalfEven) == self
    }

    /// As `f64`, rounded.
    #[must_use]
    pub fn approximate(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// With exactly so many places.
    #[must_use]
    pub fn show(self, places: u32) -> String {
        let places = places.min(PLACES);
        let value = divide(self.0, 10_i128.pow(PLACES - places), Rounding::HalfEven);
        let sign = if value < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", value.unsigned_abs(), width = places as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places as usize);
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

/// `a / b`, a half as it is said. `b` is not 0.
fn divide(a: i128, b: i128, rounding: Rounding) -> i128 {
    let (quotient, rest) = (a / b, a % b);
    let sign = if (a < 0) == (b < 0) { 1 } else { -1 };
    let (twice, whole) = (rest.unsigned_abs().saturating_mul(2), b.unsigned_abs());
    let up = match rounding {
        Rounding::HalfAway => twice >= whole,
        Rounding::HalfEven => twice > whole || (twice == whole && quotient % 2 != 0),
    };
    if up && rest != 0 { quotient + sign } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::{Decimal, DecimalError, Rounding};

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn reads_and_writes() {
        for (text, places, shown) in [("0", 2, "0.00"), ("-0.5", 1, "-0.5"), ("12.345", 3, "12.345"), ("7", 0, "7")] {
            assert_eq!(number(text).show(places), shown);
        }
        for text in ["", "-", ".", "1.", ".5", "1e3", "1,000", "+1", "0x1", "١"] {
            assert!(matches!(Decimal::parse(text), Err(DecimalError::Unreadable(_))), "{text}");
        }
        assert_eq!(Decimal::parse("0.00000000001"), Err(DecimalError::Range));
        assert_eq!(Decimal::parse(&"9".repeat(60)), Err(DecimalError::Range));
    }

    #[test]
    fn halves() {
        for (text, even, away) in
            [("2.5", "2", "3"), ("3.5", "4", "4"), ("-2.5", "-2", "-3"), ("-0.5", "0", "-1"), ("2.4", "2", "2")]
        {
            assert_eq!(number(text).rounded(0, Rounding::HalfEven).show(0), even);
            assert_eq!(number(text).rounded(0, Rounding::HalfAway).show(0), away);
        }
        assert_eq!(number("2083.335").to_cents(), Ok(208_334));
        assert_eq!(number("-2083.345").to_cents(), Ok(-208_334));
    }

    #[test]
    fn arithmetic_is_checked() {
        assert_eq!(number("1").over(number("3")).unwrap().show(10), "0.3333333333");
        assert_eq!(number("-2").over(number("3")).unwrap().show(10), "-0.6666666667");
        assert_eq!(number("1").over(Decimal::ZERO), Err(DecimalError::ByZero));
        assert_eq!(number("0.1").plus(number("0.2")).unwrap(), number("0.3"));
        assert_eq!(number("1.02").times(number("1.02")).unwrap().show(4), "1.0404");
        assert!(Decimal::whole(i64::MAX).times(Decimal::whole(i64::MAX)).is_err());
        assert!(Decimal::nearest(f64::NAN).is_err());
        assert_eq!(Decimal::nearest(2.5).unwrap(), number("2.5"));
    }
}
