//! A program of somebody else that handles the operator's hooks: it is told of each step and of the end of each run, of the latter
//! twice, since it fails the first time; and of what it is asked before steps it leaves some without an answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// The hooks, in the configuration of each host.
pub(super) const HOOKS: &str = r#"
[[hooks]]
name = "gate"
before = "step"
on = "kit.*"
timeout = "500ms"
default = "allow"

[[hooks]]
name = "book"
after = "step"
on = "witness.*"

[[hooks]]
name = "ledger"
after = "run"
"#;

/// Between two attempts to reach a server.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that says nothing for so long is left for the next one: it may have been stopped.
const SILENCE: Duration = Duration::from_secs(10);

/// One call in so many is not answered.
const SILENT: usize = 4;

/// What it heard.
#[derive(Default)]
struct Heard {
    /// By hook, run and path: the events of which it was told that, each by its source and id, and how often.
    told: BTreeMap<[String; 3], BTreeMap<(String, String), usize>>,
    asked: usize,
}

/// The program, for as long as the test's process.
pub(super) struct Handler {
    heard: Arc<Mutex<Heard>>,
}

impl Handler {
    /// Starts it, and waits until it listens.
    pub(super) fn start(servers: Vec<u16>) -> Self {
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let (shared, (listens, begun)) = (Arc::clone(&heard), channel());
        std::thread::spawn(move || {
            for port in servers.into_iter().cycle() {
                // A server that is gone is followed by the next one.
                let _ = listen(port, &shared, &listens);
                std::thread::sleep(PAUSE);
            }
        });
        begun.recv().unwrap();
        Self { heard }
    }

    /// How often it was asked before a step.
    pub(super) fn asked(&self) -> usize {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).asked
    }

    /// By how many events it was told of this, and how often in all.
    pub(super) fn told(&self, hook: &str, run: &str, path: &str) -> (usize, usize) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let events = heard.told.get(&[hook, run, path].map(str::to_owned));
        events.map_or((0, 0), |events| (events.len(), events.values().sum()))
    }
}

/// Speaks NATS with a server until the connection breaks.
fn listen(port: u16, heard: &Mutex<Heard>, listens: &Sender<()>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nSUB flow.default.hook.> tests 1\r\nPING\r\n")?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["PONG"] => drop(listens.send(())),
            ["PING"] => stream.write_all(b"PONG\r\n")?,
            // The subject, the number of the subscription, where the answer goes, and the length of what follows.
            ["MSG", _, _, reply, length] => {
                let mut payload = vec![0; length.parse().unwrap()];
                reader.read_exact(&mut payload)?;
                reader.read_line(&mut String::new())?;
                let event: Value = serde_json::from_slice(&payload).unwrap();
                let answer = note(&event, &mut heard.lock().unwrap_or_else(PoisonError::into_inner));
                if let Some(text) = answer.map(answer_event) {
                    stream.write_all(format!("PUB {reply} {}\r\n{text}\r\n", text.len()).as_bytes())?;
                }
            }
            _ => {}
        }
        line.clear();
    }
    Ok(())
}

fn answer_event((kind, data): (&str, Value)) -> String {
    let kind = format!("flowhost.hook.{kind}.v1");
    json!({ "specversion": "1.0", "id": "1", "source": "/tests", "type": kind, "data": data }).to_string()
}

/// Takes what it hears. Gives what it answers, if it does.
fn note(event: &Value, heard: &mut Heard) -> Option<(&'static str, Value)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let data = &event["data"];
    if event["type"] == "flowhost.hook.before.v1" {
        heard.asked += 1;
        return (!heard.asked.is_multiple_of(SILENT)).then(|| ("verdict", json!({ "verdict": "allow" })));
    }
    let about = [text(&data["hook"]), text(&data["run"]), text(&data["path"])];
    let events = heard.told.entry(about).or_default();
    let count = events.entry((text(&event["source"]), text(&event["id"]))).or_default();
    *count += 1;
    let fails = data["hook"] == "ledger" && *count == 1;
    let failure = json!({ "failure": { "kind": "network", "message": "not yet" } });
    Some(("done", if fails { failure } else { json!({}) }))
}
