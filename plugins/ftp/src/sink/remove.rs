//! Removing: objects and empty folders, temporary files that a failure left, and those that a killed
//! run left, found by their owner's mark.

use culvert_sdk::{
    error::{self, quote},
    key::join,
    types::Error,
};

use super::Sink;
use crate::{
    control::{Command, Control},
    error::refused,
    listing::Kind,
    path::Root,
    source::Lister,
};

impl Sink {
    pub(super) async fn delete(&self, key: &str) -> Result<(), Error> {
        self.session.run(async |control, root| delete(control, root, key).await).await
    }

    /// Removes what a failed write left, as far as the server can be reached.
    pub(super) async fn discard(&self, key: &str) {
        // The failure is what the engine must hear of; a sweep finds what is left.
        let _ = self.delete(key).await;
    }

    /// Removes this owner's temporary files in the whole tree, all but those in `keep`. Holds the folders still to be looked
    /// at: as many as the widest path through the tree has.
    pub(super) async fn sweep(&self, keep: &[String]) -> Result<u64, Error> {
        let mut removed = 0;
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let lister = Lister::open(&self.session, &folder).await?;
            let mut own = Vec::new();
            for (name, kind) in lister.names() {
                match kind {
                    Kind::File if self.names.is_own(&name) => {
                        own.extend(Some(join(&folder, &name)).filter(|key| !keep.contains(key)));
                    }
                    Kind::Directory => folders.push(join(&folder, &name)),
                    _ => {}
                }
            }
            for key in own {
                self.delete(&key).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

async fn delete(control: &mut Control, root: &Root, key: &str) -> Result<(), Error> {
    let path = root.path(key)?;
    let file = control.ask(Command::with("DELE", &path)?).await?;
    if file.is_done() {
        return Ok(());
    }
    let folder = control.ask(Command::with("RMD", &path)?).await?;
    if folder.is_done() {
        return Ok(());
    }
    // Is there anything at all?
    if control.ask(Command::with("CWD", &path)?).await?.is_done() {
        let (key, says) = (quote(key), folder.shown());
        return Err(error::precondition_failed(format!("cannot delete the folder {key}: the server says {says}")));
    }
    match control.ask(Command::with("SIZE", &path)?).await? {
        size if size.code == 213 => Err(refused("delete", key, &file)),
        _ => Ok(()),
    }
}
