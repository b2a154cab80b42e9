//! Who holds a journal: a lock file beside it, with the holder's process id. The lock is the kernel's
//! and ends with the process, so a crash leaves nothing to clean up; the file stays.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    os::fd::AsFd,
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc,
};

use crate::error::{Code, Error};

/// More than a process id in decimal; what else is in the file isn't ours.
const MAX_PID_BYTES: u64 = 20;

/// The right to write a journal; given back when it's dropped.
#[derive(Debug)]
pub(super) struct Holder {
    _file: File,
}

/// The process that holds a journal; 0 if it can't be told. Only asks the kernel: whoever took the lock
/// to find out would be in the way of a run that begins.
pub(super) fn held_by(journal: &Path) -> Result<Option<u32>, Error> {
    let path = journal.with_extension("lock");
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failure(&path, &error)),
    };
    let mut lock = whole_file();
    match fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut lock)) {
        Ok(_) if i32::from(lock.l_type) == libc::F_UNLCK => Ok(None),
        Ok(_) => Ok(Some(process(&mut file).unwrap_or(0))),
        Err(error) => Err(failure(&path, &error.into())),
    }
}

/// A lock of an open file description, for writing, over all of its file (fcntl(2), "Open file
/// description locks").
#[allow(clippy::cast_possible_truncation, reason = "the kernel's own small numbers, in the width of its structure")]
fn whole_file() -> libc::flock {
    libc::flock { l_type: libc::F_WRLCK as i16, l_whence: libc::SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 }
}

fn failure(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("the journal's lock file {} can't be used: {error}", path.display());
    Error::new(Code::IO, "journal", message)
}

/// The process id in a lock file.
fn process(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(MAX_PID_BYTES).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

// === impl Holder ===

impl Holder {
    /// `journal.sqlite` is held by `journal.lock`.
    pub(super) fn take(journal: &Path) -> Result<Self, Error> {
        let path = journal.with_extension("lock");
        let failed = |error: std::io::Error| failure(&path, &error);
        // Not truncated: it may be another's, whose name is wanted.
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(failed)?;
        match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&whole_file())) {
            Ok(_) => {}
            Err(Errno::EAGAIN | Errno::EACCES) => return Err(held(journal, &path, &mut file)),
            Err(error) => return Err(failed(error.into())),
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

fn held(journal: &Path, lock: &Path, file: &mut File) -> Error {
    let holder = process(file).map_or("another process".to_owned(), |process| format!("process {process}"));
    let message = format!(
        "{holder} holds the journal {} ({}): wait until it's done, or stop it",
        journal.display(),
        lock.display()
    );
    Error::new(Code::IN_USE, "journal", message)
}
