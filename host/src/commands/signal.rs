//! `host signal`: gives a run a signal through its inbox, where its owner finds it.

use engine::core::mail::{self, MAX_KEPT, SignalError};
use engine::ports::{MailStore, MailWrite, Signal};
use journal::{RunRow, SqliteJournal};
use lang::plan::Plan;
use serde_json::json;

use crate::cli::{Global, SignalArgs};
use crate::commands::{run, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::program;
use crate::stored::StoredRun;

/// Checks the signal against the run's plan and puts it into the inbox.
pub(crate) fn run(output: Output, global: &Global, args: &SignalArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let row = session::open_reader(&config)?.find(&args.run)?;
    if row.status.is_end() {
        return Err(Problem::usage(format!("run `{}` has ended", row.id)).help(format!("`host show {}` prints how", row.id)));
    }
    let journal = session::open_store(&config, None)?;
    send(&journal, &row, &args.name, args.value.as_deref())?;
    output.document(&json!({ "run": &*row.id.0, "signal": args.name }), String::new);
    output.note(&format!(
        "the signal `{}` is kept for run {}; where it does not run now, go on with `host resume {}`",
        args.name, row.id, row.id
    ));
    Ok(Exit::Done)
}

/// Puts a signal into the inbox of a run, if the run waits for such a one.
pub(crate) fn send(journal: &SqliteJournal, row: &RunRow, name: &str, value: Option<&str>) -> Result<(), Problem> {
    let stored = StoredRun::outline(journal, &row.id)?;
    let plan = program::plan(&program::unpack(journal, stored.version().program)?)?;
    let payload = check(&plan, name, value)?;
    if journal.letters(&row.id, 0, MAX_KEPT)?.len() >= MAX_KEPT {
        return Err(Problem::new(Exit::Input, SignalError::Full.to_string()));
    }
    let signal = Signal { name: name.into(), id: run::new_id().0, payload: payload.into() };
    Ok(futures::executor::block_on(journal.write_mail(MailWrite::Signal(row.id.clone(), signal)))?)
}

/// The JSON text of what a signal carries, if the plan waits for such a one.
pub(crate) fn check(plan: &Plan, name: &str, value: Option<&str>) -> Result<String, Problem> {
    let signals = mail::signals(plan);
    let text = value.unwrap_or("null");
    mail::check_signal(&signals, name, text).map_err(|error| {
        let problem = Problem::new(Exit::Input, error.to_string());
        match (&error, signals.get(name)) {
            (SignalError::Payload { .. }, Some(ty)) => problem.help(format!("such as `{name} {}`", example(ty))),
            _ => problem,
        }
    })?;
    Ok(text.to_owned())
}

/// Something that a signal of this type may carry, as it is written in a shell.
pub(crate) fn example(ty: &catalog::Type) -> String {
    use catalog::Type;
    match ty {
        Type::Unit => String::new(),
        Type::Bool => "true".to_owned(),
        Type::String | Type::Char => "'\"…\"'".to_owned(),
        Type::Duration => "'\"10m\"'".to_owned(),
        Type::F32 | Type::F64 => "0.5".to_owned(),
        number if number.is_number() => "1".to_owned(),
        Type::List(_) | Type::Tuple(_) => "'[…]'".to_owned(),
        Type::Enum(cases) => format!("'\"{}\"'", cases.cases.first().map_or("…", |case| &**case)),
        _ => "'{…}'".to_owned(),
    }
}
