//! Which layer of a manifest is the component.

use catalog::Digest;
use catalog::MAX_COMPONENT_SIZE;
use lang::ComponentProblem;

use super::super::problem;
use super::super::wire::Manifest;
use crate::program::parse_digest;

/// What is asked for; with an index, so that a registry that has one does not say that it has nothing.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json;q=0.1";

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

/// Where a component is and how large it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) size: u64,
}

/// Reads a manifest, which must be that of a component.
pub(super) fn layer(document: &[u8]) -> Result<Layer, ComponentProblem> {
    let manifest: Manifest =
        serde_json::from_slice(document).map_err(|error| problem(format!("the registry gave no manifest: {error}"), ""))?;
    let not =
        |what: String| problem(format!("the image is no component: {what}"), "`wkg oci push` and `oras push` make one that is");
    if manifest.manifests.is_some() {
        return Err(not("it is an index of images".to_owned()));
    }
    if manifest.schema_version != 2 {
        return Err(not(format!("its manifest has version {}", manifest.schema_version)));
    }
    match manifest.config {
        Some(config) if config.media_type == CONFIG => {}
        Some(config) => return Err(not(format!("its configuration is `{}`, not `{CONFIG}`", shown(&config.media_type)))),
        None => return Err(not("it has no configuration".to_owned())),
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(not(format!("it has {} layers where one `{LAYER}` is expected", manifest.layers.len())));
    };
    if layer.media_type != LAYER {
        return Err(not(format!("its layer is `{}`, not `{LAYER}`", shown(&layer.media_type))));
    }
    if layer.size > MAX_COMPONENT_SIZE {
        return Err(not(format!("it is larger than {} MiB", MAX_COMPONENT_SIZE >> 20)));
    }
    let digest = layer.digest.strip_prefix("sha256:").and_then(parse_digest);
    let digest = digest.ok_or_else(|| not(format!("its layer has the digest `{}`, which is no sha256", shown(&layer.digest))))?;
    Ok(Layer { digest, size: layer.size })
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::{Layer, layer};

    const DIGEST: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

    fn manifest(config: &str, layers: &[(&str, &str, u64)]) -> String {
        let layers: Vec<serde_json::Value> = layers
            .iter()
            .map(|(kind, digest, size)| serde_json::json!({ "mediaType": kind, "digest": digest, "size": size }))
            .collect();
        let config = serde_json::json!({ "mediaType": config, "digest": DIGEST, "size": 2 });
        serde_json::json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string()
    }

    #[test]
    fn a_component_is_found() {
        let text = manifest("application/vnd.wasm.config.v0+json", &[("application/wasm", DIGEST, 17)]);
        assert_eq!(layer(text.as_bytes()).unwrap(), Layer { digest: catalog::Digest([10; 32]), size: 17 });
    }

    #[test]
    fn everything_else_is_said_to_be_none() {
        let wasm = "application/vnd.wasm.config.v0+json";
        for (text, what) in [
            ("not json".to_owned(), "gave no manifest"),
            ("{\"schemaVersion\": 2, \"manifests\": []}".to_owned(), "it is an index of images"),
            ("{\"schemaVersion\": 1}".to_owned(), "its manifest has version 1"),
            ("{\"schemaVersion\": 2}".to_owned(), "it has no configuration"),
            (manifest("application/vnd.oci.image.config.v1+json", &[]), "`application/vnd.oci.image.config.v1+json`"),
            (manifest(wasm, &[]), "it has 0 layers"),
            (manifest(wasm, &[("application/wasm", DIGEST, 1), ("application/wasm", DIGEST, 1)]), "it has 2 layers"),
            (manifest(wasm, &[("text/plain", DIGEST, 1)]), "its layer is `text/plain`"),
            (manifest(wasm, &[("application/wasm", "md5:1", 1)]), "`md5:1`, which is no sha256"),
            (manifest(wasm, &[("application/wasm", DIGEST, 1 << 40)]), "larger than 256 MiB"),
        ] {
            let found = layer(text.as_bytes()).unwrap_err().message;
            assert!(found.contains(what), "{found}");
        }
    }
}
