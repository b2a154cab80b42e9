//! Keeps one agent's lease: looks at the ledger a few times a second, renews, and tells the tunnel what it
//! may grant. Where the ledger can't be reached it does nothing: the lease ends by itself.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use tokio::time::timeout;

use super::{Both, Demand, Holder, LOOK, Ledger, Rate, Use, record::Budget};
use crate::{
    error::{Code, Error},
    sync::Cancel,
    tunnel::Tunnel,
};

/// Longest wait for the ledger's answer: three of them fit into a lease.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a look is tried again at once because somebody else wrote in between.
const TRIES: u32 = 4;
/// Shortest time between two looks, where an agent that was idle becomes busy.
const HURRY: Duration = Duration::from_millis(100);

/// A thread that keeps a lease; giving it up, when this is dropped, gives the lease back.
#[derive(Debug)]
pub struct Keeper {
    stop: Cancel,
    thread: Option<JoinHandle<()>>,
}

/// What the thread works with.
pub(super) struct Keeping<L> {
    ledger: L,
    holder: Holder,
    tunnel: Tunnel,
    demand: Both<Demand>,
    used: Both<Use>,
    looked: Duration,
    /// Whether the last look failed: told on its edges.
    is_lost: bool,
}

// === impl Keeper ===

impl Keeper {
    /// Takes a lease of the ledger's tunnel for as long as this lives. `tunnel` grants what it allows.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start<L: Ledger>(ledger: L, holder: Holder, tunnel: Tunnel) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::new(Code::IO, "tunnel", format!("can't start a thread: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let stop = Cancel::new();
        let heard = stop.clone();
        let keeping = Keeping::new(ledger, holder, tunnel);
        let work = move || runtime.block_on(keeping.keep(&heard));
        let thread = thread::Builder::new().name("tunnel".to_owned()).spawn(work).map_err(failed)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic has been printed; the lease ends by itself.
            let _ = thread.join();
        }
    }
}

// === impl Keeping ===

impl<L: Ledger> Keeping<L> {
    pub(super) fn new(ledger: L, holder: Holder, tunnel: Tunnel) -> Self {
        let (used, looked) = (tunnel.used(), tunnel.now());
        Self { ledger, holder, tunnel, demand: Both::default(), used, looked, is_lost: false }
    }

    pub(super) async fn keep(mut self, stop: &Cancel) {
        // Whoever begins is about to move; what it doesn't use goes to others soon.
        let mut wants = Both { bytes: Rate::UNLIMITED, requests: Rate::UNLIMITED };
        loop {
            let looked = timeout(PATIENCE, self.look(wants)).await;
            self.tell(looked.unwrap_or_else(|_| Err(unreachable())));
            let is_hungry = wants.bytes == Rate::UNLIMITED || wants.requests == Rate::UNLIMITED;
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK) => {}
                () = hurry(&self.tunnel), if !is_hungry => {}
            }
            wants = self.wants();
        }
        // Nobody takes credit any more. Where this fails, the lease ends by itself.
        let _ = timeout(PATIENCE, self.leave()).await;
    }

    async fn look(&mut self, wants: Both<Rate>) -> Result<(), Error> {
        for _ in 0..TRIES {
            let (record, version) = self.ledger.read().await?.ok_or_else(missing)?;
            let next = self.holder.look(&record, SystemTime::now(), wants, self.tunnel.now());
            // What was given up is given up before anybody reads of it.
            self.tunnel.set_lease(&self.holder.allowance());
            let Some(next) = next else { return Ok(()) };
            if self.ledger.swap(version, &next).await? {
                self.holder.granted();
                self.tunnel.set_lease(&self.holder.allowance());
                return Ok(());
            }
        }
        // The others wrote each time: what's in force is unchanged until the next look.
        Ok(())
    }

    async fn leave(&mut self) -> Result<(), Error> {
        for _ in 0..TRIES {
            let Some((record, version)) = self.ledger.read().await? else { break };
            let next = self.holder.leave(&record);
            self.tunnel.set_lease(&self.holder.allowance());
            let Some(next) = next else { break };
            if self.ledger.swap(version, &next).await? {
                break;
            }
        }
        Ok(())
    }

    fn wants(&mut self) -> Both<Rate> {
        let (used, now) = (self.tunnel.used(), self.tunnel.now());
        let (before, time) = (self.used, now.saturating_sub(self.looked));
        (self.used, self.looked) = (used, now);
        let rate = self.holder.allowance().rate;
        let measure = |budget: Budget, demand: &mut Demand| {
            let (before, used) = (before.of(budget), used.of(budget));
            let since = Use {
                units: used.units.saturating_sub(before.units),
                dry: used.dry.saturating_sub(before.dry),
                waits: used.waits,
            };
            demand.measure(since, rate.of(budget), time)
        };
        let bytes = measure(Budget::Bytes, &mut self.demand.bytes);
        Both { bytes, requests: measure(Budget::Requests, &mut self.demand.requests) }
    }

    fn tell(&mut self, looked: Result<(), Error>) {
        match (looked, self.is_lost) {
            (Err(error), false) => {
                self.is_lost = true;
                tracing::warn!(%error, "the tunnel's ledger is lost; what is moved stops when the lease ends");
            }
            (Ok(()), true) => {
                self.is_lost = false;
                tracing::warn!("the tunnel's ledger is back");
            }
            _ => {}
        }
    }
}

async fn hurry(tunnel: &Tunnel) {
    tunnel.starved().await;
    tokio::time::sleep(HURRY).await;
}

fn missing() -> Error {
    Error::new(Code::NOT_FOUND, "tunnel", "the tunnel isn't there any more")
}

fn unreachable() -> Error {
    Error::new(Code::TIMEOUT, "tunnel", format!("no answer within {PATIENCE:?}"))
}
