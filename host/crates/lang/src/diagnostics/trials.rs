//! Tests: what stands only in them, and their mocks.

use grammar::{Diagnostic, Span};

use super::{listed, meant};

pub(crate) fn duplicate(name: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error("flow::duplicate_name", format!("two tests are called `{name}`"), at, "called the same again")
        .and(first, "first called so here")
        .help("give each test of a file a name of its own")
}

pub(crate) fn mock_outside(at: Span) -> Diagnostic {
    test_only("`mock`", at).help("a mock in a test answers for all steps that the test runs, also in the flows that it calls")
}

pub(crate) fn assert_outside(at: Span) -> Diagnostic {
    test_only("`assert`", at).help("in a flow, write `require condition else \"message\"`")
}

pub(crate) fn asked_outside(what: &str, at: Span) -> Diagnostic {
    test_only(&format!("`{what}`"), at).help(match what {
        "calls" => "it counts attempts of mocked and real steps while a test runs; a flow cannot see them",
        _ => "it gives what was sent while a test runs; a flow takes a message with `wait message \"topic\": type`",
    })
}

fn test_only(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::test_only", format!("{what} can only stand in a test"), at, "outside of a test")
}

pub(crate) fn return_value(found: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::type_mismatch", format!("a test gives nothing, found `{found}`"), at, format!("this is `{found}`"))
        .help("say what it should be: `assert … == …`")
}

pub(crate) fn nested_mock(at: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_scope", "a `mock` stands directly in the body of its test", at, "inside of another form")
        .help("mocks hold from the beginning of the test to its end: move it to the top of the test")
}

pub(crate) fn let_in_mock(name: &str, at: Span, bound: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_scope", format!("a mock does not see `{name}`"), at, "not known when the test begins")
        .and(bound, "bound while the test runs")
        .help("write the value itself, or take it from the arguments: `mock component.function(x) => x`")
}

pub(crate) fn not_a_step(written: &str, what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_target", format!("`{written}` is {what}, not a function of a component"), at, "no step")
        .help("name a step as flows call it: `component.function`; of a flow, mock the steps that it runs")
}

pub(crate) fn role_without_ask(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_target", format!("`{name}` is a role, not a function of a component"), at, "no step")
        .help(format!("say that it is asked: `mock ask {name}(…) => …`"))
}

pub(crate) fn calls_of(at: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_target", "`calls` takes one function of a component, or a role", at, "neither")
        .help("write it without arguments: `calls(component.function)` or `calls(role)`")
}

pub(crate) fn emitted_of(at: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_target", "`emitted` takes one topic", at, "no topic")
        .help("such as `emitted(\"orders.new\")`, which gives what was sent on it as a list of json")
}

pub(crate) fn patterns(
    name: &str,
    signature: &str,
    (wanted, found): (usize, usize),
    at: Span,
    (declared, label): (Span, &str),
) -> Diagnostic {
    let takes = if wanted == 1 { "1 argument".to_owned() } else { format!("{wanted} arguments") };
    let has = if found == 1 { "1 pattern".to_owned() } else { format!("{found} patterns") };
    Diagnostic::error(
        "flow::mock_arguments",
        format!("`{name}` takes {takes}, this mock has {has}"),
        at,
        "one for each is needed",
    )
    .and(declared, label)
    .help(format!("signature: `{signature}`; `_` stands for any argument"))
}

pub(crate) fn times(at: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_answer", "`times` takes a number that is written out", at, "not a literal")
        .help("such as `mock component.function(_) times 2 => value`")
}

pub(crate) fn failure_kind(name: &str, close: Option<&str>, known: &[&str], at: Span) -> Diagnostic {
    let help = meant(close, || format!("the kinds are {}", listed(known)));
    Diagnostic::error("flow::mock_answer", format!("there is no failure of kind `{name}`"), at, "not a kind").help(help)
}

pub(crate) fn nothing_waits(what: &str, written: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::mock_target",
        format!("nothing that this test runs waits for the {what} `{written}`"),
        at,
        "not awaited",
    )
    .help(format!("it must stand in a `wait {what} …`; a topic that is computed there cannot be mocked"))
}

pub(crate) fn carries_nothing(what: &str, at: Span, awaited: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_answer", format!("this {what} carries nothing"), at, "a value is sent here")
        .and(awaited, "awaited without a type here")
        .help("send `none`")
}

pub(crate) fn sender_fails(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::mock_answer", format!("a {what} comes or does not, it cannot fail"), at, "only steps fail")
        .help("leave the mock out: the wait then ends at its timeout, in virtual time")
}

pub(crate) fn gives_nothing(name: &str, at: Span, (declared, label): (Span, &str)) -> Diagnostic {
    Diagnostic::error("flow::mock_answer", format!("`{name}` gives nothing"), at, "a value is answered here")
        .and(declared, label)
        .help("answer with `none`")
}
