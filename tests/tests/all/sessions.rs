//! Sessions: opened, used, closed, with and without a service, and over its death.

use e2e::{Printed, Site};
use serde_json::{Value, json};

use crate::service::{Service, eventually, runs};

const FLOW: &str = r#"
use "{plugins}/kit.wasm" as kit

hook session start -> kit.session with { retry: 2, backoff: 10ms }
hook session end -> kit.session
hook session end -> kit.noop

flow main(name: string) -> string {
    kit.echo(name)
}

flow waits() -> string {
    let word = wait signal word: string
    word
}
"#;

fn site() -> Site {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site
}

/// Opens a session and gives its id.
fn open(site: &Site, labels: &[&str]) -> String {
    let mut args = vec!["session", "open", "main.flow", "--json"];
    args.extend(labels.iter().flat_map(|label| ["--label", label]));
    site.host(args).expect(0).json()["session"].as_str().unwrap().to_owned()
}

fn sessions(site: &Site) -> Vec<Value> {
    site.host(["session", "list", "--all", "--json"]).expect(0).json().as_array().unwrap().clone()
}

/// The runs of the hooks, sorted, since two of them may begin at one time: what they call, how they ended.
fn hooks(site: &Site) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_hooks = runs(site).into_iter().filter(|run| run["labels"]["hook"].is_string());
    let mut hooks: Vec<_> = of_hooks.map(|run| (text(&run["labels"]["hook"]), text(&run["status"]))).collect();
    hooks.sort();
    hooks
}

/// Waits until these hooks have been called, and no others.
fn called(site: &Site, all: &[(&str, &str)]) {
    eventually("the hooks have been called", || (hooks(site) == owned(all)).then_some(()));
}

fn owned(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all: Vec<_> = all.iter().map(|(hook, status)| ((*hook).to_owned(), (*status).to_owned())).collect();
    all.sort();
    all
}

fn said(printed: &Printed, what: &str) {
    assert!(printed.err.contains(what), "no `{what}` in\n{}", printed.err);
}

const START: (&str, &str) = ("session start kit.session", "succeeded");
const ENDS: [(&str, &str); 2] = [("session end kit.session", "succeeded"), ("session end kit.noop", "succeeded")];

#[test]
fn runs_of_a_session_have_its_labels() {
    let site = site();
    let id = open(&site, &["customer=a", "tier=gold"]);
    assert_eq!(hooks(&site), owned(&[START]));
    let args =
        ["run", "main.flow", "--flow", "main", "--input", "name=x", "--json", "--session", &id[..6], "--label", "tier=own"];
    let run = site.host(args).expect(0).json()["run"].clone();
    let row = runs(&site).into_iter().find(|row| row["id"] == run).unwrap();
    assert_eq!(row["labels"], json!({ "customer": "a", "tier": "own", "session": id }));
    let label = format!("session={id}");
    let listed = site.host(["ps", "--label", &label, "--json"]).expect(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    // What the handler was told.
    let hook = runs(&site).into_iter().find(|row| row["labels"]["hook"].is_string()).unwrap()["id"].as_str().unwrap().to_owned();
    let shown = site.host(["show", &hook, "--json"]).expect(0).json();
    assert_eq!(shown["outcome"]["succeeded"], format!("{id} {{\"customer\":\"a\",\"tier\":\"gold\"}}"), "{shown}");

    let printed = site.host(["session", "close", &id]).expect(0);
    assert!(printed.out.contains("is closed"), "{}", printed.out);
    assert_eq!(hooks(&site), owned(&[START, ENDS[0], ENDS[1]]));
    assert_eq!(site.host(["session", "list"]).expect(0).out.trim(), "no sessions");
    let closed = sessions(&site).remove(0);
    assert_eq!((&closed["status"], &closed["live_runs"], &closed["failed_hooks"]), (&json!("closed"), &json!(0), &json!([])));
    said(&site.host(["session", "close", &id]).expect(2), "is closed already");
    let args = ["run", "main.flow", "--flow", "main", "--input", "name=x", "--session", &id];
    said(&site.host(args).expect(2), "no run begins in it any more");
}

#[test]
fn what_cannot_be_is_refused() {
    let site = site();
    said(&site.host(["session", "close", "nothing"]).expect(5), "does not exist yet");
    let id = open(&site, &[]);
    said(&site.host(["session", "close", "nothing"]).expect(5), "the store has no session `nothing`");
    said(&site.host(["session", "open", "main.flow", "--label", "session=x"]).expect(2), "the label `session`");
    said(&site.host(["session", "open", "main.flow", "--label", "x"]).expect(2), "has no `=`");
    said(&site.host(["session", "open", "main.flow", "--allow", "fly"]).expect(2), "`fly` is not a capability");
    let args = ["run", "main.flow", "--flow", "main", "--input", "name=x", "--session", &id, "--label", "hook=x"];
    said(&site.host(args).expect(2), "the label `hook`");
    site.flow(
        "broken.flow",
        "use \"{plugins}/kit.wasm\" as kit\n\nhook session begin -> kit.session\n\nflow main() -> u8 { 1 }\n",
    );
    said(&site.host(["session", "open", "broken.flow"]).expect(3), "there is no event `begin`");
    assert_eq!(sessions(&site).len(), 1);
}

#[test]
fn a_hook_that_fails_is_tried_again_and_not_lost() {
    let site = site();
    open(&site, &["flaky=1"]);
    assert_eq!(hooks(&site), owned(&[START]));
    let printed = site.host(["session", "open", "main.flow", "--label", "broken=1"]).expect(0);
    said(&printed, "`session start kit.session` failed: error:");
    let failed = runs(&site).into_iter().find(|run| run["status"] == "failed").unwrap()["id"].as_str().unwrap().to_owned();
    said(&printed, &format!("`host retry {failed}` calls it again"));
    let listed = sessions(&site).into_iter().find(|session| session["failed_hooks"] == json!([failed]));
    assert_eq!(listed.unwrap()["status"], "open");
    let shown = site.host(["show", &failed, "--json"]).expect(0).json();
    let attempts = shown["steps"].as_array().unwrap().iter().filter_map(|step| step["attempt"].as_u64());
    assert_eq!(attempts.max(), Some(3), "{shown}");
}

#[test]
fn a_session_with_live_runs_is_not_closed_in_silence() {
    let site = site();
    let service = Service::start(&site, &[]);
    let id = open(&site, &[]);
    called(&site, &[START]);
    let submit = || service.submit(&["main.flow", "--flow", "waits", "--session", &id]);
    let first = submit();
    let printed = site.host(["session", "close", &id]).expect(2);
    said(&printed, "has 1 run that has not ended");
    let second = submit();
    // Without time nothing has ended, and the session stays as it is for the next one who closes it.
    let printed = site.host(["session", "close", &id, "--wait", "--timeout", "1ms"]).expect(6);
    said(&printed, "is closing, and these runs have not ended");
    said(&site.host(["session", "close", &id]).expect(2), "has 2 runs that have not ended");
    said(&site.host(["submit", "main.flow", "--flow", "waits", "--session", &id]).expect(2), "is closing");
    site.host(["signal", &first, "word", "\"done\""]).expect(0);
    service.wait(&first).expect(0);
    site.host(["session", "close", &id, "--cancel", "--timeout", "10m"]).expect(0);
    service.wait(&second).expect(1);
    called(&site, &[START, ENDS[0], ENDS[1]]);
}

#[test]
fn a_close_that_waits_ends_with_the_last_run() {
    let site = site();
    let service = Service::start(&site, &[]);
    let id = open(&site, &[]);
    let run = service.submit(&["main.flow", "--flow", "waits", "--session", &id]);
    let closing = site.command(["session", "close", &id, "--wait"]).spawn().unwrap();
    eventually("it is closing", || sessions(&site).iter().any(|session| session["status"] == "closing").then_some(()));
    site.host(["signal", &run, "word", "\"done\""]).expect(0);
    e2e::finish(closing).expect(0);
    assert_eq!(sessions(&site)[0]["status"], "closed");
}

#[test]
fn a_session_outlives_the_service() {
    let site = site();
    let service = Service::start(&site, &[]);
    let id = open(&site, &[]);
    let run = service.submit(&["main.flow", "--flow", "waits", "--session", &id]);
    called(&site, &[START]);
    service.kill();
    // Where nobody serves, the command calls the hooks itself.
    let other = open(&site, &["other=1"]);
    let service = Service::start(&site, &[]);
    site.host(["signal", &run, "word", "\"late\""]).expect(0);
    service.wait(&run).expect(0);
    site.host(["session", "close", &id]).expect(0);
    site.host(["session", "close", &other]).expect(0);
    called(&site, &[START, START, ENDS[0], ENDS[0], ENDS[1], ENDS[1]]);
}

/// What was noted and not started, because whoever noted it died in between, is started by the service.
#[test]
fn what_was_not_started_is_made_up_for() {
    let site = site();
    let id = open(&site, &[]);
    let store = rusqlite::Connection::open(site.path().join(".flowhost/flowhost.db")).unwrap();
    store.execute("UPDATE sessions SET status = 'closed', ending = 1, starting = 1 WHERE id = ?1", [&id]).unwrap();
    drop(store);
    let service = Service::start(&site, &[]);
    assert_eq!(service.logged("session-hook")["session"], id);
    called(&site, &[START, ENDS[0], ENDS[1]]);
    eventually("it is noted", || {
        let store = rusqlite::Connection::open(site.path().join(".flowhost/flowhost.db")).unwrap();
        store.query_row("SELECT starting OR ending FROM sessions", [], |row| row.get(0)).is_ok_and(|due: bool| !due).then_some(())
    });
}

fn ask(site: &Site, request: &Value) -> Value {
    crate::serve::ask(site, format!("{request}\n").as_bytes())
}

#[test]
fn the_socket_opens_and_closes_sessions_too() {
    let site = site();
    open(&site, &[]);
    let store = rusqlite::Connection::open(site.path().join(".flowhost/flowhost.db")).unwrap();
    let stored: String = store.query_row("SELECT document FROM sessions", [], |row| row.get(0)).unwrap();
    let document: Value = serde_json::from_str(&stored).unwrap();
    let service = Service::start(&site, &[]);
    let opening =
        |document: &Value, label: &str| json!({ "v": 1, "do": "session-open", "document": document, "labels": { label: "a" } });
    let id = ask(&site, &opening(&document, "customer"))["ok"]["session"].as_str().unwrap().to_owned();
    let close = json!({ "v": 1, "do": "session-close", "session": id });
    let run = service.submit(&["main.flow", "--flow", "waits", "--session", &id]);
    let refused = ask(&site, &close);
    assert!(refused["error"].as_str().unwrap().contains("not ended") && refused["exit"] == 2, "{refused}");
    site.host(["signal", &run, "word", "\"done\""]).expect(0);
    service.wait(&run).expect(0);
    eventually("it can be closed", || (ask(&site, &close)["ok"]["session"] == id).then_some(()));
    assert!(ask(&site, &close)["error"].as_str().unwrap().contains("is closed already"));
    eventually("its hooks are called", || (hooks(&site).len() == 4).then_some(()));

    assert!(ask(&site, &opening(&document, "session"))["error"].as_str().unwrap().contains("the label `session`"));
    let mut other = document.clone();
    other["v"] = json!(2);
    assert!(ask(&site, &opening(&other, "x"))["error"].as_str().unwrap().contains("it has version 2"));
    let mut lost = document;
    lost["hooks"][0]["program"] = json!(format!("sha256:{}", "0a".repeat(32)));
    assert_eq!(ask(&site, &opening(&lost, "x"))["exit"], 5);
}
