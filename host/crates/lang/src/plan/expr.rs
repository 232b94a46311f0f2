//! Expressions and patterns of a plan.

use catalog::{Name, Type, Value};

use super::Slot;

/// A pure, total expression over a frame and local bindings.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A value known when the plan was made.
    Const(Value),
    /// A slot of the frame.
    Slot(Slot),
    /// The n-th local binding (of a pattern, comprehension or lambda), counted from the outermost.
    Local(u32),
    /// A field of a record.
    Field(Box<Expr>, Name),
    /// A member of a tuple.
    TupleField(Box<Expr>, u32),
    /// An item of a list; out of range is a `calculation` failure.
    Index(Box<Expr>, Box<Expr>),
    /// Negation of a `bool`.
    Not(Box<Expr>),
    /// Negation of a number; overflow is a `calculation` failure.
    Neg(Box<Expr>),
    /// Two operands of one type.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `and`: the right side only when the left holds.
    And(Box<Expr>, Box<Expr>),
    /// `or`: the right side only when the left does not hold.
    Or(Box<Expr>, Box<Expr>),
    /// `??`: the right side only when the left is `none`.
    Coalesce(Box<Expr>, Box<Expr>),
    /// The second when the first holds, else the third.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// The first arm that fits: pattern, guard, value. Bindings are locals.
    Match(Box<Expr>, Vec<(Pattern, Option<Expr>, Expr)>),
    /// A list; [`Type`] of the item, because an empty `list<u8>` is bytes.
    List(Type, Vec<Expr>),
    /// A tuple.
    Tuple(Vec<Expr>),
    /// A record with its fields in the order of its type.
    Record(Vec<(Name, Expr)>),
    /// A case of a variant.
    Variant(Name, Option<Box<Expr>>),
    /// `some(x)`.
    Some(Box<Expr>),
    /// `ok(x)`.
    Ok(Option<Box<Expr>>),
    /// `err(x)`.
    Err(Option<Box<Expr>>),
    /// Texts joined; each part is written as text first.
    Text(Vec<Expr>),
    /// Lossless widening of a number, anything to `json`, or a checked conversion out of `json`.
    Convert(Box<Expr>, Type),
    /// `[element for x in list if condition]`; binds one local. The type is the element's.
    Comprehension {
        /// What is gone through.
        list: Box<Expr>,
        /// Which items.
        condition: Option<Box<Expr>>,
        /// Each result.
        element: Box<Expr>,
        /// Its type.
        ty: Type,
    },
    /// `sort_by(list, x => key)`: stable; binds one local.
    SortBy(Box<Expr>, Box<Expr>),
    /// A library function.
    Library(LibraryFunction, Vec<Expr>),
}

/// Infix operators on two values of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<` on numbers, text, char, durations
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `+` on numbers and durations; joins texts and lists
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`; truncates for integers
    Div,
    /// `%`
    Rem,
}

/// The pure library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LibraryFunction {
    /// `len(list | text)`: items, or Unicode scalar values; `u64`
    Len,
    /// `keys(json)`: the names of a JSON object, sorted
    Keys,
    /// `join(list<string>, separator)`
    Join,
    /// `split(text, separator)`
    Split,
    /// `contains(list | text, x)`
    Contains,
    /// `min(a, b)` or `min(list)`; an empty list is a `calculation` failure
    Min,
    /// `max(a, b)` or `max(list)`
    Max,
    /// `sum(list)`; a second argument, which the lowering adds, is what an empty list gives ([`crate::eval::of_nothing`])
    Sum,
    /// `zip(a, b)`: tuples up to the shorter
    Zip,
    /// `range(start, end)`: without the end
    Range,
    /// `json(x)`: any value as JSON
    Json,
    /// `string(x)`: the text that an interpolation gives
    String,
    /// `lower(text)`
    Lower,
    /// `upper(text)`
    Upper,
    /// `trim(text)`
    Trim,
    /// `take(list, n)`: the first n items
    Take,
    /// `concat(list<list<t>>)`: one list; a second argument as for `sum`
    Concat,
    /// `reverse(list)`
    Reverse,
    /// `f64(n)`: an integer or `f32` as `f64`
    ToF64,
    /// `starts_with(text, prefix)`
    StartsWith,
    /// `ends_with(text, suffix)`
    EndsWith,
}

/// A pattern. What it binds is appended to the locals (or to the parameters of an arm's region) in the order written.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Takes anything, binds nothing.
    Any,
    /// Takes anything, binds it.
    Bind,
    /// An equal value.
    Literal(Value),
    /// A case of a variant, with a pattern for what it carries.
    Variant(Name, Option<Box<Pattern>>),
    /// A case of an enum.
    Enum(Name),
    /// `none`.
    None,
    /// `some(p)`.
    Some(Box<Pattern>),
    /// `ok(p)`.
    Ok(Option<Box<Pattern>>),
    /// `err(p)`.
    Err(Option<Box<Pattern>>),
    /// `(p, q)`.
    Tuple(Vec<Pattern>),
    /// `{ field: p }`.
    Record(Vec<(Name, Pattern)>),
}
