//! The signals that stop a run: SIGINT and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

pub(in crate::command) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

// === impl Signals ===

impl Signals {
    /// # Errors
    /// The system hands out no more handlers.
    pub(in crate::command) fn new() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(Failure::could_not_go_on);
        Ok(Self { interrupt: take(SignalKind::interrupt())?, terminate: take(SignalKind::terminate())? })
    }

    /// Resolves at the next one.
    pub(in crate::command) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
