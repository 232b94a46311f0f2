//! Components that are ready to be invoked.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use catalog::{Digest, Type};
use engine::ports::Callee;
use sha2::Digest as _;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};
use wasmtime::{Cache, Engine};

use crate::config::{self, MAX_MEMORIES, SandboxConfig, engine_config};
use crate::convert::{Conversion, Misfit};
use crate::error::SandboxError;
use crate::failure::ErrorShape;
use crate::places::Places;
use crate::state::State;
use crate::{host, ticker};

/// Runs functions of components. Clones share everything.
#[derive(Clone)]
pub struct Sandbox(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) config: SandboxConfig,
    cache: Option<Cache>,
    /// For components without async features: their calls cost a third less.
    plain: OnceLock<Runtime>,
    /// For the others. Each is made when the first component for it is loaded: it reserves address space for all its guests.
    concurrent: OnceLock<Runtime>,
    components: RwLock<HashMap<Digest, Arc<Ready>>>,
    /// One component is loaded at a time: compiling one uses all processors already.
    loading: Mutex<()>,
}

/// An engine with what is linked in it.
struct Runtime {
    engine: Engine,
    linker: Linker<State>,
    places: Arc<Places>,
}

/// A component that is linked.
pub(crate) struct Ready {
    pub(crate) pre: InstancePre<State>,
    /// Places of the pool, one for each memory or four tables.
    pub(crate) places: Arc<Places>,
    pub(crate) weight: u32,
    /// By the function's WIT name. Only looked up, never iterated over.
    functions: RwLock<HashMap<String, Vec<Arc<Prepared>>>>,
}

/// A function whose conversions are prepared.
pub(crate) struct Prepared {
    callee: Arc<Callee>,
    pub(crate) export: ComponentExportIndex,
    pub(crate) params: Vec<Conversion>,
    pub(crate) result: Option<Conversion>,
    pub(crate) error_shape: ErrorShape,
    /// Whether the result holds a `list<u8>`, which the runtime hands over at many bytes for one.
    pub(crate) has_bytes: bool,
}

/// A component that was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Of its bytes.
    pub digest: Digest,
    /// Where its code came from.
    pub origin: Origin,
}

/// Where a component's code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was compiled just now.
    Compiled,
    /// From the cache on disk.
    Cache,
    /// It was loaded before.
    Memory,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A sandbox without components. Costs little before the first is loaded.
    ///
    /// # Errors
    /// [`SandboxError::Cache`].
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let cache = config::cache(&config)?;
        Ok(Self(Arc::new(Shared {
            config,
            cache,
            plain: OnceLock::new(),
            concurrent: OnceLock::new(),
            components: RwLock::default(),
            loading: Mutex::default(),
        })))
    }

    /// Compiles a component, or takes its code from the cache, and links it. Blocks; small components take some
    /// milliseconds, those with a language runtime inside take seconds.
    ///
    /// # Errors
    /// The bytes do not compile, or import what the host does not offer, or need more than one attempt may have.
    pub fn load(&self, bytes: &[u8]) -> Result<Loaded, SandboxError> {
        let digest = Digest(sha2::Sha256::digest(bytes).into());
        let _one_at_a_time = self.0.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_loaded(digest) {
            return Ok(Loaded { digest, origin: Origin::Memory });
        }
        let hits = self.0.cache_hits();
        let ready = self.0.compile(bytes)?;
        let origin = if self.0.cache_hits() > hits { Origin::Cache } else { Origin::Compiled };
        self.0.components.write().unwrap_or_else(PoisonError::into_inner).insert(digest, Arc::new(ready));
        Ok(Loaded { digest, origin })
    }

    /// Whether a component can be invoked.
    #[must_use]
    pub fn is_loaded(&self, digest: Digest) -> bool {
        self.0.ready(digest).is_some()
    }
}

impl Shared {
    pub(crate) fn ready(&self, digest: Digest) -> Option<Arc<Ready>> {
        self.components.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned()
    }

    fn cache_hits(&self) -> usize {
        self.cache.as_ref().map_or(0, Cache::cache_hits)
    }

    fn compile(&self, bytes: &[u8]) -> Result<Ready, SandboxError> {
        // Whoever uses async features does not validate in the plain engine, long before it would be compiled.
        let plain = self.runtime(&self.plain, false)?;
        match Component::new(&plain.engine, bytes) {
            Ok(component) => return plain.link(&component, &self.config),
            Err(error) => too_large(&error)?,
        }
        let runtime = self.runtime(&self.concurrent, true)?;
        let component =
            Component::new(&runtime.engine, bytes).map_err(|error| SandboxError::Compile(error.root_cause().to_string()))?;
        runtime.link(&component, &self.config)
    }

    /// The runtime of a kind, made when it is first asked for. Components are loaded one at a time, so two never make it at once.
    fn runtime<'a>(&self, made: &'a OnceLock<Runtime>, concurrent: bool) -> Result<&'a Runtime, SandboxError> {
        if let Some(runtime) = made.get() {
            return Ok(runtime);
        }
        let runtime = Runtime::new(&self.config, self.cache.clone(), concurrent)?;
        Ok(made.get_or_init(|| runtime))
    }
}

/// Fails when a component does not fit into the pool: then no engine takes it.
fn too_large(error: &wasmtime::Error) -> Result<(), SandboxError> {
    let reason = error.root_cause().to_string();
    if !reason.contains("pooling allocator") {
        return Ok(());
    }
    let reason = reason.replace(" in the pooling allocator", "").replace("The component transitively contains", "it has");
    Err(SandboxError::TooLarge(reason))
}

impl Runtime {
    fn new(config: &SandboxConfig, cache: Option<Cache>, concurrent: bool) -> Result<Self, SandboxError> {
        let problem = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
        let mut settings = engine_config(config, concurrent);
        settings.cache(cache);
        let engine = Engine::new(&settings).map_err(problem)?;
        let mut linker = Linker::new(&engine);
        host::link(&mut linker).map_err(problem)?;
        ticker::start(engine.weak(), config.epoch_tick).map_err(|error| SandboxError::Engine(error.to_string()))?;
        Ok(Self { engine, linker, places: Arc::new(Places::new(config)) })
    }

    fn link(&self, component: &Component, config: &SandboxConfig) -> Result<Ready, SandboxError> {
        let missing: Vec<String> =
            component.component_type().imports(&self.engine).filter_map(|(name, item)| unmet(name, &item.ty)).collect();
        if !missing.is_empty() {
            return Err(SandboxError::MissingImports { imports: missing, offers: host::offers() });
        }
        let weight = weight(component, config);
        let pre = self.linker.instantiate_pre(component).map_err(|error| SandboxError::Link(format!("{error:#}")))?;
        // Otherwise the first call would do it.
        component.initialize_copy_on_write_image().map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        Ok(Ready { pre, places: self.places.clone(), weight, functions: RwLock::default() })
    }
}

/// Why an import cannot be satisfied. Types alone need nothing from the host.
fn unmet(name: &str, item: &ComponentItem) -> Option<String> {
    match item {
        ComponentItem::Type(_) => None,
        _ => host::missing(name),
    }
}

/// How many places of the pool an instance takes.
fn weight(component: &Component, config: &SandboxConfig) -> u32 {
    let places = config.pool_instances.max(1);
    let Some(needs) = component.resources_required() else { return MAX_MEMORIES.min(places) };
    needs.num_memories.max(needs.num_tables.div_ceil(config::TABLES_PER_PLACE)).clamp(1, places)
}

impl Ready {
    /// The function, prepared when it is first asked for.
    pub(crate) fn function(&self, callee: &Arc<Callee>) -> Result<Arc<Prepared>, Misfit> {
        if let Some(known) = self.known(callee) {
            return Ok(known);
        }
        let prepared = Arc::new(Prepared::new(self.pre.component(), callee)?);
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        functions.entry(callee.wit_name.clone()).or_default().push(prepared.clone());
        Ok(prepared)
    }

    fn known(&self, callee: &Arc<Callee>) -> Option<Arc<Prepared>> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.get(&callee.wit_name)?.iter().find(|known| known.serves(callee)).cloned()
    }
}

impl Prepared {
    fn new(component: &Component, callee: &Arc<Callee>) -> Result<Self, Misfit> {
        let absent = || Misfit("the component does not export it".to_owned());
        let interface = match &callee.interface {
            Some(name) => Some(component.get_export_index(None, name.as_str()).ok_or_else(absent)?),
            None => None,
        };
        let Some((ComponentItem::ComponentFunc(ty), export)) = component.get_export(interface.as_ref(), callee.wit_name.as_str())
        else {
            return Err(absent());
        };
        if ty.params().len() != callee.params.len() {
            let (has, wanted) = (ty.params().len(), callee.params.len());
            return Err(Misfit(format!("the component's function has {has} parameters where the flow has {wanted}")));
        }
        let mut params = Vec::with_capacity(callee.params.len());
        for ((name, flow), (_, wit)) in callee.params.iter().zip(ty.params()) {
            let conversion = Conversion::new(flow, &wit);
            params.push(conversion.map_err(|misfit| Misfit(format!("in the parameter `{name}`: {}", misfit.0)))?);
        }
        let result = match (&callee.result, ty.results().next()) {
            (Type::Unit, None) => None,
            (flow, Some(wit)) => {
                Some(Conversion::new(flow, &wit).map_err(|misfit| Misfit(format!("in the result: {}", misfit.0)))?)
            }
            (_, None) => return Err(Misfit("the component's function has no result".to_owned())),
        };
        let error_shape = match &callee.result {
            Type::Result(_, Some(error)) => ErrorShape::of(error),
            _ => ErrorShape::Other,
        };
        let has_bytes = result.as_ref().is_some_and(Conversion::has_bytes);
        Ok(Self { callee: callee.clone(), export, params, result, error_shape, has_bytes })
    }

    /// Whether it was prepared for this function with these types.
    fn serves(&self, callee: &Arc<Callee>) -> bool {
        // A plan's step gives the same callee for each of its invocations.
        Arc::ptr_eq(&self.callee, callee)
            || (self.callee.interface == callee.interface
                && self.callee.params == callee.params
                && self.callee.result == callee.result)
    }

    /// The names of the parameters, for messages.
    pub(crate) fn param_name(&self, index: usize) -> &str {
        self.callee.params.get(index).map_or("?", |(name, _)| name)
    }
}
