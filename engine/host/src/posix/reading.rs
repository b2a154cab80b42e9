//! `posix.read-file`: a file's status, its bytes and the word on whether it stayed the same, in one
//! call. Reads no byte itself.

mod batch;

pub(crate) use self::batch::FilesReading;
pub(super) use self::batch::{Bytewise, read_files};

use std::{fs::File, os::fd::AsFd, sync::Arc};

use rustix::fs::{FileType, OFlags, Stat};
use tokio::sync::oneshot;
use wasmtime::component::{Access, FutureReader, Resource, StreamReader};
use wasmtime_wasi::filesystem::Descriptor;

use super::{Answer, Posix, answer, status};
use crate::{
    bindings::culvert::connector::{posix::Status, types::Error},
    files::FileReading,
    path::open_below,
    state::State,
};

pub(super) type Opened = (Status, StreamReader<u8>, FutureReader<Result<(), Error>>);

/// What tells one content of a file from another: nobody can set the change time.
#[derive(PartialEq, Eq)]
struct Identity([i128; 6]);

pub(super) fn read_file(
    mut store: Access<'_, State, Posix>,
    directory: &Resource<Descriptor>,
    path: &str,
    follow: bool,
    offset: u64,
) -> Answer<Opened> {
    let directory = store.get().opened(directory)?;
    let opened = open(&directory.file, path, follow);
    let (file, stat) = match opened {
        Ok(opened) => opened,
        Err(error) => return Ok(answer(Err(error))),
    };
    let status = status(&stat);
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        let data = StreamReader::new(&mut store, std::iter::empty())?;
        let outcome = FutureReader::new(&mut store, async { wasmtime::error::Ok(Ok(())) })?;
        return Ok(Ok((status, data, outcome)));
    }
    let (file, before) = (Arc::new(file), Identity::of(&stat));
    let (done, result) = oneshot::channel();
    let reading = FileReading::whole(Arc::clone(&file), offset, done, status.size);
    let data = StreamReader::new(&mut store, reading)?;
    let path = path.to_owned();
    let outcome = FutureReader::new(&mut store, async move {
        // A stream that was dropped without a word was dropped by its reader, who knows why.
        let read = result.await.unwrap_or(Ok(()));
        wasmtime::error::Ok(read.map_err(|code| failed("io", &path, &format!("can't be read: {code:?}"))).and_then(
            |()| match rustix::fs::fstat(&file) {
                Ok(stat) if Identity::of(&stat) == before => Ok(()),
                Ok(_) => Err(failed("changed", &path, "was changed while it was read")),
                Err(error) => Err(failed("io", &path, &format!("can't be looked at: {error}"))),
            },
        ))
    })?;
    Ok(Ok((status, data, outcome)))
}

fn open(directory: &File, path: &str, follow: bool) -> rustix::io::Result<(File, Stat)> {
    // A pipe that somebody put in a file's place must not make the worker wait for its other end.
    let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::NOFOLLOW, !follow);
    let file = File::from(open_below(directory.as_fd(), path, flags)?);
    let stat = rustix::fs::fstat(&file)?;
    Ok((file, stat))
}

fn failed(code: &str, path: &str, what: &str) -> Error {
    Error { code: code.to_owned(), message: format!("{path:?} {what}"), retry_after: None }
}

// === impl Identity ===

impl Identity {
    fn of(stat: &Stat) -> Self {
        Self([
            i128::from(stat.st_ino),
            i128::from(stat.st_size),
            i128::from(stat.st_mtime),
            i128::from(stat.st_mtime_nsec),
            i128::from(stat.st_ctime),
            i128::from(stat.st_ctime_nsec),
        ])
    }
}
