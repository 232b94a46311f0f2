//! `host hook`: hooks around all runs, handled by programs that listen on the cluster.

use bus::nats::{Connection, HookBook, HookCall, HookLog, HookRule, NatsHooks};
use catalog::duration;
use lang::plan::HookPhase;
use serde_json::{Value, json};

use crate::cli::{Global, HookAddArgs, HookArgs, HookCommand};
use crate::config::{Config, HookConfig};
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// Carries out a command.
pub(crate) fn run(output: Output, global: &Global, args: &HookArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let connection = connect(&config)?;
    match &args.command {
        HookCommand::Add(args) => add(output, &connection, args),
        HookCommand::List => list(output, &config, &connection),
        HookCommand::Remove { name } => remove(output, &config, &connection, name),
        HookCommand::Log { name, limit } => log(output, &connection, name.as_deref(), *limit),
    }
}

fn connect(config: &Config) -> Result<Connection, Problem> {
    let Some(settings) = config.nats.settings(&config.folder)? else {
        let help = "write `[nats]` with `url = \"nats://…\"`, or give `--nats`; a flow has hooks of its own without them";
        return Err(Problem::usage("these hooks are handled over NATS, and no servers are named").help(help));
    };
    Connection::open(&settings).map_err(|error| Problem::new(Exit::Store, error.to_string()))
}

fn add(output: Output, connection: &Connection, args: &HookAddArgs) -> Result<Exit, Problem> {
    let HookAddArgs { name, before, after, on, timeout, default } = args;
    let (name, before, after) = (name.clone(), before.clone(), after.clone());
    let written = HookConfig { name, before, after, on: on.clone(), timeout: timeout.clone(), default: default.clone() };
    let rule = written.rule()?;
    HookBook::new(connection).add(&rule)?;
    output
        .document(&document(&rule, "added"), || format!("the hook `{}` is around runs that are prepared from now on", rule.name));
    Ok(Exit::Done)
}

fn list(output: Output, config: &Config, connection: &Connection) -> Result<Exit, Problem> {
    let mut rules = Vec::new();
    for hook in &config.hooks {
        rules.push((hook.rule()?, "configuration"));
    }
    for added in HookBook::new(connection).list()? {
        // The configuration decides where both have a name.
        let by = if rules.iter().any(|(rule, _)| rule.name == added.name) { "added, without effect" } else { "added" };
        rules.push((added, by));
    }
    let documents: Vec<Value> = rules.iter().map(|(rule, by)| document(rule, by)).collect();
    output.document(&Value::from(documents), || {
        let line = |(rule, by): &(HookRule, &str)| {
            let (timeout, default) = limits(rule);
            let when = format!("{} {}", rule.phase_name(), rule.event_name());
            [rule.name.clone(), when, rule.on.clone().unwrap_or_default(), timeout, default.to_owned(), (*by).to_owned()]
        };
        let head = ["NAME", "WHEN", "ON", "TIMEOUT", "DEFAULT", "FROM"];
        output::columns(head, rules.iter().map(line)).trim_end().to_owned()
    });
    Ok(Exit::Done)
}

fn remove(output: Output, config: &Config, connection: &Connection, name: &str) -> Result<Exit, Problem> {
    if !HookBook::new(connection).remove(name)? {
        let mut problem = Problem::usage(format!("no hook `{name}` was added"));
        if config.hooks.iter().any(|hook| hook.name == name) {
            problem = problem.help("it stands in the configuration: remove it there");
        }
        return Err(problem);
    }
    output.document(&json!({ "name": name, "removed": true }), || format!("the hook `{name}` is removed"));
    Ok(Exit::Done)
}

fn log(output: Output, connection: &Connection, name: Option<&str>, limit: usize) -> Result<Exit, Problem> {
    NatsHooks::open(connection)?;
    let calls = HookLog::last(connection, name, limit)?;
    let documents: Vec<Value> = calls.iter().map(HookCall::document).collect();
    output.document(&Value::from(documents), || {
        let line = |call: &HookCall| {
            [
                output::time(call.at),
                call.hook.clone(),
                format!("{} {}", call.phase, call.event),
                format!("{}/{}", call.run, call.path),
                call.attempt.to_string(),
                format!("{} ms", call.millis),
                call.outcome.clone(),
                call.reason.clone().unwrap_or_default(),
            ]
        };
        let head = ["AT", "NAME", "WHEN", "STEP", "TRY", "TOOK", "OUTCOME", "WHY"];
        output::columns(head, calls.iter().map(line)).trim_end().to_owned()
    });
    Ok(Exit::Done)
}

/// How long a handler may take, and what holds without its answer.
fn limits(rule: &HookRule) -> (String, &'static str) {
    if rule.phase == HookPhase::After {
        return (String::new(), "");
    }
    let nanos = u64::try_from(rule.timeout.as_nanos()).unwrap_or(u64::MAX);
    (duration::display(nanos).to_string(), if rule.lenient { "allow" } else { "veto" })
}

fn document(rule: &HookRule, by: &str) -> Value {
    let (timeout, default) = limits(rule);
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "name": rule.name,
        "phase": rule.phase_name(),
        "event": rule.event_name(),
        "on": rule.on,
        "timeout": given(&timeout),
        "default": given(default),
        "from": by,
    })
}
