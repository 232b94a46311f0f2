//! Fakes of the engine's ports: an invoker that is a function, a clock that stands still, a vault that takes everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catalog::{FailureKind, Held, Hold, Value};
use engine::event::{Bill, Failure, Timestamp};
use engine::ports::{Bounds, Clock, Invocation, Invoker, Outcome, Vault};
use futures::future::BoxFuture;

/// Runs steps with a function.
pub struct FakeInvoker<F> {
    run: Arc<F>,
}

impl<F> FakeInvoker<F>
where
    F: Fn(Invocation) -> BoxFuture<'static, Result<Value, Failure>> + Send + Sync + 'static,
{
    /// An invoker that runs this for each attempt.
    pub fn new(run: F) -> Self {
        Self { run: Arc::new(run) }
    }
}

impl<F> Invoker for FakeInvoker<F>
where
    F: Fn(Invocation) -> BoxFuture<'static, Result<Value, Failure>> + Send + Sync + 'static,
{
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Outcome> {
        let result = (self.run)(invocation);
        Box::pin(async move { outcome(result.await) })
    }
}

/// An outcome with an empty bill.
#[must_use]
pub fn outcome(result: Result<Value, Failure>) -> Outcome {
    Outcome { bill: Bill { fuel: 1, ..Bill::default() }, ..Outcome::new(result) }
}

/// A failure with nothing but a kind and a message.
#[must_use]
pub fn failure(kind: FailureKind, message: &str) -> Failure {
    Failure { kind, message: message.to_owned(), details: None, retry_after: None }
}

/// A clock that goes on when it is told to.
#[derive(Debug, Default)]
pub struct FakeClock(AtomicU64);

impl FakeClock {
    /// Goes on by so many milliseconds.
    pub fn advance(&self, milliseconds: u64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A vault that holds each value that is collected, however small. A run must do the same with it and without.
#[derive(Debug, Default)]
pub struct EagerVault;

impl Vault for EagerVault {
    fn put(&self, value: Value) -> Value {
        held(value.whole())
    }

    fn bounds(&self) -> Bounds {
        Bounds { resident: 0, least: 0 }
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}

/// A value as one that is held elsewhere.
#[must_use]
pub fn held(value: Value) -> Value {
    Value::Held(Held::new(Arc::new(Kept(value))))
}

struct Kept(Value);

impl Hold for Kept {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn is_document(&self) -> bool {
        self.0.is_document()
    }

    fn open(&self) -> Value {
        self.0.clone()
    }
}
