//! The interfaces of `flowhost:plugin@0.1.0`: attempt, log and progress.

use catalog::FailureKind;
use engine::event::Failure;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Val};

use crate::limits::FUEL_PER_HOST_CALL;
use crate::state::State;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    // Types only; a component that imports it wants to see it.
    linker.instance("flowhost:plugin/failure@0.1.0")?;
    linker.instance("flowhost:plugin/attempt@0.1.0")?.func_new("current", |store, _, _, results| current(store, results))?;
    linker.instance("flowhost:plugin/log@0.1.0")?.func_new("write", |store, _, params, _| write(store, params))?;
    linker.instance("flowhost:plugin/progress@0.1.0")?.func_new("report", |store, _, params, _| report(store, params))
}

fn current(mut store: StoreContextMut<'_, State>, results: &mut [Val]) -> wasmtime::Result<()> {
    charge(&mut store)?;
    let attempt = &store.data().attempt;
    let previous = attempt.previous_failure.as_ref().map(|failure| Box::new(failure_record(failure)));
    let info = Val::Record(vec![
        field("idempotency-key", Val::String(attempt.idempotency_key.to_string())),
        field("number", Val::U32(attempt.number)),
        field("previous-failure", Val::Option(previous)),
    ]);
    let [result] = results else { return Err(misfit("attempt.current")) };
    *result = info;
    Ok(())
}

fn write(mut store: StoreContextMut<'_, State>, params: &[Val]) -> wasmtime::Result<()> {
    charge(&mut store)?;
    let [Val::Enum(level), Val::String(message)] = params else { return Err(misfit("log.write")) };
    store.data().log.line(level, message);
    Ok(())
}

fn report(mut store: StoreContextMut<'_, State>, params: &[Val]) -> wasmtime::Result<()> {
    charge(&mut store)?;
    let [Val::Option(percent), Val::String(note)] = params else { return Err(misfit("progress.report")) };
    let text = match percent.as_deref() {
        Some(Val::U8(percent)) => format!("{}% {note}", percent.min(&100)),
        _ => note.clone(),
    };
    store.data().log.line("progress", &text);
    Ok(())
}

/// Counts the call, and takes its fuel at once.
pub(super) fn charge(store: &mut StoreContextMut<'_, State>) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.checked_sub(FUEL_PER_HOST_CALL).ok_or(wasmtime::Trap::OutOfFuel)?;
    let state = store.data_mut();
    state.host_calls = state.host_calls.saturating_add(1);
    store.set_fuel(left)
}

/// The record that guests know as `failure`.
pub(super) fn failure_record(failure: &Failure) -> Val {
    let details = failure.details.as_ref().map(|details| Box::new(Val::String(details.to_string())));
    let retry_after = failure.retry_after.map(|millis| Box::new(Val::U64(millis.saturating_mul(1_000_000))));
    Val::Record(vec![
        field("kind", Val::Enum(kind_name(failure.kind))),
        field("message", Val::String(failure.message.clone())),
        field("details", Val::Option(details)),
        field("retry-after", Val::Option(retry_after)),
    ])
}

fn kind_name(kind: FailureKind) -> String {
    kind.name().replace('_', "-")
}

pub(super) fn field(name: &str, value: Val) -> (String, Val) {
    (name.to_owned(), value)
}

pub(super) fn misfit(function: &str) -> wasmtime::Error {
    wasmtime::format_err!("the component calls `{function}` with other types than the host's")
}
