//! Reports about steps that a human has to decide about: what they say, and how they are sent.

mod courier;
mod post;
mod report;
mod tls;

pub(crate) use courier::{Courier, undelivered};
pub(crate) use post::Target;
pub(crate) use report::{amounts, commands, document};
