//! What events name and a replica lacks: large payloads, and programs with their components.

use std::collections::BTreeSet;

use catalog::Digest;
use engine::ports::JournalError;
use journal::replica::{Follower, StoredEvent};
use journal::wire::{kind, parse_digest};

use super::assets::Assets;
use super::blobs;

/// How a body names a payload that it does not carry.
const PAYLOAD: &str = "\"blob\":\"";

/// How a body names a program.
const PROGRAM: &str = "\"program\":\"";

/// Digits of a digest.
const DIGITS: usize = 64;

/// Bytes by their digests.
type Blobs = Vec<(Digest, Vec<u8>)>;

/// Fetches what these events name and the replica does not have. What is nowhere is left out: whoever needs it says so.
pub(super) async fn fetch(assets: &Assets, follower: &Follower, events: &[StoredEvent]) -> Result<Blobs, JournalError> {
    let mut blobs = Blobs::new();
    for event in events {
        let mut named = BTreeSet::new();
        find(&event.body, PAYLOAD, &mut named);
        fetch_all(assets, follower, named, &mut blobs).await?;
        if event.kind == kind::RUN_STARTED || event.kind == kind::MIGRATED {
            fetch_programs(assets, follower, &event.body, &mut blobs).await?;
        }
    }
    Ok(blobs)
}

async fn fetch_programs(assets: &Assets, follower: &Follower, body: &str, blobs: &mut Blobs) -> Result<(), JournalError> {
    let mut programs = BTreeSet::new();
    find(body, PROGRAM, &mut programs);
    for program in programs {
        // Who has a program has its components: they are written together.
        if has(follower, blobs, program)? {
            continue;
        }
        let document = match blobs::get(&assets.objects, program).await {
            Err(JournalError::NoSuchBlob(_)) => continue,
            read => read?,
        };
        let words = document.split(|byte| !byte.is_ascii_hexdigit()).filter(|word| word.len() == DIGITS);
        let named = words.filter_map(|word| parse_digest(&format!("sha256:{}", std::str::from_utf8(word).ok()?))).collect();
        fetch_all(assets, follower, named, blobs).await?;
        blobs.push((program, document));
    }
    Ok(())
}

async fn fetch_all(assets: &Assets, follower: &Follower, named: BTreeSet<Digest>, blobs: &mut Blobs) -> Result<(), JournalError> {
    for digest in named {
        if has(follower, blobs, digest)? {
            continue;
        }
        match blobs::get(&assets.objects, digest).await {
            Ok(bytes) => blobs.push((digest, bytes)),
            Err(JournalError::NoSuchBlob(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn has(follower: &Follower, blobs: &Blobs, digest: Digest) -> Result<bool, JournalError> {
    Ok(blobs.iter().any(|(found, _)| *found == digest) || follower.has_blob(digest)?)
}

/// The digests that follow this text in a body.
fn find(body: &str, before: &str, named: &mut BTreeSet<Digest>) {
    for part in body.split(before).skip(1) {
        named.extend(part.split_once('"').and_then(|(text, _)| parse_digest(text)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{PAYLOAD, find};

    #[test]
    fn a_body_names_its_payloads() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let body = format!(r#"{{"v":1,"plan":"{digest}","output":{{"blob":"{digest}"}},"b":{{"blob":"x"}}}}"#);
        let mut named = BTreeSet::new();
        find(&body, PAYLOAD, &mut named);
        assert_eq!(named.into_iter().map(|found| found.to_string()).collect::<Vec<_>>(), [digest]);
    }
}
