//! Servers that cannot be used: each is said with what to do.

use e2e::Site;
use testkit::nats::Server;

use super::{sees, serve, shown, wait};
use crate::service::{eventually, waiting};

const HELLO: &str = "flow main() -> string { \"hello\" }";

#[track_caller]
fn refused(servers: &str, configuration: &str, what: &str) {
    let site = Site::new();
    site.flow("hello.flow", HELLO);
    if !configuration.is_empty() {
        site.write("flowhost.toml", configuration);
    }
    for command in [vec!["serve"], vec!["run", "hello.flow"]] {
        let mut args = command;
        if !servers.is_empty() {
            args.extend(["--nats", servers]);
        }
        let printed = site.host(args).expect(5);
        assert!(printed.err.contains(what), "{}", printed.err);
    }
}

#[test]
fn a_server_that_cannot_be_used_is_said_with_what_to_do() {
    refused("nats://127.0.0.1:1", "", "no NATS server answers at nats://127.0.0.1:1");
    refused("", "[nats]\nurl = \"nats://127.0.0.1:1\"\n", "start one with `nats-server -js`");
    let bare = Server::with("");
    refused(&bare.url(), "", "has no JetStream");
    let closed = Server::with("jetstream { store_dir: STORE }\nauthorization { token: \"secret\" }");
    refused(&closed.url(), "", "refuses this client");
}

/// What the page about clusters lets a host do is enough for it.
#[test]
fn the_least_that_a_host_needs() {
    let page = std::fs::read_to_string(e2e::project().join("host/docs/cluster.md")).unwrap();
    let block = page.split("```conf\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: STORE, max_file_store: 4GB }}\n{block}"));
    let url = server.url().replace("nats://", "nats://flowhost:change-me@");
    let (here, there) = (Site::new(), Site::new());
    here.flow("wait.flow", "flow main() -> string { wait signal word: string }");
    let (one, two) = (serve(&here, &url), serve(&there, &url));
    sees(&one, 1);
    sees(&two, 1);
    let run = one.submit(&["wait.flow"]);
    waiting(&there, &run);
    there.host(["signal", &run, "word", "\"hi\""]).expect(0);
    assert_eq!(wait(&there, &run).expect(0).json()["result"], "hi");
    eventually("one leads", || [&one, &two].iter().any(|host| host.status()["cluster"]["leads"] == true).then_some(()));
}

/// The commands of the README, with servers on a free port.
#[test]
fn the_five_commands_of_the_readme() {
    let page = std::fs::read_to_string(e2e::project().join("README.md")).unwrap();
    let section = page.split("\n## On many hosts\n").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let server = Server::start();
    let site = Site::new();
    for name in ["workflows", "plugins", "host"] {
        std::os::unix::fs::symlink(e2e::project().join(name), site.path().join(name)).unwrap();
    }
    let (mut services, mut commands) = (Vec::new(), 0);
    for line in block.lines() {
        commands += 1;
        let line = line.replace("nats://127.0.0.1:4222", &server.url());
        let Some(command) = line.strip_prefix("host ") else {
            assert!(line.starts_with("nats-server -js "), "{line}");
            continue;
        };
        match command.strip_suffix(" &") {
            Some(service) => {
                services.push(site.victim(service.split_whitespace()));
                let status = service.split(" --nats").next().unwrap().to_owned() + " status";
                eventually("the service answers", || (site.host(status.split_whitespace()).code == 0).then_some(()));
            }
            // What one host has written the other has a moment later.
            None => eventually(command, || (site.host(command.split_whitespace()).code == 0).then_some(())),
        }
    }
    assert_eq!((commands, services.len()), (5, 2), "{block}");
    shown(&site, "last", |run| run["status"] == "succeeded");
    for mut service in services {
        service.kill().unwrap();
        service.wait().unwrap();
    }
}
