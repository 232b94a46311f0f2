//! Brings what after-hooks are to be told to their handlers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::client::{Request, RequestErrorKind};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::{self, AckKind};
use engine::ports::{Clock, JournalError, SystemClock};
use futures::future::abortable;
use futures::{FutureExt, StreamExt};

use super::super::assets::find_or_make;
use super::super::connection::{Connection, Link};
use super::super::dead::{DeadLetter, DeadLetters};
use super::super::envelope::Kind;
use super::super::envelope::wire::{About, Done, Event};
use super::super::fetch::{pause, shown};
use super::super::messages::{Delivery, takes_subjects};
use super::super::problem::{innermost, unavailable};
use super::log::{self, HookCall};
use super::{Handler, stream_config, stream_name};

/// Handlers that are told at the same time by one host.
const AT_ONCE: usize = 32;

/// A call of which its host shows nothing for so long is given to another one.
const ACK_WAIT: Duration = Duration::from_secs(12);

/// How often a host shows that it makes a call.
const SHOWN: Duration = Duration::from_secs(4);

/// The name of the consumer.
const CONSUMER: &str = "handlers";

/// How often a handler is told, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookTries {
    /// So often at the most; then it is a dead letter.
    pub tries: u64,
    /// How long it may take each time.
    pub patience: Duration,
    /// How long to wait after the first failure; twice as long after each further one.
    pub backoff: Duration,
}

impl Default for HookTries {
    fn default() -> Self {
        Self { tries: 5, patience: Duration::from_secs(30), backoff: Duration::from_secs(1) }
    }
}

/// What after-hooks are to be told.
#[derive(Clone)]
pub struct NatsHooks {
    link: Link,
    dead: DeadLetters,
}

impl NatsHooks {
    /// The hooks of the connection's namespace; makes their stream where there is none. Blocks meanwhile.
    ///
    /// # Errors
    /// The servers do not answer, or do not let this client make the stream.
    pub fn open(connection: &Connection) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        connection.block(async move {
            find_or_make(&link, stream_config(&link), takes_subjects).await?;
            Ok(Self { dead: DeadLetters::find(link.clone()).await?, link })
        })
    }

    /// Tells handlers as long as what it gives is held; each call is made by one of the hosts that do so.
    #[must_use]
    pub fn tell(&self, connection: &Connection, tries: HookTries) -> Delivery {
        let this = Arc::new((self.clone(), tries));
        let (work, stop) = abortable(async move {
            let mut round = 0;
            loop {
                // Whatever is wrong, it may pass: servers come back.
                if this.0.told(&this.1).await.is_ok() {
                    round = 0;
                }
                pause(round).await;
                round += 1;
            }
        });
        connection.spawn(work.map(drop));
        Delivery::of(stop)
    }

    async fn told(&self, tries: &HookTries) -> Result<(), JournalError> {
        let broken =
            |error: &dyn std::error::Error| unavailable(format_args!("does not give calls of hooks: {}", innermost(error)));
        let consumer = self.consumer().await?;
        let calls = consumer.stream().max_messages_per_batch(AT_ONCE).messages().await.map_err(|error| broken(&error))?;
        let one = |call: Result<jetstream::Message, pull::MessagesError>| async move {
            self.one(call?, tries).await;
            Ok(())
        };
        let mut done = calls.map(one).buffer_unordered(AT_ONCE);
        while let Some(one) = done.next().await {
            one.map_err(|error: pull::MessagesError| broken(&error))?;
        }
        Ok(())
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, JournalError> {
        let stream = stream_name(&self.link);
        let wanted = pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            description: Some("flowhost: tells the handlers of after-hooks".to_owned()),
            filter_subject: format!("flow.{}.hooks.told.>", self.link.namespace()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            ..pull::Config::default()
        };
        let made = self.link.context.create_consumer_on_stream(wanted, &stream).await;
        made.map_err(|error| unavailable(format_args!("gives no consumer of `{stream}`: {}", innermost(&error))))
    }

    /// Makes one call, if it is one. What is not acknowledged comes again.
    async fn one(&self, call: jetstream::Message, tries: &HookTries) {
        let prefix = format!("flow.{}.hooks.told.", self.link.namespace());
        let attempt = call.info().map_or(1, |info| u64::try_from(info.delivered).unwrap_or(1));
        let Some(handler) = call.subject.strip_prefix(&prefix).and_then(Handler::parse) else {
            let why = "its subject is not one of calls of hooks";
            return self.bury(&call, why, attempt).await;
        };
        shown(&call, SHOWN, self.make(handler, &call, attempt, tries)).await;
    }

    /// Makes a call the how many-th time, notes it, and says whether it is to come again.
    async fn make(&self, handler: Handler<'_>, call: &jetstream::Message, attempt: u64, tries: &HookTries) {
        let (begin, at) = (Instant::now(), SystemClock.now());
        let result = self.ask(handler, call, tries).await;
        let is_last = attempt >= tries.tries;
        let (outcome, reason) = match &result {
            Ok(()) => ("done", None),
            Err(why) => (if is_last { "dead" } else { "failed" }, Some(why.clone())),
        };
        let key = about(&call.payload).unwrap_or_default();
        let (run, path) = key.split_once('/').unwrap_or((&key, ""));
        let note = HookCall::new(run, path, at, begin.elapsed(), attempt, outcome.to_owned(), reason);
        log::note(&self.link, handler, &note).await;
        match result {
            Ok(()) => drop(call.ack().await),
            Err(why) if is_last => self.bury(call, &why, attempt).await,
            Err(_) => {
                let doubled = 1_u32 << u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(6);
                drop(call.ack_with(AckKind::Nak(Some(tries.backoff.saturating_mul(doubled)))).await);
            }
        }
    }

    async fn ask(&self, handler: Handler<'_>, call: &jetstream::Message, tries: &HookTries) -> Result<(), String> {
        let subject = handler.subject(&self.link);
        let mut request = Request::new().payload(call.payload.clone()).timeout(Some(tries.patience));
        if let Some(headers) = &call.headers {
            let mut passed = async_nats::HeaderMap::new();
            for name in ["content-type", "traceparent"] {
                if let Some(value) = headers.get(name) {
                    passed.insert(name, value.clone());
                }
            }
            request = request.headers(passed);
        }
        let reply = self.link.client.send_request(subject.clone(), request).await.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => format!("nobody listens to `{subject}`"),
            RequestErrorKind::TimedOut => format!("no answer within {:?}", tries.patience),
            _ => innermost(&error),
        })?;
        let event = Event::read(&reply.payload)?;
        if !event.is(Kind::HookDone)? {
            return Err("it does not answer with a `flowhost.hook.done`".to_owned());
        }
        match event.read_data::<Done>()?.failure {
            None => Ok(()),
            Some(failure) => Err(failure.into_failure().message),
        }
    }

    async fn bury(&self, call: &jetstream::Message, why: &str, attempts: u64) {
        let letter = DeadLetter::new("hook", &call.subject, why, attempts, &call.payload);
        if self.dead.put(&letter).await.is_ok() {
            drop(call.ack().await);
        }
    }
}

/// The step that a call is.
fn about(payload: &[u8]) -> Option<String> {
    let about: About<'_> = Event::read(payload).ok()?.read_data().ok()?;
    Some(about.task_id.into_owned())
}
