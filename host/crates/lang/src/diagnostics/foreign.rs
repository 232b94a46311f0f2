//! What other languages have, and how it is written here.

const PURE: &str = "expressions know no clock and no chance, so that a run can be repeated: take it from a step, or make it a parameter of the flow";
const OUTSIDE: &str = "a flow reads and writes nothing itself: call a component that does, named by `use \"file.wasm\" as name`";
const PRINTS: &str = "a flow prints nothing itself: its value is its result, and a component can write elsewhere";
const FAILS: &str = "write `require condition else \"message\"`, which lets the flow fail";
const INPUTS: &str = "what a run is given is a parameter of the flow: `flow main(name: string) { … }`";
const FILTER: &str = "write `[x for x in list if condition]`";
const EACH: &str = "write `[value for x in list]`, or with steps `map x in list { … }`";
const JOIN: &str = "lists never change: join them with `+`, as in `list + [item]`";

/// What to write instead of a value that has this name elsewhere.
pub(crate) fn value(name: &str) -> Option<&'static str> {
    Some(match name {
        "pass" | "noop" | "skip" => "a block that does nothing is `{ }`",
        "break" | "continue" => {
            "a `loop` ends when its `until` holds; items of a list are left out with `[x for x in list if condition]`"
        }
        "self" | "this" | "cls" => "a flow belongs to no object: what it needs are its parameters",
        "env" => "what a run is given is a parameter of the flow; a step reads a variable with `allow: [env \"NAME\"]`",
        "process" | "os" | "sys" | "inputs" | "params" | "args" | "argv" | "vars" | "var" | "local" | "github" | "parameters" => {
            INPUTS
        }
        "console" | "stdout" | "stderr" | "logger" | "logging" => PRINTS,
        "Math" | "math" => "the library has `min`, `max`, `sum` and the operators; a component can have more",
        "JSON" => "write `json(value)`, and `value as type` for the way back",
        "NULL" | "nullptr" | "void" => "a missing value is `none`",
        "yes" | "YES" => "write `true`",
        "no" | "NO" => "write `false`",
        _ => return None,
    })
}

/// What to write instead of a function that has this name elsewhere.
pub(crate) fn function(name: &str) -> Option<&'static str> {
    Some(match name {
        "print" | "println" | "printf" | "log" | "echo" | "puts" | "debug" => PRINTS,
        "now" | "today" | "time" | "timestamp" | "date" | "uuid" | "random" | "rand" | "randint" => PURE,
        "open" | "read_file" | "write_file" | "fetch" | "http" | "request" | "curl" | "get" | "post" | "exec" | "system"
        | "shell" | "eval" | "input" | "import" | "require" => OUTSIDE,
        "env" | "getenv" => {
            "a flow reads no environment: make it a parameter, or let a step read it with `allow: [env \"NAME\"]`"
        }
        "sleep" | "delay" | "setTimeout" | "set_timeout" | "wait_for" => "write `wait 5s`, which goes on after so long",
        "assert_eq" | "assert_equal" | "assertEquals" | "assertTrue" | "assert_true" | "expect" | "assertEqual" => {
            "in a test write `assert left == right`, which shows both sides when they differ"
        }
        "throw" | "raise" | "panic" | "fail" | "error" | "abort" | "exit" | "Error" | "assert" => FAILS,
        "filter" | "where" | "select" => FILTER,
        "map" | "foreach" | "forEach" | "collect" => EACH,
        "fold" | "foldl" | "aggregate" => "write `reduce total = 0, x in list { total + x }`",
        "append" | "push" | "extend" | "insert" => JOIN,
        "enumerate" => "write `zip(range(0, 10), list)`, which gives pairs: `pair.0` and `pair.1`",
        "first" | "head" => "write `list[0]`",
        "last" | "tail" => "write `reverse(list)[0]`",
        "slice" | "substring" | "substr" => "write `take(list, count)`, or `[list[i] for i in range(1, 3)]`",
        "int" | "integer" | "parseInt" | "u32" | "u64" | "s32" | "s64" => {
            "numbers widen by themselves; `json(value) as u32` converts with a check"
        }
        "bool" | "Boolean" => "write a comparison: `value != 0`, `len(text) > 0`",
        "list" | "array" | "vec" | "set" => "a list is written `[a, b]`",
        "dict" | "map_of" | "object" | "hash" => "a value with names in it is a record: `type { name: value }`",
        "tuple" | "pair" => "a tuple is written `(a, b)`",
        "format" | "sprintf" | "concatenate" => "write the values into the text: `\"${a} and ${b}\"`",
        "isinstance" | "type" | "type_of" => "types are known before the flow runs; `match` tells the cases of a variant apart",
        "gather" | "all_settled" | "join_all" | "parallel" | "spawn" => {
            "steps without data between them run at once; a list of them is `map x in list { … }`"
        }
        "Some" => "write `some(value)`",
        "Ok" => "write `ok(value)`",
        "Err" => "write `err(value)`",
        "defined" | "is_none" | "isnull" => "write `value != none`, or `match value { some(x) => …, none => … }`",
        "select_first" | "coalesce" | "default" => "write `value ?? other`",
        "read_string" | "read_lines" | "stdout" => OUTSIDE,
        _ => return None,
    })
}

/// What to write instead of a method of a value.
pub(crate) fn method(name: &str) -> Option<&'static str> {
    Some(match name {
        "map" | "forEach" | "each" | "for_each" => EACH,
        "filter" | "where" | "select" => FILTER,
        "append" | "push" | "add" | "extend" => JOIN,
        "unwrap" | "expect" | "unwrap_or" | "get" | "or_else" | "orElse" => {
            "a value that may be missing gets a default: `value ?? other`, or is opened by `match`"
        }
        "format" => "write the values into the text: `\"${a} and ${b}\"`",
        "length" | "size" | "count" => "write `len(value)`",
        "toString" | "to_string" | "str" => "write `string(value)`, or `\"${value}\"`",
        "includes" | "has" => "write `contains(list, item)`",
        "toLowerCase" | "to_lowercase" => "write `lower(text)`",
        "toUpperCase" | "to_uppercase" => "write `upper(text)`",
        "strip" => "write `trim(text)`",
        "startswith" | "startsWith" => "write `starts_with(text, prefix)`",
        "endswith" | "endsWith" => "write `ends_with(text, suffix)`",
        "sort" | "sorted" | "sort_unstable" | "order_by" => "write `sort_by(list, item => item)`",
        "toBe" | "toEqual" | "to_equal" => "in a test write `assert left == right`",
        "iter" | "into_iter" | "to_list" | "clone" | "copy" | "collect" => "leave it out: values are passed on as they are",
        "then" | "await" => "leave it out: whatever uses the result of a step waits for it",
        "catch" | "recover" | "on_failure" => "a failure is taken by `step else other`, or by `try { … } catch e { … }`",
        "retry" | "with_retry" | "timeout" => "settings stand behind a step: `with { retry: 3 }`",
        _ => return None,
    })
}

/// What to write instead of a setting that has this name elsewhere.
pub(crate) fn setting(key: &str) -> Option<&'static str> {
    Some(match key {
        "retries" | "attempts" | "max_retries" | "max_attempts" | "retry_count" | "retry_policy" => {
            "write `retry: 3`, the number of further attempts"
        }
        "delay" | "interval" | "retry_delay" | "initial_interval" => {
            "write `backoff: 1s`, or `backoff: exponential(200ms, max: 10s)`"
        }
        "timeout_seconds" | "timeout_minutes" | "time_limit" | "start_to_close_timeout" => "write `timeout: 30s`, with its unit",
        "concurrency" | "max_parallel" | "max_concurrency" | "workers" | "threads" => "write `parallel: 4`",
        "depends_on" | "needs" | "depends" | "dependencies" | "after" => {
            "order comes from data; without data between two steps write `step() after name`"
        }
        "continue_on_error" | "ignore_errors" | "on_failure" | "fallback" => {
            "write `step() else other` to take a failure, or `on_error: collect` on a `map`"
        }
        "permissions" | "rights" | "capabilities" | "grants" | "scopes" => "write `allow: [http \"api.example.com\"]`",
        "env" | "environment" => "write `allow: [env \"NAME\"]`; what a run is given is a parameter of the flow",
        "when" | "if" | "condition" => "write `if condition { step() }`",
        "name" | "id" | "label" => "a step is named by its `let`: `let name = step()`",
        "mem" | "ram" | "memory_limit" => "write `memory: 64MiB`",
        "cpu" | "gas" | "cost" => "write `fuel: 1_000_000_000`",
        _ => return None,
    })
}
