//! The commands as a user meets them.

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Site, finish};

const HELLO: &str = r#"
use "{plugins}/kit.wasm" as kit

/// Says hello.
flow main(name: string = "world", times: u32 = 2) -> list<string> {
    let greeting = kit.echo("hello ${name}")
    [greeting for n in range(0, times)]
}
"#;

#[test]
fn a_flow_runs_with_defaults_and_inputs() {
    let site = Site::new();
    site.flow("hello.flow", HELLO);
    let printed = site.host(["run", "hello.flow", "--quiet"]).expect(0);
    assert_eq!(printed.json(), serde_json::json!(["hello world", "hello world"]));
    assert_eq!(printed.err, "");
    let printed = site.host(["run", "hello.flow", "--json", "--input", "name=you", "-i", "times=1"]).expect(0).json();
    assert_eq!(printed["result"], serde_json::json!(["hello you"]));
    assert_eq!(printed["status"], "succeeded");
    assert_eq!(printed["steps"], 1);
}

#[test]
fn inputs_can_be_one_document() {
    let site = Site::new();
    site.flow("hello.flow", HELLO);
    site.write("input.json", r#"{ "name": "all", "times": 1 }"#);
    let printed = site.host(["run", "hello.flow", "-q", "--input-file", "input.json"]).expect(0);
    assert_eq!(printed.json(), serde_json::json!(["hello all"]));
}

#[test]
fn runs_are_listed_shown_and_their_events_printed() {
    let site = Site::new();
    site.flow("hello.flow", HELLO);
    let run = site.host(["run", "hello.flow", "--json"]).expect(0).json()["run"].as_str().unwrap().to_owned();
    let listed = site.host(["ps", "--json"]).expect(0).json();
    assert_eq!(listed[0]["id"], *run);
    assert_eq!(listed[0]["status"], "succeeded");
    let shown = site.host(["show", &run[..run.len() - 1], "--json"]).expect(0).json();
    assert_eq!(shown["id"], *run);
    assert!(shown["steps"][0]["bill"]["fuel"].as_u64().unwrap() > 0, "{shown}");
    let events = site.host(["events", &run, "--json"]).expect(0).json();
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["run-started", "attempt-succeeded", "run-ended"]);
    let text = site.host(["show", &run]).expect(0).out;
    assert!(text.contains("succeeded") && text.contains("kit.echo") | text.contains("greeting"), "{text}");
    site.host(["events", &run]).expect(0);
    site.host(["ps"]).expect(0);
}

#[test]
fn an_unknown_run_says_so() {
    let site = Site::new();
    assert!(site.host(["show", "nothing"]).expect(5).err.contains("does not exist yet"));
    site.flow("hello.flow", HELLO);
    let _ = site.host(["run", "hello.flow"]).expect(0);
    let printed = site.host(["show", "nothing"]).expect(5);
    assert!(printed.err.contains("there is no run `nothing`"), "{}", printed.err);
}

#[test]
fn completions_are_printed() {
    let printed = Site::new().host(["completions", "bash"]).expect(0);
    assert!(printed.out.contains("_host()"), "{}", printed.out);
}

#[test]
fn a_plan_is_printed_in_every_format() {
    let site = Site::new();
    site.flow("hello.flow", HELLO);
    assert!(site.host(["plan", "hello.flow"]).expect(0).out.contains("greeting"));
    assert!(site.host(["plan", "hello.flow", "--format", "mermaid"]).expect(0).out.starts_with("flowchart"));
    assert!(site.host(["plan", "hello.flow", "--format", "dot"]).expect(0).out.starts_with("digraph"));
    assert!(site.host(["plan", "hello.flow", "--format", "json"]).expect(0).json().is_object());
}

#[test]
fn an_interrupted_run_pauses_and_says_how_to_resume() {
    let site = Site::new();
    site.flow(
        "slow.flow",
        "use \"{plugins}/kit.wasm\" as kit\nflow main() -> list<u64> { map n in range(0, 40) with { parallel: 1 } { kit.slow(50) } }\n",
    );
    let child = site.command(["run", "slow.flow"]).spawn().unwrap();
    // Three results are in the journal: the run is under way, and its signals are heard.
    let begun = Instant::now();
    // Before that the store may not have been filled at all.
    let events = || {
        let listed: serde_json::Value = serde_json::from_str(&site.host(["ps", "--json"]).out).unwrap_or_default();
        listed[0]["events"].as_u64().unwrap_or_default()
    };
    while events() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the run does not get under way");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let printed = finish(child).expect(130);
    let line =
        printed.err.lines().find(|line| line.contains("host resume ")).unwrap_or_else(|| panic!("{}", printed.err)).to_owned();
    let run = line.split("host resume ").nth(1).unwrap().split(['`', ' ']).next().unwrap().to_owned();
    let listed = site.host(["ps", "--json"]).expect(0).json();
    assert_eq!(listed[0]["status"], "paused");
    let resumed = site.host(["resume", &run, "--json"]).expect(0).json();
    assert_eq!(resumed["result"].as_array().unwrap().len(), 40);
}

#[test]
fn files_are_formatted_in_place() {
    let site = Site::new();
    let (tidy, untidy) = ("flow a() -> u8 { 1 }\n", "flow b( ){   // kept\n x }");
    let formatted = "flow b() { // kept\n    x\n}\n";
    site.write("flows/a.flow", tidy);
    site.write("flows/inner/b.flow", untidy);
    site.write("flows/notes.txt", "flow b( ){}");
    let read = |name: &str| std::fs::read_to_string(site.path().join(name)).unwrap();

    let listed = site.host(["fmt", "flows", "--check"]).expect(1);
    assert_eq!(listed.out.trim_end().replace('\\', "/"), "flows/inner/b.flow");
    assert_eq!(read("flows/inner/b.flow"), untidy);
    let printed = site.host(["fmt", "flows", "--json"]).expect(0).json();
    assert_eq!(printed["unchanged"], 1);
    assert_eq!(printed["changed"].as_array().unwrap().len(), 1);
    assert_eq!((read("flows/a.flow"), read("flows/inner/b.flow")), (tidy.into(), formatted.into()));
    assert_eq!(read("flows/notes.txt"), "flow b( ){}");
    site.host(["fmt", "flows", "--check"]).expect(0);

    site.write("flows/c.flow", "flow c( { }\n");
    let failed = site.host(["fmt", "flows/c.flow"]).expect(3);
    assert!(failed.err.contains("flow::"), "{}", failed.err);
    assert_eq!(read("flows/c.flow"), "flow c( { }\n");
    let failed = site.host(["fmt", "flows/c.flow", "--json"]).expect(3).json();
    assert!(failed["diagnostics"][0]["code"].as_str().unwrap().starts_with("flow::"), "{failed}");
    site.host(["fmt", "missing.flow"]).expect(2);
    site.host(["fmt"]).expect(2);
}

#[test]
fn standard_input_is_formatted() {
    use std::io::Write as _;
    use std::process::Stdio;
    let site = Site::new();
    for (args, input, output, code) in [
        (vec!["fmt", "-"], "flow a( ){}", "flow a() {}\n", 0),
        (vec!["fmt", "--stdin"], "flow a() {}\n", "flow a() {}\n", 0),
        (vec!["fmt", "--stdin", "--check"], "flow a( ){}", "", 1),
        (vec!["fmt", "-"], "flow a(", "", 3),
    ] {
        let mut command = site.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        assert_eq!(finish(child).expect(code).out, output);
    }
}

#[test]
fn a_code_is_explained_with_examples() {
    let site = Site::new();
    let printed = site.host(["explain", "flow::type_mismatch"]).expect(0);
    assert!(printed.out.starts_with("flow::type_mismatch: ") && printed.out.contains("\nwrong:\n    "), "{}", printed.out);
    assert_eq!(site.host(["explain", "type_mismatch"]).expect(0).out, printed.out);
    let json = site.host(["explain", "type_mismatch", "--json"]).expect(0).json();
    assert_eq!(json["code"], "flow::type_mismatch");
    assert!(json["text"].as_str().unwrap().contains("```flow right"), "{json:#}");
    let all = site.host(["explain", "--json"]).expect(0).json();
    let codes: Vec<&str> = all.as_array().unwrap().iter().map(|page| page["code"].as_str().unwrap()).collect();
    assert!(codes.len() > 70 && codes.is_sorted(), "{codes:?}");
    assert_eq!(site.host(["explain"]).expect(0).out.lines().count(), codes.len() + 1);
    let printed = site.host(["explain", "type_mismach"]).expect(2);
    assert!(
        printed.err.contains("`type_mismach`") && printed.err.contains("did you mean `flow::type_mismatch`?"),
        "{}",
        printed.err
    );
    site.host(["explain", "nonsense"]).expect(2);
}

#[test]
fn diagnostics_say_once_where_more_is_written() {
    let site = Site::new();
    site.write("one.flow", "flow main() -> u32 { \"a\" }\nflow other() -> u32 { \"b\" }\n");
    let printed = site.host(["check", "one.flow"]).expect(3);
    assert_eq!(printed.err.matches("host explain").count(), 1, "{}", printed.err);
    assert!(printed.err.trim_end().ends_with("more about it: host explain flow::type_mismatch"), "{}", printed.err);
    site.write("two.flow", "flow main() -> u32 { a }\nflow other() -> u32 { \"b\" }\n");
    let printed = site.host(["check", "two.flow"]).expect(3);
    let line = "more about each: host explain CODE, for flow::unknown_name, flow::type_mismatch";
    assert!(printed.err.trim_end().ends_with(line), "{}", printed.err);
    assert!(!site.host(["check", "two.flow", "--quiet"]).expect(3).err.contains("host explain"));
    site.write("good.flow", "flow main() -> u32 { 1 }\n");
    assert!(!site.host(["check", "good.flow"]).expect(0).err.contains("host explain"));
}

#[test]
fn diagnostics_are_one_list_for_editors() {
    let site = Site::new();
    site.write("bad.flow", "flow main(name: string) -> u32 {\n    \"ö\" + name\n}\n");
    site.write("good.flow", "flow main() -> u32 { 1 }\n");
    let found = site.host(["check", "bad.flow", "good.flow", "--json"]).expect(3).json();
    let place = serde_json::json!({ "start": 37, "end": 48 });
    assert_eq!(found.as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!((&found[0]["code"], &found[0]["severity"]), (&"flow::type_mismatch".into(), &"error".into()));
    assert_eq!((&found[0]["file"], &found[0]["span"]), (&"bad.flow".into(), &place));
    assert_eq!((&found[0]["line"], &found[0]["column"]), (&2.into(), &5.into()));
    assert_eq!((&found[0]["end_line"], &found[0]["end_column"]), (&2.into(), &15.into()));
    assert_eq!(found[0]["labels"].as_array().unwrap().len(), 2, "{found:#}");
    assert_eq!(site.host(["check", "good.flow", "--json"]).expect(0).json(), serde_json::json!([]));
}
