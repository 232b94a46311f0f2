//! Plans of whole flow files.
//!
//! Each folder of `tests/plans` is a case: `main.flow`, and in `plan.txt` what is said about it followed, if it
//! compiles, by its plan as a table. `BLESS=1` writes `plan.txt` anew. All cases share one component, `tools.wasm`.
//! Cases of documents are in `tests/documents`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed test says where")]
#![allow(missing_docs, unreachable_pub, reason = "a test binary has no users")]

#[path = "plan/cases.rs"]
mod cases;
#[path = "plan/documents.rs"]
mod documents;
#[path = "plan/hostile.rs"]
mod hostile;
#[path = "plan/random.rs"]
mod random;
#[path = "plan/shapes.rs"]
mod shapes;
#[path = "plan/world.rs"]
mod world;
