//! One attempt: a store and an instance of its own, one call, an outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{FailureKind, Value};
use engine::event::{Bill, Failure};
use engine::ports::{Invocation, Invoker, Limits, Outcome};
use futures::future::BoxFuture;
use wasmtime::component::Val;
use wasmtime::{Store, StoreContextMut, Trap, UpdateDeadline};

use crate::convert::{self, Conversion, LiftError, lift, lower};
use crate::failure::{failure, from_error, from_trap, with_causes};
use crate::grants::Grants;
use crate::host::mail::Mail;
use crate::limits::{FUEL_SLICE, Meter};
use crate::load::{Prepared, Ready, Sandbox, Shared};
use crate::log::Log;
use crate::state::{AttemptInfo, State};

/// What a guest may hand to the host in one call, in bytes as the runtime counts them: for ordinary results and host
/// calls, and the most that the host's own memory should bear for one result.
const LEAST_HANDOVER: u64 = 16 << 20;
const MOST_HANDOVER: u64 = 512 << 20;

impl Invoker for Sandbox {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Outcome> {
        let shared = self.0.clone();
        Box::pin(async move {
            match Call::prepare(&shared, invocation) {
                Ok(call) => call.run().await,
                Err((failure, bytes_in)) => Outcome { bill: Bill { bytes_in, ..Bill::default() }, ..Outcome::new(Err(failure)) },
            }
        })
    }
}

/// An invocation that is ready to run.
struct Call {
    ready: Arc<Ready>,
    function: Arc<Prepared>,
    args: Vec<Val>,
    bytes_in: u64,
    limits: Limits,
    /// Whether it may wait for an agent, which is a guest too.
    may_ask: bool,
    state: State,
}

/// How a guest ended.
enum End {
    Returned(Option<Val>),
    Trapped(wasmtime::Error),
    TimedOut,
}

impl Call {
    /// Everything that can go wrong before a guest is started.
    fn prepare(shared: &Shared, invocation: Invocation) -> Result<Self, (Failure, u64)> {
        let bytes_in = invocation.args.iter().map(Value::size).fold(0, u64::saturating_add);
        Self::try_prepare(shared, invocation, bytes_in).map_err(|failure| (failure, bytes_in))
    }

    fn try_prepare(shared: &Shared, invocation: Invocation, bytes_in: u64) -> Result<Self, Failure> {
        let Invocation { function: callee, args, grants, limits, idempotency_key, number, previous_failure, asking } = invocation;
        let Some(ready) = shared.ready(callee.component) else {
            return Err(failure(FailureKind::Dependency, format!("the component {} is not loaded", callee.component)));
        };
        let function = ready.function(&callee).map_err(|misfit| {
            failure(FailureKind::Dependency, format!("the function `{}` cannot be called: {}", callee.wit_name, misfit.0))
        })?;
        let grants = Grants::new(&grants);
        grants.check_folders().map_err(|(path, reason)| {
            failure(FailureKind::Dependency, format!("the granted folder `{path}` cannot be opened: {reason}"))
        })?;
        let may_ask = asking.is_some() && grants.may_ask();
        let args = lower_args(&function, &args, &grants)?;
        let meter = Meter::new(&limits, shared.config.max_memory, shared.config.max_table_elements);
        let attempt = AttemptInfo { idempotency_key, number, previous_failure };
        let log = Log::new(limits.log_size);
        let state = State::new(meter, grants, attempt, Mail::new(asking, &limits), limits.fuel, log);
        Ok(Self { ready, function, args, bytes_in, limits, may_ask, state })
    }

    async fn run(self) -> Outcome {
        let Self { ready, function, args, bytes_in, limits, may_ask, mut state } = self;
        let _places = ready.places.take(ready.weight, may_ask).await;
        let start = Instant::now();
        state.mail.begin(start);
        let mut store = new_store(&ready, &function, &limits, state);
        let end = match tokio::time::timeout(limits.timeout, call(&mut store, &ready, &function, &args)).await {
            Ok(Ok(val)) => End::Returned(val),
            Ok(Err(error)) => End::Trapped(error),
            Err(_) => End::TimedOut,
        };
        let left = store.get_fuel().unwrap_or(0);
        let wall = start.elapsed();
        let state = store.into_data();
        let trapped = !matches!(end, End::Returned(_));
        let denied = state.denials.take();
        let result =
            conclude(end, &function, &limits, &state.meter).map_err(|failed| with_causes(failed, trapped, &state.meter, &denied));
        let bill = Bill {
            fuel: limits.fuel.saturating_sub(left).saturating_add(state.uncharged_fuel()),
            peak_memory: state.meter.peak_memory,
            wall: micros(wall),
            host_calls: state.host_calls,
            bytes_in,
            bytes_out: result.as_ref().map_or(0, Value::size),
            attempts: 0,
        };
        let is_ok = result.is_ok();
        Outcome {
            bill,
            denials: denied.iter().map(crate::denials::Denied::event).collect(),
            log: state.log.take(),
            posted: if is_ok { state.mail.posted } else { Vec::new() },
            ..Outcome::new(result)
        }
    }
}

fn lower_args(function: &Prepared, args: &[Value], grants: &Grants) -> Result<Vec<Val>, Failure> {
    if args.len() != function.params.len() {
        let message = format!("{} arguments were given for {} parameters", args.len(), function.params.len());
        return Err(failure(FailureKind::InvalidInput, message));
    }
    let mut lowered = Vec::with_capacity(args.len());
    for (index, (conversion, value)) in function.params.iter().zip(args).enumerate() {
        lowered.push(lower(conversion, value, grants).map_err(|error| {
            failure(FailureKind::InvalidInput, format!("in the argument `{}`: {}", function.param_name(index), error.0))
        })?);
    }
    Ok(lowered)
}

fn new_store(ready: &Ready, function: &Prepared, limits: &Limits, state: State) -> Store<State> {
    let mut store = Store::new(ready.pre.engine(), state);
    store.limiter(|state| &mut state.meter);
    // These only fail in engines without fuel.
    let _ = store.fuel_async_yield_interval(Some(FUEL_SLICE));
    let _ = store.set_fuel(limits.fuel);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| give_way(&store));
    let per_byte = if function.has_bytes { size_of::<Val>() as u64 } else { 5 };
    let handover = limits.result_size.saturating_mul(per_byte).clamp(LEAST_HANDOVER, MOST_HANDOVER);
    store.set_hostcall_fuel(usize::try_from(handover).unwrap_or(usize::MAX));
    store
}

/// At each tick: lets other tasks run, and ends a guest that floods the host with calls.
fn give_way(store: &StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data();
    let used = state.fuel_limit.saturating_sub(store.get_fuel()?);
    if used.saturating_add(state.uncharged_fuel()) > state.fuel_limit {
        return Err(Trap::OutOfFuel.into());
    }
    Ok(UpdateDeadline::Yield(1))
}

async fn call(store: &mut Store<State>, ready: &Ready, function: &Prepared, args: &[Val]) -> wasmtime::Result<Option<Val>> {
    let instance = ready.pre.instantiate_async(&mut *store).await?;
    let Some(func) = instance.get_func(&mut *store, function.export) else {
        return Err(wasmtime::format_err!("the component has no such function"));
    };
    if function.result.is_none() {
        func.call_async(store, args, &mut []).await?;
        return Ok(None);
    }
    let mut results = [convert::empty()];
    func.call_async(store, args, &mut results).await?;
    let [result] = results;
    Ok(Some(result))
}

/// The step's value with a top-level result unwrapped, or why there is none.
fn conclude(end: End, function: &Prepared, limits: &Limits, meter: &Meter) -> Result<Value, Failure> {
    let val = match end {
        End::Returned(val) => val,
        End::Trapped(error) => return Err(from_trap(&error, meter)),
        End::TimedOut => {
            return Err(failure(FailureKind::Timeout, format!("the component ran longer than {:?}", limits.timeout)));
        }
    };
    let mut room = limits.result_size;
    let mut convert = |conversion: Option<&Conversion>, val: Option<Val>| match (conversion, val) {
        (Some(conversion), Some(val)) => lift(conversion, val, &mut room).map_err(|error| unlifted(&error, limits)),
        _ => Ok(Value::Unit),
    };
    let value = match (&function.result, val) {
        (Some(Conversion::Result(ok, _)), Some(Val::Result(Ok(val)))) => convert(ok.as_deref(), val.map(|val| *val))?,
        (Some(Conversion::Result(_, err)), Some(Val::Result(Err(val)))) => {
            let error = val.map(|val| convert(err.as_deref(), Some(*val))).transpose()?;
            return Err(from_error(function.error_shape, error.as_ref()));
        }
        (conversion, val) => convert(conversion.as_ref(), val)?,
    };
    if value.size() > limits.result_size {
        return Err(unlifted(&LiftError::TooLarge, limits));
    }
    Ok(value)
}

fn unlifted(error: &LiftError, limits: &Limits) -> Failure {
    match error {
        LiftError::TooLarge => {
            failure(FailureKind::Resource, format!("the result is larger than its limit of {} bytes", limits.result_size))
        }
        LiftError::NotJson(reason) => {
            failure(FailureKind::Internal, format!("the component returned text that is not JSON: {reason}"))
        }
        LiftError::Unexpected => failure(FailureKind::Internal, "the component returned a value of another type than it states"),
    }
}

fn micros(wall: Duration) -> u64 {
    u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)
}
