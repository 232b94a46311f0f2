//! The tests of each pattern fail when one of its constraints is taken out.
//!
//! `tests/patterns/NAME.toml` lists how, for `workflows/patterns/NAME.flow` with its tests in `examples/`, and for `workflows/NAME.flow` with
//! its tests in itself: each mutation names the constraint, a text of the flow that stands there once, and what is put in its
//! place. The mutated flow must still compile.

use std::path::{Path, PathBuf};

use e2e::{Site, project};
use testkit::cases::entries;

#[derive(serde::Deserialize)]
struct Mutations {
    mutation: Vec<Mutation>,
}

#[derive(serde::Deserialize)]
struct Mutation {
    constraint: String,
    replace: String,
    by: String,
}

fn patterns() -> Vec<PathBuf> {
    let flows = entries(&project().join("workflows/patterns"));
    flows.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "flow")).collect()
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// A folder laid out like the project, whose pattern library can be changed.
fn library() -> Site {
    let site = Site::new();
    std::os::unix::fs::symlink(project().join("plugins"), site.path().join("plugins")).unwrap();
    for pattern in patterns() {
        let name = name_of(&pattern);
        site.write(&format!("workflows/patterns/{name}.flow"), std::fs::read(&pattern).unwrap());
        let example = project().join(format!("workflows/patterns/examples/{name}.flow"));
        let text = std::fs::read(&example).unwrap_or_else(|_| panic!("the pattern {name} has no example"));
        site.write(&format!("workflows/patterns/examples/{name}.flow"), text);
    }
    for name in WHOLE {
        let file = format!("workflows/{name}.flow");
        site.write(&file, std::fs::read(project().join(&file)).unwrap());
    }
    site
}

/// Flows that are no patterns and have mutations.
const WHOLE: [&str; 1] = ["cashcow"];

/// Tries all mutations of a flow against the tests in `tested`, and says how many there were.
fn mutate(site: &Site, name: &str, file: &str, tested: &str) -> usize {
    let list = project().join(format!("tests/patterns/{name}.toml"));
    let list: Mutations = toml::from_str(&std::fs::read_to_string(&list).unwrap_or_default())
        .unwrap_or_else(|error| panic!("{}: {error}", list.display()));
    assert!(list.mutation.len() >= 2, "{name} has fewer than two mutations");
    let text = std::fs::read_to_string(project().join(file)).unwrap();
    for mutation in &list.mutation {
        let (from, to) = (mutation.replace.trim_start_matches('\n'), mutation.by.trim_start_matches('\n'));
        assert_eq!(text.matches(from).count(), 1, "{name}: {}: the text to replace stands once", mutation.constraint);
        site.write(file, text.replace(from, to));
        let printed = site.host(["test", tested]);
        assert_eq!(printed.code, 1, "{name}: {}\n{}\n{}", mutation.constraint, printed.out, printed.err);
    }
    site.write(file, &text);
    list.mutation.len()
}

#[test]
fn taking_a_constraint_out_of_a_pattern_fails_its_tests() {
    let site = library();
    let mut tried = 0;
    for pattern in patterns() {
        let name = name_of(&pattern);
        let (file, example) = (format!("workflows/patterns/{name}.flow"), format!("workflows/patterns/examples/{name}.flow"));
        tried += mutate(&site, &name, &file, &example);
    }
    assert!(tried >= 30, "only {tried} mutations");
}

#[test]
fn taking_a_constraint_out_of_the_suite_fails_its_tests() {
    let site = library();
    for name in WHOLE {
        let file = format!("workflows/{name}.flow");
        mutate(&site, name, &file, &file);
    }
}

#[test]
fn the_tests_of_all_shipped_flows_pass() {
    let site = library();
    let printed = site.host(["test", "workflows"]);
    assert_eq!(printed.code, 0, "{}\n{}", printed.out, printed.err);
}
