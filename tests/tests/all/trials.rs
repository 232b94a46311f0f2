//! `host test`: what it prints, and how it ends.
//!
//! Each folder of `tests/cases/trials` is a case: `main.flow`, and in `output.txt` what is printed for it; real times are
//! hidden. `BLESS=1` writes `output.txt` anew.

use std::time::{Duration, Instant};

use e2e::{Site, component, project};

/// The cases, and how they end.
const CASES: [(&str, i32); 5] = [("passing", 0), ("failing", 1), ("broken", 3), ("generics", 0), ("roles", 1)];

/// Without the real times.
fn timeless(text: &str) -> String {
    let mut hidden = String::new();
    for line in text.lines() {
        match line.split_once(" ms, virtual ") {
            Some((before, after)) => {
                let kept = before.trim_end_matches(|c: char| c.is_ascii_digit());
                hidden.push_str(&format!("{kept}N ms, virtual {after}\n"));
            }
            None => hidden.push_str(&format!("{line}\n")),
        }
    }
    hidden
}

/// A case in a folder of its own, next to the components that it uses: no path of this machine is in what is printed.
fn site_of(case: &str) -> Site {
    let site = Site::new();
    let text = std::fs::read_to_string(project().join("tests/cases/trials").join(case).join("main.flow")).unwrap();
    site.write("main.flow", text);
    for name in ["kit", "team"] {
        site.write(&format!("{name}.wasm"), std::fs::read(component(name)).unwrap());
    }
    site
}

#[test]
fn every_case_prints_what_is_expected() {
    let cases = project().join("tests/cases/trials");
    let mut wrong = Vec::new();
    for (name, code) in CASES {
        let site = site_of(name);
        let printed = site.host(["test", "main.flow"]);
        let found = format!("{}--- standard error, exit {}\n{}", timeless(&printed.out), printed.code, printed.err);
        assert_eq!(printed.code, code, "{found}");
        let expected = cases.join(name).join("output.txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&found) {
            wrong.push(format!("{}: not as expected, found\n{found}", expected.display()));
        }
        assert!(!site.path().join(".flowhost").exists(), "a test made a store");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(std::fs::read_dir(&cases).unwrap().count(), CASES.len(), "a case that no test reads");
}

#[test]
fn the_document_says_the_same() {
    let site = site_of("failing");
    let document = site.host(["test", "main.flow", "--json"]).expect(1).json();
    assert_eq!((&document["passed"], &document["failed"]), (&1.into(), &7.into()), "{document:#}");
    let tests = &document["files"][0]["tests"];
    let first = &tests[0];
    assert_eq!((&first["name"], &first["outcome"]), (&"short sides".into(), &"failed".into()));
    assert_eq!(first["virtual_ms"], 31_500);
    assert_eq!((&first["failure"]["left"], &first["failure"]["right"]), (&"a".into(), &"b".into()));
    assert_eq!((&first["failure"]["code"], &first["failure"]["line"]), (&"test::assert".into(), &17.into()));
    assert_eq!(first["trace"][0]["failure"]["message"], "down");
    assert_eq!((&first["trace"][0]["mocked"], &first["trace"][0]["path"]), (&true.into(), &"found/kit.fail_times".into()));
    assert_eq!(tests[3]["trace"][0]["mocked"], false);
    let broken = site.host(["test", "nothing.flow", "--json"]).expect(3).json();
    assert!(broken["files"][0]["diagnostics"][0]["message"].as_str().is_some(), "{broken:#}");
}

#[test]
fn a_filter_chooses_and_finding_nothing_is_an_error() {
    let site = Site::new();
    site.write("a/one.flow", "test \"first\" { assert 1 == 1 }\ntest \"second\" { assert 1 == 2 }\n");
    site.write("a/.hidden/two.flow", "test \"first\" { assert 1 == 2 }\n");
    site.write("a/b/three.flow", "test \"first of all\" { assert true }\n");
    site.write("a/b/plain.flow", "flow f() -> s64 { nothing }\n");
    let out = site.host(["test", "a", "--filter", "first"]).expect(0).out;
    assert!(out.contains("2 passed, 0 failed"), "{out}");
    assert!(out.find("three.flow") < out.find("one.flow"), "{out}");
    assert!(out.ends_with("2 passed, 0 failed\n"), "{out}");
    let quiet = site.host(["test", "a", "-q"]).expect(1).out;
    assert!(quiet.contains("FAILED") && !quiet.contains("ok "), "{quiet}");
    let none = site.host(["test", "a", "--filter", "third"]).expect(2).err;
    assert!(none.contains("no test of `a` has `third` in its name"), "{none}");
    site.write("empty/plain.flow", "flow f() -> s64 { 1 }\n");
    assert!(site.host(["test", "empty"]).expect(2).err.contains("there are no tests in `empty`"));
    site.write("gone.flow", "use \"gone.wasm\" as gone\ntest \"x\" { gone.f() }\n");
    site.host(["test", "gone.flow"]).expect(4);
}

#[test]
fn a_test_that_hangs_is_ended() {
    let site = Site::new();
    site.flow("slow.flow", "use \"{plugins}/kit.wasm\" as kit\ntest \"sleeps\" { kit.slow(60_000) }\n");
    let begun = Instant::now();
    let printed = site.host(["test", "slow.flow", "--timeout", "500ms"]).expect(1);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(printed.out.contains("the test takes more than 500ms of real time"), "{}", printed.out);
    assert!(printed.out.contains("this was running"), "{}", printed.out);
}

#[test]
fn the_tests_of_the_shipped_flows_pass() {
    let site = Site::new();
    let folders = ["workflows", "examples"].map(|folder| project().join(folder).to_string_lossy().into_owned());
    let out = site.host(["test", &folders[0], &folders[1]]).expect(0).out;
    assert!(out.contains("digest.flow"), "{out}");
}

#[test]
fn the_tests_of_the_shipped_flows_survive_a_crash_after_each_write() {
    let site = Site::new();
    let folders = ["workflows", "examples"].map(|folder| project().join(folder).to_string_lossy().into_owned());
    let printed = site.host(["test", &folders[0], &folders[1], "--crash-everywhere", "--json"]);
    let document = printed.expect(0).json();
    let tests = || document["files"].as_array().unwrap().iter().flat_map(|file| file["tests"].as_array().unwrap());
    let points: u64 = tests().map(|test| test["crashes"]["points"].as_u64().unwrap()).sum();
    let resumed: u64 = tests().map(|test| test["crashes"]["resumed"].as_u64().unwrap()).sum();
    assert!(points > 200 && resumed >= points, "{points} points, resumed {resumed} times");
}

#[test]
fn writes_to_crash_after_can_be_chosen() {
    let site = Site::new();
    let text = "use \"{plugins}/kit.wasm\" as kit\ntest \"many\" { let all = map n in range(0, 20) { kit.echo_number(n) }\nassert len(all) == 20 }\n";
    site.flow("many.flow", text);
    let crashes = |args: &[&str]| {
        let args = ["test", "many.flow", "--json"].iter().chain(args);
        site.host(args).expect(0).json()["files"][0]["tests"][0]["crashes"].clone()
    };
    assert_eq!(crashes(&[]), serde_json::Value::Null);
    assert!(crashes(&["--crash-everywhere"])["points"].as_u64() > Some(10));
    assert_eq!(crashes(&["--crash-everywhere", "--crash-points", "3"])["points"], 3);
    site.host(["test", "many.flow", "--crash-points", "3"]).expect(2);
    site.host(["test", "many.flow", "--crash-everywhere", "--crash-points", "0"]).expect(2);
    let out = site.host(["test", "many.flow", "--crash-everywhere", "--crash-points", "2"]).expect(0).out;
    assert!(out.contains("2 crash points, resumed 2 times)"), "{out}");
}
