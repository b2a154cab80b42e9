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
    /// The sink has taken the last chunk, or let go of the chunks.
    data_ended: AtomicBool,
}

// === impl Progress ===

impl Progress {
    /// Notes what the sink got when it asked the engine for the next chunk.
    pub(crate) fn watch_data<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.note(polled.is_pending());
        polled
    }

    /// Notes what the sink got when it asked whether the body is whole. Before it has taken the
    /// body, that's no reason to wait: the engine can't end a body that nobody takes.
    pub(crate) fn watch_end<T>(&self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() || self.data_ended.load(Ordering::Relaxed) {
            self.note(polled.is_pending());
        }
        polled
    }

    /// The sink takes no more chunks.
    pub(crate) fn end_data(&self) {
        self.data_ended.store(true, Ordering::Relaxed);
        self.note(false);
    }

    /// Steps so far, or none while the engine is the one to move.
    pub(crate) fn steps(&self) -> Option<u64> {
        (!self.waits_for_engine.load(Ordering::Relaxed)).then(|| self.steps.load(Ordering::Relaxed))
    }

    fn note(&self, waits_for_engine: bool) {
        self.waits_for_engine.store(waits_for_engine, Ordering::Relaxed);
        if !waits_for_engine {
            self.steps.fetch_add(1, Ordering::Relaxed);
        }
    }
}
