//! A book: all rows of a model together.

use std::fmt;

use crate::decimal::Decimal;
use crate::entity::{Entity, Kind, Rule};
use crate::table::{self, TableError};

const HEAD: [&str; 6] = ["kind", "name", "amount", "rate", "first", "last"];

/// A model that keeps to all rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// In cents.
    pub opening: i64,
    /// All rows but the opening balance, in the order of the text.
    pub entities: Vec<Entity>,
}

/// Why a text is no book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookError {
    /// It is no table.
    Table(TableError),
    /// The first line does not name the columns.
    Head,
    /// A row, counted from 1 without the head, breaks a rule.
    Broken {
        /// Which row.
        row: usize,
        /// Which rule.
        rule: Rule,
    },
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(error) => error.fmt(f),
            Self::Head => write!(f, "the first line is not `{}`", HEAD.join(",")),
            Self::Broken { row, rule } => write!(f, "row {row} breaks the rule `{rule}`"),
        }
    }
}

impl Book {
    /// Reads a book from comma-separated values with a head.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(text: &str) -> Result<Self, BookError> {
        let rows = table::read(text).map_err(BookError::Table)?;
        let Some((head, rows)) = rows.split_first().filter(|(head, _)| head.iter().eq(HEAD.iter())) else {
            return Err(BookError::Head);
        };
        debug_assert_eq!(head.len(), HEAD.len(), "the head was compared");
        let mut book = Self { opening: 0, entities: Vec::new() };
        let mut opened = false;
        for (index, fields) in rows.iter().enumerate() {
            let broken = |rule| BookError::Broken { row: index + 1, rule };
            let entity = Entity::read(fields).map_err(broken)?;
            if entity.kind == Kind::Opening {
                if opened {
                    return Err(broken(Rule::Opening));
                }
                opened = true;
                book.opening = entity.amount.to_cents().map_err(|_| broken(Rule::Amount))?;
            } else if book.entities.iter().any(|other| other.kind == entity.kind && other.name == entity.name) {
                return Err(broken(Rule::Unique));
            } else {
                book.entities.push(entity);
            }
        }
        if opened { Ok(book) } else { Err(BookError::Broken { row: rows.len(), rule: Rule::Opening }) }
    }

    /// The text that [`Book::read`] reads.
    #[must_use]
    pub fn write(&self) -> String {
        let opening = Entity {
            kind: Kind::Opening,
            name: "cash".to_owned(),
            amount: Decimal::cents(self.opening),
            rate: Decimal::ZERO,
            first: 1,
            last: 1,
        };
        let mut rows = vec![HEAD.map(str::to_owned).to_vec(), opening.fields()];
        rows.extend(self.entities.iter().map(Entity::fields));
        table::write(&rows)
    }

    /// Only the rows of a kind, with nothing at the beginning.
    #[must_use]
    pub fn only(&self, kind: Kind) -> Self {
        let entities = self.entities.iter().filter(|entity| entity.kind == kind).cloned().collect();
        Self { opening: 0, entities }
    }
}

#[cfg(test)]
mod tests {
    use super::{Book, BookError};
    use crate::entity::Rule;
    use crate::vectors;

    #[test]
    fn the_company_is_read_as_it_is_written() {
        let book = Book::read(vectors::COMPANY).unwrap();
        assert_eq!(Book::read(&book.write()).unwrap(), book);
        assert_eq!(book.opening, 5_000_000);
    }

    #[test]
    fn rules_of_the_whole_book() {
        let head = "kind,name,amount,rate,first,last\n";
        let rule = |rows: &str| match Book::read(&format!("{head}{rows}")) {
            Err(BookError::Broken { row, rule }) => Some((row, rule)),
            _ => None,
        };
        assert_eq!(rule("opening,cash,1,0,1,1\nopening,more,1,0,1,1\n"), Some((2, Rule::Opening)));
        assert_eq!(rule("grant,a,1,0,1,1\n"), Some((1, Rule::Opening)));
        assert_eq!(rule("opening,cash,1,0,1,1\ngrant,a,1,0,1,1\ngrant,a,2,0,1,1\n"), Some((3, Rule::Unique)));
        assert_eq!(Book::read("a,b\n"), Err(BookError::Head));
        assert_eq!(Book::read(""), Err(BookError::Head));
    }
}
