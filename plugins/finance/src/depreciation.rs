//! What assets lose. Source: Kieso, Weygandt, Warfield, *Intermediate Accounting*, chapter on depreciation; the declining balance
//! never falls below the salvage value, as in the function `DDB` of ISO/IEC 29500-1, 18.17.7.

/// `(cost − salvage) / life`.
pub(crate) fn straight_line(cost: f64, salvage: f64, life: f64) -> f64 {
    (cost - salvage) / life
}

/// Sum of the years' digits: `(cost − salvage) (life − k + 1) · 2 / (life (life + 1))`.
pub(crate) fn years_digits(cost: f64, salvage: f64, life: f64, period: f64) -> f64 {
    (cost - salvage) * (life - period + 1.0) * 2.0 / (life * (life + 1.0))
}

/// Declining balance: `factor / life` of the book value in each period, as long as it stays above the salvage value.
pub(crate) fn declining(cost: f64, salvage: f64, life: f64, period: i32, factor: f64) -> f64 {
    let (mut value, mut lost) = (cost, 0.0);
    for _ in 0..period {
        lost = (value * factor / life).min((value - salvage).max(0.0));
        value -= lost;
    }
    lost
}
