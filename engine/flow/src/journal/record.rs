//! What goes into a journal and comes out of it. Numbers of reasons, outcomes and states are those of
//! the file: none ever changes its meaning.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crossbeam_channel::Sender;

use super::{Started, codes::nanos, lookup::Settled};
use crate::{
    compare::SkipReason,
    error::Error,
    hash::Hasher,
    listing::Mark,
    meter::Meter,
    object::{Algorithm, Checksums, Key, Kind, Object},
    run::{Grade, Summary},
    sink::Receipt,
};

/// Longest message that's kept with a failure, in bytes: enough to say what to do.
const MAX_MESSAGE_BYTES: usize = 1024;
/// Longest name, in bytes: that of the longest key.
const MAX_NAME_BYTES: usize = crate::object::MAX_KEY_BYTES;

/// What is told to the writer.
#[derive(Debug)]
pub(crate) enum Entry {
    Begin {
        round: u32,
        meter: Arc<Meter>,
        now: SystemTime,
        reply: Sender<Result<Started, Error>>,
    },
    End {
        summary: Box<Summary>,
        scope: Scope,
        now: SystemTime,
    },
    /// The last run is over, whatever of it was done.
    GiveUp,
    /// An object is whole at the sink, and proven.
    Moved {
        item: Item,
        proof: Proof,
        now: SystemTime,
    },
    /// The sink was asked about it, or nothing asks for it.
    Skipped {
        item: Item,
        reason: Skip,
    },
    /// Found as it was written down before: only the run is noted.
    Unchanged {
        keys: Vec<Key>,
        reason: Skip,
    },
    Failed {
        name: String,
        error: Error,
        attempts: u32,
    },
    /// A directory's own attributes are as they were listed. Not an object of a report.
    Folder {
        item: Item,
    },
    /// Everything in a folder has been listed and is done.
    Whole {
        item: Item,
        mark: Mark,
    },
    /// What was known to be at the sink isn't any more.
    Lost(Key),
    /// It was removed from the sink because the source doesn't have it.
    Deleted(Key),
    Begun {
        id: i64,
        item: Item,
        token: String,
        part_size: u64,
    },
    Part {
        upload: i64,
        receipt: Receipt,
        checksums: Checksums,
    },
    /// Committed, aborted, or gone.
    Ended(i64),
    /// Everything up to here has been listed and is done; none: nobody knows.
    Position(Option<Key>),
    Flush(Sender<Result<(), Error>>),
    /// As if the process were killed here.
    #[cfg(test)]
    Die,
}

/// Of what a summary is, at a run's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Scope {
    /// The run has gone through everything that it could list, so that the next one isn't the rest of it.
    pub(crate) whole: bool,
    /// The figures are those of all processes that worked on the run.
    pub(crate) total: bool,
}

/// An object as far as a later run must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) kind: i64,
    pub(crate) size: Option<i64>,
    /// Nanoseconds since 1970.
    pub(crate) modified: Option<i64>,
    pub(crate) version: Option<Arc<str>>,
    /// Of what is mostly attributes: directories and symlinks.
    pub(crate) attributes: Option<i64>,
}

/// How an object was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) checksums: Checksums,
    pub(crate) grade: Option<Grade>,
    pub(crate) attempts: u32,
}

/// A reason as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skip(pub(super) i64);

/// What the last run that saw an object did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Moved,
    Failed,
    /// The word of a [`SkipReason`].
    Skipped(&'static str),
    /// Removed from the sink.
    Deleted,
}

/// What a journal knows of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key, or its name as far as it can be written where it has no valid one: it may hold control
    /// characters.
    pub name: String,
    pub outcome: Outcome,
    pub run: i64,
    /// Whether a run moved it or found it at the sink, so that the following are about what's there.
    pub at_sink: bool,
    pub kind: Kind,
    pub size: Option<u64>,
    pub modified: Option<SystemTime>,
    pub version: Option<String>,
    /// Of the source's bytes.
    pub checksums: Checksums,
    pub grade: Option<Grade>,
    /// When it was moved, to the millisecond; none where the sink was found to have it.
    pub moved: Option<SystemTime>,
    pub attempts: u32,
    /// The failure's, where it failed.
    pub code: Option<String>,
    pub message: Option<String>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Under way, or killed.
    Running,
    Finished,
    Interrupted,
    Failed,
}

/// One run, and what it has done so far: written at least every second while it's under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    pub id: i64,
    pub round: u32,
    pub started: SystemTime,
    /// When its last process took it over: as `started`, unless it was resumed.
    pub resumed: SystemTime,
    /// For how long earlier processes had worked on it.
    pub worked: Duration,
    /// When the figures were written.
    pub updated: SystemTime,
    pub ended: Option<SystemTime>,
    /// The process that last worked on it.
    pub process: u32,
    pub state: RunState,
    /// Why it failed.
    pub error: Option<String>,
    pub listed: u64,
    pub moved: u64,
    pub skipped: u64,
    pub failed: u64,
    pub deleted: u64,
    pub repaired: u64,
    pub retries: u64,
    /// Bytes handed to the sink, those of attempts that failed included.
    pub bytes: u64,
    pub bytes_moved: u64,
    pub bytes_expected: u64,
    pub listing_done: bool,
}

// === impl Item ===

impl Item {
    pub(crate) fn of(object: &Object) -> Self {
        let attributes = matches!(object.kind, Kind::Directory | Kind::Symlink).then(|| fingerprint(object));
        Self {
            key: object.key.clone(),
            kind: match object.kind {
                Kind::File => 0,
                Kind::Directory => 1,
                Kind::Symlink => 2,
                Kind::Other(_) => 3,
            },
            // What doesn't fit is unknown, so that it's never taken for the same.
            size: object.size.and_then(|size| i64::try_from(size).ok()),
            modified: object.modified.and_then(nanos),
            version: object.version.clone(),
            attributes,
        }
    }

    /// Whether the bytes must be the same: by version where both have one, else by size and time,
    /// which must both be known.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let content = match (&self.version, &other.version) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, None) => self.modified.is_some() && self.modified == other.modified && self.size == other.size,
            _ => false,
        };
        content && self.kind == other.kind && self.attributes == other.attributes
    }
}

/// One number for all attributes.
fn fingerprint(object: &Object) -> i64 {
    let mut hasher = Hasher::new([Algorithm::Crc64Nvme]);
    for (name, value) in &object.attributes {
        for text in [name, value] {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
    }
    let digest = hasher.finish().remove(&Algorithm::Crc64Nvme).unwrap_or_default();
    digest.try_into().map_or(0, i64::from_be_bytes)
}

// === impl Record ===

impl Record {
    /// Whether the source still has what was moved, as far as can be told without reading it.
    pub(crate) fn is_of(&self, object: &Object) -> bool {
        let content = match (&self.version, &object.version) {
            (Some(ours), Some(theirs)) => **ours == **theirs,
            (None, None) => self.modified == object.modified && (self.size == object.size || self.size.is_none()),
            _ => false,
        };
        content && self.kind == object.kind
    }
}

// === impl Skip ===

/// Numbers of reasons with their words.
const REASONS: [(i64, &str); 12] = [
    (10, "same"),
    (11, "exists"),
    (12, "not-newer"),
    (13, "not-included"),
    (14, "excluded"),
    (15, "too-old"),
    (16, "too-new"),
    (17, "too-small"),
    (18, "too-large"),
    (19, "sink-cannot-hold"),
    (20, "unknown-kind"),
    (21, "done"),
];

impl Skip {
    /// What such a skip says about the sink.
    pub(super) fn settles(self) -> Settled {
        match self.0 {
            10 => Settled::Same,
            11 => Settled::Exists,
            12 => Settled::NotNewer,
            _ => Settled::Not,
        }
    }
}

impl From<&SkipReason> for Skip {
    fn from(reason: &SkipReason) -> Self {
        let word = reason.as_str();
        Self(REASONS.iter().find(|(_, known)| *known == word).map_or(0, |(number, _)| *number))
    }
}

// === impl Outcome ===

impl Outcome {
    pub(super) const MOVED: i64 = 0;
    pub(super) const FAILED: i64 = 1;
    pub(super) const FOLDER: i64 = 2;
    pub(super) const DELETED: i64 = 3;
    /// Reasons for skipping begin here.
    pub(super) const SKIPPED: i64 = 10;

    /// None for what is no object of a report.
    pub(super) fn parse(number: i64) -> Option<Self> {
        match number {
            Self::MOVED => Some(Self::Moved),
            Self::FAILED => Some(Self::Failed),
            Self::FOLDER => None,
            Self::DELETED => Some(Self::Deleted),
            number => {
                let word = REASONS.iter().find(|(reason, _)| *reason == number).map_or("unknown", |(_, word)| word);
                Some(Self::Skipped(word))
            }
        }
    }

    /// `moved`, `failed`, `deleted`, or the reason for which it was skipped.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Failed => "failed",
            Self::Skipped(reason) => reason,
            Self::Deleted => "deleted",
        }
    }
}

// === impl RunRecord ===

impl RunRecord {
    /// For how long it has been worked on, until its figures were written; the time between two processes
    /// aside.
    pub fn duration(&self) -> Duration {
        let until = self.ended.unwrap_or(self.updated);
        self.worked.saturating_add(until.duration_since(self.resumed).unwrap_or_default())
    }
}

// === impl RunState ===

impl RunState {
    pub(super) const RUNNING: i64 = 0;
    pub(super) const FINISHED: i64 = 1;
    pub(super) const INTERRUPTED: i64 = 2;
    pub(super) const FAILED: i64 = 3;
    /// Failed after it had gone through everything that it could list.
    pub(super) const FAILED_WHOLE: i64 = 4;

    pub(super) fn parse(number: i64) -> Self {
        match number {
            Self::FINISHED => Self::Finished,
            Self::INTERRUPTED => Self::Interrupted,
            Self::FAILED | Self::FAILED_WHOLE => Self::Failed,
            _ => Self::Running,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// As much of a text as is kept.
pub(super) fn name(text: &str) -> &str {
    cut(text, MAX_NAME_BYTES)
}

pub(super) fn message(text: &str) -> &str {
    cut(text, MAX_MESSAGE_BYTES)
}

fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
