//! `[recovery.KIND]` and `[escalation]`: what is done about failures that flows do not take.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use catalog::FailureKind;
use engine::recovery::{Measure, Row, UNCHANGED, default_rows};
use engine::shell::RecoveryRules;
use serde::Deserialize;

use super::parse_duration;
use crate::exit::Problem;

/// The most further attempts of a level.
const MOST_ATTEMPTS: u32 = 1000;

/// The largest factor.
const MOST_FACTOR: f64 = 1000.0;

/// `[recovery.KIND]`. A level that is not named, or a key of it, stays as it is built in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RowConfig {
    agent: MeasureConfig,
    orchestrator: MeasureConfig,
    human: Option<Human>,
    /// No limit is raised beyond so many times what it began with.
    most: Option<f64>,
}

/// What a level does by itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MeasureConfig {
    /// Further attempts.
    retry: Option<u32>,
    /// Before the first of them; twice as long before each later one.
    backoff: Option<String>,
    /// Never longer.
    max_backoff: Option<String>,
    /// Factors of what the attempt before might use.
    timeout: Option<f64>,
    memory: Option<f64>,
    fuel: Option<f64>,
}

/// The third level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Human {
    /// A human decides.
    Escalate,
    /// Nobody is asked.
    Fail,
}

/// `[escalation]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EscalationConfig {
    /// Where reports are sent, `https://…` or `http://…`.
    pub(crate) webhook: Option<String>,
    /// Authorities that the webhook's certificate may be signed by, in place of the public ones: a PEM file, relative to the
    /// configuration file.
    pub(crate) ca: Option<PathBuf>,
    /// How long a human has to decide before the step fails; for ever when it is not said.
    pub(crate) timeout: Option<String>,
    /// Whether runs of `host run` ask a human at all.
    pub(crate) run: bool,
    /// Whether runs of the service do.
    pub(crate) service: bool,
}

impl Default for EscalationConfig {
    fn default() -> Self {
        Self { webhook: None, ca: None, timeout: None, run: false, service: true }
    }
}

/// The table of the configuration over the built-in one.
pub(crate) fn rules(
    rows: &BTreeMap<String, RowConfig>,
    escalation: &EscalationConfig,
    escalates: bool,
) -> Result<RecoveryRules, Problem> {
    let mut all = default_rows();
    for (name, row) in rows {
        let kind = kind(name)?;
        let merged = row.over(&format!("recovery.{name}"), &all.remove(&kind).unwrap_or_default())?;
        all.insert(kind, merged);
    }
    let patience = escalation.timeout.as_deref().map(parse_duration).transpose()?;
    Ok(RecoveryRules { rows: all, escalates, patience })
}

fn kind(name: &str) -> Result<FailureKind, Problem> {
    let known = || FailureKind::ALL.map(FailureKind::name).join(", ");
    FailureKind::from_str(name).map_err(|()| {
        let like = name.replace('-', "_");
        let meant = if FailureKind::from_str(&like).is_ok() { format!("write `{like}`; ") } else { String::new() };
        Problem::usage(format!("`[recovery.{name}]`: `{name}` is not a kind of failure"))
            .help(format!("{meant}the kinds are {}", known()))
    })
}

impl RowConfig {
    fn over(&self, place: &str, row: &Row) -> Result<Row, Problem> {
        Ok(Row {
            agent: self.agent.over(&format!("{place}.agent"), row.agent)?,
            orchestrator: self.orchestrator.over(&format!("{place}.orchestrator"), row.orchestrator)?,
            human: self.human.map_or(row.human, |human| human == Human::Escalate),
            most: match self.most {
                Some(most) => Some(factor(place, "most", most)?),
                None => row.most,
            },
        })
    }
}

impl MeasureConfig {
    fn over(&self, place: &str, mut measure: Measure) -> Result<Measure, Problem> {
        if let Some(retry) = self.retry {
            if retry > MOST_ATTEMPTS {
                return Err(Problem::usage(format!("`[{place}]`: `retry` is at most {MOST_ATTEMPTS}")));
            }
            measure.retry = retry;
        }
        if let Some(text) = &self.backoff {
            measure.backoff = milliseconds(parse_duration(text)?);
        }
        if let Some(text) = &self.max_backoff {
            measure.max_backoff = Some(milliseconds(parse_duration(text)?));
        }
        let raise = &mut measure.raise;
        for (name, value, part) in [
            ("timeout", self.timeout, &mut raise.timeout),
            ("memory", self.memory, &mut raise.memory),
            ("fuel", self.fuel, &mut raise.fuel),
        ] {
            if let Some(value) = value {
                *part = factor(place, name, value)?;
            }
        }
        Ok(measure)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A factor in thousandths.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1,000 and 1,000,000")]
fn factor(place: &str, key: &str, value: f64) -> Result<u32, Problem> {
    if (1.0..=MOST_FACTOR).contains(&value) {
        return Ok((value * f64::from(UNCHANGED)).round() as u32);
    }
    Err(Problem::usage(format!("`[{place}]`: `{key}` is a factor from 1 to {MOST_FACTOR}, not {value}"))
        .help("1.5 means half as much again"))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::rules;

    fn read(text: &str) -> Result<String, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let rules = rules(&config.recovery, &config.escalation, false).map_err(|problem| {
            let help = problem.help.map_or_else(String::new, |help| format!(" ({help})"));
            problem.message + &help
        })?;
        Ok(rules.rows.iter().map(|(kind, row)| format!("{kind} {row:?}\n")).collect())
    }

    #[test]
    fn what_is_not_said_stays_as_it_is_built_in() {
        let (plain, changed) = (read("").unwrap(), read("[recovery.network.agent]\nretry = 9").unwrap());
        let differs: Vec<_> = plain.lines().zip(changed.lines()).filter(|(before, after)| before != after).collect();
        let [(before, after)] = differs[..] else { panic!("{differs:?}") };
        assert_eq!(before.replace("retry: 4", "retry: 9"), after);
        assert!(after.contains("human: true"), "{after}");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            (
                "[recovery.invalid-input]",
                "`[recovery.invalid-input]`: `invalid-input` is not a kind of failure (write `invalid_input`; the kinds are invalid_input,",
            ),
            ("[recovery.network.boss]", "unknown field `boss`, expected one of `agent`, `orchestrator`, `human`, `most`"),
            ("[recovery.network.agent]\ntries = 1", "unknown field `tries`, expected one of `retry`, `backoff`,"),
            ("[recovery.network]\nhuman = \"call\"", "unknown variant `call`, expected `escalate` or `fail`"),
            (
                "[recovery.network.agent]\nmemory = 0.5",
                "`[recovery.network.agent]`: `memory` is a factor from 1 to 1000, not 0.5 (1.5 means half as much again)",
            ),
            ("[recovery.network.agent]\nbackoff = \"soon\"", "`soon` is not a length of time"),
            ("[recovery.network.agent]\nretry = 1001", "`[recovery.network.agent]`: `retry` is at most 1000"),
            ("[escalation]\nurl = \"x\"", "unknown field `url`, expected one of `webhook`, `ca`, `timeout`, `run`, `service`"),
        ] {
            let found = read(text).unwrap_err();
            assert!(found.starts_with(message), "{text}: {found}");
        }
    }
}
