//! Attempts that other hosts run, as far as the engine has to do with it: virtual time, and hosts that do what the test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::Value;
use engine::event::{Decision, Event, EventBody, Payload, RunId, RunOutcome, Timestamp};
use engine::memory::MemoryJournal;
use engine::ports::{Begun, Elsewhere, Errand, Fate, Journal, Kind, Offer, SystemClock};
use engine::shell::{BlockedBy, ClassLimits, Engine, EngineConfig, RunEnd, RunReport};
use futures::FutureExt;
use futures::future::BoxFuture;
use lang::plan::{CallPlan, Expr, FolderAccess, Grant, Plan};
use testkit::fake::{FakeInvoker, outcome};
use testkit::simulator::build;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::runs::{new_run, within};

const SECOND: Duration = Duration::from_secs(1);

/// The host that begins what another one begins.
const AWAY: &str = "b/2";

/// What a host does with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Begins it, and answers after a second.
    Answer,
    /// Never begins it.
    Nothing,
    /// Begins it, and dies.
    Dies,
    /// Cannot be asked.
    Refuse,
}

/// Other hosts.
struct Hosts {
    places: watch::Sender<u32>,
    does: Box<dyn Fn(&Offer) -> Does + Send + Sync>,
    offers: Mutex<Vec<(String, u32)>>,
    kinds: Mutex<BTreeMap<Kind, u32>>,
}

struct Trip {
    does: Does,
    repeatable: bool,
    begun: bool,
    tells: Begun,
}

impl Hosts {
    fn new(places: u32, does: impl Fn(&Offer) -> Does + Send + Sync + 'static) -> Arc<Self> {
        let (offers, kinds) = (Mutex::default(), Mutex::default());
        Arc::new(Self { places: watch::Sender::new(places), does: Box::new(does), offers, kinds })
    }

    fn offers(&self) -> Vec<(String, u32)> {
        self.offers.lock().unwrap().clone()
    }
}

impl Elsewhere for Hosts {
    fn places(&self, _: &Kind) -> u32 {
        *self.places.borrow()
    }

    fn changed(&self, seen: u64) -> BoxFuture<'static, u64> {
        let mut places = self.places.subscribe();
        async move {
            if seen > 0 {
                places.changed().await.unwrap();
            }
            seen + 1
        }
        .boxed()
    }

    fn offer(&self, offer: Offer) -> Box<dyn Errand> {
        let does = (self.does)(&offer);
        self.offers.lock().unwrap().push((offer.invocation.idempotency_key.to_string(), offer.lost));
        *self.kinds.lock().unwrap().entry(offer.kind).or_default() += 1;
        Box::new(Trip { does, repeatable: offer.repeatable, begun: false, tells: offer.begun })
    }
}

impl Errand for Trip {
    fn fate(&mut self) -> BoxFuture<'_, Fate> {
        self.begun = matches!(self.does, Does::Answer | Does::Dies);
        if self.begun {
            self.tells.tell(AWAY, Timestamp(7));
        }
        async {
            match self.does {
                Does::Nothing => futures::future::pending().await,
                Does::Refuse => Fate::Refused("there is no way".into()),
                Does::Answer => {
                    sleep(SECOND).await;
                    Fate::Outcome(Box::new(outcome(Ok(Value::U64(2)))))
                }
                Does::Dies => {
                    sleep(SECOND).await;
                    if self.repeatable { Fate::Lost } else { Fate::Unknown }
                }
            }
        }
        .boxed()
    }

    fn take_back(&mut self) -> bool {
        !self.begun
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        // It takes as long as it takes until the other host has heard it.
        async { sleep(SECOND * 3).await }.boxed()
    }
}

/// As [`build::fan`].
fn fan(items: u64, change: impl FnOnce(&mut CallPlan)) -> Arc<Plan> {
    Arc::new(build::fan(items, change))
}

fn effect(call: &mut CallPlan) {
    call.grants = vec![Grant::Http("a.b".into())];
}

/// An engine with so many places, whose own steps take a second and give 1.
fn engine(parallel: u32, journal: &Arc<MemoryJournal>, hosts: &Arc<Hosts>) -> Engine {
    engine_with(EngineConfig { parallel, ..EngineConfig::default() }, SECOND, journal, hosts)
}

fn engine_with(config: EngineConfig, step: Duration, journal: &Arc<MemoryJournal>, hosts: &Arc<Hosts>) -> Engine {
    let invoker = FakeInvoker::new(move |_| {
        async move {
            sleep(step).await;
            Ok(Value::U64(1))
        }
        .boxed()
    });
    let engine = Engine::new(Arc::new(invoker), Arc::<MemoryJournal>::clone(journal), Arc::new(SystemClock), config);
    engine.with_elsewhere(Arc::<Hosts>::clone(hosts))
}

/// Runs a plan to where it does not go on.
async fn run(engine: &Engine, plan: &Arc<Plan>) -> RunReport {
    within(engine.start(new_run("r", plan, &["http *"])).await.unwrap().wait()).await
}

/// How many items ran here and elsewhere.
fn spread(report: &RunReport) -> (usize, usize) {
    let RunEnd::Finished(RunOutcome::Succeeded(Payload::Value(Value::List(items)))) = &report.outcome else {
        panic!("{report:?}")
    };
    let here = items.iter().filter(|item| **item == Value::U64(1)).count();
    (here, items.len() - here)
}

fn bodies(journal: &MemoryJournal, wanted: fn(&EventBody) -> bool) -> usize {
    let events: Vec<Event> = journal.load(&RunId("r".into())).unwrap();
    events.iter().filter(|event| wanted(&event.body)).count()
}

/// How and where attempts ended that did not run here.
fn places(journal: &MemoryJournal) -> Vec<(&'static str, String)> {
    let events: Vec<Event> = journal.load(&RunId("r".into())).unwrap();
    let place = |event: Event| {
        let (how, host) = match event.body {
            EventBody::AttemptSucceeded { host, .. } => ("succeeded", host),
            EventBody::AttemptCancelled { host, .. } => ("cancelled", host),
            EventBody::OutcomeUnknown { host, .. } => ("unknown", host),
            _ => return None,
        };
        Some((how, host?.to_string()))
    };
    events.into_iter().filter_map(place).collect()
}

fn away(how: &'static str) -> (&'static str, String) {
    (how, AWAY.to_owned())
}

#[tokio::test(start_paused = true)]
async fn what_finds_a_place_here_stays() {
    for change in [(|_: &mut CallPlan| {}) as fn(&mut CallPlan), effect] {
        let hosts = Hosts::new(2, |_| Does::Answer);
        let report = run(&engine(3, &Arc::default(), &hosts), &fan(3, change)).await;
        assert_eq!((spread(&report), hosts.offers().len()), ((3, 0), 0));
        let journal = Arc::default();
        let report = run(&engine(1, &journal, &hosts), &fan(3, change)).await;
        assert_eq!((spread(&report), hosts.offers().len()), ((1, 2), 2), "two found no place here");
        assert_eq!(places(&journal), [away("succeeded"), away("succeeded")], "the journal says so");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_begins_is_taken_back_when_there_is_a_place_here() {
    let hosts = Hosts::new(10, |_| Does::Nothing);
    let report = run(&engine(2, &Arc::default(), &hosts), &fan(8, effect)).await;
    assert_eq!((spread(&report), hosts.offers().len()), ((8, 0), 6));
    // Hosts that cannot be asked are not asked again for the same attempt.
    let hosts = Hosts::new(10, |_| Does::Refuse);
    let report = run(&engine(2, &Arc::default(), &hosts), &fan(8, |_| {})).await;
    assert_eq!((spread(&report), hosts.offers().len()), ((8, 0), 6));
}

#[tokio::test(start_paused = true)]
async fn hosts_that_come_later_get_what_still_waits() {
    let hosts = Hosts::new(0, |_| Does::Answer);
    let (engine, plan) = (engine(1, &Arc::default(), &hosts), fan(7, |_| {}));
    let handle = engine.start(new_run("r", &plan, &[])).await.unwrap();
    let come = async {
        sleep(SECOND * 2 + SECOND / 2).await;
        assert_eq!(hosts.offers().len(), 0);
        hosts.places.send_replace(10);
    };
    let (report, ()) = within(async { tokio::join!(handle.wait(), come) }).await;
    assert_eq!(spread(&report), (3, 4), "two had ended, one ran");
}

#[tokio::test(start_paused = true)]
async fn an_effect_whose_host_dies_has_an_unknown_outcome_and_another_step_runs_again() {
    let (journal, hosts) = (Arc::default(), Hosts::new(1, |_| Does::Dies));
    let (engine_of, plan) = (|| engine(1, &journal, &hosts), fan(2, effect));
    let report = run(&engine_of(), &plan).await;
    let RunEnd::Paused { blocked, .. } = &report.outcome else { panic!("{report:?}") };
    assert_eq!(blocked.iter().map(|step| step.by.clone()).collect::<Vec<_>>(), [BlockedBy::Unknown]);
    assert_eq!(places(&journal), [away("unknown")]);
    assert_eq!(bodies(&journal, |body| matches!(body, EventBody::OutcomeUnknown { .. })), 1);
    assert_eq!(bodies(&journal, |body| matches!(body, EventBody::AttemptStarted { .. })), 2, "it did not begin again");
    // Whoever takes it over finds the same.
    let handle = engine_of().resume(RunId("r".into()), Arc::clone(&plan)).await.unwrap();
    let task = blocked[0].task;
    handle.decide(task, Decision::Supply(Payload::Value(Value::U64(7))));
    assert_eq!(spread(&within(handle.wait()).await), (1, 1));

    let hosts = Hosts::new(1, |offer| if offer.lost < 2 { Does::Dies } else { Does::Answer });
    let (journal, config) = (Arc::default(), EngineConfig { parallel: 1, ..EngineConfig::default() });
    let engine = engine_with(config, SECOND * 10, &journal, &hosts);
    let report = run(&engine, &fan(2, |call| call.idempotent = true)).await;
    assert_eq!(spread(&report), (1, 1));
    assert_eq!(hosts.offers().into_iter().map(|(_, lost)| lost).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(bodies(&journal, |body| matches!(body, EventBody::OutcomeUnknown { .. })), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_takes_back_what_nobody_has_begun() {
    let (journal, hosts) = (Arc::default(), Hosts::new(4, |_| Does::Nothing));
    let engine = engine(1, &journal, &hosts);
    let mut handle = engine.start(new_run("r", &fan(4, effect), &["http *"])).await.unwrap();
    within(handle.next_update()).await;
    sleep(SECOND / 2).await;
    handle.pause("a break");
    let report = within(handle.wait()).await;
    assert!(matches!(&report.outcome, RunEnd::Paused { blocked, .. } if blocked.is_empty()), "{report:?}");
    assert_eq!(report.steps, 1, "what ran here came to its end");
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_has_stopped_before_the_run_ends() {
    let (journal, hosts) = (Arc::default(), Hosts::new(4, |_| Does::Answer));
    let config = EngineConfig { parallel: 1, ..EngineConfig::default() };
    let engine = engine_with(config, SECOND * 10, &journal, &hosts);
    let handle = engine.start(new_run("r", &fan(3, effect), &["http *"])).await.unwrap();
    let began = tokio::time::Instant::now();
    let cancels = async {
        sleep(SECOND / 2).await;
        handle.cancel("enough");
    };
    cancels.await;
    let report = within(handle.wait()).await;
    assert_eq!(report.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    assert_eq!((hosts.offers().len(), began.elapsed().as_millis()), (2, 3500), "both were waited for, at once");
    assert_eq!(places(&journal), [away("cancelled"), away("cancelled")]);
    // What was taken back and runs here is stopped at once.
    let hosts = Hosts::new(4, |_| Does::Refuse);
    let config = EngineConfig { parallel: 1, ..EngineConfig::default() };
    let engine = engine_with(config, SECOND * 10, &Arc::default(), &hosts);
    let handle = engine.start(new_run("q", &fan(2, effect), &["http *"])).await.unwrap();
    let began = tokio::time::Instant::now();
    sleep(SECOND * 15).await;
    handle.cancel("enough");
    assert_eq!(within(handle.wait()).await.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    assert_eq!((hosts.offers().len(), began.elapsed().as_secs()), (1, 15));
}

#[tokio::test(start_paused = true)]
async fn a_folder_stays_here() {
    let hosts = Hosts::new(4, |_| Does::Answer);
    let folder = |call: &mut CallPlan| {
        call.grants = vec![Grant::Folder(FolderAccess::Read, Expr::Const(Value::Dir("/data".into())))];
    };
    let engine = engine(1, &Arc::default(), &hosts);
    let handle = engine.start(new_run("r", &fan(3, folder), &["read /data"])).await.unwrap();
    assert_eq!(spread(&within(handle.wait()).await), (3, 0));
    let argument = |call: &mut CallPlan| call.args = vec![Expr::Const(Value::Dir("/data".into()))];
    let handle = engine.start(new_run("q", &fan(3, argument), &[])).await.unwrap();
    assert_eq!((spread(&within(handle.wait()).await), hosts.offers().len()), ((3, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn a_class_that_is_full_here_is_run_elsewhere() {
    let hosts = Hosts::new(2, |_| Does::Answer);
    let mut config = EngineConfig::default();
    config.classes.insert("heavy".into(), ClassLimits { parallel: Some(1), ..ClassLimits::default() });
    let engine = engine_with(config, SECOND, &Arc::default(), &hosts);
    let report = run(&engine, &fan(3, |call| call.class = Some("heavy".into()))).await;
    assert_eq!(spread(&report), (1, 2));
    let kind = Kind { class: Some("heavy".into()), http: false, env: false };
    assert_eq!(*hosts.kinds.lock().unwrap(), BTreeMap::from([(kind, 2)]));
}
