//! How long the machine was suspended, which the clock behind `Instant` leaves out on Linux: a lease goes
//! on ending meanwhile. Says nothing that is less than a clock's jitter.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Less than this isn't told from a thread that stood still between two readings, and is a small part
/// of a lease.
const LEAST: Duration = Duration::from_millis(50);

/// Time asleep since this was made.
#[derive(Debug)]
pub(super) struct Asleep {
    /// What the clock with the sleep in it was ahead then.
    ahead: Duration,
    /// In nanoseconds; only grows.
    slept: AtomicU64,
}

/// Both clocks, the one that stops in suspend read before and after the other.
#[derive(Debug, Clone, Copy)]
struct Reading {
    before: Duration,
    boot: Duration,
    after: Duration,
}

// === impl Asleep ===

impl Asleep {
    pub(super) fn new() -> Self {
        // A first reading that took long would hide a sleep of that length.
        let readings = std::iter::repeat_with(Reading::take).take(8);
        let ahead = readings.map(|it| it.boot.saturating_sub(it.before)).min().unwrap_or_default();
        Self { ahead, slept: AtomicU64::new(0) }
    }

    /// Until now.
    pub(super) fn total(&self) -> Duration {
        self.seen(Reading::take())
    }

    fn seen(&self, reading: Reading) -> Duration {
        let known = Duration::from_nanos(self.slept.load(Ordering::Relaxed));
        // By the later reading, so that standing still in between only makes it less.
        let slept = reading.boot.saturating_sub(reading.after).saturating_sub(self.ahead);
        if slept < known + LEAST {
            return known;
        }
        let nanos = u64::try_from(slept.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.slept.fetch_max(nanos, Ordering::Relaxed).max(nanos))
    }
}

// === impl Reading ===

impl Reading {
    fn take() -> Self {
        let before = read(ClockId::Monotonic);
        let boot = read(ClockId::Boottime);
        Self { before, boot, after: read(ClockId::Monotonic) }
    }
}

/// A clock that counts from the start of the machine, which a time namespace may shift below zero.
fn read(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn reading(before: u64, boot: u64, after: u64) -> Reading {
        Reading { before: millis(before), boot: millis(boot), after: millis(after) }
    }

    #[test]
    fn a_sleep_counts_and_a_thread_that_stands_still_does_not() {
        let asleep = Asleep { ahead: millis(500), slept: AtomicU64::new(0) };
        assert_eq!(asleep.seen(reading(1000, 1500, 1000)), Duration::ZERO);
        // It stood still for a second, before or after the other clock was read.
        assert_eq!(asleep.seen(reading(1000, 2500, 2000)), Duration::ZERO);
        assert_eq!(asleep.seen(reading(1000, 1500, 2000)), Duration::ZERO);
        // Ten seconds in suspend.
        assert_eq!(asleep.seen(reading(2000, 12_500, 2000)), millis(10_000));
        assert_eq!(asleep.seen(reading(2100, 12_601, 2101)), millis(10_000));
        assert_eq!(asleep.seen(reading(2100, 12_700, 3000)), millis(10_000), "it never falls");
        assert_eq!(asleep.seen(reading(3000, 33_500, 3000)), millis(30_000));
    }

    #[test]
    fn awake_it_stays_at_nothing() {
        let asleep = Asleep::new();
        assert!((0..10_000).all(|_| asleep.total().is_zero()));
    }
}
