//! `[catalog]`: where components are that flows name by name or by OCI reference.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// `[catalog]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CatalogConfig {
    /// Folders with components, relative to the configuration file; the first one wins where two have the same version.
    pub(crate) folders: Vec<PathBuf>,
    /// Who asks a registry, by its host.
    pub(crate) registry: BTreeMap<String, RegistryConfig>,
    /// The longest silence of a registry, such as `30s`.
    pub(crate) timeout: Option<String>,
}

/// `[catalog.registry."HOST"]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistryConfig {
    pub(crate) username: String,
    /// The environment variable that holds the password: a configuration is no place for one.
    pub(crate) password_env: String,
}
