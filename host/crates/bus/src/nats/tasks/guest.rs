//! One task at a worker, from the message to the outcome.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::jetstream::{AckKind, Message};
use catalog::Digest;
use engine::permit::{Permit, permitted};
use engine::ports::{Callee, Clock, Invocation, JournalError, Outcome, SystemClock};

use super::owner_subject;
use super::wire::{self, Answer, Says, Task, Unreadable, Word};
use super::worker::Host;
use crate::nats::dead::DeadLetter;

/// When a task comes again for which the last room was just taken.
const NO_ROOM: Duration = Duration::from_millis(50);

/// When a task comes again that this worker cannot run, or whose owner did not answer.
const LATER: Duration = Duration::from_secs(1);

/// When a task of a newer version comes again.
const SKEW: Duration = Duration::from_secs(5);

/// After so many deliveries a task that no worker can run is given back, and one without an owner is dropped.
const MOST_DELIVERED: i64 = 10;

/// So many requests to an owner in a row may fail before it counts as gone.
const MOST_SILENCE: u32 = 4;

/// A component's functions by interface and name.
pub(super) type Functions = BTreeMap<(Option<String>, String), Arc<Callee>>;

/// What becomes of a message.
pub(super) enum Verdict {
    /// It goes.
    Done,
    /// It comes again after a while, here or elsewhere.
    Later(Duration),
    /// It cannot be handled by anybody: why.
    Dead(String),
}

/// Why a worker does not run a task.
enum Unfit {
    /// Another one may.
    Here(String),
    /// Nobody can.
    Everywhere(String),
}

/// What an owner says.
enum Said {
    Yes,
    No,
    /// Nobody listens where it should be.
    Nobody,
    Nothing,
}

impl From<Unreadable> for Unfit {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::Newer(version) => Self::Here(format!("it has version {version}")),
            Unreadable::Garbage(why) => Self::Everywhere(why),
        }
    }
}

impl Host {
    /// Runs the task of a message, if its owner lets it.
    pub(super) async fn take(&self, message: &Message) -> Verdict {
        let text = match self.parcels.unwrap(&message.payload).await {
            Ok(text) => text,
            // It has waited for longer than it is kept.
            Err(JournalError::NoSuchBlob(_)) => return Verdict::Done,
            Err(_) => return Verdict::Later(LATER),
        };
        let task: Task = match wire::read(&text) {
            Ok(task) => task,
            Err(Unreadable::Newer(_)) => return Verdict::Later(SKEW),
            Err(Unreadable::Garbage(why)) => return Verdict::Dead(why),
        };
        let deliveries = message.info().map_or(1, |info| info.delivered);
        let invocation = match self.prepare(&task).await {
            Ok(invocation) => invocation,
            Err(Unfit::Everywhere(why)) => return self.give_back(&task, why).await,
            Err(Unfit::Here(why)) if deliveries >= MOST_DELIVERED => return self.give_back(&task, why).await,
            Err(Unfit::Here(_)) => return Verdict::Later(LATER),
        };
        let class = task.class.as_deref().map(Into::into);
        let Some(guest) = self.engine.lend(class, task.class_parallel, &invocation) else { return Verdict::Later(NO_ROOM) };
        let claim = self.next_claim();
        match self.claim(&task, &claim).await {
            Said::Yes => self.count(age(message)),
            Said::No => return Verdict::Done,
            Said::Nobody if deliveries >= MOST_DELIVERED => return Verdict::Done,
            Said::Nobody | Said::Nothing => return Verdict::Later(LATER),
        }
        let stop = self.begin(&task.owner, task.id);
        let work = async {
            let outcome = guest.run(invocation).await;
            self.deliver(&task, &claim, &outcome).await;
        };
        // It shows itself until the owner has the outcome, which may be long.
        let ended = tokio::select! {
            () = work => true,
            () = self.shown(&task, &claim) => false,
            () = stop.notified() => false,
        };
        if !ended {
            // Where nobody hears it, the owner finds out by itself.
            self.say(&task, &Word::new(Says::Stopped, task.id, &claim, &self.name)).await;
        }
        self.end(&task.owner, task.id);
        Verdict::Done
    }

    /// The attempt, with its component ready.
    async fn prepare(&self, task: &Task) -> Result<Invocation, Unfit> {
        let digest = task.component()?;
        let functions = self.ready(digest).await?;
        let function = functions.get(&(task.interface.clone(), task.function.clone()));
        let function = Arc::clone(function.ok_or_else(|| Unfit::Everywhere(format!("{digest} has no `{}`", task.function)))?);
        let (args, grants, limits) = (task.args(&function.params)?, task.grants()?, task.limits());
        for grant in &grants {
            if permitted(grant, &self.options.permits, &[]) != [grant.clone()] {
                return Err(Unfit::Here(format!("the operator of no host with room permits `{}`", Permit::of(grant))));
            }
        }
        if let Some(why) = self.engine.refuses(&limits, task.class.as_deref().map(Into::into).as_ref()) {
            return Err(Unfit::Here(why));
        }
        let (idempotency_key, previous_failure) = (task.key.as_str().into(), task.previous()?);
        Ok(Invocation { function, args, grants, limits, idempotency_key, number: task.number, previous_failure, asking: None })
    }

    /// A component's functions, once it can be called.
    async fn ready(&self, digest: Digest) -> Result<Arc<Functions>, Unfit> {
        let known = || self.functions.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(functions) = known() {
            return Ok(functions);
        }
        let _one_at_a_time = self.loading.lock().await;
        if let Some(functions) = known() {
            return Ok(functions);
        }
        let bytes = self.components.get(digest).await.map_err(|error| Unfit::Here(error.to_string()))?;
        let loader = Arc::clone(&self.loader);
        let made = tokio::task::spawn_blocking(move || {
            let component = catalog::decode(&bytes).map_err(|error| error.to_string())?;
            if !loader.is_ready(digest) {
                loader.load(&bytes)?;
            }
            Ok(functions_of(component))
        });
        let made = made.await.unwrap_or_else(|error| Err(error.to_string()));
        let functions = Arc::new(made.map_err(|why: String| Unfit::Here(format!("{digest} cannot be made ready: {why}")))?);
        self.functions.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, Arc::clone(&functions));
        Ok(functions)
    }

    /// Asks the owner whether the task may begin. An answer that gets lost may have been yes, so that it is asked for again.
    async fn claim(&self, task: &Task, claim: &str) -> Said {
        let word = Word::new(Says::Claim, task.id, claim, &self.name);
        for _ in 1..MOST_SILENCE {
            match self.say(task, &word).await {
                Said::Nothing => {}
                said => return said,
            }
        }
        self.say(task, &word).await
    }

    /// Tells the owner that it has to run the task itself.
    async fn give_back(&self, task: &Task, why: String) -> Verdict {
        let word = Word { why: Some(why), ..Word::new(Says::Refuse, task.id, "", &self.name) };
        match self.say(task, &word).await {
            Said::Nothing => Verdict::Later(LATER),
            Said::Yes | Said::No | Said::Nobody => Verdict::Done,
        }
    }

    /// Shows the owner that the task runs; ends when that is to stop, or the owner is gone.
    async fn shown(&self, task: &Task, claim: &str) {
        let mut silence = 0;
        while silence < MOST_SILENCE {
            tokio::time::sleep(self.beat()).await;
            match self.say(task, &Word::new(Says::Beat, task.id, claim, &self.name)).await {
                Said::Yes => silence = 0,
                Said::No => return,
                Said::Nobody | Said::Nothing => silence += 1,
            }
        }
    }

    /// Gives the outcome to the owner, who may be out of reach for a while.
    async fn deliver(&self, task: &Task, claim: &str, outcome: &Outcome) {
        let mut silence = 0;
        while silence < MOST_SILENCE {
            if let Some(word) = self.outcome(task, claim, outcome).await {
                match self.say(task, &word).await {
                    Said::Yes | Said::No => return,
                    Said::Nobody | Said::Nothing => {}
                }
            }
            silence += 1;
            tokio::time::sleep(self.beat()).await;
        }
    }

    async fn outcome(&self, task: &Task, claim: &str, outcome: &Outcome) -> Option<Word> {
        let text = match wire::outcome_text(outcome) {
            Ok(text) => text,
            Err(why) => wire::outcome_text(&super::failed(format!("its result cannot leave its host: {why}"))).ok()?,
        };
        let word = Word::new(Says::Outcome, task.id, claim, &self.name);
        Some(match self.parcels.keep(text.get().as_bytes()).await.ok()? {
            Some(digest) => Word { blob: Some(digest.to_string()), ..word },
            None => Word { outcome: Some(text), ..word },
        })
    }

    /// Says something to the owner, and hears what it answers.
    async fn say(&self, task: &Task, word: &Word) -> Said {
        let subject = owner_subject(&self.link, &task.owner);
        match self.link.client.request(subject, wire::write(word).into()).await {
            Ok(message) => match wire::read::<Answer>(&message.payload) {
                Ok(answer) if answer.go => Said::Yes,
                Ok(_) => Said::No,
                Err(_) => Said::Nothing,
            },
            Err(error) if error.kind() == RequestErrorKind::NoResponders => Said::Nobody,
            Err(_) => Said::Nothing,
        }
    }

    /// Keeps for people what nobody can handle.
    pub(super) async fn bury(&self, message: &Message, why: &str) -> Result<(), async_nats::Error> {
        let deliveries = message.info().map_or(1, |info| info.delivered);
        let attempts = u64::try_from(deliveries).unwrap_or(1);
        let letter = DeadLetter::new("task", &message.subject, why, attempts, &message.payload);
        match self.dead.put(&letter).await {
            Ok(()) => message.ack_with(AckKind::Term).await,
            Err(_) => message.ack_with(AckKind::Nak(Some(LATER))).await,
        }
    }
}

/// How long a message has been in the queue. Its server's clock and this one may differ a little.
fn age(message: &Message) -> Duration {
    let since = message.info().map(|info| info.published.unix_timestamp_nanos()).unwrap_or_default();
    let now = i128::from(SystemClock.now().0) * 1_000_000;
    u64::try_from(now - since).map(Duration::from_nanos).unwrap_or_default()
}

fn functions_of(component: catalog::Component) -> Functions {
    let digest = component.digest;
    let callable = component.functions.into_iter().filter_map(|function| {
        let signature = function.signature.ok()?;
        let (interface, wit_name) = (function.interface, function.wit_name);
        let callee = Callee {
            component: digest,
            interface: interface.clone(),
            wit_name: wit_name.clone(),
            params: signature.params,
            result: signature.result,
        };
        Some(((interface, wit_name), Arc::new(callee)))
    });
    callable.collect()
}
