//! What a caller of the compiler sees beside the diagnostics.

use lang::{Compilation, Entry, compile};
use testkit::world::MemoryWorld;

const WIT: &str = "package t:t; world w { export f: func(x: string) -> string; }";

fn compiled(text: &str, entry: Entry<'_>) -> Compilation {
    compile(&MemoryWorld::new().with("main.flow", text).with("p.wit", WIT), "main.flow", entry)
}

fn entry_of(text: &str, entry: Entry<'_>) -> Result<String, String> {
    let compilation = compiled(text, entry);
    let plan = compilation.plan.as_ref();
    plan.map(|plan| plan.flows[plan.entry].name.to_string()).ok_or_else(|| {
        let found = &compilation.diagnostics[0];
        format!("{}; {}", found.message, found.help.as_deref().unwrap_or_default())
    })
}

#[test]
fn the_entry_is_main_or_the_only_flow_or_the_one_named() {
    let two = "flow first() -> u32 { 1 }\nflow other() -> u32 { 2 }\n";
    let main = "flow first() -> u32 { 1 }\nflow main() -> u32 { 2 }\n";
    for (text, entry, expected) in [
        ("flow only() -> u32 { 1 }", Entry::Default, Ok("only")),
        (main, Entry::Default, Ok("main")),
        (main, Entry::Named("first"), Ok("first")),
        (two, Entry::None, Ok("first")),
        (
            two,
            Entry::Default,
            Err(
                "the file declares 2 flows and none is called `main`; call the one to run `main`, or name it with `--flow`: `first` and `other`",
            ),
        ),
        (two, Entry::Named("frist"), Err("the file declares no flow `frist`; did you mean `first`?")),
        (
            "record r { a: u32 }",
            Entry::Default,
            Err("the file declares no flow, so nothing can be run; declare one: `flow main() { … }`"),
        ),
    ] {
        let found = entry_of(text, entry);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text} {entry:?}");
    }
}

#[test]
fn a_library_without_a_single_entry_passes_the_check() {
    let compilation = compiled("record r { a: u32 }\n", Entry::None);
    assert!(compilation.diagnostics.is_empty() && compilation.plan.is_none(), "{:?}", compilation.diagnostics);
}

#[test]
fn a_missing_component_is_told_apart_from_other_errors() {
    let missing = "use \"q.wasm\" as q\nflow main() -> string { q.f(\"x\") }\n";
    let compilation = compiled(missing, Entry::Default);
    assert!(compilation.component_failed && compilation.only_components_failed());
    assert_eq!(compilation.diagnostics.len(), 1, "{:?}", compilation.diagnostics);
    let compilation = compiled(&format!("{missing}flow g() -> u32 {{ nothing }}\n"), Entry::Default);
    assert!(compilation.component_failed && !compilation.only_components_failed());
}

#[test]
fn used_components_are_listed() {
    let compilation = compiled("use \"p.wasm\" as p\nflow main() -> string { p.f(\"x\") }\n", Entry::Default);
    let [component] = compilation.components.as_slice() else { panic!("{:?}", compilation.components) };
    assert_eq!((component.alias.as_str(), component.source.as_str(), component.file.as_str()), ("p", "p.wasm", "main.flow"));
    assert!(component.digest.to_string().starts_with("sha256:"));
}

#[test]
fn an_unreadable_root_is_one_diagnostic() {
    let compilation = compile(&MemoryWorld::new().with("bad.flow", vec![b'f', 0xff]), "bad.flow", Entry::Default);
    let messages: Vec<&str> = compilation.diagnostics.iter().map(|found| found.message.as_str()).collect();
    assert_eq!(messages, ["`bad.flow` cannot be read: it is not UTF-8 (byte 1)"]);
}

#[test]
fn hostile_texts_get_an_answer() {
    let many = |before: &str, part: &str, after: &str, count: usize| {
        format!("flow main() -> bool {{ {before}{}{after} }}\n", part.repeat(count))
    };
    for text in [
        many("", "not ", "true", 200_000),
        many("", "(", "true", 200_000),
        many("", "if true { true } else ", "{ false }", 50_000),
        many("true", " and true", "", 100_000),
        many("len([", "[],", "]) > 0", 100_000),
        format!(
            "{}flow main() {{ }}\n",
            (0..2_000).map(|n| format!("record r{n} {{ a: r{}, b: r{} }}\n", n + 1, n + 1)).collect::<String>()
        ),
        format!(
            "record r0 {{ a: u8 }}\n{}",
            (1..200).map(|n| format!("record r{n} {{ a: r{}, b: r{} }}\n", n - 1, n - 1)).collect::<String>()
        ),
        (0..5_000).map(|n| format!("flow f{n}() {{ f{}() }}\n", (n + 1) % 5_000)).collect(),
        (0..5_000).map(|n| format!("flow f{n}() -> u8 {{ unknown{n}(other{n}) }}\n")).collect(),
    ] {
        let compilation = compiled(&text, Entry::None);
        assert!(compilation.has_errors(), "{}", &text[..60]);
    }
}

#[test]
fn a_trigger_is_an_entry_of_its_own() {
    let text = "flow main(x: string) -> string { x }\non schedule \"@daily\" -> main(\"day\")\non event \"a.>\" -> main(event as string)\n";
    let compilation = compiled(text, Entry::Trigger(1));
    assert_eq!(compilation.triggers.len(), 2);
    let plan = compilation.plan.expect("it compiles");
    let entry = &plan.flows[plan.entry];
    assert_eq!((&*entry.name, entry.params.len(), entry.result.to_string()), ("on event \"a.>\"", 1, "string".to_owned()));
    assert!(compiled(text, Entry::Trigger(2)).has_errors());
    assert_eq!(entry_of(text, Entry::Default).as_deref(), Ok("main"));
}

#[test]
fn a_session_hook_is_an_entry_of_its_own() {
    let wit = "package a:b; interface api { opened: func(session: string) -> u32; gone: func(); } world w { export api; }";
    let text = "use \"k.wasm\" as k\nhook before run -> k.gone\nhook session start -> k.opened with { retry: 1 }\n\
                hook session end -> k.gone\nflow main() -> u8 { 1 }\n";
    let world = MemoryWorld::new().with("main.flow", text).with("k.wit", wit);
    let compilation = compile(&world, "main.flow", Entry::Session(0));
    let events: Vec<(&str, &str)> = compilation.sessions.iter().map(|hook| (hook.event.name(), &*hook.handler)).collect();
    assert_eq!(events, [("start", "k.opened"), ("end", "k.gone")]);
    let plan = compilation.plan.expect("it compiles");
    let entry = &plan.flows[plan.entry];
    assert_eq!((&*entry.name, entry.params.len(), entry.result.to_string()), ("hook session start", 1, "u32".to_owned()));
    assert!(plan.hooks.is_empty(), "around a handler there are no hooks");
    assert!(compile(&world, "main.flow", Entry::Session(2)).has_errors());
    let main = compile(&world, "main.flow", Entry::Default).plan.expect("it compiles");
    assert_eq!((&*main.flows[main.entry].name, main.hooks.len()), ("main", 1));
}

const GENERIC: &str =
    "interface worker { f(x: string) -> string }\nflow lead(w: worker, s: flow(u8)) -> string { s(1)\nw.f(\"x\") }\n";

#[test]
fn a_generic_flow_cannot_be_started() {
    let plain = format!(
        "{GENERIC}use \"p.wasm\" as p\nflow start() -> string {{ lead(p, quiet) }}\nflow quiet(n: u8) {{ require n > 0 }}\n"
    );
    let refusal = "`lead` cannot be started: it takes `w: worker` and `s: flow(u8)` when it is compiled; start a flow that \
                   calls it: `flow main(…) { lead(…) }`";
    for (text, entry, expected) in [
        (GENERIC, Entry::Default, Err(refusal)),
        (GENERIC, Entry::Named("lead"), Err(refusal)),
        (&*plain, Entry::Named("lead"), Err(refusal)),
        (&*plain, Entry::Named("start"), Ok("start")),
        (&*plain, Entry::None, Ok("start")),
    ] {
        let found = entry_of(text, entry);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text} {entry:?}");
    }
    let library = compiled(GENERIC, Entry::None);
    assert!(library.diagnostics.is_empty() && library.plan.is_none(), "{:?}", library.diagnostics);
}

#[test]
fn instances_of_generic_flows_are_bounded() {
    let mut text = "flow many(f: flow(u8) -> u8, g: flow(u8) -> u8) -> u8 { f(g(1)) }\n".to_owned();
    let names: Vec<String> = (0..40).map(|n| format!("f{n}")).collect();
    for name in &names {
        text.push_str(&format!("flow {name}(n: u8) -> u8 {{ n }}\n"));
    }
    text.push_str("flow main() -> u8 {\n");
    for f in &names {
        let calls: Vec<String> = names.iter().map(|g| format!("many({f}, {g})")).collect();
        text.push_str(&format!("    require sum([{}]) > 0\n", calls.join(", ")));
    }
    text.push_str("    1\n}\n");
    let compilation = compiled(&text, Entry::Default);
    let codes: Vec<&str> = compilation.diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["flow::too_many_instances"]);
    let fewer: String = text
        .lines()
        .filter(|line| !line.contains("many(f2") && !line.contains("many(f3"))
        .map(|line| format!("{line}\n"))
        .collect();
    let plan = compiled(&fewer, Entry::Default).plan.unwrap();
    assert_eq!(plan.flows.values().filter(|flow| &*flow.name == "many(f0, f7)").count(), 1);
    assert_eq!(plan.flows.len(), 40 + 1 + 18 * 40);
}
