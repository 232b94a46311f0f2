//! Handlers that are asked before events and told after them.

use catalog::{Name, Type, Value, VariantType};
use engine::core::Input;
use lang::plan::{FunctionId, HookEvent, HookInput, HookPhase, HookPlan, HookTarget, HookVerdict, NodeKind, OutsideHook, Plan};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, count, number, slot};

use crate::script::Script;

/// A handler before or after something.
fn hook(phase: HookPhase, event: HookEvent, handler: FunctionId, inputs: &[HookInput]) -> HookPlan {
    HookPlan {
        phase,
        event,
        target: HookTarget::All,
        call: call(handler, Vec::new()),
        inputs: inputs.to_vec(),
        verdict: if phase == HookPhase::Before { HookVerdict::Cases } else { HookVerdict::Nothing },
        span: lang::Span::default(),
    }
}

fn verdict() -> Type {
    let case = |name: &str, carries: Option<Type>| (Name::from(name), carries);
    let cases = vec![case("allow", None), case("veto", Some(Type::String)), case("rewrite", Some(Type::String))];
    Type::Variant(std::sync::Arc::new(VariantType { name: None, cases }))
}

fn said(case: &str, text: Option<&str>) -> Value {
    Value::Variant(case.into(), text.map(|text| std::sync::Arc::new(Value::string(text))))
}

/// `main()` with one step `work(7)` that may be tried twice, under these hooks.
fn hooked(hooks: impl FnOnce(FunctionId, FunctionId) -> Vec<HookPlan>) -> Plan {
    let mut builder = PlanBuilder::default();
    let work = builder.function_of("work", &[("n", Type::U64)], Type::U64);
    let ask = builder.function_of("ask", &[("path", Type::String), ("args", Type::String)], verdict());
    let tell = builder.function_of("tell", &[("outcome", Type::String)], Type::Unit);
    let mut main = RegionDraft::new(0);
    let mut step = call(work, vec![number(7)]);
    step.retry = Some(count(1));
    let step = main.node("step", NodeKind::Call(Box::new(step)), &[], NodePolicy::default());
    let main = builder.region(main, slot(step));
    let entry = builder.flow("main", &[], main);
    let mut plan = builder.finish(entry);
    plan.hooks = hooks(ask, tell);
    plan
}

const ASKED: [HookInput; 2] = [HookInput::Path, HookInput::Args];

#[test]
fn a_step_waits_for_what_its_handler_says() {
    let plan = hooked(|ask, _| vec![hook(HookPhase::Before, HookEvent::Step, ask, &ASKED)]);
    let mut script = Script::start(plan, &[], &[]);
    script.take_lines();
    assert_eq!(script.in_flight.keys().collect::<Vec<_>>(), ["main/step.before[0]"]);
    assert_eq!(script.in_flight["main/step.before[0]"].args, [Value::string("main/step"), Value::string("{\"n\":7}")]);
    script.gives_value("main/step.before[0]", said("allow", None));
    assert_eq!(script.in_flight["main/step"].args, [Value::U64(7)]);
    script.fails("main/step");
    assert!(!script.in_flight.contains_key("main/step.before[0]"), "a step is asked about once, not for each attempt");
    script.gives("main/step", 1);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 1");
}

#[test]
fn a_veto_fails_the_step_and_a_rewrite_changes_its_arguments() {
    let plan = || hooked(|ask, _| vec![hook(HookPhase::Before, HookEvent::Step, ask, &ASKED)]);
    let mut script = Script::start(plan(), &[], &[]);
    script.gives_value("main/step.before[0]", said("veto", Some("not today")));
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/step permission: `step` refused it: not today");
    let mut script = Script::start(plan(), &[], &[]);
    script.gives_value("main/step.before[0]", said("rewrite", Some("{\"n\": 8}")));
    assert_eq!(script.in_flight["main/step"].args, [Value::U64(8)]);
    for wrong in ["{}", "{\"n\": -1}", "{\"n\": 1, \"m\": 2}", "8", "{"] {
        let mut script = Script::start(plan(), &[], &[]);
        script.gives_value("main/step.before[0]", said("rewrite", Some(wrong)));
        assert!(script.take_lines().last().unwrap().starts_with("ended failed main/step permission: "), "{wrong}");
    }
}

#[test]
fn a_handler_that_fails_refuses() {
    let plan = hooked(|ask, _| vec![hook(HookPhase::Before, HookEvent::Step, ask, &ASKED)]);
    let mut script = Script::start(plan, &[], &[]);
    script.fails("main/step.before[0]");
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/step permission: `step` refused it: no route");
}

#[test]
fn a_lenient_hook_only_refuses_when_it_says_so() {
    let plan = || {
        let lenient = |ask| HookPlan { verdict: HookVerdict::Lenient, ..hook(HookPhase::Before, HookEvent::Step, ask, &ASKED) };
        hooked(|ask, _| vec![lenient(ask)])
    };
    let mut script = Script::start(plan(), &[], &[]);
    script.fails("main/step.before[0]");
    script.gives("main/step", 1);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 1");
    let mut script = Script::start(plan(), &[], &[]);
    script.gives_value("main/step.before[0]", said("veto", Some("not today")));
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/step permission: `step` refused it: not today");
}

#[test]
fn an_operators_hook_goes_by_how_steps_are_written_and_comes_first() {
    let outside = |on: Option<&str>| OutsideHook {
        role: "hook.before.step.gate".into(),
        phase: HookPhase::Before,
        event: HookEvent::Step,
        on: on.map(Name::from),
        timeout: 1_000_000_000,
        lenient: false,
    };
    for (on, fits) in [(None, true), (Some("step"), true), (Some("*"), true), (Some("step.*"), false), (Some("other"), false)] {
        let mut plan = hooked(|ask, _| vec![hook(HookPhase::Before, HookEvent::Step, ask, &ASKED)]);
        let before = plan.digest();
        plan.add_outside_hooks(&[]);
        assert_eq!(plan.digest(), before);
        plan.add_outside_hooks(&[outside(on)]);
        assert_ne!(plan.digest(), before);
        let script = Script::start(plan, &[], &[]);
        let asked = if fits { "main/step.before[0]" } else { "main/step.before[1]" };
        assert_eq!(script.in_flight.keys().collect::<Vec<_>>(), [asked], "{on:?}");
        if fits {
            let told = ["run", "main", "main/step", "step", "{\"n\":7}", "run/main/step"];
            assert_eq!(script.in_flight[asked].args.len(), told.len());
            assert_eq!(script.in_flight[asked].args[1..5], told.map(Value::string)[1..5]);
        }
    }
}

#[test]
fn attempts_are_asked_about_one_by_one() {
    let plan = hooked(|ask, _| vec![hook(HookPhase::Before, HookEvent::Attempt, ask, &ASKED)]);
    let mut script = Script::start(plan, &[], &[]);
    script.gives_value("main/step.before[0.1]", said("allow", None));
    script.fails("main/step");
    script.gives_value("main/step.before[0.2]", said("allow", None));
    script.gives("main/step", 1);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 1");
}

#[test]
fn the_run_ends_when_all_have_been_told() {
    let plan = hooked(|_, tell| {
        vec![
            hook(HookPhase::After, HookEvent::Step, tell, &[HookInput::Outcome]),
            hook(HookPhase::After, HookEvent::Run, tell, &[HookInput::Outcome]),
        ]
    });
    let mut script = Script::start(plan, &[], &[]);
    script.gives("main/step", 1);
    assert_eq!(script.in_flight["main/step.after[0]"].args, [Value::string("{\"ok\":1}")]);
    script.fails("main.after[1]");
    assert!(!script.take_lines().iter().any(|line| line.starts_with("ended")), "one is still to be told");
    script.gives_value("main/step.after[0]", Value::Unit);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 1");
}

#[test]
fn a_run_can_be_refused_and_cancelled_before_it_begins() {
    let plan = || hooked(|ask, _| vec![hook(HookPhase::Before, HookEvent::Run, ask, &ASKED)]);
    let mut script = Script::start(plan(), &[], &[]);
    assert_eq!(script.in_flight.keys().collect::<Vec<_>>(), ["main.before[0]"]);
    script.gives_value("main.before[0]", said("veto", Some("closed")));
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main permission: `step` refused it: closed");
    let mut script = Script::start(plan(), &[], &[]);
    script.input(Input::Cancel { reason: "enough".into() });
    assert_eq!(script.take_lines().last().unwrap(), "ended cancelled");
}

#[test]
fn what_a_handler_said_is_known_after_a_crash() {
    let plan = hooked(|ask, _| vec![hook(HookPhase::Before, HookEvent::Step, ask, &ASKED)]);
    let mut script = Script::start(plan, &[], &[]);
    script.gives_value("main/step.before[0]", said("rewrite", Some("{\"n\": 8}")));
    let recovered = Script::recover(std::sync::Arc::clone(&script.plan), script.journal.clone());
    assert_eq!(recovered.in_flight.keys().collect::<Vec<_>>(), ["main/step"]);
    assert_eq!(recovered.in_flight["main/step"].args, [Value::U64(8)]);
}
