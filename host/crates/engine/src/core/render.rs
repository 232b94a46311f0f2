//! Actions and commands as stable text, one line each: what golden journals are compared with.

use crate::event::{Amounts, Change, Decision, Escalation, Event, EventBody, RunOutcome, TaskId};
use crate::ports::Message;

use super::action::Action;
use super::driver::{Run, json};
use super::state::Command;

/// An action as one line.
#[must_use]
pub fn render_action(action: &Action) -> String {
    match action {
        Action::Append(events) => {
            format!("append {}", events.iter().map(render_event).collect::<Vec<_>>().join("; "))
        }
        Action::Admit(start) => format!("admit {}#{}", start.path, start.number),
        Action::Invoke(start) => {
            let args: Vec<String> = start.args.iter().map(json).collect();
            let grants: String = start.grants.iter().map(|grant| format!(" {grant:?}")).collect();
            format!("invoke {}#{} {}({}){grants}", start.path, start.number, start.target.name(), args.join(", "))
        }
        Action::Stop { task, number } => format!("stop step {}#{number}", task.0),
        Action::SetTimer { timer, at } => format!("set timer {} at {}", timer.0, at.0),
        Action::ClearTimer { timer } => format!("clear timer {}", timer.0),
        Action::Publish { message, .. } => format!("publish {} {} {}", message.id, message.topic, message.payload),
        Action::Hand { task, number, message } => render_hand(*task, *number, message.as_deref()),
        Action::Listen { topic } => format!("listen {topic}"),
        Action::Unlisten { topic } => format!("unlisten {topic}"),
        Action::Progress(progress) => format!("progress {progress:?}"),
        Action::Idle(idle) => {
            let blocked: String = idle.blocked.iter().map(|blocked| format!(" {}#{}", blocked.path, blocked.number)).collect();
            let waiting: String =
                idle.waiting.iter().map(|waiting| format!(" {} waits for {}", waiting.path, waiting.what)).collect();
            format!(
                "idle{}{blocked}{waiting}",
                idle.paused.as_ref().map_or_else(String::new, |reason| format!(" paused ({reason})"))
            )
        }
        Action::Ended(outcome) => format!("ended {}", render_outcome(outcome)),
        Action::Broken(message) => format!("broken: {message}"),
    }
}

/// An event as one line, without its time.
#[must_use]
pub fn render_event(event: &Event) -> String {
    let body = match &event.body {
        EventBody::RunStarted(started) => format!("run-started {}", started.flow),
        EventBody::AttemptStarted { attempt, limits, .. } => {
            let limits = limits.map_or_else(String::new, |limits| format!(" with {}", render_amounts(&limits)));
            format!("attempt-started {}#{}{limits}", attempt.path, attempt.number)
        }
        EventBody::Denied { attempt, denial } => {
            format!("denied {}#{} {} {}", attempt.path, attempt.number, denial.capability, denial.subject)
        }
        EventBody::Taken { attempt, topic } => format!("taken {}#{} {topic}", attempt.path, attempt.number),
        EventBody::Posted { attempt, messages } => {
            let topics: Vec<&str> = messages.iter().map(|message| &*message.topic).collect();
            format!("posted {}#{} {}", attempt.path, attempt.number, topics.join(" "))
        }
        EventBody::AttemptSucceeded { attempt, output, cache, .. } => {
            let cache = cache.map_or_else(String::new, |cache| format!(" (cache: {})", cache.name()));
            format!("attempt-succeeded {}#{} {}{cache}", attempt.path, attempt.number, output.json())
        }
        EventBody::AttemptFailed { attempt, failure, .. } => {
            format!("attempt-failed {}#{} {}: {}", attempt.path, attempt.number, failure.kind, failure.message)
        }
        EventBody::AttemptCancelled { attempt, .. } => format!("attempt-cancelled {}#{}", attempt.path, attempt.number),
        EventBody::OutcomeUnknown { attempt, .. } => format!("outcome-unknown {}#{}", attempt.path, attempt.number),
        EventBody::SignalReceived { name, payload, .. } => format!("signal-received {name} {}", payload.json()),
        EventBody::MessageReceived { topic, id, payload } => {
            format!("message-received {id} {topic} {}", payload.json())
        }
        EventBody::MessageSent { attempt } => format!("message-sent {}#{}", attempt.path, attempt.number),
        EventBody::TimerFired { timer } => format!("timer-fired {}", timer.0),
        EventBody::Escalated(escalation) => render_escalation(escalation),
        EventBody::OperatorDecision { task, decision } => match decision {
            Decision::Retry(limits) if limits.is_empty() => format!("operator-decision step {} retry", task.0),
            Decision::Retry(limits) => format!("operator-decision step {} retry with {}", task.0, render_amounts(limits)),
            Decision::Supply(payload) => {
                format!("operator-decision step {} supply {}", task.0, payload.json())
            }
            Decision::Fail(message) => format!("operator-decision step {} fail {message}", task.0),
        },
        EventBody::Paused { reason } => format!("paused ({reason})"),
        EventBody::Resumed => "resumed".to_owned(),
        EventBody::CancelRequested { reason, gently: false } => format!("cancel-requested ({reason})"),
        EventBody::CancelRequested { reason, gently: true } => format!("cancel-requested gently ({reason})"),
        EventBody::Advanced { steps } => format!("advanced {steps}"),
        EventBody::ControlTaken { id, refusal: None } => format!("control-taken {id}"),
        EventBody::ControlTaken { id, refusal: Some(refusal) } => format!("control-taken {id} refused: {refusal}"),
        EventBody::OwnerChanged { host } => format!("owner-changed {host}"),
        EventBody::Changed(change) => match &**change {
            Change::Policy { path, settings } => format!("changed {path} {settings:?}"),
            Change::Result { path, output } => format!("changed {path} supply {}", output.json()),
            Change::Input { name, value } => format!("changed input {name} {}", value.json()),
        },
        EventBody::Migrated(migrated) => format!("migrated {} to {}", migrated.from.plan, migrated.to.plan),
        EventBody::RunEnded { outcome } => format!("run-ended {}", render_outcome(outcome)),
    };
    format!("{} {body}", event.seq)
}

fn render_escalation(escalation: &Escalation) -> String {
    let Escalation { attempt, failure, tried, paused } = escalation;
    let tried: Vec<String> = tried
        .iter()
        .map(|tried| {
            let limits = if tried.limits.is_empty() { String::new() } else { format!(" with {}", render_amounts(&tried.limits)) };
            format!("{} for the {}{limits}", tried.kind, tried.by.name())
        })
        .collect();
    let (path, number, tried, paused) = (&attempt.path, attempt.number, tried.join(", "), paused.join(", "));
    format!("escalated {path}#{number} {}: {}; tried: {tried}; paused: {paused}", failure.kind, failure.message)
}

/// Limits with their units, those that are said.
fn render_amounts(amounts: &Amounts) -> String {
    let parts = [
        amounts.timeout.map(|timeout| format!("timeout {}", catalog::duration::display(timeout))),
        amounts.memory.map(|memory| format!("memory {memory}")),
        amounts.fuel.map(|fuel| format!("fuel {fuel}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn render_hand(task: TaskId, number: u32, message: Option<&Message>) -> String {
    let message = message.map_or_else(|| "nothing".to_owned(), |message| format!("{} {}", message.id, message.payload));
    format!("hand step {}#{number} {message}", task.0)
}

fn render_outcome(outcome: &RunOutcome) -> String {
    match outcome {
        RunOutcome::Succeeded(payload) => format!("succeeded {}", payload.json()),
        RunOutcome::Failed { failure, path } => format!("failed {path} {}: {}", failure.kind, failure.message),
        RunOutcome::Cancelled => "cancelled".to_owned(),
    }
}

impl Run {
    /// A command of the state as one line.
    pub(super) fn render_command(&self, command: &Command) -> String {
        match command {
            Command::Start(id, number) => {
                let task = self.state.tasks().get(id);
                let args: Vec<String> = task.map(|task| task.args.iter().map(json).collect()).unwrap_or_default();
                format!("start {}#{number} ({})", task.map_or("?", |task| &task.path), args.join(", "))
            }
            Command::Stop(id, number) => {
                format!("stop {}#{number}", self.state.tasks().get(id).map_or("?", |task| &task.path))
            }
            Command::Withdraw(id, number) => {
                format!("withdraw {}#{number}", self.state.tasks().get(id).map_or("?", |task| &task.path))
            }
            Command::Refused(_, path, failure) => format!("refuse {path}: {}", failure.message),
            Command::SetTimer(timer, at) => format!("set timer {} at {}", timer.0, at.0),
            Command::ClearTimer(timer) => format!("clear timer {}", timer.0),
            Command::Publish(task) => {
                let message = self.state.emit(*task).map(|emit| &emit.message);
                message
                    .map_or_else(String::new, |message| format!("publish {} {} {}", message.id, message.topic, message.payload))
            }
            Command::Hand(task, number, message) => render_hand(*task, *number, message.as_ref()),
            Command::Listen(topic) => format!("listen {topic}"),
            Command::Unlisten(topic) => format!("unlisten {topic}"),
            Command::Note(text) => format!("note {text}"),
            Command::Escalate(id) => format!("escalate {}", self.state.tasks().get(id).map_or("?", |task| &task.path)),
            Command::GiveUp(id) => format!("give up {}", self.state.tasks().get(id).map_or("?", |task| &task.path)),
            Command::End(outcome) => format!("end {}", render_outcome(outcome)),
        }
    }
}
