//! The journal from outside, in one binary: conformance, hostile stores, golden journals, the read side, a golden run.

#[cfg(test)]
#[path = "all/conformance.rs"]
mod conformance;
#[cfg(test)]
#[path = "all/copies.rs"]
mod copies;
#[cfg(test)]
#[path = "all/escalations.rs"]
mod escalations;
#[cfg(test)]
#[path = "all/golden.rs"]
mod golden;
#[cfg(test)]
#[path = "all/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "all/mail.rs"]
mod mail;
#[cfg(test)]
#[path = "all/read.rs"]
mod read;
#[cfg(test)]
#[path = "all/replay.rs"]
mod replay;
#[cfg(test)]
#[path = "all/replica.rs"]
mod replica;
#[cfg(test)]
#[path = "all/retention.rs"]
mod retention;
#[cfg(test)]
#[path = "all/sessions.rs"]
mod sessions;
#[cfg(test)]
#[path = "all/stats.rs"]
mod stats;
