//! The proof of the leases: histories of agents that join, leave, die, stand still, lose the ledger, and
//! whose clocks run at rates that differ by 1 %, while writes are lost and come late and limits change.
//! Time is a number, so ten thousand histories take seconds. What fails says its seed.
//!
//! Three properties hold in each: (1) the leases in use never add up to more than the limit, and in any
//! window the agents move at most the limit's share and one burst each; (2) one busy agent gets at least
//! 95 % of the limit within 2 s; (3) shares of busy agents differ by at most 5 % of their weight.

mod agent;
mod flaw;
mod world;

use std::time::Duration;

use self::{
    flaw::Flaw,
    world::{Broken, World},
};

/// Histories of each of the tests, which run side by side.
const HISTORIES: u64 = 2_500;
/// How long everything may happen.
const STORM: Duration = Duration::from_secs(8);
/// Until the leases of the dead have ended, by the slowest clock, and were taken over.
const SETTLED: Duration = Duration::from_millis(4_000);
/// Within which shares are fair.
const FAIR: Duration = Duration::from_secs(2);

/// A pseudo-random stream (splitmix64).
pub(super) struct Chance(u64);

fn history(seed: u64, flaw: Option<Flaw>) -> Result<(), Broken> {
    let mut world = World::new(seed, flaw);
    world.storm(STORM)?;
    world.calm();
    world.run_for(SETTLED)?;
    let alone = world.leave_one_busy();
    world.run_for(FAIR)?;
    world.has_nearly_all(alone)?;
    world.all_busy();
    world.run_for(FAIR)?;
    world.shares_are_fair()
}

fn histories(block: u64) {
    for seed in block * HISTORIES..(block + 1) * HISTORIES {
        if let Err(broken) = history(seed, None) {
            panic!("seed {seed}: {broken:?}");
        }
    }
}

#[test]
fn the_properties_hold_in_2500_histories() {
    histories(0);
}

#[test]
fn the_properties_hold_in_2500_more() {
    histories(1);
}

#[test]
fn the_properties_hold_in_another_2500() {
    histories(2);
}

#[test]
fn the_properties_hold_in_the_last_2500() {
    histories(3);
}

/// The histories are hard enough: each flaw breaks the property that it should.
#[test]
fn broken_allocators_are_caught() {
    for flaw in Flaw::ALL {
        let mut caught = (0..4 * HISTORIES).filter_map(|seed| history(seed, Some(flaw)).err());
        assert!(caught.any(|broken| flaw.breaks(&broken)), "{flaw:?} goes unnoticed");
    }
}

// === impl Chance ===

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From `least` to `most`.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// A time in microseconds.
    fn micros(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_micros(self.between(least, most))
    }
}
