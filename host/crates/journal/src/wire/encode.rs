//! Events to their stored form.

use std::sync::Arc;

use catalog::Digest;
use catalog::json::write_string;
use engine::event::{
    Amounts, Attempt, Bill, Change, Decision, Denial, Escalation, Event, EventBody, Failure, Origin, Payload, Posting,
    RunOutcome, RunStarted, Settings, TaskId, Within,
};
use sha2::{Digest as _, Sha256};

use super::json::{Object, list, number, push};
use super::recovery;
use super::{BLOB_THRESHOLD, BODY_VERSION, Blob, Encoded, RunChange, kind};

/// The stored form of an event.
#[must_use]
pub fn encode(event: &Event) -> Encoded {
    let mut writer = Writer { body: Object::new(BODY_VERSION), path: None, blobs: Vec::new() };
    let kind = writer.event(&event.body);
    Encoded {
        seq: event.seq,
        at: event.at.0.min(i64::MAX as u64),
        kind,
        path: writer.path.unwrap_or_default(),
        body: writer.body.finish(),
        blobs: writer.blobs,
        change: change(&event.body).map(Box::new),
    }
}

/// The stored form of an event whose body was written elsewhere, and has been read.
pub(crate) fn stored(event: &Event, kind: &'static str, path: &str, body: String) -> Encoded {
    let change = change(&event.body).map(Box::new);
    Encoded { seq: event.seq, at: event.at.0.min(i64::MAX as u64), kind, path: path.into(), body, blobs: Vec::new(), change }
}

struct Writer {
    body: Object,
    path: Option<Arc<str>>,
    blobs: Vec<Blob>,
}

impl Writer {
    fn event(&mut self, event: &EventBody) -> &'static str {
        match event {
            EventBody::RunStarted(started) => self.run_started(started),
            EventBody::AttemptStarted { attempt, host, limits } => self.attempt_started(attempt, host, limits.as_ref()),
            EventBody::Denied { attempt, denial } => self.denied(attempt, denial),
            EventBody::Taken { attempt, topic } => {
                self.attempt(attempt);
                self.body.string("topic", topic);
                kind::TAKEN
            }
            EventBody::Posted { attempt, messages } => self.posted(attempt, messages),
            EventBody::AttemptSucceeded { attempt, output, bill, cache, host } => {
                self.attempt_succeeded(attempt, output, bill);
                if let Some(cache) = cache {
                    self.body.string("cache", cache.name());
                }
                self.host(host.as_deref());
                kind::ATTEMPT_SUCCEEDED
            }
            EventBody::AttemptFailed { attempt, failure, bill, host } => {
                self.attempt_failed(attempt, failure, bill);
                self.host(host.as_deref());
                kind::ATTEMPT_FAILED
            }
            EventBody::AttemptCancelled { attempt, host } => self.over(kind::ATTEMPT_CANCELLED, attempt, host.as_deref()),
            EventBody::OutcomeUnknown { attempt, host } => self.over(kind::OUTCOME_UNKNOWN, attempt, host.as_deref()),
            EventBody::SignalReceived { name, id, payload } => self.mail(kind::SIGNAL_RECEIVED, ("name", name), id, payload),
            EventBody::MessageReceived { topic, id, payload } => self.mail(kind::MESSAGE_RECEIVED, ("topic", topic), id, payload),
            EventBody::MessageSent { attempt } => self.only_attempt(kind::MESSAGE_SENT, attempt),
            EventBody::TimerFired { timer } => {
                self.body.number("timer", timer.0);
                kind::TIMER_FIRED
            }
            EventBody::Escalated(escalation) => self.escalated(escalation),
            EventBody::OperatorDecision { task, decision } => self.decision(*task, decision),
            EventBody::Paused { reason } => self.only_text(kind::PAUSED, "reason", reason),
            EventBody::Resumed => kind::RESUMED,
            EventBody::CancelRequested { reason, gently } => {
                self.body.string("reason", reason);
                if *gently {
                    self.body.mark("gently");
                }
                kind::CANCEL_REQUESTED
            }
            EventBody::Advanced { steps } => {
                self.body.number("steps", *steps);
                kind::ADVANCED
            }
            EventBody::ControlTaken { id, refusal } => {
                self.body.string("id", id);
                if let Some(refusal) = refusal {
                    self.body.string("refusal", refusal);
                }
                kind::CONTROL_TAKEN
            }
            EventBody::OwnerChanged { host } => self.only_text(kind::OWNER_CHANGED, "host", host),
            EventBody::Changed(change) => self.changed(change),
            EventBody::Migrated(migrated) => {
                self.digest("from_plan", migrated.from.plan);
                self.digest("from_program", migrated.from.program);
                self.digest("plan", migrated.to.plan);
                self.digest("program", migrated.to.program);
                kind::MIGRATED
            }
            EventBody::RunEnded { outcome } => self.run_ended(outcome),
        }
    }

    fn run_started(&mut self, started: &RunStarted) -> &'static str {
        self.body.string("flow", &started.flow);
        self.digest("plan", started.plan);
        self.digest("program", started.program);
        let blobs = &mut self.blobs;
        list('{', '}', &started.input, self.body.member("input"), |(name, payload), out| {
            write_string(name, out);
            out.push(':');
            write_payload(payload, out, blobs);
        });
        write_labels(&started.labels, self.body.member("labels"));
        self.body.number("semantics", started.semantics);
        self.body.strings("permitted", &started.permitted);
        if let Some(table) = &started.recovery {
            self.document("recovery", &recovery::Recovery::from(&**table));
        }
        self.body.string("host", &started.host);
        if let Some(origin) = &started.origin {
            self.origin(origin);
        }
        if let Some(within) = &started.within {
            self.within(within);
        }
        if let Some(trace) = &started.trace {
            self.body.string("trace", trace.text());
        }
        kind::RUN_STARTED
    }

    fn origin(&mut self, origin: &Origin) {
        let (out, blobs) = (self.body.member("origin"), &mut self.blobs);
        out.push_str("{\"run\":");
        write_string(&origin.run.0, out);
        out.push_str(",\"from\":");
        list('[', ']', &origin.from, out, |path, out| write_string(path, out));
        push(out, format_args!(",\"repeats\":{},\"results\":", origin.repeats));
        list('[', ']', &origin.results, out, |result, out| {
            out.push_str("{\"path\":");
            write_string(&result.path, out);
            push(out, format_args!(",\"key\":\"{}\",\"output\":", result.key));
            write_payload(&result.output, out, blobs);
            out.push('}');
        });
        out.push('}');
    }

    fn attempt_started(&mut self, attempt: &Attempt, host: &str, limits: Option<&Amounts>) -> &'static str {
        self.attempt(attempt);
        self.body.string("host", host);
        if let Some(limits) = limits {
            self.document("limits", &recovery::Amounts::from(*limits));
        }
        kind::ATTEMPT_STARTED
    }

    fn denied(&mut self, attempt: &Attempt, denial: &Denial) -> &'static str {
        self.attempt(attempt);
        self.body.string("capability", &denial.capability);
        self.body.string("subject", &denial.subject);
        kind::DENIED
    }

    /// All messages are one payload: many small ones are kept outside of the event as a large one is.
    fn posted(&mut self, attempt: &Attempt, messages: &[Posting]) -> &'static str {
        self.attempt(attempt);
        write_text(self.body.member("messages"), &mut self.blobs, |out| {
            list('[', ']', messages, out, |message, out| {
                out.push_str("{\"topic\":");
                write_string(&message.topic, out);
                push(out, format_args!(",\"payload\":{}}}", message.payload));
            });
        });
        kind::POSTED
    }

    fn attempt_succeeded(&mut self, attempt: &Attempt, output: &Payload, bill: &Bill) {
        self.attempt(attempt);
        self.payload("output", output);
        self.bill(bill);
    }

    fn attempt_failed(&mut self, attempt: &Attempt, failure: &Failure, bill: &Bill) {
        self.attempt(attempt);
        self.failure(failure);
        self.bill(bill);
    }

    fn over(&mut self, kind: &'static str, attempt: &Attempt, host: Option<&str>) -> &'static str {
        self.attempt(attempt);
        self.host(host);
        kind
    }

    /// Where an attempt ran, unless that is the run's owner, whom earlier events name.
    fn host(&mut self, host: Option<&str>) {
        if let Some(host) = host {
            self.body.string("host", host);
        }
    }

    fn escalated(&mut self, escalation: &Escalation) -> &'static str {
        self.attempt(&escalation.attempt);
        self.failure(&escalation.failure);
        let tried: Vec<recovery::StoredTried> = escalation.tried.iter().map(Into::into).collect();
        self.document("tried", &tried);
        list('[', ']', &escalation.paused, self.body.member("paused"), |path, out| write_string(path, out));
        kind::ESCALATED
    }

    fn decision(&mut self, task: TaskId, decision: &Decision) -> &'static str {
        self.body.number("task", task.0);
        match decision {
            Decision::Retry(limits) => {
                self.body.string("decision", "retry");
                if !limits.is_empty() {
                    self.document("limits", &recovery::Amounts::from(*limits));
                }
            }
            Decision::Supply(payload) => {
                self.body.string("decision", "supply");
                self.payload("output", payload);
            }
            Decision::Fail(message) => {
                self.body.string("decision", "fail");
                self.body.string("message", message);
            }
        }
        kind::OPERATOR_DECISION
    }

    fn changed(&mut self, change: &Change) -> &'static str {
        match change {
            Change::Policy { path, settings } => {
                self.body.string("what", "policy");
                write_settings(settings, self.body.member("settings"));
                self.path = Some(path.clone());
            }
            Change::Result { path, output } => {
                self.body.string("what", "result");
                self.payload("output", output);
                self.path = Some(path.clone());
            }
            Change::Input { name, value } => {
                self.body.string("what", "input");
                self.body.string("name", name);
                self.payload("value", value);
            }
        }
        kind::CHANGED
    }

    fn run_ended(&mut self, outcome: &RunOutcome) -> &'static str {
        match outcome {
            RunOutcome::Succeeded(payload) => {
                self.body.string("outcome", "succeeded");
                self.payload("output", payload);
            }
            RunOutcome::Failed { failure, path } => {
                self.body.string("outcome", "failed");
                self.failure(failure);
                self.path = Some(path.clone());
            }
            RunOutcome::Cancelled => self.body.string("outcome", "cancelled"),
        }
        kind::RUN_ENDED
    }

    fn mail(&mut self, kind: &'static str, (key, name): (&str, &str), id: &str, payload: &Payload) -> &'static str {
        self.body.string(key, name);
        self.body.string("id", id);
        self.payload("payload", payload);
        kind
    }

    fn only_attempt(&mut self, kind: &'static str, attempt: &Attempt) -> &'static str {
        self.attempt(attempt);
        kind
    }

    fn only_text(&mut self, kind: &'static str, key: &str, text: &str) -> &'static str {
        self.body.string(key, text);
        kind
    }

    fn attempt(&mut self, attempt: &Attempt) {
        self.body.number("task", attempt.task.0);
        self.body.number("number", attempt.number);
        self.path = Some(attempt.path.clone());
    }

    /// What is written seldom goes through serde. That cannot fail: all its keys are texts.
    fn document(&mut self, key: &str, document: &impl serde::Serialize) {
        let text = serde_json::to_string(document).unwrap_or_else(|_| "null".to_owned());
        self.body.member(key).push_str(&text);
    }

    fn digest(&mut self, key: &str, digest: Digest) {
        push(self.body.member(key), format_args!("\"{digest}\""));
    }

    fn payload(&mut self, key: &str, payload: &Payload) {
        write_payload(payload, self.body.member(key), &mut self.blobs);
    }

    fn bill(&mut self, bill: &Bill) {
        let Bill { fuel, peak_memory, wall, host_calls, bytes_in, bytes_out, attempts } = *bill;
        let out = self.body.member("bill");
        let numbers = [
            ("{\"fuel\":", fuel),
            (",\"peak_memory\":", peak_memory),
            (",\"wall\":", wall),
            (",\"host_calls\":", host_calls),
            (",\"bytes_in\":", bytes_in),
            (",\"bytes_out\":", bytes_out),
        ];
        for (key, value) in numbers {
            out.push_str(key);
            number(value, out);
        }
        if attempts > 0 {
            push(out, format_args!(",\"attempts\":{attempts}"));
        }
        out.push('}');
    }

    fn within(&mut self, within: &Within) {
        let Within { depth, steps, fuel, time, deadline, attempt_memory, attempt_fuel } = within;
        let out = self.body.member("within");
        push(out, format_args!("{{\"depth\":{depth}"));
        let bounds = [
            ("steps", steps),
            ("fuel", fuel),
            ("time", time),
            ("deadline", deadline),
            ("attempt_memory", attempt_memory),
            ("attempt_fuel", attempt_fuel),
        ];
        for (key, bound) in bounds {
            if let Some(bound) = bound {
                push(out, format_args!(",\"{key}\":{bound}"));
            }
        }
        out.push('}');
    }

    fn failure(&mut self, failure: &Failure) {
        let out = self.body.member("failure");
        push(out, format_args!("{{\"kind\":\"{}\",\"message\":", failure.kind.name()));
        write_string(&failure.message, out);
        if let Some(details) = &failure.details {
            out.push_str(",\"details\":");
            write_text(out, &mut self.blobs, |out| push(out, format_args!("{details}")));
        }
        if let Some(retry_after) = failure.retry_after {
            push(out, format_args!(",\"retry_after\":{retry_after}"));
        }
        out.push('}');
    }
}

fn write_payload(payload: &Payload, out: &mut String, blobs: &mut Vec<Blob>) {
    write_text(out, blobs, |out| match payload {
        Payload::Value(value) => catalog::json::write_json(value, out),
        Payload::Text(text) => out.push_str(text),
    });
}

/// Appends `{"value": …}`, or `{"blob": "sha256:…", "size": n}` when the text is long.
fn write_text(out: &mut String, blobs: &mut Vec<Blob>, write: impl FnOnce(&mut String)) {
    let before = out.len();
    out.push_str("{\"value\":");
    let start = out.len();
    write(out);
    if out.len() - start > BLOB_THRESHOLD {
        let text = out.split_off(start);
        out.truncate(before);
        let digest = Digest(Sha256::digest(text.as_bytes()).into());
        push(out, format_args!("{{\"blob\":\"{digest}\",\"size\":{}", text.len()));
        blobs.push(Blob { digest, text });
    }
    out.push('}');
}

fn write_settings(settings: &Settings, out: &mut String) {
    let Settings { retry, backoff, timeout, deadline, priority, class, memory, fuel } = settings;
    let numbers = [
        ("retry", retry.map(i128::from)),
        ("backoff", backoff.map(i128::from)),
        ("timeout", timeout.map(i128::from)),
        ("deadline", deadline.map(i128::from)),
        ("priority", priority.map(i128::from)),
        ("memory", memory.map(i128::from)),
        ("fuel", fuel.map(i128::from)),
    ];
    let mut parts: Vec<String> = numbers.into_iter().filter_map(|(key, number)| Some(format!("\"{key}\":{}", number?))).collect();
    parts.extend(class.as_ref().map(|class| {
        let mut text = String::from("\"class\":");
        write_string(class, &mut text);
        text
    }));
    list('{', '}', &parts, out, |part, out| out.push_str(part));
}

fn write_labels(labels: &[(String, String)], out: &mut String) {
    list('{', '}', labels, out, |(name, value), out| {
        write_string(name, out);
        out.push(':');
        write_string(value, out);
    });
}

fn change(event: &EventBody) -> Option<RunChange> {
    match event {
        EventBody::RunStarted(started) => {
            let mut labels = String::new();
            write_labels(&started.labels, &mut labels);
            Some(RunChange::Started {
                flow: started.flow.clone(),
                plan: started.plan,
                program: started.program,
                owner: started.host.clone(),
                labels,
            })
        }
        EventBody::Paused { reason } => Some(RunChange::Paused { reason: reason.clone() }),
        EventBody::Resumed => Some(RunChange::Resumed),
        EventBody::CancelRequested { reason, .. } => Some(RunChange::Cancelling { reason: reason.clone() }),
        EventBody::Escalated(escalation) => Some(RunChange::Escalated { task: escalation.attempt.task.0 }),
        EventBody::OperatorDecision { task, .. } => Some(RunChange::Decided { task: task.0 }),
        EventBody::OwnerChanged { host } => Some(RunChange::Owned { owner: host.clone() }),
        EventBody::Migrated(migrated) => Some(RunChange::Migrated { plan: migrated.to.plan, program: migrated.to.program }),
        EventBody::RunEnded { outcome } => Some(match outcome {
            RunOutcome::Succeeded(_) => RunChange::Succeeded,
            RunOutcome::Failed { failure, path } => {
                RunChange::Failed { kind: failure.kind.name(), message: failure.message.clone(), path: path.clone() }
            }
            RunOutcome::Cancelled => RunChange::Cancelled,
        }),
        _ => None,
    }
}
