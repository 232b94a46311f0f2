//! `host escalations`: steps that failed and wait for a human, with the commands that decide.

use journal::{Delivery, EscalationRow};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::commands::selection;
use crate::config::Config;
use crate::escalation::{self, amounts, commands, undelivered};
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// Lists what is open. A store that was never made has nothing.
pub(crate) fn run(output: Output, global: &Global) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let (mut open, mut unsent) = (Vec::new(), Vec::new());
    if let Some(reader) = selection::store(&config)? {
        (open, unsent) = (reader.escalations()?, reader.unsent()?);
    }
    let document = open.iter().map(document).collect();
    output.document(&Value::Array(document), || text(&open));
    let listed = |row: &EscalationRow| open.iter().any(|open| open.run == row.run && open.seq == row.seq);
    for row in unsent.iter().filter(|row| !listed(row)) {
        output.note(&undelivered(row));
    }
    Ok(Exit::Done)
}

fn document(row: &EscalationRow) -> Value {
    let mut document = escalation::document(row);
    if let Value::Object(fields) = &mut document {
        let delivery = row.delivery.as_ref().map(|Delivery { attempts, due, error, sent }| {
            let due = sent.is_none().then(|| output::time(*due));
            json!({ "attempts": attempts, "due": due, "error": error, "sent": sent.map(output::time) })
        });
        fields.insert("delivery".into(), delivery.unwrap_or(Value::Null));
    }
    document
}

fn text(open: &[EscalationRow]) -> String {
    if open.is_empty() {
        return "nothing is escalated".to_owned();
    }
    open.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(row: &EscalationRow) -> String {
    let escalation = &row.escalation;
    let (attempt, failure) = (&escalation.attempt, &escalation.failure);
    let mut text = format!(
        "run {} ({}), step {} `{}`: {}: {}\n  since    {}\n",
        row.run,
        row.flow,
        attempt.task.0,
        attempt.path,
        failure.kind,
        failure.message,
        output::time(row.at)
    );
    for tried in &escalation.tried {
        let limits = amounts(&tried.limits);
        let with = if limits.is_empty() { String::new() } else { format!(" with {limits}") };
        text.push_str(&format!(
            "  tried    {} for the {}{with}: {}: {}\n",
            tried.number,
            tried.by.name(),
            tried.kind,
            tried.message
        ));
    }
    if !escalation.paused.is_empty() {
        let paused: Vec<&str> = escalation.paused.iter().map(|path| &**path).collect();
        text.push_str(&format!("  paused   {}\n", paused.join(", ")));
    }
    text.push_str(&format!("  report   {}\n", report(row)));
    for (command, what) in commands(&row.run.0, attempt.task) {
        text.push_str(&format!("  decide   {command}   # {what}\n"));
    }
    text
}

fn report(row: &EscalationRow) -> String {
    match &row.delivery {
        None => "is not sent: no webhook was configured".to_owned(),
        Some(Delivery { sent: Some(sent), .. }) => format!("was delivered at {}", output::time(*sent)),
        Some(Delivery { attempts: 0, .. }) => "is being sent".to_owned(),
        Some(Delivery { attempts, due, error, .. }) => {
            let error = error.as_deref().unwrap_or("unknown");
            format!("was sent {attempts} times in vain ({error}), and is sent again from {} on", output::time(*due))
        }
    }
}
