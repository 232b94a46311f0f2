//! Loads guests and calls their functions.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{FailureKind, Value, decode};
use engine::event::Failure;
use engine::ports::{Callee, GrantedCapability, Invocation, Invoker, Limits, Outcome};
use sandbox::{Sandbox, SandboxConfig};

/// The bytes of a guest.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests").join(name).with_extension("wat");
    wat::parse_file(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// A sandbox with few places, which starts quickly.
pub(crate) fn small_sandbox() -> Sandbox {
    Sandbox::new(SandboxConfig { pool_instances: 8, ..SandboxConfig::default() }).unwrap()
}

/// A function of a guest with what its next call gets.
pub(crate) struct Subject {
    pub(crate) sandbox: Sandbox,
    pub(crate) invocation: Invocation,
}

impl Subject {
    /// A function of a component, in a sandbox of its own.
    pub(crate) fn new(bytes: &[u8], function: &str) -> Self {
        Self::within(small_sandbox(), bytes, function)
    }

    pub(crate) fn within(sandbox: Sandbox, bytes: &[u8], function: &str) -> Self {
        sandbox.load(bytes).unwrap();
        let component = decode(bytes).unwrap();
        let found = component.find(None, function).next().unwrap_or_else(|| panic!("no function `{function}`"));
        let signature = found.signature.clone().unwrap();
        let callee = Callee {
            component: component.digest,
            interface: found.interface.clone(),
            wit_name: found.wit_name.clone(),
            params: signature.params,
            result: signature.result,
        };
        let invocation = Invocation {
            function: Arc::new(callee),
            args: Vec::new(),
            grants: Vec::new(),
            limits: Limits { timeout: Duration::from_secs(20), ..Limits::default() },
            idempotency_key: "run/path".into(),
            number: 1,
            previous_failure: None,
            asking: None,
        };
        Self { sandbox, invocation }
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = Value>) -> Self {
        self.invocation.args = args.into_iter().collect();
        self
    }

    pub(crate) fn grant(mut self, capability: GrantedCapability) -> Self {
        self.invocation.grants.push(capability);
        self
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.invocation.limits);
        self
    }

    pub(crate) fn run(&self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.sandbox.invoke(self.invocation.clone()))
    }

    /// Runs it; it must fail with this kind, and the message must contain this.
    pub(crate) fn fails(&self, kind: FailureKind, part: &str) -> (Failure, Outcome) {
        let outcome = self.run();
        let failure = outcome.result.clone().expect_err("it should fail");
        assert_eq!(failure.kind, kind, "{failure:?}");
        assert!(failure.message.contains(part), "`{part}` is not in: {}", failure.message);
        (failure, outcome)
    }

    pub(crate) fn value(&self) -> Value {
        self.run().result.unwrap()
    }
}

/// Runs something that must not take long.
pub(crate) fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    assert!(took < limit, "it took {took:?}, and {limit:?} are allowed");
    result
}
