//! `ask`: agents of the process, and nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{Agent, Agents, LocalBus, MemoryMail};
use catalog::{Digest, FailureKind, Type, Value};
use engine::core::Input;
use engine::event::{Decision, Payload, RunId, RunOutcome, TaskId};
use engine::memory::MemoryJournal;
use engine::ports::{Callee, GrantedCapability, Invoker, MailStore, SystemClock};
use engine::shell::{Engine, EngineConfig, NewRun, RunEnd};
use futures::future::FutureExt;
use lang::plan::{CallPlan, FunctionId, NodeKind, Plan, Target};
use testkit::fake::{FakeInvoker, failure};
use testkit::simulator::build::{PlanBuilder, RegionDraft, call, count, number, slot};

use crate::script::Script;

/// `main()` asks `reviewer`; the test may change how.
fn asking(change: impl FnOnce(&mut CallPlan)) -> Plan {
    let mut builder = PlanBuilder::default();
    let role = builder.role("reviewer", Type::U64);
    let mut main = RegionDraft::new(0);
    let mut ask = CallPlan { target: Target::Role(role), ..call(FunctionId::from_u32(0), vec![number(41)]) };
    change(&mut ask);
    let made = main.add("asked", NodeKind::Call(Box::new(ask)));
    let main = builder.region(main, slot(made));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

#[test]
fn a_question_is_an_effect_whose_outcome_somebody_must_know() {
    let mut script = Script::start(asking(|_| {}), &[], &[]);
    script.check(&["1 run-started main", "2 attempt-started main/asked#1", "invoke main/asked#1 reviewer(41)"]);
    let mut script = Script::recover(script.plan, script.journal);
    assert_eq!(script.take_lines().last().unwrap(), "idle main/asked#1");
    script.input(Input::Decide { task: TaskId(0), decision: Decision::Supply(Payload::Text("7".into())) });
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 7");
}

#[test]
fn an_idempotent_question_is_asked_again() {
    let script = Script::start(asking(|ask| ask.idempotent = true), &[], &[]);
    let mut script = Script::recover(script.plan, script.journal);
    assert_eq!(script.in_flight["main/asked"].number, 2);
    script.gives("main/asked", 8);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 8");
}

fn agent() -> Agent {
    let function = Callee {
        component: Digest([3; 32]),
        interface: None,
        wit_name: "judge".to_owned(),
        params: Vec::new(),
        result: Type::U64,
    };
    Agent { function: Arc::new(function), grants: vec![GrantedCapability::Clock] }
}

async fn outcome(plan: Plan, agents: BTreeMap<catalog::Name, Agent>) -> (RunEnd, u64) {
    let invoker: Arc<dyn Invoker> = Arc::new(FakeInvoker::new(|invocation| {
        async move {
            assert_eq!((&*invocation.function.wit_name, &*invocation.idempotency_key), ("judge", "r/main/asked"));
            assert_eq!(invocation.grants, [GrantedCapability::Clock]);
            match (invocation.number, invocation.previous_failure) {
                (1, None) => Err(failure(FailureKind::Network, "not yet")),
                (2, Some(_)) => Ok(Value::U64(42)),
                other => panic!("{other:?}"),
            }
        }
        .boxed()
    }));
    let bus =
        LocalBus::new(Arc::new(MemoryMail::new()) as Arc<dyn MailStore>).with_agents(Agents::new(Arc::clone(&invoker), agents));
    let journal = Arc::new(MemoryJournal::new());
    let engine = Engine::with_bus(invoker, journal, Arc::new(SystemClock), Arc::new(bus), EngineConfig::default());
    let new = NewRun {
        id: RunId("r".into()),
        plan: Arc::new(plan),
        program: Digest([0; 32]),
        input: Vec::new(),
        labels: Vec::new(),
        permitted: Vec::new(),
        origin: None,
        trace: None,
    };
    let running = engine.start(new).await.unwrap().wait();
    let report = tokio::time::timeout(Duration::from_secs(60), running).await.expect("it should not take so long");
    (report.outcome, report.attempts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_answers_and_is_asked_again_as_the_step_says() {
    let agents = [("reviewer".into(), agent())].into();
    let (end, attempts) = outcome(asking(|ask| ask.retry = Some(count(1))), agents).await;
    assert_eq!((end, attempts), (RunEnd::Finished(RunOutcome::Succeeded(Payload::Value(Value::U64(42)))), 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_nobody_has_fails_at_once() {
    let (end, _) = outcome(asking(|_| {}), BTreeMap::new()).await;
    let RunEnd::Finished(RunOutcome::Failed { failure, path }) = end else { panic!("{end:?}") };
    assert_eq!((failure.kind, &*path), (FailureKind::Dependency, "main/asked"));
    assert!(failure.message.starts_with("no agent has the role `reviewer`; name one in `flowhost.toml`: `[roles.reviewer]`"));
}
