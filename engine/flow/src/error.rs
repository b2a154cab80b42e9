//! The one error of a run: what happened, where, and whether trying again may help.
//! Never built from payload or from a secret.

use std::{borrow::Cow, fmt, time::Duration};

use crate::object::Key;

/// A failure of one operation on a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure it is.
    pub code: Code,
    /// What was being done: `list`, `stat`, `read`, `put`, `begin`, `write-part`, `commit`, `abort`,
    /// `delete`, `open`, `check`, `verify`, `journal`.
    pub operation: &'static str,
    /// The object it was done to, if it was one.
    pub key: Option<Key>,
    /// What happened and what to do about it: lower case, no full stop.
    pub message: String,
    /// How long the store asked to wait before trying again.
    pub retry_after: Option<Duration>,
    /// The connector instance that failed can't be used any more: it trapped or ran out of a limit.
    pub instance_lost: bool,
}

/// The kind of a failure. An open vocabulary: a connector may send a word that isn't listed here,
/// and it's taken as permanent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Code(Cow<'static, str>);

// === impl Error ===

impl Error {
    /// A failure of `operation` that concerns no single object.
    pub fn new(code: Code, operation: &'static str, message: impl Into<String>) -> Self {
        Self { code, operation, key: None, message: message.into(), retry_after: None, instance_lost: false }
    }

    /// The same failure, of this object.
    #[must_use]
    pub fn with_key(mut self, key: &Key) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// Whether the same operation may succeed if it's tried again.
    pub fn is_transient(&self) -> bool {
        self.code.is_transient()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.operation)?;
        if let Some(key) = &self.key {
            write!(formatter, " {:?}", key.as_str())?;
        }
        write!(formatter, ": {} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {}

// === impl Code ===

impl Code {
    pub const ALREADY_EXISTS: Self = Self::known("already-exists");
    pub const CANCELLED: Self = Self::known("cancelled");
    pub const CHANGED: Self = Self::known("changed");
    pub const CHECKSUM_MISMATCH: Self = Self::known("checksum-mismatch");
    pub const CONNECTION_FAILED: Self = Self::known("connection-failed");
    /// A file of the engine's own is damaged, or isn't one.
    pub const CORRUPT: Self = Self::known("corrupt");
    pub const INTERNAL: Self = Self::known("internal");
    pub const INVALID_CONFIG: Self = Self::known("invalid-config");
    pub const INVALID_KEY: Self = Self::known("invalid-key");
    /// Somebody else holds it.
    pub const IN_USE: Self = Self::known("in-use");
    /// The store has no place for another connection: a worker steps aside, the others go on.
    pub const CROWDED: Self = Self::known("crowded");
    pub const IO: Self = Self::known("io");
    /// A connector went over a limit that the engine sets: memory, computing time, table sizes.
    pub const LIMIT: Self = Self::known("limit");
    pub const NOT_FOUND: Self = Self::known("not-found");
    pub const NO_SPACE: Self = Self::known("no-space");
    pub const PERMISSION_DENIED: Self = Self::known("permission-denied");
    pub const PRECONDITION_FAILED: Self = Self::known("precondition-failed");
    pub const PROTOCOL: Self = Self::known("protocol");
    pub const READ_ONLY: Self = Self::known("read-only");
    pub const THROTTLED: Self = Self::known("throttled");
    pub const TIMEOUT: Self = Self::known("timeout");
    pub const TOO_LARGE: Self = Self::known("too-large");
    /// A connector trapped.
    pub const TRAP: Self = Self::known("trap");
    pub const TRUNCATED: Self = Self::known("truncated");
    pub const UNAUTHENTICATED: Self = Self::known("unauthenticated");
    pub const UNAVAILABLE: Self = Self::known("unavailable");
    pub const UNSUPPORTED: Self = Self::known("unsupported");
    /// The sink doesn't know an upload any more: the object starts over.
    pub const UPLOAD_GONE: Self = Self::known("upload-gone");

    const TRANSIENT: [Self; 11] = [
        Self::CHANGED,
        Self::CHECKSUM_MISMATCH,
        Self::CONNECTION_FAILED,
        Self::CROWDED,
        Self::IO,
        Self::PROTOCOL,
        Self::THROTTLED,
        Self::TIMEOUT,
        Self::TRUNCATED,
        Self::UNAVAILABLE,
        Self::UPLOAD_GONE,
    ];

    const fn known(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// A code as a connector sent it; anything but `[a-z0-9-]{1,64}` becomes [`Code::INTERNAL`].
    pub fn from_connector(code: &str) -> Self {
        let valid = (1..=64).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if valid { Self(Cow::Owned(code.to_owned())) } else { Self::INTERNAL }
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether trying again may help. Unknown codes are permanent.
    pub fn is_transient(&self) -> bool {
        Self::TRANSIENT.contains(self)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
