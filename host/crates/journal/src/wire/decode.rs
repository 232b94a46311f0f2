//! The stored form back to events.

use std::str::FromStr;
use std::sync::Arc;

use catalog::{Digest, FailureKind};
use engine::event::{
    Attempt, Bill, CacheNote, Change, Decision, Denial, Escalation, EventBody, Failure, Migrated, Origin, Payload, Posting,
    Reusable, RunId, RunOutcome, RunStarted, Settings, TaskId, TimerId, Trace, Version, Within,
};
use serde::de::DeserializeOwned;

use super::bodies::{self, ChangeName, DecisionName, OutcomeName, Versioned};
use super::recovery::StoredTried;
use super::{BODY_VERSION, WireError, kind};

/// The event with this kind, path and body. Payloads are given as [`Payload::Text`]; those that are kept
/// outside the body are asked of `blob`.
///
/// # Errors
/// A kind or version that this program does not know, a body of another form, or what `blob` reports.
pub fn decode(
    kind: &str,
    path: &str,
    body: &str,
    blob: &mut dyn FnMut(Digest) -> Result<Vec<u8>, String>,
) -> Result<EventBody, WireError> {
    let read = Read { kind, path, body, blob };
    match kind {
        kind::RUN_STARTED => read.run_started(),
        kind::ATTEMPT_STARTED => read.attempt_started(),
        kind::DENIED => read.denied(),
        kind::TAKEN => {
            let body: bodies::Taken = read.parse()?;
            Ok(EventBody::Taken { attempt: read.attempt(body.task, body.number), topic: body.topic.into() })
        }
        kind::POSTED => read.posted(),
        kind::ATTEMPT_SUCCEEDED => read.attempt_succeeded(),
        kind::ATTEMPT_FAILED => read.attempt_failed(),
        kind::ATTEMPT_CANCELLED => read.over().map(|(attempt, host)| EventBody::AttemptCancelled { attempt, host }),
        kind::OUTCOME_UNKNOWN => read.over().map(|(attempt, host)| EventBody::OutcomeUnknown { attempt, host }),
        kind::SIGNAL_RECEIVED => read.signal(),
        kind::MESSAGE_RECEIVED => read.message(),
        kind::MESSAGE_SENT => read.only_attempt().map(|attempt| EventBody::MessageSent { attempt }),
        kind::TIMER_FIRED => {
            let body: bodies::TimerFired = read.parse()?;
            Ok(EventBody::TimerFired { timer: TimerId(body.timer) })
        }
        kind::ESCALATED => read.escalated(),
        kind::OPERATOR_DECISION => read.decision(),
        kind::PAUSED => read.reason().map(|reason| EventBody::Paused { reason }),
        kind::RESUMED => read.parse::<bodies::Nothing>().map(|_| EventBody::Resumed),
        kind::CANCEL_REQUESTED => {
            let body: bodies::CancelRequested = read.parse()?;
            Ok(EventBody::CancelRequested { reason: body.reason, gently: body.gently })
        }
        kind::ADVANCED => {
            let body: bodies::Advanced = read.parse()?;
            Ok(EventBody::Advanced { steps: body.steps })
        }
        kind::CONTROL_TAKEN => {
            let body: bodies::ControlTaken = read.parse()?;
            Ok(EventBody::ControlTaken { id: body.id.into(), refusal: body.refusal })
        }
        kind::OWNER_CHANGED => {
            let body: bodies::OwnerChanged = read.parse()?;
            Ok(EventBody::OwnerChanged { host: body.host.into() })
        }
        kind::CHANGED => read.changed(),
        kind::MIGRATED => read.migrated(),
        kind::RUN_ENDED => read.run_ended(),
        _ => Err(WireError::UnknownKind(kind.to_owned())),
    }
}

struct Read<'a> {
    kind: &'a str,
    path: &'a str,
    body: &'a str,
    blob: &'a mut dyn FnMut(Digest) -> Result<Vec<u8>, String>,
}

impl Read<'_> {
    fn run_started(mut self) -> Result<EventBody, WireError> {
        let body: bodies::RunStarted = self.parse()?;
        let input = body.input.0.into_iter().map(|(name, payload)| Ok((name, self.payload(payload)?)));
        Ok(EventBody::RunStarted(Box::new(RunStarted {
            input: input.collect::<Result<_, WireError>>()?,
            flow: body.flow,
            plan: self.digest(&body.plan)?,
            program: self.digest(&body.program)?,
            labels: body.labels.0,
            semantics: body.semantics,
            permitted: body.permitted,
            recovery: match body.recovery {
                None => None,
                Some(table) => Some(Arc::new(table.read().map_err(|error| self.malformed(error))?)),
            },
            host: body.host.into(),
            origin: body.origin.map(|origin| self.origin(origin).map(Box::new)).transpose()?,
            within: body.within.map(|within| Box::new(self::within(&within))),
            trace: match body.trace {
                None => None,
                Some(text) => Some(Trace::parse(&text).ok_or_else(|| self.malformed(format_args!("`{text}` is no trace")))?),
            },
        })))
    }

    fn origin(&mut self, origin: bodies::Origin) -> Result<Origin, WireError> {
        let result = |result: bodies::Reusable| {
            let (key, output) = (self.digest(&result.key)?, self.payload(result.output)?);
            Ok(Reusable { path: result.path.into(), key, output })
        };
        let results = origin.results.into_iter().map(result).collect::<Result<_, WireError>>()?;
        Ok(Origin { run: RunId(origin.run.into()), from: origin.from, repeats: origin.repeats, results })
    }

    fn attempt_started(self) -> Result<EventBody, WireError> {
        let body: bodies::AttemptStarted = self.parse()?;
        let limits = body.limits.map(Into::into);
        Ok(EventBody::AttemptStarted { attempt: self.attempt(body.task, body.number), host: body.host.into(), limits })
    }

    fn posted(mut self) -> Result<EventBody, WireError> {
        let body: bodies::Posted = self.parse()?;
        let text = self.text(body.messages)?;
        // Whoever reads without blobs has null in their place.
        let stored: Option<Vec<bodies::Posting>> = serde_json::from_str(&text).map_err(|error| self.malformed(error))?;
        let messages = stored.unwrap_or_default();
        let messages =
            messages.into_iter().map(|message| Posting { topic: message.topic.into(), payload: message.payload.get().into() });
        Ok(EventBody::Posted { attempt: self.attempt(body.task, body.number), messages: messages.collect() })
    }

    fn denied(self) -> Result<EventBody, WireError> {
        let body: bodies::Denied = self.parse()?;
        let denial = Denial { capability: body.capability, subject: body.subject };
        Ok(EventBody::Denied { attempt: self.attempt(body.task, body.number), denial })
    }

    fn attempt_succeeded(mut self) -> Result<EventBody, WireError> {
        let body: bodies::AttemptSucceeded = self.parse()?;
        let output = self.payload(body.output)?;
        let cache = match body.cache {
            None => None,
            Some(name) => Some(CacheNote::from_name(&name).ok_or_else(|| self.malformed(format_args!("cache is `{name}`")))?),
        };
        let (attempt, host) = (self.attempt(body.task, body.number), body.host.map(Into::into));
        Ok(EventBody::AttemptSucceeded { attempt, output, bill: bill(&body.bill), cache, host })
    }

    fn attempt_failed(mut self) -> Result<EventBody, WireError> {
        let body: bodies::AttemptFailed = self.parse()?;
        let failure = self.failure(body.failure)?;
        let (attempt, host) = (self.attempt(body.task, body.number), body.host.map(Into::into));
        Ok(EventBody::AttemptFailed { attempt, failure, bill: bill(&body.bill), host })
    }

    fn over(self) -> Result<(Attempt, Option<Arc<str>>), WireError> {
        let body: bodies::Over = self.parse()?;
        Ok((self.attempt(body.task, body.number), body.host.map(Into::into)))
    }

    fn only_attempt(self) -> Result<Attempt, WireError> {
        let body: bodies::OnlyAttempt = self.parse()?;
        Ok(self.attempt(body.task, body.number))
    }

    fn signal(mut self) -> Result<EventBody, WireError> {
        let body: bodies::SignalReceived = self.parse()?;
        let payload = self.payload(body.payload)?;
        Ok(EventBody::SignalReceived { name: body.name.into(), id: body.id.into(), payload })
    }

    fn message(mut self) -> Result<EventBody, WireError> {
        let body: bodies::MessageReceived = self.parse()?;
        let payload = self.payload(body.payload)?;
        Ok(EventBody::MessageReceived { topic: body.topic.into(), id: body.id.into(), payload })
    }

    fn reason(self) -> Result<String, WireError> {
        self.parse::<bodies::OnlyReason>().map(|body| body.reason)
    }

    fn escalated(mut self) -> Result<EventBody, WireError> {
        let body: bodies::Escalated = self.parse()?;
        let tried = body.tried.into_iter().map(StoredTried::read).collect::<Result<_, _>>();
        Ok(EventBody::Escalated(Box::new(Escalation {
            attempt: self.attempt(body.task, body.number),
            failure: self.failure(body.failure)?,
            tried: tried.map_err(|error| self.malformed(error))?,
            paused: body.paused.into_iter().map(Into::into).collect(),
        })))
    }

    fn decision(mut self) -> Result<EventBody, WireError> {
        let body: bodies::OperatorDecision = self.parse()?;
        let decision = match (body.decision, body.output, body.message, body.limits) {
            (DecisionName::Retry, None, None, limits) => Decision::Retry(limits.unwrap_or_default().into()),
            (DecisionName::Supply, Some(payload), None, None) => Decision::Supply(self.payload(payload)?),
            (DecisionName::Fail, None, Some(message), None) => Decision::Fail(message),
            _ => return Err(self.malformed("the decision and its fields do not fit")),
        };
        Ok(EventBody::OperatorDecision { task: TaskId(body.task), decision })
    }

    fn changed(mut self) -> Result<EventBody, WireError> {
        let body: bodies::Changed = self.parse()?;
        let path = Arc::from(self.path);
        let change = match (body.what, body.settings, body.output, body.name, body.value) {
            (ChangeName::Policy, Some(settings), None, None, None) => Change::Policy { path, settings: settings_of(settings) },
            (ChangeName::Result, None, Some(output), None, None) => Change::Result { path, output: self.payload(output)? },
            (ChangeName::Input, None, None, Some(name), Some(value)) => Change::Input { name, value: self.payload(value)? },
            _ => return Err(self.malformed("the change and its fields do not fit")),
        };
        Ok(EventBody::Changed(Box::new(change)))
    }

    fn migrated(self) -> Result<EventBody, WireError> {
        let body: bodies::Migrated = self.parse()?;
        let version = |plan: &str, program: &str| Ok(Version { plan: self.digest(plan)?, program: self.digest(program)? });
        let (from, to) = (version(&body.from_plan, &body.from_program)?, version(&body.plan, &body.program)?);
        Ok(EventBody::Migrated(Box::new(Migrated { from, to })))
    }

    fn run_ended(mut self) -> Result<EventBody, WireError> {
        let body: bodies::RunEnded = self.parse()?;
        let outcome = match (body.outcome, body.output, body.failure) {
            (OutcomeName::Succeeded, Some(output), None) => RunOutcome::Succeeded(self.payload(output)?),
            (OutcomeName::Failed, None, Some(failure)) => {
                RunOutcome::Failed { failure: self.failure(failure)?, path: self.path.into() }
            }
            (OutcomeName::Cancelled, None, None) => RunOutcome::Cancelled,
            _ => return Err(self.malformed("the outcome and its fields do not fit")),
        };
        Ok(EventBody::RunEnded { outcome })
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        serde_json::from_str(self.body).map_err(|error| {
            // The version is looked at only when something is wrong: a later form is the likely reason.
            match serde_json::from_str::<Versioned>(self.body) {
                Ok(Versioned { v }) if v != BODY_VERSION => WireError::UnknownVersion { kind: self.kind.to_owned(), found: v },
                _ => self.malformed(error),
            }
        })
    }

    fn malformed(&self, what: impl std::fmt::Display) -> WireError {
        WireError::Malformed { kind: self.kind.to_owned(), what: what.to_string() }
    }

    fn attempt(&self, task: u64, number: u32) -> Attempt {
        Attempt { task: TaskId(task), number, path: self.path.into() }
    }

    fn digest(&self, text: &str) -> Result<Digest, WireError> {
        parse_digest(text).ok_or_else(|| self.malformed(format_args!("`{text}` is not a sha256 digest")))
    }

    fn failure(&mut self, failure: bodies::Failure) -> Result<Failure, WireError> {
        let Ok(kind) = FailureKind::from_str(&failure.kind) else {
            return Err(self.malformed(format_args!("`{}` is not a kind of failure", failure.kind)));
        };
        let details = match failure.details {
            None => None,
            Some(details) => {
                let text = self.text(details)?;
                Some(catalog::json::parse_document(&text).map_err(|error| self.malformed(error))?)
            }
        };
        Ok(Failure { kind, message: failure.message, details, retry_after: failure.retry_after })
    }

    fn payload(&mut self, payload: bodies::Payload) -> Result<Payload, WireError> {
        self.text(payload).map(Payload::Text)
    }

    fn text(&mut self, payload: bodies::Payload) -> Result<Arc<str>, WireError> {
        match (payload.value, payload.blob, payload.size) {
            (Some(value), None, None) => Ok(value.get().into()),
            (None, Some(digest), Some(_)) => {
                let digest = self.digest(&digest)?;
                let bytes = (self.blob)(digest).map_err(WireError::Blob)?;
                let text = String::from_utf8(bytes).map_err(|_| WireError::Blob(format!("the blob {digest} is not text")))?;
                Ok(text.into())
            }
            _ => Err(self.malformed("a payload has either `value`, or `blob` and `size`")),
        }
    }
}

fn settings_of(settings: bodies::Settings) -> Settings {
    let bodies::Settings { retry, backoff, timeout, deadline, priority, class, memory, fuel } = settings;
    Settings { retry, backoff, timeout, deadline, priority, class: class.map(Into::into), memory, fuel }
}

fn bill(bill: &bodies::Bill) -> Bill {
    Bill {
        fuel: bill.fuel,
        peak_memory: bill.peak_memory,
        wall: bill.wall,
        host_calls: bill.host_calls,
        bytes_in: bill.bytes_in,
        bytes_out: bill.bytes_out,
        attempts: bill.attempts,
    }
}

const fn within(within: &bodies::Within) -> Within {
    Within {
        depth: within.depth,
        steps: within.steps,
        fuel: within.fuel,
        time: within.time,
        deadline: within.deadline,
        attempt_memory: within.attempt_memory,
        attempt_fuel: within.attempt_fuel,
    }
}

/// A digest as it displays itself.
#[must_use]
pub fn parse_digest(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.strip_prefix("sha256:")?, &mut bytes).ok()?;
    Some(Digest(bytes))
}
