//! What becomes of a grant over time.

use crate::decimal::{Decimal, DecimalError};

/// What has vested after `month` of `months`, nothing before the cliff: `total · month / months`, rounded to cents half to even.
pub(crate) fn vested(total: Decimal, months: i64, cliff: i64, month: i64) -> Result<Decimal, DecimalError> {
    if month < cliff {
        return Ok(Decimal::ZERO);
    }
    let share = total.times(Decimal::whole(month.min(months)))?.over(Decimal::whole(months))?;
    Ok(Decimal::cents(share.to_cents()?))
}

/// What vests in `month`: the difference of what has vested, so that the parts add up to the whole to the cent.
pub(crate) fn vesting(total: Decimal, months: i64, cliff: i64, month: i64) -> Result<Decimal, DecimalError> {
    vested(total, months, cliff, month)?.minus(vested(total, months, cliff, month - 1)?)
}

#[cfg(test)]
mod tests {
    use super::vesting;
    use crate::decimal::Decimal;

    #[test]
    fn the_parts_add_up_to_the_whole() {
        for (total, months, cliff) in [(100_000, 48, 0), (100_000, 48, 12), (1, 7, 3), (99_999, 36, 1)] {
            let mut sum = Decimal::ZERO;
            for month in 1..=months {
                sum = sum.plus(vesting(Decimal::whole(total), months, cliff, month).unwrap()).unwrap();
            }
            assert_eq!(sum, Decimal::whole(total));
        }
    }
}
