//! From the error codes of WASI's filesystem to those of the contract. Says what to do only where
//! that's the same for every connector.

use super::{new, quote};
use crate::{types::Error, wasi::filesystem::types::ErrorCode};

/// Longest text of the host in characters that goes into a message.
const MAX_HOST_TEXT_CHARS: usize = 200;

/// What failed as `cannot <operation> "<path>": <reason>`, under the code that fits the reason.
pub fn filesystem(operation: &str, path: &str, error: ErrorCode) -> Error {
    let (code, reason) = meaning(&error);
    let path = quote(path);
    match error {
        ErrorCode::Other(Some(text)) => {
            let text: String = text.chars().take(MAX_HOST_TEXT_CHARS).collect();
            new(code, format!("cannot {operation} {path}: {reason}: {text}"))
        }
        _ => new(code, format!("cannot {operation} {path}: {reason}")),
    }
}

fn meaning(error: &ErrorCode) -> (&'static str, &'static str) {
    match error {
        ErrorCode::Access => ("permission-denied", "permission denied"),
        ErrorCode::NotPermitted => ("permission-denied", "not permitted, or a link leads out of the folder"),
        // What openat2(2) says of a path that would leave its directory.
        ErrorCode::CrossDevice => ("permission-denied", "it leads out of the folder, or to another file system"),
        ErrorCode::Exist => ("already-exists", "it exists already"),
        ErrorCode::IsDirectory => ("already-exists", "a folder is there"),
        ErrorCode::NotEmpty => ("already-exists", "a folder that isn't empty is there"),
        ErrorCode::NoEntry => ("not-found", "it doesn't exist"),
        ErrorCode::NotDirectory => ("not-found", "something on the way to it isn't a folder"),
        ErrorCode::InsufficientSpace => ("no-space", "no space is left on the device"),
        ErrorCode::Quota => ("no-space", "the disk quota is used up"),
        ErrorCode::ReadOnly => ("read-only", "the file system is read-only"),
        ErrorCode::FileTooLarge | ErrorCode::Overflow => {
            ("too-large", "the file system can't have a file of this size")
        }
        ErrorCode::NameTooLong => ("invalid-key", "the name is longer than the file system allows"),
        ErrorCode::IllegalByteSequence => ("invalid-key", "the name or the link's target isn't UTF-8"),
        ErrorCode::Loop => ("unsupported", "it's a symbolic link, or links lead in a circle"),
        ErrorCode::TooManyLinks => ("unsupported", "the folder has as many entries as it can have"),
        ErrorCode::Invalid => ("unsupported", "the file system refuses it, the name perhaps"),
        ErrorCode::Unsupported => ("unsupported", "the file system can't do this"),
        ErrorCode::NoDevice | ErrorCode::NoSuchDevice => ("io", "the device is gone"),
        ErrorCode::Io => ("io", "the device failed"),
        ErrorCode::Busy | ErrorCode::TextFileBusy => ("unavailable", "it's in use"),
        ErrorCode::NoLock | ErrorCode::Deadlock => ("unavailable", "it's locked"),
        ErrorCode::InsufficientMemory => ("unavailable", "the machine is out of memory or open files"),
        ErrorCode::Already | ErrorCode::InProgress | ErrorCode::Interrupted => ("unavailable", "it was interrupted"),
        ErrorCode::BadDescriptor
        | ErrorCode::InvalidSeek
        | ErrorCode::MessageSize
        | ErrorCode::NoTty
        | ErrorCode::NotRecoverable
        | ErrorCode::Pipe
        | ErrorCode::Other(_) => ("io", "the file system failed in an unexpected way"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_operation_path_and_reason() {
        let error = filesystem("write", "a\n/b", ErrorCode::InsufficientSpace);
        assert_eq!(error.code, "no-space");
        assert_eq!(error.message, r#"cannot write "a\n/b": no space is left on the device"#);
    }

    #[test]
    fn keeps_what_the_host_says_short() {
        let error = filesystem("read", "a", ErrorCode::Other(Some("x".repeat(1000))));
        assert_eq!(error.code, "io");
        assert!(error.message.len() < 300, "{}", error.message);
    }
}
