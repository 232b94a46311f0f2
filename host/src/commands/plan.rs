//! `host plan`: the graph that a flow compiles to.

use lang::plan::Plan;
use lang::{Entry, World};

use crate::cli::{Global, PlanArgs, PlanFormat};
use crate::commands::check;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};
use crate::world::DiskWorld;

/// Prints the plan; `--json` is `--format json`.
pub(crate) fn run(output: Output, global: &Global, args: &PlanArgs) -> Result<Exit, Problem> {
    let world = DiskWorld::open(output, &Config::load(global)?, &args.flow_file)?;
    let root = args.flow_file.to_string_lossy();
    let plan = match compile(output, &world, &root, entry(args.flow.as_deref()))? {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let format = match args.format {
        PlanFormat::Table if output.json() => lang::render::Format::Json,
        PlanFormat::Table => lang::render::Format::Table,
        PlanFormat::Mermaid => lang::render::Format::Mermaid,
        PlanFormat::Dot => lang::render::Format::Dot,
        PlanFormat::Json => lang::render::Format::Json,
    };
    output::write_out(lang::render::render(&plan, format).trim_end_matches('\n'));
    Ok(Exit::Done)
}

/// The flow that is named, or else the one that a run starts.
pub(crate) fn entry(flow: Option<&str>) -> Entry<'_> {
    flow.map_or(Entry::Default, Entry::Named)
}

/// A plan that can be started; without one the diagnostics are printed and the exit code is returned.
pub(crate) fn compile(output: Output, world: &dyn World, root: &str, entry: Entry<'_>) -> Result<Result<Plan, Exit>, Problem> {
    let compilation = lang::compile(world, root, entry);
    let exit = check::failed(&compilation);
    if exit != Exit::Done || !output.json() {
        output.diagnostics(&[&compilation]);
    }
    if exit != Exit::Done {
        return Ok(Err(exit));
    }
    compilation.plan.map(Ok).ok_or_else(|| Problem::usage(format!("`{root}` has no flow to run")))
}
