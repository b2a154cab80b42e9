//! What bytes that are transformed owe the tunnel: the larger of what is read and what is written. So
//! neither end carries more than the limit, and a byte that only passes counts once. Takes no credit.
//!
//! A credit that was taken to read covers as many bytes that are written, and the other way round, but
//! only [`MAX_APART`] of them: what has been paid for long ago would be a burst.

/// Bytes by which one end may be ahead of the other without that the rest is forgotten: a few of the
/// blocks that compressors and ciphers work in.
const MAX_APART: i64 = 1 << 20;

/// How far reading is ahead of writing, in bytes that had credit.
#[derive(Debug, Default)]
pub(super) struct Toll(i64);

// === impl Toll ===

impl Toll {
    /// Bytes that may be read without a credit of their own.
    pub(super) fn free_to_read(&self) -> usize {
        usize::try_from(-self.0).unwrap_or(0)
    }

    /// The same to be written.
    pub(super) fn free_to_write(&self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    pub(super) fn read(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(signed(bytes)).min(MAX_APART);
    }

    pub(super) fn written(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(signed(bytes)).max(-MAX_APART);
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What was paid is at most the larger end's and a burst, and each end has at most what was paid and
        /// a burst, in any stretch of steps.
        #[test]
        fn both_ends_stay_below_what_was_paid(steps in proptest::collection::vec((any::<bool>(), 1usize..300_000), 1..60)) {
            let mut toll = Toll::default();
            let mut history = vec![(0_i64, 0_i64, 0_i64)];
            for (reads, bytes) in steps {
                let free = if reads { toll.free_to_read() } else { toll.free_to_write() };
                // As the pump does it: what's free first, and a credit only where nothing is.
                let moved = if free > 0 { bytes.min(free) } else { bytes };
                let paid = if free > 0 { 0 } else { moved };
                let (read, written, before) = history[history.len() - 1];
                if reads { toll.read(moved) } else { toll.written(moved) }
                let now = if reads { (read + signed(moved), written) } else { (read, written + signed(moved)) };
                history.push((now.0, now.1, before + signed(paid)));
            }
            let (read, written, paid) = history[history.len() - 1];
            prop_assert!(paid <= read + written);
            for (index, from) in history.iter().enumerate() {
                for to in &history[index..] {
                    let paid = to.2 - from.2;
                    prop_assert!(to.0 - from.0 <= paid + MAX_APART && to.1 - from.1 <= paid + MAX_APART);
                }
            }
        }
    }

    #[test]
    fn a_byte_that_passes_counts_once() {
        let mut toll = Toll::default();
        for _ in 0..100 {
            assert_eq!(toll.free_to_read(), 0);
            toll.read(1000);
            assert_eq!(toll.free_to_write(), 1000);
            toll.written(1000);
        }
    }
}
