//! The hash chain over the events of a run, and what is found when it does not hold.
//!
//! ```text
//! hash(0) = sha256(run id)
//! hash(n) = sha256(hash(n-1) ‖ seq ‖ at ‖ len(kind) ‖ kind ‖ len(path) ‖ path ‖ body)
//! ```
//!
//! `seq` and `at` are 8 bytes, lengths 4 bytes, all big-endian; texts are UTF-8.

use std::fmt;

use engine::event::{RunId, Seq};
use sha2::{Digest, Sha256};

/// A link of the chain.
pub type Hash = [u8; 32];

/// The link before the first event, which ties the chain to its run.
#[must_use]
pub fn genesis(run: &RunId) -> Hash {
    Sha256::digest(run.0.as_bytes()).into()
}

/// What the link covers.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The event's position.
    pub seq: Seq,
    /// Its time.
    pub at: u64,
    /// Its kind.
    pub kind: &'a str,
    /// Its path.
    pub path: &'a str,
    /// Its body.
    pub body: &'a str,
}

/// The link after `before`.
#[must_use]
pub fn next(before: &Hash, link: Link<'_>) -> Hash {
    let Link { seq, at, kind, path, body } = link;
    let mut sha = Sha256::new();
    sha.update(before);
    sha.update(seq.to_be_bytes());
    sha.update(at.to_be_bytes());
    for text in [kind, path] {
        sha.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        sha.update(text);
    }
    sha.update(body);
    sha.finalize().into()
}

/// Follows a chain and collects what does not hold.
#[derive(Debug)]
pub struct Verifier {
    /// What the next event may build upon: the stored hash of the event before it and the computed one.
    /// They differ when it was changed, and one of them still tells whether the next one was, too.
    stored: Option<Hash>,
    computed: Option<Hash>,
    last: Seq,
    damage: Damage,
}

impl Verifier {
    /// For the events of this run, from the first.
    #[must_use]
    pub fn new(run: &RunId) -> Self {
        let start = genesis(run);
        Self { stored: Some(start), computed: Some(start), last: 0, damage: Damage::default() }
    }

    /// Takes the next event that was found; whether the chain holds up to and with it.
    pub fn event(&mut self, link: Link<'_>, hash: Option<Hash>) -> bool {
        if link.seq <= self.last {
            // Twice, or out of order: one of them was put there.
            self.damage.changed.add(link.seq, link.seq);
            return false;
        }
        if self.skip_to(link.seq) {
            self.check(link, hash);
        } else {
            // Nothing before it to compare with: taken as it is, so that what follows can be checked.
            self.stored = hash;
            self.computed = None;
        }
        self.last = link.seq;
        self.damage.is_none()
    }

    /// Takes an event that is there and cannot be read.
    pub fn unreadable(&mut self, seq: Seq) {
        self.damage.changed.add(seq, seq);
        if seq <= self.last {
            return;
        }
        self.skip_to(seq);
        self.stored = None;
        self.computed = None;
        self.last = seq;
    }

    /// What was found, when the run is known to have had `expected` events.
    #[must_use]
    pub fn finish(mut self, expected: Seq) -> Damage {
        if expected > self.last {
            self.damage.truncated.add(self.last + 1, expected);
        }
        self.damage
    }

    fn skip_to(&mut self, seq: Seq) -> bool {
        let follows = seq == self.last + 1;
        if !follows {
            self.damage.missing.add(self.last + 1, seq.saturating_sub(1));
        }
        follows && (self.stored.is_some() || self.computed.is_some())
    }

    fn check(&mut self, link: Link<'_>, hash: Option<Hash>) {
        let candidates = [self.stored, self.computed];
        let mut computed = candidates.into_iter().flatten().map(|before| next(&before, link));
        if let Some(held) = computed.find(|next| Some(*next) == hash) {
            self.stored = Some(held);
            self.computed = Some(held);
        } else {
            self.damage.changed.add(link.seq, link.seq);
            self.computed = self.computed.or(self.stored).map(|before| next(&before, link));
            self.stored = hash;
        }
    }
}

/// Which events of a run are not as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Not there, with later ones present.
    pub missing: Ranges,
    /// There, and their hash does not fit them.
    pub changed: Ranges,
    /// Not there, at the end.
    pub truncated: Ranges,
}

impl Damage {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.missing.0.is_empty() && self.changed.0.is_empty() && self.truncated.0.is_empty()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts =
            [(&self.missing, "missing"), (&self.changed, "changed since written"), (&self.truncated, "missing at the end")];
        let mut first = true;
        for (ranges, what) in parts.into_iter().filter(|(ranges, _)| !ranges.0.is_empty()) {
            let separator = if first { "" } else { "; " };
            write!(f, "{separator}{ranges} {what}")?;
            first = false;
        }
        Ok(())
    }
}

/// Positions, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(pub Vec<(Seq, Seq)>);

impl Ranges {
    fn add(&mut self, from: Seq, to: Seq) {
        match self.0.last_mut() {
            Some((_, end)) if *end == to => {}
            Some((_, end)) if *end + 1 == from => *end = to,
            _ => self.0.push((from, to)),
        }
    }
}

impl fmt::Display for Ranges {
    /// `event 4 is`, `events 4 and 7 to 9 are`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = matches!(self.0.as_slice(), [(from, to)] if from == to);
        f.write_str(if one { "event " } else { "events " })?;
        for (index, (from, to)) in self.0.iter().enumerate() {
            f.write_str(match index {
                0 => "",
                _ if index + 1 == self.0.len() => " and ",
                _ => ", ",
            })?;
            if from == to {
                write!(f, "{from}")?;
            } else {
                write!(f, "{from} to {to}")?;
            }
        }
        f.write_str(if one { " is" } else { " are" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Hash, Link, Verifier, genesis, next};
    use engine::event::RunId;

    fn bodies() -> Vec<String> {
        (1..=9).map(|n| format!("{{\"v\":1,\"n\":{n}}}")).collect()
    }

    fn written(run: &RunId) -> Vec<(u64, String, Hash)> {
        let mut hash = genesis(run);
        let link = |(index, body): (usize, String)| {
            let seq = index as u64 + 1;
            hash = next(&hash, Link { seq, at: 7, kind: "resumed", path: "", body: &body });
            (seq, body, hash)
        };
        bodies().into_iter().enumerate().map(link).collect()
    }

    fn check(events: &[(u64, String, Hash)], expected: u64) -> String {
        let mut verifier = Verifier::new(&RunId("r".into()));
        for (seq, body, hash) in events {
            verifier.event(Link { seq: *seq, at: 7, kind: "resumed", path: "", body }, Some(*hash));
        }
        verifier.finish(expected).to_string()
    }

    #[test]
    fn a_whole_chain_holds() {
        assert_eq!(check(&written(&RunId("r".into())), 9), "");
    }

    #[test]
    fn a_chain_of_another_run_does_not() {
        assert_eq!(check(&written(&RunId("s".into())), 9), "event 1 is changed since written");
    }

    #[test]
    fn what_is_lost_is_named() {
        let mut events = written(&RunId("r".into()));
        events.truncate(8);
        events.drain(5..7);
        events.remove(1);
        assert_eq!(check(&events, 9), "events 2 and 6 to 7 are missing; event 9 is missing at the end");
    }

    #[test]
    fn only_what_was_changed_is_named() {
        let mut events = written(&RunId("r".into()));
        events[2].1.push(' ');
        events[6].2[0] ^= 1;
        assert_eq!(check(&events, 9), "events 3 and 7 are changed since written");
    }

    #[test]
    fn every_part_counts() {
        let base = Link { seq: 1, at: 2, kind: "ab", path: "c", body: "d" };
        let before = [0; 32];
        let others = [
            Link { seq: 2, ..base },
            Link { at: 3, ..base },
            Link { kind: "a", path: "bc", ..base },
            Link { path: "cd", body: "", ..base },
            Link { body: "e", ..base },
        ];
        for other in others {
            assert_ne!(next(&before, base), next(&before, other), "{other:?}");
        }
    }
}
