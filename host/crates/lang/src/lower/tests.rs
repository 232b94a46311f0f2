//! Tests of the lowering on typed trees built by hand.
