//! `host doc`: what a flow file offers and what it asks for, as Markdown.

use lang::DocumentOptions;

use crate::cli::{DocArgs, Global};
use crate::commands::check;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};
use crate::world::DiskWorld;

/// Writes the document to standard output or to a file.
pub(crate) fn run(output: Output, global: &Global, args: &DocArgs) -> Result<Exit, Problem> {
    let world = DiskWorld::open(output, &Config::load(global)?, &args.flow_file)?;
    let options = DocumentOptions { flow: args.flow.as_deref(), graph: args.graph };
    let document = match lang::document(&world, &args.flow_file.to_string_lossy(), options) {
        Ok(document) => document,
        Err(compilation) => {
            output.diagnostics(&[&compilation]);
            return Ok(check::failed(&compilation));
        }
    };
    if let Some(file) = &args.output {
        std::fs::write(file, &document)
            .map_err(|error| Problem::usage(format!("`{}` cannot be written: {error}", file.display())))?;
        output.note(&format!("written to {}", file.display()));
    } else if output.json() {
        output.document(&serde_json::json!({ "markdown": document }), String::new);
    } else {
        output::write_out(document.trim_end());
    }
    Ok(Exit::Done)
}
