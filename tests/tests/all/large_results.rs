//! Results that leave the memory of the process, and come back.

use e2e::Site;

/// The file beside the store comes into play at 256 KiB.
const FLOW: &str = "use \"{plugins}/kit.wasm\" as kit with { allow: [] }

flow main(text: string) -> list<string> {
    let all = map x in range(0, 700) { kit.echo(value: \"${x} ${text}\") }
    let short = map x in all { [x, \"${len(x)}\"] }
    wait signal go
    let last = kit.echo(value: all[699])
    let found = [x[1] for x in short if contains(x[0], \"345 \")]
    require all[1] != all[2] and all[500] == \"500 ${text}\"
    let pairs = reduce a, b in all { if len(a) > len(b) { a } else { b } }
    [\"${len(last)}\", \"${len(all)}\", \"${len(pairs)}\"] + found
}
";

#[test]
fn a_run_looks_at_what_it_collected_before_another_process_took_it_over() {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    let text = format!("text={}", "x".repeat(1000));
    let run = site.host(["run", "main.flow", "--json", "--durability", "process", "--input", &text]).expect(6).json();
    let run = run["run"].as_str().unwrap();
    let done = site.host(["resume", run, "--json", "--signal", "go"]).expect(0).json();
    assert_eq!(done["result"], serde_json::json!(["1004", "700", "1004", "1004"]));
    let names = std::fs::read_dir(site.path()).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    assert_eq!(names.filter(|name| name.contains("-held-")).count(), 0);
}
