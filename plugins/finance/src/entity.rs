//! What the model consists of, and the rules that each part keeps to.

use std::fmt;

use crate::decimal::Decimal;

/// What kind of thing earns or spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What is there at the beginning; once in a book.
    Opening,
    /// An income that grows by `rate` each month.
    Revenue,
    /// An income that stays the same.
    Grant,
    /// A salary for a year; `rate` is the factor for what is paid on top.
    Employee,
    /// Rent for a month.
    Facility,
    /// A subscription for a month.
    Software,
    /// Bought in month `first`; `rate` is its life in months, over which it loses its value.
    Equipment,
    /// Received in month `first` at `rate` interest a year, paid back in equal parts in the months after it, to `last`.
    Loan,
}

impl Kind {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 8] =
        [Self::Opening, Self::Revenue, Self::Grant, Self::Employee, Self::Facility, Self::Software, Self::Equipment, Self::Loan];

    /// As it stands in a book.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Revenue => "revenue",
            Self::Grant => "grant",
            Self::Employee => "employee",
            Self::Facility => "facility",
            Self::Software => "software",
            Self::Equipment => "equipment",
            Self::Loan => "loan",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is an income.
    #[must_use]
    pub const fn earns(self) -> bool {
        matches!(self, Self::Revenue | Self::Grant)
    }
}

/// What a row keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It has six fields.
    Columns,
    /// The kind is a known one.
    Kind,
    /// The name has 1 to 64 characters, none of them a control character.
    Name,
    /// No other row has its kind and name.
    Unique,
    /// The amount is a decimal number above 0, at most 1,000,000,000.
    Amount,
    /// The amount is in whole cents.
    Cents,
    /// The rate is within what its kind allows.
    Rate,
    /// `first` and `last` are months from 1 to 600.
    Months,
    /// `last` is not before `first`.
    Order,
    /// A loan is paid back after it was received.
    Term,
    /// Equipment is bought once: `first` is `last`.
    Once,
    /// There is one opening balance, in month 1.
    Opening,
}

/// All rules with their names.
pub const RULES: [(Rule, &str); 12] = [
    (Rule::Columns, "columns"),
    (Rule::Kind, "kind"),
    (Rule::Name, "name"),
    (Rule::Unique, "unique"),
    (Rule::Amount, "amount"),
    (Rule::Cents, "cents"),
    (Rule::Rate, "rate"),
    (Rule::Months, "months"),
    (Rule::Order, "order"),
    (Rule::Term, "term"),
    (Rule::Once, "once"),
    (Rule::Opening, "opening"),
];

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = RULES.iter().find(|(rule, _)| rule == self).map_or("rule", |(_, name)| name);
        f.write_str(name)
    }
}

/// The last month of any model: fifty years.
const LAST_MONTH: u32 = 600;
const MOST: i64 = 1_000_000_000;

/// One row of a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
    /// In the currency's unit: a year's salary, else a month's or the whole amount.
    pub amount: Decimal,
    /// What it means depends on the kind.
    pub rate: Decimal,
    /// The first month, from 1.
    pub first: u32,
    /// The last month.
    pub last: u32,
}

impl Entity {
    /// Reads a row.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read(fields: &[String]) -> Result<Self, Rule> {
        let [kind, name, amount, rate, first, last] = fields else { return Err(Rule::Columns) };
        let kind = Kind::named(kind).ok_or(Rule::Kind)?;
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(Rule::Name);
        }
        let amount = Decimal::parse(amount).ok().filter(|amount| Decimal::ZERO < *amount && *amount <= Decimal::whole(MOST));
        let amount = amount.ok_or(Rule::Amount)?;
        if !amount.fits(2) {
            return Err(Rule::Cents);
        }
        let rate = Decimal::parse(rate).ok().filter(|rate| rate_fits(kind, *rate)).ok_or(Rule::Rate)?;
        let (first, last) = (month(first)?, month(last)?);
        let entity = Self { kind, name: name.clone(), amount, rate, first, last };
        entity.broken_span().map_or(Ok(entity), Err)
    }

    fn broken_span(&self) -> Option<Rule> {
        if self.last < self.first {
            return Some(Rule::Order);
        }
        match self.kind {
            Kind::Loan if self.last == self.first => Some(Rule::Term),
            Kind::Equipment if self.last != self.first => Some(Rule::Once),
            Kind::Opening if (self.first, self.last) != (1, 1) => Some(Rule::Opening),
            _ => None,
        }
    }

    /// The row that [`Entity::read`] reads.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        let rate = self.rate.show(10);
        vec![
            self.kind.name().to_owned(),
            self.name.clone(),
            self.amount.show(2),
            rate.trim_end_matches('0').trim_end_matches('.').to_owned(),
            self.first.to_string(),
            self.last.to_string(),
        ]
    }
}

fn month(text: &str) -> Result<u32, Rule> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let month = if digits { text.parse().ok() } else { None };
    month.filter(|month| (1..=LAST_MONTH).contains(month)).ok_or(Rule::Months)
}

fn rate_fits(kind: Kind, rate: Decimal) -> bool {
    let (one, zero) = (Decimal::ONE, Decimal::ZERO);
    match kind {
        Kind::Opening | Kind::Grant => rate == zero,
        Kind::Revenue => Decimal::whole(-1) < rate && rate <= one,
        Kind::Employee => one <= rate && rate <= Decimal::whole(3),
        Kind::Facility | Kind::Software => rate == zero,
        Kind::Equipment => one <= rate && rate <= Decimal::whole(i64::from(LAST_MONTH)) && rate.fits(0),
        Kind::Loan => zero <= rate && rate <= one,
    }
}
