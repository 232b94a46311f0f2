//! Bytes by their sha256, in an object store.

use async_nats::jetstream::object_store::{ObjectInfo, ObjectMetadata};
use async_nats::jetstream::stream::DirectGetErrorKind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use catalog::Digest;
use engine::ports::JournalError;
use sha2::{Digest as _, Sha256};

use super::assets::Objects;
use super::fetch::{batch, last, pause};
use super::problem::{innermost, unavailable};

/// The most bytes of one message of a blob.
const CHUNK: usize = 128 << 10;

/// So often a part of a blob is looked for that is not there yet: a server may lag behind.
const ROUNDS: u32 = 8;

/// Keeps bytes, unless they are there already.
pub(super) async fn put(objects: &Objects, bytes: &[u8]) -> Result<Digest, JournalError> {
    let digest = Digest(Sha256::digest(bytes).into());
    let there = info(objects, digest).await?.is_some_and(|info| info.size == bytes.len());
    if there {
        return Ok(digest);
    }
    let chunk_size = CHUNK.min(objects.link.client.max_payload() / 2).max(1);
    let name = ObjectMetadata { name: digest.to_string(), chunk_size: Some(chunk_size), ..ObjectMetadata::default() };
    let mut reader = bytes;
    let put = objects.store.put(name, &mut reader).await;
    put.map(|_| digest).map_err(|error| {
        let complaint = objects.link.complaint();
        unavailable(format_args!("cannot keep a blob of {} bytes: {}{complaint}", bytes.len(), innermost(&error)))
    })
}

/// Whether there are bytes with this digest.
pub(super) async fn is_there(objects: &Objects, digest: Digest) -> Result<bool, JournalError> {
    Ok(info(objects, digest).await?.is_some())
}

/// The bytes, compared with their digest.
pub(super) async fn get(objects: &Objects, digest: Digest) -> Result<Vec<u8>, JournalError> {
    get_at_most(objects, digest, usize::MAX).await
}

/// The same, unless there are more than so many: then it counts as not there.
pub(super) async fn get_at_most(objects: &Objects, digest: Digest, most: usize) -> Result<Vec<u8>, JournalError> {
    let found = info(objects, digest).await?.filter(|info| info.size <= most);
    let info = found.ok_or(JournalError::NoSuchBlob(digest))?;
    let bytes = chunks(objects, digest, &info).await?;
    if Sha256::digest(&bytes).as_slice() == digest.0 {
        Ok(bytes)
    } else {
        Err(unavailable(format_args!("is damaged: the blob {digest} was changed; restore the bucket `{}`", objects.bucket)))
    }
}

/// Takes bytes away that nobody needs any more, and what says of them.
pub(super) async fn forget(objects: &Objects, digest: Digest) -> Result<(), JournalError> {
    let Some(info) = info(objects, digest).await? else { return Ok(()) };
    // What says of them goes first: whoever finds it finds all of them, or reads again.
    let name = URL_SAFE.encode(digest.to_string());
    for subject in [format!("$O.{}.M.{name}", objects.bucket), format!("$O.{}.C.{}", objects.bucket, info.nuid)] {
        let purged = objects.stream.purge().filter(subject).await;
        purged.map_err(|error| {
            let complaint = objects.link.complaint();
            unavailable(format_args!("cannot forget the blob {digest}: {}{complaint}", innermost(&error)))
        })?;
    }
    Ok(())
}

/// What the store says of the blob: any server that has it, or the leader where the first one asked has not.
async fn info(objects: &Objects, digest: Digest) -> Result<Option<ObjectInfo>, JournalError> {
    let subject = format!("$O.{}.M.{}", objects.bucket, URL_SAFE.encode(digest.to_string()));
    let payload = match objects.stream.direct_get_last_for_subject(subject.as_str()).await {
        Ok(message) => message.payload,
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
            match last(&objects.link, &objects.stream, &subject).await? {
                Some(message) => message.payload,
                None => return Ok(None),
            }
        }
        Err(error) => {
            let complaint = objects.link.complaint();
            return Err(unavailable(format_args!("cannot be asked for a blob: {}{complaint}", innermost(&error))));
        }
    };
    let info: ObjectInfo = serde_json::from_slice(&payload)
        .map_err(|error| unavailable(format_args!("is damaged: what it says of the blob {digest} cannot be read: {error}")))?;
    Ok((!info.deleted).then_some(info))
}

async fn chunks(objects: &Objects, digest: Digest, info: &ObjectInfo) -> Result<Vec<u8>, JournalError> {
    let (stream, subject) = (format!("OBJ_{}", objects.bucket), format!("$O.{}.C.{}", objects.bucket, info.nuid));
    let mut bytes = Vec::with_capacity(info.size);
    let (mut found, mut next, mut round) = (0, 1, 0);
    while found < info.chunks {
        let part = batch(&objects.link, &stream, &subject, next).await?;
        if part.is_empty() {
            if round == ROUNDS {
                let missing = info.chunks - found;
                return Err(unavailable(format_args!(
                    "is damaged: {missing} of {} parts of the blob {digest} are missing; restore the bucket `{}`",
                    info.chunks, objects.bucket
                )));
            }
            pause(round).await;
            round += 1;
        }
        for chunk in part {
            next = chunk.sequence + 1;
            found += 1;
            bytes.extend_from_slice(&chunk.payload);
        }
    }
    Ok(bytes)
}
