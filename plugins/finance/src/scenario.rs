//! The same book under other circumstances.

use crate::book::Book;
use crate::decimal::{Decimal, DecimalError};
use crate::entity::Kind;

/// What is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// By how much revenue and grants are multiplied.
    pub income: Decimal,
    /// By how much salaries, rent and subscriptions are multiplied.
    pub costs: Decimal,
    /// By how many months those employees come later that are not there from the first month on.
    pub delay: u32,
}

impl Scenario {
    /// The book under it.
    ///
    /// # Errors
    /// [`DecimalError::Range`].
    pub fn apply(&self, book: &Book) -> Result<Book, DecimalError> {
        let mut changed = book.clone();
        for entity in &mut changed.entities {
            entity.amount = match entity.kind {
                Kind::Revenue | Kind::Grant => entity.amount.times(self.income)?,
                Kind::Employee | Kind::Facility | Kind::Software => entity.amount.times(self.costs)?,
                Kind::Opening | Kind::Equipment | Kind::Loan => entity.amount,
            };
            if entity.kind == Kind::Employee && entity.first > 1 {
                entity.first += self.delay;
            }
        }
        Ok(changed)
    }
}
