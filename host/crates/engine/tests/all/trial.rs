//! Tests of flows: virtual time, mocks, and what ends a test.

use std::sync::Arc;
use std::time::Duration;

use catalog::{FailureKind, Value};
use engine::core::render_event;
use engine::event::EventBody;
use engine::shell::EngineConfig;
use engine::trial::{self, AnsweredBy, Bounds, TrialEnd, TrialReport};
use futures::future::FutureExt;
use lang::Entry;
use lang::plan::{Plan, Target};
use testkit::fake::{FakeInvoker, failure};
use testkit::world::MemoryWorld;

const WIT: &str = "package t:kit;
interface api {
    echo: func(value: string) -> string;
    find: func(query: string, limit: u32) -> result<string, string>;
    put: func(value: string);
    hang: func() -> string;
    guard: func(step: string, args: string) -> bool;
    audit: func(topic: string, message: string);
    refuse: func(run: string) -> bool;
}
world kit { export api; }
";

const FLOWS: &str = r#"
use "kit.wasm" as kit

flow search(query: string) -> string {
    kit.find(query, 3) with { retry: 3, backoff: 1s, timeout: 5s, allow: [http "example.com"] }
}

flow slow(query: string) -> string {
    try { seq with { deadline: 3s } { search(query) } } catch e { "${e.kind}: ${e.message}" }
}

flow all(queries: list<string>) -> list<string> { map query in queries { search(query) } }

flow look(folder: dir) { kit.put(folder) with { allow: [read folder] } }
"#;

fn plan(test: &str) -> Arc<Plan> {
    plan_of(&format!("{FLOWS}test \"t\" {{\n{test}\n}}\n"))
}

/// The plan of the first test of a file.
fn plan_of(text: &str) -> Arc<Plan> {
    let world = MemoryWorld::new().with("main.flow", text).with("kit.wit", WIT);
    let compiled = lang::compile(&world, "main.flow", Entry::Test(0));
    let messages: Vec<&str> = compiled.diagnostics.iter().map(|found| found.message.as_str()).collect();
    Arc::new(compiled.plan.unwrap_or_else(|| panic!("{messages:?}")))
}

/// `echo` gives its argument, `guard` refuses one, `hang` never ends, everything else fails.
async fn tried(test: &str, bounds: Bounds) -> TrialReport {
    run(plan(test), bounds).await
}

async fn run(plan: Arc<Plan>, bounds: Bounds) -> TrialReport {
    let invoker = FakeInvoker::new(|invocation| match invocation.function.wit_name.as_str() {
        "echo" => futures::future::ready(Ok(invocation.args[0].clone())).boxed(),
        "guard" => futures::future::ready(Ok(Value::Bool(invocation.args[1] != Value::string("{\"value\":\"secret\"}")))).boxed(),
        "hang" => futures::future::pending().boxed(),
        other => futures::future::ready(Err(failure(FailureKind::Internal, &format!("`{other}` ran for real")))).boxed(),
    });
    trial::run(plan, &invoker, &EngineConfig::default(), bounds).await
}

/// What happened to attempts, with the virtual time, then how it ended.
async fn story(test: &str) -> Vec<String> {
    let report = tried(test, Bounds::default()).await;
    let shown = report.events.iter().filter(|event| match &event.body {
        EventBody::AttemptSucceeded { attempt, .. } | EventBody::AttemptFailed { attempt, .. } => {
            report.answered[&(attempt.task, attempt.number)] != AnsweredBy::Test
        }
        EventBody::AttemptCancelled { .. } | EventBody::TimerFired { .. } => true,
        _ => false,
    });
    let text = |event| render_event(event).split_once(' ').map(|(_, text)| text.to_owned()).unwrap_or_default();
    let mut lines: Vec<String> = shown.map(|event| format!("{} {}", event.at.0, text(event))).collect();
    lines.push(match &report.end {
        TrialEnd::Failed { failure, path } => format!("failed {path}: {}", failure.message),
        other => format!("{other:?}"),
    });
    lines
}

#[tokio::test]
async fn mocks_answer_in_the_order_written_while_they_have_uses_left() {
    let lines = story(
        r#"
        mock kit.find("a", _) times 1 => "first"
        mock kit.find(query, limit) times 1 => "${query} ${limit}"
        mock kit.find(_, _) => "last"
        assert search("b") == "b 3"
        assert search("a") == "first"
        assert search("a") == "last"
        assert calls(kit.find) == 3
        assert calls(kit.echo) == 0
        "#,
    );
    let lines = lines.await;
    assert_eq!(lines.last().map(String::as_str), Some("Passed"), "{lines:#?}");
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[tokio::test]
async fn backoffs_and_timeouts_hold_in_virtual_time() {
    let lines = story(
        r#"
        mock kit.find(_, _) times 1 takes 200ms fails network "down"
        mock kit.find(_, _) times 1 takes 10m => "too late"
        mock kit.find(_, _) takes 300ms => "found"
        assert search("a") == "found"
        assert calls(kit.find) == 3
        "#,
    );
    assert_eq!(
        lines.await,
        [
            "200 attempt-failed test/search/kit.find#1 network: down",
            "1200 timer-fired 0",
            "6200 attempt-failed test/search/kit.find#2 timeout: the component ran longer than 5s",
            "7200 timer-fired 1",
            "7500 attempt-succeeded test/search/kit.find#3 \"found\"",
            "Passed",
        ]
    );
}

#[tokio::test]
async fn a_deadline_ends_what_is_mocked() {
    let lines = story(
        r#"
        mock kit.find(_, _) takes 4s => "found"
        assert slow("a") == "timeout: the deadline passed"
        "#,
    );
    assert_eq!(lines.await, ["3000 timer-fired 0", "3000 attempt-cancelled test/slow/try/seq/search/kit.find#1", "Passed"]);
}

#[tokio::test]
async fn what_takes_longer_ends_later_and_the_order_of_results_stays() {
    let lines = story(
        r#"
        mock kit.find("a", _) takes 2s => "A"
        mock kit.find("b", _) takes 1s => "B"
        assert all(["a", "b"]) == ["A", "B"]
        "#,
    );
    assert_eq!(
        lines.await,
        [
            "1000 attempt-succeeded test/all/map[1]/search/kit.find#1 \"B\"",
            "2000 attempt-succeeded test/all/map[0]/search/kit.find#1 \"A\"",
            "Passed",
        ]
    );
}

#[tokio::test]
async fn only_steps_without_grants_run_for_real() {
    assert_eq!(story(r#"assert kit.echo("x") == "x""#).await, ["0 attempt-succeeded test/kit.echo#1 \"x\"", "Passed"]);
    let report = tried(r#"let x = try { search("a") } catch e { "caught" }"#, Bounds::default()).await;
    let TrialEnd::Unmocked { path, args, .. } = &report.end else { panic!("{:?}", report.end) };
    assert_eq!(&**path, "test/x/search/kit.find");
    assert_eq!(*args, [Value::string("a"), Value::U32(3)]);
}

#[tokio::test]
async fn a_folder_is_matched_as_the_text_that_the_component_gets() {
    let lines = story("mock kit.put(\"docs\") => none\nlook(\"docs\")\nassert calls(kit.put) == 1").await;
    assert_eq!(lines, ["0 attempt-succeeded test/look/kit.put#1 null", "Passed"]);
}

#[tokio::test]
async fn an_assertion_tells_both_sides() {
    let report = tried("let n = 3\nassert n + 1 == 5", Bounds::default()).await;
    let TrialEnd::Failed { failure, path } = &report.end else { panic!("{:?}", report.end) };
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Logic, "the assertion `n + 1 == 5` does not hold"));
    assert_eq!(failure.details.as_deref(), Some(&serde_json::json!({ "left": 4, "right": 5 })));
    let plan = plan("let n = 3\nassert n + 1 == 5");
    assert!(trial::place(&plan, path).is_some_and(|node| &*node.name == "assert"), "{path}");
    assert!(trial::place(&plan, "test/nothing").is_none());
}

#[tokio::test]
async fn statements_come_one_after_the_other() {
    let lines = story(
        r#"
        mock kit.find(_, _) takes 1s => "found"
        mock kit.put(_) => none
        search("a")
        kit.put("b")
        search("c")
        "#,
    );
    assert_eq!(
        lines.await,
        [
            "1000 attempt-succeeded test/search#1 \"found\"",
            "1000 attempt-succeeded test/kit.put#1 null",
            "2000 attempt-succeeded test/search 2#1 \"found\"",
            "Passed",
        ]
        .map(|line| line.replace("search#1", "search/kit.find#1").replace("search 2#1", "search#2/kit.find#1"))
    );
}

#[tokio::test]
async fn nothing_goes_on_for_ever() {
    let bounds = Bounds { events: 1000, ..Bounds::default() };
    let endless = r#"loop n = "" until false max 1_000_000 { kit.echo(n) }"#;
    assert_eq!(tried(endless, bounds).await.end, TrialEnd::TooLong);
    let bounds = Bounds { time: Duration::from_millis(50), ..Bounds::default() };
    let end = tried(r#"kit.hang()"#, bounds).await.end;
    assert_eq!(end, TrialEnd::TimedOut { running: Some("test/kit.hang".into()) });
}

#[tokio::test]
async fn an_answer_that_cannot_be_computed_ends_the_test() {
    let report = tried(
        "mock kit.find(_, limit) => \"${10 / (limit - 3)}\"\nlet x = try { search(\"a\") } catch e { \"\" }",
        Bounds::default(),
    );
    let TrialEnd::Mock { mock: 0, failure } = report.await.end else { panic!("it went on") };
    assert_eq!(failure.kind, FailureKind::Calculation);
}

#[tokio::test]
async fn the_same_test_gives_the_same_events() {
    let test = "mock kit.find(_, _) times 2 fails network\nmock kit.find(q, _) takes 1s => q\nall([\"a\", \"b\", \"c\"])";
    let (first, second) = (tried(test, Bounds::default()).await, tried(test, Bounds::default()).await);
    assert_eq!(first.end, TrialEnd::Passed);
    assert_eq!(first.events, second.events);
}

#[tokio::test]
async fn waits_pass_in_virtual_time_and_what_never_comes_ends_the_test() {
    let test = r#"
        wait 2h
        let answer = wait signal approved: bool with { timeout: 1h } else false
        emit "done" answer
        assert not answer
    "#;
    let report = tried(test, Bounds::default()).await;
    assert_eq!((report.end, report.passed), (TrialEnd::Passed, Duration::from_secs(3 * 60 * 60)));
    let TrialEnd::Waits(waiting) = tried("wait signal approved: bool", Bounds::default()).await.end else { panic!("it ended") };
    assert_eq!(waiting.iter().map(|waiting| waiting.what.to_string()).collect::<Vec<_>>(), ["signal approved: bool"]);
}

#[tokio::test]
async fn signals_and_messages_come_when_a_mock_sends_them() {
    let test = r#"
        mock wait signal approved times 1 takes 30m => true
        mock wait message "orders.new" takes 2h => 3
        let first = wait signal approved: bool with { timeout: 1h } else false
        let second = wait signal approved: bool with { timeout: 1h } else false
        let late = wait message "orders.new": u32 with { timeout: 1h } else 0
        let order = wait message "orders.new": u32
        assert first and not second
        assert late == 0 and order == 3
    "#;
    let report = tried(test, Bounds::default()).await;
    let end = (report.end, report.passed);
    assert_eq!(end, (TrialEnd::Passed, Duration::from_secs(60 * (30 + 60 + 60 + 120))));
}

const ROLES: &str = r#"
role reviewer(text: string, strict: bool) -> bool
role helper(n: u32) -> result<u32, string>

flow publish(text: string) -> string {
    let good = ask reviewer(text, strict: true) with { timeout: 5m, retry: 2, backoff: 1m } else false
    emit "published.${text}" good
    if good { "published" } else { "kept back" }
}
"#;

async fn asked(test: &str) -> TrialReport {
    run(plan_of(&format!("{ROLES}test \"t\" {{\n{test}\n}}\n")), Bounds::default()).await
}

#[tokio::test]
async fn mocks_answer_for_roles_in_virtual_time() {
    let test = r#"
        mock ask reviewer("a", strict) times 1 takes 10m => strict
        mock ask reviewer("a", _) times 1 fails network "nobody is there"
        mock ask reviewer("a", strict) takes 2m => strict
        mock ask reviewer(text, _) => text == "b"
        mock ask helper(n) => n + 1
        assert publish("a") == "published"
        assert calls(reviewer) == 3
        assert publish("b") == "published"
        assert publish("c") == "kept back"
        assert calls(reviewer) == 5
        assert calls(helper) == 0
        assert ask helper(3) == 4
        assert calls(helper) == 1
    "#;
    let report = asked(test).await;
    // A timeout of 5m, then a failure and an answer after 2m; before the second and the third attempt up to a minute.
    assert_eq!(report.end, TrialEnd::Passed);
    assert!((6..=9).contains(&(report.passed.as_secs() / 60)), "{:?}", report.passed);
}

#[tokio::test]
async fn a_role_without_a_mock_ends_the_test() {
    let report = asked("mock ask reviewer(\"a\", _) => true\npublish(\"b\")").await;
    let TrialEnd::Unmocked { path, target: Target::Role(_), args } = report.end else { panic!("{:?}", report.end) };
    assert_eq!((&*path, args), ("test/publish/good/reviewer", vec![Value::string("b"), Value::Bool(true)]));
}

#[tokio::test]
async fn what_was_emitted_can_be_asked_for() {
    let test = r#"
        mock ask reviewer(text, _) => text == "a"
        assert emitted("published.a") == []
        publish("a")
        publish("b")
        publish("a")
        assert emitted("published.a") == [json(true), json(true)]
        assert [document as bool for document in emitted("published.b")] == [false]
    "#;
    assert_eq!(asked(test).await.end, TrialEnd::Passed);
}

const HOOKED: &str = r#"
use "kit.wasm" as kit

hook before step -> kit.guard
hook after message "notes.>" -> kit.audit with { allow: [http "example.com"] }
hook before run -> kit.refuse

flow note(text: string) -> string {
    let said = kit.echo(text)
    emit "notes.new" said
    said
}
"#;

async fn hooked(test: &str) -> TrialReport {
    run(plan_of(&format!("{HOOKED}test \"t\" {{\n{test}\n}}\n")), Bounds::default()).await
}

#[tokio::test]
async fn hooks_are_asked_and_told() {
    let test = r#"
        mock kit.audit("notes.new", message) => none
        assert note("open") == "open"
        let kind = try { note("secret") } catch e { "${e.kind}" }
        assert kind == "permission"
        assert calls(kit.guard) == 2
        assert calls(kit.echo) == 1
        assert calls(kit.audit) == 1
        assert emitted("notes.new") == [json("open")]
    "#;
    assert_eq!(hooked(test).await.end, TrialEnd::Passed);
}

#[tokio::test]
async fn a_hook_can_be_mocked_and_must_be_when_it_is_granted_something() {
    let end = hooked("note(\"open\")").await.end;
    let TrialEnd::Unmocked { path, .. } = end else { panic!("{end:?}") };
    assert_eq!(&*path, "test/note/emit.after[1]");
    let test = "mock kit.guard(_, _) => false\nlet said = try { note(\"open\") } catch e { e.message }\n\
                assert said == \"`kit.guard` refused it: it said no\"";
    assert_eq!(hooked(test).await.end, TrialEnd::Passed);
}
