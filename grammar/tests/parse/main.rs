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
#[cfg(test)]
mod kept;
/// What holds of formatted texts, which the fuzzer looks at too.
#[cfg(test)]
#[path = "../../fuzz/src/round_trip.rs"]
mod round_trip;
/// The fuzzers' tokens, whose own tests run here: what is built for fuzzing is not built for tests.
#[cfg(test)]
#[path = "../../fuzz/src/tokens.rs"]
mod tokens;
