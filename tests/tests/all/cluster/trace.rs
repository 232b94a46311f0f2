//! One trace from whoever sent something to all that follows from it.

use async_nats::jetstream;
use e2e::Site;
use serde_json::{Value, json};
use testkit::nats::Server;

use super::{serve, shown, wait};
use crate::service::{eventually, runs};

const RELAY: &str = r#"
flow main() -> string {
    emit "orders.done" "by hand"
    "done"
}

flow relay(order: json) -> string {
    emit "orders.done" order
    "done"
}

on event "orders.new" -> relay(event)
"#;

/// What an administrator sees of the streams.
struct Admin {
    runtime: tokio::runtime::Runtime,
    context: jetstream::Context,
}

impl Admin {
    fn of(server: &Server) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let context = runtime.block_on(async { jetstream::new(async_nats::connect(server.url()).await.unwrap()) });
        Self { runtime, context }
    }

    fn publish(&self, subject: &str, event: &Value) {
        let sent = async { self.context.publish(subject.to_owned(), event.to_string().into()).await.unwrap().await };
        self.runtime.block_on(sent).unwrap();
    }

    /// The `traceparent` of the last message on a subject that is about something.
    fn trace(&self, stream: &str, subject: &str, about: &str) -> String {
        eventually("the message is in the stream", || {
            let last = async { self.context.get_stream(stream).await.unwrap().get_last_raw_message_by_subject(subject).await };
            let message = self.runtime.block_on(last).ok()?;
            String::from_utf8_lossy(&message.payload)
                .contains(about)
                .then(|| message.headers.get("traceparent").unwrap().as_str().to_owned())
        })
    }
}

/// Trace and flags, without the span.
fn of_trace(traceparent: &str) -> (&str, &str) {
    (&traceparent[3..35], &traceparent[53..])
}

fn given(site: &Site, run: &str) -> Value {
    let events = site.host(["events", run, "--json"]).expect(0).json();
    events[0]["body"]["trace"].clone()
}

#[test]
fn what_a_message_or_a_submission_starts_is_in_the_trace_of_its_sender() {
    let server = Server::start();
    let site = Site::new();
    site.flow("relay.flow", RELAY);
    site.write("flowhost.toml", "[[hooks]]\nname = \"ledger\"\nafter = \"run\"\n");
    let nats = server.url();
    let service = serve(&site, &nats);
    let admin = Admin::of(&server);
    site.host(["deploy", "relay.flow", "--nats", &nats]).expect(0);
    let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let event = json!({
        "specversion": "1.0", "id": "o1", "source": "/shop", "type": "shop.order", "traceparent": sent, "data": {"order": 17},
    });
    admin.publish("flow.default.event.orders.new", &event);
    let run = eventually("the message starts a run", || Some(runs(&site).first()?["id"].as_str()?.to_owned()));
    wait(&site, &run).expect(0);
    assert_eq!(given(&site, &run), sent);
    let emitted = admin.trace("FLOW_MESSAGES_default", "flow.default.event.orders.done", "17");
    let told = admin.trace("FLOW_HOOKS_default", "flow.default.hooks.told.>", &run);
    for trace in [&emitted, &told] {
        assert_eq!(of_trace(trace), of_trace(sent));
        assert_ne!(*trace, sent, "each has a span of its own");
    }
    // A submission, as a tracer starts it; what is no trace is passed over.
    let submitted = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01";
    for (trace, expected) in [(submitted, json!(submitted)), ("nonsense", Value::Null)] {
        let mut command = site.command(["submit", "relay.flow", "--json", "--nats", &nats]);
        let printed = e2e::finish(command.env("TRACEPARENT", trace).stdout(std::process::Stdio::piped()).spawn().unwrap());
        let run = printed.expect(0).json()["run"].as_str().unwrap().to_owned();
        shown(&site, &run, |run| run["status"] == "succeeded");
        assert_eq!(given(&site, &run), expected);
        let emitted = admin.trace("FLOW_MESSAGES_default", "flow.default.event.orders.done", &run);
        assert_eq!(of_trace(&emitted) == of_trace(submitted), expected != Value::Null);
    }
    drop(service);
}
