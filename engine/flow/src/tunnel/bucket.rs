//! Token arithmetic for one budget of a tunnel, in integers. Never sleeps and never reads a clock;
//! the caller passes `now`.

use std::time::Duration;

use super::lease::{Allowance, THOUSANDTHS};
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

/// Levels are kept in thousandths of a unit times nanoseconds, so that `rate x time` is exact.
const SCALE: u128 = 1_000_000_000 * PER_UNIT;
const PER_UNIT: u128 = THOUSANDTHS as u128;
/// Where there is no limit for now but may be one later, in units per second: no machine comes near.
const UNLIMITED: u64 = 1 << 50;

/// A token bucket. In any window, what it grants less what is given back is at most
/// `rate x window + burst`.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Thousandths of a unit per second.
    rate: u128,
    /// From when on it's another rate.
    then: Option<(Duration, u128)>,
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
    chunk(rate.0.get())
}

/// What a tunnel of this rate grants at once after it was idle, in bytes: one chunk, or 5 ms of the
/// rate where that is more.
pub fn burst_bytes(rate: ByteRate) -> u64 {
    burst(rate.0.get())
}

fn chunk(rate: u64) -> u64 {
    (rate / CHUNKS_PER_SECOND).clamp(MIN_CHUNK_BYTES, MAX_CHUNK_BYTES as u64)
}

fn burst(rate: u64) -> u64 {
    chunk(rate).max(rate / BURSTS_PER_SECOND)
}

// === impl Bucket ===

impl Bucket {
    /// A full bucket of bytes. A grant is at most half a chunk: a timer may then fire half a chunk's
    /// time late before the bucket overflows and speed is lost.
    pub(crate) fn of_bytes(rate: ByteRate, now: Duration) -> Self {
        Self::bytes(rate.0.get(), now)
    }

    /// A full bucket of requests, granted one by one.
    pub(crate) fn of_requests(rate: RequestRate, now: Duration) -> Self {
        Self::requests(u128::from(rate.0.get()) * PER_UNIT, now)
    }

    /// A bucket of bytes at a lease's rate until its end, and at its floor from then on.
    pub(crate) fn of_leased_bytes(lease: &Allowance, now: Duration) -> Self {
        let [rate, floor] = [lease.rate, lease.floor].map(|rate| rate.bytes.units().min(UNLIMITED));
        Self { then: Some((lease.until, u128::from(floor) * PER_UNIT)), ..Self::bytes(rate, now) }
    }

    /// The same of requests.
    pub(crate) fn of_leased_requests(lease: &Allowance, now: Duration) -> Self {
        let [rate, floor] = [lease.rate, lease.floor].map(|rate| u128::from(rate.requests.units().min(UNLIMITED)));
        Self { then: Some((lease.until, floor)), ..Self::requests(rate, now) }
    }

    fn bytes(rate: u64, now: Duration) -> Self {
        let capacity = u128::from(burst(rate)) * SCALE;
        let rate_scaled = u128::from(rate) * PER_UNIT;
        Self { rate: rate_scaled, then: None, largest_grant: chunk(rate) / 2, capacity, level: capacity, at: now }
    }

    /// Of so many thousandths per second.
    fn requests(rate: u128, now: Duration) -> Self {
        let capacity = SCALE + rate * (SCALE / PER_UNIT) / REQUEST_SLACKS_PER_SECOND;
        Self { rate, then: None, largest_grant: 1, capacity, level: capacity, at: now }
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
        if self.rate == 0 {
            // What was saved up ends with the lease.
            return Err(Duration::MAX);
        }
        let grant = wanted.clamp(1, self.largest_grant);
        let scaled = u128::from(grant) * SCALE;
        if let Some(rest) = self.level.checked_sub(scaled) {
            self.level = rest;
            return Ok(grant);
        }
        let nanos = (scaled - self.level).div_ceil(self.rate);
        Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Takes back what was granted and not used; what would overflow is lost.
    pub(crate) fn give_back(&mut self, units: u64) {
        self.level = (self.level + u128::from(units) * SCALE).min(self.capacity);
    }

    /// Callers read the clock before they hold the bucket, so `now` may be a little in the past.
    fn refill(&mut self, now: Duration) {
        if let Some((from, rate)) = self.then.filter(|(from, _)| *from <= now) {
            self.pour(from);
            (self.rate, self.then) = (rate, None);
        }
        self.pour(now);
    }

    fn pour(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at);
        if !elapsed.is_zero() {
            let more = self.rate.saturating_mul(elapsed.as_nanos());
            self.level = self.level.saturating_add(more).min(self.capacity);
            self.at = now;
        }
    }
}
