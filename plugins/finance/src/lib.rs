//! A small financial model: what a company earns and spends month by month, and the formulas of its calculators.
//!
//! Money is decimal and rounded half to even, the time value of money is `f64` as in spreadsheets. Each formula names its
//! source. Nothing here reads a clock, a file or a random number: the same input gives the same bytes.

mod book;
mod calculators;
mod decimal;
mod depreciation;
mod entity;
mod equity;
mod forecast;
mod loans;
mod rates;
mod scaling;
mod scenario;
mod statement;
mod table;
pub mod vectors;

pub use book::{Book, BookError};
pub use calculators::{CALCULATORS, calculate};
pub use decimal::{Decimal, DecimalError, Rounding};
pub use entity::{Entity, Kind, RULES, Rule};
pub use forecast::{Ledger, Line, MAX_MONTHS, forecast};
pub use scaling::{amdahl, divide, staff};
pub use scenario::Scenario;
pub use statement::{Statement, cell, markdown_row};
pub use table::{TableError, checksum, read, write};
