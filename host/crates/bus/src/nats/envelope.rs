//! CloudEvents 1.0 in JSON: the form of all that leaves for programs that are no hosts, and of what these send.
//!
//! Each kind of event has a version of its own at the end of its `type`. Fields may be added to a version; a field that goes or
//! means something else makes a new one. The data of each is described by a schema in `host/docs/schemas`.

pub(super) mod wire;

use std::sync::Arc;

use async_nats::HeaderMap;
use catalog::json::{MAX_JSON_DEPTH, fits_depth, write_string};
use catalog::{FailureKind, duration};
use engine::event::{Failure, Timestamp, Trace};
use engine::ports::{Clock, SystemClock};
use sha2::{Digest as _, Sha256};

use wire::{Event, Failed};

/// What the header `content-type` says of an event.
const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The version of CloudEvents.
const SPEC: &str = "1.0";

/// The most bytes of an id, a source or a type that is taken.
const MAX_ATTRIBUTE: usize = 1024;

/// The most bytes of a failure's message that are taken.
const MAX_MESSAGE: usize = 16 << 10;

/// What an event is, with the version that is written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A question to an agent.
    Assignment,
    /// How far an agent is.
    Progress,
    /// What an agent gives.
    Completion,
    /// Why it gives nothing.
    Failure,
    /// Nobody waits for the answer any more.
    Cancel,
    /// A message that a run emits.
    Message,
    /// A question to a handler before an event.
    HookBefore,
    /// What it says.
    HookVerdict,
    /// What a handler is told after an event.
    HookAfter,
    /// It is done with it, or not.
    HookDone,
}

impl Kind {
    /// The name of its schema.
    const fn name(self) -> &'static str {
        match self {
            Self::Assignment => "task.assignment",
            Self::Progress => "task.progress",
            Self::Completion => "task.completion",
            Self::Failure => "task.failure",
            Self::Cancel => "task.cancel",
            Self::Message => "message",
            Self::HookBefore => "hook.before",
            Self::HookVerdict => "hook.verdict",
            Self::HookAfter => "hook.after",
            Self::HookDone => "hook.done",
        }
    }

    const fn version(self) -> u32 {
        match self {
            Self::Assignment | Self::Progress | Self::Completion | Self::Failure | Self::Cancel => 1,
            Self::Message | Self::HookBefore | Self::HookVerdict | Self::HookAfter | Self::HookDone => 1,
        }
    }
}

/// An event that is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Envelope<'a> {
    /// Together with the source no other event has it.
    pub(super) id: &'a str,
    /// Who sends it.
    pub(super) source: &'a str,
    /// What of the sender it is about.
    pub(super) subject: &'a str,
    pub(super) kind: Kind,
    /// `traceparent`
    pub(super) trace: &'a str,
    /// A JSON document.
    pub(super) data: &'a str,
}

impl Envelope<'_> {
    /// Its text.
    pub(super) fn write(&self) -> String {
        let mut out = self.attributes();
        raw_field(&mut out, "data", |out| out.push_str(self.data));
        out.push('}');
        out
    }

    /// Its text when the data is kept elsewhere.
    pub(super) fn write_with_data_at(&self, place: &str) -> String {
        let mut out = self.attributes();
        field(&mut out, "dataref", place);
        out.push('}');
        out
    }

    fn attributes(&self) -> String {
        let (name, version) = (self.kind.name(), self.kind.version());
        let mut out = String::with_capacity(self.data.len() + 512);
        out.push('{');
        field(&mut out, "specversion", SPEC);
        field(&mut out, "id", self.id);
        field(&mut out, "source", self.source);
        field(&mut out, "type", &format!("flowhost.{name}.v{version}"));
        field(&mut out, "subject", self.subject);
        field(&mut out, "time", &rfc3339(SystemClock.now()));
        field(&mut out, "datacontenttype", "application/json");
        field(&mut out, "dataschema", &format!("urn:flowhost:schema:{}.v{version}", name.replace('.', "-")));
        field(&mut out, "traceparent", self.trace);
        out
    }

    /// The headers that go with it.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", CONTENT_TYPE);
        headers.insert("traceparent", self.trace);
        headers
    }
}

/// Adds a text to an object that has its opening bracket.
pub(super) fn field(out: &mut String, name: &str, value: &str) {
    raw_field(out, name, |out| write_string(value, out));
}

/// Adds a field to an object that has its opening bracket.
pub(super) fn raw_field(out: &mut String, name: &str, write: impl FnOnce(&mut String)) {
    if !out.ends_with('{') {
        out.push(',');
    }
    write_string(name, out);
    out.push(':');
    write(out);
}

impl<'a> Event<'a> {
    /// Reads an event and checks what all of them have in common.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self, String> {
        let event: Self = serde_json::from_slice(payload).map_err(|error| format!("it is no CloudEvent in JSON: {error}"))?;
        if event.specversion != SPEC {
            return Err(format!("its `specversion` is `{}`, and `{SPEC}` is what is read here", short(&event.specversion)));
        }
        for (name, value) in [("id", &event.id), ("source", &event.source), ("type", &event.kind)] {
            if value.is_empty() || value.len() > MAX_ATTRIBUTE {
                return Err(format!("its `{name}` is empty or longer than {MAX_ATTRIBUTE} bytes"));
            }
        }
        let json =
            |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json" || kind.ends_with("+json"));
        match &event.datacontenttype {
            Some(kind) if !json(kind) => Err(format!("its `datacontenttype` is `{}`, and only JSON is read here", short(kind))),
            _ => Ok(event),
        }
    }

    /// Whether it is of this kind.
    ///
    /// # Errors
    /// It is, in a version that is not known here.
    pub(super) fn is(&self, kind: Kind) -> Result<bool, String> {
        let Some(version) = self.kind.strip_prefix("flowhost.").and_then(|name| name.strip_prefix(kind.name())) else {
            return Ok(false);
        };
        match version.strip_prefix(".v") {
            Some(version) if version == kind.version().to_string() => Ok(true),
            Some(version) => {
                let (name, known) = (kind.name(), kind.version());
                Err(format!("it is a `flowhost.{name}` of version `{}`, and version {known} is read here", short(version)))
            }
            None => Ok(false),
        }
    }

    /// Its `type`.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// What tells it from all other events.
    pub(super) fn identity(&self) -> String {
        format!("{} {}", self.source, self.id)
    }

    /// Its id when this is its sender.
    pub(super) fn id_of(&self, source: &str) -> Option<&str> {
        (self.source == source).then_some(&*self.id)
    }

    /// The trace that it belongs to.
    pub(super) fn trace(&self) -> Option<Trace> {
        self.traceparent.as_deref().and_then(Trace::parse)
    }

    /// Where its data is, when it is not in it.
    pub(super) fn data_at(&self) -> Option<&str> {
        self.dataref.as_deref()
    }

    /// The text of its data; none where that is elsewhere.
    pub(super) fn data(&self) -> Option<&'a str> {
        self.data.map(serde_json::value::RawValue::get)
    }

    /// Its data, read.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read_data<T: serde::Deserialize<'a>>(&self) -> Result<T, String> {
        let text = self.data().ok_or("it has no `data`")?;
        serde_json::from_str(text).map_err(|error| format!("its `data` is not that of a `{}`: {error}", short(&self.kind)))
    }
}

impl Failed {
    /// The failure that it tells of. What a flow could not hold is left out.
    pub(super) fn into_failure(self) -> Failure {
        let kind = self.kind.replace('-', "_").parse().unwrap_or(FailureKind::Error);
        let mut message = self.message;
        if message.len() > MAX_MESSAGE {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE));
            message.push('…');
        }
        let fits = |details: &serde_json::Value| !details.is_null() && fits_depth(details, MAX_JSON_DEPTH);
        let nanos = self.retry_after.as_deref().and_then(|text| duration::parse(text).ok());
        Failure {
            kind,
            message,
            details: self.details.filter(fits).map(Arc::new),
            retry_after: nanos.map(|nanos| nanos.div_ceil(1_000_000)),
        }
    }
}

/// The text of a failure.
pub(super) fn write_failure(failure: &Failure, out: &mut String) {
    out.push('{');
    field(out, "kind", failure.kind.name());
    field(out, "message", &failure.message);
    let details = failure.details.as_deref().unwrap_or(&serde_json::Value::Null);
    raw_field(out, "details", |out| out.push_str(&details.to_string()));
    raw_field(out, "retry_after", |out| match failure.retry_after {
        Some(millis) => write_string(&duration::display(millis.saturating_mul(1_000_000)).to_string(), out),
        None => out.push_str("null"),
    });
    out.push('}');
}

/// Who sends what this namespace's hosts send.
pub(super) fn source(namespace: &super::Namespace) -> String {
    format!("/flowhost/{namespace}")
}

/// A `traceparent` for an attempt: the trace is that of whoever started its run, or of the run itself, so that a tracer shows all of a
/// run together, whichever host it is on.
pub(super) fn trace(given: Option<&Trace>, run: &str, attempt: &str) -> String {
    let digest = |text: &str| hex::encode(Sha256::digest(text));
    let span = digest(attempt);
    let span = span.get(..16).unwrap_or_default();
    match given {
        Some(given) => given.with_span(span),
        None => format!("00-{}-{span}-01", digest(run).get(..32).unwrap_or_default()),
    }
}

/// A time as RFC 3339 has it.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let millis = i64::try_from(at.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    millis.unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The time that RFC 3339 means.
pub(super) fn from_rfc3339(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(u64::try_from(time.as_millisecond()).unwrap_or_default()))
}

/// The beginning of what a stranger wrote, for a message.
pub(super) fn short(text: &str) -> String {
    const SHOWN: usize = 80;
    if text.chars().count() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::wire::{Completion, Event, Refusal};
    use super::{Envelope, Kind, trace, write_failure};
    use catalog::FailureKind;
    use engine::event::Failure;

    #[test]
    fn what_is_written_is_read() {
        let trace = trace(None, "r", "r/main/ask#1");
        let envelope = Envelope {
            id: "a\"b",
            source: "/flowhost/x",
            subject: "r/main",
            kind: Kind::Completion,
            trace: &trace,
            data: r#"{"task_id":"r/main","value":[1,2]}"#,
        };
        let text = envelope.write();
        let event = Event::read(text.as_bytes()).unwrap();
        assert_eq!((event.identity().as_str(), event.is(Kind::Completion)), ("/flowhost/x a\"b", Ok(true)));
        assert_eq!(event.is(Kind::Failure), Ok(false));
        assert_eq!(event.read_data::<Completion<'_>>().unwrap().value.get(), "[1,2]");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let event = |change: &str, to: &str| {
            let good = r#"{"specversion":"1.0","id":"1","source":"s","type":"flowhost.task.completion.v1","data":{"value":1}}"#;
            assert!(good.contains(change), "{change}");
            good.replace(change, to)
        };
        let refused =
            |text: &str| Event::read(text.as_bytes()).map(|event| event.is(Kind::Completion)).and_then(|is| is.map(drop));
        for (text, why) in [
            ("nonsense".to_owned(), "no CloudEvent"),
            ("[]".to_owned(), "no CloudEvent"),
            (event("1.0", "0.3"), "`specversion` is `0.3`"),
            (event("\"id\":\"1\",", ""), "missing field `id`"),
            (event("\"id\":\"1\"", "\"id\":\"\""), "`id` is empty"),
            (event("\"id\":\"1\"", "\"id\":\"1\",\"datacontenttype\":\"text/plain\""), "only JSON"),
            (event(".v1", ".v2"), "version `2`"),
        ] {
            assert!(refused(&text).unwrap_err().contains(why), "{text}: {:?}", refused(&text));
        }
    }

    #[test]
    fn failures_come_and_go() {
        let failure = Failure {
            kind: FailureKind::InvalidInput,
            message: "no".to_owned(),
            details: Some(std::sync::Arc::new(serde_json::json!({"at": 1}))),
            retry_after: Some(1500),
        };
        let mut text = "{\"failure\":".to_owned();
        write_failure(&failure, &mut text);
        text.push('}');
        assert_eq!(text, r#"{"failure":{"kind":"invalid_input","message":"no","details":{"at":1},"retry_after":"1500ms"}}"#);
        let read: Refusal = serde_json::from_str(&text).unwrap();
        assert_eq!(read.failure.into_failure(), failure);
        let unknown: Refusal = serde_json::from_str(r#"{"failure":{"kind":"odd","message":"x","retry_after":"soon"}}"#).unwrap();
        let unknown = unknown.failure.into_failure();
        assert_eq!((unknown.kind, unknown.retry_after), (FailureKind::Error, None));
    }
}
