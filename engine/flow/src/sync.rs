//! What the workers of a run share across threads: the word to stop, and a lock that survives a
//! panic. Decides nothing about what is given up when the word comes.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

/// The word to stop. Said once, heard by every clone, never taken back.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    heard: Notify,
}

/// Stop came first: the future was dropped where it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Locks; what a panicked holder left is used as it is, since every critical section in this crate
/// leaves its data whole at each step.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Cancel ===

impl Cancel {
    pub fn new() -> Self {
        Self::default()
    }

    /// Says stop. Saying it again changes nothing.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
        self.0.heard.notify_waiters();
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Resolves once stop has been said.
    pub async fn cancelled(&self) {
        // Made before the flag is read, so that a word in between isn't missed.
        let heard = self.0.heard.notified();
        if !self.is_cancelled() {
            heard.await;
        }
    }

    /// The future's value, unless stop comes first.
    pub(crate) async fn or<T>(&self, future: impl Future<Output = T>) -> Result<T, Stopped> {
        let future = pin!(future);
        tokio::select! {
            biased;
            () = self.cancelled() => Err(Stopped),
            value = future => Ok(value),
        }
    }
}
