//! `[[hooks]]`: hooks around all runs, handled by programs that listen on the cluster.

use bus::nats::HookRule;
use serde::Deserialize;

use crate::config::parse_duration;
use crate::exit::Problem;

/// One of `[[hooks]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HookConfig {
    pub(crate) name: String,
    /// `run`, `step`, `attempt` or `message`; either this or `after`.
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    /// Steps as they are written, topics, or the flow of a run.
    pub(crate) on: Option<String>,
    /// How long the handler may take before an event, such as `5s`.
    pub(crate) timeout: Option<String>,
    /// `allow` or `veto`: what holds when the handler before an event does not answer or fails.
    pub(crate) default: Option<String>,
}

impl HookConfig {
    /// The hook that it means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn rule(&self) -> Result<HookRule, Problem> {
        let wrong = |what: &str| Problem::usage(format!("the hook `{}`: {what}", self.name));
        let when = match (&self.before, &self.after) {
            (Some(event), None) => ("before", event.as_str()),
            (None, Some(event)) => ("after", event.as_str()),
            _ => return Err(wrong("say either before or after what").help("write `before = \"step\"` or `after = \"step\"`")),
        };
        if when.0 == "after" && (self.timeout.is_some() || self.default.is_some()) {
            return Err(wrong("`timeout` and `default` are of hooks before an event; what comes after waits for nothing"));
        }
        let mut rule = HookRule::new(&self.name, when, self.on.as_deref()).map_err(Problem::usage)?;
        if let Some(timeout) = &self.timeout {
            rule.timeout = parse_duration(timeout)?;
        }
        rule.lenient = match self.default.as_deref() {
            None | Some("veto") => false,
            Some("allow") => true,
            Some(other) => return Err(wrong(&format!("its `default` is `{other}`; write `allow` or `veto`"))),
        };
        Ok(rule)
    }
}
