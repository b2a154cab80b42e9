//! Credits: permission to move bytes and to send requests, first come first served.
//! Never reads or writes a byte itself, and trusts nobody to be quick: a credit is small.

mod asleep;
mod bucket;
pub mod lease;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

pub use self::bucket::{burst_bytes, chunk_bytes};
use self::{
    asleep::Asleep,
    bucket::Bucket,
    lease::{Allowance, Both, THOUSANDTHS, Use},
};
use crate::{body::MAX_CHUNK_BYTES, rules::Limits, sync::lock};

/// Longest time for which the first in line sleeps before it looks again, so that nothing it missed
/// can hold a tunnel for longer.
const RECHECK: Duration = Duration::from_millis(250);

/// A pair of budgets, bytes per second and requests per second. Clones are the same tunnel.
#[derive(Debug, Clone)]
pub struct Tunnel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where the buckets' time starts.
    epoch: Instant,
    /// Only where there are leases: a limit of one's own needs no clock that others see.
    asleep: Option<Asleep>,
    bytes: Lane,
    requests: Lane,
    spent_bytes: AtomicU64,
    /// Somebody waits for a lease that grants too little.
    starved: Notify,
}

/// One budget and those who wait for it.
#[derive(Debug, Default)]
struct Lane {
    /// Whether there is a bucket: spares an unlimited tunnel every lock.
    limited: AtomicBool,
    /// Held by the first in line while it waits; tokio's mutex is fair, so this is the line.
    line: tokio::sync::Mutex<()>,
    bucket: Mutex<Option<Bucket>>,
    /// The first in line must look again.
    changed: Notify,
    waiting: AtomicU64,
    granted: AtomicU64,
    /// How long the first in line has waited for the bucket, in nanoseconds.
    dry_nanos: AtomicU64,
}

/// Permission to move bytes through the tunnel; what isn't spent is given back when it's dropped.
///
/// A holder must not wait for another credit, nor for a sink: those who would free the sink may
/// stand in line behind this credit.
#[derive(Debug)]
#[must_use = "a credit that's dropped unspent is given back"]
pub struct Credit<'a> {
    tunnel: &'a Tunnel,
    bytes: usize,
    spent: usize,
    /// It came out of a bucket, so the rest goes back there.
    metered: bool,
}

/// Permission to send one request; given back when it's dropped unspent. The rule of [`Credit`]
/// holds here too: don't wait for another one while holding it.
#[derive(Debug)]
#[must_use = "a credit that's dropped unspent is given back"]
pub struct RequestCredit<'a> {
    tunnel: &'a Tunnel,
    metered: bool,
    spent: bool,
}

/// What went through a tunnel so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes granted and not given back: spent ones and those in hand.
    pub granted_bytes: u64,
    pub spent_bytes: u64,
    /// Requests granted and not given back.
    pub requests: u64,
    /// Who stands in line for bytes or requests now, the first one included.
    pub waiting: u64,
    /// How long the first in line has waited for the limit, over all who were first.
    pub waited_for_bytes: Duration,
    pub waited_for_requests: Duration,
}

/// Somebody in line; leaving it, for whatever reason, is counted too.
struct Waiting<'a>(&'a AtomicU64);

// === impl Tunnel ===

impl Tunnel {
    /// An idle tunnel: one burst is granted at once.
    pub fn new(limits: Limits) -> Self {
        let tunnel = Self::open(None);
        tunnel.0.bytes.set(limits.max_bandwidth.map(|rate| Bucket::of_bytes(rate, Duration::ZERO)));
        tunnel.0.requests.set(limits.max_requests_per_second.map(|rate| Bucket::of_requests(rate, Duration::ZERO)));
        tunnel
    }

    /// A tunnel that's shared with other processes: grants nothing before it's given a lease.
    pub fn leased() -> Self {
        let tunnel = Self::open(Some(Asleep::new()));
        tunnel.set_lease(&Allowance::default());
        tunnel
    }

    fn open(asleep: Option<Asleep>) -> Self {
        Self(Arc::new(Inner {
            epoch: Instant::now(),
            asleep,
            bytes: Lane::default(),
            requests: Lane::default(),
            spent_bytes: AtomicU64::new(0),
            starved: Notify::new(),
        }))
    }

    /// What may be used from now on, by the clock of [`Self::now`]; ends by itself.
    pub(crate) fn set_lease(&self, lease: &Allowance) {
        let now = self.now();
        self.0.bytes.replace(now, Some(Bucket::of_leased_bytes(lease, now)));
        self.0.requests.replace(now, Some(Bucket::of_leased_requests(lease, now)));
    }

    /// What was used until now of each budget.
    pub(crate) fn used(&self) -> Both<Use> {
        Both { bytes: self.0.bytes.used(1), requests: self.0.requests.used(THOUSANDTHS) }
    }

    /// Resolves when somebody has begun to wait since it did last.
    pub(crate) async fn starved(&self) {
        self.0.starved.notified().await;
    }

    /// Other limits, in force at once for everybody in line too. What the tunnel had saved up is
    /// kept as far as the new burst allows.
    pub fn set_limits(&self, limits: Limits) {
        let now = self.now();
        self.0.bytes.replace(now, limits.max_bandwidth.map(|rate| Bucket::of_bytes(rate, now)));
        self.0.requests.replace(now, limits.max_requests_per_second.map(|rate| Bucket::of_requests(rate, now)));
    }

    /// Permission for at least one and at most `wanted` bytes, as many as a credit of this tunnel
    /// may have: half a chunk, or [`MAX_CHUNK_BYTES`] without limit. Dropping the future leaves the
    /// line.
    pub async fn take_bytes(&self, wanted: usize) -> Credit<'_> {
        let wanted = wanted.clamp(1, MAX_CHUNK_BYTES);
        let lane = &self.0.bytes;
        let granted = lane.take(wanted as u64, &self.0.starved, || self.now()).await;
        // A grant is at most what was wanted, so it fits.
        let bytes = granted.map_or(wanted, |bytes| usize::try_from(bytes).unwrap_or(wanted));
        lane.granted.fetch_add(bytes as u64, Ordering::Relaxed);
        Credit { tunnel: self, bytes, spent: 0, metered: granted.is_some() }
    }

    /// The most that one credit may have now, in bytes.
    pub(crate) fn largest_credit(&self) -> usize {
        let lane = &self.0.bytes;
        if !lane.limited.load(Ordering::Acquire) {
            return MAX_CHUNK_BYTES;
        }
        let largest = lock(&lane.bucket).as_ref().map_or(u64::MAX, Bucket::largest_grant);
        usize::try_from(largest).unwrap_or(MAX_CHUNK_BYTES).min(MAX_CHUNK_BYTES)
    }

    /// Permission for one request. Dropping the future leaves the line.
    pub async fn take_request(&self) -> RequestCredit<'_> {
        let lane = &self.0.requests;
        let granted = lane.take(1, &self.0.starved, || self.now()).await;
        lane.granted.fetch_add(1, Ordering::Relaxed);
        RequestCredit { tunnel: self, metered: granted.is_some(), spent: false }
    }

    pub fn usage(&self) -> Usage {
        let Inner { bytes, requests, spent_bytes, .. } = &*self.0;
        Usage {
            granted_bytes: bytes.granted.load(Ordering::Relaxed),
            spent_bytes: spent_bytes.load(Ordering::Relaxed),
            requests: requests.granted.load(Ordering::Relaxed),
            waiting: bytes.waiting.load(Ordering::Relaxed) + requests.waiting.load(Ordering::Relaxed),
            waited_for_bytes: bytes.waited(),
            waited_for_requests: requests.waited(),
        }
    }

    /// Since the tunnel was made; of a leased one, time in suspend included.
    pub(crate) fn now(&self) -> Duration {
        let asleep = self.0.asleep.as_ref().map_or(Duration::ZERO, Asleep::total);
        self.0.epoch.elapsed() + asleep
    }
}

// === impl Credit ===

impl Credit<'_> {
    /// How many bytes may still be moved.
    pub fn bytes(&self) -> usize {
        self.bytes - self.spent
    }

    /// Says that `bytes` were moved; more than were left count as all of them.
    pub fn spend(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes());
        self.spent += bytes;
        self.tunnel.0.spent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Credit<'_> {
    fn drop(&mut self) {
        self.tunnel.0.bytes.give_back(self.bytes() as u64, self.metered);
    }
}

// === impl RequestCredit ===

impl RequestCredit<'_> {
    /// Says that the request was sent.
    pub fn spend(mut self) {
        self.spent = true;
    }
}

impl Drop for RequestCredit<'_> {
    fn drop(&mut self) {
        self.tunnel.0.requests.give_back(u64::from(!self.spent), self.metered);
    }
}

// === impl Lane ===

impl Lane {
    fn set(&self, bucket: Option<Bucket>) {
        self.limited.store(bucket.is_some(), Ordering::Release);
        *lock(&self.bucket) = bucket;
    }

    fn replace(&self, now: Duration, next: Option<Bucket>) {
        let mut bucket = lock(&self.bucket);
        *bucket = next.map(|next| next.after(bucket.as_ref(), now));
        self.limited.store(bucket.is_some(), Ordering::Release);
        drop(bucket);
        self.changed.notify_one();
    }

    /// Units from the bucket, in order of arrival; none where there is no limit.
    async fn take(&self, wanted: u64, starved: &Notify, now: impl Fn() -> Duration) -> Option<u64> {
        if !self.limited.load(Ordering::Acquire) {
            return None;
        }
        let _waiting = Waiting::count(&self.waiting);
        let _first = self.line.lock().await;
        loop {
            let pause = match lock(&self.bucket).as_mut()?.take(wanted, now()) {
                Ok(units) => return Some(units),
                Err(pause) => pause,
            };
            starved.notify_one();
            let since = now();
            // Whoever changes the bucket leaves a permit in `changed`, so nothing is missed between
            // the look above and the sleep.
            tokio::select! {
                () = tokio::time::sleep(pause.min(RECHECK)) => {}
                () = self.changed.notified() => {}
            }
            let nanos = now().saturating_sub(since).as_nanos();
            self.dry_nanos.fetch_add(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// Until now; a unit that's granted counts as so many.
    fn used(&self, per_unit: u64) -> Use {
        Use {
            units: self.granted.load(Ordering::Relaxed).saturating_mul(per_unit),
            dry: self.waited(),
            waits: self.waiting.load(Ordering::Relaxed) > 0,
        }
    }

    fn waited(&self) -> Duration {
        Duration::from_nanos(self.dry_nanos.load(Ordering::Relaxed))
    }

    fn give_back(&self, units: u64, metered: bool) {
        if units == 0 {
            return;
        }
        self.granted.fetch_sub(units, Ordering::Relaxed);
        if metered && let Some(bucket) = lock(&self.bucket).as_mut() {
            bucket.give_back(units);
            self.changed.notify_one();
        }
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn count(waiting: &'a AtomicU64) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
