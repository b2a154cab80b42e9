//! What an agent says that it wants of a budget, from what it used and how long it stood in line. Never
//! reads a clock.

use std::time::Duration;

use super::record::Rate;

/// Whoever stands in line for this part of the time could use more than it has.
const HUNGRY: u32 = 8;
/// Headroom above what was used: an agent may become quicker by a third before it's held up.
const HEADROOM: (u64, u64) = (3, 2);

/// One budget's demand, measured from look to look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Demand {
    /// Units per second, where it isn't hungry.
    level: u64,
}

/// What went on since the last look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Use {
    /// Units that were taken.
    pub units: u64,
    /// How long somebody was first in line and waited for the bucket.
    pub dry: Duration,
    /// Somebody waits now.
    pub waits: bool,
}

// === impl Demand ===

impl Demand {
    /// What is wanted after a `time` of this use at a lease of `rate`.
    ///
    /// It falls by half a look at most, so that a moment between two objects gives nothing away.
    pub fn measure(&mut self, used: Use, rate: Rate, time: Duration) -> Rate {
        if used.waits || used.dry * HUNGRY >= time {
            self.level = rate.units();
            return Rate::UNLIMITED;
        }
        let nanos = time.as_nanos().max(1);
        let per_second = u128::from(used.units) * 1_000_000_000 / nanos;
        let (more, than) = HEADROOM;
        let wanted = u64::try_from(per_second * u128::from(more) / u128::from(than)).unwrap_or(u64::MAX);
        self.level = wanted.max(self.level / 2);
        Rate::of(self.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(250);

    #[test]
    fn an_idle_agent_gives_up_half_of_its_lease_a_look() {
        let mut demand = Demand::default();
        let busy = Use { units: 1000, dry: LOOK / 2, waits: false };
        assert_eq!(demand.measure(busy, Rate::of(8000), LOOK), Rate::UNLIMITED);
        for wanted in [4000, 2000, 1000, 500] {
            assert_eq!(demand.measure(Use::default(), Rate::of(8000), LOOK), Rate::of(wanted));
        }
        let steady = Use { units: 1000, ..Use::default() };
        assert_eq!(demand.measure(steady, Rate::of(8000), LOOK), Rate::of(6000), "used and half of it more");
        let waiting = Use { waits: true, ..Use::default() };
        assert_eq!(demand.measure(waiting, Rate::NOTHING, LOOK), Rate::UNLIMITED);
    }
}
