//! What belongs to one attempt while its guest runs.

use std::sync::Arc;

use engine::event::Failure;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::denials::Denials;
use crate::grants::Grants;
use crate::host::http::Gate;
use crate::host::mail::Mail;
use crate::limits::{FUEL_PER_HOST_CALL, Meter};
use crate::log::Log;

/// How many host objects (open files, streams, timers) a guest may hold.
const MAX_RESOURCES: usize = 10_000;

/// The data of an attempt's store.
pub(crate) struct State {
    pub(crate) meter: Meter,
    pub(crate) grants: Grants,
    pub(crate) attempt: AttemptInfo,
    /// Units of fuel that the attempt may use.
    pub(crate) fuel_limit: u64,
    pub(crate) log: Log,
    /// Calls of host functions.
    pub(crate) host_calls: u64,
    /// Those among them whose fuel was not taken when they were made.
    pub(crate) uncharged_calls: u64,
    pub(crate) denials: Denials,
    pub(crate) mail: Mail,
    table: ResourceTable,
    /// Made when the guest first asks for anything of WASI: most guests never do.
    wasi: Option<WasiCtx>,
    http: Option<Box<(WasiHttpCtx, Gate)>>,
}

/// What a guest can learn about its attempt.
pub(crate) struct AttemptInfo {
    pub(crate) idempotency_key: Arc<str>,
    pub(crate) number: u32,
    pub(crate) previous_failure: Option<Failure>,
}

impl State {
    pub(crate) fn new(meter: Meter, grants: Grants, attempt: AttemptInfo, mail: Mail, fuel_limit: u64, log: Log) -> Self {
        Self {
            meter,
            grants,
            attempt,
            fuel_limit,
            log,
            host_calls: 0,
            uncharged_calls: 0,
            denials: Denials::default(),
            mail,
            table: ResourceTable::new(),
            wasi: None,
            http: None,
        }
    }

    /// Counts a call of a host function.
    pub(crate) fn called(&mut self) -> &mut Self {
        self.host_calls = self.host_calls.saturating_add(1);
        self.uncharged_calls = self.uncharged_calls.saturating_add(1);
        self
    }

    /// The fuel that calls of host functions are still to be charged.
    pub(crate) fn uncharged_fuel(&self) -> u64 {
        self.uncharged_calls.saturating_mul(FUEL_PER_HOST_CALL)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| {
            self.table.set_max_capacity(MAX_RESOURCES);
            self.grants.wasi(&self.log)
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let http = self.http.get_or_insert_with(|| {
            self.table.set_max_capacity(MAX_RESOURCES);
            Box::new((WasiHttpCtx::new(), Gate::new(self.grants.hosts(), self.denials.clone())))
        });
        let (ctx, gate) = &mut **http;
        WasiHttpCtxView { hooks: gate, table: &mut self.table, ctx }
    }
}
