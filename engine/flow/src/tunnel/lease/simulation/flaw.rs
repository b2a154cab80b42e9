//! Allocators as they must not be, made from the real one: they prove that the histories catch mistakes.

use std::time::{Duration, SystemTime};

use super::world::Broken;
use crate::tunnel::lease::{Allowance, Both, Holder, Rate, Record};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Doesn't wait until the others have given up what it takes.
    TakesItsShareAtOnce,
    /// Counts its time to live from the answer.
    CountsFromTheAnswer,
    /// Takes others' leases for ended too soon.
    WaitsHalfAsLong,
    /// Keeps what it doesn't use.
    NeverYields,
    ForgetsWeights,
}

/// The real holder, or one with a flaw.
pub(super) struct Allocator {
    holder: Holder,
    flaw: Option<Flaw>,
    asked: Duration,
    late: Duration,
}

// === impl Flaw ===

impl Flaw {
    pub(super) const ALL: [Self; 5] = [
        Self::TakesItsShareAtOnce,
        Self::CountsFromTheAnswer,
        Self::WaitsHalfAsLong,
        Self::NeverYields,
        Self::ForgetsWeights,
    ];

    pub(super) fn breaks(self, broken: &Broken) -> bool {
        match self {
            Self::TakesItsShareAtOnce | Self::CountsFromTheAnswer | Self::WaitsHalfAsLong => {
                matches!(broken, Broken::Rates { .. } | Broken::Window { .. })
            }
            Self::NeverYields => matches!(broken, Broken::Alone { .. }),
            Self::ForgetsWeights => matches!(broken, Broken::Unfair { .. }),
        }
    }
}

// === impl Allocator ===

impl Allocator {
    pub(super) fn new(holder: Holder, flaw: Option<Flaw>) -> Self {
        Self { holder, flaw, asked: Duration::ZERO, late: Duration::ZERO }
    }

    pub(super) fn look(&mut self, name: &str, record: &Record, wants: Both<Rate>, now: Duration) -> Option<Record> {
        self.asked = now;
        let wall = SystemTime::UNIX_EPOCH;
        let mut believed = record.clone();
        let all = Both { bytes: Rate::UNLIMITED, requests: Rate::UNLIMITED };
        let mut asked = wants;
        match self.flaw {
            None | Some(Flaw::CountsFromTheAnswer) => return self.holder.look(record, wall, wants, now),
            Some(Flaw::TakesItsShareAtOnce) => {
                believed.leases.values_mut().for_each(|lease| lease.rate = Both::default());
            }
            Some(Flaw::WaitsHalfAsLong) => believed.leases.values_mut().for_each(|lease| lease.ttl_millis /= 2),
            Some(Flaw::NeverYields) => asked = all,
            Some(Flaw::ForgetsWeights) => believed.definition.weights.clear(),
        }
        let written = self.holder.look(&believed, wall, asked, now)?;
        let mut next = record.clone();
        next.leases.retain(|name, _| written.leases.contains_key(name));
        next.leases.insert(name.to_owned(), written.leases[name].clone());
        Some(next)
    }

    pub(super) fn granted(&mut self, now: Duration) {
        self.holder.granted();
        if self.flaw == Some(Flaw::CountsFromTheAnswer) {
            self.late = now.saturating_sub(self.asked);
        }
    }

    pub(super) fn allowance(&self) -> Allowance {
        let allowance = self.holder.allowance();
        Allowance { until: allowance.until + self.late, ..allowance }
    }

    pub(super) fn leave(&mut self, record: &Record) -> Option<Record> {
        self.holder.leave(record)
    }
}
