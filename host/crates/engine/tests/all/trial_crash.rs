//! Tests whose host dies after each write: they end as undisturbed, and bugs of the engine show.

use std::sync::Arc;

use catalog::Value;
use engine::core::Bug;
use engine::shell::EngineConfig;
use engine::trial::{Bounds, CrashOptions, CrashReport, TrialEnd, crash_everywhere};
use futures::future::FutureExt;
use lang::{Entry, compile};
use testkit::fake::FakeInvoker;
use testkit::world::MemoryWorld;

const KIT: &str = "package demo:kit; interface api {
    read: func(value: string) -> string;
    pure: func(value: string) -> string;
    send: func(value: string) -> string;
    unsend: func(value: string);
}
world kit { export api; }";

const FLOW: &str = r#"
use "kit.wasm" as kit

flow buys(items: list<string>) -> string {
    let looked = map item in items with { parallel: 2 } {
        kit.read(item) with { allow: [env "HOME"], retry: 2, backoff: 1s }
    }
    let sent = kit.send(looked[0]) with { allow: [http "example.com"] }
        undo kit.unsend("first") with { allow: [http "example.com"] }
    let more = kit.send(kit.pure(sent)) with { allow: [http "example.com"], idempotent: true }
        undo kit.unsend("second") with { allow: [http "example.com"] }
    emit "sent" more
    let approved = wait signal approved: bool with { timeout: 1d } else false
    require approved else "nobody approves"
    let last = race {
        kit.send("slow") with { allow: [http "example.com"] }
        kit.send("fast") with { allow: [http "example.com"] }
    }
    "${more} ${last}"
}

test "all goes well" {
    mock kit.read("a") times 1 takes 3s fails network "no route"
    mock kit.read(item) takes 2s => "read ${item}"
    mock kit.send("slow") takes 5s => "slow"
    mock kit.send(text) takes 1s => "sent ${text}"
    mock wait signal approved takes 2h => true
    assert buys(["a", "b", "c"]) == "sent pure sent sent fast"
    assert calls(kit.unsend) == 0
}

test "nobody approves, and what was done is taken back" {
    mock kit.read(item) => item
    mock kit.send(text) takes 1s => text
    mock kit.unsend(_) takes 10s => none
    let failed = try { buys(["a"]) } catch e { e.message }
    assert failed == "nobody approves"
    assert calls(kit.unsend) == 2
}

flow pair() -> list<string> {
    map text in ["a", "b"] { kit.send(text) with { allow: [http "example.com"] } }
}

test "two effects are under way" {
    mock kit.send("a") takes 1s => "a"
    mock kit.send("b") takes 3s => "b"
    assert pair() == ["a", "b"]
}

test "a plan comes to something" {
    mock run plan("plan") takes 1m => json("done")
    let made = run plan("plan") with { budget: { steps: 1 }, allow: [http "example.com"] }
    assert (made as string) == "done"
}
"#;

async fn crashed(text: &str, test: usize, options: CrashOptions) -> CrashReport {
    let world = MemoryWorld::new().with("kit.wit", KIT).with("main.flow", text);
    let compiled = compile(&world, "main.flow", Entry::Test(test));
    let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    let invoker = FakeInvoker::new(|_| async { Ok(Value::string("pure sent")) }.boxed());
    crash_everywhere(Arc::new(plan), Arc::new(invoker), &EngineConfig::default(), Bounds::default(), options).await
}

#[tokio::test]
async fn a_test_ends_as_undisturbed_wherever_its_host_dies() {
    for test in 0..4 {
        let report = crashed(FLOW, test, CrashOptions::default()).await;
        assert_eq!(report.undisturbed.end, TrialEnd::Passed, "test {test}");
        let difference = report.difference.map(|found| (found.after, found.event, found.outside, found.what));
        assert_eq!(difference, None, "test {test}");
        assert!(report.points >= 3 && report.resumed >= report.points, "test {test}: {} {}", report.points, report.resumed);
    }
}

/// Each point at which only one effect is under way is gone on with in four ways.
#[tokio::test]
async fn an_effect_whose_outcome_is_lost_is_decided_about_in_each_way() {
    let text = FLOW.replace(
        "test \"two effects",
        "test \"one effect\" { mock kit.send(_) takes 1s => \"b\"\n assert one() == \"b\" }\n\
         flow one() -> string { kit.send(\"a\") with { allow: [http \"example.com\"], retry: 1 } }\n\ntest \"two effects",
    );
    let report = crashed(&text, 2, CrashOptions::default()).await;
    let difference = report.difference.map(|found| (found.after, found.event, found.outside, found.what));
    assert_eq!((report.undisturbed.end, difference), (TrialEnd::Passed, None));
    // After the start of the run nothing is under way, after the start of the step one effect is.
    assert!(report.resumed >= report.points + 3, "{} {}", report.points, report.resumed);
}

#[tokio::test]
async fn a_test_that_fails_is_not_made_to_die() {
    let report = crashed("test \"no\" { assert 1 == 2 }", 0, CrashOptions::default()).await;
    assert!(matches!(report.undisturbed.end, TrialEnd::Failed { .. }), "{:?}", report.undisturbed.end);
    assert_eq!((report.points, report.resumed), (0, 0));
}

#[tokio::test]
async fn so_many_points_as_are_asked_for() {
    let report = crashed(FLOW, 0, CrashOptions { most_points: Some(4), ..CrashOptions::default() }).await;
    assert_eq!(report.points, 4);
}

#[tokio::test]
async fn bugs_of_the_engine_are_found() {
    for (bug, test, what) in
        [(Bug::UnknownRunAgain, 2, "`send` was called"), (Bug::TimersForgotten, 1, "it waits for signal approved")]
    {
        let report = crashed(FLOW, test, CrashOptions { bug: Some(bug), ..CrashOptions::default() }).await;
        assert_eq!(report.undisturbed.end, TrialEnd::Passed, "{bug:?}");
        let Some(difference) = report.difference else { panic!("{bug:?} is not found") };
        assert!(difference.what.contains(what), "{bug:?}: {}", difference.what);
        assert!(difference.after > 0 && !difference.event.is_empty(), "{bug:?}");
    }
}
