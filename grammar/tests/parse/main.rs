//! The parser's tests: cases in `tests/cases`, hostile texts, and the formatter.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod dump;
#[cfg(test)]
mod formatting;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod hostile;
/// The fuzzers' tokens, whose own tests run here: what is built for fuzzing is not built for tests.
#[cfg(test)]
#[path = "../../fuzz/src/tokens.rs"]
mod tokens;
