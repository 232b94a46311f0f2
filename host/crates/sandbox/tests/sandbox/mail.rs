//! Guests that ask agents, which are guests of the same sandbox.

use std::sync::Arc;

use catalog::{Name, Value};
use engine::event::Failure;
use engine::ports::{Asking, GrantedCapability, Inquiry, Invocation, Invoker, Message, Outcome};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use lang::plan::MailUse;
use sandbox::{Sandbox, SandboxConfig};

use crate::support::{Subject, guest};

/// Answers every question with what a guest returns.
#[derive(Debug)]
struct Agent {
    sandbox: Sandbox,
    invocation: Invocation,
}

impl Asking for Agent {
    fn ask(&self, inquiry: Inquiry) -> BoxFuture<'static, Outcome> {
        self.sandbox.invoke(Invocation { limits: inquiry.limits, ..self.invocation.clone() })
    }

    fn receive(&self, _topic: Name) -> BoxFuture<'static, Result<Option<Message>, Failure>> {
        ready(Ok(None)).boxed()
    }
}

/// Twice as many guests as there are places ask this agent at once; all of them get an answer.
fn all_are_answered(places: u32, agent: Subject) {
    let mut ask =
        Subject::within(agent.sandbox.clone(), &guest("ask"), "run").grant(GrantedCapability::Mail(MailUse::Ask, "agent".into()));
    ask.invocation.asking = Some(Arc::new(Agent { sandbox: agent.sandbox, invocation: agent.invocation }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let calls: Vec<_> = (0..2 * places).map(|_| tokio::spawn(ask.sandbox.invoke(ask.invocation.clone()))).collect();
        for call in calls {
            assert_eq!(call.await.unwrap().result.unwrap(), Value::Unit);
        }
    });
}

fn pool(places: u32) -> Sandbox {
    Sandbox::new(SandboxConfig { pool_instances: places, ..SandboxConfig::default() }).unwrap()
}

#[test]
fn guests_that_ask_leave_a_place_for_the_agent() {
    let agent = Subject::within(pool(2), &guest("echo"), "number").args([Value::U64(7)]);
    all_are_answered(2, agent);
}

#[test]
fn guests_that_ask_leave_places_for_the_largest_agent() {
    let agent = Subject::within(pool(10), &guest("eight_memories"), "run");
    all_are_answered(10, agent);
}
