//! `host plugin inspect`: what a component exports, imports, and what granting the imports means.

use std::fmt::Write as _;
use std::path::Path;

use catalog::{Component, Function};

use crate::exit::{Exit, Problem};
use crate::output::Output;

/// Decodes and prints the component at `path`.
pub(crate) fn inspect(output: Output, path: &Path) -> Result<(), Problem> {
    let bytes = std::fs::read(path)
        .map_err(|error| Problem::new(Exit::Plugin, format!("`{}` cannot be read: {error}", path.display())))?;
    let component = catalog::decode(&bytes)
        .map_err(|error| Problem::new(Exit::Plugin, format!("`{}` is not usable: {error}", path.display())))?;
    print(output, path, &component);
    Ok(())
}

/// Prints a component for people or as JSON.
pub(crate) fn print(output: Output, path: &Path, component: &Component) {
    output.document(&to_json(path, component), || to_text(path, component));
}

fn to_text(path: &Path, component: &Component) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}\n  {} bytes, {}\n\nexports", path.display(), component.size, component.digest);
    for function in &component.functions {
        let _ = writeln!(text, "  {}", line(function));
    }
    text.push_str("\nimports\n");
    // Each meaning once, behind all the imports in a row that have it.
    for alike in component.imports.chunk_by(|one, next| meaning(one) == meaning(next)) {
        alike.iter().for_each(|import| text.extend(["  ", import.as_str(), "\n"]));
        let _ = writeln!(text, "      {}", alike.first().map_or("", |import| meaning(import)));
    }
    if component.imports.is_empty() {
        text.push_str("  nothing\n");
    }
    let _ = write!(text, "\nas WIT\n{}", indent(&component.wit));
    text
}

fn line(function: &Function) -> String {
    let path = function.interface_name().map_or_else(String::new, |interface| format!("{interface}."));
    match &function.signature {
        Ok(signature) => format!("{path}{}: {}{signature}", function.name, if function.is_async { "async " } else { "" }),
        Err(refusal) => format!("{path}{}: cannot be called from a flow: {}", function.name, refusal.0),
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}

fn to_json(path: &Path, component: &Component) -> serde_json::Value {
    let functions: Vec<serde_json::Value> = component
        .functions
        .iter()
        .map(|function| {
            serde_json::json!({
                "name": &*function.name,
                "interface": function.interface,
                "async": function.is_async,
                "signature": function.signature.as_ref().ok().map(ToString::to_string),
                "refused": function.signature.as_ref().err().map(|refusal| &refusal.0),
            })
        })
        .collect();
    let imports: Vec<serde_json::Value> =
        component.imports.iter().map(|import| serde_json::json!({ "interface": import, "meaning": meaning(import) })).collect();
    serde_json::json!({
        "path": path,
        "digest": component.digest.to_string(),
        "size": component.size,
        "functions": functions,
        "imports": imports,
        "wit": component.wit,
    })
}

/// What an import lets the component do, and what it gets when nothing is granted.
fn meaning(import: &str) -> &'static str {
    let interface = import.split('@').next().unwrap_or(import);
    match interface {
        "flowhost:plugin/attempt" => "which attempt this is and its idempotency key; always there",
        "flowhost:plugin/log" => "lines for people, bounded; always there",
        "flowhost:plugin/progress" => "percent and note of a long step; always there",
        "flowhost:plugin/mail" => {
            "messages and questions; `allow: [mail_send \"topic\"]`, `[mail_receive \"topic\"]` and `[mail_ask role]` permit them, without that each call is refused"
        }
        "flowhost:plugin/failures" | "flowhost:plugin/failure" => "types only",
        "wasi:http/outgoing-handler" => {
            "HTTP requests; `allow: [http \"host\"]` grants them to that host, without it each is refused"
        }
        _ => wasi_meaning(interface),
    }
}

fn wasi_meaning(interface: &str) -> &'static str {
    match interface.split('/').next().unwrap_or(interface) {
        "wasi:filesystem" => {
            "files; `allow: [read folder]` or `[read_write folder]` opens that folder, without it there are none"
        }
        "wasi:sockets" => "sockets; always refused, use wasi:http",
        "wasi:clocks" => "time; `allow: [clock]` gives real clocks, without it they stand still (sleeping is real)",
        "wasi:random" => "random numbers; `allow: [random]` gives real ones, without it they are always the same",
        "wasi:cli" => {
            "environment, arguments, standard streams: `allow: [env \"NAME\"]` shows that variable; output goes to the log"
        }
        "wasi:io" => "streams and waiting; harmless by itself",
        "wasi:http" => "types of HTTP; harmless without `wasi:http/outgoing-handler`",
        _ => "not known to this host: a component that needs it is refused when it is loaded",
    }
}
