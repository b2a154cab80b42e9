//! Temporary files that a run which was killed left behind: found by their owner's mark in the whole
//! tree, and removed. Touches no other file and follows no link.

use culvert_sdk::{
    StreamResult,
    error::filesystem,
    key::join,
    posix::{self, Kind},
    types::Error,
};

use super::Sink;
use crate::source::folder_path;

/// Names taken from the host at a time: about 40 KiB of guest memory.
const LIST_BATCH: usize = 256;

impl Sink {
    /// Removes this owner's temporary files, all but those in `keep`. Holds the folders still to be
    /// looked at: as many as the widest path through the tree has.
    pub(super) async fn sweep(&self, keep: &[String]) -> Result<u64, Error> {
        let mut removed = 0;
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            removed += self.sweep_folder(&folder, keep, &mut folders).await?;
        }
        Ok(removed)
    }

    async fn sweep_folder(&self, folder: &str, keep: &[String], folders: &mut Vec<String>) -> Result<u64, Error> {
        let (mut names, done) = posix::list_directory(&self.root, folder_path(folder));
        let mut batch = Vec::with_capacity(LIST_BATCH);
        let mut removed = 0;
        loop {
            let result;
            (result, batch) = names.read(batch).await;
            for entry in batch.drain(..).filter(|entry| entry.exact) {
                let path = join(folder, &entry.name);
                if self.names.is_own(&entry.name) && !keep.contains(&path) {
                    self.unlink(&path).await?;
                    removed += 1;
                } else if entry.status.is_ok_and(|status| status.kind == Kind::Directory) {
                    folders.push(path);
                }
            }
            if result == StreamResult::Dropped {
                break;
            }
        }
        done.await.map_err(|code| filesystem("list", folder_path(folder), code))?;
        Ok(removed)
    }
}
