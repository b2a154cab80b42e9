//! What a pipeline asks of a run, in types that can't be invalid. Reads no file: `manifest` builds
//! these.

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::{Duration, SystemTime},
};

use globset::GlobSet;
use jiff::{civil, tz::TimeZone};
use regex::RegexSet;

use crate::select::{Hits, KeySet};

/// Payload bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRate(pub NonZeroU64);

/// Requests per second: one HTTP request or one TCP connection each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestRate(pub NonZeroU32);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// What a tunnel allows all its agents together. None: without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    pub max_bandwidth: Option<ByteRate>,
    pub max_requests_per_second: Option<RequestRate>,
}

/// Which objects are moved. An object must pass every rule.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Keys asked for one by one; none: all.
    pub only: Option<Arc<KeySet>>,
    /// Starts of keys, of which one must fit; empty: everything.
    pub prefixes: Vec<String>,
    /// Globs over the whole key, `*` within a segment, `**` across; none: everything.
    pub include: Option<GlobSet>,
    /// Regular expressions that match anywhere in the key; none: everything.
    pub include_regex: Option<RegexSet>,
    /// Taken out of what the rules above let through.
    pub exclude: Option<GlobSet>,
    /// Taken out too.
    pub exclude_regex: Option<RegexSet>,
    /// Not before.
    pub modified_after: Option<Moment>,
    /// Before.
    pub modified_before: Option<Moment>,
    pub min_size: Option<ByteSize>,
    pub max_size: Option<ByteSize>,
    /// How the rules are written, and how often each decided.
    pub hits: Hits,
}

/// A time that objects' times are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub time: SystemTime,
    /// How long before the start of a round it lies, where it's written so.
    pub age: Option<Duration>,
}

/// When a pipeline's rounds start, and when they may move; [`crate::schedule`] reckons with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// From the start of one round to the start of the next; none: there is one round.
    pub every: Option<Duration>,
    /// None: without end.
    pub rounds: Option<NonZeroU32>,
    /// Times of the day; none: always.
    pub windows: Vec<Window>,
    /// Where the windows' clock hangs.
    pub timezone: TimeZone,
}

/// A time of every day in which a pipeline may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: civil::Time,
    /// The first moment that's outside; at or before `start` on the clock: of the next day.
    pub end: civil::Time,
}

/// What happens to an object that the sink already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    Never,
    Always,
    /// The source's was modified later (whole seconds), or the sizes differ and it isn't older.
    IfNewer,
    /// Sizes, or times, or checksums that both know, differ.
    #[default]
    IfDifferent,
}

/// How it's proven that the sink has what the source had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// The sink's own checksum equals the one the engine computed from the source's bytes, where
    /// the sink has one; by size elsewhere, and the report says so.
    #[default]
    Checksum,
    /// The sink is read back and hashed.
    Reread,
    /// The number of bytes.
    Size,
}

/// How objects are moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub overwrite: Overwrite,
    pub verify: Verify,
    /// Objects or parts moved at the same time.
    pub workers: NonZeroUsize,
    /// Objects larger than this move in parts of this size, where the sink can; grows so that
    /// [`MAX_PARTS`] suffice.
    pub part_size: ByteSize,
    /// How often one object (or part) is tried in all.
    pub attempts: NonZeroU32,
    /// Longest pause between two attempts.
    pub max_backoff: Duration,
}

/// Largest object that moves as a whole for the sake of a checksum that doesn't follow from those of
/// parts: the most that S3 and OSS take at once.
pub const MAX_WHOLE: ByteSize = ByteSize(5 << 30);

/// Removing from the sink what the source doesn't have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteExtra {
    /// Most that one run may delete, in percent of the sink's objects that the selection takes: 0 to
    /// 100. Where there is more, it deletes nothing.
    pub max_percent: u8,
    /// Starts of keys that are never deleted nor counted: what the engine itself writes to the sink,
    /// reports for instance.
    pub keep: Vec<String>,
}

/// Most parts of an upload: the limit of S3 and OSS.
pub const MAX_PARTS: u32 = 10_000;

// === impl Moment ===

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self { time, age: None }
    }
}

// === impl Schedule ===

impl Default for Schedule {
    fn default() -> Self {
        Self { every: None, rounds: None, windows: Vec::new(), timezone: TimeZone::UTC }
    }
}
