//! Words of other languages, and words of this one that stand elsewhere in others.

use super::{Answer, Spot, is_word};

const SWITCH: &str = "write `match x { pattern => value, _ => other }`";
const AT_ONCE: &str = "remove it: steps without data between them run at once";
const BOUND: &str = "every loop has a bound: `map x in list { … }`, or `loop x = start until condition max n { next }`";
pub(crate) const TAKE_APART: &str =
    "`let` binds one name: write `let both = …`, then `both.0` or `both.field`; `match` takes a value apart";
const MISSING: &str = "a value that may be missing is an `option`: `match x { some(y) => …, none => … }`";

pub(super) fn answer(spot: &Spot<'_>) -> Option<Answer> {
    opener(spot)
        .or_else(|| text_prefix(spot))
        .or_else(|| let_pattern(spot))
        .or_else(|| before(spot))
        .or_else(|| found(spot))
        .or_else(|| brace(spot))
        .or_else(|| colon(spot))
        .or_else(|| beside(spot))
}

/// `parallel { … }`, which looks like a record until its first statement.
fn opener(spot: &Spot<'_>) -> Option<Answer> {
    let before = spot.text.get(..spot.start)?.trim_end().strip_suffix('{')?.trim_end();
    let (start, word) = super::word_at_end(before, 0);
    let begins = before.get(..start)?.trim_end_matches(' ').ends_with(['\n', '{']);
    if !begins || !spot.expects("`:`") {
        return None;
    }
    statement_word(word).map(|help| Answer::Foreign(start, start + word.len(), help.to_owned()))
}

/// `f"…"`.
fn text_prefix(spot: &Spot<'_>) -> Option<Answer> {
    let letter = spot.text.get(..spot.at)?.chars().next_back()?;
    if !spot.found().starts_with('"') || !letter.is_ascii_alphabetic() {
        return None;
    }
    let (start, word) = spot.word_before();
    let help = match word {
        "f" | "F" => "remove it: every text takes values as `\"hello ${name}\"`",
        "r" | "R" => "a text without escapes stands between `\"\"\"`",
        _ => "remove it: a text is written `\"…\"`",
    };
    Some(Answer::Foreign(start, spot.at, help.to_owned()))
}

/// `let (a, b) = …`, `let a, b = …`, `let mut a = …`.
fn let_pattern(spot: &Spot<'_>) -> Option<Answer> {
    if !matches!(spot.first_word(), "let" | "const" | "var") || spot.statement.contains('=') {
        return None;
    }
    let (start, word) = spot.word_before();
    if word == "mut" {
        let help = "names never change: remove it; a value that changes step by step is a `loop` or a `reduce`";
        return Some(Answer::Foreign(start, start + word.len(), help.to_owned()));
    }
    let alone = spot.statement.trim_end() == spot.first_word();
    let apart = matches!(spot.found(), "," | "(") || (alone && matches!(spot.found(), "{" | "["));
    apart.then(|| Answer::Misplaced(spot.at, spot.end, TAKE_APART.to_owned()))
}

/// A word that another language puts before what stands at the place.
fn before(spot: &Spot<'_>) -> Option<Answer> {
    let (start, word) = spot.word_before();
    let end = start + word.len();
    let misplaced = |help: &str| Some(Answer::Misplaced(start, end, help.to_owned()));
    match (word, spot.found()) {
        ("for", "(") => return misplaced(BOUND),
        ("catch", "(") => return Some(Answer::Help("write `catch e { … }`, without parentheses".to_owned())),
        ("map", "(") => return Some(Answer::Help("write `map x in list { … }`, without parentheses".to_owned())),
        ("with", "{") | ("", _) => return None,
        ("with", _) => return misplaced("settings stand in braces behind a step: `with { retry: 3 }`"),
        ("if" | "while", "let") => return Some(Answer::Foreign(start, spot.end, MISSING.to_owned())),
        _ => {}
    }
    if spot.text.get(..start)?.ends_with('.') || !begins_value(spot.found()) {
        return None;
    }
    let line = spot.text.get(..start)?.trim_end_matches(' ');
    let first = spot.start == start || line.ends_with('\n');
    if line.is_empty() || line.len() == start && line.ends_with('\n') {
        // At a line's beginning stands a declaration.
        return None;
    }
    let help = match word {
        "select" if spot.rest().contains("from") => statement_word("SELECT"),
        "case" if spot.expects("`=>`") => Some("an arm is written `pattern => value`"),
        _ => verb(word).or_else(|| if first { statement_word(word) } else { None }),
    }?;
    if spot.statement.trim_end() == word && is_type_word(word) {
        return None;
    }
    Some(Answer::Foreign(start, end, help.to_owned()))
}

fn begins_value(found: &str) -> bool {
    found.starts_with(|c: char| is_word(c) || matches!(c, '"' | '\'' | '(' | '[' | '{'))
}

/// Words that stand before a value.
fn verb(word: &str) -> Option<&'static str> {
    Some(match word {
        "await" | "async" => "remove it: whatever uses the result of a step waits for it",
        "new" => "a record is written with its type: `type { field: value }`",
        "lambda" => "a function of one value is written `x => value`",
        "typeof" | "instanceof" => "types are known before the flow runs; `match` tells the cases of a variant apart",
        "NOT" | "Not" => "write `not`",
        "throw" | "raise" => "write `require false else \"message\"`, which ends the flow with a failure",
        _ => return None,
    })
}

/// Words that begin a statement elsewhere.
fn statement_word(word: &str) -> Option<&'static str> {
    Some(match word {
        "print" | "println" | "echo" | "puts" | "log" => {
            "a flow prints nothing itself: its value is its result, and a component can write elsewhere"
        }
        "yield" => "the last line of a block is its value; `return` ends the flow",
        "exit" | "quit" | "abort" => "`return value` ends the flow, `require false else \"message\"` lets it fail",
        "del" | "delete" | "free" => "remove it: a name ends with its block",
        "go" | "spawn" | "parallel" | "concurrent" | "fork" => AT_ONCE,
        "defer" | "finally" => "what is to happen in any case stands behind the `try { … } catch e { … }`",
        "unless" => "write `if not condition { … }`",
        "repeat" | "do" | "until" => BOUND,
        "call" | "step" | "task" | "job" | "stage" | "node" | "activity" | "invoke" | "exec" | "action" => {
            "a step is a call and its result has a name: `let result = component.function(argument)`"
        }
        "switch" | "when" | "select" | "case" | "default" => SWITCH,
        "SELECT" => "a list is filtered with `[x for x in list if condition]`",
        "scatter" => "write `map x in list { … }`",
        "except" | "rescue" => "write `catch e { … }` behind the braces of the `try`",
        "val" | "auto" | "set" | "final" | "local" | "my" => "write `let name = …`",
        "export" | "public" | "global" | "nonlocal" => "remove it: `let name = …` gives a name its value",
        "def" | "function" | "fn" | "func" | "fun" | "proc" | "flow" => "a flow is declared beside the others, not inside of one",
        "import" | "from" | "include" | "use" | "record" | "enum" | "variant" | "type" | "struct" | "interface" => {
            "declarations stand at the top of the file, outside of flows"
        }
        "end" => "a block ends with `}`",
        "assert" | "ensure" | "check" => "write `require condition else \"message\"`",
        _ => return None,
    })
}

/// What a key of YAML or a label of another language is here.
pub(crate) fn key(name: &str) -> Option<&'static str> {
    Some(match name {
        "steps" | "jobs" | "tasks" | "stages" | "uses" | "run" | "job" | "step" | "task" | "args" | "command" | "script" => {
            "a step is a call and its result has a name: `let result = component.function(argument)`"
        }
        "needs" | "depends_on" | "dependencies" | "depends" => {
            "write `after name` behind the step; a step that uses a result waits for it anyway"
        }
        "env" | "retry" | "retries" | "timeout" | "permissions" | "timeout_minutes" => {
            "settings stand behind a step: `with { retry: 3, timeout: 30s }`"
        }
        "when" | "unless" => "write `if condition { … }`",
        "default" => "an arm for everything else is written `_ => value`",
        "finally" | "except" | "rescue" => "write `try { … } catch e { … }`",
        _ => return None,
    })
}

/// A word at the place.
fn found(spot: &Spot<'_>) -> Option<Answer> {
    let (word, rest) = (spot.found(), spot.rest().trim_start());
    let here = |help: &str| Some(Answer::Misplaced(spot.at, spot.end, help.to_owned()));
    let foreign = |help: &str| Some(Answer::Foreign(spot.at, spot.end, help.to_owned()));
    if rest.starts_with(':') {
        return None;
    }
    match word {
        "with" if spot.statement.trim().is_empty() => here(
            "`with { … }` stands behind a step or a form and sets its policy; a folder is a parameter: `flow main(folder: dir)`",
        ),
        "with" | "undo" | "after" if spot.expects("`{`") && in_head(spot) => {
            here(&format!("give the step a name first, in a line of its own: `let x = step() {word} …`"))
        }
        "let" if spot.word_before().1 == "if" => Some(Answer::Foreign(spot.word_before().0, spot.end, MISSING.to_owned())),
        "if" if spot.expects("the end of the statement") => here("write `if condition { a } else { b }`"),
        "when" | "where" if spot.bracket().is_some_and(|(open, inside)| open == '[' && inside.contains(" for ")) => {
            foreign("a condition follows `if`: `[x for x in list if condition]`")
        }
        "in" if spot.first_word() == "scatter" => here("write `map x in list { … }`"),
        "in" if !matches!(spot.first_word(), "reduce" | "map") => here("write `contains(list, item)`"),
        "not" if rest.starts_with("in ") => here("write `not contains(list, item)`"),
        "is" | "IS" => foreign("write `==`, or `!=` for `is not`; a missing value is `none`"),
        "AND" | "And" => foreign("write `and`"),
        "OR" | "Or" => foreign("write `or`"),
        "mod" | "MOD" => foreign("write `%`"),
        "div" | "DIV" => foreign("write `/`"),
        "between" | "BETWEEN" => foreign("write `x >= low and x <= high`"),
        "like" | "LIKE" | "matches" => foreign("texts are compared with `contains`, `starts_with` and `ends_with`"),
        "instanceof" | "isa" => foreign("types are known before the flow runs; `match` tells the cases of a variant apart"),
        "then" | "do" | "begin" => foreign("blocks stand in braces: `{ … }`"),
        "end" => foreign("a block ends with `}`"),
        "of" if spot.expects("`in`") => foreign("write `in`"),
        "except" | "rescue" => foreign("write `catch e { … }`"),
        "finally" => foreign("write `catch e { … }`; what is to happen in any case stands behind it"),
        "while" if spot.expects("`until`") => here("a loop goes on until its condition holds: `until not condition`"),
        "max" if spot.first_word() != "loop" && !spot.expects("`until`") => {
            here("the bound of a loop stands before its body: `loop x = start until condition max 5 { next }`")
        }
        "retry" | "timeout" | "backoff" | "parallel" | "deadline" | "allow" | "memory" | "fuel" | "class" | "idempotent" => {
            here(&format!("settings stand in a `with`: `with {{ {word}: … }}`"))
        }
        _ => None,
    }
}

/// Whether the place is in the head of an `if` or `match`, where nothing can be attached to a step.
fn in_head(spot: &Spot<'_>) -> bool {
    let forms =
        spot.statement.rsplit(|c: char| !is_word(c)).find(|word| matches!(*word, "if" | "match" | "map" | "loop" | "reduce"));
    matches!(forms, Some("if" | "match"))
}

/// A `{` where a value is expected.
fn brace(spot: &Spot<'_>) -> Option<Answer> {
    if spot.found() != "{" {
        return None;
    }
    if spot.statement.contains("function") && spot.bracket().is_some() {
        return Some(Answer::Help("a function of one value is written `x => value`".to_owned()));
    }
    if let Some(called) = spot.statement.trim_end().strip_suffix(')').and_then(|call| call.rfind('(')) {
        // `switch (x) {` looks like a call before its braces.
        let (start, word) = super::word_at_end(spot.statement.get(..called)?, spot.start);
        return statement_word(word).map(|help| Answer::Foreign(start, start + word.len(), help.to_owned()));
    }
    if !spot.expects("an expression") {
        return None;
    }
    let help = if spot.statement.trim_end().ends_with("allow:") {
        "capabilities stand in a list: `allow: [http \"api.example.com\"]`"
    } else if spot.text.get(..spot.at).is_some_and(|before| before.ends_with("${")) {
        "in a text a value stands in single braces: `${name}`"
    } else if spot.rest().trim_start().starts_with('"') {
        "a value with names in it is a record, which begins with its type and has no quotes: `type { name: value }`"
    } else {
        "a value in braces is a record and begins with its type: `type { name: value }`"
    };
    Some(Answer::Misplaced(spot.at, spot.end, help.to_owned()))
}

/// A `:` that means something else elsewhere.
fn colon(spot: &Spot<'_>) -> Option<Answer> {
    if spot.found() != ":" {
        return None;
    }
    let statement = spot.statement.trim_end();
    let help = match spot.bracket() {
        Some(('[', inside)) if inside.trim_start().starts_with("for ") => "write `[x.name for x in list]`, the value first",
        Some(('[', _)) if statement.contains("allow") => "a capability is written without `:`, as in `http \"api.example.com\"`",
        Some(('[', _)) => "a part of a list: `take(list, 2)`, or `[list[i] for i in range(1, 3)]`",
        _ if spot.first_word() == "class" => {
            "a class is a set of limits, as in `class small { memory: 64MiB }`; flows stand in the file, without a class around them"
        }
        _ if spot.expects("`=>`") => "an arm is written `pattern => value`",
        _ if statement == "return" => "write `return value`",
        _ if spot.expects("`(`") && spot.rest().trim_start().starts_with("func") => {
            "a function of an interface is written `work(task: string) -> string`"
        }
        _ if spot.expects("`->`") => "the type of the result follows `->`",
        _ => return None,
    };
    Some(Answer::Misplaced(spot.at, spot.end, help.to_owned()))
}

/// Two things beside each other: a declaration with its type first, a unit apart from its number, an argument without
/// parentheses.
fn beside(spot: &Spot<'_>) -> Option<Answer> {
    let found = spot.found();
    let (start, word) = spot.word_before();
    let statement = spot.statement.trim_end();
    if found == "," && word.ends_with(|c: char| c.is_ascii_digit()) && spot.rest().starts_with(|c: char| c.is_ascii_digit()) {
        return Some(Answer::Help("digits are grouped by `_`: `1_000`".to_owned()));
    }
    if found.is_empty() && statement.strip_suffix('.').is_some_and(|number| number.ends_with(|c: char| c.is_ascii_digit())) {
        return Some(Answer::Help("write `5.0`, with a digit behind the point".to_owned()));
    }
    if found == "," && spot.expects("the end of the statement") && statement == word {
        return Some(Answer::Misplaced(spot.at, spot.end, TAKE_APART.to_owned()));
    }
    if !begins_value(found) || found.starts_with(['{', '(', '[']) {
        return None;
    }
    let is_name = found.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if is_name && spot.rest().trim_start().starts_with('=') && is_written_type(statement) {
        let help = format!("the name comes first: `let {found}: {} = …`", super::types::ours(statement));
        return Some(Answer::Foreign(spot.start, spot.start + statement.len(), help));
    }
    if is_name && spot.expects("`:`") && is_written_type(word) {
        return Some(Answer::Help(format!("the name comes first: `{found}: {}`", super::types::ours(word))));
    }
    if matches!(word, "http" | "env" | "read" | "read_write") && spot.statement.contains("allow") {
        return Some(Answer::Help("capabilities stand in a list: `allow: [http \"api.example.com\"]`".to_owned()));
    }
    if spot.expected == ["`:`"] && !word.is_empty() && !is_name {
        return Some(Answer::Help(format!("write `{word}: …`")));
    }
    if found.starts_with('"') && statement.ends_with(" .") {
        return Some(Answer::Help("texts are joined with `+`".to_owned()));
    }
    if !spot.expects("the end of the statement") {
        return None;
    }
    let units = ["ns", "us", "ms", "s", "m", "h", "d", "B", "KB", "MB", "GB", "KiB", "MiB", "GiB"];
    if word.starts_with(|c: char| c.is_ascii_digit()) && units.contains(&found) {
        return Some(Answer::Help(format!("a unit stands directly behind its number: `{word}{found}`")));
    }
    if spot.first_word() == "import" {
        let help = "write `import \"file.flow\" { name }`; a component is named by `use \"file.wasm\" as name`";
        return Some(Answer::Help(help.to_owned()));
    }
    if found.starts_with('"') && word == "signal" {
        return Some(Answer::Help("a signal is a name without quotes: `wait signal name: type`".to_owned()));
    }
    if statement.ends_with('"') || found.starts_with('"') && !statement.contains('.') {
        return Some(Answer::Help("texts are joined with `+`, or written as one: `\"${a} ${b}\"`".to_owned()));
    }
    let called = spot.text.get(..start).is_some_and(|before| before.ends_with('.')) && !word.is_empty();
    called.then(|| Answer::Help(format!("arguments stand in parentheses: `{word}(…)`")))
}

fn is_type_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().any(|c| c.is_ascii_lowercase())
}

/// `String`, `int`, `Array[String]` and the like.
fn is_written_type(text: &str) -> bool {
    let name = text.split('[').next().unwrap_or_default();
    let rest = text.get(name.len()..).unwrap_or_default();
    let known = matches!(name, "int" | "float" | "double" | "str" | "string" | "bool" | "boolean" | "char" | "u32" | "i32");
    (known || is_type_word(name)) && name.chars().all(is_word) && (rest.is_empty() || rest.ends_with(']'))
}
