//! Errors of the contract: one constructor for each known code. Never asked for a value of the
//! configuration or for payload; names of objects go in through [`quote`].

mod filesystem;

use std::time::Duration;

pub use filesystem::filesystem;

use crate::types::Error;

/// Longest message in bytes, as the contract has it.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Longest name in characters that a message shows whole: several fit into a message even if every
/// character of theirs is escaped.
const MAX_QUOTED_CHARS: usize = 200;

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(message: impl Into<String>) -> Error {
            new($code, message)
        }
    )*};
}

constructors! {
    /// There is no such object.
    not_found = "not-found";
    /// Something is where nothing, or something else, was expected.
    already_exists = "already-exists";
    /// The identity is known and may not do this.
    permission_denied = "permission-denied";
    /// The identity isn't accepted.
    unauthenticated = "unauthenticated";
    /// The endpoint's table is wrong: begin with the field's name.
    invalid_config = "invalid-config";
    /// The store can't have an object of this name.
    invalid_key = "invalid-key";
    /// The store or the connector can't do this at all.
    unsupported = "unsupported";
    /// The object isn't what it was when it was listed or opened. Tried again by the engine.
    changed = "changed";
    /// A condition that the engine or the user set doesn't hold.
    precondition_failed = "precondition-failed";
    /// What the store has isn't what was sent. Tried again by the engine.
    checksum_mismatch = "checksum-mismatch";
    /// There were fewer bytes than announced. Tried again by the engine.
    truncated = "truncated";
    /// The store is full, or a quota is used up.
    no_space = "no-space";
    /// The store can't be written.
    read_only = "read-only";
    /// The store can't have an object of this size.
    too_large = "too-large";
    /// The store asks to be asked less often. Tried again by the engine, more slowly.
    throttled = "throttled";
    /// The store has no place for another connection of ours. Tried again by the engine, which lets
    /// other workers do the work meanwhile.
    crowded = "crowded";
    /// The store can't answer now. Tried again by the engine.
    unavailable = "unavailable";
    /// The store didn't answer in time. Tried again by the engine.
    timeout = "timeout";
    /// The store wasn't reached. Tried again by the engine.
    connection_failed = "connection-failed";
    /// The other side broke its protocol. Tried again by the engine.
    protocol = "protocol";
    /// A device failed. Tried again by the engine.
    io = "io";
    /// The other end gave up.
    cancelled = "cancelled";
    /// The connector is at fault.
    internal = "internal";
}

/// An error with a code that has no constructor here; the engine takes it as permanent. Control
/// characters become spaces, and what goes over 4096 bytes is cut off.
pub fn new(code: &str, message: impl Into<String>) -> Error {
    let mut message: String = message.into();
    message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
    if message.contains(char::is_control) {
        message = message.replace(char::is_control, " ");
    }
    Error { code: code.to_owned(), message, retry_after: None }
}

/// The same error, with the time that the store asked to wait before the next attempt.
#[must_use]
pub fn retry_after(mut error: Error, wait: Duration) -> Error {
    error.retry_after = Some(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
    error
}

/// A name for a message: in quotes, control characters escaped, its middle left out if it's long.
pub fn quote(name: &str) -> String {
    let count = name.chars().count();
    if count <= MAX_QUOTED_CHARS {
        return format!("{name:?}");
    }
    let half = MAX_QUOTED_CHARS / 2;
    let head: String = name.chars().take(half).collect();
    let tail: String = name.chars().skip(count - half).collect();
    format!("{:?}", format!("{head}…{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_short_and_printable() {
        let error = io("ä".repeat(4000));
        assert_eq!(error.message.len(), MAX_MESSAGE_BYTES);
        assert_eq!(io("a\u{1b}[31m\nb").message, "a [31m b");
        assert_eq!(error.code, "io");
    }

    #[test]
    fn a_name_is_escaped_and_shortened() {
        assert_eq!(quote("a\n\"b"), r#""a\n\"b""#);
        let long = format!("{}{}", "a".repeat(500), "b".repeat(500));
        assert_eq!(quote(&long).chars().count(), MAX_QUOTED_CHARS + 3);
        assert!(quote(&long).ends_with("bbb\""));
    }

    #[test]
    fn a_wait_is_in_nanoseconds() {
        assert_eq!(retry_after(throttled("slow down"), Duration::from_millis(2)).retry_after, Some(2_000_000));
    }
}
