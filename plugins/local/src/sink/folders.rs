//! Folders on the way to an object: made when something turns out to be missing, not looked for
//! before, so that the usual object costs no call for them. Never removes one.

use culvert_sdk::{
    key::folder,
    posix::{self, Kind},
    types::Error,
    wasi::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags},
};

use super::Sink;
use crate::error::writing;

impl Sink {
    /// Runs `make` for something at `key`; if its folder is missing, makes the folder and runs it
    /// once more.
    pub(super) async fn in_folder<T>(
        &self,
        key: &str,
        make: impl AsyncFn() -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        match make().await {
            Err(ErrorCode::NoEntry) if !folder(key).is_empty() => {
                self.make_folder(folder(key)).await?;
                make().await
            }
            result => result,
        }
    }

    /// Makes a folder and those above it.
    async fn make_folder(&self, path: &str) -> Result<(), ErrorCode> {
        // Up to the first one that can be made, then down again; never up a second time, which a
        // dangling link in the way would turn into a circle.
        let mut next = path;
        let mut missing = Vec::new();
        while let Err(code) = self.make_or_find(next).await {
            if code != ErrorCode::NoEntry || folder(next).is_empty() {
                return Err(code);
            }
            missing.push(next);
            next = folder(next);
        }
        for path in missing.into_iter().rev() {
            self.make_or_find(path).await?;
        }
        Ok(())
    }

    /// One that exists may be another worker's, made just now. If it isn't a folder, what comes next
    /// says so.
    async fn make_or_find(&self, path: &str) -> Result<(), ErrorCode> {
        match self.root.create_directory_at(path.to_owned()).await {
            Err(ErrorCode::Exist) => Ok(()),
            made => made,
        }
    }

    /// Makes the folder of a directory object, or finds it there.
    pub(super) async fn make_directory(&self, key: &str) -> Result<(), Error> {
        let made = self.in_folder(key, async || self.root.create_directory_at(key.to_owned()).await).await;
        match made {
            Err(ErrorCode::Exist) => match posix::status_at(&self.root, key) {
                Ok(status) if status.kind == Kind::Directory => Ok(()),
                Ok(_) => Err(writing("make the folder", key, ErrorCode::NotDirectory)),
                Err(code) => Err(writing("make the folder", key, code)),
            },
            made => made.map_err(|code| writing("make the folder", key, code)),
        }
    }

    /// Syncs the folder of `key`, so that a name made or taken in it outlives a power cut.
    pub(super) async fn sync_folder(&self, key: &str) -> Result<(), Error> {
        let path = folder(key);
        let synced = if path.is_empty() {
            self.root.sync().await
        } else {
            // A folder on the way may be a link; it was followed when the object was written.
            let follow = PathFlags::SYMLINK_FOLLOW;
            let opened = self.root.open_at(follow, path.to_owned(), OpenFlags::DIRECTORY, DescriptorFlags::READ).await;
            match opened {
                Ok(folder) => folder.sync().await,
                Err(code) => Err(code),
            }
        };
        synced.map_err(|code| writing("sync the folder of", key, code))
    }
}
