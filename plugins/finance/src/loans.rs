//! Loans that are paid back in equal parts.

use crate::decimal::{Decimal, DecimalError};
use crate::rates;

/// One payment of a loan, in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    /// The whole payment.
    pub(crate) amount: i64,
    /// What is owed after it.
    pub(crate) owed: i64,
}

/// The schedule of a loan at `annual` interest over `months`: interest is rounded to cents half to even each month, and the last
/// payment takes what is left, so that nothing is owed at the end (the method of the annuity, Brealey, Myers, Allen, chapter 2).
pub(crate) fn schedule(principal: Decimal, annual: Decimal, months: u32) -> Result<Vec<Payment>, DecimalError> {
    let rate = annual.over(Decimal::whole(12))?;
    let periods = i32::try_from(months).map_err(|_| DecimalError::Range)?;
    let level = Decimal::nearest(-rates::payment(rate.approximate(), periods, principal.approximate(), 0.0, 0.0))?.to_cents()?;
    let mut owed = principal.to_cents()?;
    let mut payments = Vec::new();
    for month in 1..=months {
        let interest = Decimal::cents(owed).times(rate)?.to_cents()?;
        let amount = if month == months { owed + interest } else { level };
        owed = owed + interest - amount;
        payments.push(Payment { amount, owed });
    }
    Ok(payments)
}

#[cfg(test)]
mod tests {
    use super::schedule;
    use crate::decimal::Decimal;

    #[test]
    fn nothing_is_owed_at_the_end() {
        for (principal, rate, months) in
            [("100000", "0.06", 24), ("1000", "0", 3), ("0.01", "0.5", 12), ("250000.55", "0.0375", 360)]
        {
            let payments = schedule(Decimal::parse(principal).unwrap(), Decimal::parse(rate).unwrap(), months).unwrap();
            assert_eq!(payments.len(), months as usize);
            assert_eq!(payments.last().unwrap().owed, 0);
        }
    }

    #[test]
    fn a_loan_of_two_years() {
        let payments = schedule(Decimal::whole(100_000), Decimal::parse("0.06").unwrap(), 24).unwrap();
        // Interest of the first month: 100000 · 0.005 = 500.00; paid back: 4432.06 − 500.00 = 3932.06.
        assert_eq!((payments[0].amount, payments[0].owed), (443_206, 9_606_794));
    }
}
