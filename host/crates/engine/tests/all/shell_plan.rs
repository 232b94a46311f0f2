//! `run plan`: runs of runs, over a compiler that sees one component.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bus::{LocalBus, MemoryMail};
use catalog::{Digest, FailureKind, Value};
use engine::core::Awaited;
use engine::event::{Event, EventBody, Failure, Payload, RunId, RunOutcome, RunStarted, Within};
use engine::memory::MemoryJournal;
use engine::ports::{
    CompiledPlan, Compiler, Invocation, Journal, MailStore, MailWrite, PlanError, PlanSource, Signal, SystemClock,
};
use engine::shell::{Engine, EngineConfig, NewRun, RunEnd, RunHandle, RunReport};
use futures::future::{BoxFuture, FutureExt, ready};
use lang::plan::Plan;
use lang::{Entry, compile};
use testkit::fake::{FakeInvoker, failure};
use testkit::world::MemoryWorld;
use tokio::sync::Notify;

use crate::runs::within;

const KIT: &str = "package demo:kit; interface api {
    echo: func(value: string) -> string;
    send: func(value: string) -> string;
    stuck: func(value: string) -> string;
}
world kit { export api; }";

const USE: &str = "use \"kit.wasm\" as kit\n";

fn compiled(text: &str) -> Result<Arc<Plan>, String> {
    let world = MemoryWorld::new().with("kit.wit", KIT).with("main.flow", text);
    let compilation = compile(&world, "main.flow", Entry::Default);
    let errors: Vec<&str> = compilation.diagnostics.iter().map(|found| found.code).collect();
    compilation.plan.map(Arc::new).ok_or_else(|| errors.join(", "))
}

struct TextCompiler;

impl Compiler for TextCompiler {
    fn compile(&self, source: PlanSource) -> BoxFuture<'static, Result<CompiledPlan, PlanError>> {
        assert_eq!((source.program, &*source.from), (Digest([5; 32]), "main.flow"));
        let plan = compiled(&source.text).map_err(|errors| PlanError::Refused(failure(FailureKind::InvalidInput, &errors)));
        ready(plan.map(|plan| CompiledPlan { plan, program: source.program, adopted: 0 })).boxed()
    }
}

/// What outlives a process.
#[derive(Default)]
struct World {
    journal: Arc<MemoryJournal>,
    mail: Arc<MemoryMail>,
    calls: Arc<Mutex<Vec<String>>>,
    /// `stuck` waits for this, in each process for its own.
    release: Mutex<Arc<Notify>>,
    entered: Arc<Notify>,
    /// How often `send` fails first.
    failures: Arc<AtomicU32>,
}

impl World {
    /// As after the start of a process.
    fn engine(&self) -> Engine {
        let bus = LocalBus::new(Arc::clone(&self.mail) as Arc<dyn MailStore>);
        let (calls, entered) = (Arc::clone(&self.calls), Arc::clone(&self.entered));
        let release = Arc::clone(&self.release.lock().unwrap());
        let failures = Arc::clone(&self.failures);
        let invoker = FakeInvoker::new(move |invocation: Invocation| {
            let (calls, release, entered) = (Arc::clone(&calls), Arc::clone(&release), Arc::clone(&entered));
            let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            async move {
                let Some(Value::String(text)) = invocation.args.first().cloned() else { panic!("{invocation:?}") };
                calls.lock().unwrap().push(format!("{} {text}", invocation.function.wit_name));
                if &*invocation.function.wit_name == "stuck" {
                    entered.notify_one();
                    release.notified().await;
                }
                if fails { Err(failure(FailureKind::Network, "not yet")) } else { Ok(Value::String(text)) }
            }
            .boxed()
        });
        let (journal, compiler) = (Arc::clone(&self.journal), Arc::new(TextCompiler));
        Engine::with_compiler(Arc::new(invoker), journal, Arc::new(SystemClock), Arc::new(bus), compiler, EngineConfig::default())
    }

    async fn start(&self, text: &str, input: &[(&str, Value)]) -> RunHandle {
        let plan = compiled(&format!("{USE}{text}")).unwrap();
        let input = input.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let permitted = vec!["http *.example.com".to_owned()];
        let new = NewRun {
            id: parent(),
            plan,
            program: Digest([5; 32]),
            input,
            labels: Vec::new(),
            permitted,
            origin: None,
            trace: None,
        };
        self.engine().start(new).await.unwrap()
    }

    async fn resume(&self, text: &str) -> RunHandle {
        self.engine().resume(parent(), compiled(&format!("{USE}{text}")).unwrap()).await.unwrap()
    }

    /// Runs a flow over a plan with this text.
    async fn run(&self, flow: &str, source: &str) -> RunReport {
        within(self.start(flow, &[("source", Value::string(format!("{USE}{source}")))]).await.wait()).await
    }

    fn children(&self) -> Vec<RunId> {
        self.journal.runs().into_iter().filter(|run| *run != parent()).collect()
    }

    fn started(&self, run: &RunId) -> RunStarted {
        match self.journal.load(run).unwrap().into_iter().next().map(|event| event.body) {
            Some(EventBody::RunStarted(started)) => *started,
            other => panic!("{other:?}"),
        }
    }

    fn events(&self, run: &RunId) -> Vec<Event> {
        self.journal.load(run).unwrap()
    }

    /// Lets `stuck` go on.
    fn release(&self) {
        self.release.lock().unwrap().notify_one();
    }

    /// The process dies.
    fn dies(&self, handle: RunHandle) {
        drop(handle);
        *self.release.lock().unwrap() = Arc::default();
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

fn parent() -> RunId {
    RunId("parent".into())
}

fn result(report: &RunReport) -> serde_json::Value {
    match &report.outcome {
        RunEnd::Finished(RunOutcome::Succeeded(Payload::Value(value))) => catalog::json::to_json(value),
        other => panic!("{other:?}"),
    }
}

fn failed(report: RunReport) -> Failure {
    match report.outcome {
        RunEnd::Finished(RunOutcome::Failed { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

const PLAIN: &str = "flow main(source: string) -> json { run plan(source) with { budget: { steps: 5, time: 1h } } }";

#[tokio::test]
async fn a_plan_is_a_run_of_its_own_and_its_outcome_is_the_steps() {
    let world = World::default();
    let flow = "flow main(source: string) -> json {
        run plan(source, words: [\"a\", \"b\"], times: 2) with {
            budget: { steps: 5, fuel: 1_000, time: 1h }, memory: 1MiB, timeout: 5m,
        }
    }";
    let plan = "flow main(words: list<string>, times: u64, other: bool = true) -> list<string> {
        map word in words { kit.echo(word) }
    }";
    let report = world.run(flow, plan).await;
    assert_eq!(result(&report), serde_json::json!(["a", "b"]));
    assert_eq!((report.bill.fuel, report.bill.attempts), (2, 2), "what the plan used counts for the step");
    let [child] = <[RunId; 1]>::try_from(world.children()).unwrap();
    let started = world.started(&child);
    assert_eq!(started.labels[0], ("parent".to_owned(), "parent".to_owned()));
    assert_eq!(started.labels[1], ("parent-step".to_owned(), "main/plan".to_owned()));
    assert_eq!(started.permitted, ["http *.example.com"]);
    let minutes = |n: u64| Some(n * 60_000_000_000);
    assert_eq!(
        *started.within.unwrap(),
        Within {
            depth: 1,
            steps: Some(5),
            fuel: Some(1_000),
            time: minutes(60),
            deadline: minutes(5),
            attempt_memory: Some(1 << 20),
            attempt_fuel: Some(1_000),
        }
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_plan_fails_the_step_before_anything_runs() {
    let cases = [
        ("flow main() -> u32 { kit.nothing() }", FailureKind::InvalidInput, "flow::unknown_function"),
        ("flow main(", FailureKind::InvalidInput, "flow::"),
        ("flow a() -> u32 { 1 }\nflow b() -> u32 { 2 }", FailureKind::InvalidInput, "flow::entry"),
        ("flow main(n: u32) -> u32 { n }", FailureKind::InvalidInput, "takes `n: u32`, which it is not given"),
        (
            "flow main() -> string { kit.send(\"x\") with { allow: [http \"example.com\"] } }",
            FailureKind::Permission,
            "grants `http \"example.com\"` to `kit.send`, and the step that runs it is allowed http a.example.com",
        ),
        (
            "flow main() -> string { kit.send(\"x\") with { allow: [http \"*.example.com\"] } }",
            FailureKind::Permission,
            "grants `http \"*.example.com\"`",
        ),
        ("flow main() -> string { kit.send(\"x\") with { allow: [clock] } }", FailureKind::Permission, "grants `clock`"),
        ("flow main() { emit \"orders\" 1 }", FailureKind::Permission, "emits messages"),
        ("flow main() { wait message \"orders\" }", FailureKind::Permission, "waits for messages"),
        (
            "role judge(text: string) -> bool\nflow main() -> bool { ask judge(\"x\") }",
            FailureKind::Permission,
            "asks the role `judge`",
        ),
        ("flow main(folder: dir) -> u32 { 1 }", FailureKind::InvalidInput, "takes `folder: dir`"),
    ];
    for (plan, kind, message) in cases {
        let world = World::default();
        let flow = "flow main(source: string) -> json {
            run plan(source) with { budget: { steps: 5 }, allow: [http \"a.example.com\"] }
        }";
        let failure = failed(world.run(flow, plan).await);
        assert_eq!(failure.kind, kind, "{plan}: {}", failure.message);
        assert!(failure.message.contains(message), "{plan}: {}", failure.message);
        assert_eq!(world.children(), [], "{plan}");
        assert_eq!(world.calls(), [""; 0], "{plan}");
    }
}

#[tokio::test]
async fn a_plan_may_do_what_the_step_allows() {
    let world = World::default();
    let flow = "flow main(source: string) -> json {
        run plan(source) with { budget: { steps: 5 }, allow: [http \"*.example.com\", clock] }
    }";
    let plan = "flow main() -> string { kit.send(\"x\") with { allow: [http \"A.example.com\", clock] } }";
    assert_eq!(result(&world.run(flow, plan).await), "x");
}

#[tokio::test]
async fn a_folder_of_the_step_is_the_only_one_that_a_plan_gets() {
    let flow = |grant: &str| {
        format!(
            "flow main(source: string, folder: dir, other: dir) -> json {{
                run plan(source, place: folder, second: other) with {{ budget: {{ steps: 5 }}, allow: [{grant}] }}
            }}"
        )
    };
    let reads = "flow main(place: dir, second: dir) -> string {
        kit.echo(\"x\") with { allow: [read place] }
    }";
    let cases = [
        ("read folder, read other", reads.to_owned(), Ok("x")),
        ("read folder", reads.to_owned(), Err("takes the folder `/b` as `second`")),
        ("read_write folder, read other", reads.replace("read place", "read_write place"), Ok("x")),
        ("read folder, read other", reads.replace("read place", "read_write place"), Err("takes the folder `/a` as `place`")),
        (
            "read folder, read other",
            "flow main(place: string, second: dir) -> string { place }".to_owned(),
            Err("`place: string` of the plan's flow: it is given a folder"),
        ),
    ];
    for (grant, plan, expected) in cases {
        let world = World::default();
        let dir = |path: &str| Value::Dir(path.into());
        let input = [("source", Value::string(format!("{USE}{plan}"))), ("folder", dir("/a")), ("other", dir("/b"))];
        let report = within(world.start(&flow(grant), &input).await.wait()).await;
        match expected {
            Ok(text) => assert_eq!(result(&report), text, "{grant}"),
            Err(message) => {
                let failure = failed(report);
                assert!(failure.message.contains(message), "{grant}: {}", failure.message);
            }
        }
    }
}

#[tokio::test]
async fn a_plan_cannot_use_more_than_its_budget() {
    let many = "flow main() -> list<string> { map n in range(0, 100) { kit.echo(\"${n}\") } }";
    let world = World::default();
    let failure = failed(world.run(PLAIN, many).await);
    assert_eq!(failure.kind, FailureKind::Resource);
    assert!(failure.message.contains("it has 5 steps"), "{}", failure.message);
    assert!(failure.message.contains("(at `main` of the plan, run "), "{}", failure.message);
    assert!(world.calls().len() <= 5, "{:?}", world.calls());
}

#[tokio::test]
async fn plans_side_by_side_share_what_is_around_them() {
    let world = World::default();
    let flow = "flow main(source: string) -> list<result<json, failure>> with { budget: { steps: 7 } } {
        map n in [1, 2] with { on_error: collect } { run plan(source) with { budget: { steps: 4 } } }
    }";
    let plan = "flow main() -> list<string> { map n in [1, 2, 3] { kit.echo(\"x\") } }";
    let report = world.run(flow, plan).await;
    // Each plan is an attempt itself: the first one sets 4 of the 6 aside that are left then, the second one gets 1.
    assert!(matches!(report.outcome, RunEnd::Finished(RunOutcome::Succeeded(_))), "{:?}", report.outcome);
    let mut given: Vec<_> = world.children().iter().map(|child| world.started(child).within.unwrap().steps).collect();
    given.sort();
    assert_eq!(given, [Some(1), Some(4)]);
    assert!((3..=4).contains(&world.calls().len()), "{:?}", world.calls());
}

#[tokio::test]
async fn what_a_plan_did_not_use_is_given_back() {
    let world = World::default();
    let flow = "flow main(source: string) -> json with { budget: { steps: 12 } } {
        let first = run plan(source) with { budget: { steps: 10 } }
        let second = run plan(source) with { budget: { steps: 10 } } after first
        second
    }";
    let report = world.run(flow, "flow main() -> list<string> { map n in [1, 2, 3] { kit.echo(\"x\") } }").await;
    assert_eq!(result(&report), serde_json::json!(["x", "x", "x"]));
    let mut given: Vec<_> = world.children().iter().map(|child| world.started(child).within.unwrap().steps).collect();
    given.sort();
    // Of 12 the first plan and what it did are 4, the second plan is 1.
    assert_eq!(given, [Some(7), Some(10)]);
}

#[tokio::test]
async fn plans_in_plans_end() {
    let world = World::default();
    let plan = "flow main(me: string) -> json { run plan(me, me: me) with { budget: { steps: 100 } } }";
    let source = Value::string(plan);
    let flow = "flow main(source: string) -> json { run plan(source, me: source) with { budget: { steps: 100 } } }";
    let report = within(world.start(flow, &[("source", source)]).await.wait()).await;
    let failure = failed(report);
    assert_eq!(failure.kind, FailureKind::Resource, "{}", failure.message);
    assert!(failure.message.contains("plans run plans, 8 deep"), "{}", failure.message);
    assert_eq!(world.children().len(), 8);
    let mut depths: Vec<_> = world.children().iter().map(|child| world.started(child).within.unwrap().depth).collect();
    depths.sort_unstable();
    assert_eq!(depths, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn a_further_attempt_is_a_further_run() {
    let world = World::default();
    world.failures.store(1, Ordering::SeqCst);
    let flow = "flow main(source: string) -> json { run plan(source) with { budget: { steps: 5 }, retry: 1 } }";
    let report = world.run(flow, "flow main() -> string { kit.echo(\"x\") }").await;
    assert_eq!(result(&report), "x");
    assert_eq!(world.children().len(), 2);
}

const STUCK: &str = "flow main() -> string { let a = kit.echo(\"a\")\nkit.stuck(\"b\") after a }";

const LONGER: &str = "flow main() -> string {
    let a = kit.echo(\"a\")
    let b = kit.stuck(\"b\") after a
    kit.echo(\"c\") after b
}";

#[tokio::test]
async fn after_a_crash_the_same_run_goes_on() {
    let world = World::default();
    let handle = world.start(PLAIN, &[("source", Value::string(format!("{USE}{STUCK}")))]).await;
    within(world.entered.notified()).await;
    world.dies(handle);
    let [child] = <[RunId; 1]>::try_from(world.children()).unwrap();
    let handle = world.resume(PLAIN).await;
    world.release();
    let report = within(handle.wait()).await;
    assert_eq!(result(&report), "b");
    assert_eq!(world.children(), std::slice::from_ref(&child), "it was not started again");
    assert_eq!(world.calls(), ["echo a", "stuck b", "stuck b"], "what was committed is not run again");
    let kinds = |events: Vec<Event>| events.into_iter().map(|event| event.body).collect::<Vec<_>>();
    let unknown = |body: &EventBody| matches!(body, EventBody::OutcomeUnknown { .. });
    assert!(!kinds(world.events(&parent())).iter().any(unknown), "the run itself knows what became of it");
    assert!(kinds(world.events(&child)).iter().any(|body| matches!(body, EventBody::OwnerChanged { .. })));
}

#[tokio::test]
async fn a_pause_reaches_the_plan_and_it_goes_on_later() {
    let world = World::default();
    let handle = world.start(PLAIN, &[("source", Value::string(format!("{USE}{LONGER}")))]).await;
    within(world.entered.notified()).await;
    handle.pause("enough");
    // What runs may finish, and nothing starts after it.
    let [child] = <[RunId; 1]>::try_from(world.children()).unwrap();
    within(async {
        while !world.events(&child).iter().any(|event| matches!(event.body, EventBody::Paused { .. })) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.release();
    let report = within(handle.wait()).await;
    assert!(matches!(&report.outcome, RunEnd::Paused { blocked, .. } if blocked.is_empty()), "{:?}", report.outcome);
    let report = within(world.resume(PLAIN).await.wait()).await;
    assert_eq!(result(&report), "c");
    assert_eq!(world.children(), [child]);
    assert_eq!(world.calls(), ["echo a", "stuck b", "echo c"]);
}

#[tokio::test]
async fn a_cancelled_run_lets_its_plan_take_back_what_it_did() {
    let world = World::default();
    let plan = "flow main() -> string {
        kit.echo(\"a\") undo kit.echo(\"not a\")
        wait 1h
        \"done\"
    }";
    let handle = world.start(PLAIN, &[("source", Value::string(format!("{USE}{plan}")))]).await;
    within(async {
        while world.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    handle.cancel("enough");
    let report = within(handle.wait()).await;
    assert_eq!(report.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    assert_eq!(world.calls(), ["echo a", "echo not a"]);
    let [child] = <[RunId; 1]>::try_from(world.children()).unwrap();
    let last = world.events(&child).pop().unwrap().body;
    assert_eq!(last, EventBody::RunEnded { outcome: RunOutcome::Cancelled });
}

#[tokio::test]
async fn a_plan_that_nobody_wants_any_more_is_stopped_after_a_crash() {
    let world = World::default();
    let handle = world.start(PLAIN, &[("source", Value::string(format!("{USE}{STUCK}")))]).await;
    within(world.entered.notified()).await;
    world.dies(handle);
    let [child] = <[RunId; 1]>::try_from(world.children()).unwrap();
    let handle = world.resume(PLAIN).await;
    handle.cancel("not any more");
    let report = within(handle.wait()).await;
    assert_eq!(report.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    let last = world.events(&child).pop().unwrap().body;
    assert_eq!(last, EventBody::RunEnded { outcome: RunOutcome::Cancelled });
}

#[tokio::test]
async fn a_plan_that_takes_too_long_fails() {
    let world = World::default();
    let flow = "flow main(source: string) -> json {
        run plan(source) with { budget: { steps: 5 }, timeout: 20ms } else json(\"too late\")
    }";
    assert_eq!(result(&world.run(flow, "flow main() { wait 1h }").await), "too late");
    let [child] = <[RunId; 1]>::try_from(world.children()).unwrap();
    match world.events(&child).pop().unwrap().body {
        EventBody::RunEnded { outcome: RunOutcome::Failed { failure, .. } } => assert_eq!(failure.kind, FailureKind::Timeout),
        other => panic!("{other:?}"),
    }
}

/// No timer moves it.
const BRIEF: &str = "flow main(source: string) -> json { run plan(source) with { budget: { steps: 5 } } }";

const ASKS: &str = "flow main() -> bool { wait signal approved: bool }";

#[tokio::test]
async fn a_run_waits_with_its_plan_and_goes_on_with_it() {
    let world = World::default();
    let report = world.run(BRIEF, ASKS).await;
    let [child] = <[RunId; 1]>::try_from(world.children()).unwrap();
    let RunEnd::Paused { waiting, .. } = report.outcome else { panic!("{:?}", report.outcome) };
    let what = Awaited::Run { run: child.clone(), what: "signal approved: bool (main/approved)".into() };
    assert_eq!((&*waiting[0].path, &waiting[0].what), ("main/plan", &what));
    let signal = Signal { name: "approved".into(), id: "1".into(), payload: "true".into() };
    world.mail.write_mail(MailWrite::Signal(child.clone(), signal)).await.unwrap();
    let report = within(world.resume(BRIEF).await.wait()).await;
    assert_eq!(result(&report), true);
    assert_eq!(world.children(), [child]);
}

#[tokio::test]
async fn a_signal_reaches_the_plan_of_a_run_that_lives() {
    let world = World::default();
    // The timer keeps the run there while its plan waits.
    let flow = "flow main(source: string) -> list<json> {
        any 2 of {
            run plan(source) with { budget: { steps: 5 } }
            { wait 1h
            json(1) }
        }
    }";
    let handle = world.start(flow, &[("source", Value::string(ASKS))]).await;
    within(async {
        while world.children().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let [child] = <[RunId; 1]>::try_from(world.children()).unwrap();
    let signal = Signal { name: "approved".into(), id: "1".into(), payload: "true".into() };
    world.mail.write_mail(MailWrite::Signal(child, signal)).await.unwrap();
    within(async {
        let done = |event: &Event| matches!(&event.body, EventBody::AttemptSucceeded { attempt, .. } if &*attempt.path == "main/any[0]/plan");
        while !world.events(&parent()).iter().any(done) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(handle);
}
