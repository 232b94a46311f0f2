//! The documents of others and of the lock file: TOML of `flow.lock`, JSON of registries and of Docker's configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `flow.lock`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockDocument {
    pub(super) version: u32,
    #[serde(default, rename = "component", skip_serializing_if = "Vec::is_empty")]
    pub(super) components: Vec<LockedComponent>,
}

/// `[[component]]`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockedComponent {
    pub(super) reference: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) manifest: Option<String>,
}

/// An OCI manifest; of one that lists others nothing else is read than that it does.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    #[serde(rename = "schemaVersion")]
    pub(super) schema_version: u32,
    pub(super) config: Option<Descriptor>,
    #[serde(default)]
    pub(super) layers: Vec<Descriptor>,
    pub(super) manifests: Option<serde_json::Value>,
}

/// What a manifest consists of.
#[derive(Debug, Deserialize)]
pub(super) struct Descriptor {
    #[serde(rename = "mediaType")]
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
}

/// The answer of a token service.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    pub(super) token: Option<String>,
    pub(super) access_token: Option<String>,
}

/// The body of a registry's refusal.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) errors: Vec<RefusalReason>,
}

/// One reason of it.
#[derive(Debug, Deserialize)]
pub(super) struct RefusalReason {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

/// `config.json` of Docker, which other tools write too.
#[derive(Debug, Default, Deserialize)]
pub(super) struct DockerConfig {
    #[serde(default)]
    pub(super) auths: BTreeMap<String, DockerAuth>,
    #[serde(default, rename = "credsStore")]
    pub(super) creds_store: Option<String>,
    #[serde(default, rename = "credHelpers")]
    pub(super) cred_helpers: BTreeMap<String, String>,
}

/// Who asks one registry.
#[derive(Debug, Default, Deserialize)]
pub(super) struct DockerAuth {
    /// `name:password` in base64.
    pub(super) auth: Option<String>,
}
