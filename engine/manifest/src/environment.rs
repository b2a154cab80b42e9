//! What a pipeline may take from the machine: variables, secret files, the time. Tests inject theirs.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::Path,
    time::SystemTime,
};

use crate::endpoint::Role;

/// Largest file that `{ file = "..." }` reads, in bytes: a key or a certificate chain, not data.
pub const MAX_SECRET_FILE_BYTES: u64 = 64 * 1024;

/// The world outside the pipeline file.
pub trait Environment {
    /// An environment variable; none where it isn't set.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The text of a secret file.
    ///
    /// # Errors
    /// It can't be read, isn't UTF-8 or is larger than [`MAX_SECRET_FILE_BYTES`].
    fn read_file(&self, path: &Path) -> io::Result<String>;

    /// The table of a named source or sink; none if there is no such address, or it's the other end's.
    fn address(&self, _name: &str, _role: Role) -> Option<String> {
        None
    }

    /// The time that relative ages (`modified_after = "30d"`) count back from.
    fn now(&self) -> SystemTime;
}

/// The variables, files and clock of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

// === impl ProcessEnvironment ===

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        let mut bytes = Vec::new();
        let read = File::open(path)?.take(MAX_SECRET_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if read as u64 > MAX_SECRET_FILE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("the file is larger than {MAX_SECRET_FILE_BYTES} bytes"),
            ));
        }
        // The conversion error would carry the bytes.
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file isn't UTF-8"))
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn reads_no_endless_file() {
        let error = ProcessEnvironment.read_file(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
