//! Hooks around the steps of real runs.

use e2e::Site;

const FLOW: &str = r#"
use "{plugins}/kit.wasm" as kit
use "{plugins}/text.wasm" as text

hook before step text.* -> kit.guard with { timeout: 5s }
hook after run -> kit.audit

flow main(line: string) -> string {
    let words = text.words(line, 100)
    kit.echo(join(words, " "))
}
"#;

#[test]
fn a_hook_lets_pass_rewrites_and_refuses() {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    let run = |line: &str| site.host(["run", "main.flow", "--json", "--input", &format!("line={line}")]);
    assert_eq!(run("a glass of water").expect(0).json()["result"], "a glass of water");
    assert_eq!(run("a cup of coffee").expect(0).json()["result"], "a cup of tea");
    let refused = run("something forbidden").expect(1);
    assert!(refused.out.contains("`kit.guard` refused it: `text.words` must not see this"), "{}", refused.out);
}

#[test]
fn what_handlers_did_is_in_the_journal() {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    let run = site.host(["run", "main.flow", "--json", "--input", "line=x"]).expect(0).json();
    let id = run["run"].as_str().unwrap_or_default().to_owned();
    let shown = site.host(["show", &id]).expect(0).out;
    assert!(shown.contains("main/words.before[0]") && shown.contains("main.after[1]"), "{shown}");
}
