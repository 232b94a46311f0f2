//! `ask` with agents that the configuration names.

use e2e::{Site, component};

const FLOW: &str = r#"
role reviewer(text: string) -> string

flow main(fallback: bool = false) -> string {
    wait signal go
    if fallback { ask reviewer("fine") else "nobody answers" } else { ask reviewer("fine") }
}
"#;

fn site(config: &str) -> Site {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site.write("agents/kit.wasm", std::fs::read(component("kit")).unwrap());
    site.write("flowhost.toml", config);
    site
}

const ECHO: &str = "[roles.reviewer]\ncomponent = \"agents/kit.wasm\"\nfunction = \"echo\"\n";

/// Starts the flow up to its signal.
fn start(site: &Site, args: &[&str]) -> String {
    let args: Vec<&str> = ["run", "main.flow", "--json"].into_iter().chain(args.iter().copied()).collect();
    site.host(args).expect(6).json()["run"].as_str().unwrap().to_owned()
}

#[test]
fn an_agent_answers_also_when_its_file_is_gone_meanwhile() {
    let site = site(ECHO);
    let run = start(&site, &[]);
    std::fs::remove_file(site.path().join("agents/kit.wasm")).unwrap();
    std::fs::remove_file(site.path().join("flowhost.toml")).unwrap();
    let printed = site.host(["resume", &run, "--signal", "go", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], "fine");
    let steps = site.host(["show", &run, "--json"]).expect(0).json()["steps"].clone();
    assert_eq!((&steps[0]["path"], &steps[0]["state"]), (&"main/if/reviewer".into(), &"succeeded".into()), "{steps}");
}

#[test]
fn a_role_without_an_agent_fails_and_says_what_to_configure() {
    let site = site("");
    let run = start(&site, &[]);
    let printed = site.host(["resume", &run, "--signal", "go"]).expect(1);
    assert!(printed.err.contains("dependency: no agent has the role `reviewer`"), "{}", printed.err);
    assert!(printed.err.contains("[roles.reviewer]"), "{}", printed.err);
    let run = start(&site, &["--input", "fallback=true"]);
    let printed = site.host(["resume", &run, "--signal", "go", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], "nobody answers");
    // One that is configured later answers for a run that was started without.
    let run = start(&site, &[]);
    site.write("flowhost.toml", ECHO);
    site.host(["resume", &run, "--signal", "go"]).expect(0);
}

#[test]
fn an_agent_that_does_not_fit_is_refused_when_the_run_starts() {
    let refused = |config: &str, code: i32, what: &str| {
        let printed = site(config).host(["run", "main.flow"]).expect(code);
        assert!(printed.err.contains(what), "{}", printed.err);
    };
    refused(
        &ECHO.replace("\"echo\"", "\"echo-number\""),
        4,
        "`echo-number` is `func(value: s64) -> s64`, the role is `func(text: string) -> string`",
    );
    refused(&ECHO.replace("\"echo\"", "\"ecoh\""), 4, "it exports no function `ecoh`");
    refused(&ECHO.replace("kit.wasm", "no.wasm"), 4, "the agent of the role `reviewer` cannot be used: it cannot be read");
    refused(&format!("{ECHO}allow = [\"fly\"]\n"), 2, "`fly` is not a capability");
    refused(&format!("{ECHO}allow = [\"read /tmp\"]\n"), 2, "cannot be granted to an agent");
    refused(&format!("{ECHO}model = \"x\"\n"), 2, "unknown field `model`");
}
