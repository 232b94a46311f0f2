//! README, reference and examples say what is true: their blocks are executed, page by page, in order.
//!
//! In a page, "```flow" is a flow that must check, and whose tests must pass; "```flow name.flow" is in addition written to that
//! file; in "```console" each line after `$ host ` is a command that must succeed, or end as a `# exit code N` behind it says;
//! `serve &` is a service that runs until the page stops it. A page is executed in a folder in
//! which `workflows`, `plugins`, `host` and `examples` are those of the project.

use std::path::{Path, PathBuf};

use e2e::{Site, project};

struct Block {
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        let fence = line.trim().strip_prefix("```");
        match (&mut open, fence) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(info)) => open = Some(Block { info: info.to_owned(), text: String::new() }),
            (None, None) => {}
        }
    }
    found
}

#[test]
fn every_block_of_every_page_is_true() {
    let (mut flows, mut commands) = (0, 0);
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let site = Site::new();
        for name in ["workflows", "plugins", "host", "examples"] {
            std::os::unix::fs::symlink(project().join(name), site.path().join(name)).unwrap();
        }
        for block in blocks(&text) {
            match block.info.split_once(' ').unwrap_or((&block.info, "block.flow")) {
                ("flow", file) => {
                    flows += 1;
                    check(&site, &page, file, &block.text);
                }
                ("toml", file) if file.ends_with(".toml") => drop(site.write(file, &block.text)),
                ("console", _) => commands += run(&site, &page, &block.text),
                _ => {}
            }
        }
    }
    assert!(flows >= 4 && commands >= 8, "only {flows} flows and {commands} commands in the pages");
}

/// Pages with promises name the tests that keep them, in the last column of their tables.
#[test]
fn every_promise_names_tests_that_exist() {
    let mut tests = String::new();
    read_tests(&project().join("host/crates"), &mut tests);
    read_tests(&project().join("tests/tests"), &mut tests);
    let page = std::fs::read_to_string(project().join("host/docs/guarantees.md")).unwrap();
    let named = page.lines().filter(|line| line.starts_with('|')).flat_map(|line| {
        let last = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        last.split('`').skip(1).step_by(2)
    });
    let mut count = 0;
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "no test has the name `{name}`");
        count += 1;
    }
    assert!(count > 30, "only {count} tests are named");
}

fn read_tests(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_tests(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn check(site: &Site, page: &Path, file: &str, text: &str) {
    site.write(file, text);
    let printed = site.host(["check", file]);
    assert_eq!(printed.code, 0, "{}:\n{text}\n{}", page.display(), printed.err);
    assert!(!printed.err.contains("warning"), "{}:\n{text}\n{}", page.display(), printed.err);
    if text.contains("\ntest \"") {
        let printed = site.host(["test", file]);
        assert_eq!(printed.code, 0, "{}:\n{text}\n{}\n{}", page.display(), printed.out, printed.err);
    }
}

fn run(site: &Site, page: &Path, block: &str) -> u32 {
    let mut count = 0;
    for command in block.lines().filter_map(|line| line.strip_prefix("$ host ")) {
        count += 1;
        if let Some(background) = command.strip_suffix(" &") {
            serve(site, background);
            continue;
        }
        let (command, code) = command.split_once("# exit code ").unwrap_or((command, "0"));
        let printed = site.host(words(command));
        assert_eq!(printed.code.to_string(), code.trim(), "{}: host {command}\n{}\n{}", page.display(), printed.out, printed.err);
    }
    count
}

/// Starts a service and waits until it answers. A thread waits for its end.
fn serve(site: &Site, command: &str) {
    let mut child = site.victim(words(command));
    std::thread::spawn(move || child.wait());
    crate::service::eventually("the service answers", || (site.host(["serve", "status"]).code == 0).then_some(()));
}

/// Splits a command line; single quotes group.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![project().join("README.md")];
    for folder in ["host/docs", "examples", "workflows", "plugins"] {
        for entry in std::fs::read_dir(project().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}
