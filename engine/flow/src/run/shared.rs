//! One run of several agents: each takes pages of the listing and moves what is on them, one lists. Reaches no
//! other agent itself: that's what [`Share`](crate::share::Share) is for.

mod folders;
mod hand;
mod leader;
mod merge;
mod page;
mod taker;

use std::{
    future::Future,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use self::hand::Hand;
pub(super) use self::{folders::Folders, leader::Leader, page::Draft, taker::Taker};
use super::{Context, Summary};
use crate::{
    error::{Code, Error},
    share::Share,
};

/// Between two attempts to reach the others: they are away for seconds, and nobody is in a hurry meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// What a run has more where it has several agents.
pub(super) struct Shared {
    pub(super) share: Arc<dyn Share>,
    pub(super) hand: Hand,
    /// What all have done, where this agent has ended the run.
    pub(super) totals: Mutex<Option<Summary>>,
    /// Of the meter, as it was told with the last results.
    told_retries: AtomicU64,
    told_repaired: AtomicU64,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(share: Arc<dyn Share>) -> Self {
        let (told_retries, told_repaired) = (AtomicU64::default(), AtomicU64::default());
        Self { share, hand: Hand::default(), totals: Mutex::default(), told_retries, told_repaired }
    }
}

/// Asks again while the others can't be reached. None once the run is stopped.
pub(super) async fn patiently<T, F>(context: &Context, mut ask: impl FnMut() -> F) -> Option<Result<T, Error>>
where
    F: Future<Output = Result<T, Error>>,
{
    let stop = &context.terms.stop;
    let mut is_told = false;
    loop {
        match stop.or(ask()).await.ok()? {
            Err(error) if error.is_transient() => {
                // That too many pages wait is no trouble.
                if error.code != Code::CROWDED && !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%error, "the other agents of the run can't be reached; this is tried again");
                }
                stop.or(tokio::time::sleep(PAUSE)).await.ok()?;
            }
            answer => return Some(answer),
        }
    }
}
