//! The parser's tests: cases in `tests/cases`, and hostile texts.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod dump;
#[cfg(test)]
mod hostile;
