//! `host serve`: the service of a store, and what is asked of it.

use std::time::Duration;

use serde_json::Value;

use crate::cli::{Global, ServeArgs, ServeCommand};
use crate::config::{Config, parse_duration};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::serve::client::{self, Client};
use crate::serve::protocol::Request;
use crate::serve::{self, Settings};

/// How often a service that is being stopped is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Runs the service, or asks it something.
pub(crate) fn run(output: Output, global: &Global, args: &ServeArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    match args.command {
        None => serve(output, config, args),
        Some(ServeCommand::Status) => {
            let status = Client::connect(&config, args.at.socket.as_deref())?.ask(&Request::Status)?;
            output.document(&status, || text(&status));
            Ok(Exit::Done)
        }
        Some(ServeCommand::Stop) => stop(&config, args),
    }
}

fn serve(output: Output, config: Config, args: &ServeArgs) -> Result<Exit, Problem> {
    if args.keep == 0 {
        return Err(Problem::usage("`--keep` must be at least 1"));
    }
    let settings = Settings {
        socket: client::socket_path(&config, args.at.socket.as_deref()),
        listen: args.listen,
        drain: parse_duration(&args.drain)?,
        keep: args.keep,
        parallel: args.parallel,
        durability: args.durability,
    };
    serve::serve(output, config, &settings)
}

/// Asks the service to end, and waits until it has.
fn stop(config: &Config, args: &ServeArgs) -> Result<Exit, Problem> {
    let socket = args.at.socket.as_deref();
    Client::connect(config, socket)?.ask(&Request::Stop)?;
    // It answers as long as it drains.
    while Client::connect(config, socket).and_then(|mut client| client.ask(&Request::Status)).is_ok() {
        std::thread::sleep(LOOK);
    }
    Ok(Exit::Done)
}

fn text(status: &Value) -> String {
    let field = |name: &str| match status.get(name) {
        Some(Value::String(text)) => text.clone(),
        other => other.map(Value::to_string).unwrap_or_default(),
    };
    let runs = |name: &str| status.get("runs").and_then(|runs| runs.get(name)).map(Value::to_string).unwrap_or_default();
    let head = format!(
        "state    {}\nprocess  {}\nstore    {}\nsince    {}\nruns     {} in memory, {} of them waiting; {} waiting in the store; {} in line\nended    {}, {} of them without success\n",
        field("state"),
        field("process"),
        field("store"),
        field("since"),
        runs("active"),
        runs("idle"),
        runs("parked"),
        runs("queued"),
        field("ended"),
        field("failed"),
    );
    let head = head + &status.get("cluster").and_then(|cluster| cluster.get("scale")).map(scale).unwrap_or_default();
    let lines = listed(status, "held_back", held_back).into_iter().chain(listed(status, "breakers", breaker));
    head + &lines.collect::<String>()
}

/// A line about the hosts of a cluster.
fn scale(scale: &Value) -> String {
    let number = |name: &str| scale.get(name).and_then(Value::as_u64);
    let (Some(hosts), Some(places), Some(free)) = (number("hosts"), number("places"), number("free")) else {
        return String::new();
    };
    let of = |name: &str| number(name).unwrap_or(0);
    let waited = catalog::duration::display(of("waited_ms").saturating_mul(1_000_000));
    format!(
        "cluster  {hosts} hosts with {places} places, {free} of them free; {} steps in line, {} with a host; they waited {waited}\n",
        of("queue"),
        of("running"),
    )
}

fn listed(status: &Value, name: &str, line: impl Fn(&Value) -> String) -> Vec<String> {
    status.get(name).and_then(Value::as_array).into_iter().flatten().map(line).collect()
}

/// A line about what held attempts back.
fn held_back(held: &Value) -> String {
    let number = |name: &str| held.get(name).and_then(Value::as_u64).unwrap_or(0);
    let time = catalog::duration::display(number("ms").saturating_mul(1_000_000));
    format!("held up  {time} by {}, {} times\n", text_of(held, "what"), number("times"))
}

fn breaker(breaker: &Value) -> String {
    let of = text_of(breaker, "of");
    match breaker.get("open_ms").and_then(Value::as_u64) {
        Some(0) => format!("breaker  of {of}: a trial decides\n"),
        Some(left) => {
            format!("breaker  of {of}: open for another {}\n", catalog::duration::display(left.saturating_mul(1_000_000)))
        }
        None => format!(
            "breaker  of {of}: closed, {} failures count\n",
            breaker.get("failures").map(Value::to_string).unwrap_or_default()
        ),
    }
}

fn text_of<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}
