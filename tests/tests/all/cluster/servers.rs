//! Servers that cannot be used: each is said with what to do.

use e2e::Site;
use testkit::nats::Server;

use super::serve;

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

#[test]
fn who_connects_is_configured() {
    let server = Server::with("jetstream { store_dir: STORE }\nauthorization { user: \"me\", password: \"secret\" }");
    let site = Site::new();
    site.write(
        "flowhost.toml",
        format!("[nats]\nurl = \"{}\"\nuser = \"me\"\npassword_env = \"NO_SUCH_VARIABLE\"\n", server.url()),
    );
    let printed = site.host(["serve"]).expect(2);
    assert!(printed.err.contains("`NO_SUCH_VARIABLE`, which is not set"), "{}", printed.err);
    let url = server.url().replace("nats://", "nats://me:secret@");
    std::fs::remove_file(site.path().join("flowhost.toml")).unwrap();
    serve(&site, &url).status();
}
