//! A program of somebody else, in Python and with the NATS client of that language, takes part in runs as an agent, as a handler of
//! hooks and as a subscriber. It is written from `host/docs/contract.md`, and checks what it gets against the published schemas.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use e2e::{Site, component, project};
use serde_json::{Value, json};
use testkit::nats::Server;

use super::serve;
use crate::service::{eventually, waiting};

const FLOW: &str = r#"
use "{plugins}/kit.wasm" as kit

record review { good: bool, text: string }
record approval { by: string, of: string }

role reviewer(text: string, strict: bool) -> review
role sleeper() -> string

flow main(text: string) -> string {
    let checked = kit.echo(text)
    let review = ask reviewer(checked, strict: true) with { timeout: 30s, retry: 2, idempotent: true }
    require review.good
    emit "texts.reviewed" review.text
    let approval = wait message "texts.approved": approval with { timeout: 1m }
    let last = ask sleeper() with { timeout: 300ms } else "nobody"
    "${approval.of} by ${approval.by}, then ${last}"
}
"#;

const HOOKS: &str = r#"
[[hooks]]
name = "gate"
before = "step"
on = "kit.*"
timeout = "30s"

[[hooks]]
name = "ledger"
after = "run"
"#;

const AGENT: &str = "\n[roles.echoer]\ncomponent = \"agents/kit.wasm\"\nfunction = \"echo\"\n";

/// Where there is a Python with the client: `cargo xtask test` makes one.
fn python() -> PathBuf {
    let named = std::env::var_os("FLOWHOST_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| project().join("target/tools/contract/bin/python3"));
    assert!(python.is_file(), "this test starts a Python with nats-py; run `cargo xtask test`, which installs it");
    python
}

/// The program. Killed when it is dropped.
struct Client {
    child: Child,
    lines: Receiver<Value>,
}

impl Client {
    /// Starts it, and waits until it listens.
    fn start(server: &Server) -> Self {
        let mut child = Command::new(python())
            .arg(project().join("tests/contract/client.py"))
            .arg(server.url())
            .arg(project().join("host/docs/schemas"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                drop(sender.send(serde_json::from_str(&line).unwrap()));
            }
        });
        let client = Self { child, lines };
        client.next("ready");
        client
    }

    /// What it saw next, which is of this kind.
    #[track_caller]
    fn next(&self, what: &str) -> Value {
        let seen = self.lines.recv_timeout(Duration::from_secs(90)).unwrap();
        assert_eq!(seen["what"], what, "{seen}");
        seen["data"].clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn site(server: &Server) -> Site {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site.write("agents/kit.wasm", std::fs::read(component("kit")).unwrap());
    site.write("flowhost.toml", format!("[nats]\nurl = \"{}\"\n{HOOKS}{AGENT}", server.url()));
    site
}

#[test]
fn a_program_in_another_language_takes_part() {
    let server = Server::start();
    let (client, site) = (Client::start(&server), site(&server));
    let service = serve(&site, &server.url());
    let run = service.submit(&["main.flow", "--input", "text=a text"]);
    let ended = service.wait(&run).expect(0).json();
    assert_eq!(ended["result"], "A TEXT! by client, then nobody");

    let before = client.next("before");
    assert_eq!(
        (&before["hook"], &before["step"], &before["args"]),
        (&json!("gate"), &json!("kit.echo"), &json!({ "value": "a text" }))
    );
    assert_eq!((&before["run"], &before["flow"], &before["path"]), (&json!(run), &json!("main"), &json!("main/checked")));
    for attempt in 1..=2 {
        let asked = client.next("agent");
        assert_eq!((&asked["role"], &asked["attempt"]), (&json!("reviewer"), &json!(attempt)));
        assert_eq!(asked["args"], json!({ "text": "A TEXT", "strict": true }));
        assert_eq!(asked["task_id"], json!(format!("{run}/main/review")));
    }
    assert_eq!(client.next("message"), "A TEXT!");
    // It asks an agent of the host in turn, well and badly.
    assert_eq!(client.next("answer")["progress"]["note"], "begun");
    assert_eq!(client.next("answer")["value"], "from outside");
    let failure = client.next("answer")["failure"].clone();
    assert_eq!(failure["kind"], "invalid_input");
    assert!(failure["message"].as_str().unwrap().contains("its `args` do not fit: `value`"), "{failure}");
    // One who never answers is told that nobody waits.
    let asked = client.next("silent");
    let cancelled = client.next("cancelled");
    assert_eq!(
        (&cancelled["task_id"], &cancelled["attempt"], &cancelled["reason"]),
        (&asked["task_id"], &json!(1), &json!("timeout"))
    );
    // It fails the first time, and is told again.
    for attempt in 1..=2 {
        let told = client.next("after");
        assert_eq!((&told["hook"], &told["run"], &told["attempt"]), (&json!("ledger"), &json!(run), &json!(1)), "{attempt}");
        assert_eq!(told["outcome"], json!({ "ok": "A TEXT! by client, then nobody" }));
    }

    let refused = service.submit(&["main.flow", "--input", "text=a forbidden text"]);
    let ended = service.wait(&refused).expect(1);
    assert!(ended.out.contains("refused it: this is not for everybody"), "{}", ended.out);
    client.next("before");
    let told = client.next("after");
    assert_eq!(told["outcome"]["err"]["kind"], "permission");

    let log = eventually("the log has all calls", || {
        let log = site.host(["hook", "log", "--json"]).expect(0).json();
        (log.as_array().unwrap().len() == 5).then_some(log)
    });
    let calls: Vec<_> = log.as_array().unwrap().iter().map(|call| (&call["hook"], &call["outcome"], &call["attempt"])).collect();
    let call = |hook: &str, outcome: &str, attempt: u64| (json!(hook), json!(outcome), json!(attempt));
    let expected = [
        call("gate", "rewrite", 1),
        call("ledger", "failed", 1),
        call("ledger", "done", 2),
        call("gate", "veto", 1),
        call("ledger", "done", 1),
    ];
    assert_eq!(calls, expected.iter().map(|(hook, outcome, attempt)| (hook, outcome, attempt)).collect::<Vec<_>>());
    assert!(log.as_array().unwrap().iter().all(|call| call["duration_ms"].is_u64()), "{log}");
    assert_eq!(log[1]["reason"], "the disk is full");
    // The plan that the run was started with is made again with its hooks.
    let shown = site.host(["show", &run]).expect(0).out;
    assert!(shown.contains("main/checked.before[0]"), "{shown}");
    site.host(["replay", &run, "--json"]).expect(0);
}

/// Hooks that nobody handles hold what they say, and are added and removed by command.
#[test]
fn hooks_are_added_listed_and_removed() {
    let server = Server::start();
    let site = Site::new();
    site.flow("main.flow", "use \"{plugins}/kit.wasm\" as kit\nflow main() -> string { kit.echo(\"x\") }");
    let url = server.url();
    let host = |args: &[&str]| site.host(["--nats", &url].iter().chain(args));
    assert_eq!(host(&["hook", "list", "--json"]).expect(0).json(), json!([]));
    host(&["hook", "add", "careful", "--before", "step", "--on", "kit.echo", "--timeout", "2s"]).expect(0);
    let listed = host(&["hook", "list", "--json"]).expect(0).json();
    let careful = json!({
        "name": "careful", "phase": "before", "event": "step", "on": "kit.echo", "timeout": "2s", "default": "veto", "from": "added",
    });
    assert_eq!(listed, json!([careful]));
    let refused = host(&["run", "main.flow", "--json"]).expect(1);
    let what = "refused it: nobody handles the hook `careful`: nobody listens to `flow.default.hook.before.step.careful`";
    assert!(refused.out.contains(what), "{}", refused.out);
    host(&["hook", "add", "careful", "--before", "step", "--default", "allow"]).expect(0);
    assert_eq!(host(&["run", "main.flow", "--json"]).expect(0).json()["result"], "x");
    host(&["hook", "remove", "careful"]).expect(0);
    assert!(host(&["hook", "remove", "careful"]).expect(2).err.contains("no hook `careful` was added"));
    assert_eq!(host(&["run", "main.flow", "--json"]).expect(0).json()["result"], "x");
    let log = host(&["hook", "log", "careful", "--json"]).expect(0).json();
    let outcomes: Vec<_> = log.as_array().unwrap().iter().map(|call| call["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("failed"), json!("failed")]);

    for (args, what) in [
        (vec!["hook", "add", "a.b", "--before", "step"], "`a.b` is no name of a hook"),
        (vec!["hook", "add", "a", "--before", "coffee"], "there is no hook before `coffee`"),
        (vec!["hook", "add", "a", "--before", "step", "--on", "a..b"], "`a..b` is no pattern"),
        (vec!["hook", "add", "a", "--before", "step", "--default", "maybe"], "its `default` is `maybe`"),
        (vec!["hook", "add", "a", "--after", "step", "--timeout", "2s"], "what comes after waits for nothing"),
        (vec!["hook", "add", "a"], "--before"),
    ] {
        assert!(host(&args).expect(2).err.contains(what), "{what}");
    }
    assert!(site.host(["hook", "list"]).expect(2).err.contains("no servers are named"));
    site.write("flowhost.toml", HOOKS);
    assert!(site.host(["run", "main.flow"]).expect(2).err.contains("the hook `gate` is handled over NATS"));
    // A service whose triggers could start nothing does not start.
    site.write("flowhost.toml", "[[hooks]]\nname = \"gate\"\nbefore = \"stepp\"\n");
    assert!(host(&["serve"]).expect(2).err.contains("there is no hook before `stepp`"));
}

/// A run keeps the hooks that it was started with, whatever is added or removed later.
#[test]
fn a_run_keeps_its_hooks() {
    let server = Server::start();
    let site = Site::new();
    site.write("flowhost.toml", format!("[nats]\nurl = \"{}\"\n", server.url()));
    site.flow("main.flow", "use \"{plugins}/kit.wasm\" as kit\nflow main() -> string { kit.echo(wait signal go: string) }");
    let service = serve(&site, &server.url());
    let before = service.submit(&["main.flow"]);
    site.host(["hook", "add", "gate", "--before", "step"]).expect(0);
    let with = service.submit(&["main.flow"]);
    site.host(["hook", "remove", "gate"]).expect(0);
    for run in [&before, &with] {
        waiting(&site, run);
        site.host(["signal", run, "go", "\"x\""]).expect(0);
    }
    service.wait(&before).expect(0);
    let refused = service.wait(&with).expect(1);
    assert!(refused.out.contains("nobody handles the hook `gate`"), "{}", refused.out);
}

/// Nobody gets around the hooks of a cluster by not naming its servers: the service of the store knows them.
#[test]
fn what_is_started_through_a_service_has_the_hooks_of_its_cluster() {
    let server = Server::start();
    let site = Site::new();
    site.flow("main.flow", "use \"{plugins}/kit.wasm\" as kit\nflow main() -> string { kit.echo(\"x\") }");
    let service = serve(&site, &server.url());
    let run = service.submit(&["main.flow"]);
    service.wait(&run).expect(0);
    site.host(["hook", "add", "gate", "--before", "step", "--nats", &server.url()]).expect(0);
    let refused = |name: &str| {
        let run = service.submit(&["main.flow"]);
        let ended = service.wait(&run).expect(1);
        assert!(ended.out.contains(&format!("nobody handles the hook `{name}`")), "{}", ended.out);
    };
    refused("gate");
    // Its own configuration comes first, and may name hooks without servers.
    site.write("flowhost.toml", "[[hooks]]\nname = \"own\"\nbefore = \"step\"\n");
    refused("own");
}

/// What a run of one host emits the runs of all hosts get, once, and so it is with what a component sends and what others send,
/// whichever host takes it.
#[test]
fn messages_pass_between_hosts_and_programs() {
    const WAITS: &str = "flow main() -> string { wait message \"news.today\": string with { timeout: 1m } }";
    const EMITS: &str = "flow main() { emit \"news.today\" \"rain\" }";
    const SENDS: &str = "use \"{plugins}/post.wasm\" as post
flow main() { post.send(\"news.today\", \"\\\"sleet\\\"\") with { allow: [mail_send \"news.today\"] } }";
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    let hosts = [(&here, serve(&here, &server.url())), (&there, serve(&there, &server.url()))];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(async_nats::connect(server.url())).unwrap();
    let text = r#"{"specversion":"1.0","id":"7","source":"/weather","type":"com.example.forecast","data":"snow"}"#;
    for (flow, expected) in [(None, "snow"), (Some(EMITS), "rain"), (Some(SENDS), "sleet")] {
        let mut runs = Vec::new();
        for (site, host) in &hosts {
            site.flow("waits.flow", WAITS);
            runs.push(host.submit(&["waits.flow"]));
        }
        for run in &runs {
            waiting(&here, run);
            waiting(&there, run);
        }
        if let Some(flow) = flow {
            there.flow("says.flow", flow);
            let run = hosts[1].1.submit(&["says.flow", "--allow", "mail_send news.today"]);
            hosts[1].1.wait(&run).expect(0);
        } else {
            for _ in 0..2 {
                runtime.block_on(client.publish("flow.default.event.news.today", text.into())).unwrap();
            }
            runtime.block_on(client.flush()).unwrap();
        }
        for run in &runs {
            assert_eq!(super::wait(&here, run).expect(0).json()["result"], expected);
            assert_eq!(super::count(&here, run, "message-received"), 1);
        }
    }
}

/// Agents of a host answer for the runs of another.
#[test]
fn a_host_answers_for_its_roles() {
    let server = Server::start();
    let (asks, answers) = (Site::new(), Site::new());
    answers.write("agents/kit.wasm", std::fs::read(component("kit")).unwrap());
    answers.write("flowhost.toml", "[roles.reviewer]\ncomponent = \"agents/kit.wasm\"\nfunction = \"echo\"\n");
    asks.flow("main.flow", "role reviewer(value: string) -> string\nflow main() -> string { ask reviewer(\"fine\") }");
    let component = "use \"{plugins}/post.wasm\" as post\nrole reviewer(value: string) -> string\nflow main() -> string {
    post.inquire(\"reviewer\", \"{\\\"value\\\": \\\"good\\\"}\", none) with { allow: [mail_ask reviewer] }
}";
    asks.flow("component.flow", component);
    let refused = asks.host(["run", "main.flow", "--json", "--nats", &server.url()]).expect(1);
    assert!(
        refused.out.contains("no agent has the role `reviewer`: nobody listens to `flow.default.agent.reviewer`"),
        "{}",
        refused.out
    );
    let service = serve(&answers, &server.url());
    let printed = asks.host(["run", "main.flow", "--json", "--nats", &server.url()]).expect(0);
    assert_eq!(printed.json()["result"], "fine");
    let args = ["run", "component.flow", "--allow", "mail_ask reviewer", "--json", "--nats", &server.url()];
    assert_eq!(asks.host(args).expect(0).json()["result"], "\"good\"");
    service.kill();
}

/// The hierarchy of the patterns with each level on a host of its own: what is beyond one goes up to the next, at last to a human.
#[test]
fn tasks_are_delegated_and_escalate_over_hosts() {
    const FLOW: &str = r#"
role junior(task: string) -> string
role senior(task: string) -> string

flow delegate(task: string) -> string {
    try {
        ask junior(task) with { timeout: 20s }
    } catch beyond_junior {
        require beyond_junior.kind == logic else beyond_junior
        try {
            ask senior(task) with { timeout: 20s }
        } catch beyond_senior {
            emit "escalations" "${task}: ${beyond_senior.kind}"
            wait signal answer: string
        }
    }
}

flow main() -> list<string> {
    map task in ["1 + 2", "3 * 4", "1 / 0"] { delegate(task) }
}
"#;
    let server = Server::start();
    let (head, junior, senior) = (Site::new(), Site::new(), Site::new());
    head.flow("main.flow", FLOW);
    for (site, level) in [(&junior, "junior"), (&senior, "senior")] {
        site.write("team.wasm", std::fs::read(component("team")).unwrap());
        let role = format!("[roles.{level}]\ncomponent = \"team.wasm\"\nfunction = \"{level}.work\"\n");
        site.write("flowhost.toml", role);
    }
    let [asks, _junior, _senior] = [&head, &junior, &senior].map(|site| serve(site, &server.url()));
    let run = asks.submit(&["main.flow"]);
    // The human is at another host than the one that drives the run.
    waiting(&senior, &run);
    senior.host(["signal", &run, "answer", "\"no number\""]).expect(0);
    let done = super::wait(&junior, &run).expect(0).json();
    assert_eq!(done["result"], json!(["3", "12", "no number"]));
}
