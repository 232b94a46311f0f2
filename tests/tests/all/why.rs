//! `host why`: one folder of `tests/cases/why` for each condition.
//!
//! `main.flow` is run as `steps.txt` says, and what is printed stands in `output.txt`; `flowhost.toml` is there where a case
//! needs one. A line of `steps.txt` is `run`, which runs the flow to where it stops; `start`, which starts it in a process
//! of its own; `kill`, which kills that; `until TEXT`, which waits until `host why` says this; or `host …`, a command
//! that is printed with its exit code, in which `RUN` is the run. Ids, owners, times and lengths of time are hidden.
//! `BLESS=1` writes `output.txt` anew.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use e2e::{Site, component, project};

/// So many cases are carried out at the same time: they mostly wait.
const AT_ONCE: usize = 4;

/// A case while it is carried out.
struct Case {
    site: Site,
    child: Option<Child>,
    run: String,
    owners: Vec<String>,
    printed: String,
}

impl Drop for Case {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Case {
    fn of(folder: &Path) -> Self {
        let site = Site::new();
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            site.write(entry.file_name().to_str().unwrap(), std::fs::read(entry.path()).unwrap());
        }
        for name in ["kit", "witness"] {
            site.write(&format!("{name}.wasm"), std::fs::read(component(name)).unwrap());
        }
        site.write("folder/.keep", "");
        Self { site, child: None, run: String::new(), owners: Vec::new(), printed: String::new() }
    }

    fn carry_out(&mut self, line: &str) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("run", args) => {
                self.site.host(["run", "main.flow", "--quiet"].into_iter().chain(args.split_whitespace()));
                self.find();
            }
            ("start", args) => {
                let args = ["run", "main.flow", "--quiet"].into_iter().chain(args.split_whitespace());
                self.child = Some(self.site.command(args).spawn().unwrap());
                self.find();
            }
            ("kill", _) => self.kill(),
            ("until", text) => self.until(text),
            ("host", args) => {
                let args: Vec<String> = args.split_whitespace().map(|arg| arg.replace("RUN", &self.run)).collect();
                let printed = self.site.host(&args);
                self.find();
                self.printed.push_str(&format!("$ {line}\n{}{}exit {}\n\n", printed.out, printed.err, printed.code));
            }
            _ => panic!("`{line}` is no step of a case"),
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The only run of the store, as soon as it is there.
    fn find(&mut self) {
        let started = Instant::now();
        loop {
            let listed = self.site.host(["ps", "--json"]);
            let runs: serde_json::Value = serde_json::from_str(&listed.out).unwrap_or_default();
            if let Some(run) = runs[0]["id"].as_str() {
                run.clone_into(&mut self.run);
                self.owners.push(runs[0]["owner"].as_str().unwrap().to_owned());
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "no run begins: {}{}", listed.out, listed.err);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn until(&mut self, text: &str) {
        let started = Instant::now();
        loop {
            let printed = self.site.host(["why", &self.run]);
            if printed.out.contains(text) {
                self.find();
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "it never says `{text}`: {}{}", printed.out, printed.err);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What was printed, without what is different each time.
    fn hidden(&self) -> String {
        let mut text = self.printed.replace(&self.run, "RUN");
        for owner in &self.owners {
            text = text.replace(owner, "OWNER");
        }
        let words = text.split_inclusive([' ', '\n']).scan(String::new(), |before, word| {
            let shown = hide(before.trim_end(), word);
            word.clone_into(before);
            Some(shown)
        });
        words.collect()
    }
}

/// A word without a time, after the word before it.
fn hide(before: &str, word: &str) -> String {
    let core = word.trim_end_matches(['\n', ' ']).trim_end_matches([',', ')', ';', ':']);
    let rest = &word[core.len()..];
    let is_time = core.len() == 24 && core.ends_with('Z') && core.as_bytes()[10] == b'T';
    let is_length = ["(in", "since", "took", "another"].contains(&before) && core.starts_with(|c: char| c.is_ascii_digit());
    if is_time || is_length { format!("TIME{rest}") } else { word.to_owned() }
}

#[test]
fn each_condition_is_said_as_expected() {
    let cases = project().join("tests/cases/why");
    let only = std::env::var("CASE").unwrap_or_default();
    let mut folders: Vec<_> = std::fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 20, "{folders:?}");
    let mut wrong = Vec::new();
    folders.retain(|folder| folder.to_string_lossy().contains(&only));
    for (folder, found) in folders.iter().zip(folders.chunks(AT_ONCE).flat_map(play_all)) {
        let expected = folder.join("output.txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&found) {
            wrong.push(format!("{}: not as expected, found\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is seen of each case.
fn play_all(folders: &[PathBuf]) -> Vec<String> {
    std::thread::scope(|scope| {
        let players: Vec<_> = folders.iter().map(|folder| scope.spawn(move || play(folder))).collect();
        players.into_iter().map(|player| player.join().unwrap()).collect()
    })
}

fn play(folder: &Path) -> String {
    let mut case = Case::of(folder);
    for line in std::fs::read_to_string(folder.join("steps.txt")).unwrap().lines() {
        case.carry_out(line);
    }
    case.hidden()
}

#[test]
fn a_damaged_run_is_explained_up_to_the_damage() {
    let site = Site::new();
    site.write("main.flow", "flow main() -> bool {\n    let first = wait signal first: bool\n    wait signal second: bool\n}\n");
    site.host(["run", "main.flow"]).expect(6);
    let run = site.host(["ps", "--json"]).expect(0).json()[0]["id"].as_str().unwrap().to_owned();
    site.host(["resume", &run, "--signal", "first=true"]).expect(6);
    assert!(site.host(["why", &run]).expect(6).out.contains("waits for signal second: bool"));
    let store = rusqlite::Connection::open(site.path().join(".flowhost/flowhost.db")).unwrap();
    let changed = store.execute("UPDATE events SET body = replace(body, 'true', 'false') WHERE kind = 'signal-received'", []);
    assert_eq!(changed.unwrap(), 1);
    let printed = site.host(["why", &run]).expect(5);
    assert!(printed.out.contains("waits for signal first: bool"), "{}", printed.out);
    assert!(printed.err.contains("damaged") && printed.err.contains("before the damage"), "{}", printed.err);
    store.execute("DELETE FROM events WHERE seq = 1", []).unwrap();
    assert!(site.host(["why", &run]).expect(5).err.contains("missing"));
}

#[test]
fn the_answer_is_a_document_too() {
    let site = Site::new();
    site.write("main.flow", "flow main() -> bool {\n    let answer = wait signal go: bool\n    not answer\n}\n");
    site.host(["run", "main.flow"]).expect(6);
    let run = site.host(["ps", "--json"]).expect(0).json()[0]["id"].as_str().unwrap().to_owned();
    let answer = site.host(["why", &run, "answer", "--json"]).expect(6).json();
    assert_eq!((&answer["node"], &answer["needs_operator"]), (&"main/answer".into(), &true.into()), "{answer:#}");
    let standing = &answer["standing"];
    assert_eq!((&standing["condition"], &standing["name"]), (&"waits".into(), &"go".into()), "{answer:#}");
    let commands = serde_json::json!([format!("host signal {run} go true"), format!("host resume {run}")]);
    assert_eq!(answer["commands"], commands, "{answer:#}");
    site.host(["why", "nobody"]).expect(5);
    site.host(["why"]).expect(2);
}
