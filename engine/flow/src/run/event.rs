//! What a run tells those who watch it, and what it says at its end. Formats nothing.

use crate::{
    compare::{MoveReason, SkipReason},
    error::Error,
    meter::Meter,
    object::Key,
    transfer::Grade,
};

/// Something that happened, in the order in which it did for each object.
#[derive(Debug, Clone)]
pub enum Event {
    RunStarted,
    /// What a run that didn't end in order had left at the sink is removed.
    Swept {
        /// Temporary files or uploads.
        removed: u64,
    },
    /// An object is whole at the sink and verified.
    ObjectMoved {
        key: Key,
        bytes: u64,
        /// None for directories and symlinks.
        grade: Option<Grade>,
        attempts: u32,
    },
    /// The source doesn't have it, so the sink hasn't either any more.
    ObjectDeleted {
        key: Key,
    },
    /// Deleting was asked for, and something speaks against it.
    NothingDeleted {
        reason: &'static str,
    },
    ObjectSkipped {
        key: Key,
        reason: SkipReason,
    },
    /// An object was given up; the run goes on.
    ObjectFailed {
        /// Its key, or its name as far as it can be written where it has no valid one: it may hold
        /// control characters.
        name: String,
        error: Error,
        attempts: u32,
    },
    /// A plan found that an object would be moved.
    ObjectPlanned {
        key: Key,
        /// 0 where the source can't tell.
        bytes: u64,
        /// The sink has one that would be overwritten.
        overwrites: bool,
        reason: MoveReason,
    },
    /// Something failed and will be tried again.
    Retry {
        /// None: an instance couldn't be opened, or the root couldn't be listed.
        key: Option<Key>,
        part: Option<u32>,
        error: Error,
        /// The one that failed, from 1.
        attempt: u32,
        pause: std::time::Duration,
    },
    /// A folder couldn't be listed to its end: what's in it is unknown, so the run can't be whole.
    ListingFailed {
        /// None: the root.
        folder: Option<Key>,
        error: Error,
    },
    RunFinished(Summary),
}

/// What a run did.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Everything that was found; once a run has finished, the sum of moved, skipped and failed.
    /// Folders count only if they're empty, or fail.
    pub listed: u64,
    pub moved: u64,
    pub skipped: u64,
    pub failed: u64,
    pub deleted: u64,
    /// Of those that were moved: verification failed first, and a further attempt was whole.
    pub repaired: u64,
    /// Of the objects that were moved.
    pub bytes_moved: u64,
    pub retries: u64,
    pub seconds: f64,
    pub state: State,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Everything that was listed was moved, skipped or reported as failed.
    Finished,
    /// It was cancelled with work left.
    Interrupted,
    /// It couldn't go on, or couldn't list everything.
    Failed(Error),
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub listed: u64,
    /// New at the sink.
    pub moves: Tally,
    /// Different at the sink.
    pub overwrites: Tally,
    pub skips: Tally,
    pub failed: u64,
    pub state: State,
}

/// Some objects and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub objects: u64,
    /// Of those whose size is known.
    pub bytes: u64,
}

// === impl Summary ===

impl Summary {
    pub(super) fn of(meter: &Meter, took: std::time::Duration, state: State) -> Self {
        Self {
            listed: meter.listed.get(),
            moved: meter.moved.get(),
            skipped: meter.skipped.get(),
            failed: meter.failed.get(),
            deleted: meter.deleted.get(),
            repaired: meter.repaired.get(),
            bytes_moved: meter.bytes_moved.get(),
            retries: meter.retries.get(),
            seconds: took.as_secs_f64(),
            state,
        }
    }
}

// === impl Tally ===

impl Tally {
    pub(super) fn count(&mut self, bytes: u64) {
        self.objects += 1;
        // Sizes are what a store says.
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
