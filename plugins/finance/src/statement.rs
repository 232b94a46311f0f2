//! What a year comes to, and how it is written down.

use crate::book::Book;
use crate::decimal::{Decimal, DecimalError};
use crate::entity::Kind;
use crate::forecast::{Ledger, forecast};

/// The figures of some months. Amounts are in cents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The months that it is made of.
    pub ledger: Ledger,
    /// Inflow and outflow by kind, in the order of [`Kind::ALL`].
    pub kinds: Vec<(Kind, i64, i64)>,
    /// What equipment loses in these months: straight line over its life, from the month after it was bought.
    pub depreciation: i64,
}

impl Statement {
    /// Of the months from 1 on.
    ///
    /// # Errors
    /// [`DecimalError::Range`].
    pub fn of(book: &Book, months: u32) -> Result<Self, DecimalError> {
        let ledger = forecast(book.opening, &book.entities, 1..=months)?;
        let mut kinds = Vec::new();
        for kind in Kind::ALL {
            let part = forecast(0, &book.only(kind).entities, 1..=months)?;
            let (inflow, outflow) = part.lines.iter().fold((0, 0), |(i, o), line| (i + line.inflow, o + line.outflow));
            if (inflow, outflow) != (0, 0) {
                kinds.push((kind, inflow, outflow));
            }
        }
        Ok(Self { ledger, kinds, depreciation: depreciation(book, months)? })
    }

    /// The least balance and its month.
    #[must_use]
    pub fn lowest(&self) -> (i64, u32) {
        let months = self.ledger.balances().zip(self.ledger.lines.iter().map(|line| line.month));
        months.min().unwrap_or((self.ledger.opening, 0))
    }

    fn total(&self, wanted: impl Fn(Kind) -> bool) -> (i64, i64) {
        let kinds = self.kinds.iter().filter(|(kind, ..)| wanted(*kind));
        kinds.fold((0, 0), |(i, o), (_, inflow, outflow)| (i + inflow, o + outflow))
    }

    /// The figures by name, as they are reported.
    ///
    /// # Errors
    /// [`DecimalError::ByZero`] when there is no debt to cover.
    pub fn figures(&self) -> Result<Vec<(&'static str, String)>, DecimalError> {
        let (inflow, outflow) = self.total(|_| true);
        let (income, _) = self.total(Kind::earns);
        let (_, operating) = self.total(|kind| matches!(kind, Kind::Employee | Kind::Facility | Kind::Software));
        let (_, debt) = self.total(|kind| kind == Kind::Loan);
        let (lowest, month) = self.lowest();
        let covered = Decimal::cents(income - operating).over(Decimal::cents(debt))?;
        Ok(vec![
            ("inflow", money(inflow)),
            ("outflow", money(outflow)),
            ("closing balance", money(self.ledger.closing())),
            ("lowest balance", money(lowest)),
            ("month of the lowest balance", month.to_string()),
            ("operating result", money(income - operating)),
            ("depreciation", money(self.depreciation)),
            ("debt service", money(debt)),
            ("debt service coverage", covered.show(4)),
        ])
    }

    /// The months as comma-separated values with a line of totals.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut rows = vec![["month", "inflow", "outflow", "balance"].map(str::to_owned).to_vec()];
        for (line, balance) in self.ledger.lines.iter().zip(self.ledger.balances()) {
            rows.push(vec![line.month.to_string(), money(line.inflow), money(line.outflow), money(balance)]);
        }
        let (inflow, outflow) = self.total(|_| true);
        rows.push(vec!["total".to_owned(), money(inflow), money(outflow), money(self.ledger.closing())]);
        crate::table::write(&rows)
    }
}

fn depreciation(book: &Book, months: u32) -> Result<i64, DecimalError> {
    let mut lost = 0;
    for entity in book.entities.iter().filter(|entity| entity.kind == Kind::Equipment) {
        let life = entity.rate;
        let used = Decimal::whole(i64::from(months.saturating_sub(entity.first)));
        lost += entity.amount.times(used.min(life))?.over(life)?.to_cents()?;
    }
    Ok(lost)
}

fn money(cents: i64) -> String {
    Decimal::cents(cents).show(2)
}

/// A cell that no spreadsheet takes for a formula: one that begins with `=`, `+`, `-`, `@`, a tab or a line break gets a leading
/// apostrophe, unless it is a number (OWASP, *CSV Injection*).
#[must_use]
pub fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if formula && Decimal::parse(text).is_err() { format!("'{text}") } else { text.to_owned() }
}

/// A row of a Markdown table (GitHub Flavored Markdown, 4.10): pipes are escaped, line breaks are blanks.
#[must_use]
pub fn markdown_row(cells: &[&str]) -> String {
    let cell = |text: &&str| text.replace(['\r', '\n'], " ").replace('\\', "\\\\").replace('|', "\\|");
    format!("| {} |", cells.iter().map(cell).collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::{Statement, cell, markdown_row};
    use crate::book::Book;
    use crate::{table, vectors};

    #[test]
    fn figures_are_as_derived_by_hand() {
        let statement = Statement::of(&Book::read(vectors::COMPANY).unwrap(), 12).unwrap();
        let rows = table::read(vectors::FIGURES).unwrap();
        let figures = statement.figures().unwrap();
        let found: Vec<Vec<String>> = figures.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
        assert_eq!(rows.get(1..).unwrap(), found);
    }

    #[test]
    fn cells_are_text() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("-12.50"), "-12.50");
        assert_eq!(cell("-a"), "'-a");
        assert_eq!(markdown_row(&["a|b", "c\nd"]), "| a\\|b | c d |");
    }
}
