//! A temporary file from its making to the rename that makes it visible, for whole objects and for
//! uploads alike. Removes nothing: who made the file decides what becomes of it after a failure.

use culvert_sdk::{
    error::filesystem,
    posix::{self, Changes},
    sink::Replace,
    types::{Checksum, Error, Object},
    wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags},
};

use super::Sink;
use crate::{
    attributes,
    error::{misread, renaming, wrong_length},
};

/// The checksum that the host reads back; `describe` names it too.
pub(super) const CHECKSUM: &str = "crc64-nvme";

/// Other names tried where one is taken. A name of 64 random bits is hardly ever taken once.
const MAX_NAMES: usize = 4;

/// Permissions with which a file that not everybody may read is written.
const PRIVATE_MODE: u32 = 0o600;

/// Read permission of group and others.
const SHARED_MODE: u32 = 0o044;

/// A temporary file that this instance made or opened.
pub(super) struct Temporary {
    pub(super) path: String,
    pub(super) file: Descriptor,
}

impl Sink {
    /// Makes a temporary file in the folder of `key`.
    pub(super) async fn create(&self, key: &str) -> Result<Temporary, ErrorCode> {
        self.with_fresh_name(key, async |path| {
            // Read too: the host reads the checksum back through this descriptor.
            let open = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
            let access = DescriptorFlags::READ | DescriptorFlags::WRITE;
            let file = self.root.open_at(PathFlags::empty(), path.clone(), open, access).await?;
            Ok(Temporary { path, file })
        })
        .await
    }

    /// Runs `make` with temporary names until one isn't taken.
    pub(super) async fn with_fresh_name<T>(
        &self,
        key: &str,
        make: impl AsyncFn(String) -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        for _ in 1..MAX_NAMES {
            match self.in_folder(key, async || make(self.names.beside(key)).await).await {
                Err(ErrorCode::Exist) => {}
                result => return result,
            }
        }
        make(self.names.beside(key)).await
    }

    /// Hides the content of a file that not everybody may read, before there is any.
    pub(super) fn hide(&self, temporary: &Temporary, key: &str, changes: &Changes) -> Result<(), Error> {
        match changes.mode {
            Some(mode) if mode & SHARED_MODE != SHARED_MODE => {
                let private = Changes { mode: Some(PRIVATE_MODE), uid: None, gid: None, modified: None };
                posix::change(&temporary.file, private).map_err(|code| filesystem("set the mode of", key, code))
            }
            _ => Ok(()),
        }
    }

    /// Holds the temporary file against what the engine knows of the object. Returns the checksums
    /// that were read back: one if the engine sent one to compare, else none.
    pub(super) async fn verify(
        &self,
        temporary: &Temporary,
        key: &str,
        size: Option<u64>,
        checksums: &[Checksum],
    ) -> Result<Vec<Checksum>, Error> {
        let expected = checksums.iter().find(|checksum| checksum.algorithm == CHECKSUM);
        if size.is_none() && expected.is_none() {
            return Ok(Vec::new());
        }
        let status = posix::status_of(&temporary.file).map_err(|code| filesystem("stat", key, code))?;
        if let Some(size) = size.filter(|size| *size != status.size) {
            return Err(wrong_length(key, size, status.size));
        }
        let Some(expected) = expected else { return Ok(Vec::new()) };
        let value = posix::checksum(&temporary.file, CHECKSUM.to_owned(), 0, status.size)
            .await
            .map_err(|code| filesystem("read back", key, code))?;
        if value != expected.value {
            return Err(misread(key));
        }
        Ok(vec![Checksum { algorithm: CHECKSUM.to_owned(), value }])
    }

    /// Sets the attributes of a whole temporary file, syncs it, and gives it the object's name.
    /// Returns the object as it's stored.
    pub(super) async fn publish(
        &self,
        temporary: &Temporary,
        key: String,
        changes: Changes,
        replace: Replace,
        checksums: Vec<Checksum>,
    ) -> Result<Object, Error> {
        let Temporary { path, file } = temporary;
        if !attributes::is_empty(&changes) {
            posix::change(file, changes).map_err(|code| filesystem("set the attributes of", &key, code))?;
        }
        if self.config.fsync {
            file.sync().await.map_err(|code| filesystem("sync", &key, code))?;
        }
        self.rename(path, &key, replace)?;
        if self.config.fsync {
            self.sync_folder(&key).await?;
        }
        // Only now: the rename itself moves the change time, which is part of the version.
        let status = posix::status_of(file).map_err(|code| filesystem("stat", &key, code))?;
        Ok(Object { checksums, ..attributes::object(key, &status, None) })
    }

    pub(super) fn rename(&self, path: &str, key: &str, replace: Replace) -> Result<(), Error> {
        let overwrite = replace == Replace::Always;
        posix::rename_at(&self.root, path, key, overwrite).map_err(|code| renaming(key, overwrite, code))
    }
}
