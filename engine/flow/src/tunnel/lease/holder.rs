//! One agent's side of a lease: what it may use, and what it asks for. Never sleeps, reads no clock and
//! reaches no ledger; the caller passes the record and the time.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use super::{
    TIME_TO_LIVE,
    record::{Both, Budget, Lease, Rate, Record, Terms},
    share::{Claim, fair_shares},
};

/// Everybody but the holder waits this part longer than the time to live: the rates of two clocks may
/// differ by a third of it, 1 %.
const GRACE: u32 = 32;
/// A lease is renewed after this part of its time to live, so that two renewals may fail.
const RENEWALS: u32 = 3;
/// Rates that differ by less than this part are written with the next renewal.
const SMALL_RATE: u128 = 64;
/// The same for what's wanted.
const SMALL_WANT: u128 = 4;
/// An idle agent keeps this part of an equal share, to begin with.
const LEAST_SHARE: u64 = 100;

/// What an agent may use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    pub rate: Both<Rate>,
    /// By the clock of whoever passes the time: from then on, the floor.
    pub until: Duration,
    pub floor: Both<Rate>,
}

/// One agent on one tunnel. No two may have one name at the same time.
#[derive(Debug)]
pub struct Holder {
    name: String,
    keeps_floor: bool,
    /// The others, by name.
    seen: BTreeMap<String, Seen>,
    allowance: Allowance,
    /// When the lease in force was asked for.
    renewed: Option<Duration>,
    /// Of what was asked for last.
    sequence: u64,
    asked: Option<Asked>,
}

/// A lease of somebody else.
#[derive(Debug, Clone, Copy)]
struct Seen {
    sequence: u64,
    since: Duration,
}

/// What was asked for and isn't known to be granted.
#[derive(Debug, Clone, Copy)]
struct Asked {
    rate: Both<Rate>,
    floor: Both<Rate>,
    at: Duration,
}

/// Somebody else's lease as it counts now.
struct Other<'a> {
    lease: &'a Lease,
    /// It has ended: only the floor is still in use.
    is_over: bool,
}

// === impl Holder ===

impl Holder {
    /// `keeps_floor`: the tunnel's floor is kept for this name, whether its process is there or not.
    /// `sequence`: by chance, so that a holder isn't taken for the one that had its name before.
    pub fn new(name: impl Into<String>, keeps_floor: bool, sequence: u64) -> Self {
        Self {
            name: name.into(),
            keeps_floor,
            seen: BTreeMap::new(),
            allowance: Allowance::default(),
            renewed: None,
            sequence,
            asked: None,
        }
    }

    pub fn allowance(&self) -> Allowance {
        self.allowance
    }

    /// Takes in a record that was read a moment ago. What has to be given up is given up at once; what
    /// has to be written is returned, for [`Self::granted`] once the swap has succeeded.
    ///
    /// `wall` is for the tunnel's schedule alone.
    pub fn look(&mut self, record: &Record, wall: SystemTime, wants: Both<Rate>, now: Duration) -> Option<Record> {
        self.asked = None;
        self.observe(record, now);
        let terms = record.definition.terms(&self.name, self.keeps_floor, wall);
        let others = self.others(record, now);
        let ours = record.leases.get(&self.name);
        let wants = Both::each(|budget| {
            let equal = terms.limits.of(budget).units() / (others.len() as u64 + 1);
            wants.of(budget).max(Rate::of(equal / LEAST_SHARE)).max(terms.floor.of(budget))
        });
        let rate = Both::each(|budget| target(budget, &terms, &others, (&self.name, wants.of(budget))));
        let floor = Both::each(|budget| terms.floor.of(budget).min(rate.of(budget)));
        self.lower(rate, floor);
        let lease = Lease {
            sequence: self.sequence.wrapping_add(1),
            ttl_millis: u64::try_from(TIME_TO_LIVE.as_millis()).unwrap_or(u64::MAX),
            rate,
            floor,
            wants,
            weight: terms.weight,
        };
        let is_due = self.renewed.is_none_or(|renewed| now.saturating_sub(renewed) >= TIME_TO_LIVE / RENEWALS);
        if !is_due && ours.is_some_and(|ours| !differs(ours, &lease)) {
            return None;
        }
        let mut next = record.clone();
        for (name, _) in others.iter().filter(|(_, other)| other.is_over) {
            end(&mut next, name);
        }
        self.sequence = lease.sequence;
        next.leases.insert(self.name.clone(), lease);
        self.asked = Some(Asked { rate, floor, at: now });
        Some(next)
    }

    /// The record of the last look is in the ledger.
    pub fn granted(&mut self) {
        if let Some(Asked { rate, floor, at }) = self.asked.take() {
            self.allowance = Allowance { rate, floor, until: at + TIME_TO_LIVE };
            self.renewed = Some(at);
        }
    }

    /// The record without this holder, which from now on uses nothing; none if it isn't in it.
    pub fn leave(&mut self, record: &Record) -> Option<Record> {
        self.allowance = Allowance::default();
        self.asked = None;
        let mut next = record.clone();
        next.leases.remove(&self.name).map(|_| next)
    }

    fn observe(&mut self, record: &Record, now: Duration) {
        self.seen.retain(|name, _| record.leases.contains_key(name));
        for (name, lease) in &record.leases {
            let seen = Seen { sequence: lease.sequence, since: now };
            match self.seen.get_mut(name) {
                Some(known) if known.sequence == lease.sequence => {}
                Some(known) => *known = seen,
                None => drop(self.seen.insert(name.clone(), seen)),
            }
        }
    }

    fn others<'a>(&self, record: &'a Record, now: Duration) -> BTreeMap<&'a String, Other<'a>> {
        let others = record.leases.iter().filter(|(name, _)| **name != self.name).map(|(name, lease)| {
            let ttl = Duration::from_millis(lease.ttl_millis);
            let over = ttl.saturating_add(ttl / GRACE);
            let is_over = self.seen.get(name).is_some_and(|seen| now.saturating_sub(seen.since) >= over);
            (name, Other { lease, is_over })
        });
        others.collect()
    }

    fn lower(&mut self, rate: Both<Rate>, floor: Both<Rate>) {
        let Allowance { rate: rate_now, floor: floor_now, until } = self.allowance;
        self.allowance = Allowance {
            rate: Both::each(|budget| rate_now.of(budget).min(rate.of(budget))),
            floor: Both::each(|budget| floor_now.of(budget).min(floor.of(budget))),
            until,
        };
    }
}

/// The fair share, as far as the others leave it.
fn target(
    budget: Budget,
    terms: &Terms,
    others: &BTreeMap<&String, Other<'_>>,
    (name, wants): (&String, Rate),
) -> Rate {
    let limit = terms.limits.of(budget);
    let (mut reserved, mut counted) = (0_u64, 0_u64);
    let mut claims = BTreeMap::from([(name, Claim { wants: wants.units(), weight: terms.weight.get() })]);
    for (other, Other { lease, is_over }) in others {
        if *is_over {
            reserved = reserved.saturating_add(lease.floor.of(budget).units());
            continue;
        }
        counted = counted.saturating_add(lease.rate.of(budget).units());
        claims.insert(other, Claim { wants: lease.wants.of(budget).units(), weight: lease.weight.get() });
    }
    if limit == Rate::UNLIMITED {
        return limit;
    }
    // In the order of the names, so that all come to the same shares.
    let position = claims.keys().position(|other| *other == name).unwrap_or_default();
    let claims: Vec<Claim> = claims.into_values().collect();
    let fair = fair_shares(limit.units().saturating_sub(reserved), &claims)[position];
    let free = limit.units().saturating_sub(counted).saturating_sub(reserved);
    Rate::of(fair.min(free))
}

/// Takes from the record what somebody's ended lease held: whoever comes back begins anew, and what
/// was taken can't be claimed again.
fn end(record: &mut Record, name: &str) {
    let Some(lease) = record.leases.get_mut(name) else { return };
    lease.rate = lease.floor;
    if lease.floor == Both::default() {
        record.leases.remove(name);
    }
}

/// Whether others should learn of it before it's due.
fn differs(ours: &Lease, next: &Lease) -> bool {
    let apart = |left: Rate, right: Rate, part: u128| {
        let (less, more) = (left.min(right).units(), left.max(right).units());
        u128::from(more - less) * part > u128::from(more)
    };
    let any = |left: Both<Rate>, right: Both<Rate>, part| {
        [Budget::Bytes, Budget::Requests].iter().any(|budget| apart(left.of(*budget), right.of(*budget), part))
    };
    any(ours.rate, next.rate, SMALL_RATE)
        || any(ours.wants, next.wants, SMALL_WANT)
        || ours.floor != next.floor
        || ours.weight != next.weight
}
