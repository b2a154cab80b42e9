//! How many workers are at work on stores that have few places. A worker that a store has no place
//! for gives back what it had in hand and steps aside for a while; the last one never does. Knows no
//! store and holds no work.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::{
    context::Context,
    queue::{Place, Queue},
};
use crate::{error::Code, retry::Jitter, transfer::Failure};

/// The first pause aside: about the time after which a server that restarted has its places again.
const BASE_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause aside, so that places that come free are found.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The workers of a run.
#[derive(Debug)]
pub(super) struct Crew {
    at_work: AtomicUsize,
    /// Workers that the lister asked to step aside, for it has no place itself.
    asked: AtomicUsize,
}

/// A worker's own record: how often in a row it had to step aside.
#[derive(Debug, Default)]
pub(super) struct Manners {
    times: u32,
}

// === impl Crew ===

impl Crew {
    pub(super) fn new(workers: usize) -> Self {
        Self { at_work: AtomicUsize::new(workers), asked: AtomicUsize::new(0) }
    }

    /// The lister has no place: the next worker that's done with something makes room.
    pub(super) fn ask_for_room(&self) {
        self.asked.store(1, Ordering::Relaxed);
    }

    /// Whether a worker that's done with something should make room.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) > 0 && self.asked.swap(0, Ordering::Relaxed) > 0
    }

    /// Lets a worker go, unless it's the last.
    pub(super) fn may_leave(&self) -> bool {
        let left = |at_work: usize| (at_work > 1).then(|| at_work - 1);
        self.at_work.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    fn come_back(&self) {
        self.at_work.fetch_add(1, Ordering::Relaxed);
    }
}

// === impl Manners ===

impl Manners {
    /// Something was done: the next pause is a short one again.
    pub(super) fn forget(&mut self) {
        self.times = 0;
    }

    /// Waits aside, with nothing in hand, until there may be a place or nothing is left to do.
    pub(super) async fn wait_aside(&mut self, context: &Context, place: &mut Place, jitter: &mut Jitter) {
        place.give_back();
        let queue: &Queue = &context.queue;
        let longest = BASE_PAUSE.saturating_mul(1 << self.times.min(8)).min(MAX_PAUSE);
        self.times += 1;
        let pause = longest / 2 + jitter.up_to(longest / 2);
        tracing::debug!(?pause, "a worker steps aside: a store has no place for it");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = queue.over() => {}
        }
        context.crew.come_back();
    }
}

/// Whether a store said that it has enough of us.
pub(super) fn is_crowded(failure: &Failure) -> bool {
    failure.error.code == Code::CROWDED && !failure.left_corrupt
}
