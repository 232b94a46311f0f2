//! The data that the model is tested with. `vectors/README.md` says where each value is from.

/// Calculators: `test,function,arguments,expected,places,source`.
pub const CALCULATORS: &str = include_str!("../vectors/calculators.csv");
/// Rows of books: `test,rule,kind,name,amount,rate,first,last`, the rule that is broken or `none`.
pub const ROWS: &str = include_str!("../vectors/rows.csv");
/// Texts of tables: `test,rule,text,expected`; the row's fields, or what is wrong; line breaks are written `\r` and `\n`.
pub const TABLES: &str = include_str!("../vectors/tables.csv");
/// The book of a small company.
pub const COMPANY: &str = include_str!("../vectors/company.csv");
/// Its year: `month,inflow,outflow,balance` in cents.
pub const FORECAST: &str = include_str!("../vectors/forecast.csv");
/// What its year comes to: `figure,value`.
pub const FIGURES: &str = include_str!("../vectors/figures.csv");
/// Scenarios: `scenario,income,costs,delay,closing,lowest`.
pub const SCENARIOS: &str = include_str!("../vectors/scenarios.csv");
