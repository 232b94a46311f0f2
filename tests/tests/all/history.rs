//! What was: lists, sums, exports, copies, cleaning up, replay; with the real binary, also on what it should refuse.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use e2e::{Printed, Site, finish};
use rusqlite::Connection;
use serde_json::Value;

const FLOW: &str = r#"
use "{plugins}/kit.wasm" as kit

/// Says a word some times.
flow main(word: string = "tea", times: u32 = 2) -> list<string> {
    let said = map n in range(0, times) { kit.echo("${word} ${n}") }
    let last = kit.fail_times(1, kit.failure_kind.network, word) with { retry: 2 }
    concat([said, [last]])
}

flow broken() -> string { kit.fail(kit.failure_kind.invalid_input, "=no, thanks") }

flow patient(word: string) -> string {
    let before = kit.echo(word)
    let approved = wait signal approval: bool
    require approved else "refused"
    kit.echo("${before}!")
}
"#;

/// A folder with the flow file.
fn site() -> Site {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site
}

/// Runs a flow and gives the id of its run.
fn run(site: &Site, flow: &str, more: &[&str], code: i32) -> String {
    let args = ["run", "main.flow", "--json", "--flow", flow].into_iter().chain(more.iter().copied());
    site.host(args).expect(code).json()["run"].as_str().unwrap().to_owned()
}

fn ids(printed: &Printed) -> Vec<String> {
    printed.json().as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

fn sql(site: &Site, store: &str, statements: &str) {
    Connection::open(site.path().join(store)).unwrap().execute_batch(statements).unwrap();
}

const STORE: &str = ".flowhost/flowhost.db";

#[test]
fn runs_are_selected_sorted_and_paged() {
    let site = site();
    assert_eq!(site.host(["ps", "--json"]).expect(0).json(), serde_json::json!([]));
    let a = run(&site, "main", &["--label", "team=docs"], 0);
    let b = run(&site, "broken", &["--label", "team=web"], 1);
    let c = run(&site, "main", &[], 0);
    let ps = |args: &[&str]| ids(&site.host(["ps", "--json"].iter().chain(args)).expect(0));
    assert_eq!(ps(&[]), [c.as_str(), &b, &a]);
    assert_eq!(ps(&["--label", "team"]), [b.as_str(), &a]);
    assert_eq!(ps(&["--label", "team=docs"]), [a.as_str()]);
    assert_eq!(ps(&["--search", "NO, THANKS"]), [b.as_str()]);
    assert_eq!(ps(&["--since", "1h", "--until", "2999-01-01"]).len(), 3);
    assert_eq!(ps(&["--until", "1h"]).len(), 0);
    assert_eq!(ps(&["--sort", "flow", "--limit", "1"]), [b.as_str()]);
    assert_eq!(ps(&["--limit", "2", "--after", &c]), [b.as_str(), &a]);
    assert_eq!(ps(&["--reverse", "--after", &a[..11]]), [b.as_str(), &c]);
    for (args, says) in [
        (["--sort", "colour"], "cannot be sorted"),
        (["--since", "yesterday"], "is not a time"),
        (["--status", "dead"], "is not a status"),
    ] {
        let printed = site.host(["ps"].iter().chain(&args)).expect(2);
        assert!(printed.err.contains(says) && printed.err.contains("help:"), "{}", printed.err);
    }
    site.host(["ps", "--after", "nothing"]).expect(5);
    assert_eq!(site.host(["show", "last", "--json"]).expect(0).json()["id"], *c);
}

#[test]
fn runs_and_nodes_are_summed_up() {
    let site = site();
    assert_eq!(site.host(["stats"]).expect(0).out.trim(), "no runs");
    run(&site, "main", &[], 0);
    run(&site, "main", &["-i", "times=5"], 0);
    run(&site, "broken", &[], 1);
    let flows = site.host(["stats", "--json"]).expect(0).json();
    let main = &flows.as_array().unwrap().iter().find(|flow| flow["flow"] == "main").unwrap();
    assert_eq!((&main["runs"], &main["succeeded"], &main["failure_percent"]), (&2.into(), &2.into(), &0.0.into()));
    assert_eq!((&main["attempts"]["attempts"], &main["attempts"]["retries"]), (&11.into(), &2.into()));
    assert!(main["duration_ms"]["p50"].as_u64() <= main["duration_ms"]["max"].as_u64());
    let nodes = site.host(["stats", "--json", "--by", "node", "--flow", "main"]).expect(0).json();
    let items = nodes.as_array().unwrap().iter().find(|node| node["node"].as_str().unwrap().contains("[]")).unwrap();
    assert_eq!((&items["attempts"], &items["failed"]), (&7.into(), &0.into()));
    assert!(items["fuel"].as_u64().unwrap() > 0 && items["peak_memory"].as_u64().unwrap() > 0);
    let text = site.host(["stats", "--by", "node"]).expect(0).out;
    assert!(text.starts_with("NODE") && text.contains("main/said[]"), "{text}");
    assert_eq!(site.host(["stats", "--since", "2999-01-01"]).expect(0).out.trim(), "no runs");
}

#[test]
fn tables_are_written_for_other_programs() {
    let site = site();
    let a = run(&site, "main", &["--label", "note=a,\"b\""], 0);
    run(&site, "broken", &[], 1);
    let runs = site.host(["export", "runs"]).expect(0).out;
    let lines: Vec<&str> = runs.split("\r\n").collect();
    assert_eq!((lines.len(), lines[3]), (4, ""));
    assert!(lines[0].starts_with("run,flow,status,owner,created"), "{runs}");
    assert!(lines[1].contains(",\"'=no, thanks\","), "{runs}");
    assert!(lines[2].contains(r#""{""note"":""a,\""b\""""}""#), "{runs}");
    let steps = site.host(["export", "steps", "--format", "json", "--flow", "main"]).expect(0).json();
    assert_eq!(steps.as_array().unwrap().len(), 4);
    assert_eq!((&steps[0]["run"], &steps[0]["attempt"]), (&a.as_str().into(), &1.into()));
    let events = site.host(["export", "events", "--json", "--status", "failed"]).expect(0).json();
    assert_eq!(events[0]["kind"], "run-started");
    assert_eq!(events[0]["body"]["flow"], "broken");
    site.host(["export", "events", "-o", "events.csv"]).expect(0);
    assert!(std::fs::read_to_string(site.path().join("events.csv")).unwrap().lines().count() > 8);
    assert_eq!(site.host(["export", "runs", "--flow", "none", "--json"]).expect(0).json(), serde_json::json!([]));
    site.host(["export", "runs", "-o", "no/such/folder/x.csv"]).expect(2);
    site.host(["export", "cats"]).expect(2);
}

#[test]
fn a_store_is_copied_lost_and_restored() {
    let site = site();
    let a = run(&site, "main", &[], 0);
    let printed = site.host(["backup", "copy.db", "--json"]).expect(0).json();
    assert_eq!((&printed["sound"], &printed["runs"]), (&true.into(), &1.into()));
    site.host(["backup", "copy.db"]).expect(5);
    site.host(["backup", "copy.db", "--force"]).expect(0);
    let b = run(&site, "main", &[], 0);
    let refused = site.host(["restore", "copy.db"]).expect(5);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    std::fs::write(site.path().join(STORE), "lost").unwrap();
    site.host(["ps"]).expect(5);
    site.host(["restore", "copy.db", "--force"]).expect(0);
    assert_eq!(ids(&site.host(["ps", "--json"]).expect(0)), [a.as_str()]);
    site.host(["show", &b]).expect(5);
    assert_eq!(run(&site, "main", &[], 0).len(), 12);
    for file in ["main.flow", "absent", "."] {
        let printed = site.host(["restore", file, "--force"]).expect(5);
        assert!(!printed.err.contains("panicked"), "{}", printed.err);
    }
    assert_eq!(ids(&site.host(["ps", "--json"]).expect(0)).len(), 2);
}

/// Wherever it is stopped: a whole file, or none.
#[test]
fn an_interrupted_backup_leaves_a_whole_file_or_none() {
    let site = site();
    run(&site, "main", &["-i", "times=300"], 0);
    for (n, signal) in (0..8).flat_map(|n| [(n, "-INT"), (n, "-KILL")]) {
        let file = format!("copy{n}{signal}.db");
        let child = site.command(["backup", &file]).spawn().unwrap();
        // Moments that differ; none of them matters.
        std::thread::sleep(std::time::Duration::from_millis(n * 5));
        // It may have ended by itself meanwhile.
        let _ = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let printed = finish(child);
        let there = site.path().join(&file).exists();
        match printed.code {
            0 => assert!(there),
            130 => assert!(!there, "{}", printed.err),
            // Killed; it may have been done by then.
            code => assert_eq!(code, -1, "{}", printed.err),
        }
        if there {
            site.host(["verify", "--store", &file]).expect(0);
        }
        assert!(signal == "-KILL" || printed.code == -1 || !site.path().join(format!("{file}.partial")).exists());
        site.host(["backup", &file, "--force"]).expect(0);
        assert!(!site.path().join(format!("{file}.partial")).exists());
    }
}

#[test]
fn a_store_in_use_is_not_replaced() {
    let site = site();
    run(&site, "main", &[], 0);
    site.host(["backup", "copy.db"]).expect(0);
    let held = Connection::open(site.path().join(STORE)).unwrap();
    let _: i64 = held.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap();
    let printed = site.host(["restore", "copy.db", "--force"]).expect(5);
    assert!(printed.err.contains("is in use"), "{}", printed.err);
    drop(held);
    site.host(["restore", "copy.db", "--force"]).expect(0);
}

#[test]
fn what_is_damaged_is_named_and_the_rest_goes_on() {
    let site = site();
    let whole = run(&site, "main", &[], 0);
    let damaged = run(&site, "main", &["-i", "times=9"], 0);
    assert_eq!(site.host(["verify", "--json"]).expect(0).json()["sound"], true);
    sql(&site, STORE, "DELETE FROM events WHERE run = 2 AND seq IN (4, 5)");
    let printed = site.host(["verify", "--json"]).expect(5);
    let found = printed.json();
    assert_eq!((&found["damaged"][0]["run"], &found["damaged"][0]["readable_events"]), (&damaged.as_str().into(), &3.into()));
    assert!(found["damaged"][0]["what"].as_str().unwrap().ends_with("events 4 to 5 are missing"), "{found}");
    let text = site.host(["verify"]).expect(5);
    assert!(text.out.contains("events 4 to 5 are missing"), "{}", text.out);
    site.host(["verify", &whole]).expect(0);
    site.host(["verify", &damaged]).expect(5);
    site.host(["replay", &whole]).expect(0);
    let before = site.host(["replay", &damaged, "--to", "3", "--json"]).expect(0).json();
    assert_eq!((&before["seq"], &before["events"]), (&3.into(), &3.into()));
    assert!(before["damage"].as_str().unwrap().contains("missing"));
    assert!(site.host(["replay", &damaged, "--to", "6"]).expect(5).err.contains("missing"));
    site.host(["replay", &damaged]).expect(5);
}

#[test]
fn a_bundle_replays_where_nothing_else_is() {
    let site = site();
    let id = run(&site, "main", &["-i", "word=secret"], 0);
    let printed = site.host(["bundle", &id, "-o", "run.bundle"]).expect(0);
    assert!(printed.err.contains("it contains inputs"), "{}", printed.err);
    site.host(["bundle", &id, "-o", "run.bundle"]).expect(5);
    let elsewhere = Site::new();
    std::fs::copy(site.path().join("run.bundle"), elsewhere.path().join("run.bundle")).unwrap();
    let here = site.host(["replay", &id, "--json"]).expect(0).json();
    assert_eq!(elsewhere.host(["replay", "run.bundle", "--json"]).expect(0).json(), here);
    for seq in 1..=here["events"].as_u64().unwrap() {
        let seq = seq.to_string();
        let there = elsewhere.host(["replay", "run.bundle", "--json", "--to", &seq]).expect(0).json();
        assert_eq!(there, site.host(["replay", &id, "--json", "--to", &seq]).expect(0).json());
    }
    // It is a store: what reads stores reads it.
    assert_eq!(elsewhere.host(["show", &id, "--json", "--store", "run.bundle"]).expect(0).json()["status"], "succeeded");
    elsewhere.host(["verify", "--store", "run.bundle"]).expect(0);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing was written beside it");
    let whole = std::fs::read(elsewhere.path().join("run.bundle")).unwrap();
    for (name, bytes) in [("half", &whole[..whole.len() / 2]), ("empty", &[]), ("noise", &[0x5a; 9000])] {
        elsewhere.write(name, bytes);
        let printed = elsewhere.host(["replay", name, "--to", "2"]);
        assert!([0, 5].contains(&printed.code) && !printed.err.contains("panicked"), "{name}: {}", printed.err);
        elsewhere.host(["import", name]).expect(5);
    }
    elsewhere.host(["replay", "absent.bundle"]).expect(5);
}

#[test]
fn ended_runs_are_archived_deleted_and_come_back() {
    let site = site();
    let (a, b) = (run(&site, "main", &[], 0), run(&site, "main", &[], 0));
    let waits = run(&site, "patient", &["-i", "word=x"], 6);
    assert!(site.host(["archive", &waits, "-o", "x.archive"]).expect(2).err.contains("has not ended"));
    let printed = site.host(["archive", &a, &b, &a, "-o", "old.archive", "--delete", "--json"]).expect(0).json();
    assert_eq!((&printed["runs"], &printed["deleted"]), (&2.into(), &2.into()));
    assert_eq!(ids(&site.host(["ps", "--json"]).expect(0)), [waits.as_str()]);
    assert_eq!(site.host(["stats", "--json", "--flow", "main"]).expect(0).json()[0]["attempts"]["attempts"], 8, "sums stay");
    assert_eq!(ids(&site.host(["ps", "--json", "--store", "old.archive"]).expect(0)).len(), 2);
    assert_eq!(site.host(["import", "old.archive", &a, "--json"]).expect(0).json()["runs"], 1);
    assert_eq!(site.host(["import", "old.archive", "--json"]).expect(0).json()["present"], 1);
    site.host(["replay", &b]).expect(0);
    site.host(["verify"]).expect(0);
    site.host(["resume", &waits, "--signal", "approval=true"]).expect(0);
}

#[test]
fn what_is_not_kept_is_deleted_and_space_is_given_back() {
    let site = site();
    site.write("flowhost.toml", "[retention]\nmax_runs = 1\narchive = \"old\"\nkeep_labels = [\"keep\"]\ncache_age = \"1d\"\n");
    let kept = run(&site, "main", &["--label", "keep=yes"], 0);
    let gone = run(&site, "main", &["-i", "times=200"], 0);
    let waits = run(&site, "patient", &["-i", "word=x"], 6);
    let last = run(&site, "main", &[], 0);
    let dry = site.host(["gc", "--dry-run", "--json"]).expect(0).json();
    let runs = dry["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["run"], &runs[0]["because"]), (2, &gone.as_str().into(), &"count".into()));
    assert_eq!(ids(&site.host(["ps", "--json"]).expect(0)).len(), 4, "nothing was deleted");
    site.write("flowhost.toml", "[retention]\nmax_runs = 2\narchive = \"old\"\nkeep_labels = [\"keep\"]\n");
    let done = site.host(["gc", "--json"]).expect(0).json();
    assert!(done["file_bytes"]["after"].as_u64() < done["file_bytes"]["before"].as_u64(), "{done}");
    assert_eq!(ids(&site.host(["ps", "--json"]).expect(0)), [last.as_str(), &waits, &kept]);
    site.host(["verify"]).expect(0);
    let archive = done["archives"][0].as_str().unwrap().to_owned();
    site.host(["replay", &archive]).expect(0);
    site.host(["import", &archive]).expect(0);
    assert!(site.host(["gc", "--compact"]).expect(0).out.contains("1 runs deleted"));
    for wrong in ["grace = \"1h\"", "succeeded = \"soon\"", "max_size = \"big\"", "unknown = 1"] {
        site.write("flowhost.toml", format!("[retention]\n{wrong}\n"));
        site.host(["gc"]).expect(2);
    }
}

#[test]
fn any_past_state_is_shown_with_its_source() {
    let site = site();
    let id = run(&site, "patient", &["-i", "word=tea"], 6);
    let state = site.host(["replay", &id, "--json"]).expect(0).json();
    let region = &state["regions"][0];
    assert_eq!((&region["path"], &region["given"]["word"]), (&"patient".into(), &"tea".into()));
    assert_eq!((&region["done"][0]["path"], &region["done"][0]["value"]), (&"patient/before".into(), &"tea".into()));
    assert_eq!(region["open"][0]["standing"]["wait"]["what"], "signal approval: bool");
    assert_eq!(region["open"][0]["source"]["text"], "let approved = wait signal approval: bool");
    assert_eq!((&state["state"], &state["waiting"][0]["kind"]), (&"running".into(), &"signal".into()));
    let first = site.host(["replay", &id, "--to", "1"]).expect(0).out;
    assert!(first.contains("event 1 of ") && first.contains("→ start patient/before#1 (\"tea\")"), "{first}");
    assert!(first.contains("open    before: step 0, attempt 1 running, with (\"tea\")"), "{first}");
    assert!(first.contains("main.flow:") && first.contains("let before = kit.echo(word)"), "{first}");
    assert_eq!(site.host(["replay", &id, "--at", "2999-01-01", "--json"]).expect(0).json()["seq"], state["seq"]);
    for (args, code) in [(["--to", "0"], 2), (["--to", "99"], 2), (["--at", "1999-01-01"], 2), (["--run", "x"], 2)] {
        site.host(["replay", &id].iter().chain(&args)).expect(code);
    }
    site.host(["replay", "nothing"]).expect(5);
}

/// Starts a session, gives it these lines, and returns what it printed.
fn session(site: &Site, what: &str, lines: &str) -> Printed {
    let mut command = site.command(["replay", what, "--interactive"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    finish(child).expect(0)
}

#[test]
fn a_run_is_walked_through_forwards_and_backwards() {
    let site = site();
    let id = run(&site, "main", &["-i", "times=1"], 0);
    let heads = |printed: &Printed| -> Vec<String> {
        let heads = printed.out.lines().filter_map(|line| line.split_once(": event "));
        heads.map(|(_, rest)| rest.split(',').next().unwrap().to_owned()).collect()
    };
    let printed = session(&site, "last", "n\n\np\np\np\ng 4\nn 99\nn\nf nowhere\np 2\nq\n");
    let of = |numbers: &[u64]| numbers.iter().map(|n| format!("{n} of 5")).collect::<Vec<_>>();
    assert_eq!(heads(&printed), of(&[1, 2, 3, 2, 1, 4, 5, 3]), "{}", printed.out);
    assert!(printed.out.contains("this is the first event") && printed.out.contains("this is the last event"));
    assert!(printed.out.contains("no later event has `nowhere`"));
    let printed = session(&site, &id, "g 0\ng 6\ng x\nfly\n?\nl\nf attempt-failed\nv last\nt 2999-01-01\n");
    for said in ["there is no event 0", "there is no event 6", "`x` is no number", "`fly` is no command", "backwards", "> 20"] {
        assert!(printed.out.contains(said), "{said}\n{}", printed.out);
    }
    assert!(printed.out.contains("no route") || printed.out.contains("attempt-failed"), "{}", printed.out);
}

#[test]
fn a_read_only_store_is_read_and_a_copy_without_room_is_refused() {
    let site = site();
    let id = run(&site, "main", &[], 0);
    let folder = site.path().join(".flowhost");
    let set = |path: &Path, read_only: bool| {
        let mut permissions = std::fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(read_only);
        std::fs::set_permissions(path, permissions).unwrap();
    };
    set(&site.path().join(STORE), true);
    set(&folder, true);
    site.host(["stats"]).expect(0);
    site.host(["verify"]).expect(0);
    site.host(["replay", &id]).expect(0);
    site.host(["bundle", &id, "-o", "out.bundle"]).expect(0);
    set(&folder, false);
    set(&site.path().join(STORE), false);
    if Path::new("/dev/full").exists() {
        let printed = site.host(["export", "runs", "-o", "/dev/full"]).expect(2);
        assert!(printed.err.contains("cannot be written"), "{}", printed.err);
    }
}

/// Whatever is lost of a bundle or changed in it: an error, or the run as it was.
#[test]
fn hostile_bundles_are_errors() {
    let site = site();
    let id = run(&site, "main", &[], 0);
    site.host(["bundle", &id, "-o", "run.bundle"]).expect(0);
    let expected = site.host(["replay", "run.bundle", "--json"]).expect(0).json();
    for damage in [
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM blobs",
        "UPDATE blobs SET data = x'7b7d'",
        "UPDATE runs SET program = 'sha256:x'",
        "UPDATE runs SET status = 'dancing'",
        "UPDATE runs SET status = 'failed'",
        "UPDATE events SET body = '{}' WHERE seq = 1",
        "UPDATE heads SET seq = 9223372036854775807",
        "DELETE FROM runs",
        "DROP TABLE heads",
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 5",
    ] {
        std::fs::copy(site.path().join("run.bundle"), site.path().join("bad.bundle")).unwrap();
        sql(&site, "bad.bundle", damage);
        let printed = site.host(["replay", "bad.bundle", "--json"]);
        assert!(!printed.err.contains("panicked"), "{damage}: {}", printed.err);
        if printed.code == 0 {
            assert_eq!(printed.json(), expected, "{damage}");
        } else {
            let error: Value = serde_json::from_str(printed.err.lines().last().unwrap()).unwrap();
            assert_eq!((printed.code, &error["exit"]), (5, &5.into()), "{damage}: {}", printed.err);
        }
    }
}

const ARTIFACTS: &str = r#"
use "{plugins}/kit.wasm" as kit
use "{plugins}/text.wasm" as text

flow main(words: list<string> = ["a b", "c"]) -> u64 {
    let said = map word in words { kit.echo(word) with { artifact: "said ${word}.txt" } }
    let found = text.words(said[0], 10) with { artifact: "words.json" }
    let unnamed = kit.echo("nothing")
    let again = kit.echo("later") with { artifact: "said c.txt" }
    len(found) + len(unnamed) + len(again)
}
"#;

#[test]
fn results_with_a_name_are_listed_and_written_as_they_are() {
    let site = Site::new();
    site.flow("main.flow", ARTIFACTS);
    site.host(["run", "main.flow"]).expect(0);
    let listed = site.host(["artifacts", "last", "--json"]).expect(0).json();
    let mut names: Vec<&str> = listed.as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["said a b.txt", "said c.txt", "said c.txt", "words.json"]);
    let text = listed.as_array().unwrap().iter().find(|found| found["name"] == "said a b.txt").unwrap();
    assert_eq!((&text["form"], &text["size"]), (&"text".into(), &3.into()));
    assert_eq!(text["digest"], "sha256:c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65");
    assert!(text["path"].as_str().unwrap().contains("said["), "{text}");
    site.host(["artifacts", "get", "last", "words.json", "-o", "words.json"]).expect(0);
    let words: Value = serde_json::from_slice(&std::fs::read(site.path().join("words.json")).unwrap()).unwrap();
    assert_eq!(words, serde_json::json!(["a", "b"]));
    let last = site.host(["artifacts", "get", "last", "said c.txt"]).expect(0).out;
    assert!(["c", "later"].contains(&last.as_str()), "{last}");
    let missing = site.host(["artifacts", "get", "last", "other"]).expect(2);
    assert!(missing.err.contains("it has") && missing.err.contains("words.json"), "{}", missing.err);
    site.host(["artifacts", "get", "last", "words.json", "-o", "no/such/folder/x"]).expect(2);
    site.host(["artifacts", "nothing"]).expect(5);
    site.host(["artifacts"]).expect(2);
    site.host(["bundle", "last", "-o", "run.bundle"]).expect(0);
    assert_eq!(site.host(["artifacts", "last", "--json", "--store", "run.bundle"]).expect(0).json(), listed);
    sql(&site, STORE, "DELETE FROM events WHERE seq = 4");
    assert!(site.host(["artifacts", "last"]).expect(5).err.contains("event 4 is missing"));
}
