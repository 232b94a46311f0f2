//! Hosts that may do no more than they need, and that speak to their servers over TLS.

use e2e::{Site, project};
use testkit::nats::Server;

use super::{sees, wait};
use crate::service::{Service, waiting};

const FLOW: &str = r#"
use "{plugins}/kit.wasm" as kit

/// A result that is a blob, a cached one, a message, and a signal.
flow main() -> u64 {
    let long = kit.echo(join([ "0123456789" for n in range(0, 3000) ], ""))
    let quick = kit.slow(1) with { cache: true } after long
    emit "greeting" quick
    let word = wait signal word: string
    len(long) + len(word)
}
"#;

/// What a server is configured with so that a user of each of these namespaces may do what the page about clusters lists.
fn users(namespaces: &[&str]) -> String {
    let page = std::fs::read_to_string(project().join("host/docs/cluster.md")).unwrap();
    let block = page.split("```conf\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (head, rest) = block.split_once("users: [").unwrap();
    // The first one is a host; another one takes part from outside.
    let (user, rest) = rest.split_once("}, {").unwrap();
    let (_, tail) = rest.rsplit_once("}]").unwrap();
    let user = format!("{user}}}");
    let of = |namespace: &&str| {
        user.replace("user: flowhost", &format!("user: {namespace}"))
            .replace("_default", &format!("_{namespace}"))
            .replace("flow.default", &format!("flow.{namespace}"))
    };
    let all: Vec<String> = namespaces.iter().map(of).collect();
    format!("jetstream {{ store_dir: STORE }}\n{head}users: [{}]{tail}", all.join(", "))
}

/// A folder whose configuration names a user and a namespace.
fn site(server: &Server, user: &str, namespace: &str) -> Site {
    let site = Site::new();
    let url = server.url().replace("nats://", &format!("nats://{user}:change-me@"));
    site.write("flowhost.toml", format!("[nats]\nurl = \"{url}\"\nnamespace = \"{namespace}\"\n"));
    site.flow("main.flow", FLOW);
    site
}

#[test]
fn a_host_that_may_not_follow_the_streams_does_not_start() {
    let all = users(&["default"]);
    let kept: Vec<&str> = all.lines().filter(|line| !line.contains("CONSUMER.CREATE.FLOW_EVENTS")).collect();
    assert!(kept.len() < all.lines().count());
    let server = Server::with(&kept.join("\n"));
    let err = site(&server, "default", "default").host(["serve"]).expect(5).err;
    assert!(err.contains("cannot be followed") && err.contains("CONSUMER.CREATE.FLOW_EVENTS_default"), "{err}");
}

#[test]
fn what_the_page_lists_is_enough_and_keeps_namespaces_apart() {
    let server = Server::with(&users(&["default", "other"]));
    let (here, there, other) =
        (site(&server, "default", "default"), site(&server, "default", "default"), site(&server, "other", "other"));
    let (one, _two, stranger) = (Service::start(&here, &[]), Service::start(&there, &[]), Service::start(&other, &[]));
    sees(&one, 1);
    sees(&stranger, 0);
    let run = one.submit(&["main.flow"]);
    waiting(&there, &run);
    // What the other namespace has is not there, and is not touched.
    there.host(["signal", &run, "word", "\"four\""]).expect(0);
    assert_eq!(wait(&there, &run).expect(0).json()["result"], 30_004);
    one.kill();
    there.host(["ps", "--json"]).expect(0);
    assert_eq!(other.host(["ps", "--json"]).expect(0).json(), serde_json::json!([]));
    let denied: Vec<String> = server.log().lines().filter(|line| line.contains("iolation")).map(str::to_owned).collect();
    assert!(denied.is_empty(), "{denied:#?}");

    let intruder = site(&server, "other", "default");
    let printed = intruder.host(["serve"]).expect(5);
    assert!(printed.err.contains("Permissions Violation"), "{}", printed.err);
}

#[test]
fn a_host_speaks_to_its_server_over_tls_with_certificates_on_both_sides() {
    let file = |name: &str| project().join("host/crates/bus/tests/tls").join(name).display().to_string();
    let server = Server::with(&format!(
        "jetstream {{ store_dir: STORE }}\ntls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        file("server.pem"),
        file("server.key"),
        file("ca.pem")
    ));
    let configured = |tls: &str| {
        let site = Site::new();
        site.write("flowhost.toml", format!("[nats]\nurl = \"{}\"\n[nats.tls]\nrequired = true\n{tls}", server.url()));
        site.flow("main.flow", "flow main() -> u64 { 1 }");
        site
    };
    let ca = format!("ca = {:?}\n", file("ca.pem"));
    let client = format!("certificate = {:?}\nkey = {:?}\n", file("client.pem"), file("client.key"));
    let site = configured(&format!("{ca}{client}"));
    let service = Service::start(&site, &[]);
    let run = service.submit(&["main.flow"]);
    assert_eq!(wait(&site, &run).expect(0).json()["result"], 1);
    for tls in [&client, &ca] {
        let printed = configured(tls).host(["serve"]).expect(5);
        assert!(printed.err.contains("no encrypted connection to the NATS server"), "{}", printed.err);
    }
    let plain = Server::start();
    let site = configured(&ca);
    site.write("flowhost.toml", format!("[nats]\nurl = \"{}\"\n[nats.tls]\nrequired = true\n", plain.url()));
    site.host(["serve"]).expect(5);
}
