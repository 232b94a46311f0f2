//! What the lowering says about a program that has checked types.

use grammar::{Diagnostic, Span};

/// Nodes that wait for each other. Each of the path waits for the next, the last for the first.
pub(crate) fn cycle(path: &[(&str, Span)]) -> Diagnostic {
    let Some(((first, span), rest)) = path.split_first() else {
        return Diagnostic::error("flow::cycle", "steps wait for each other in a circle", Span::default(), "");
    };
    let help = "take one of the names out of `after`, or do not use the result where it is waited for";
    if rest.is_empty() {
        return Diagnostic::error("flow::cycle", format!("`{first}` waits for itself"), *span, "this step").help(help);
    }
    let chain: Vec<String> = path.iter().map(|(name, _)| format!("`{name}`")).collect();
    let message = format!("steps wait for each other in a circle: {} → `{first}`", chain.join(" → "));
    let following = path.iter().cycle().skip(1);
    let labelled = path.iter().zip(following);
    let mut diagnostic = Diagnostic { labels: Vec::new(), ..Diagnostic::error("flow::cycle", message, *span, "") };
    for ((name, at), (next, _)) in labelled {
        diagnostic = diagnostic.and(*at, format!("`{name}` waits for `{next}`"));
    }
    diagnostic.help(help)
}

/// A literal limit that is wider than one around it.
pub(crate) fn widens_limit(key: &str, inner: (&str, Span), outer: (&str, Span)) -> Diagnostic {
    let message = format!("`{key}: {}` is more than the `{key}: {}` that is set around it", inner.0, outer.0);
    Diagnostic::error("flow::widens_limit", message, inner.1, "this would widen the limit")
        .and(outer.1, "the limit is set here")
        .help(format!("limits only narrow from outside in: write at most `{}`, or raise the outer limit", outer.0))
}

/// Where a narrower set of grants comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cap {
    /// An `allow` of a block or flow around.
    Around,
    /// The `use` that a step goes through.
    Use,
    /// The `import` that brought the flow in.
    Import,
}

/// A grant beyond what is allowed around it. `outer` is none where nothing at all is allowed.
pub(crate) fn widens_grant(grant: &str, at: Span, cap: Cap, outer: Option<Span>) -> Diagnostic {
    let (who, help) = match cap {
        Cap::Around => {
            ("the `allow` around it", "`allow` only narrows from outside in: add it to the outer `allow`, or take it out here")
        }
        Cap::Use => ("the `use` that the step goes through", "widen the `allow` of the `use`, or take the grant out here"),
        Cap::Import => ("the `import` of its flow", "widen the `allow` of the `import`, or take the grant out of the flow"),
    };
    let error = Diagnostic::error("flow::widens_grant", format!("`{grant}` is not within what {who} allows"), at, "granted here");
    let error = match outer {
        Some(outer) => error.and(outer, "this is all that it allows"),
        None => error,
    };
    error.help(help)
}

/// A called flow grants more than is allowed where it is called.
pub(crate) fn callee_widens_grant(grant: &str, call: Span, granted: Span, outer: Option<Span>) -> Diagnostic {
    let message = format!("the flow called here grants `{grant}`, which is not within what is allowed around the call");
    let error = Diagnostic::error("flow::widens_grant", message, call, "called here").and(granted, "granted here");
    let error = match outer {
        Some(outer) => error.and(outer, "this is all that is allowed"),
        None => error,
    };
    error.help("`allow` only narrows from outside in: add it to the outer `allow`, or take it out of the called flow")
}

/// A retried step whose effects may happen twice.
pub(crate) fn retry_not_idempotent(step: &str, at: Span, retry: Span) -> Diagnostic {
    let message = format!("`{step}` may change the world and is retried, so its effect may happen more than once");
    Diagnostic::warning("flow::retry_not_idempotent", message, at, "this step")
        .and(retry, "retried because of this")
        .help("write `idempotent: true` if doing it twice is harmless, or `retry: 0` for this step")
}

/// A cached step whose results depend on more than its arguments.
pub(crate) fn cache_effects(step: &str, at: Span, cache: Span) -> Diagnostic {
    let message = format!("`{step}` is granted capabilities, so an earlier result cannot simply stand for running it");
    Diagnostic::error("flow::cache_effects", message, cache, "cached because of this")
        .and(at, "this step")
        .help("take its `allow` away, write `idempotent: true` if an earlier result will do, or `cache: false` for this step")
}

/// An earlier result would stand for running a step, and sends and takes nothing.
pub(crate) fn cache_mail(step: &str, at: Span, cache: Span) -> Diagnostic {
    let message = format!("`{step}` may send or take messages, and an earlier result does not");
    Diagnostic::error("flow::cache_effects", message, cache, "cached because of this")
        .and(at, "this step")
        .help("take `mail_send` and `mail_receive` out of its `allow`, or write `cache: false` for this step")
}

/// A grant that the step's component cannot use.
pub(crate) fn unneeded_grant(grant: &str, step: &str, interface: &str, at: Span) -> Diagnostic {
    let message = format!("`{step}` cannot use `{grant}`: its component does not import `{interface}`");
    Diagnostic::warning("flow::unneeded_grant", message, at, "granted for nothing")
        .help("take it out of the `allow` of this step")
}

/// A folder for a step that is granted none.
pub(crate) fn ungranted_folder(step: &str, at: Span) -> Diagnostic {
    let message = format!("`{step}` is given a folder that it may not open");
    Diagnostic::warning("flow::ungranted_folder", message, at, "passed, but not granted")
        .help("say what it may do there: `with { allow: [read folder] }`, or `read_write folder`")
}

/// A step of which nothing comes.
pub(crate) fn unused_step(step: &str, at: Span) -> Diagnostic {
    let message = format!("nothing comes of `{step}`: its result is not used, and it is granted nothing");
    Diagnostic::warning("flow::unused", message, at, "does nothing")
        .help("use its result, grant it what it needs with `allow`, or remove it; `let _name = …` keeps it")
}

/// An `ask` whose answer nothing uses.
pub(crate) fn unused_answer(role: &str, at: Span) -> Diagnostic {
    Diagnostic::warning("flow::unused", format!("the answer of `{role}` is not used"), at, "nobody looks at it")
        .help("use what it says; `let _answer = …` asks and keeps it aside")
}

/// Flows that call each other without end.
pub(crate) fn recursion(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::recursion", format!("`{name}` calls itself"), at, "directly or through other flows")
        .help("a flow cannot call itself; use `loop`, `map` or `reduce`")
}

/// A plan that is made at run time, and nothing says how much it may do.
pub(crate) fn plan_budget(at: Span) -> Diagnostic {
    Diagnostic::error("flow::plan_budget", "a `run plan` needs a budget", at, "nothing says how much it may do")
        .help("say it: `run plan(…) with { budget: { steps: 100, time: 5m } }`")
}

/// Deeper than can be lowered.
pub(crate) fn too_deep(at: Span) -> Diagnostic {
    Diagnostic::error("flow::too_deep", "this expression is nested too deeply", at, "here").help("bind parts of it with `let`")
}

/// A step where there cannot be one. The checker says it better; this keeps its mistake from being silent.
pub(crate) fn misplaced_step(at: Span) -> Diagnostic {
    Diagnostic::error("flow::misplaced_step", "a step cannot stand here", at, "here")
        .help("bind it with `let` before this expression")
}

/// A name whose value cannot be reached. As above.
pub(crate) fn out_of_scope(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::out_of_scope", format!("`{name}` is not bound yet"), at, "bound here")
        .help("use it after it is bound")
}
