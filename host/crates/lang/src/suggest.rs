//! The close name in "did you mean".

use std::collections::BTreeSet;

/// Bounds the work of suggestions: a file of nothing but mistakes must still be answered at once.
#[derive(Debug)]
pub(crate) struct Budget {
    comparisons: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { comparisons: 200_000 }
    }
}

impl Budget {
    /// The candidate that `name` was most likely meant to be.
    pub(crate) fn closest<S: AsRef<str>>(&mut self, name: &str, candidates: impl IntoIterator<Item = S>) -> Option<String> {
        let folded = name.to_lowercase();
        let mut best: Option<(usize, String)> = None;
        let mut seen = BTreeSet::new();
        for candidate in candidates {
            let candidate = candidate.as_ref();
            if self.comparisons == 0 || candidate == name {
                break;
            }
            if candidate.len().abs_diff(name.len()) > 8 || !seen.insert(candidate.to_owned()) {
                continue;
            }
            self.comparisons -= 1;
            let Some(distance) = distance(&folded, candidate) else { continue };
            if best.as_ref().is_none_or(|(least, _)| distance < *least) {
                best = Some((distance, candidate.to_owned()));
            }
        }
        best.map(|(_, name)| name)
    }
}

/// The name that `name` was most likely meant to be; none when it is no slip of any of them.
pub fn closest<S: AsRef<str>>(name: &str, candidates: impl IntoIterator<Item = S>) -> Option<String> {
    Budget::default().closest(name, candidates)
}

/// How far apart two names are, if it can be a slip.
fn distance(wanted: &str, candidate: &str) -> Option<usize> {
    let other = candidate.to_lowercase();
    let edits = strsim::damerau_levenshtein(wanted, &other);
    let longest = wanted.chars().count().max(other.chars().count());
    let allowed = match longest {
        0..=2 => usize::from(wanted == other),
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    if edits <= allowed {
        return Some(edits);
    }
    // `find_all` for `find`: a whole part of the name is right.
    let part = wanted.len() >= 4 && other.len() >= 4 && (other.starts_with(wanted) || wanted.starts_with(&other));
    part.then_some(edits + allowed)
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn suggests_slips_only() {
        for (name, candidates, expected) in [
            ("serch", &["search", "write"][..], Some("search")),
            ("Search", &["search"][..], Some("search")),
            ("find", &["find_all", "other"][..], Some("find_all")),
            ("x", &["y", "z"][..], None),
            ("topic", &["draft"][..], None),
        ] {
            assert_eq!(Budget::default().closest(name, candidates).as_deref(), expected, "{name}");
        }
    }
}
