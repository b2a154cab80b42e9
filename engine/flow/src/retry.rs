//! When to try again: exponential pauses with full jitter, and the store's own wishes. Never sleeps
//! and never tries anything itself.

use std::{num::NonZeroU32, time::Duration};

use crate::error::{Code, Error};

/// The first pause is at most this long; each further one up to twice as long.
const BASE_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause that a store can ask for: beyond it, failing is the better answer.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);
/// Attempts of something that makes a connector trap or go over a limit: the second one tells a
/// broken instance from an object that breaks instances.
const INSTANCE_ATTEMPTS: u32 = 2;

/// How often and how patiently; the same for all of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// In all, the first included.
    pub(crate) attempts: NonZeroU32,
    pub(crate) max_pause: Duration,
}

/// The attempts at one thing.
#[derive(Debug)]
pub(crate) struct Retry {
    policy: Policy,
    /// How many there were, the one under way included.
    attempt: u32,
    instances_lost: u32,
}

/// A stream of pseudo-random numbers (splitmix64): spreads pauses, nothing else.
#[derive(Debug)]
pub(crate) struct Jitter(u64);

// === impl Retry ===

impl Retry {
    /// The first attempt, behind `before` attempts that were made elsewhere.
    pub(crate) fn new(policy: Policy, before: u32) -> Self {
        Self { policy, attempt: before + 1, instances_lost: 0 }
    }

    /// The number of the attempt under way, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The attempt under way failed: how long to pause before the next one, or none where there is
    /// no use in another.
    pub(crate) fn after(&mut self, error: &Error, jitter: &mut Jitter) -> Option<Duration> {
        let instance = error.instance_lost || error.code == Code::TRAP || error.code == Code::LIMIT;
        self.instances_lost += u32::from(instance);
        let worth_it = if instance { self.instances_lost < INSTANCE_ATTEMPTS } else { error.is_transient() };
        if !worth_it || self.attempt >= self.policy.attempts.get() {
            return None;
        }
        let doublings = (self.attempt - 1).min(20);
        let longest = BASE_PAUSE.saturating_mul(1 << doublings).min(self.policy.max_pause);
        self.attempt += 1;
        let asked = error.retry_after.map_or(Duration::ZERO, |asked| asked.min(MAX_RETRY_AFTER));
        // All the workers that a store asked to wait mustn't come back at the same instant.
        Some(asked + jitter.up_to(longest))
    }
}

// === impl Jitter ===

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly between nothing and `longest`.
    pub(crate) fn up_to(&mut self, longest: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(mixed % nanos.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { attempts: NonZeroU32::new(5).expect("five"), max_pause: Duration::from_millis(500) };

    fn pauses(errors: impl IntoIterator<Item = Error>) -> Vec<Option<Duration>> {
        let (mut retry, mut jitter) = (Retry::new(POLICY, 0), Jitter::new(7));
        errors.into_iter().map(|error| retry.after(&error, &mut jitter)).collect()
    }

    fn error(code: Code) -> Error {
        Error::new(code, "put", "no")
    }

    #[test]
    fn pauses_grow_up_to_the_limit_and_end() {
        let mut longest = [Duration::ZERO; 4];
        for seed in 0..2000 {
            let (mut retry, mut jitter) = (Retry::new(POLICY, 0), Jitter::new(seed));
            for longest in &mut longest {
                *longest = retry.after(&error(Code::IO), &mut jitter).expect("an attempt is left").max(*longest);
            }
            assert_eq!(retry.after(&error(Code::IO), &mut jitter), None);
        }
        let expected = [200, 400, 500, 500].map(Duration::from_millis);
        for (longest, expected) in longest.into_iter().zip(expected) {
            assert!(longest <= expected && longest > expected.mul_f64(0.99), "{longest:?} of {expected:?}");
        }
    }

    #[test]
    fn permanent_errors_are_final_and_traps_have_a_second_chance() {
        assert_eq!(pauses([error(Code::NOT_FOUND)]), [None]);
        let traps = pauses([error(Code::TRAP), error(Code::TRAP)]);
        assert!(traps[0].is_some() && traps[1].is_none());
        let mut lost = error(Code::INTERNAL);
        lost.instance_lost = true;
        assert!(pauses([lost])[0].is_some());
    }

    #[test]
    fn a_store_can_ask_for_time_within_reason() {
        let mut throttled = error(Code::THROTTLED);
        throttled.retry_after = Some(Duration::from_secs(7));
        let pause = pauses([throttled.clone()])[0].expect("retried");
        assert!((Duration::from_secs(7)..Duration::from_secs(8)).contains(&pause));
        throttled.retry_after = Some(Duration::from_secs(1_000_000));
        assert!(pauses([throttled])[0].expect("retried") < MAX_RETRY_AFTER + Duration::from_secs(1));
    }
}
