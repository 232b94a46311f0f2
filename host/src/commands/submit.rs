//! `host submit`: gives a flow to the service.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::cli::{Global, SubmitArgs};
use crate::cluster::hooks;
use crate::commands::run::{self, Prepared};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::serve::client::Client;
use crate::serve::protocol::{Request, Submission};
use crate::trace;

/// Compiles here, keeps the program in the store, and has the service start it. What it prints is in the store.
pub(crate) fn run(output: Output, global: &Global, args: &SubmitArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    // Whoever has no service is told before anything is compiled or stored.
    drop(Client::connect(&config, args.at.socket.as_deref())?);
    let prepared = match run::prepare(output, &config, &args.start, None, hooks::configured)? {
        Ok(prepared) => prepared,
        Err(exit) => return Ok(exit),
    };
    let Prepared { input, labels, permitted, program, .. } = prepared;
    let input: Map<String, Value> = input.iter().map(|(name, value)| (name.clone(), catalog::json::to_json(value))).collect();
    let labels: BTreeMap<String, String> = labels.into_iter().collect();
    let trace = trace::given().map(|trace| trace.text().to_owned());
    let submission = Submission { program: program.to_string(), input, labels, allow: permitted, id: args.id.clone(), trace };
    let mut client = Client::connect(&config, args.at.socket.as_deref())?;
    let answer = client.ask(&Request::Submit(Box::new(submission)))?;
    let run = answer.get("run").and_then(Value::as_str).unwrap_or_default().to_owned();
    output.document(&answer, || run.clone());
    let is = |field: &str| answer.get(field) == Some(&Value::Bool(true));
    let again = match (is("known"), is("queued")) {
        (true, _) => "was submitted before",
        (_, true) => "waits for a host with room",
        _ => "is in the store",
    };
    output.note(&format!("run {run} {again}; `host wait {run}` waits for its end, `host follow {run}` shows it"));
    Ok(Exit::Done)
}
