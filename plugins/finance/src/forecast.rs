//! What a book earns and spends in each month.

use std::ops::RangeInclusive;

use crate::decimal::{Decimal, DecimalError};
use crate::entity::{Entity, Kind};
use crate::loans;

/// The most months of a forecast.
pub const MAX_MONTHS: u32 = 600;

/// A month, in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub month: u32,
    /// What comes in.
    pub inflow: i64,
    /// What goes out.
    pub outflow: i64,
}

/// Months in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// What is there before the first month, in cents.
    pub opening: i64,
    /// In order.
    pub lines: Vec<Line>,
    /// How many times an entity was looked at in a month: what it cost.
    pub work: u64,
}

impl Ledger {
    /// What is there after each month, in cents.
    pub fn balances(&self) -> impl Iterator<Item = i64> + '_ {
        self.lines.iter().scan(self.opening, |balance, line| {
            *balance = balance.saturating_add(line.inflow).saturating_sub(line.outflow);
            Some(*balance)
        })
    }

    /// What is there at the end, in cents.
    #[must_use]
    pub fn closing(&self) -> i64 {
        self.balances().last().unwrap_or(self.opening)
    }

    /// Month by month the sum of both; none when they are not of the same months.
    #[must_use]
    pub fn join(&self, other: &Self) -> Option<Self> {
        if !self.lines.iter().map(|line| line.month).eq(other.lines.iter().map(|line| line.month)) {
            return None;
        }
        let lines = self.lines.iter().zip(&other.lines).map(|(a, b)| {
            Some(Line { month: a.month, inflow: a.inflow.checked_add(b.inflow)?, outflow: a.outflow.checked_add(b.outflow)? })
        });
        let opening = self.opening.checked_add(other.opening)?;
        Some(Self { opening, lines: lines.collect::<Option<_>>()?, work: self.work + other.work })
    }

    /// The months of `other` after these.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        self.lines.extend(other.lines);
        self.work += other.work;
        self
    }
}

/// The months of all entities together.
///
/// # Errors
/// [`DecimalError::Range`] when a sum is out of range or there are more than [`MAX_MONTHS`].
pub fn forecast(opening: i64, entities: &[Entity], months: RangeInclusive<u32>) -> Result<Ledger, DecimalError> {
    if *months.end() > MAX_MONTHS {
        return Err(DecimalError::Range);
    }
    let start = *months.start();
    let lines = months.clone().map(|month| Line { month, ..Line::default() }).collect();
    let mut ledger = Ledger { opening, lines, work: 0 };
    for entity in entities {
        let mut flows = Flows::new(entity)?;
        for month in entity.first..=(*months.end()).min(entity.last) {
            let (inflow, outflow) = flows.next(month)?;
            let line = month.checked_sub(start).and_then(|index| ledger.lines.get_mut(index as usize));
            let Some(line) = line else { continue };
            line.inflow = line.inflow.checked_add(inflow).ok_or(DecimalError::Range)?;
            line.outflow = line.outflow.checked_add(outflow).ok_or(DecimalError::Range)?;
            ledger.work += 1;
        }
    }
    Ok(ledger)
}

/// What an entity does month after month, from its first.
struct Flows<'e> {
    entity: &'e Entity,
    /// The revenue of the next month.
    current: Decimal,
    payments: Vec<loans::Payment>,
}

impl<'e> Flows<'e> {
    fn new(entity: &'e Entity) -> Result<Self, DecimalError> {
        let payments = match entity.kind {
            Kind::Loan => loans::schedule(entity.amount, entity.rate, entity.last - entity.first)?,
            _ => Vec::new(),
        };
        Ok(Self { entity, current: entity.amount, payments })
    }

    /// Inflow and outflow in cents. Months are asked for one after the other.
    fn next(&mut self, month: u32) -> Result<(i64, i64), DecimalError> {
        let entity = self.entity;
        let since = month - entity.first;
        Ok(match entity.kind {
            Kind::Opening => (0, 0),
            Kind::Revenue => {
                let cents = self.current.to_cents()?;
                self.current = self.current.times(Decimal::ONE.plus(entity.rate)?)?;
                (cents, 0)
            }
            Kind::Grant => (entity.amount.to_cents()?, 0),
            Kind::Employee => (0, entity.amount.times(entity.rate)?.over(Decimal::whole(12))?.to_cents()?),
            Kind::Facility | Kind::Software | Kind::Equipment => (0, entity.amount.to_cents()?),
            Kind::Loan if since == 0 => (entity.amount.to_cents()?, 0),
            Kind::Loan => (0, self.payments.get(since as usize - 1).map_or(0, |payment| payment.amount)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, forecast};
    use crate::book::Book;
    use crate::entity::Kind;
    use crate::{table, vectors};

    fn company() -> Book {
        Book::read(vectors::COMPANY).unwrap()
    }

    fn whole() -> Ledger {
        let book = company();
        forecast(book.opening, &book.entities, 1..=12).unwrap()
    }

    #[test]
    fn the_company_is_as_derived_by_hand() {
        let ledger = whole();
        let rows = table::read(vectors::FORECAST).unwrap();
        for ((row, line), balance) in rows.iter().skip(1).zip(&ledger.lines).zip(ledger.balances()) {
            let found = [i64::from(line.month), line.inflow, line.outflow, balance].map(|number| number.to_string());
            assert_eq!(row, &found);
        }
        assert_eq!(rows.len(), 13);
    }

    #[test]
    fn parts_in_time_and_by_kind_make_the_whole() {
        let (book, whole) = (company(), whole());
        let mut steps = Ledger { opening: book.opening, ..Ledger::default() };
        for start in [1, 4, 7, 10] {
            steps = steps.followed_by(forecast(0, &book.entities, start..=start + 2).unwrap());
        }
        assert_eq!(steps, whole);
        let kinds = Kind::ALL.iter().map(|kind| forecast(0, &book.only(*kind).entities, 1..=12).unwrap());
        let joined = kinds.reduce(|a, b| a.join(&b).unwrap()).unwrap();
        assert_eq!(Ledger { opening: book.opening, ..joined }, whole);
        assert_eq!(whole.join(&Ledger::default()), None);
    }

    #[test]
    fn forecasts_are_bounded() {
        assert!(forecast(0, &[], 1..=601).is_err());
    }
}
