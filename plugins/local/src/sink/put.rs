//! Whole objects: a file, a directory, a symlink. Each waits for the engine's word that the data was
//! whole before anything becomes visible, and leaves nothing behind if it fails.

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, filesystem, quote},
    posix::{self, Failure, Step, Writing},
    sink::Replace,
    types::{Checksum, Error, Object},
    wasi::filesystem::types::ErrorCode,
};

use super::{Sink, publish::CHECKSUM};
use crate::{
    attributes,
    error::{misread, renaming, writing, wrong_length},
};

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
        let overwrites = replace == Replace::Always;
        let writing = self.writing(&object, overwrites)?;
        match posix::write_file(&self.root, writing, data, whole).await {
            Ok(written) => {
                Ok(Object { checksums: written.checksums, ..attributes::object(object.key, &written.status, None) })
            }
            Err(failure) => Err(failed(failure, &object, overwrites)),
        }
    }

    /// How a file is written.
    pub(super) fn writing(&self, object: &Object, replace: bool) -> Result<Writing, Error> {
        Ok(Writing {
            temporary: self.names.beside(&object.key),
            path: object.key.clone(),
            size: object.size,
            changes: attributes::changes(object, self.config.owner)?,
            checksum: Some(CHECKSUM.to_owned()),
            sync: self.config.fsync,
            replace,
        })
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

/// A failure of the host's, in this connector's words.
pub(super) fn failed(failure: Failure, object: &Object, overwrites: bool) -> Error {
    let key = &object.key;
    match failure {
        Failure::Refused((Step::Create, ErrorCode::Exist)) => {
            error::io(format!("the temporary name for {} is taken; the next attempt has another", quote(key)))
        }
        Failure::Refused((Step::Create, code)) => writing("create", key, code),
        Failure::Refused((Step::Write, code)) => filesystem("write", key, code),
        Failure::Refused((Step::Verify, code)) => filesystem("read back", key, code),
        Failure::Refused((Step::Change, code)) => filesystem("set the attributes of", key, code),
        Failure::Refused((Step::Sync, code)) => filesystem("sync", key, code),
        Failure::Refused((Step::Publish, code)) => renaming(key, overwrites, code),
        Failure::Body(error) => error,
        Failure::Length(written) => wrong_length(key, object.size.unwrap_or(0), written),
        Failure::Mismatch => misread(key),
    }
}
