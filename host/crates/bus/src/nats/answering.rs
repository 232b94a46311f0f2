//! Answers for roles: components of this host that others may ask, on this cluster, as any other agent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Message, Subscriber};
use catalog::json::{parse, write_json};
use catalog::{FailureKind, Name, RecordType, Type, Value};
use engine::event::{Failure, Timestamp, Trace};
use engine::ports::{Clock, Invocation, Invoker, JournalError, Limits, Outcome, SystemClock};
use futures::StreamExt;
use futures::stream::{SelectAll, select_all};
use tokio::task::{AbortHandle, JoinSet};

use super::agents::{HEADERS, cancel_subject, subject};
use super::connection::{Connection, Link};
use super::envelope::wire::{About, Assignment, Event};
use super::envelope::{Envelope, Kind, field, from_rfc3339, raw_field, rfc3339, source, trace, write_failure};
use super::fetch::patiently;
use super::problem::{innermost, unavailable};
use crate::agents::Agent;

/// Of those who listen for a role, one gets each question.
const GROUP: &str = "agents";

/// So many questions that were taken back before they came to be answered are remembered.
const TAKEN_BACK: usize = 1024;

/// A role, and who answers for it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The role.
    pub role: Name,
    /// What is called.
    pub agent: Agent,
}

/// Answers for the roles of this host.
pub struct RoleServer {
    link: Link,
    invoker: Arc<dyn Invoker>,
    /// By the subject that is listened to.
    roles: BTreeMap<String, Arc<Served>>,
    limits: Limits,
    parallel: usize,
    questions: SelectAll<Subscriber>,
    cancels: SelectAll<Subscriber>,
}

/// Which attempt of which task.
type Which = (String, u32);

impl RoleServer {
    /// Begins to listen for these roles; what comes is answered while [`RoleServer::run`] runs. Blocks until the server knows.
    ///
    /// # Errors
    /// The server cannot be reached, or does not let this client listen.
    pub fn open(
        connection: &Connection,
        invoker: Arc<dyn Invoker>,
        served: Vec<Served>,
        limits: Limits,
        parallel: u32,
    ) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        let names: Vec<Name> = served.iter().map(|served| Name::clone(&served.role)).collect();
        let roles = served.into_iter().map(|served| (subject(&link, &served.role), Arc::new(served))).collect();
        let asked = link.clone();
        let (questions, cancels) = connection.block(async move { listen(&asked, &names).await })?;
        let parallel = usize::try_from(parallel).unwrap_or(usize::MAX);
        Ok(Self { link, invoker, roles, limits, parallel, questions, cancels })
    }

    /// Answers until it is dropped, on the runtime that it is called in. At most as many questions at once as was said; others
    /// wait, and those whose time is over by then are passed over.
    pub async fn run(mut self) {
        let mut running: BTreeMap<Which, AbortHandle> = BTreeMap::new();
        let mut taken_back: VecDeque<Which> = VecDeque::new();
        let mut tasks: JoinSet<Which> = JoinSet::new();
        loop {
            tokio::select! {
                Some(done) = tasks.join_next(), if !tasks.is_empty() => {
                    match done {
                        Ok(which) => drop(running.remove(&which)),
                        // Taken back, or a bug of this host's: who asked finds out by its deadline.
                        Err(_) => running.retain(|_, task| !task.is_finished()),
                    }
                }
                Some(cancel) = self.cancels.next() => {
                    let Some(which) = which(&cancel) else { continue };
                    match running.remove(&which) {
                        Some(task) => task.abort(),
                        None => taken_back.push_back(which),
                    }
                    if taken_back.len() > TAKEN_BACK {
                        taken_back.pop_front();
                    }
                }
                Some(message) = self.questions.next(), if tasks.len() < self.parallel => {
                    let Some((question, reply)) = self.question(&message).await else { continue };
                    let which = question.which.clone();
                    if !taken_back.contains(&which) {
                        let task = tasks.spawn(question.answer(Arc::clone(&self.invoker), reply));
                        running.insert(which, task);
                    }
                }
                else => return,
            }
        }
    }

    /// A question that is to be answered. What is none is refused.
    async fn question(&self, message: &Message) -> Option<(Taken, Reply)> {
        let served = self.roles.get(message.subject.as_str())?;
        let reply = Reply::to(&self.link, served, message)?;
        match Taken::read(served, message, &self.limits) {
            Ok(taken) if taken.limits.timeout.is_zero() => None,
            Ok(taken) => {
                let reply = Reply { which: taken.which.clone(), ..reply };
                Some((taken, reply))
            }
            Err(why) => {
                // Whoever asks is told even what cannot be read whole.
                let reply = Reply { which: about(&message.payload).unwrap_or_default(), ..reply };
                let message = format!("the question to the role `{}` cannot be answered: {why}", served.role);
                reply.fail(&Failure { kind: FailureKind::InvalidInput, message, details: None, retry_after: None }).await;
                None
            }
        }
    }
}

async fn listen(link: &Link, roles: &[Name]) -> Result<(SelectAll<Subscriber>, SelectAll<Subscriber>), JournalError> {
    let (mut questions, mut cancels) = (Vec::new(), Vec::new());
    let refused = |error: async_nats::SubscribeError| unavailable(format_args!("does not let this host listen: {error}"));
    for role in roles {
        questions.push(link.client.queue_subscribe(subject(link, role), GROUP.to_owned()).await.map_err(refused)?);
        cancels.push(link.client.subscribe(cancel_subject(link, role)).await.map_err(refused)?);
    }
    // Any answer of the server: it has taken in what came before.
    let ask = async || link.context.query_account().await.map_err(|error| unavailable(innermost(&error)));
    patiently(link.settings.timeout, ask).await?;
    Ok((select_all(questions), select_all(cancels)))
}

/// What nobody waits for any more.
fn which(cancel: &Message) -> Option<Which> {
    let event = Event::read(&cancel.payload).ok()?;
    if event.is(Kind::Cancel) == Ok(true) { about(&cancel.payload) } else { None }
}

/// Which attempt an event is about.
fn about(payload: &[u8]) -> Option<Which> {
    let about: About<'_> = Event::read(payload).ok()?.read_data().ok()?;
    Some((about.task_id.into_owned(), about.attempt?))
}

/// A question that was read.
struct Taken {
    served: Arc<Served>,
    which: Which,
    args: Vec<Value>,
    limits: Limits,
    previous_failure: Option<Failure>,
}

impl Taken {
    fn read(served: &Arc<Served>, message: &Message, limits: &Limits) -> Result<Self, String> {
        let event = Event::read(&message.payload)?;
        if !event.is(Kind::Assignment)? {
            return Err("it is no `flowhost.task.assignment`".to_owned());
        }
        let asked: Assignment<'_> = event.read_data()?;
        let deadline = from_rfc3339(&asked.deadline).ok_or("its `deadline` is no time as RFC 3339 has it")?;
        let left = Duration::from_millis(deadline.0.saturating_sub(SystemClock.now().0));
        let args = arguments(&served.agent.function.params, asked.args.get())?;
        let which = (asked.task_id.into_owned(), asked.attempt);
        let limits = Limits { timeout: limits.timeout.min(left), ..limits.clone() };
        let previous_failure = asked.previous_failure.map(super::envelope::wire::Failed::into_failure);
        Ok(Self { served: Arc::clone(served), which, args, limits, previous_failure })
    }

    async fn answer(self, invoker: Arc<dyn Invoker>, reply: Reply) -> Which {
        reply.begin().await;
        let begin = (Instant::now(), SystemClock.now());
        let outcome = invoker
            .invoke(Invocation {
                function: Arc::clone(&self.served.agent.function),
                args: self.args,
                grants: self.served.agent.grants.clone(),
                limits: self.limits,
                idempotency_key: self.which.0.as_str().into(),
                number: self.which.1,
                previous_failure: self.previous_failure,
                asking: None,
            })
            .await;
        reply.end(&outcome, begin).await;
        self.which
    }
}

/// Values for these parameters out of an object.
fn arguments(params: &[(Name, Type)], text: &str) -> Result<Vec<Value>, String> {
    let ty = Type::Record(Arc::new(RecordType { name: None, fields: params.to_vec() }));
    let value = parse(text, &ty).map_err(|error| format!("its `args` do not fit: {error}"))?;
    Ok(params.iter().filter_map(|(name, _)| value.field(name).cloned()).collect())
}

/// Where an answer goes.
struct Reply {
    link: Link,
    to: async_nats::Subject,
    source: String,
    which: Which,
    trace: String,
}

impl Reply {
    /// None when nobody waits for one.
    fn to(link: &Link, served: &Served, message: &Message) -> Option<Self> {
        let to = message.reply.clone()?;
        let source = format!("{}/agent/{}", source(link.namespace()), served.role);
        // The trace of the one who asks goes on.
        let given = message.headers.as_ref().and_then(|headers| headers.get("traceparent"));
        let given = given.and_then(|value| Trace::parse(value.as_str()));
        let trace = given.map_or_else(|| trace(None, &source, &to), |given| given.text().to_owned());
        Some(Self { link: link.clone(), to, source, which: Which::default(), trace })
    }

    /// Tells that the work begins.
    async fn begin(&self) {
        let progress = "{\"percentage\":0,\"note\":\"begun\"}";
        self.send(Kind::Progress, "begun", |data| raw_field(data, "progress", |out| out.push_str(progress))).await;
    }

    async fn end(&self, outcome: &Outcome, begin: (Instant, Timestamp)) {
        let value = match &outcome.result {
            Ok(value) => value,
            Err(failure) => return self.fail(failure).await,
        };
        let mut text = String::new();
        write_json(value, &mut text);
        let most = self.link.client.max_payload().saturating_sub(4 * HEADERS);
        if text.len() > most {
            let message = format!("the answer has {} bytes, and NATS takes {most}", text.len());
            return self.fail(&Failure { kind: FailureKind::Resource, message, details: None, retry_after: None }).await;
        }
        let summary = |out: &mut String| {
            out.push('{');
            field(out, "start_time", &rfc3339(begin.1));
            field(out, "end_time", &rfc3339(SystemClock.now()));
            raw_field(out, "duration_seconds", |out| out.push_str(&begin.0.elapsed().as_secs_f64().to_string()));
            out.push('}');
        };
        self.send(Kind::Completion, "completion", |data| {
            raw_field(data, "value", |out| out.push_str(&text));
            raw_field(data, "execution_summary", summary);
        })
        .await;
    }

    async fn fail(&self, failure: &Failure) {
        self.send(Kind::Failure, "failure", |data| raw_field(data, "failure", |out| write_failure(failure, out))).await;
    }

    async fn send(&self, kind: Kind, what: &str, more: impl FnOnce(&mut String)) {
        let (task, attempt) = &self.which;
        let mut data = "{".to_owned();
        field(&mut data, "task_id", task);
        raw_field(&mut data, "attempt", |out| out.push_str(&attempt.to_string()));
        more(&mut data);
        data.push('}');
        let id = format!("{task}#{attempt}/{what}");
        let envelope = Envelope { id: &id, source: &self.source, subject: task, kind, trace: &self.trace, data: &data };
        let sent = self.link.client.publish_with_headers(self.to.clone(), envelope.headers(), envelope.write().into());
        // Who asked finds out by its deadline.
        drop(sent.await);
    }
}
