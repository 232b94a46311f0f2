//! The kinds of failure, and the `failure` record that flows and plugins see.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use crate::types::{EnumType, RecordType, Type};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The input does not make sense to the step.
    InvalidInput,
    /// Arithmetic: overflow, division by zero, an index out of range.
    Calculation,
    /// A check of the flow's or the plugin's own did not hold.
    Logic,
    /// A capability was denied.
    Permission,
    /// Fuel, memory, a size limit or an expression's work was used up.
    Resource,
    /// A deadline or timeout passed.
    Timeout,
    /// A network peer failed.
    Network,
    /// Something that the step needs is missing.
    Dependency,
    /// The component trapped or exited, or the host failed.
    Internal,
    /// The plugin's own error that maps to none of these.
    Error,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::InvalidInput,
        Self::Calculation,
        Self::Logic,
        Self::Permission,
        Self::Resource,
        Self::Timeout,
        Self::Network,
        Self::Dependency,
        Self::Internal,
        Self::Error,
    ];

    /// Its name in snake_case, as flows and JSON write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Calculation => "calculation",
            Self::Logic => "logic",
            Self::Permission => "permission",
            Self::Resource => "resource",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::Dependency => "dependency",
            Self::Internal => "internal",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FailureKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(())
    }
}

/// The type of `e` in `catch e` and of a collected failure:
/// `record failure { kind: failure_kind, message: string, details: json, retry_after: option<duration> }`.
#[must_use]
pub fn failure_type() -> Type {
    static TYPE: LazyLock<Type> = LazyLock::new(|| {
        let kind = Type::Enum(Arc::new(EnumType {
            name: Some("failure_kind".into()),
            cases: FailureKind::ALL.iter().map(|kind| kind.name().into()).collect(),
        }));
        Type::Record(Arc::new(RecordType {
            name: Some("failure".into()),
            fields: vec![
                ("kind".into(), kind),
                ("message".into(), Type::String),
                ("details".into(), Type::Json),
                ("retry_after".into(), Type::option(Type::Duration)),
            ],
        }))
    });
    TYPE.clone()
}
