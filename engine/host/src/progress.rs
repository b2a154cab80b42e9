//! Whether a sink that's being fed goes on by itself or waits for the engine: only the first can be
//! the sink's fault. Measures no time.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    task::Poll,
};

/// Shared by the feed, the end of the body and the one who waits for the sink's answer.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    steps: AtomicU64,
    waits_for_engine: AtomicBool,
}

// === impl Progress ===

impl Progress {
    /// Notes what the sink got when it asked the engine for something.
    pub(crate) fn watch<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.waits_for_engine.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_ready() {
            self.steps.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }

    /// Steps so far, or none while the engine is the one to move.
    pub(crate) fn steps(&self) -> Option<u64> {
        (!self.waits_for_engine.load(Ordering::Relaxed)).then(|| self.steps.load(Ordering::Relaxed))
    }
}
