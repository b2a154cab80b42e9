//! One tunnel shared by agents that know of each other only through a record in a ledger: each takes a
//! lease, its fair share for a short time, and reckons with what the others hold. Moves no byte.
//!
//! The rule that everything follows: the leases that may still be in use never add up to more than the
//! limit. A holder that takes less does so before it writes it; one that takes more does so after the
//! write has succeeded. It counts its time to live from before it asked, everybody else from after they
//! saw the record, and a little longer: so clocks need not agree, only run at about the same speed.
//!
//! A limit that was lowered is obeyed by every lease that's taken from then on; old ones end within a
//! time to live.

mod demand;
mod holder;
mod keeper;
mod period;
mod record;
mod share;
#[cfg(test)]
mod simulation;
mod sqlite;
#[cfg(test)]
mod tests;

use std::{future::Future, time::Duration};

pub(super) use self::record::THOUSANDTHS;
pub use self::{
    demand::{Demand, Use},
    holder::{Allowance, Holder},
    keeper::Keeper,
    period::Period,
    record::{Both, Definition, Lease, Rate, Record, agent_of},
    sqlite::SqliteLedger,
};
use crate::error::Error;

/// How long a lease lasts: long enough for a ledger that answers late, short enough that a dead agent's
/// share is another's within 5 s.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(3);
/// How often an agent looks at the ledger: a change is in force within a second.
pub const LOOK: Duration = Duration::from_millis(250);

/// Where the record of one tunnel is.
pub trait Ledger: Send + 'static {
    /// The record and its version; none if there is no such tunnel.
    ///
    /// # Errors
    /// The ledger can't be reached.
    fn read(&self) -> impl Future<Output = Result<Option<(Record, u64)>, Error>> + Send;

    /// Puts `record` in the place of the one with this version. False if it has another by now.
    ///
    /// # Errors
    /// The ledger can't be reached: the record may be there, or may still come to be there as long as
    /// nobody else has changed it.
    fn swap(&self, version: u64, record: &Record) -> impl Future<Output = Result<bool, Error>> + Send;
}
