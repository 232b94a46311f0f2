//! Attempts on other hosts: who owns a run offers those for which it has no place, and whoever has room runs them.
//!
//! # Steps
//!
//! 1. [`Dispatcher`] is the owner's side. A task (`wire`) goes into a work queue (`stream`), its component and what is too
//!    long for a message into buckets (`parcel`).
//! 2. [`Worker`] is the other side: it pulls when it has room, makes the component ready, and asks the owner whether it may begin.
//! 3. The owner's `table` says yes once. So a task that is delivered twice, or that the owner has taken back meanwhile, is begun
//!    once; of one whose worker is lost the owner knows that it had begun.
//! 4. While it runs, the worker shows itself to the owner and to the queue. The outcome goes to the owner, who alone journals it.
//! 5. Hosts announce what they run for others (`announcement`), and owners look who has places (`roster`).

mod announcement;
mod guest;
mod parcel;
mod roster;
mod stream;
mod table;
mod wire;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Message, Subscriber};
use catalog::{FailureKind, Type, Value as Argument};
use engine::event::Failure;
use engine::ports::{Elsewhere, Errand, Fate, JournalError, Kind, Offer, Outcome};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::components::Components;
use super::connection::{Connection, Link};
use super::dead::{DeadLetter, DeadLetters};
use super::presence::Presence;
use super::problem::{innermost, unavailable};
use parcel::Parcels;
use roster::Roster;
use stream::Queue;
use table::{Stop, Table};
use wire::{Answer, Halt, Says, Task, Word};

pub use super::components::Source;
pub use worker::{Loader, Worker, WorkerOptions};

/// The field of a host's presence that says what it runs for others.
pub const WORK: &str = roster::FIELD;

/// A task of which a worker shows nothing for so long is given to another one, or given up.
pub const ACK_WAIT: Duration = Duration::from_secs(6);

/// So many beats of a worker may be missing before it is lost.
const MISSED: u32 = 4;

/// After so many lost hosts an attempt fails.
const MOST_LOST: u32 = 3;

/// How often in [`ACK_WAIT`] a worker shows itself.
const BEATS: u32 = 3;

/// Offers attempts to other hosts.
pub struct Dispatcher {
    owner: Arc<Owner>,
    /// Ends its tasks when it is dropped.
    open: watch::Sender<()>,
}

/// What an owner's tasks share.
struct Owner {
    link: Link,
    /// The last part of the subject where it hears.
    name: String,
    queue: Queue,
    parcels: Parcels,
    components: Components,
    source: Source,
    dead: DeadLetters,
    table: Table,
    roster: Roster,
}

/// How busy the hosts of a namespace are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// Tasks in the queue that no worker has.
    pub queue: u64,
    /// Tasks that workers have.
    pub running: u64,
    /// How long tasks waited in the queue that began lately: the longest mean of a host.
    pub waited: Duration,
    /// Other hosts that run tasks.
    pub hosts: usize,
    /// Their places.
    pub places: u32,
    /// Those that nobody has.
    pub free: u32,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("owner", &self.owner.name).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// Finds or makes the queue, and listens. `source` has the bytes of the components that runs here call. Blocks meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer, or do not let this client make the queue or the buckets.
    pub fn open(connection: &Connection, source: Source, ack_wait: Duration) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        let (owner, words) = connection.block(async move { Owner::open(link, source, ack_wait).await })?;
        let (open, closed) = watch::channel(());
        connection.spawn(listen(Arc::clone(&owner), words, closed.clone()));
        connection.spawn(count_beats(Arc::clone(&owner), ack_wait / BEATS, closed));
        Ok(Self { owner, open })
    }

    /// Takes what the other hosts say of themselves now: their names, with the documents of their presence.
    pub fn see(&self, others: Vec<(String, Value)>) {
        self.owner.roster.see(others);
    }

    /// Looks who is there as long as this is not dropped.
    pub fn follow(&self, connection: &Connection, presence: &Presence) {
        let (roster, presence, mut closed) = (self.owner.roster.clone(), presence.clone(), self.open.subscribe());
        let mut changes = presence.changes();
        connection.spawn(async move {
            loop {
                roster.see(presence.others());
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    _ = closed.changed() => return,
                }
            }
        });
    }

    /// How busy the other hosts are.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]
    pub async fn scale(&self) -> Result<Scale, JournalError> {
        let (queue, running) = self.owner.queue.length().await?;
        Ok(Scale { queue, running, ..self.owner.roster.scale() })
    }

    /// Tells whoever listens on `flow.<namespace>.scale`.
    pub async fn tell_scale(&self, document: &Value) {
        let subject = format!("flow.{}.scale", self.owner.link.namespace());
        // It is told again soon.
        let _ = self.owner.link.client.publish(subject, document.to_string().into()).await;
    }
}

impl Elsewhere for Dispatcher {
    fn places(&self, kind: &Kind) -> u32 {
        self.owner.roster.places(kind)
    }

    fn changed(&self, seen: u64) -> BoxFuture<'static, u64> {
        let mut changes = self.owner.roster.changes();
        async move {
            match changes.wait_for(|now| *now > seen).await.map(|now| *now) {
                Ok(now) => now,
                // The dispatcher is gone: nothing changes any more.
                Err(_) => std::future::pending().await,
            }
        }
        .boxed()
    }

    fn offer(&self, offer: Offer) -> Box<dyn Errand> {
        let output = output_of(&offer.invocation.function.result);
        let bytes_in = offer.invocation.args.iter().map(Argument::size).fold(0, u64::saturating_add);
        let (id, fate) = self.owner.table.offer(offer.repeatable, output, bytes_in, offer.begun.clone());
        let owner = Arc::clone(&self.owner);
        let sending = async move { owner.send(id, offer).await }.boxed();
        Box::new(Trip { owner: Arc::clone(&self.owner), id, sending: Some(sending), fate })
    }
}

/// What a step gives: a top-level result is unwrapped.
fn output_of(result: &Type) -> Type {
    match result {
        Type::Result(ok, _) => ok.as_deref().cloned().unwrap_or(Type::Unit),
        other => other.clone(),
    }
}

/// A task that was offered.
struct Trip {
    owner: Arc<Owner>,
    id: u64,
    /// As long as it is not in the queue.
    sending: Option<BoxFuture<'static, ()>>,
    fate: oneshot::Receiver<Fate>,
}

impl Errand for Trip {
    fn fate(&mut self) -> BoxFuture<'_, Fate> {
        async {
            if let Some(sending) = &mut self.sending {
                sending.await;
                self.sending = None;
            }
            let gone = || Fate::Refused("nobody answers for it any more".into());
            (&mut self.fate).await.unwrap_or_else(|_| gone())
        }
        .boxed()
    }

    fn take_back(&mut self) -> bool {
        self.owner.table.take_back(self.id)
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        async {
            let Some(stop) = self.owner.table.stop(self.id) else { return };
            self.owner.halt(stop).await;
            // A worker that does not hear it hears it with its next beat, and one that says nothing is lost some time.
            drop((&mut self.fate).await);
        }
        .boxed()
    }
}

impl Drop for Trip {
    fn drop(&mut self) {
        if let Some(stop) = self.owner.table.forget(self.id) {
            let owner = Arc::clone(&self.owner);
            // Where it cannot be told, the worker hears it with its next beat.
            drop(tokio::runtime::Handle::try_current().map(|runtime| runtime.spawn(async move { owner.halt(stop).await })));
        }
    }
}

impl Owner {
    async fn open(link: Link, source: Source, ack_wait: Duration) -> Result<(Arc<Self>, Subscriber), JournalError> {
        let name = fresh_name(&link);
        let subject = owner_subject(&link, &name);
        let words = link.client.subscribe(subject).await;
        let words = words.map_err(|error| unavailable(format_args!("does not let this client listen: {}", innermost(&error))))?;
        let owner = Self {
            name,
            queue: Queue::open(link.clone(), ack_wait).await?,
            parcels: Parcels::open(&link).await?,
            components: Components::open(&link).await?,
            source,
            dead: DeadLetters::find(link.clone()).await?,
            table: Table::default(),
            roster: Roster::new(),
            link,
        };
        Ok((Arc::new(owner), words))
    }

    /// Puts a task into the queue. Where that cannot be done, it stays here.
    async fn send(&self, id: u64, offer: Offer) {
        let done = match Task::of(id, &self.name, &offer) {
            Ok(task) if offer.lost >= MOST_LOST => return self.bury(id, &offer, &task).await,
            Ok(task) => self.publish(&offer, &task).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        if let Err(why) = done {
            self.table.refuse(id, &why);
        }
    }

    async fn publish(&self, Offer { invocation, kind, .. }: &Offer, task: &Task) -> Result<(), JournalError> {
        self.components.keep(invocation.function.component, &self.source).await?;
        let text = self.parcels.wrap(wire::write(task)).await?;
        self.queue.put(kind, &format!("{}-{}", self.name, task.id), text).await
    }

    /// Every host that ran it was lost: it is not tried again.
    async fn bury(&self, id: u64, offer: &Offer, task: &Task) {
        let message = format!("{} hosts were lost while they ran it", offer.lost);
        let letter =
            DeadLetter::new("task", &self.queue.subject(&offer.kind), &message, u64::from(offer.lost), &wire::write(task));
        // The journal says it as well.
        let _ = self.dead.put(&letter).await;
        self.table.give(id, Fate::Outcome(Box::new(failed(message))));
    }

    /// Answers a word of a worker.
    async fn hear(&self, message: Message) {
        let Ok(word) = wire::read::<Word>(&message.payload) else { return };
        let go = match word.says {
            Says::Claim => self.table.claim(word.task, &word.claim, &word.worker),
            Says::Beat => self.table.beat(word.task, &word.claim),
            Says::Stopped => self.table.end(word.task, &word.claim, Fate::Unknown),
            Says::Refuse => {
                self.table.refuse(word.task, word.why.as_deref().unwrap_or("no host can run it"));
                false
            }
            Says::Outcome => match self.ended(&word).await {
                Some(go) => go,
                // Then it is said again.
                None => return,
            },
        };
        if let Some(reply) = message.reply {
            // Whoever does not hear it asks again.
            let _ = self.link.client.publish(reply, wire::write(&Answer::new(go)).into()).await;
        }
    }

    /// Takes an outcome. None when it cannot be read now.
    async fn ended(&self, word: &Word) -> Option<bool> {
        let Some((output, bytes_in)) = self.table.awaits(word.task, &word.claim) else { return Some(false) };
        let kept = match word.blob() {
            Some(digest) => Some(self.parcels.get(digest).await.ok()?),
            None => None,
        };
        let text = kept.as_deref().or(word.outcome.as_ref().map(|outcome| outcome.get().as_bytes())).unwrap_or_default();
        let outcome = wire::outcome(text, &output, bytes_in)
            .unwrap_or_else(|why| failed(format!("what another host says of its outcome cannot be read: {why:?}")));
        Some(self.table.end(word.task, &word.claim, Fate::Outcome(Box::new(outcome))))
    }

    /// Tells a worker that nobody waits for its outcome.
    async fn halt(&self, Stop { worker, task }: Stop) {
        let text = wire::write(&Halt::new(&self.name, task));
        let _ = self.link.client.publish(worker_subject(&self.link, &worker), text.into()).await;
    }
}

/// How an attempt ended that did not end as it should.
fn failed(message: String) -> Outcome {
    let failure = Failure { kind: FailureKind::Internal, message, details: None, retry_after: None };
    Outcome::new(Err(failure))
}

/// Hears workers until the dispatcher is dropped.
async fn listen(owner: Arc<Owner>, mut words: Subscriber, mut closed: watch::Receiver<()>) {
    let mut busy = FuturesUnordered::new();
    loop {
        tokio::select! {
            word = words.next() => match word {
                Some(word) => busy.push(owner.hear(word)),
                None => return,
            },
            Some(()) = busy.next(), if !busy.is_empty() => {}
            _ = closed.changed() => return,
        }
    }
}

/// Counts what workers do not show, as long as they could be heard.
async fn count_beats(owner: Arc<Owner>, beat: Duration, mut closed: watch::Receiver<()>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(beat) => {}
            _ = closed.changed() => return,
        }
        if owner.link.client.connection_state() == State::Connected {
            for stop in owner.table.miss(MISSED) {
                owner.halt(stop).await;
            }
        }
    }
}

/// A part of a subject that nobody else has.
fn fresh_name(link: &Link) -> String {
    let inbox = link.client.new_inbox();
    inbox.rsplit('.').next().unwrap_or(&inbox).to_owned()
}

fn owner_subject(link: &Link, owner: &str) -> String {
    format!("flow.{}.owner.{owner}", link.namespace())
}

fn worker_subject(link: &Link, worker: &str) -> String {
    format!("flow.{}.worker.{worker}", link.namespace())
}
