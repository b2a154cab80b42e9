//! One simulated agent: its clock, its lease, its buckets, and whether it has anything to move.

use std::time::Duration;

use super::flaw::Allocator;
use crate::tunnel::{
    bucket::Bucket,
    lease::{Allowance, Both, Demand, LOOK, Rate, Use, record::Budget},
};

/// A clock that was set at any time and runs at a rate of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) offset: Duration,
    /// Millionths faster than true time.
    pub(super) drift: i64,
}

pub(super) struct Agent {
    pub(super) name: String,
    pub(super) keeps_floor: bool,
    pub(super) clock: Clock,
    /// None while it isn't running.
    pub(super) allocator: Option<Allocator>,
    pub(super) is_busy: bool,
    /// It stands still until then, in true time.
    pub(super) frozen: Duration,
    /// Nothing goes to the ledger or comes from it until then.
    pub(super) cut: Duration,
    /// What it waits for; an answer to anything else comes too late.
    pub(super) awaits: u64,
    pub(super) tries: u32,
    bytes: Bucket,
    demand: Both<Demand>,
}

// === impl Clock ===

impl Clock {
    pub(super) fn at(self, time: Duration) -> Duration {
        let millionths = u64::try_from(1_000_000 + self.drift).unwrap_or(1_000_000);
        let nanos = time.as_nanos() * u128::from(millionths) / 1_000_000;
        self.offset + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

// === impl Agent ===

impl Agent {
    pub(super) fn new(name: String, keeps_floor: bool, clock: Clock) -> Self {
        Self {
            name,
            keeps_floor,
            clock,
            allocator: None,
            is_busy: true,
            frozen: Duration::ZERO,
            cut: Duration::ZERO,
            awaits: 0,
            tries: 0,
            bytes: empty(clock.at(Duration::ZERO)),
            demand: Both::default(),
        }
    }

    /// A fresh process: it has saved nothing up.
    pub(super) fn start(&mut self, allocator: Allocator, time: Duration) {
        self.allocator = Some(allocator);
        self.bytes = empty(self.clock.at(time));
        self.demand = Both::default();
        self.awaits += 1;
    }

    pub(super) fn is_moving(&self, time: Duration) -> bool {
        self.allocator.is_some() && self.frozen <= time
    }

    /// What may be in use at this time.
    pub(super) fn rate(&self, time: Duration) -> Both<Rate> {
        let Some(allocator) = self.allocator.as_ref().filter(|_| self.is_moving(time)) else { return Both::default() };
        let Allowance { rate, until, floor } = allocator.allowance();
        if self.clock.at(time) < until { rate } else { floor }
    }

    pub(super) fn wants(&mut self) -> Both<Rate> {
        let rate = self.allocator.as_ref().map(|allocator| allocator.allowance().rate).unwrap_or_default();
        let used = Use { waits: self.is_busy, ..Use::default() };
        let bytes = self.demand.bytes.measure(used, rate.of(Budget::Bytes), LOOK);
        Both { bytes, requests: self.demand.requests.measure(used, rate.of(Budget::Requests), LOOK) }
    }

    /// Its lease has changed.
    pub(super) fn relet(&mut self, time: Duration) {
        let Some(allocator) = &self.allocator else { return };
        let now = self.clock.at(time);
        self.bytes = Bucket::of_leased_bytes(&allocator.allowance(), now).after(Some(&self.bytes), now);
    }

    /// Moves what it may.
    pub(super) fn moved(&mut self, time: Duration) -> u64 {
        let mut moved = 0;
        if self.is_busy && self.is_moving(time) {
            let now = self.clock.at(time);
            while let Ok(bytes) = self.bytes.take(u64::MAX, now) {
                moved += bytes;
            }
        }
        moved
    }
}

fn empty(now: Duration) -> Bucket {
    Bucket::of_leased_bytes(&Allowance::default(), now).after(None, now)
}
