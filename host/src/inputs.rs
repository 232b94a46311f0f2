//! The command line's inputs as values of the flow's parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use catalog::{Type, Value};
use lang::plan::{FlowPlan, ParamPlan};

use crate::cli::StartArgs;
use crate::exit::{Exit, Problem};

/// The most bytes of an input document that are read.
const MAX_DOCUMENT: u64 = 64 << 20;

/// One value for each parameter of `flow`, in order.
pub(crate) fn read(args: &StartArgs, flow: &FlowPlan) -> Result<Vec<(String, Value)>, Problem> {
    let mut given = match &args.input_file {
        Some(path) => document(path, flow)?,
        None => BTreeMap::new(),
    };
    let mut named = BTreeSet::new();
    for input in &args.inputs {
        let (name, text) = input
            .split_once('=')
            .ok_or_else(|| Problem::usage(format!("`--input {input}` has no `=`")).help("write it as `--input name=value`"))?;
        let param = find(flow, name)?;
        if !named.insert(&*param.name) {
            return Err(Problem::usage(format!("`--input {}=…` is given twice", param.name))
                .help("give it once; a list is one value in JSON: `--input 'name=[\"a\", \"b\"]'`"));
        }
        let value = catalog::json::parse_argument(text, &param.ty).map_err(|error| mismatch(param, &error.to_string()))?;
        given.insert(param.name.to_string(), value);
    }
    flow.params.iter().map(|param| Ok((param.name.to_string(), complete(param, given.remove(&*param.name))?))).collect()
}

/// One value for each parameter of `flow`, in order, from the fields of a JSON object.
pub(crate) fn of_fields(
    fields: &serde_json::Map<String, serde_json::Value>,
    flow: &FlowPlan,
) -> Result<Vec<(String, Value)>, Problem> {
    let mut given = typed(fields, flow)?;
    flow.params.iter().map(|param| Ok((param.name.to_string(), complete(param, given.remove(&*param.name))?))).collect()
}

/// The value of a parameter: given, else its default; folders are made absolute.
fn complete(param: &ParamPlan, given: Option<Value>) -> Result<Value, Problem> {
    let value = match (given, &param.default) {
        (Some(value), _) => value,
        (None, Some(default)) => lang::eval::eval(default, &[]).map_err(|error| mismatch(param, &error.message))?,
        (None, None) if matches!(param.ty, Type::Option(_)) => Value::none(),
        (None, None) => {
            return Err(Problem::new(Exit::Input, format!("the parameter `{}: {}` is missing", param.name, param.ty))
                .help(format!("add `--input {}=…`", param.name)));
        }
    };
    match value {
        Value::Dir(path) => folder(param, &path),
        other => Ok(other),
    }
}

fn folder(param: &ParamPlan, path: &str) -> Result<Value, Problem> {
    let absolute = std::fs::canonicalize(path)
        .map_err(|error| mismatch(param, &format!("the folder `{path}` cannot be opened: {error}")))?;
    if !absolute.is_dir() {
        return Err(mismatch(param, &format!("`{path}` is not a folder")));
    }
    match absolute.to_str() {
        Some(text) => Ok(Value::Dir(text.into())),
        None => Err(mismatch(param, &format!("the path of the folder `{path}` is not UTF-8"))),
    }
}

fn find<'a>(flow: &'a FlowPlan, name: &str) -> Result<&'a ParamPlan, Problem> {
    let wanted = name.replace('-', "_");
    flow.params.iter().find(|param| *param.name == *wanted).ok_or_else(|| {
        let known: Vec<String> = flow.params.iter().map(|param| format!("`{}: {}`", param.name, param.ty)).collect();
        let help = if known.is_empty() { "it takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
        Problem::new(Exit::Input, format!("the flow `{}` has no parameter `{name}`", flow.name)).help(help)
    })
}

/// A document names parameters as the fields of one object.
fn document(path: &Path, flow: &FlowPlan) -> Result<BTreeMap<String, Value>, Problem> {
    let text = read_document(path)?;
    let wrong = |what: String| Problem::new(Exit::Input, format!("the input document `{}` {what}", path.display()));
    let document: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    let serde_json::Value::Object(fields) = document else {
        return Err(wrong("is not an object with one field for each parameter".to_owned()));
    };
    typed(&fields, flow)
}

fn typed(fields: &serde_json::Map<String, serde_json::Value>, flow: &FlowPlan) -> Result<BTreeMap<String, Value>, Problem> {
    let mut values = BTreeMap::new();
    for (name, field) in fields {
        let param = find(flow, name)?;
        let value = catalog::json::from_json(field, &param.ty).map_err(|error| mismatch(param, &error.to_string()))?;
        values.insert(param.name.to_string(), value);
    }
    Ok(values)
}

fn read_document(path: &Path) -> Result<String, Problem> {
    let failed =
        |error: std::io::Error| Problem::usage(format!("the input document `{}` cannot be read: {error}", path.display()));
    let mut text = String::new();
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(path).map_err(failed)?) };
    source.take(MAX_DOCUMENT + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_DOCUMENT {
        return Err(Problem::usage(format!("the input document `{}` is larger than {} MiB", path.display(), MAX_DOCUMENT >> 20)));
    }
    Ok(text)
}

fn mismatch(param: &ParamPlan, reason: &str) -> Problem {
    Problem::new(Exit::Input, format!("the input `{}` does not fit `{}`: {reason}", param.name, param.ty))
}
