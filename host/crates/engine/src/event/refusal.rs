//! Failures of attempts that the host did not run.

use std::sync::Arc;

use catalog::FailureKind;

use super::Failure;

/// Where the details of a failure say what refused it.
const FIELD: &str = "refused";

impl Failure {
    /// Of an attempt that the host refused before it began, because of `by`: `breaker`, `class` or `host`.
    pub(crate) fn refused(kind: FailureKind, by: &str, message: String) -> Self {
        let mut details = serde_json::Map::new();
        details.insert(FIELD.to_owned(), by.into());
        Self { kind, message, details: Some(Arc::new(details.into())), retry_after: None }
    }

    /// What refused it, where the host did.
    pub(crate) fn refused_by(&self) -> Option<&str> {
        self.details.as_ref()?.get(FIELD)?.as_str()
    }
}
