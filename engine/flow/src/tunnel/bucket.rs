//! Token arithmetic for one budget of a tunnel, in integers. Never sleeps and never reads a clock;
//! the caller passes `now`.

use std::time::Duration;

use crate::{
    body::MAX_CHUNK_BYTES,
    rules::{ByteRate, RequestRate},
};

/// Smallest chunk in bytes: below it, a chunk's fixed cost would be more than its bytes'.
const MIN_CHUNK_BYTES: u64 = 4 * 1024;
/// A chunk is at most this part of a second's bytes (50 ms), so that a slow tunnel flows evenly.
const CHUNKS_PER_SECOND: u64 = 20;
/// The burst is at least this part of a second's bytes (5 ms): on a fast tunnel a chunk would be
/// gone before a timer of 1 ms granularity fires.
const BURSTS_PER_SECOND: u64 = 200;
/// What a requests' bucket holds beyond one request: this part of a second's requests (10 ms), for a
/// timer that fires late.
const REQUEST_SLACKS_PER_SECOND: u128 = 100;

/// Levels are kept in units times nanoseconds, so that `rate x time` is exact.
const SCALE: u128 = 1_000_000_000;

/// A token bucket. In any window, what it grants less what is given back is at most
/// `rate x window + burst`.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Units per second.
    rate: u64,
    /// Most units of one grant.
    largest_grant: u64,
    /// The burst, scaled.
    capacity: u128,
    /// Scaled, at most `capacity`.
    level: u128,
    /// When `level` was true.
    at: Duration,
}

/// A chunk of a tunnel of this rate, in bytes: 50 ms of it, between 4 KiB and 256 KiB.
pub fn chunk_bytes(rate: ByteRate) -> u64 {
    (rate.0.get() / CHUNKS_PER_SECOND).clamp(MIN_CHUNK_BYTES, MAX_CHUNK_BYTES as u64)
}

/// What a tunnel of this rate grants at once after it was idle, in bytes: one chunk, or 5 ms of the
/// rate where that is more.
pub fn burst_bytes(rate: ByteRate) -> u64 {
    chunk_bytes(rate).max(rate.0.get() / BURSTS_PER_SECOND)
}

// === impl Bucket ===

impl Bucket {
    /// A full bucket of bytes. A grant is at most half a chunk: a timer may then fire half a chunk's
    /// time late before the bucket overflows and speed is lost.
    pub(crate) fn of_bytes(rate: ByteRate, now: Duration) -> Self {
        let capacity = u128::from(burst_bytes(rate)) * SCALE;
        Self { rate: rate.0.get(), largest_grant: chunk_bytes(rate) / 2, capacity, level: capacity, at: now }
    }

    /// A full bucket of requests, granted one by one.
    pub(crate) fn of_requests(rate: RequestRate, now: Duration) -> Self {
        let capacity = SCALE + u128::from(rate.0.get()) * SCALE / REQUEST_SLACKS_PER_SECOND;
        Self { rate: u64::from(rate.0.get()), largest_grant: 1, capacity, level: capacity, at: now }
    }

    /// Goes on from the level of the bucket that this one replaces; from nothing where the budget
    /// was without limit until now.
    #[must_use]
    pub(crate) fn after(mut self, previous: Option<&Self>, now: Duration) -> Self {
        let level = previous.map_or(0, |previous| {
            let mut previous = previous.clone();
            previous.refill(now);
            previous.level
        });
        self.level = level.min(self.capacity);
        self
    }

    /// The most that [`Bucket::take`] grants.
    pub(crate) fn largest_grant(&self) -> u64 {
        self.largest_grant
    }

    /// Takes `wanted` units or the largest grant, whichever is less; all or nothing.
    ///
    /// # Errors
    /// How long until there will be enough, if nobody else takes any.
    pub(crate) fn take(&mut self, wanted: u64, now: Duration) -> Result<u64, Duration> {
        self.refill(now);
        let grant = wanted.clamp(1, self.largest_grant);
        let scaled = u128::from(grant) * SCALE;
        if let Some(rest) = self.level.checked_sub(scaled) {
            self.level = rest;
            return Ok(grant);
        }
        let nanos = (scaled - self.level).div_ceil(u128::from(self.rate));
        Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Takes back what was granted and not used; what would overflow is lost.
    pub(crate) fn give_back(&mut self, units: u64) {
        self.level = (self.level + u128::from(units) * SCALE).min(self.capacity);
    }

    /// Callers read the clock before they hold the bucket, so `now` may be a little in the past.
    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at);
        if !elapsed.is_zero() {
            self.level = (self.level + u128::from(self.rate) * elapsed.as_nanos()).min(self.capacity);
            self.at = now;
        }
    }
}
