//! How much one connector instance may take: memory, computing, waiting, tables. Decides nothing
//! about retries; going over a limit ends that instance alone.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// What a pipeline allows each of its connector instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// All linear memories of one instance together, in bytes.
    pub memory_bytes: usize,
    /// Longest that a connector may compute without returning to the engine.
    pub compute_timeout: Duration,
    /// Longest that one call may take to answer. A transfer's data is under `idle_timeout` instead.
    pub call_timeout: Duration,
    /// Longest without a byte or an entry although one was asked for.
    pub idle_timeout: Duration,
    /// Longest that one listing may take in all.
    pub listing_timeout: Duration,
}

/// Core instances of one component: an adapter, a shim and the module itself are three.
const MAX_CORE_INSTANCES: usize = 64;
/// Memories of one component; the adapter shares its module's.
const MAX_MEMORIES: usize = 8;
/// Tables of one component.
const MAX_TABLES: usize = 64;
/// Elements of one table: function pointers of a large guest are some ten thousand.
const MAX_TABLE_ELEMENTS: usize = 1 << 20;

/// Counts what an instance has and refuses more.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    used_bytes: usize,
}

/// A connector asked for more than it may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitExceeded {
    #[error("the connector asked for more than {0} bytes of memory; raise limits.memory if it needs them")]
    Memory(usize),
    #[error("the connector asked for a table of more than {MAX_TABLE_ELEMENTS} elements")]
    Table,
    #[error("the connector computed for {0:?} without returning; raise limits.compute_timeout if it needs longer")]
    Compute(Duration),
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            compute_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            listing_timeout: Duration::from_secs(24 * 60 * 60),
        }
    }
}

// === impl Limiter ===

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory_bytes: limits.memory_bytes, used_bytes: 0 }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used_bytes.saturating_add(desired.saturating_sub(current));
        if used > self.memory_bytes {
            return Err(LimitExceeded::Memory(self.memory_bytes).into());
        }
        self.used_bytes = used;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            return Err(LimitExceeded::Table.into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }
}
