//! The one wasmtime engine of a process: its settings, its compile cache and the clock by which it
//! interrupts guests. Loads nothing itself.

use std::{path::Path, time::Duration};

use wasmtime::{Cache, CacheConfig, Config, Engine};

/// How often guests can be interrupted: short beside the shortest compute timeout (1 s), long
/// beside the cost of waking a thread.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(20);

/// Stack of a guest in bytes. Every call in flight has one; untouched pages cost nothing.
const GUEST_STACK_BYTES: usize = 1 << 20;

/// Compiles and runs components.
#[derive(Debug, Clone)]
pub struct Runtime {
    engine: Engine,
}

/// The runtime can't be set up.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly runtime can't be set up: {0}")]
pub struct RuntimeError(String);

// === impl Runtime ===

impl Runtime {
    /// With `cache_folder`, compiled components are kept there for the next start. What lies in it
    /// is run as native code: nobody else may be able to write to it.
    ///
    /// # Errors
    /// The cache folder can't be used, or this machine can't run compiled WebAssembly.
    pub fn new(cache_folder: Option<&Path>) -> Result<Self, RuntimeError> {
        let failed = |error: wasmtime::Error| RuntimeError(format!("{error:#}"));
        let mut config = Config::new();
        config.wasm_component_model_async(true).epoch_interruption(true);
        config.max_wasm_stack(GUEST_STACK_BYTES / 2).async_stack_size(GUEST_STACK_BYTES);
        if let Some(folder) = cache_folder {
            let mut cache = CacheConfig::new();
            cache.with_directory(folder);
            config.cache(Some(Cache::new(cache).map_err(failed)?));
        }
        let engine = Engine::new(&config).map_err(failed)?;
        tick(&engine).map_err(|error| RuntimeError(format!("can't start a thread: {error}")))?;
        Ok(Self { engine })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Advances the engine's epoch for as long as the engine lives.
fn tick(engine: &Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    let ticking = move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(EPOCH_TICK);
        }
    };
    std::thread::Builder::new().name("epoch".to_owned()).spawn(ticking).map(drop)
}
