//! How many workers are at work on stores that have few places, or that ask to be asked less. A worker
//! that a store has no place for gives back what it had in hand and steps aside for a while; the last
//! one never does. Knows no store and holds no work.
//!
//! An answer that says "slow down" halves the number of workers that may be at work, at most once in
//! [`SETTLE`]; each round of successes (as many as may be at work) lets one more in. So both ends of a
//! run settle at what the slower of them takes.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    context::Context,
    queue::{Place, Queue},
};
use crate::{error::Code, retry::Jitter, sync::lock, transfer::Failure};

/// The first pause aside: about the time after which a server that restarted has its places again.
const BASE_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause aside, so that places that come free are found.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// How long a slower pace is given before it's slowed again: what was under way when it was set still
/// brings the answers of the faster one.
const SETTLE: Duration = Duration::from_secs(1);

/// The workers of a run.
#[derive(Debug)]
pub(super) struct Crew {
    workers: usize,
    at_work: AtomicUsize,
    /// How many may be at work.
    allowed: AtomicUsize,
    /// Successes since `allowed` was changed.
    successes: AtomicUsize,
    slowed: Mutex<Option<Instant>>,
    /// One more may be at work.
    room: Notify,
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
        Self {
            workers,
            at_work: AtomicUsize::new(workers),
            allowed: AtomicUsize::new(workers),
            successes: AtomicUsize::new(0),
            slowed: Mutex::default(),
            room: Notify::new(),
            asked: AtomicUsize::new(0),
        }
    }

    /// A store asked to be asked less.
    pub(super) fn slow_down(&self) {
        let now = Instant::now();
        let mut slowed = lock(&self.slowed);
        if slowed.is_some_and(|before| now - before < SETTLE) {
            return;
        }
        *slowed = Some(now);
        let allowed = (self.allowed.load(Ordering::Relaxed) / 2).max(1);
        self.allowed.store(allowed, Ordering::Relaxed);
        self.successes.store(0, Ordering::Relaxed);
        tracing::debug!(allowed, "a store asks to be asked less: fewer workers are at work");
    }

    /// Something was done.
    pub(super) fn succeed(&self) {
        let allowed = self.allowed.load(Ordering::Relaxed);
        if allowed >= self.workers || self.successes.fetch_add(1, Ordering::Relaxed) + 1 < allowed {
            return;
        }
        let _slowed = lock(&self.slowed);
        self.allowed.fetch_add(1, Ordering::Relaxed);
        self.successes.store(0, Ordering::Relaxed);
        self.room.notify_one();
    }

    /// Whether more are at work than may be.
    pub(super) fn is_too_fast(&self) -> bool {
        self.at_work.load(Ordering::Relaxed) > self.allowed.load(Ordering::Relaxed)
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

    /// Waits, with nothing in hand, until one more may be at work or nothing is left to do.
    pub(super) async fn wait_for_room(&mut self, context: &Context, place: &mut Place) {
        place.give_back();
        tokio::select! {
            () = context.crew.room.notified() => {}
            () = context.queue.over() => {}
        }
        context.crew.come_back();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_as_many_when_asked_and_one_more_each_round() {
        let crew = Crew::new(8);
        crew.slow_down();
        // What was under way says the same again.
        crew.slow_down();
        let allowed = || crew.allowed.load(Ordering::Relaxed);
        assert!(allowed() == 4 && crew.is_too_fast());
        while crew.is_too_fast() {
            assert!(crew.may_leave());
        }
        (0..3).for_each(|_| crew.succeed());
        assert_eq!(allowed(), 4);
        crew.succeed();
        assert_eq!(allowed(), 5);
        for _ in 0..5 {
            tokio::time::advance(SETTLE).await;
            crew.slow_down();
        }
        assert_eq!(allowed(), 1);
        (0..1000).for_each(|_| crew.succeed());
        assert_eq!(allowed(), 8);
    }
}
