//! The stored form of recovery tables, of raised limits and of what was tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::FailureKind;
use engine::event::{self, Level, Tried};
use engine::recovery::{self, Bounds, Factors, Measure, UNCHANGED};

/// What an attempt may use; nanoseconds, bytes, units.
#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amounts {
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
}

/// The table that a run was started with.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recovery {
    escalates: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patience: Option<u64>,
    rows: BTreeMap<String, Row>,
    defaults: Amounts,
    ceilings: Amounts,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    classes: BTreeMap<String, Amounts>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<StoredMeasure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orchestrator: Option<StoredMeasure>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    human: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u32>,
}

/// What a level does by itself.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMeasure {
    retry: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    backoff: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_backoff: Option<u64>,
    #[serde(default = "unchanged", skip_serializing_if = "is_unchanged")]
    timeout: u32,
    #[serde(default = "unchanged", skip_serializing_if = "is_unchanged")]
    memory: u32,
    #[serde(default = "unchanged", skip_serializing_if = "is_unchanged")]
    fuel: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_unchanged(factor: &u32) -> bool {
    *factor == UNCHANGED
}

const fn unchanged() -> u32 {
    UNCHANGED
}

/// An attempt that was made before a human was asked.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredTried {
    number: u32,
    by: String,
    kind: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<Amounts>,
}

impl From<event::Amounts> for Amounts {
    fn from(event::Amounts { timeout, memory, fuel }: event::Amounts) -> Self {
        Self { timeout, memory, fuel }
    }
}

impl From<Amounts> for event::Amounts {
    fn from(Amounts { timeout, memory, fuel }: Amounts) -> Self {
        Self { timeout, memory, fuel }
    }
}

impl From<&recovery::Recovery> for Recovery {
    fn from(table: &recovery::Recovery) -> Self {
        let Bounds { defaults, ceilings, classes } = &table.bounds;
        Self {
            escalates: table.escalates,
            patience: table.patience,
            rows: table.rows.iter().map(|(kind, row)| (kind.name().to_owned(), row.into())).collect(),
            defaults: (*defaults).into(),
            ceilings: (*ceilings).into(),
            classes: classes.iter().map(|(name, amounts)| (name.to_string(), (*amounts).into())).collect(),
        }
    }
}

impl From<&recovery::Row> for Row {
    fn from(row: &recovery::Row) -> Self {
        let level = |measure: &Measure| {
            let Measure { retry, backoff, max_backoff, raise: Factors { timeout, memory, fuel } } = *measure;
            (*measure != Measure::default()).then_some(StoredMeasure { retry, backoff, max_backoff, timeout, memory, fuel })
        };
        Self { agent: level(&row.agent), orchestrator: level(&row.orchestrator), human: row.human, most: row.most }
    }
}

impl From<Row> for recovery::Row {
    fn from(row: Row) -> Self {
        let measure = |level: Option<StoredMeasure>| {
            level.map_or_else(Measure::default, |level| {
                let StoredMeasure { retry, backoff, max_backoff, timeout, memory, fuel } = level;
                Measure { retry, backoff, max_backoff, raise: Factors { timeout, memory, fuel } }
            })
        };
        Self { agent: measure(row.agent), orchestrator: measure(row.orchestrator), human: row.human, most: row.most }
    }
}

impl Recovery {
    /// The table; the error names what is not known.
    pub(super) fn read(self) -> Result<recovery::Recovery, String> {
        let row = |(kind, row): (String, Row)| Ok::<_, String>((read_kind(&kind)?, row.into()));
        Ok(recovery::Recovery {
            escalates: self.escalates,
            patience: self.patience,
            rows: self.rows.into_iter().map(row).collect::<Result<_, _>>()?,
            bounds: Bounds {
                defaults: self.defaults.into(),
                ceilings: self.ceilings.into(),
                classes: self.classes.into_iter().map(|(name, amounts)| (Arc::from(name), amounts.into())).collect(),
            },
        })
    }
}

impl From<&Tried> for StoredTried {
    fn from(tried: &Tried) -> Self {
        Self {
            number: tried.number,
            by: tried.by.name().to_owned(),
            kind: tried.kind.name().to_owned(),
            message: tried.message.clone(),
            limits: (!tried.limits.is_empty()).then(|| tried.limits.into()),
        }
    }
}

impl StoredTried {
    /// What was tried; the error names what is not known.
    pub(super) fn read(self) -> Result<Tried, String> {
        Ok(Tried {
            number: self.number,
            by: Level::from_name(&self.by).ok_or_else(|| format!("`{}` is not a level", self.by))?,
            kind: read_kind(&self.kind)?,
            message: self.message,
            limits: self.limits.unwrap_or_default().into(),
        })
    }
}

fn read_kind(name: &str) -> Result<FailureKind, String> {
    name.parse().map_err(|()| format!("`{name}` is not a kind of failure"))
}
