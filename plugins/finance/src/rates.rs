//! The time value of money. Source of each formula: Brealey, Myers, Allen, *Principles of Corporate Finance*; the conventions
//! (sign, end of period unless `due`) are those of the financial functions of ISO/IEC 29500-1 (Office Open XML), 18.17.7.

/// `NPV = Σ v[i] / (1 + r)^(i + 1)`: the first value is a period away.
pub(crate) fn npv(rate: f64, values: &[f64]) -> f64 {
    values.iter().rev().fold(0.0, |sum, value| (sum + value) / (1.0 + rate))
}

/// The rate at which the values, the first of them now, are worth nothing: the root of `Σ v[i] / (1 + r)^i`, by bisection
/// (Burden, Faires, *Numerical Analysis*, 2.1) of the first interval of a fixed grid in which the sign changes.
pub(crate) fn irr(values: &[f64]) -> Option<f64> {
    let worth = |rate: f64| values.iter().rev().fold(0.0, |sum, value| sum / (1.0 + rate) + value);
    let grid = [-0.99, -0.9, -0.5, -0.1, 0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];
    let bracket = grid.windows(2).find_map(|pair| match pair {
        [low, high] if (worth(*low) < 0.0) != (worth(*high) < 0.0) => Some((*low, *high)),
        _ => None,
    });
    let (mut low, mut high) = bracket?;
    let negative = worth(low) < 0.0;
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if (worth(middle) < 0.0) == negative { low = middle } else { high = middle }
    }
    Some(low)
}

/// The payment of an annuity: `-(pv (1 + r)^n + fv) r / ((1 + r · due) ((1 + r)^n − 1))`, without interest `-(pv + fv) / n`.
pub(crate) fn payment(rate: f64, periods: i32, present: f64, future: f64, due: f64) -> f64 {
    if rate == 0.0 {
        return -(present + future) / f64::from(periods);
    }
    let growth = (1.0 + rate).powi(periods);
    -(present * growth + future) * rate / ((1.0 + rate * due) * (growth - 1.0))
}

/// What an annuity is worth at its end: `-(pv (1 + r)^n + p (1 + r · due) ((1 + r)^n − 1) / r)`.
pub(crate) fn future_value(rate: f64, periods: i32, payment: f64, present: f64, due: f64) -> f64 {
    if rate == 0.0 {
        return -(present + payment * f64::from(periods));
    }
    let growth = (1.0 + rate).powi(periods);
    -(present * growth + payment * (1.0 + rate * due) * (growth - 1.0) / rate)
}

/// What an annuity is worth now: `-p (1 − (1 + r)^−n) / r`.
pub(crate) fn present_value(rate: f64, periods: i32, payment: f64) -> f64 {
    if rate == 0.0 { -payment * f64::from(periods) } else { -payment * (1.0 - (1.0 + rate).powi(-periods)) / rate }
}

/// The interest in payment `k`: the rate on what is owed after `k − 1` payments.
pub(crate) fn interest(rate: f64, k: i32, periods: i32, present: f64) -> f64 {
    future_value(rate, k - 1, payment(rate, periods, present, 0.0, 0.0), present, 0.0) * rate
}

/// The principal in payment `k`: what is not interest.
pub(crate) fn principal(rate: f64, k: i32, periods: i32, present: f64) -> f64 {
    payment(rate, periods, present, 0.0, 0.0) - interest(rate, k, periods, present)
}

/// How many payments it takes: `ln((a − fv) / (a + pv)) / ln(1 + r)` with `a = p (1 + r · due) / r`.
pub(crate) fn periods(rate: f64, payment: f64, present: f64, future: f64, due: f64) -> f64 {
    let a = payment * (1.0 + rate * due) / rate;
    ((a - future) / (a + present)).ln() / (1.0 + rate).ln()
}

/// The effective annual rate of a nominal one: `(1 + r / n)^n − 1`.
pub(crate) fn effective(nominal: f64, periods: i32) -> f64 {
    (1.0 + nominal / f64::from(periods)).powi(periods) - 1.0
}

/// How many periods until the values add up to nothing, the last one in part; none when they never do.
pub(crate) fn payback(values: &[f64]) -> Option<f64> {
    let mut owed = 0.0;
    for (index, value) in values.iter().enumerate() {
        let next = owed + value;
        if index > 0 && owed < 0.0 && next >= 0.0 {
            return Some((index - 1) as f64 - owed / value);
        }
        owed = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{irr, payback};

    #[test]
    fn values_without_a_root_or_an_end_have_none() {
        assert_eq!(irr(&[100.0, 200.0]), None);
        assert_eq!(irr(&[]), None);
        assert_eq!(payback(&[-100.0, 10.0]), None);
    }
}
