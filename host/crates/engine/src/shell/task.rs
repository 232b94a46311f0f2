//! The task of a run: takes what comes, performs what the core asks.

mod attempts;
mod desk;
mod orders;
mod rest;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt};
use futures::{FutureExt, poll};
use lang::plan::Plan;
use std::task::Poll;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::asking::Mailroom;
use super::attempt::Done;
use super::child::{Children, Word};
use super::gates::{Permit, Stage};
use super::handle::{Inlets, Outlets, RunEnd, RunReport, Update, channels};
use super::inbox::Inbox;
use super::notice::Notice;
use super::timers::Timers;
use super::valve::Valve;
use super::{EngineError, Parts, TakeOver};
use crate::core::{Action, Admission, Input, Run};
use crate::event::{Decision, Event, RunId, RunStarted, Seq, TaskId};
use crate::ports::{Control, JournalError, Message, Order};

/// So many appends are on their way at most; what happens meanwhile goes into the next one.
const APPENDS: usize = 16;

/// So many inputs are taken before the core's actions are performed.
const INPUTS: usize = 512;

/// A run that waits for a time looks at the clock so often at least: it may be set, or the machine may have slept.
const CLOCK: Duration = Duration::from_secs(1);

/// What became of an append: the last event of it.
type Appended = Result<Seq, JournalError>;

/// A run with all that it has under way.
pub(super) struct RunTask {
    parts: Arc<Parts>,
    plan: Arc<Plan>,
    run: Run,
    attempts: JoinSet<(TaskId, u32, Done)>,
    running: BTreeMap<TaskId, (u32, AbortHandle, Arc<str>, Stage)>,
    /// What attempts have that begin as soon as that is durable.
    admitted: BTreeMap<(TaskId, u32), Permit>,
    appends: FuturesOrdered<BoxFuture<'static, Appended>>,
    timers: Timers,
    inbox: Inbox,
    children: Children,
    /// Components that look for messages.
    mailroom: Mailroom,
    outlets: Outlets,
    listening: bool,
    /// Shut: what was handed out and has not begun does not begin.
    valve: Arc<Valve>,
    /// The task is to end when nothing of the run goes on.
    parking: bool,
    decisions: Vec<(TaskId, Decision)>,
    /// Decisions about steps that do not wait for one yet: with the event after which they must, and the letters' numbers.
    early: Vec<(Seq, u64, Control)>,
    /// Changes that wait until all that was recorded is durable: only then is it known what has begun.
    changes: Vec<(u64, Control)>,
    /// A letter that asks for a migration, with its number and until when what runs may come to its end.
    leaving: Option<(u64, Control, Instant)>,
    /// Nothing goes on by itself: what an order does not fit now it will not fit later.
    quiet: bool,
    actions: Vec<Action>,
    end: Option<RunEnd>,
    notice: Notice,
    /// The last event that was made when the run was last looked at.
    looked_at: Seq,
}

impl RunTask {
    pub(super) fn new(parts: Arc<Parts>, plan: Arc<Plan>, mut run: Run) -> (Self, Inlets) {
        run.set_capacity(parts.config.capacity(&plan.classes));
        // Of an attempt that has begun and waits for another host nobody would know whether that has begun it.
        run.set_admission(if parts.elsewhere.is_some() { Admission::All } else { parts.config.admission() });
        let (outlets, inlets) = channels();
        let inbox = Inbox::new(Arc::clone(&parts.bus), run.id().clone(), &plan);
        let task = Self {
            parts,
            plan,
            run,
            attempts: JoinSet::new(),
            running: BTreeMap::new(),
            admitted: BTreeMap::new(),
            appends: FuturesOrdered::new(),
            timers: Timers::default(),
            inbox,
            children: Children::new(),
            mailroom: Mailroom::new(),
            outlets,
            listening: true,
            valve: Arc::default(),
            parking: false,
            decisions: Vec::new(),
            early: Vec::new(),
            changes: Vec::new(),
            leaving: None,
            quiet: false,
            actions: Vec::new(),
            end: None,
            notice: Notice::default(),
            looked_at: 0,
        };
        (task, inlets)
    }

    pub(super) const fn id(&self) -> &RunId {
        self.run.id()
    }

    /// Makes the start durable; nothing runs before.
    pub(super) async fn begin(mut self, started: RunStarted) -> Result<Self, EngineError> {
        self.input(Input::Start(Box::new(started)));
        self.run.flush(&mut self.actions);
        for action in std::mem::take(&mut self.actions) {
            if let Action::Append(events) = action {
                let through = last_seq(&events);
                self.parts.journal.append_idle(self.run.id(), events).await?;
                self.input(Input::Committed { through });
            }
        }
        Ok(self)
    }

    /// Listens to the literal topics of the plan.
    pub(super) async fn listen(&mut self) -> Result<(), EngineError> {
        Ok(self.inbox.listen().await?)
    }

    /// Accounts for what the last owner left. Orders that stop the run come before anything of it starts again.
    pub(super) fn recover(&mut self, how: TakeOver) -> Result<(), EngineError> {
        self.inbox.doubt_note();
        let given = how.orders.into_iter().map(|control| (0, control));
        let letters: Vec<(u64, Control)> = self.inbox.controls()?.into_iter().chain(given).collect();
        let (first, then): (Vec<_>, Vec<_>) =
            letters.into_iter().partition(|(_, control)| matches!(control.order, Order::Pause { .. } | Order::Cancel { .. }));
        let pauses = first.iter().any(|(no, control)| *no == 0 && matches!(control.order, Order::Pause { .. }));
        first.into_iter().for_each(|(no, control)| self.control(no, control));
        self.run.recover(self.parts.clock.now(), &mut self.actions);
        if self.run.is_pausing() && !how.stays_paused && !pauses {
            self.resume();
        }
        then.into_iter().for_each(|(no, control)| self.control(no, control));
        Ok(())
    }

    fn input(&mut self, input: Input) {
        self.run.handle(input, self.parts.clock.now(), &mut self.actions);
    }

    /// Goes on until the run ends or can go no further.
    pub(super) async fn drive(mut self) -> RunReport {
        let mut outcome = loop {
            self.perform().await;
            if (self.parking || self.leaving.is_some()) && self.is_quiet() {
                self.park();
            }
            if let Some(end) = self.end.take() {
                break end;
            }
            if self.changes.is_empty() {
                self.take_inputs().await;
            } else {
                self.take_changes().await;
            }
        };
        if let (RunEnd::Paused { .. }, Some((_, control, _))) = (&outcome, self.leaving.take()) {
            outcome = RunEnd::Leaves(Box::new(control));
        }
        self.attempts.shutdown().await;
        if let Err(error) = self.inbox.close(matches!(outcome, RunEnd::Finished(_))).await
            && !matches!(outcome, RunEnd::Finished(_))
        {
            outcome = RunEnd::StoreFailed(error);
        }
        self.outlets.tell(Update::Ended);
        let totals = self.run.totals();
        let timer = self.timers.next().filter(|_| !self.run.is_paused());
        let (id, bill, steps, attempts) = (self.run.id().clone(), totals.bill, totals.steps, totals.attempts);
        RunReport { id, outcome, bill, steps, attempts, timer, not_undone: self.run.not_undone().to_vec() }
    }

    /// Performs what the core asks, until it asks for nothing.
    async fn perform(&mut self) {
        loop {
            if self.appends.len() < APPENDS {
                self.run.flush(&mut self.actions);
            }
            if self.actions.is_empty() || self.end.is_some() {
                // Some were stopped before they began.
                self.admitted.retain(|(task, number), _| self.run.is_starting(*task, *number));
                return self.children.follow(self.run.is_paused());
            }
            for action in std::mem::take(&mut self.actions) {
                self.act(action).await;
            }
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Append(events) => self.append(events).await,
            Action::Admit(start) => self.admit(&start),
            Action::Invoke(start) => self.invoke(*start),
            // The run of a plan takes back what it did before it ends.
            Action::Stop { task, number } if self.children.cancel(task, number) => {}
            Action::Stop { task, number } => {
                if let Some((_, abort, _, stage)) = self.running.get(&task).filter(|(running, ..)| *running == number)
                    && !stage.brake()
                {
                    abort.abort();
                }
            }
            Action::SetTimer { timer, at } => self.timers.set(timer, at),
            Action::ClearTimer { timer } => self.timers.clear(timer),
            Action::Publish { task, message } => {
                self.inbox.publish(task, Message { trace: self.run.trace().cloned(), ..*message })
            }
            Action::Hand { task, number, message } => self.mailroom.hand((task, number), message.map(|message| *message)),
            Action::Listen { topic } => self.inbox.subscribe(topic),
            Action::Unlisten { topic } => self.inbox.unsubscribe(topic),
            Action::Progress(progress) => self.outlets.tell(Update::of(progress)),
            Action::Idle(idle) => self.idle(idle),
            Action::Ended(outcome) => self.end = Some(RunEnd::Finished(outcome)),
            Action::Broken(what) => {
                let damaged = || JournalError::Damaged { run: self.run.id().clone(), what };
                let error = self.run.lost_values().map_or_else(damaged, JournalError::Unavailable);
                self.end = Some(RunEnd::StoreFailed(error));
            }
        }
    }

    /// Appends in the order of calls. One that is durable at once needs no way through the queue.
    async fn append(&mut self, events: Arc<[Event]>) {
        let through = last_seq(&events);
        let (journal, alone) = (&self.parts.journal, self.appends.is_empty());
        let mut append = if alone && self.attempts.is_empty() {
            journal.append_idle(self.run.id(), events)
        } else {
            journal.append(self.run.id(), events)
        };
        if alone && let Poll::Ready(done) = poll!(&mut append) {
            self.appended(done.map(|()| through));
            return;
        }
        self.appends.push_back(append.map(move |done| done.map(|()| through)).boxed());
    }

    fn appended(&mut self, done: Appended) {
        match done {
            Ok(through) => {
                self.input(Input::Committed { through });
                self.take_early(self.run.applied());
                self.inbox.committed(through);
            }
            // The first failure is the reason; appends behind it only miss what it would have written.
            Err(error) => drop(self.end.get_or_insert(RunEnd::StoreFailed(error))),
        }
    }

    /// Waits for something to happen, then takes all that is at hand.
    async fn take_inputs(&mut self) {
        let sleep = sleep_for(self.timers.next().map(|at| at.0.saturating_sub(self.parts.clock.now().0)));
        self.inbox.attend(&self.run);
        if self.looked_at != self.run.recorded() {
            self.looked_at = self.run.recorded();
            self.notice.expect();
        }
        tokio::select! {
            biased;
            Some(done) = self.appends.next(), if !self.appends.is_empty() => self.appended(done),
            Some(done) = self.attempts.join_next(), if !self.attempts.is_empty() => self.attempt_done(done),
            request = self.outlets.requests.recv(), if self.listening => self.request(request),
            done = self.inbox.next() => self.errand_done(done),
            Some(wanted) = self.mailroom.next() => self.wanted(wanted),
            Some(word) = self.children.next(), if !self.children.is_empty() => self.heard(word),
            () = sleep => {}
            () = until(self.leaving.as_ref().map(|(.., until)| *until)) => self.stay(),
            () = self.notice.due() => self.look(),
        }
        if let Some(done) = self.inbox.at_hand() {
            self.errand_done(done);
        }
        for _ in 0..INPUTS {
            let Some(done) = self.attempts.try_join_next() else { break };
            self.attempt_done(done);
        }
        while !self.appends.is_empty()
            && let Some(Some(done)) = self.appends.next().now_or_never()
        {
            self.appended(done);
        }
        while let Ok(request) = self.outlets.requests.try_recv() {
            self.request(Some(request));
        }
        let now = self.parts.clock.now();
        while let Some(timer) = self.timers.take_due(now) {
            self.input(Input::TimerDue(timer));
        }
    }

    /// The run of a plan told something.
    fn heard(&mut self, word: Word) {
        match word {
            Word::Stalled { task, number, what } => self.input(Input::Stalled { task, number, what }),
            Word::Update(update) => self.outlets.tell(update),
        }
    }
}

fn last_seq(events: &[Event]) -> Seq {
    events.last().map_or(0, |event| event.seq)
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Sleeps for so many milliseconds, or until the clock is to be looked at, or for ever.
async fn sleep_for(milliseconds: Option<u64>) {
    match milliseconds {
        Some(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds).min(CLOCK)).await,
        None => std::future::pending().await,
    }
}
