//! What a run has done so far, for those who watch it. Atomics only where bytes flow; decides
//! nothing.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::{object::Key, sync::lock};

/// Live figures of one run; read at any time from any thread.
#[derive(Debug, Default)]
pub struct Meter {
    pub listed: Counter,
    pub moved: Counter,
    pub skipped: Counter,
    pub failed: Counter,
    pub deleted: Counter,
    /// Objects that failed verification and were moved well by a further attempt.
    pub repaired: Counter,
    pub retries: Counter,
    /// Bytes handed to the sink, those of attempts that failed included.
    pub bytes: Counter,
    /// Bytes read to verify what is at the sink; they took credit too.
    pub bytes_read_back: Counter,
    /// Bytes of the objects that are moved, whole and verified.
    pub bytes_moved: Counter,
    /// Bytes of the objects that were selected so far and of known size, less those that turned out
    /// to be skipped or failed: what `bytes_moved` will be at the end.
    pub bytes_expected: Counter,
    /// Whether everything has been listed, so that the figures above are of the whole run.
    pub listing_done: AtomicBool,
    slots: Box<[Slot]>,
    /// Of workers that the meter wasn't made for.
    spare: Slot,
}

/// A number that threads count on.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// What one worker has in hand.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    key: Mutex<Option<Key>>,
    done: AtomicU64,
    size: AtomicU64,
}

/// An object, a part of one, or small ones together by the key of the first, on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    pub key: Key,
    pub bytes_done: u64,
    /// Of the object or of the part; 0 where the source can't tell.
    pub bytes_size: u64,
}

// === impl Meter ===

impl Meter {
    pub fn new(workers: usize) -> Self {
        Self { slots: (0..workers).map(|_| Slot::default()).collect(), ..Self::default() }
    }

    /// What is on its way now, one entry for each busy worker.
    pub fn in_flight(&self) -> impl Iterator<Item = InFlight> {
        self.slots.iter().filter_map(|slot| {
            let key = lock(&slot.key).clone()?;
            let (done, size) = (slot.done.load(Ordering::Relaxed), slot.size.load(Ordering::Relaxed));
            Some(InFlight { key, bytes_done: done, bytes_size: size })
        })
    }

    pub(crate) fn slot(&self, worker: usize) -> &Slot {
        self.slots.get(worker).unwrap_or(&self.spare)
    }
}

// === impl Counter ===

impl Counter {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, number: u64) {
        self.0.fetch_sub(number, Ordering::Relaxed);
    }
}

// === impl Slot ===

impl Slot {
    pub(crate) fn begin(&self, key: &Key, size: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
        *lock(&self.key) = Some(key.clone());
    }

    pub(crate) fn restart(&self) {
        self.done.store(0, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: u64) {
        // Only the slot's worker writes: no need for a locked addition.
        self.done.store(self.done.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        *lock(&self.key) = None;
    }
}
