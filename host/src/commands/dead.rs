//! `host dead`: what hosts could not handle, and sending it again.

use bus::nats::{Connection, DeadLetter, DeadLetters};
use serde_json::Value;

use crate::cli::{DeadCommand, Global};
use crate::cluster::worker;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output, columns};

/// So much of a reason is in the list.
const SHORT: usize = 80;

/// Lists, shows, or sends again.
pub(crate) fn run(output: Output, global: &Global, command: &DeadCommand) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let connection = worker::connect(&config)?;
    let letters = DeadLetters::open(&connection)?;
    let all = letters.list(&connection)?;
    match command {
        DeadCommand::List => output.document(&all.iter().map(document).collect(), || text(&all)),
        DeadCommand::Show { number } => {
            let letter = find(&all, *number)?;
            output.document(&document(letter), || whole(letter));
        }
        DeadCommand::Retry { number } => retry(output, &connection, &letters, find(&all, *number)?)?,
    }
    Ok(Exit::Done)
}

fn find(all: &[DeadLetter], number: u64) -> Result<&DeadLetter, Problem> {
    all.iter().find(|letter| letter.number == number).ok_or_else(|| {
        Problem::new(Exit::Store, format!("there is no dead letter {number}")).help("`host dead list` prints their numbers")
    })
}

fn retry(output: Output, connection: &Connection, letters: &DeadLetters, letter: &DeadLetter) -> Result<(), Problem> {
    letters.retry(connection, letter)?;
    output.document(&document(letter), || format!("sent again to {}", letter.subject));
    if letter.what == "task" {
        output.note("its run has been told that the attempt failed, and does not wait for it; `host retry RUN` runs it again");
    }
    Ok(())
}

fn document(letter: &DeadLetter) -> Value {
    let mut document = letter.document();
    if let Value::Object(fields) = &mut document {
        fields.insert("number".to_owned(), letter.number.into());
        fields.insert("at".to_owned(), output::time(letter.at).into());
    }
    document
}

fn text(all: &[DeadLetter]) -> String {
    if all.is_empty() {
        return "there are no dead letters".to_owned();
    }
    let line = |letter: &DeadLetter| {
        let why: String = letter.why.chars().take(SHORT).collect();
        [letter.number.to_string(), letter.what.clone(), output::time(letter.at), letter.attempts.to_string(), why]
    };
    columns(["NUMBER", "WHAT", "AT", "ATTEMPTS", "WHY"], all.iter().map(line)).trim_end().to_owned()
}

fn whole(letter: &DeadLetter) -> String {
    let DeadLetter { number, what, subject, why, at, attempts, payload } = letter;
    let at = output::time(*at);
    format!(
        "number    {number}\nwhat      {what}\nsubject   {subject}\nat        {at}\nattempts  {attempts}\nwhy       {why}\npayload   {payload}"
    )
}
