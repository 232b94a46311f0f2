//! The calculators by name, as test vectors call them.

use crate::decimal::{Decimal, Rounding};
use crate::{depreciation, equity, loans, rates, scaling};

/// Takes numbers, gives a number; none where the arguments do not fit or there is no value.
type Calculator = fn(&[Decimal]) -> Option<Decimal>;

/// All calculators with their names, in alphabetical order.
pub const CALCULATORS: [(&str, Calculator); 24] = [
    ("amdahl", |args| plain(args, |[serial, workers]| Some(scaling::amdahl(serial, workers)))),
    ("break_even", |args| plain(args, |[fixed, price, variable]| Some(fixed / (price - variable)))),
    ("coverage_of_debt", |args| plain(args, |[income, debt_service]| Some(income / debt_service))),
    ("declining_balance", |args| {
        plain(args, |[cost, salvage, life, period, factor]| {
            Some(depreciation::declining(cost, salvage, life, count(period)?, factor))
        })
    }),
    ("effective_rate", |args| plain(args, |[nominal, periods]| Some(rates::effective(nominal, count(periods)?)))),
    ("future_value", |args| {
        plain(args, |[rate, periods, payment, present, due]| {
            Some(rates::future_value(rate, count(periods)?, payment, present, due))
        })
    }),
    ("gustafson", |args| plain(args, |[serial, workers]| Some(scaling::gustafson(serial, workers)))),
    ("interest", |args| {
        plain(args, |[rate, k, periods, present]| Some(rates::interest(rate, count(k)?, count(periods)?, present)))
    }),
    ("internal_rate", |args| Decimal::nearest(rates::irr(&approximate(args))?).ok()),
    ("last_payment", |args| {
        let [principal, annual, months] = args else { return None };
        let payments = loans::schedule(*principal, *annual, whole(*months)?).ok()?;
        payments.last().map(|last| Decimal::cents(last.amount))
    }),
    ("loan_total", |args| {
        let [principal, annual, months] = args else { return None };
        let payments = loans::schedule(*principal, *annual, whole(*months)?).ok()?;
        Some(Decimal::cents(payments.iter().map(|payment| payment.amount).sum()))
    }),
    ("net_present_value", |args| {
        let args = approximate(args);
        let (rate, values) = args.split_first()?;
        Decimal::nearest(rates::npv(*rate, values)).ok()
    }),
    ("payback", |args| Decimal::nearest(rates::payback(&approximate(args))?).ok()),
    ("payment", |args| {
        plain(args, |[rate, periods, present, future, due]| Some(rates::payment(rate, count(periods)?, present, future, due)))
    }),
    ("periods", |args| {
        plain(args, |[rate, payment, present, future, due]| Some(rates::periods(rate, payment, present, future, due)))
    }),
    ("present_value", |args| plain(args, |[rate, periods, payment]| Some(rates::present_value(rate, count(periods)?, payment)))),
    ("principal", |args| {
        plain(args, |[rate, k, periods, present]| Some(rates::principal(rate, count(k)?, count(periods)?, present)))
    }),
    ("round_away", |args| rounded(args, Rounding::HalfAway)),
    ("round_even", |args| rounded(args, Rounding::HalfEven)),
    ("runway", |args| plain(args, |[cash, burn]| (burn > 0.0).then_some(cash / burn))),
    ("straight_line", |args| plain(args, |[cost, salvage, life]| Some(depreciation::straight_line(cost, salvage, life)))),
    ("vested", |args| {
        let [total, months, cliff, month] = args else { return None };
        equity::vested(*total, long(*months)?, long(*cliff)?, long(*month)?).ok()
    }),
    ("vesting", |args| {
        let [total, months, cliff, month] = args else { return None };
        equity::vesting(*total, long(*months)?, long(*cliff)?, long(*month)?).ok()
    }),
    ("years_digits", |args| {
        plain(args, |[cost, salvage, life, period]| Some(depreciation::years_digits(cost, salvage, life, period)))
    }),
];

/// What a calculator gives for numbers that are divided by blanks; with so many places.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn calculate(name: &str, arguments: &str, places: u32) -> Result<String, String> {
    let found = CALCULATORS.iter().find(|(known, _)| *known == name);
    let (_, calculator) = found.ok_or_else(|| format!("there is no calculator `{name}`"))?;
    let arguments: Result<Vec<Decimal>, _> = arguments.split_whitespace().map(Decimal::parse).collect();
    let arguments = arguments.map_err(|error| error.to_string())?;
    let value = calculator(&arguments).ok_or_else(|| format!("`{name}` has no value for these arguments"))?;
    Ok(value.show(places))
}

fn plain<const N: usize>(args: &[Decimal], formula: impl Fn([f64; N]) -> Option<f64>) -> Option<Decimal> {
    let args: [f64; N] = approximate(args).try_into().ok()?;
    Decimal::nearest(formula(args)?).ok()
}

fn approximate(args: &[Decimal]) -> Vec<f64> {
    args.iter().map(|arg| arg.approximate()).collect()
}

fn rounded(args: &[Decimal], rounding: Rounding) -> Option<Decimal> {
    let [value, places] = args else { return None };
    Some(value.rounded(whole(*places)?, rounding))
}

fn count(value: f64) -> Option<i32> {
    (value.fract() == 0.0 && (0.0..=1e6).contains(&value)).then_some(value as i32)
}

fn long(value: Decimal) -> Option<i64> {
    count(value.approximate()).map(i64::from)
}

fn whole(value: Decimal) -> Option<u32> {
    count(value.approximate()).and_then(|count| u32::try_from(count).ok())
}

#[cfg(test)]
mod tests {
    use super::{CALCULATORS, calculate};
    use crate::{table, vectors};

    #[test]
    fn every_vector_holds() {
        let rows = table::read(vectors::CALCULATORS).unwrap();
        let mut wrong = Vec::new();
        for row in rows.iter().skip(1) {
            let [test, function, arguments, expected, places, _source] = row.as_slice() else { panic!("{row:?}") };
            let got = calculate(function, arguments, places.parse().unwrap());
            if got.as_ref() != Ok(expected) {
                wrong.push(format!("{test}: expected {expected}, got {got:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn every_calculator_has_a_vector_and_a_place() {
        let rows = table::read(vectors::CALCULATORS).unwrap();
        for (name, _) in CALCULATORS {
            assert!(rows.iter().any(|row| row[1] == name), "{name} has no vector");
        }
        assert!(CALCULATORS.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn what_has_no_value_says_so() {
        assert!(calculate("discount", "1", 2).unwrap_err().contains("no calculator"));
        assert!(calculate("payment", "1 2", 2).unwrap_err().contains("no value"));
        assert!(calculate("payment", "a", 2).unwrap_err().contains("no decimal number"));
        assert!(calculate("break_even", "100 5 5", 2).unwrap_err().contains("no value"));
        assert!(calculate("internal_rate", "1 2 3", 2).unwrap_err().contains("no value"));
    }
}
