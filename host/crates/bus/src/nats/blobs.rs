//! Bytes by their sha256, in an object store.

use async_nats::jetstream::object_store::{ObjectInfo, ObjectMetadata};
use async_nats::jetstream::stream::DirectGetErrorKind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use catalog::Digest;
use engine::ports::JournalError;
use sha2::{Digest as _, Sha256};

use super::assets::Assets;
use super::fetch::{batch, last, pause};
use super::problem::{innermost, unavailable};

/// The most bytes of one message of a blob.
const CHUNK: usize = 128 << 10;

/// So often a part of a blob is looked for that is not there yet: a server may lag behind.
const ROUNDS: u32 = 8;

/// Keeps bytes, unless they are there already.
pub(super) async fn put(assets: &Assets, bytes: &[u8]) -> Result<Digest, JournalError> {
    let digest = Digest(Sha256::digest(bytes).into());
    let there = info(assets, digest).await?.is_some_and(|info| info.size == bytes.len());
    if there {
        return Ok(digest);
    }
    let chunk_size = CHUNK.min(assets.link.client.max_payload() / 2).max(1);
    let name = ObjectMetadata { name: digest.to_string(), chunk_size: Some(chunk_size), ..ObjectMetadata::default() };
    let mut reader = bytes;
    let put = assets.objects.put(name, &mut reader).await;
    put.map(|_| digest).map_err(|error| {
        let complaint = assets.link.complaint();
        unavailable(format_args!("cannot keep a blob of {} bytes: {}{complaint}", bytes.len(), innermost(&error)))
    })
}

/// The bytes, compared with their digest.
pub(super) async fn get(assets: &Assets, digest: Digest) -> Result<Vec<u8>, JournalError> {
    let info = info(assets, digest).await?.ok_or(JournalError::NoSuchBlob(digest))?;
    let bytes = chunks(assets, digest, &info).await?;
    if Sha256::digest(&bytes).as_slice() == digest.0 {
        Ok(bytes)
    } else {
        Err(unavailable(format_args!("is damaged: the blob {digest} was changed; restore the bucket `{}`", assets.bucket)))
    }
}

/// What the store says of the blob: any server that has it, or the leader where the first one asked has not.
async fn info(assets: &Assets, digest: Digest) -> Result<Option<ObjectInfo>, JournalError> {
    let subject = format!("$O.{}.M.{}", assets.bucket, URL_SAFE.encode(digest.to_string()));
    let payload = match assets.objects_stream.direct_get_last_for_subject(subject.as_str()).await {
        Ok(message) => message.payload,
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
            match last(&assets.link, &assets.objects_stream, &subject).await? {
                Some(message) => message.payload,
                None => return Ok(None),
            }
        }
        Err(error) => {
            let complaint = assets.link.complaint();
            return Err(unavailable(format_args!("cannot be asked for a blob: {}{complaint}", innermost(&error))));
        }
    };
    let info: ObjectInfo = serde_json::from_slice(&payload)
        .map_err(|error| unavailable(format_args!("is damaged: what it says of the blob {digest} cannot be read: {error}")))?;
    Ok((!info.deleted).then_some(info))
}

async fn chunks(assets: &Assets, digest: Digest, info: &ObjectInfo) -> Result<Vec<u8>, JournalError> {
    let (stream, subject) = (format!("OBJ_{}", assets.bucket), format!("$O.{}.C.{}", assets.bucket, info.nuid));
    let mut bytes = Vec::with_capacity(info.size);
    let (mut found, mut next, mut round) = (0, 1, 0);
    while found < info.chunks {
        let part = batch(&assets.link, &stream, &subject, next).await?;
        if part.is_empty() {
            if round == ROUNDS {
                let missing = info.chunks - found;
                return Err(unavailable(format_args!(
                    "is damaged: {missing} of {} parts of the blob {digest} are missing; restore the bucket `{}`",
                    info.chunks, assets.bucket
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
