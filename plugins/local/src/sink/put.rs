//! Whole objects: a file, a directory, a symlink. Each waits for the engine's word that the data was
//! whole before anything becomes visible, and leaves nothing behind if it fails.

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, filesystem, quote},
    posix::{self, Changes},
    sink::Replace,
    types::{Checksum, Error, Object},
};

use super::{Sink, publish::Temporary};
use crate::{attributes, error::writing};

/// What the engine says after the last byte.
type Whole = FutureReader<Result<Vec<Checksum>, Error>>;

impl Sink {
    pub(super) async fn put_file(
        &self,
        object: Object,
        data: StreamReader<u8>,
        whole: Whole,
        replace: Replace,
    ) -> Result<Object, Error> {
        let changes = attributes::changes(&object, self.config.owner)?;
        let temporary = self.create(&object.key).await.map_err(|code| writing("create", &object.key, code))?;
        let put = self.fill(&temporary, object, changes, data, whole, replace).await;
        if put.is_err() {
            self.discard(&temporary.path).await;
        }
        put
    }

    async fn fill(
        &self,
        temporary: &Temporary,
        object: Object,
        changes: Changes,
        data: StreamReader<u8>,
        whole: Whole,
        replace: Replace,
    ) -> Result<Object, Error> {
        self.hide(temporary, &object.key, &changes)?;
        let written = temporary.file.write_via_stream(data, 0).await;
        written.map_err(|code| filesystem("write", &object.key, code))?;
        let checksums = whole.await?;
        let stored = self.verify(temporary, &object.key, object.size, &checksums).await?;
        self.publish(temporary, object.key, changes, replace, stored).await
    }

    /// A directory that's there already is taken as it is, whatever `replace` says: it's what was
    /// wanted, and its attributes are set.
    pub(super) async fn put_directory(
        &self,
        object: Object,
        data: StreamReader<u8>,
        whole: Whole,
    ) -> Result<Object, Error> {
        let changes = attributes::changes(&object, self.config.owner)?;
        whole.await?;
        drop(data);
        self.make_directory(&object.key).await?;
        if !attributes::is_empty(&changes) {
            posix::change_at(&self.root, &object.key, changes)
                .map_err(|code| filesystem("set the attributes of", &object.key, code))?;
        }
        if self.config.fsync {
            self.sync_folder(&object.key).await?;
        }
        self.stat(object.key)
    }

    pub(super) async fn put_symlink(
        &self,
        object: Object,
        data: StreamReader<u8>,
        whole: Whole,
        replace: Replace,
    ) -> Result<Object, Error> {
        let key = &object.key;
        let Some(target) = attributes::value(&object, "posix.target").filter(|target| !target.is_empty()) else {
            return Err(error::unsupported(format!("the symlink {} has no posix.target", quote(key))));
        };
        let changes = attributes::changes(&object, self.config.owner)?;
        whole.await?;
        drop(data);
        let path = self
            .with_fresh_name(key, async |path| posix::symlink_at(&self.root, target, &path).map(|()| path))
            .await
            .map_err(|code| writing("make the link", key, code))?;
        // The host ignores the mode: a link has none of its own.
        let renamed = posix::change_at(&self.root, &path, changes)
            .map_err(|code| filesystem("set the attributes of", key, code))
            .and_then(|()| self.rename(&path, key, replace));
        if let Err(error) = renamed {
            self.discard(&path).await;
            return Err(error);
        }
        if self.config.fsync {
            self.sync_folder(key).await?;
        }
        self.stat(object.key)
    }
}
