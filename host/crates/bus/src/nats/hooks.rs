//! Hooks that an operator puts around runs, handled by whoever listens on the cluster.
//!
//! A call of a handler is a step of its run that asks a role which no flow can write: `hook.`, the phase, the event and the name of
//! the hook. [`super::NatsAgents`] brings it here. Before an event `asking` asks and waits; after one it puts what there is to tell
//! into a stream, from which `telling` brings it to the handler, again and again until it is done with it. `log` says how calls
//! went, and `book` keeps the hooks that were added by command.

pub(super) mod asking;
mod book;
mod log;
mod telling;

use std::time::Duration;

use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use lang::plan::{HookEvent, HookPhase, OutsideHook, Plan};

use super::connection::Link;

pub use book::HookBook;
pub use log::{HookCall, HookLog};
pub use telling::{HookTries, NatsHooks};

/// What the roles of handlers begin with.
const ROLE: &str = "hook.";

/// How long what there is to tell, and how it went, is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most characters of a name.
const MAX_NAME: usize = 64;

/// How long a handler may take when nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A hook around runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRule {
    /// Its name, which is part of the subject that the handler listens to.
    pub name: String,
    /// When.
    pub phase: HookPhase,
    /// Around what.
    pub event: HookEvent,
    /// Around which: steps as they are written, topics, or the flow of a run; `*` stands for one token, `>` at the end for one or more.
    /// None: all.
    pub on: Option<String>,
    /// How long the handler may take before an event.
    pub timeout: Duration,
    /// Whether the event goes on when the handler does not answer or fails.
    pub lenient: bool,
}

const PHASES: [(&str, HookPhase); 2] = [("before", HookPhase::Before), ("after", HookPhase::After)];

const EVENTS: [(&str, HookEvent); 4] =
    [("run", HookEvent::Run), ("step", HookEvent::Step), ("attempt", HookEvent::Attempt), ("message", HookEvent::Message)];

fn name_of<T: PartialEq>(known: &[(&'static str, T)], wanted: &T) -> &'static str {
    known.iter().find(|(_, value)| value == wanted).map_or("", |(name, _)| name)
}

impl HookRule {
    /// A hook of this name.
    ///
    /// # Errors
    /// The name, the event or what it is around is none; says what to write.
    pub fn new(name: &str, (phase, event): (&str, &str), on: Option<&str>) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
            return Err(format!("`{name}` is no name of a hook: write 1 to {MAX_NAME} letters, digits, `-` or `_`"));
        }
        let (phase, event) = Self::when(phase, event)
            .ok_or_else(|| format!("there is no hook {phase} `{event}`: write `run`, `step`, `attempt` or `message`"))?;
        if let Some(on) = on {
            check_pattern(on)?;
        }
        let on = on.map(str::to_owned);
        Ok(Self { name: name.to_owned(), phase, event, on, timeout: TIMEOUT, lenient: false })
    }

    /// The phase and the event of these names.
    #[must_use]
    pub fn when(phase: &str, event: &str) -> Option<(HookPhase, HookEvent)> {
        let phase = PHASES.iter().find(|(name, _)| *name == phase)?.1;
        let event = EVENTS.iter().find(|(name, _)| *name == event)?.1;
        Some((phase, event))
    }

    /// `before` or `after`.
    #[must_use]
    pub fn phase_name(&self) -> &'static str {
        name_of(&PHASES, &self.phase)
    }

    /// `run`, `step`, `attempt` or `message`.
    #[must_use]
    pub fn event_name(&self) -> &'static str {
        name_of(&EVENTS, &self.event)
    }

    /// Puts hooks around what runs of a plan do, before the plan's own.
    pub fn put_around(rules: &[Self], plan: &mut Plan) {
        let hooks: Vec<OutsideHook> = rules.iter().map(Self::outside).collect();
        plan.add_outside_hooks(&hooks);
    }

    fn outside(&self) -> OutsideHook {
        OutsideHook {
            role: format!("{ROLE}{}.{}.{}", self.phase_name(), self.event_name(), self.name).as_str().into(),
            phase: self.phase,
            event: self.event,
            on: self.on.as_deref().map(Into::into),
            timeout: u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX),
            lenient: self.lenient,
        }
    }
}

/// Whether something is a pattern of tokens.
fn check_pattern(pattern: &str) -> Result<(), String> {
    let tokens: Vec<&str> = pattern.split('.').collect();
    let last = tokens.len() - 1;
    let good = |(index, token): (usize, &&str)| match *token {
        "*" => true,
        ">" => index == last,
        token => !token.is_empty() && !token.contains(|c: char| matches!(c, '*' | '>') || c.is_whitespace() || c.is_control()),
    };
    if pattern.len() <= 256 && tokens.iter().enumerate().all(good) {
        return Ok(());
    }
    Err(format!(
        "`{pattern}` is no pattern: write names with dots between them, `*` for one of them, `>` at the end for one or more"
    ))
}

/// Which handler a role means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handler<'a> {
    pub(super) phase: HookPhase,
    pub(super) event: HookEvent,
    /// The phase, the event and the name, with dots between them.
    pub(super) text: &'a str,
    pub(super) name: &'a str,
}

impl<'a> Handler<'a> {
    /// None for the role of a flow.
    pub(super) fn of(role: &'a str) -> Option<Self> {
        Self::parse(role.strip_prefix(ROLE)?)
    }

    fn parse(text: &'a str) -> Option<Self> {
        let (phase, rest) = text.split_once('.')?;
        let (event, name) = rest.split_once('.')?;
        let (phase, event) = HookRule::when(phase, event)?;
        Some(Self { phase, event, text, name })
    }

    /// The subject that handlers listen to.
    fn subject(&self, link: &Link) -> String {
        format!("flow.{}.hook.{}", link.namespace(), self.text)
    }
}

fn stream_name(link: &Link) -> String {
    format!("FLOW_HOOKS_{}", link.namespace())
}

/// What is to be told, and how it went.
fn stream_config(link: &Link) -> stream::Config {
    stream::Config {
        name: stream_name(link),
        description: Some("flowhost: what after-hooks are told, and how calls of hooks went".to_owned()),
        subjects: vec![format!("flow.{}.hooks.>", link.namespace())],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_age: KEPT,
        storage: StorageType::File,
        num_replicas: link.replicas(),
        allow_direct: true,
        ..stream::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Handler, HookRule, check_pattern};

    #[test]
    fn names_and_patterns_are_parts_of_subjects() {
        assert!(HookRule::new("audit-1", ("before", "step"), Some("search.*")).is_ok());
        for bad in ["", "a.b", "a b", "*", "ä", &"x".repeat(65)] {
            assert!(HookRule::new(bad, ("before", "step"), None).is_err(), "{bad}");
        }
        assert!(HookRule::new("a", ("before", "coffee"), None).is_err());
        assert!(HookRule::new("a", ("during", "step"), None).is_err());
        for (pattern, good) in
            [("a", true), ("a.>", true), (">", true), ("*.b", true), (">.a", false), ("a..b", false), ("a*", false)]
        {
            assert_eq!(check_pattern(pattern).is_ok(), good, "{pattern}");
        }
    }

    #[test]
    fn only_roles_of_hooks_are_hooks() {
        let rule = HookRule::new("audit", ("after", "message"), None).unwrap();
        let role = rule.outside().role;
        assert_eq!(&*role, "hook.after.message.audit");
        let handler = Handler::of(&role).unwrap();
        assert_eq!(
            (handler.phase, handler.event, handler.text, handler.name),
            (rule.phase, rule.event, "after.message.audit", "audit")
        );
        assert_eq!(Handler::of("reviewer"), None);
        assert_eq!(Handler::of("hook.x"), None);
    }
}
