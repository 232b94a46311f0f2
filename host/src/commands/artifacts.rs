//! `host artifacts`: what steps gave under a name (`with { artifact: "report.json" }`).
//!
//! Which results these are follows from the journal and the flow, so it is found by replay; nothing else is stored.

use std::io::Write as _;
use std::path::Path;

use catalog::{Digest, Value};
use engine::event::Payload;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cli::{ArtifactsArgs, ArtifactsCommand, Global};
use crate::commands::replay::{Artifact, Recording};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// Lists them, or writes one of them.
pub(crate) fn run(output: Output, global: &Global, args: &ArtifactsArgs) -> Result<Exit, Problem> {
    match (&args.command, &args.run) {
        (Some(ArtifactsCommand::Get { run, name, output: file }), _) => get(output, global, (run, name), file.as_deref()),
        (None, Some(run)) => list(output, global, run),
        (None, None) => Err(Problem::usage("no run is named")),
    }
}

/// An artifact as it is written.
struct Content {
    of: Artifact,
    /// `text`, `bytes` or `json`.
    form: &'static str,
    bytes: Vec<u8>,
}

impl Content {
    fn new(of: Artifact) -> Result<Self, Problem> {
        let value = match &of.output {
            Payload::Value(value) => value.clone(),
            Payload::Text(text) => catalog::json::parse(text, &of.ty)
                .map_err(|error| Problem::new(Exit::Store, format!("the result of `{}` cannot be read: {error}", of.path)))?,
        };
        let (form, bytes) = match &value {
            Value::String(text) => ("text", text.as_bytes().to_vec()),
            Value::Bytes(bytes) => ("bytes", bytes.to_vec()),
            other => ("json", format!("{:#}\n", catalog::json::to_json(other)).into_bytes()),
        };
        Ok(Self { of, form, bytes })
    }

    fn digest(&self) -> String {
        Digest(Sha256::digest(&self.bytes).into()).to_string()
    }
}

/// All of a run, in the order in which they came; none when its flow does not compile, which is said.
fn contents(output: Output, global: &Global, run: &str) -> Result<Option<(Recording, Vec<Content>)>, Problem> {
    let Some(recording) = Recording::open(output, &Config::load(global)?, run)? else { return Ok(None) };
    let contents = recording.artifacts()?.into_iter().map(Content::new).collect::<Result<_, _>>()?;
    Ok(Some((recording, contents)))
}

fn list(output: Output, global: &Global, run: &str) -> Result<Exit, Problem> {
    let Some((recording, contents)) = contents(output, global, run)? else { return Ok(Exit::DoesNotCompile) };
    let document = contents.iter().map(document).collect();
    output.document(&serde_json::Value::Array(document), || table(&contents));
    match recording.damage() {
        Some(damage) => Err(damage.clone().into()),
        None => Ok(Exit::Done),
    }
}

fn document(content: &Content) -> serde_json::Value {
    json!({
        "name": &*content.of.name,
        "path": &*content.of.path,
        "seq": content.of.seq,
        "at": output::time(content.of.at),
        "form": content.form,
        "size": content.bytes.len(),
        "digest": content.digest(),
    })
}

fn table(contents: &[Content]) -> String {
    if contents.is_empty() {
        return "no artifacts".to_owned();
    }
    let lines = contents.iter().map(|content| {
        [
            content.of.name.to_string(),
            content.form.to_owned(),
            content.bytes.len().to_string(),
            output::time(content.of.at),
            content.digest(),
            content.of.path.to_string(),
        ]
    });
    output::columns(["NAME", "FORM", "BYTES", "AT", "DIGEST", "STEP"], lines)
}

/// Writes the last one of this name.
fn get(output: Output, global: &Global, (run, name): (&str, &str), file: Option<&Path>) -> Result<Exit, Problem> {
    let Some((_, mut contents)) = contents(output, global, run)? else { return Ok(Exit::DoesNotCompile) };
    let known: Vec<String> = contents.iter().map(|content| content.of.name.to_string()).collect();
    let Some(at) = contents.iter().rposition(|content| &*content.of.name == name) else {
        let problem = Problem::usage(format!("the run has no artifact `{name}`"));
        let names = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        return Err(problem.help(names));
    };
    let content = contents.swap_remove(at);
    match file {
        Some(file) => {
            std::fs::write(file, &content.bytes)
                .map_err(|error| Problem::usage(format!("`{}` cannot be written: {error}", file.display())))?;
            output.document(&document(&content), || format!("{}: {} bytes", file.display(), content.bytes.len()));
        }
        None => {
            let mut out = std::io::stdout().lock();
            // A reader that went away is not an error of ours.
            let _ = out.write_all(&content.bytes).and_then(|()| out.flush());
        }
    }
    Ok(Exit::Done)
}
