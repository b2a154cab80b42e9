//! `posix.write-file`: a whole file, from its temporary name to its own, in one call. What fails
//! leaves nothing behind, and so does a call that's dropped half-way.

mod batch;

pub(super) use self::batch::write_files;

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use culvert_flow::object::Algorithm;
use rustix::{
    fs::{AtFlags, Mode, OFlags},
    io::Errno,
};
use tokio::sync::oneshot;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};
use wasmtime_wasi::{filesystem::Descriptor, p3::bindings::filesystem::types::ErrorCode};

use super::{Posix, answer, change, checksum, rename, reserve, status};
use crate::{
    bindings::culvert::connector::{
        posix::{Failure, Step, Writing, Written},
        types::{Checksum, Error},
    },
    channel::Deliver,
    convert,
    files::{Feed, FileWriting, carry, error_code},
    path::{Folders, Place},
    state::State,
};

/// Permissions with which a file that not everybody may read is written.
const PRIVATE_MODE: Mode = Mode::from_raw_mode(0o600);
/// Permissions with which any other is, less the process's umask.
const SHARED_MODE: Mode = Mode::from_raw_mode(0o666);
/// Read permission of group and others.
const SHARED_READ: u32 = 0o044;
/// Permissions of a folder that was missing, less the process's umask.
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);

/// Files from this size on have their blocks set aside, in bytes: what's smaller has few.
const RESERVED_SIZE: u64 = 1 << 20;

type Whole = FutureReader<Result<Vec<Checksum>, Error>>;
type Attempt<T> = wasmtime::Result<Result<T, Failure>>;

/// Who makes the bytes.
enum Body {
    Engine(Feed),
    Guest(StreamReader<u8>, Whole),
}

/// A file under its temporary name; gone when this is dropped.
struct Temporary<'a> {
    place: Place<'a>,
    file: Arc<File>,
    published: bool,
}

pub(super) async fn write_file(
    accessor: &Accessor<State, Posix>,
    directory: Resource<Descriptor>,
    writing: Writing,
    mut data: StreamReader<u8>,
    mut whole: Whole,
) -> Attempt<Written> {
    let directory = accessor.with(|mut access| access.get().opened(&directory))?;
    let name = if directory.writable { name_of(&writing) } else { Err(ErrorCode::NotPermitted) };
    let created = name.and_then(|name| {
        let made = Temporary::create(directory.file.as_fd(), &mut Folders::default(), &writing);
        Ok((name, made.map_err(|error| error_code(&error.into()))?))
    });
    let (name, temporary) = match created {
        Ok(created) => created,
        Err(code) => {
            accessor.with(|mut access| data.close(&mut access).and_then(|()| whole.close(&mut access)))?;
            return Ok(Err(Failure::Refused((Step::Create, code))));
        }
    };
    let body = accessor.with(|mut access| match data.try_into::<Feed>(&mut access) {
        Ok(feed) => whole.close(&mut access).map(|()| Body::Engine(feed)),
        Err(data) => wasmtime::error::Ok(Body::Guest(data, whole)),
    })?;
    match body.write(accessor, &temporary.file, writing.size).await? {
        Ok((length, checksums)) => Ok(temporary.finish(name, &writing, length, &checksums).await),
        Err(failure) => Ok(Err(failure)),
    }
}

/// The last segment of the path; the temporary one must lie in the same folder.
fn name_of(writing: &Writing) -> Result<&str, ErrorCode> {
    let split = |path| match str::rsplit_once(path, '/') {
        Some((folder, name)) => (folder, name),
        None => ("", path),
    };
    let ((folder, name), (beside, _)) = (split(&writing.path), split(&writing.temporary));
    if folder != beside || matches!(name, "" | "." | "..") || name.contains('\0') {
        return Err(ErrorCode::Invalid);
    }
    Ok(name)
}

fn refused<T>(step: Step, result: rustix::io::Result<T>) -> Result<T, Failure> {
    answer(result).map_err(|code| Failure::Refused((step, code)))
}

// === impl Body ===

impl Body {
    /// Writes all of it, and returns its length and its checksums once it's said to be whole.
    async fn write(
        self,
        accessor: &Accessor<State, Posix>,
        file: &Arc<File>,
        size: Option<u64>,
    ) -> Attempt<(u64, Vec<Checksum>)> {
        let write_failed = |code| Failure::Refused((Step::Write, code));
        match self {
            Self::Engine(mut feed) => {
                // Its bytes are counted below; those of a guest are told by the file's size.
                if let Some(size) = size.filter(|size| *size >= RESERVED_SIZE)
                    && let Err(failure) = refused(Step::Write, reserve(file, size))
                {
                    return Ok(Err(failure));
                }
                let length = match carry(&mut feed, file, 0).await {
                    Ok(length) => length,
                    Err(error) => return Ok(Err(write_failed(error_code(&error)))),
                };
                Ok(match feed.whole().await {
                    Ok(checksums) => Ok((length, convert::to_wit_checksums(&checksums))),
                    Err(error) => Err(Failure::Body(convert::to_wit_error(&error))),
                })
            }
            Self::Guest(data, whole) => {
                let (done, written) = oneshot::channel();
                accessor.with(|mut access| data.pipe(&mut access, FileWriting::new(Arc::clone(file), 0, done)))?;
                if let Ok(Err(code)) = written.await {
                    accessor.with(|mut access| {
                        let mut whole = whole;
                        whole.close(&mut access)
                    })?;
                    return Ok(Err(write_failed(code)));
                }
                let (sender, said) = oneshot::channel();
                accessor.with(|mut access| whole.pipe(&mut access, Deliver(Some(sender))))?;
                let length = match file.metadata() {
                    Ok(metadata) => metadata.len(),
                    Err(error) => return Ok(Err(write_failed(error_code(&error)))),
                };
                Ok(match said.await {
                    Ok(Ok(checksums)) => Ok((length, checksums)),
                    Ok(Err(error)) => Err(Failure::Body(error)),
                    // Whoever was to say so has gone: it isn't whole.
                    Err(_) => Err(write_failed(ErrorCode::Other(Some("nobody said that the body is whole".into())))),
                })
            }
        }
    }
}

// === impl Temporary ===

impl<'a> Temporary<'a> {
    /// Makes the file, and the folders on the way if they turn out to be missing.
    fn create(directory: BorrowedFd<'a>, folders: &mut Folders, writing: &'a Writing) -> rustix::io::Result<Self> {
        let path = writing.temporary.as_str();
        let place = match (folders.find(directory, path), path.rsplit_once('/')) {
            (Err(Errno::NOENT), Some((folder, _))) => {
                make_folders(directory, folder)?;
                folders.find(directory, path)?
            }
            (place, _) => place?,
        };
        let is_private = writing.changes.mode.is_some_and(|mode| mode & SHARED_READ != SHARED_READ);
        let mode = if is_private { PRIVATE_MODE } else { SHARED_MODE };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(place.parent(), place.name, flags, mode)?);
        Ok(Self { place, file: Arc::new(file), published: false })
    }

    /// Compares, sets the attributes, syncs, and gives the file its name.
    async fn finish(
        mut self,
        name: &str,
        writing: &Writing,
        length: u64,
        checksums: &[Checksum],
    ) -> Result<Written, Failure> {
        if writing.size.is_some_and(|size| size != length) {
            return Err(Failure::Length(length));
        }
        let checksums = self.verify(writing, length, checksums).await?;
        refused(Step::Change, change(&self.file, &writing.changes))?;
        if writing.sync {
            refused(Step::Sync, rustix::fs::fsync(&self.file))?;
        }
        refused(Step::Publish, rename(&self.place, self.place.parent(), name, writing.replace))?;
        self.published = true;
        if writing.sync {
            refused(Step::Sync, sync_folder(self.place.parent()))?;
        }
        // Only now: the rename itself moves the change time, which is part of the version.
        let stat = refused(Step::Publish, rustix::fs::fstat(&self.file))?;
        Ok(Written { status: status(&stat), checksums })
    }

    async fn verify(&self, writing: &Writing, length: u64, checksums: &[Checksum]) -> Result<Vec<Checksum>, Failure> {
        let wanted = writing.checksum.as_deref();
        let Some(expected) = checksums.iter().find(|checksum| Some(checksum.algorithm.as_str()) == wanted) else {
            return Ok(Vec::new());
        };
        let failed = |code| Failure::Refused((Step::Verify, code));
        let algorithm = Algorithm::parse(&expected.algorithm).ok_or(failed(ErrorCode::Unsupported))?;
        let value = checksum(&self.file, algorithm, 0, length).await.map_err(failed)?;
        if value != expected.value {
            return Err(Failure::Mismatch);
        }
        Ok(vec![Checksum { algorithm: expected.algorithm.clone(), value }])
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.published {
            // What can't be removed now is swept by the next run: it bears its owner's mark.
            let _ = rustix::fs::unlinkat(self.place.parent(), self.place.name, AtFlags::empty());
        }
    }
}

/// Makes a folder and those above it. One that exists may be another worker's, made just now; if it
/// isn't a folder, what comes next says so.
fn make_folders(directory: BorrowedFd<'_>, folder: &str) -> rustix::io::Result<()> {
    let ends = folder.match_indices('/').map(|(index, _)| index).chain([folder.len()]);
    for end in ends {
        let place = Place::find(directory, &folder[..end])?;
        match rustix::fs::mkdirat(place.parent(), place.name, FOLDER_MODE) {
            Err(Errno::EXIST) => {}
            made => made?,
        }
    }
    Ok(())
}

/// A name made or taken in a folder outlives a power cut only once the folder is synced.
fn sync_folder(parent: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::fsync(rustix::fs::openat(parent, ".", flags, Mode::empty())?)
}
