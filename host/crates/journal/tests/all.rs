//! The journal from outside, in one binary: conformance, hostile stores, golden journals, the read side.

#[path = "all/conformance.rs"]
mod conformance;
#[path = "all/golden.rs"]
mod golden;
#[path = "all/hostile.rs"]
mod hostile;
#[path = "all/read.rs"]
mod read;
