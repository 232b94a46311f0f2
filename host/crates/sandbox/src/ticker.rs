//! Moves the epochs on, by which running guests give way.

use std::time::Duration;

use wasmtime::EngineWeak;

/// Starts a thread that advances the epoch of an engine until the engine is gone.
///
/// A plain thread, because a guest that keeps a worker of the async runtime busy must not be able to delay it.
pub(crate) fn start(engine: EngineWeak, tick: Duration) -> std::io::Result<()> {
    std::thread::Builder::new().name("epochs".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(tick);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    })?;
    Ok(())
}
