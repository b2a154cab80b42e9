//! What a pipeline asks of a run, in types that can't be invalid. Reads no file: `manifest` builds
//! these.

use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    time::{Duration, SystemTime},
};

use globset::GlobSet;

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
    /// Globs over the whole key, `*` within a segment, `**` across; none: everything.
    pub include: Option<GlobSet>,
    /// Taken out of what `include` lets through.
    pub exclude: Option<GlobSet>,
    /// Not before.
    pub modified_after: Option<SystemTime>,
    /// Before.
    pub modified_before: Option<SystemTime>,
    pub min_size: Option<ByteSize>,
    pub max_size: Option<ByteSize>,
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

/// Most parts of an upload: the limit of S3 and OSS.
pub const MAX_PARTS: u32 = 10_000;
