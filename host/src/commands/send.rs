//! `host send`: a message from outside.

use engine::core::mail::{MAX_PAYLOAD, check_topic};
use engine::ports::{MailStore, MailWrite, Message};
use serde_json::json;

use crate::cli::{Global, SendArgs};
use crate::commands::{run, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::trace;

/// Puts the message into the inbox of each run that waits on its topic.
pub(crate) fn run(output: Output, global: &Global, args: &SendArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    check_topic(&args.topic).map_err(Problem::usage)?;
    let payload = args.value.as_deref().unwrap_or("null");
    if payload.len() > MAX_PAYLOAD {
        return Err(Problem::new(
            Exit::Input,
            format!("the message has {} bytes, at most {MAX_PAYLOAD} can be sent", payload.len()),
        ));
    }
    catalog::json::parse_document(payload).map_err(|error| {
        Problem::new(Exit::Input, format!("`{payload}` is not JSON: {error}")).help("write a text as `'\"text\"'`")
    })?;
    // A store that was never made has no runs that could wait.
    drop(session::open_reader(&config)?);
    let journal = session::open_store(&config, None)?;
    let id = run::new_id().0;
    let message = Message { topic: args.topic.as_str().into(), id: id.clone(), payload: payload.into(), trace: trace::given() };
    futures::executor::block_on(journal.write_mail(MailWrite::Publish(message)))?;
    output.document(&json!({ "topic": args.topic, "id": &*id }), String::new);
    Ok(Exit::Done)
}
