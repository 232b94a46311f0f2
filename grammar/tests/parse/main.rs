//! The parser's tests: cases in `tests/cases`, and hostile texts.

mod cases;
mod dump;
mod hostile;
