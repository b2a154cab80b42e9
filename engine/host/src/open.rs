//! `open-at`, replacing the stock one: fewer system calls, the read-only disk's own word, and no
//! waiting for a pipe's other end. The same sandbox: the kernel resolves the path below the granted
//! directory or not at all.

use std::{fs::File, io, os::fd::AsFd};

use rustix::fs::{FileType, Mode, OFlags};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::{
    FsPerms, WasiView,
    filesystem::{Descriptor, Dir, File as OpenFile, OpenMode},
    p3::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags},
};

use crate::{files::error_code, path::open_below_with, state::State};

/// What a new file may be used for by others, less the process's umask, as `open(2)` has it.
const NEW_FILE_MODE: Mode = Mode::from_raw_mode(0o666);

/// What a guest asks for.
struct Asked {
    path_flags: PathFlags,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
}

type Parameters = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

/// Puts this function in place of the stock one.
///
/// # Errors
/// The linker has another idea of its type.
pub(crate) fn replace_open(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.3.0")?;
    types.func_wrap_concurrent(
        "[method]descriptor.open-at",
        |accessor, (directory, path_flags, path, open_flags, flags): Parameters| {
            let asked = Asked { path_flags, open_flags, flags };
            let opened = accessor.with(|mut access| open_at(access.data_mut(), &directory, &path, &asked));
            Box::pin(async move { opened.map(|opened| (opened,)) })
        },
    )
}

fn open_at(
    state: &mut State,
    directory: &Resource<Descriptor>,
    path: &str,
    asked: &Asked,
) -> wasmtime::Result<Result<Resource<Descriptor>, ErrorCode>> {
    let table = state.ctx().table;
    let directory = match table.get(directory)? {
        Descriptor::Dir(directory) => directory.clone(),
        Descriptor::File(_) => return Ok(Err(ErrorCode::NotDirectory)),
    };
    match asked.open(&directory, path) {
        Ok(descriptor) => Ok(Ok(state.ctx().table.push(descriptor)?)),
        Err(code) => Ok(Err(code)),
    }
}

// === impl Asked ===

impl Asked {
    fn open(&self, directory: &Dir, path: &str) -> Result<Descriptor, ErrorCode> {
        let synchronous = DescriptorFlags::FILE_INTEGRITY_SYNC
            | DescriptorFlags::DATA_INTEGRITY_SYNC
            | DescriptorFlags::REQUESTED_WRITE_SYNC;
        if self.flags.intersects(synchronous) {
            return Err(ErrorCode::Unsupported);
        }
        let changes = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        if self.open_flags.contains(OpenFlags::DIRECTORY) && self.open_flags.intersects(changes) {
            return Err(ErrorCode::Invalid);
        }
        let writes = self.flags.contains(DescriptorFlags::WRITE) || self.open_flags.intersects(changes);
        if writes && directory.perms != FsPerms::ReadWrite {
            return Err(ErrorCode::NotPermitted);
        }
        let reads = !writes || self.flags.contains(DescriptorFlags::READ);
        // The kernel refuses a mode where nothing can be made.
        let makes = self.open_flags.contains(OpenFlags::CREATE);
        let new_mode = if makes { NEW_FILE_MODE } else { Mode::empty() };
        let opened = open_below_with(directory.dir.as_fd(), path, self.system_flags(reads, writes), new_mode);
        let file = File::from(opened.map_err(|error| error_code(&io::Error::from(error)))?);
        let mut mode = OpenMode::empty();
        mode.set(OpenMode::READ, reads);
        mode.set(OpenMode::WRITE, writes);
        Ok(if self.is_directory(&file)? {
            Descriptor::Dir(Dir::new(file, directory.perms, mode, true))
        } else {
            Descriptor::File(OpenFile::new(file, directory.perms, mode, true))
        })
    }

    fn system_flags(&self, reads: bool, writes: bool) -> OFlags {
        // A pipe that somebody put in a file's place must not make the worker wait for its other end.
        let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        flags |= match (reads, writes) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        };
        flags.set(OFlags::CREATE, self.open_flags.contains(OpenFlags::CREATE));
        flags.set(OFlags::EXCL, self.open_flags.contains(OpenFlags::EXCLUSIVE));
        flags.set(OFlags::TRUNC, self.open_flags.contains(OpenFlags::TRUNCATE));
        flags.set(OFlags::DIRECTORY, self.open_flags.contains(OpenFlags::DIRECTORY));
        flags.set(OFlags::NOFOLLOW, !self.path_flags.contains(PathFlags::SYMLINK_FOLLOW));
        flags
    }

    fn is_directory(&self, file: &File) -> Result<bool, ErrorCode> {
        if self.open_flags.contains(OpenFlags::DIRECTORY) {
            return Ok(true);
        }
        // Just made, so it's a file.
        if self.open_flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) {
            return Ok(false);
        }
        let stat = rustix::fs::fstat(file).map_err(|error| error_code(&io::Error::from(error)))?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }
}
