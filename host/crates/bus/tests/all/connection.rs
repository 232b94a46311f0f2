//! Servers that are not there, too old, closed to this client, or without JetStream; and all ways to be let in.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bus::nats::{
    Auth, ConnectError, Connection, HookBook, HookLog, HookRule, HookTries, JetStreamJournal, NatsHooks, NatsOutside, Options,
    Settings, Tls,
};
use bus::{LocalBus, MemoryMail};
use catalog::{Type, Value};
use engine::ports::{Bus, Journal, Limits, MailStore, Question};
use futures::StreamExt;
use lang::plan::RoleRef;
use testkit::nats::Server;

use crate::site::{events, eventually, run, settings, stored};

const JETSTREAM: &str = "jetstream { store_dir: STORE }";

fn refused(settings: &Settings) -> ConnectError {
    Connection::open(settings).map(drop).unwrap_err()
}

/// Connects, and stores something.
async fn works(settings: &Settings) {
    let journal = JetStreamJournal::open(&Connection::open(settings).unwrap(), &Options::default()).unwrap();
    let run = run(&format!("{}", std::process::id()));
    let at = journal.load(&run).map_or(0, |events| events.len() as u64);
    journal.append(&run, events(at + 1, at + 2)).await.unwrap();
    assert_eq!(stored(&journal, &run).len() as u64, at + 2);
}

#[test]
fn nobody_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(&settings(&format!("nats://127.0.0.1:{port}"), "x")).to_string();
    assert!(error.starts_with(&format!("no NATS server answers at nats://127.0.0.1:{port}: ")), "{error}");
    assert!(error.ends_with("; start one with `nats-server -js`, or check the address"), "{error}");
    let error = refused(&settings("nats://no-such-host.invalid:4222", "x")).to_string();
    assert!(error.starts_with("no NATS server answers at"), "{error}");
}

#[test]
fn an_address_that_is_none() {
    let error = refused(&settings("http://[", "x")).to_string();
    assert!(error.contains("is no address of a NATS server"), "{error}");
}

/// As a server of that version would introduce itself.
fn old_server(version: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let info = format!(
            "INFO {{\"server_id\":\"x\",\"server_name\":\"ancient\",\"version\":\"{version}\",\"proto\":1,\"headers\":true,\"max_payload\":1048576,\"jetstream\":true}}\r\n"
        );
        stream.write_all(info.as_bytes()).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            if line == "PING" && stream.write_all(b"PONG\r\n").is_err() {
                return;
            }
        }
    });
    port
}

#[test]
fn an_old_server() {
    let error = refused(&settings(&format!("nats://127.0.0.1:{}", old_server("2.11.9")), "x"));
    assert_eq!(
        error.to_string(),
        "the NATS server `ancient` has version 2.11.9, and 2.12 is the oldest that is supported; upgrade it"
    );
}

#[test]
fn no_jetstream() {
    let server = Server::with("");
    let error = refused(&settings(&server.url(), "x"));
    assert_eq!(
        error.to_string(),
        "the NATS server `single` has no JetStream; start it with `-js`, or with a `jetstream` block in its configuration"
    );
    let accounts =
        "accounts { A { users: [{ user: a, password: p }] }, B { jetstream: enabled, users: [{ user: b, password: p }] } }";
    let server = Server::with(&format!("{JETSTREAM}\n{accounts}"));
    let auth = Auth::Password { user: "a".to_owned(), password: "p".to_owned() };
    let error = refused(&Settings { auth, ..settings(&server.url(), "x") });
    assert!(matches!(&error, ConnectError::NoJetStream(_)), "{error}");
    assert!(error.to_string().ends_with("may not use JetStream; enable it for the account"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn password_and_token() {
    let server = Server::with(&format!("{JETSTREAM}\nauthorization {{ user: me, password: secret }}"));
    let with = |auth| Settings { auth, ..settings(&server.url(), "x") };
    let password = |password: &str| with(Auth::Password { user: "me".to_owned(), password: password.to_owned() });
    for wrong in [with(Auth::None), with(Auth::Token("secret".to_owned())), password("wrong")] {
        let error = refused(&wrong);
        assert!(matches!(&error, ConnectError::Refused { .. }), "{error}");
        assert!(error.to_string().ends_with("check user and password, token, or credentials file"), "{error}");
    }
    works(&password("secret")).await;
    works(&settings(&server.url().replace("//", "//me:secret@"), "x")).await;

    let server = Server::with(&format!("{JETSTREAM}\nauthorization {{ token: s3cret }}"));
    works(&Settings { auth: Auth::Token("s3cret".to_owned()), ..settings(&server.url(), "x") }).await;
}

#[test]
fn files_that_are_not_there() {
    let missing = PathBuf::from("/no/such/file");
    let auth = Auth::Credentials(missing.clone());
    let tls =
        |ca: bool| Tls { ca: ca.then(|| missing.clone()), client: Some((missing.clone(), missing.clone())), required: false };
    let settings = settings("nats://127.0.0.1:1", "x");
    for settings in [
        Settings { auth, ..settings.clone() },
        Settings { tls: tls(true), ..settings.clone() },
        Settings { tls: tls(false), ..settings },
    ] {
        let error = refused(&settings).to_string();
        assert!(error.starts_with("`/no/such/file`, which is named for the connection to NATS, cannot be read"), "{error}");
    }
}

fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption() {
    let file = |name: &str| format!("{:?}", tls_file(name).display().to_string());
    let tls = format!(
        "tls {{ cert_file: {}, key_file: {}, ca_file: {}, verify: true }}",
        file("server.pem"),
        file("server.key"),
        file("ca.pem")
    );
    let server = Server::with(&format!("{JETSTREAM}\n{tls}"));
    let with = |tls| Settings { tls, ..settings(&server.url(), "x") };
    let client = Some((tls_file("client.pem"), tls_file("client.key")));
    let (ca, required) = (Some(tls_file("ca.pem")), true);
    works(&with(Tls { required, ca: ca.clone(), client: client.clone() })).await;
    // Without the authority the server is not trusted; without a certificate the client is not.
    let error = refused(&with(Tls { required, ca: None, client }));
    assert!(matches!(&error, ConnectError::Tls { .. }), "{error:?}");
    assert!(error.to_string().ends_with("check the authority's and the client's certificate"), "{error}");
    refused(&with(Tls { required, ca: ca.clone(), client: None }));
    // A server without encryption is not taken when it is required.
    let plain = Server::start();
    refused(&Settings { tls: Tls { required, ca, client: None }, ..settings(&plain.url(), "x") });
}

/// A client that may use the subjects of its own namespace only, as the page about clusters shows it.
#[tokio::test(flavor = "multi_thread")]
async fn the_least_that_a_client_needs() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cluster.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```conf\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let server = Server::with(&format!("{JETSTREAM}\n{block}"));
    let auth = Auth::Password { user: "flowhost".to_owned(), password: "change-me".to_owned() };
    let with = |namespace| Settings { auth: auth.clone(), ..settings(&server.url(), namespace) };
    works(&with("default")).await;
    let error = refused(&with("other")).to_string();
    assert!(error.contains("JetStream does not answer") && error.contains("Permissions Violation"), "{error}");
    take_part(&server, &with("default")).await;
}

/// With no more rights than that, messages and hooks pass between a host and a program of somebody else.
async fn take_part(server: &Server, host: &Settings) {
    let partner = async_nats::ConnectOptions::with_user_and_password("partner".to_owned(), "change-me-too".to_owned());
    let partner = partner.connect(server.url()).await.unwrap();
    let mut told = partner.subscribe("flow.default.event.orders.new").await.unwrap();
    let mut asked = partner.subscribe("flow.default.agent.reviewer").await.unwrap();
    partner.flush().await.unwrap();

    let (connection, mail) = (Connection::open(host).unwrap(), Arc::new(MemoryMail::new()));
    let outside = NatsOutside::open(&connection).unwrap();
    let bus = LocalBus::new(Arc::clone(&mail) as Arc<dyn MailStore>).with_outside(Arc::new(outside.clone()));
    let _delivery = outside.messages().deliver(&connection, bus.clone(), Arc::new(|_, _| ()));
    let _telling = NatsHooks::open(&connection).unwrap().tell(&connection, HookTries::default());
    let book = HookBook::new(&connection);
    book.add(&HookRule::new("gate", ("before", "step"), None).unwrap()).unwrap();
    assert_eq!(book.list().unwrap().len(), 1);
    assert_eq!(HookLog::last(&connection, None, 10).unwrap(), []);
    bus.subscribe(&run("r"), vec!["orders.new".into()]).await.unwrap();
    let text = r#"{"specversion":"1.0","id":"1","source":"/partner","type":"order","data":1}"#;
    partner.publish("flow.default.event.orders.new", text.into()).await.unwrap();
    assert_eq!(told.next().await.unwrap().payload, text);
    eventually("the message is in the inbox", async || !mail.letters(&run("r"), 0, 10).unwrap().is_empty()).await;

    let role = RoleRef { name: "reviewer".into(), params: Vec::new(), result: Type::S64, output: Type::S64 };
    let question = Question {
        role: Arc::new(role),
        args: Vec::new(),
        limits: Limits::default(),
        idempotency_key: "r/main/ask".into(),
        number: 1,
        previous_failure: None,
        trace: None,
    };
    let answer = tokio::spawn(bus.ask(question));
    let reply = asked.next().await.unwrap().reply.unwrap();
    let text = r#"{"specversion":"1.0","id":"1","source":"/p","type":"flowhost.task.completion.v1","data":{"task_id":"r/main/ask","value":7}}"#;
    partner.publish(reply, text.into()).await.unwrap();
    assert_eq!(answer.await.unwrap().result.unwrap(), Value::S64(7));
}
