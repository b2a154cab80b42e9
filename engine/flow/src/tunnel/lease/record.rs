//! What the ledger holds of one tunnel: its definition, and the leases of those who are on it. Says
//! nothing about who may have how much.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::period::Period;
use crate::{
    error::{Code, Error},
    rules::{ByteRate, Limits, RequestRate},
};

/// Thousandths of a request in a request: several agents share a limit of one request per second.
pub(in crate::tunnel) const THOUSANDTHS: u64 = 1000;

/// Units per second of one budget: bytes, or thousandths of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "Option<u64>", into = "Option<u64>")]
pub struct Rate(u64);

/// The two budgets of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Budget {
    Bytes,
    Requests,
}

/// Something of each budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Both<T> {
    pub bytes: T,
    pub requests: T,
}

/// A tunnel as its owner wants it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    #[serde(with = "limits")]
    pub limits: Limits,
    /// Bytes per second that a named agent keeps when it has lost the ledger; none: it stops.
    #[serde(with = "floor", default)]
    pub floor: Option<ByteRate>,
    /// Weight of an agent in sharing, by name; 1 for the others.
    #[serde(default)]
    pub weights: BTreeMap<String, NonZeroU32>,
    /// Other limits for some of the time; the first that's open counts.
    #[serde(default)]
    pub schedule: Vec<Period>,
}

/// What one agent holds. Everybody but the holder counts its time to live from after they saw this
/// `sequence` first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Another one whenever the holder has renewed it.
    pub sequence: u64,
    pub ttl_millis: u64,
    pub rate: Both<Rate>,
    /// What the holder keeps after the end; at most `rate`.
    pub floor: Both<Rate>,
    /// What it could use.
    pub wants: Both<Rate>,
    pub weight: NonZeroU32,
}

/// One tunnel in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub definition: Definition,
    /// The definition as a file gave it last, if one did: a file that hasn't changed since undoes no
    /// change that was made otherwise.
    #[serde(default)]
    pub given: Option<Definition>,
    /// By holder.
    #[serde(default)]
    pub leases: BTreeMap<String, Lease>,
}

/// What a definition means for one holder at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) limits: Both<Rate>,
    pub(super) floor: Both<Rate>,
    pub(super) weight: NonZeroU32,
}

// === impl Rate ===

impl Rate {
    pub const NOTHING: Self = Self(0);
    /// Written as `null`.
    pub const UNLIMITED: Self = Self(u64::MAX);

    pub const fn of(units: u64) -> Self {
        Self(units)
    }

    /// `u64::MAX` for no limit.
    pub const fn units(self) -> u64 {
        self.0
    }
}

impl From<Option<u64>> for Rate {
    fn from(units: Option<u64>) -> Self {
        units.map_or(Self::UNLIMITED, Self)
    }
}

impl From<Rate> for Option<u64> {
    fn from(rate: Rate) -> Self {
        (rate != Rate::UNLIMITED).then_some(rate.0)
    }
}

// === impl Both ===

impl<T: Copy> Both<T> {
    pub(crate) fn of(self, budget: Budget) -> T {
        match budget {
            Budget::Bytes => self.bytes,
            Budget::Requests => self.requests,
        }
    }

    /// Whatever `make` makes of each budget.
    pub(crate) fn each(mut make: impl FnMut(Budget) -> T) -> Self {
        Self { bytes: make(Budget::Bytes), requests: make(Budget::Requests) }
    }
}

// === impl Definition ===

impl Definition {
    /// Without floor, weights and schedule.
    pub fn plain(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The limits at a moment of the wall clock.
    pub fn limits_at(&self, time: SystemTime) -> Limits {
        let open = self.schedule.iter().find(|period| period.is_open(time));
        open.map_or(self.limits, |period| period.limits(self.limits))
    }

    pub(super) fn terms(&self, holder: &str, keeps_floor: bool, time: SystemTime) -> Terms {
        let limits = self.limits_at(time);
        let bytes = limits.max_bandwidth.map(|rate| rate.0.get());
        let requests = limits.max_requests_per_second.map(|rate| u64::from(rate.0.get()) * THOUSANDTHS);
        let floor = match (self.floor.filter(|_| keeps_floor), bytes) {
            (None, _) => Both::default(),
            (Some(floor), None) => Both { bytes: Rate(floor.0.get()), requests: requests.into() },
            // Requests fall in proportion.
            (Some(floor), Some(limit)) => {
                let floor = floor.0.get().min(limit);
                let part = |requests: u64| u128::from(requests) * u128::from(floor) / u128::from(limit);
                let requests = requests.map(|requests| u64::try_from(part(requests)).unwrap_or(requests));
                Both { bytes: Rate(floor), requests: requests.into() }
            }
        };
        let weight = self.weights.get(agent_of(holder)).copied().unwrap_or(NonZeroU32::MIN);
        Terms { limits: Both { bytes: bytes.into(), requests: requests.into() }, floor, weight }
    }
}

/// The agent that a holder is. On many machines an agent's holder has its machine's mark behind a dot: one that
/// was cut off may still use its floor when another machine takes its place.
pub fn agent_of(holder: &str) -> &str {
    holder.split_once('.').map_or(holder, |(agent, _)| agent)
}

// === impl Record ===

impl Record {
    /// A tunnel that nobody is on.
    pub fn new(definition: Definition) -> Self {
        Self { definition, ..Self::default() }
    }

    /// # Errors
    /// It wasn't written by an engine that this one understands.
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text)
            .map_err(|error| Error::new(Code::CORRUPT, "tunnel", format!("the tunnel's record can't be read: {error}")))
    }

    /// As JSON.
    ///
    /// # Errors
    /// Never, as far as is known: every part of it has a form in JSON.
    pub fn to_text(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| Error::new(Code::INTERNAL, "tunnel", error.to_string()))
    }
}

/// Limits as they're written: bytes and requests per second.
pub(super) mod limits {
    use serde::{Deserializer, Serializer};

    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        max_bandwidth: Option<NonZeroU64>,
        max_requests_per_second: Option<NonZeroU32>,
    }

    pub(in super::super) fn serialize<S: Serializer>(limits: &Limits, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            max_bandwidth: limits.max_bandwidth.map(|rate| rate.0),
            max_requests_per_second: limits.max_requests_per_second.map(|rate| rate.0),
        };
        written.serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
        let written = Written::deserialize(deserializer)?;
        Ok(Limits {
            max_bandwidth: written.max_bandwidth.map(ByteRate),
            max_requests_per_second: written.max_requests_per_second.map(RequestRate),
        })
    }
}

/// Bytes per second.
mod floor {
    use serde::{Deserializer, Serializer};

    use super::*;

    #[allow(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "serde passes references")]
    pub(super) fn serialize<S: Serializer>(floor: &Option<ByteRate>, serializer: S) -> Result<S::Ok, S::Error> {
        floor.map(|rate| rate.0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ByteRate>, D::Error> {
        Ok(Option::<NonZeroU64>::deserialize(deserializer)?.map(ByteRate))
    }
}
