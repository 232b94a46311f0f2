//! Who connects: with a credentials file, a token, or user and password, named in the configuration or in the environment; and what
//! is said where that is wrong.

use std::path::PathBuf;
use std::process::Command;

use e2e::{Printed, Site, project};
use testkit::nats::Server;

use super::worker::Worker;
use crate::service::Service;

/// A variable of the environment.
type Variable<'a> = (&'a str, &'a str);

fn file(name: &str) -> PathBuf {
    project().join("tests/nats").join(name)
}

/// A folder whose configuration says this of the cluster.
fn site(nats: &str) -> Site {
    let site = Site::new();
    site.flow("main.flow", "flow main() -> u64 { 1 }");
    if !nats.is_empty() {
        site.write("flowhost.toml", format!("[nats]\n{nats}\n"));
    }
    site
}

fn host(site: &Site, args: &[&str], variables: &[Variable<'_>]) -> Printed {
    e2e::finish(site.command(args).envs(variables.iter().copied()).spawn().unwrap())
}

/// A service is let in, and runs what it is given.
fn let_in(site: &Site, variables: &[Variable<'_>]) {
    let wrap = |host: &Command| {
        let mut command = Command::new(host.get_program());
        command.args(host.get_args()).env_remove("FLOWHOST_NATS").envs(variables.iter().copied());
        command
    };
    let service = Service::start_by(site, wrap);
    assert_eq!(service.status()["cluster"]["namespace"], "default");
    let submitted = host(site, &["submit", "main.flow", "--json"], variables).expect(0).json();
    let ended = host(site, &["wait", submitted["run"].as_str().unwrap(), "--json", "--timeout", "80s"], variables);
    assert_eq!(ended.expect(0).json()["result"], 1);
}

/// Neither a service nor a worker nor a run is let in, which is said like this.
#[track_caller]
fn refused(site: &Site, variables: &[Variable<'_>], code: i32, what: &str) {
    for args in [&["serve"][..], &["worker"], &["run", "main.flow"]] {
        let printed = host(site, args, variables).expect(code);
        assert!(printed.err.contains(what) && !printed.err.contains("s3cret"), "{args:?}: {}", printed.err);
    }
}

const NOT_LET_IN: &str = "check user and password, token, or credentials file";

#[test]
fn a_credentials_file_says_who_connects() {
    let operator = std::fs::read_to_string(file("operator.conf")).unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: STORE }}\n{operator}"));
    let with = |credentials: &str, text: &[u8]| {
        let site = site(&format!("url = \"{}\"\ncredentials = \"{credentials}\"", server.url()));
        site.write("keys/host.creds", text);
        site
    };
    let [own, stranger] = ["host.creds", "stranger.creds"].map(|name| std::fs::read_to_string(file(name)).unwrap());
    let site = with("keys/host.creds", own.as_bytes());
    let_in(&site, &[]);
    let_in(&with(&file("host.creds").display().to_string(), b""), &[]);
    let worker = Site::new();
    worker.write("flowhost.toml", format!("[nats]\ncredentials = {:?}\n", file("host.creds")));
    assert_eq!(Worker::start(&worker, &server.url(), &[]).stop(), 0);

    refused(&with("keys/host.creds", stranger.as_bytes()), &[], 5, NOT_LET_IN);
    // One's name with another one's key.
    let (name, key) = (own.split("-----BEGIN USER").next().unwrap(), stranger.split("-----BEGIN USER").nth(1).unwrap());
    refused(&with("keys/host.creds", format!("{name}-----BEGIN USER{key}").as_bytes()), &[], 5, NOT_LET_IN);
    refused(&with("keys/none.creds", b""), &[], 5, "keys/none.creds`, which is named for the connection to NATS, cannot be read");
    refused(
        &with("keys/host.creds", b"no credentials"),
        &[],
        5,
        "keys/host.creds`, which is named for the connection to NATS, cannot be read",
    );
    refused(&self::site(&format!("url = \"{}\"", server.url())), &[], 5, NOT_LET_IN);
}

#[test]
fn a_token_says_who_connects() {
    let server = Server::with("jetstream { store_dir: STORE }\nauthorization { token: \"s3cret\" }");
    let by = |token: &str| server.url().replace("nats://", &format!("nats://{token}@"));
    let named = site(&format!("url = \"{}\"\ntoken_env = \"FLOWHOST_TEST_TOKEN\"", server.url()));
    let_in(&named, &[("FLOWHOST_TEST_TOKEN", "s3cret")]);
    let_in(&site(&format!("url = \"{}\"", by("s3cret"))), &[]);
    let_in(&site(""), &[("FLOWHOST_NATS", &by("s3cret"))]);

    refused(&named, &[("FLOWHOST_TEST_TOKEN", "s3cret-not")], 5, NOT_LET_IN);
    refused(&named, &[("FLOWHOST_TEST_TOKEN", "")], 5, NOT_LET_IN);
    refused(&named, &[], 2, "names the environment variable `FLOWHOST_TEST_TOKEN`, which is not set");
    refused(&site(""), &[("FLOWHOST_NATS", &by("wrong"))], 5, NOT_LET_IN);
    refused(&site(""), &[("FLOWHOST_NATS", &server.url())], 5, NOT_LET_IN);
}

#[test]
fn a_user_with_a_password_connects() {
    let server = Server::with("jetstream { store_dir: STORE }\nauthorization { user: \"me\", password: \"s3cret\" }");
    let by = |who: &str| server.url().replace("nats://", &format!("nats://{who}@"));
    let named =
        |user: &str| site(&format!("url = \"{}\"\nuser = \"{user}\"\npassword_env = \"FLOWHOST_TEST_PASSWORD\"", server.url()));
    let_in(&named("me"), &[("FLOWHOST_TEST_PASSWORD", "s3cret")]);
    let_in(&site(""), &[("FLOWHOST_NATS", &by("me:s3cret"))]);

    refused(&named("me"), &[("FLOWHOST_TEST_PASSWORD", "s3cret-not")], 5, NOT_LET_IN);
    refused(&named("you"), &[("FLOWHOST_TEST_PASSWORD", "s3cret")], 5, NOT_LET_IN);
    refused(&named("me"), &[], 2, "names the environment variable `FLOWHOST_TEST_PASSWORD`, which is not set");
    refused(&site(""), &[("FLOWHOST_NATS", &by("me:s3cret-not"))], 5, NOT_LET_IN);
}
