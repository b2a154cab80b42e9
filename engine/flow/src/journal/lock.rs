//! Who holds a journal: a lock file beside it, with the holder's process id. The lock is the kernel's
//! and ends with the process, so a crash leaves nothing to clean up; the file stays.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use crate::error::{Code, Error};

/// More than a process id in decimal; what else is in the file isn't ours.
const MAX_PID_BYTES: u64 = 20;

/// The right to write a journal; given back when it's dropped.
#[derive(Debug)]
pub(super) struct Holder {
    _file: File,
}

// === impl Holder ===

impl Holder {
    /// `journal.sqlite` is held by `journal.lock`.
    pub(super) fn take(journal: &Path) -> Result<Self, Error> {
        let path = journal.with_extension("lock");
        let failed = |error: std::io::Error| {
            let message = format!("the journal's lock file {} can't be used: {error}", path.display());
            Error::new(Code::IO, "journal", message)
        };
        // Not truncated: it may be another's, whose name is wanted.
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(journal, &path, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn held(journal: &Path, lock: &PathBuf, file: &mut File) -> Error {
    let mut text = String::new();
    let holder = match file.take(MAX_PID_BYTES).read_to_string(&mut text).ok().and_then(|_| text.parse::<u32>().ok()) {
        Some(process) => format!("process {process}"),
        None => "another process".to_owned(),
    };
    let message = format!(
        "{holder} holds the journal {} ({}): wait until it's done, or stop it",
        journal.display(),
        lock.display()
    );
    Error::new(Code::IN_USE, "journal", message)
}
