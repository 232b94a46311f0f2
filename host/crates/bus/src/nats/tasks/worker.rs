//! The worker's side: pulls tasks while there is room for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{AckKind, Message};
use catalog::{Digest, Name};
use engine::permit::Permit;
use engine::ports::{JournalError, Kind};
use engine::shell::{Engine, Room};
use futures::StreamExt;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::announcement::Announcement;
use super::guest::{Functions, Verdict};
use super::parcel::Parcels;
use super::stream::Queue;
use super::wire::{self, Halt};
use super::{BEATS, worker_subject};
use crate::nats::assets::token;
use crate::nats::components::Components;
use crate::nats::connection::{Connection, Link};
use crate::nats::dead::DeadLetters;
use crate::nats::fetch::shown;
use crate::nats::problem::{innermost, unavailable};

/// So many tasks are asked for at once.
const MOST_PULLED: u32 = 64;

/// How long one request for tasks waits for them.
const PULL: Duration = Duration::from_secs(5);

/// How often a worker looks for kinds of tasks that it was not told of, and says how much room it has.
const LOOK: Duration = Duration::from_secs(3);

/// How long it waits after a server did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// Makes components ready to be called.
pub trait Loader: Send + Sync + 'static {
    /// Whether it is ready.
    fn is_ready(&self, digest: Digest) -> bool;

    /// Makes it ready. Blocks.
    ///
    /// # Errors
    /// Why it cannot be, for people.
    fn load(&self, bytes: &[u8]) -> Result<(), String>;
}

/// What a worker runs for others.
#[derive(Clone)]
pub struct WorkerOptions {
    /// What its operator permits: a task that is granted more is left to others.
    pub permits: Vec<Permit>,
    /// The only classes that it takes; none: any.
    pub only: Option<Vec<Name>>,
    /// What it says of itself to those that choose hosts.
    pub labels: BTreeMap<String, String>,
    /// As the owners have it.
    pub ack_wait: Duration,
}

/// Runs attempts of other hosts' runs.
#[derive(Clone)]
pub struct Worker {
    pub(super) host: Arc<Host>,
}

/// What all tasks of a worker share.
pub(super) struct Host {
    pub(super) link: Link,
    /// The last part of the subject where it can be stopped.
    pub(super) name: String,
    pub(super) queue: Queue,
    pub(super) parcels: Parcels,
    pub(super) components: Components,
    pub(super) dead: DeadLetters,
    pub(super) engine: Engine,
    pub(super) loader: Arc<dyn Loader>,
    pub(super) options: WorkerOptions,
    announce: Box<dyn Fn(Value) + Send + Sync>,
    pub(super) functions: Mutex<BTreeMap<Digest, Arc<Functions>>>,
    /// One component is made ready at a time.
    pub(super) loading: tokio::sync::Mutex<()>,
    claims: AtomicU64,
    begun: AtomicU64,
    /// What runs, by owner and number: how to stop it.
    running: Mutex<BTreeMap<(String, u64), Arc<Notify>>>,
    /// How many began since this was last said, and how long they had waited altogether.
    waited: Mutex<(u32, Duration)>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.host.name).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker that uses the places of an engine, and says with `announce` how many there are. `name` is what the journals of the runs
    /// call it whose attempts it runs; no other process has it. Blocks until the queue is found or made.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer, or do not let this client make the queue or the buckets.
    pub fn open(
        connection: &Connection,
        name: &str,
        engine: Engine,
        loader: Arc<dyn Loader>,
        announce: impl Fn(Value) + Send + Sync + 'static,
        options: WorkerOptions,
    ) -> Result<Self, JournalError> {
        let (link, ack_wait) = (connection.link().clone(), options.ack_wait);
        let (queue, parcels, components, dead) = connection.block(async move {
            let queue = Queue::open(link.clone(), ack_wait).await?;
            let (parcels, components) = (Parcels::open(&link).await?, Components::open(&link).await?);
            Ok((queue, parcels, components, DeadLetters::find(link).await?))
        })?;
        let link = connection.link().clone();
        let host = Host {
            name: token(name),
            link,
            queue,
            parcels,
            components,
            dead,
            engine,
            loader,
            options,
            announce: Box::new(announce),
            functions: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            claims: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            running: Mutex::default(),
            waited: Mutex::default(),
        };
        Ok(Self { host: Arc::new(host) })
    }

    /// Works until `stopping` is true; then it takes nothing new, and ends when what runs has ended.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: it is not let listen.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) -> Result<(), JournalError> {
        let host = &self.host;
        let refused = |error| unavailable(format_args!("does not let this client listen: {}", innermost(&error)));
        let mut halts = host.link.client.subscribe(worker_subject(&host.link, &host.name)).await.map_err(refused)?;
        let mut news = host.link.client.subscribe(host.queue.news()).await.map_err(refused)?;
        let (mut known, mut pulls) = (BTreeSet::new(), JoinSet::new());
        let (mut look, mut stops, for_pulls) = (tokio::time::interval(LOOK), false, stopping.clone());
        loop {
            tokio::select! {
                () = stopped(&mut stopping), if !stops => {
                    stops = true;
                    (host.announce)(Value::Null);
                }
                Some(halt) = halts.next() => host.halt(&halt.payload),
                Some(_) = news.next(), if !stops => host.find(&mut known, &mut pulls, &for_pulls).await,
                _ = look.tick(), if !stops => {
                    (host.announce)(host.said().document());
                    host.find(&mut known, &mut pulls, &for_pulls).await;
                }
                Some(_) = pulls.join_next(), if !pulls.is_empty() => {}
                else => return Ok(()),
            }
            if stops && pulls.is_empty() {
                return Ok(());
            }
        }
    }

    /// How many attempts there are places for here.
    #[must_use]
    pub fn room(&self) -> Room {
        self.host.engine.room(None)
    }

    /// How many attempts of others began here so far.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.host.begun.load(Ordering::Relaxed)
    }

    /// How many attempts of others run here.
    #[must_use]
    pub fn running(&self) -> usize {
        self.host.running().len()
    }
}

impl Host {
    fn running(&self) -> MutexGuard<'_, BTreeMap<(String, u64), Arc<Notify>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name for one try of a task.
    pub(super) fn next_claim(&self) -> String {
        format!("{}-{}", self.name, self.claims.fetch_add(1, Ordering::Relaxed))
    }

    /// How often it shows itself while something runs.
    pub(super) fn beat(&self) -> Duration {
        self.options.ack_wait / BEATS
    }

    /// Something runs from now on. It is told when it is to stop.
    pub(super) fn begin(&self, owner: &str, task: u64) -> Arc<Notify> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let stop = Arc::new(Notify::new());
        self.running().insert((owner.to_owned(), task), Arc::clone(&stop));
        stop
    }

    pub(super) fn end(&self, owner: &str, task: u64) {
        self.running().remove(&(owner.to_owned(), task));
    }

    fn halt(&self, text: &[u8]) {
        let Ok(Halt { owner, task, .. }) = wire::read::<Halt>(text) else { return };
        if let Some(stop) = self.running().get(&(owner, task)) {
            stop.notify_one();
        }
    }

    /// Whether it runs tasks of a kind.
    fn takes(&self, kind: &Kind) -> bool {
        self.announcement().takes(kind)
    }

    /// One waited so long in the queue.
    pub(super) fn count(&self, waited: Duration) {
        let mut all = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        *all = (all.0.saturating_add(1), all.1.saturating_add(waited));
    }

    /// What it says of itself now.
    fn said(&self) -> Announcement {
        let (count, sum) = std::mem::take(&mut *self.waited.lock().unwrap_or_else(PoisonError::into_inner));
        let mean = sum.checked_div(count).unwrap_or_default();
        Announcement { waited: u64::try_from(mean.as_millis()).unwrap_or(u64::MAX), ..self.announcement() }
    }

    fn announcement(&self) -> Announcement {
        let room = self.engine.room(None);
        let bounded = |class: &Name| Some((class.to_string(), self.engine.room(Some(class)).places));
        let permits = |fits: fn(&Permit) -> bool| self.options.permits.iter().any(fits);
        let functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        Announcement {
            places: room.places,
            free: room.free,
            waited: 0,
            classes: self.engine.classes().filter_map(bounded).collect(),
            only: self.options.only.as_ref().map(|names| names.iter().map(ToString::to_string).collect()),
            http: permits(|permit| matches!(permit, Permit::Http(_))),
            env: permits(|permit| matches!(permit, Permit::Env(_))),
            components: functions.keys().map(ToString::to_string).collect(),
            labels: self.options.labels.clone(),
        }
    }

    /// Begins to pull tasks of kinds that are new.
    async fn find(self: &Arc<Self>, known: &mut BTreeSet<Kind>, pulls: &mut JoinSet<()>, stopping: &watch::Receiver<bool>) {
        // Without an answer it looks again soon.
        for kind in self.queue.kinds().await.unwrap_or_default() {
            if self.takes(&kind) && known.insert(kind.clone()) {
                pulls.spawn(Arc::clone(self).pull(kind, stopping.clone()));
            }
        }
    }

    /// Pulls tasks of a kind while there is room, and runs them.
    async fn pull(self: Arc<Self>, kind: Kind, mut stopping: watch::Receiver<bool>) {
        let (mut tasks, mut known) = (JoinSet::new(), None);
        let class = kind.class.as_ref();
        while !*stopping.borrow() {
            let batch = async {
                self.engine.has_room(class).await;
                let most = self.engine.room(class).free.clamp(1, MOST_PULLED);
                if known.is_none() {
                    known = self.queue.pull(&kind).await.ok();
                }
                match &known {
                    Some(consumer) => self.batch(consumer, most as usize, &mut tasks).await,
                    None => false,
                }
            };
            let answered = tokio::select! {
                answered = batch => answered,
                () = stopped(&mut stopping) => break,
            };
            if !answered {
                // It may have been made anew.
                known = None;
                tokio::time::sleep(PAUSE).await;
            }
            while tasks.try_join_next().is_some() {}
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Takes so many tasks at most. False when the server does not answer.
    async fn batch(self: &Arc<Self>, consumer: &PullConsumer, most: usize, tasks: &mut JoinSet<()>) -> bool {
        let Ok(mut batch) = consumer.batch().max_messages(most).expires(PULL).messages().await else { return false };
        while let Some(message) = batch.next().await {
            match message {
                Ok(message) => drop(tasks.spawn(Arc::clone(self).handle(message))),
                Err(_) => return false,
            }
        }
        true
    }

    /// Does what a message asks for, and tells the queue.
    async fn handle(self: Arc<Self>, message: Message) {
        // Where the task is given to another worker all the same, the owner refuses that one.
        let told = match shown(&message, self.beat(), self.take(&message)).await {
            Verdict::Done => message.ack().await,
            Verdict::Later(wait) => message.ack_with(AckKind::Nak(Some(wait))).await,
            Verdict::Dead(why) => self.bury(&message, &why).await,
        };
        // Else it comes again, and is refused by its owner.
        drop(told);
    }
}

/// Ends when a worker is to stop, or nobody can tell it any more.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stopping| *stopping).await);
}
