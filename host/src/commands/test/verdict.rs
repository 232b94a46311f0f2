//! Why a test failed, in the user's words and at the place in the source.

use engine::core::Waiting;
use engine::event::Failure;
use engine::trial::{Bounds, Difference, Outside, TrialEnd, TrialReport, place};
use grammar::Diagnostic;
use lang::plan::{CallPlan, FunctionId, Grant, MockTarget, Node, NodeKind, Plan, Target};
use lang::{Compilation, Span};
use serde_json::Value;

use super::trace::below_test;

/// Why a test failed.
pub(super) struct Verdict {
    /// Message, place and help.
    pub(super) diagnostic: Diagnostic,
    /// The path of the node that failed, without the part that stands for the test.
    pub(super) path: Option<String>,
    /// Of an `assert` that compared: both sides.
    pub(super) sides: Option<(Value, Value)>,
    /// Of another failure: what the step told of it.
    pub(super) details: Option<Value>,
}

/// None when the test passed.
pub(super) fn of(report: &TrialReport, plan: &Plan, checked: &Compilation, number: usize, bounds: Bounds) -> Option<Verdict> {
    let test = checked.tests.get(number).map_or_else(Span::default, |test| test.span);
    let plain = |diagnostic| Verdict { diagnostic, path: None, sides: None, details: None };
    Some(match &report.end {
        TrialEnd::Passed => return None,
        TrialEnd::Failed { failure, path } => failed(failure, path, place(plan, path), test),
        TrialEnd::Unmocked { path, target, args } => {
            let asked = Asked::of(plan, path, *target, test);
            let diagnostic = unmocked(plan, checked, &asked, args);
            Verdict { path: Some(below_test(path).to_owned()), ..plain(diagnostic) }
        }
        TrialEnd::UnmockedPlan { path } => {
            let at = place(plan, path).map_or(test, |node| node.span);
            let message = "no mock fits this `run plan`, and a test runs no plans";
            let diagnostic = Diagnostic::error("test::unmocked", message, at, "not mocked")
                .help("say what comes of it: `mock run plan(_) => json(\"done\")`");
            Verdict { path: Some(below_test(path).to_owned()), ..plain(diagnostic) }
        }
        TrialEnd::Mock { mock, failure } => {
            let at = plan.mocks.get(*mock).map_or(test, |mock| mock.span);
            let message = format!("the answer of this mock cannot be computed: {}: {}", failure.kind, failure.message);
            plain(Diagnostic::error("test::mock", message, at, "answered here"))
        }
        TrialEnd::Waits(waiting) => waits(waiting, plan, test),
        TrialEnd::TooLong => {
            let message = format!("more than {} outcomes and timers, and the test has not ended", bounds.events);
            plain(Diagnostic::error("test::too_long", message, test, "this test"))
        }
        TrialEnd::TimedOut { running } => {
            let node = running.as_ref().and_then(|path| place(plan, path));
            let message = format!("the test takes more than {:?} of real time", bounds.time);
            let label = if node.is_some() { "this was running" } else { "this test" };
            let help = "a mock takes no real time; `--timeout` gives a test more";
            let diagnostic = Diagnostic::error("test::timed_out", message, node.map_or(test, |node| node.span), label).help(help);
            Verdict { path: running.as_ref().map(|path| below_test(path).to_owned()), ..plain(diagnostic) }
        }
        TrialEnd::Broken(what) => plain(Diagnostic::error("test::broken", format!("the host failed: {what}"), test, "this test")),
    })
}

/// A test that is not the same after its host has died.
pub(super) fn differs(found: &Difference, test: Span) -> Verdict {
    let happened = match found.outside {
        Outside::Missing => "had not happened",
        Outside::Happened => "had happened",
        Outside::Repeated => "had happened and were retried",
        Outside::Failed => "were let fail",
    };
    let help = format!(
        "its host died {} event {} was written, and effects under way {happened}: {}",
        if found.late { "before anything after" } else { "when" },
        found.after,
        short(&found.event, 200)
    );
    let message = format!("gone on with after a crash, {}", found.what);
    let diagnostic = Diagnostic::error("test::crash", message, test, "this test").help(help);
    Verdict { diagnostic, path: None, sides: None, details: None }
}

fn failed(failure: &Failure, path: &str, node: Option<&Node>, test: Span) -> Verdict {
    let at = node.map_or(test, |node| node.span);
    let asserts = node.is_some_and(|node| node.name.starts_with("assert") && matches!(node.kind, NodeKind::Require { .. }));
    let details = failure.details.as_deref();
    let path = below_test(path).to_owned();
    if asserts {
        let side = |name| details.and_then(|details| details.get(name)).cloned();
        let diagnostic = Diagnostic::error("test::assert", failure.message.clone(), at, "does not hold");
        return Verdict { diagnostic, path: Some(path), sides: side("left").zip(side("right")), details: None };
    }
    let message = format!("`{path}` failed: {}: {}", failure.kind, failure.message);
    let diagnostic = Diagnostic::error("test::failed", message, at, "failed here")
        .help("where this is expected, catch it in the test: `try { … } catch e { … }`");
    Verdict { diagnostic, path: Some(path), sides: None, details: details.cloned() }
}

/// What never comes; the first wait is shown.
fn waits(waiting: &[Waiting], plan: &Plan, test: Span) -> Verdict {
    let named: Vec<String> = waiting.iter().map(|waiting| format!("`{}`", waiting.what)).collect();
    let path = waiting.first().map(|waiting| &*waiting.path);
    let at = path.and_then(|path| place(plan, path)).map_or(test, |node| node.span);
    let message = format!("the test waits for {} and nothing sends it", named.join(", "));
    let diagnostic = Diagnostic::error("test::waits", message, at, "never ends")
        .help("send it: `mock wait … => value`; or give the wait an end: `wait … with { timeout: 1h } else …`");
    Verdict { diagnostic, path: path.map(|path| below_test(path).to_owned()), sides: None, details: None }
}

/// A call that no mock answers.
struct Asked<'p> {
    target: Target,
    /// None when it is not known.
    call: Option<&'p CallPlan>,
    at: Span,
}

impl<'p> Asked<'p> {
    /// The call of a step, or of the handler of a hook, which stands in no flow.
    fn of(plan: &'p Plan, path: &str, target: Target, test: Span) -> Self {
        if let Some(node) = place(plan, path) {
            let call = if let NodeKind::Call(call) = &node.kind { Some(&**call) } else { None };
            return Self { target, call, at: node.span };
        }
        let hook = plan.hooks.iter().find(|hook| hook.call.target == target);
        Self { target, call: hook.map(|hook| &hook.call), at: hook.map_or(test, |hook| hook.span) }
    }
}

fn unmocked(plan: &Plan, checked: &Compilation, asked: &Asked<'_>, args: &[catalog::Value]) -> Diagnostic {
    let (call, named) = match asked.target {
        Target::Function(function) => called(plan, checked, function),
        role @ Target::Role(_) => (format!("ask {}", plan.name_of(role)), None),
        made @ Target::Plan(_) => (plan.name_of(made).to_owned(), None),
    };
    let patterns = vec!["_"; args.len()].join(", ");
    let mock = format!("mock {call}({patterns}) => …");
    if plan.mocks.iter().any(|mock| mock.target == MockTarget::Step(asked.target)) {
        let given: Vec<String> = args.iter().map(|arg| short(&catalog::json::to_json(arg).to_string(), 60)).collect();
        let message = format!("no mock of `{call}` is left that fits this call");
        let help = format!("it is called with ({}); a last `{mock}` takes every call", given.join(", "));
        return Diagnostic::error("test::unmocked", message, asked.at, "not mocked").help(help);
    }
    if let Target::Role(_) = asked.target {
        let message = format!("`{call}` is not mocked, and nobody has the role in a test");
        return Diagnostic::error("test::unmocked", message, asked.at, "not mocked").help(format!("mock it: `{mock}`"));
    }
    let message = format!("`{call}` is granted {} and is not mocked", granted(asked.call));
    let help = match named {
        Some(source) => format!("name the component in this file, `use \"{source}\" as {}`, and mock it: `{mock}`", alias(&call)),
        None => format!("mock it: `{mock}`"),
    };
    Diagnostic::error("test::unmocked", message, asked.at, "does not run for real in a test").help(help)
}

/// How the test's file calls a function; with the component where the file does not name it.
fn called(plan: &Plan, checked: &Compilation, function: FunctionId) -> (String, Option<String>) {
    let Some(function) = plan.functions.get(function) else { return ("step".to_owned(), None) };
    let component = plan.components.get(function.component);
    let name = function.wit_name.replace('-', "_");
    let root = checked.sources.iter().next().map(|source| source.path.as_str());
    let of = |used: &&lang::UsedComponent| component.is_some_and(|component| component.digest == used.digest);
    let here = checked.components.iter().filter(of).find(|used| Some(used.file.as_str()) == root);
    match (here, checked.components.iter().find(of)) {
        (Some(used), _) => (format!("{}.{name}", used.alias), None),
        (None, Some(used)) => (format!("{}.{name}", used.alias), Some(used.source.clone())),
        (None, None) => (name, None),
    }
}

fn alias(call: &str) -> &str {
    call.split_once('.').map_or(call, |(alias, _)| alias)
}

/// What a step is granted, such as ``http `example.com` ``.
fn granted(call: Option<&CallPlan>) -> String {
    let Some(call) = call else { return "something".to_owned() };
    let each = call.grants.iter().map(|grant| match grant {
        Grant::Folder(..) => "a folder".to_owned(),
        Grant::Http(host) => format!("http `{host}`"),
        Grant::Env(name) => format!("env `{name}`"),
        Grant::Clock => "the clock".to_owned(),
        Grant::Random => "random numbers".to_owned(),
        Grant::Mail(of, subject) => format!("{of} `{subject}`"),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// A text of at most so many characters.
pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}
