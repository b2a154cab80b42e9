//! The folder as a source: one level at a time, and files whose bytes go from the host to the host.
//! Follows a link only where the pipeline says so, and then only to a file below the root.

mod batch;

use culvert_sdk::{
    FutureReader, StreamReader, StreamResult,
    error::{self, filesystem, quote},
    instance::Configured,
    key::join,
    posix::{self, Kind, Status},
    source::{Guest, Reading},
    stream::{self, Entries},
    temporary::is_temporary,
    types::{Entry, Error, Object, Range, Unreadable},
    wasi::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags},
};

use crate::{
    Local, SOURCE, attributes,
    config::{SourceConfig, Symlinks},
    error::{changed, check_key, special},
};

/// Names taken from the host at a time: about 40 KiB of guest memory.
const LIST_BATCH: usize = 256;

/// What a source instance has.
#[derive(Debug)]
pub(crate) struct Source {
    config: SourceConfig,
    root: Descriptor,
}

impl Guest for Local {
    async fn list(
        folder: String,
        _after: Option<String>,
    ) -> Result<(StreamReader<Entry>, FutureReader<Result<(), Error>>), Error> {
        let source = SOURCE.with(Configured::get)?;
        check_key(&folder)?;
        Ok(stream::listing(async move |entries| source.list(&folder, entries).await))
    }

    async fn stat(key: String) -> Result<Object, Error> {
        let source = SOURCE.with(Configured::get)?;
        check_key(&key)?;
        let status = posix::status_at(&source.root, &key).map_err(|code| filesystem("stat", &key, code))?;
        source.object(key, status).await
    }

    async fn read(key: String, range: Range, version: Option<String>) -> Result<Reading, Error> {
        let source = SOURCE.with(Configured::get)?;
        check_key(&key)?;
        source.read(key, range, version).await
    }
}

// === impl Source ===

impl Source {
    pub(crate) fn new(config: SourceConfig, root: Descriptor) -> Self {
        Self { config, root }
    }

    /// Lists the root as far as its first names.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let (mut names, done) = posix::list_directory(&self.root, ".");
        let (result, _) = names.read(Vec::with_capacity(1)).await;
        if result == StreamResult::Dropped {
            done.await.map_err(|code| filesystem("list", &self.config.path, code))?;
        }
        Ok(())
    }

    async fn list(&self, folder: &str, entries: &mut Entries) -> Result<(), Error> {
        let (mut names, done) = posix::list_directory(&self.root, folder_path(folder));
        let mut batch = Vec::with_capacity(LIST_BATCH);
        loop {
            let result;
            (result, batch) = names.read(batch).await;
            for entry in batch.drain(..).filter(|entry| !is_temporary(&entry.name)) {
                entries.push(self.entry(folder, entry).await).await?;
            }
            if result == StreamResult::Dropped {
                break;
            }
        }
        done.await.map_err(|code| filesystem("list", folder_path(folder), code))
    }

    async fn entry(&self, folder: &str, entry: posix::Entry) -> Entry {
        let key = join(folder, &entry.name);
        if !entry.exact {
            let error = error::invalid_key(format!("the name {} isn't UTF-8; rename it", quote(&entry.name)));
            return Entry::Unreadable(Unreadable { key, error });
        }
        let object = match entry.status {
            Ok(status) => self.object(key.clone(), status).await,
            Err(code) => Err(filesystem("stat", &key, code)),
        };
        match object {
            Ok(object) if object.kind == "directory" => Entry::Folder(object),
            Ok(object) => Entry::Object(object),
            Err(error) => Entry::Unreadable(Unreadable { key, error }),
        }
    }

    /// The object at `key`, whose own status (of the link, if it's one) is known.
    async fn object(&self, key: String, status: Status) -> Result<Object, Error> {
        if status.kind != Kind::Symlink {
            return Ok(attributes::object(key, &status, None));
        }
        if self.config.symlinks == Symlinks::Follow
            && let Some(status) = self.follow(&key).await.map_err(|code| filesystem("follow the link", &key, code))?
        {
            return Ok(attributes::object(key, &status, None));
        }
        let target = posix::read_link_at(&self.root, &key).map_err(|code| filesystem("read the link", &key, code))?;
        Ok(attributes::object(key, &status, Some(target)))
    }

    /// The status of the file that a link leads to; none if it leads to something else, which isn't
    /// followed: a directory could lead in a circle, and opening a pipe could wait for ever.
    async fn follow(&self, key: &str) -> Result<Option<Status>, ErrorCode> {
        let found = self.root.stat_at(PathFlags::SYMLINK_FOLLOW, key.to_owned()).await?;
        if !matches!(found.type_, DescriptorType::RegularFile) {
            return Ok(None);
        }
        let file = self.open(key, PathFlags::SYMLINK_FOLLOW).await?;
        posix::status_of(&file).map(Some)
    }

    async fn open(&self, key: &str, flags: PathFlags) -> Result<Descriptor, ErrorCode> {
        self.root.open_at(flags, key.to_owned(), OpenFlags::empty(), DescriptorFlags::READ).await
    }

    async fn read(&self, key: String, range: Range, version: Option<String>) -> Result<Reading, Error> {
        let follow = self.config.symlinks == Symlinks::Follow;
        let (status, data, outcome) = match posix::read_file(&self.root, &key, follow, range.offset) {
            Ok(opened) if opened.0.kind == Kind::File => opened,
            Ok(_) => return self.read_other(key, version, None).await,
            Err(code) => return self.read_other(key, version, Some(code)).await,
        };
        let object = attributes::object(key, &status, None);
        expect_version(&object, version)?;
        // The host ends the stream where the range does, and says itself whether the file stayed the
        // same: there is nothing to count or to wait for here.
        Ok(Reading { object, data, outcome })
    }

    /// Reads what can't be opened as a file, for `refused` if it was refused: a symlink or a
    /// directory has no bytes.
    async fn read_other(
        &self,
        key: String,
        version: Option<String>,
        refused: Option<ErrorCode>,
    ) -> Result<Reading, Error> {
        let status = match (posix::status_at(&self.root, &key), refused) {
            (Ok(status), _) if matches!(status.kind, Kind::Symlink | Kind::Directory) => status,
            (_, Some(code)) => return Err(filesystem("open", &key, code)),
            (Ok(status), None) if status.kind == Kind::Other => return Err(special(&key)),
            (Ok(_), None) => return Err(changed(&key)),
            (Err(code), None) => return Err(filesystem("stat", &key, code)),
        };
        let object = self.object(key, status).await?;
        if object.kind == "file" {
            return Err(changed(&object.key));
        }
        expect_version(&object, version)?;
        Ok(Reading { object, data: stream::empty(), outcome: stream::outcome(async { Ok(()) }) })
    }
}

fn expect_version(object: &Object, version: Option<String>) -> Result<(), Error> {
    if version.is_none() || version == object.version { Ok(()) } else { Err(changed(&object.key)) }
}

/// What the host's filesystem calls a folder: the root is `.`.
pub(crate) fn folder_path(folder: &str) -> &str {
    if folder.is_empty() { "." } else { folder }
}
