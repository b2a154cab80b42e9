//! `culvert:connector/posix`: what WASI's filesystem leaves out, under the same grants. Every path
//! goes through [`crate::path`]; nothing here follows a link at its end or writes without the right.

mod listing;
mod reading;
mod writing;

pub(crate) use self::reading::FilesReading;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use culvert_flow::{body::MAX_CHUNK_BYTES, hash::Hasher, object::Algorithm};
use rustix::{
    fs::{
        AtFlags, FallocateFlags, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid,
    },
    io::Errno,
};
use tokio::sync::oneshot;
use wasmtime::component::{Access, Accessor, FutureReader, HasData, Resource, StreamReader};
use wasmtime_wasi::{
    FsPerms, WasiView,
    filesystem::Descriptor,
    p3::bindings::{clocks::system_clock::Instant, filesystem::types::ErrorCode},
};

use crate::{
    bindings::culvert::connector::{
        posix::{self, Changes, Entry, Host, HostWithStore, Kind, KnownFile, Status},
        types,
    },
    files::{error_code, read_chunk},
    path::{Place, open_below},
    state::State,
};

/// How the linker finds the store's data for this interface.
pub(crate) struct Posix;

impl HasData for Posix {
    type Data<'a> = &'a mut State;
}

/// An open file or directory and whether it may be changed.
struct Opened {
    file: Arc<File>,
    writable: bool,
    is_directory: bool,
}

type Answer<T> = wasmtime::Result<Result<T, ErrorCode>>;

// === impl State ===

impl State {
    fn opened(&mut self, descriptor: &Resource<Descriptor>) -> wasmtime::Result<Opened> {
        Ok(match self.ctx().table.get(descriptor)? {
            Descriptor::File(file) => {
                Opened { file: Arc::clone(&file.file), writable: file.perms == FsPerms::ReadWrite, is_directory: false }
            }
            Descriptor::Dir(directory) => Opened {
                file: Arc::clone(&directory.dir),
                writable: directory.perms == FsPerms::ReadWrite,
                is_directory: true,
            },
        })
    }
}

impl Host for State {
    fn status_at(&mut self, directory: Resource<Descriptor>, path: String) -> Answer<Status> {
        let directory = self.opened(&directory)?;
        Ok(answer(status_at(&directory.file, &path)))
    }

    fn status_of(&mut self, file: Resource<Descriptor>) -> Answer<Status> {
        let file = self.opened(&file)?;
        Ok(answer(rustix::fs::fstat(&file.file).map(|stat| status(&stat))))
    }

    fn change_at(&mut self, directory: Resource<Descriptor>, path: String, changes: Changes) -> Answer<()> {
        let directory = self.opened(&directory)?;
        Ok(directory.for_writing(|file| change_at(file, &path, &changes)))
    }

    fn change(&mut self, file: Resource<Descriptor>, changes: Changes) -> Answer<()> {
        let file = self.opened(&file)?;
        Ok(file.for_writing(|file| change(file, &changes)))
    }

    fn reserve(&mut self, file: Resource<Descriptor>, size: u64) -> Answer<()> {
        let file = self.opened(&file)?;
        if file.is_directory {
            return Ok(Err(ErrorCode::IsDirectory));
        }
        Ok(file.for_writing(|file| reserve(file, size)))
    }

    fn read_link_at(&mut self, directory: Resource<Descriptor>, path: String) -> Answer<String> {
        let directory = self.opened(&directory)?;
        let target = Place::find(directory.file.as_fd(), &path)
            .and_then(|place| rustix::fs::readlinkat(place.parent(), place.name, Vec::new()));
        Ok(match answer(target) {
            Ok(target) => target.into_string().map_err(|_| ErrorCode::IllegalByteSequence),
            Err(code) => Err(code),
        })
    }

    fn symlink_at(&mut self, directory: Resource<Descriptor>, target: String, path: String) -> Answer<()> {
        let directory = self.opened(&directory)?;
        Ok(directory.for_writing(|file| {
            let place = Place::find(file.as_fd(), &path)?;
            rustix::fs::symlinkat(target.as_str(), place.parent(), place.name)
        }))
    }

    fn rename_at(
        &mut self,
        directory: Resource<Descriptor>,
        old_path: String,
        new_path: String,
        replace: bool,
    ) -> Answer<()> {
        let directory = self.opened(&directory)?;
        Ok(directory.for_writing(|file| rename_at(file, &old_path, &new_path, replace)))
    }
}

impl HostWithStore<State> for Posix {
    fn list_directory(
        mut store: Access<'_, State, Self>,
        directory: Resource<Descriptor>,
        path: String,
    ) -> wasmtime::Result<(StreamReader<Entry>, FutureReader<Result<(), ErrorCode>>)> {
        let directory = store.get().opened(&directory)?;
        let (done, result) = oneshot::channel();
        let stream = match listing::DirectoryReading::open(&directory.file, &path, done) {
            Ok(reading) => StreamReader::new(&mut store, reading)?,
            Err((done, error)) => {
                // The receiver is right here.
                let _ = done.send(Err(error_code(&error)));
                StreamReader::new(&mut store, std::iter::empty())?
            }
        };
        let outcome = async move { wasmtime::error::Ok(result.await.unwrap_or(Ok(()))) };
        Ok((stream, FutureReader::new(&mut store, outcome)?))
    }

    async fn checksum(
        accessor: &Accessor<State, Self>,
        file: Resource<Descriptor>,
        algorithm: String,
        offset: u64,
        length: u64,
    ) -> Answer<Vec<u8>> {
        let file = accessor.with(|mut access| access.get().opened(&file))?;
        if file.is_directory {
            return Ok(Err(ErrorCode::IsDirectory));
        }
        let Some(algorithm) = Algorithm::parse(&algorithm) else { return Ok(Err(ErrorCode::Unsupported)) };
        Ok(checksum(&file.file, algorithm, offset, length).await)
    }

    fn read_file(
        store: Access<'_, State, Self>,
        directory: Resource<Descriptor>,
        path: String,
        follow: bool,
        offset: u64,
    ) -> Answer<reading::Opened> {
        reading::read_file(store, &directory, &path, follow, offset)
    }

    async fn write_file(
        accessor: &Accessor<State, Self>,
        directory: Resource<Descriptor>,
        writing: posix::Writing,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<types::Checksum>, types::Error>>,
    ) -> wasmtime::Result<Result<posix::Written, posix::Failure>> {
        writing::write_file(accessor, directory, writing, data, whole).await
    }

    fn read_files(
        store: Access<'_, State, Self>,
        directory: Resource<Descriptor>,
        files: Vec<KnownFile>,
        follow: bool,
    ) -> wasmtime::Result<reading::Bytewise> {
        reading::read_files(store, &directory, files, follow)
    }

    async fn write_files(
        accessor: &Accessor<State, Self>,
        directory: Resource<Descriptor>,
        files: Vec<posix::Writing>,
        data: StreamReader<u8>,
        whole: Vec<Vec<types::Checksum>>,
    ) -> Answer<Vec<Result<posix::Written, posix::Failure>>> {
        writing::write_files(accessor, directory, files, data, whole).await
    }
}

// === impl Opened ===

impl Opened {
    fn for_writing<T>(&self, work: impl FnOnce(&File) -> rustix::io::Result<T>) -> Result<T, ErrorCode> {
        if self.writable { answer(work(&self.file)) } else { Err(ErrorCode::NotPermitted) }
    }
}

fn answer<T>(result: rustix::io::Result<T>) -> Result<T, ErrorCode> {
    result.map_err(|error| error_code(&io::Error::from(error)))
}

fn status_at(directory: &File, path: &str) -> rustix::io::Result<Status> {
    let place = Place::find(directory.as_fd(), path)?;
    Ok(status(&rustix::fs::statat(place.parent(), place.name, AtFlags::SYMLINK_NOFOLLOW)?))
}

/// What `lstat` said, in the contract's words.
fn status(stat: &Stat) -> Status {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    Status {
        kind,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: Instant { seconds: stat.st_mtime, nanoseconds: nanoseconds(stat.st_mtime_nsec) },
        changed: Instant { seconds: stat.st_ctime, nanoseconds: nanoseconds(stat.st_ctime_nsec) },
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        inode: stat.st_ino,
    }
}

/// Kernels keep it below a second.
fn nanoseconds<T: TryInto<u32>>(nanoseconds: T) -> u32 {
    nanoseconds.try_into().unwrap_or(0)
}

fn change_at(directory: &File, path: &str, changes: &Changes) -> rustix::io::Result<()> {
    let place = Place::find(directory.as_fd(), path)?;
    let link = AtFlags::SYMLINK_NOFOLLOW;
    let is_link = || -> rustix::io::Result<bool> {
        let stat = rustix::fs::statat(place.parent(), place.name, link)?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
    };
    if changes.uid.is_some() || changes.gid.is_some() {
        let (owner, group) = (changes.uid.map(Uid::from_raw), changes.gid.map(Gid::from_raw));
        rustix::fs::chownat(place.parent(), place.name, owner, group, link)?;
    }
    if let Some(mode) = changes.mode
        && !is_link()?
    {
        // Opened without following, so that what was a directory a moment ago can't have become a link.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(place.parent(), place.name, flags, Mode::empty())?;
        rustix::fs::fchmod(opened, mode_bits(mode))?;
    }
    if let Some(modified) = changes.modified {
        rustix::fs::utimensat(place.parent(), place.name, &timestamps(modified), link)?;
    }
    Ok(())
}

fn change(file: &File, changes: &Changes) -> rustix::io::Result<()> {
    // The owner first: changing it clears the set-id bits of the mode.
    if changes.uid.is_some() || changes.gid.is_some() {
        rustix::fs::fchown(file, changes.uid.map(Uid::from_raw), changes.gid.map(Gid::from_raw))?;
    }
    if let Some(mode) = changes.mode {
        rustix::fs::fchmod(file, mode_bits(mode))?;
    }
    if let Some(modified) = changes.modified {
        rustix::fs::futimens(file, &timestamps(modified))?;
    }
    Ok(())
}

fn mode_bits(mode: u32) -> Mode {
    Mode::from_raw_mode(mode & 0o7777)
}

fn timestamps(modified: Instant) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: modified.seconds,
            tv_nsec: i64::from(modified.nanoseconds.min(999_999_999)),
        },
    }
}

/// Blocks and size at once. On ext4 the write that follows costs 40 % less (`ARCHITECTURE.md`).
fn reserve(file: &File, size: u64) -> rustix::io::Result<()> {
    if size > 0 {
        match rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            reserved => reserved?,
        }
    }
    // Also where it was larger, which only hostile callers have.
    rustix::fs::ftruncate(file, size)
}

fn rename_at(directory: &File, old_path: &str, new_path: &str, replace: bool) -> rustix::io::Result<()> {
    let old = Place::find(directory.as_fd(), old_path)?;
    let new = Place::find(directory.as_fd(), new_path)?;
    rename(&old, new.parent(), new.name, replace)
}

fn rename(old: &Place<'_>, folder: BorrowedFd<'_>, new: &str, replace: bool) -> rustix::io::Result<()> {
    if replace {
        return rustix::fs::renameat(old.parent(), old.name, folder, new);
    }
    match rustix::fs::renameat_with(old.parent(), old.name, folder, new, RenameFlags::NOREPLACE) {
        // File systems that don't know the flag (NFS): a link fails on a taken name just as atomically.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(old.parent(), old.name, folder, new, AtFlags::empty())?;
            rustix::fs::unlinkat(old.parent(), old.name, AtFlags::empty())
        }
        renamed => renamed,
    }
}

async fn checksum(file: &File, algorithm: Algorithm, offset: u64, length: u64) -> Result<Vec<u8>, ErrorCode> {
    let mut hasher = Hasher::new([algorithm]);
    let end = offset.checked_add(length).ok_or(ErrorCode::Overflow)?;
    let mut position = offset;
    while position < end {
        let wanted = usize::try_from(end - position).unwrap_or(MAX_CHUNK_BYTES).min(MAX_CHUNK_BYTES);
        let bytes = read_chunk(file, position, wanted).map_err(|error| error_code(&error))?;
        if bytes.is_empty() {
            return Err(ErrorCode::Overflow);
        }
        hasher.update(&bytes);
        position += bytes.len() as u64;
        if position < end {
            // A gigabyte takes a while: let the thread's other tasks run.
            tokio::task::yield_now().await;
        }
    }
    hasher.finish().remove(&algorithm).ok_or(ErrorCode::Unsupported)
}

/// Opens a directory below another for reading its names.
fn open_directory(directory: &File, path: &str) -> rustix::io::Result<std::os::fd::OwnedFd> {
    let path = if path.is_empty() { "." } else { path };
    open_below(directory.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW)
}
