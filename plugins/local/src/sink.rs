//! The folder as a sink. Makes nothing visible before it's whole, and never reads the bytes it
//! writes: they go from the host to the host.

// In the order in which an object passes them.
mod batch;
mod folders;
mod publish;
mod put;
mod sweep;
mod upload;

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, filesystem, quote},
    instance::Configured,
    posix::{self, Kind},
    sink::{Guest, Part, Receipt, Replace},
    temporary::Names,
    types::{Checksum, Error, Object},
    wasi::filesystem::types::{Descriptor, ErrorCode},
};

use crate::{Local, SINK, attributes, config::SinkConfig, error::check_key, token::Upload};

/// What a sink instance has.
#[derive(Debug)]
pub(crate) struct Sink {
    config: SinkConfig,
    root: Descriptor,
    names: Names,
}

impl Guest for Local {
    async fn put(
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let sink = SINK.with(Configured::get)?;
        check_key(&object.key)?;
        match object.kind.as_str() {
            "file" => sink.put_file(object, data, whole, replace).await,
            "directory" => sink.put_directory(object, data, whole).await,
            "symlink" => sink.put_symlink(object, data, whole, replace).await,
            _ => Err(unknown_kind(&object)),
        }
    }

    async fn begin(object: Object) -> Result<String, Error> {
        let sink = SINK.with(Configured::get)?;
        check_key(&object.key)?;
        match object.kind.as_str() {
            "file" => sink.begin(object).await.map(Upload::into_token),
            _ => Err(unknown_kind(&object)),
        }
    }

    async fn write_part(upload: String, part: Part, data: StreamReader<u8>) -> Result<Receipt, Error> {
        let sink = SINK.with(Configured::get)?;
        sink.write_part(&Upload::parse(upload)?, part, data).await
    }

    async fn commit(upload: String, object: Object, receipts: Vec<Receipt>, replace: Replace) -> Result<Object, Error> {
        let sink = SINK.with(Configured::get)?;
        check_key(&object.key)?;
        sink.commit(Upload::parse(upload)?, object, &receipts, replace).await
    }

    async fn abort(upload: String) -> Result<(), Error> {
        let sink = SINK.with(Configured::get)?;
        sink.unlink(Upload::parse(upload)?.path()).await
    }

    async fn sweep(keep: Vec<String>) -> Result<u64, Error> {
        let sink = SINK.with(Configured::get)?;
        sink.sweep(&keep).await
    }

    async fn stat(key: String) -> Result<Object, Error> {
        let sink = SINK.with(Configured::get)?;
        check_key(&key)?;
        sink.stat(key)
    }

    async fn delete(key: String) -> Result<(), Error> {
        let sink = SINK.with(Configured::get)?;
        check_key(&key)?;
        sink.delete(&key).await
    }
}

// === impl Sink ===

impl Sink {
    pub(crate) fn new(config: SinkConfig, root: Descriptor, names: Names) -> Self {
        Self { config, root, names }
    }

    /// Makes a temporary file in the root and removes it.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let path = &self.config.path;
        let temporary = self.create("check").await.map_err(|code| filesystem("make a file in", path, code))?;
        self.root
            .unlink_file_at(temporary.path)
            .await
            .map_err(|code| filesystem("remove the file that the check made in", path, code))
    }

    fn stat(&self, key: String) -> Result<Object, Error> {
        let status = posix::status_at(&self.root, &key).map_err(|code| filesystem("stat", &key, code))?;
        let target = match status.kind {
            Kind::Symlink => {
                let target = posix::read_link_at(&self.root, &key);
                Some(target.map_err(|code| filesystem("read the link", &key, code))?)
            }
            _ => None,
        };
        Ok(attributes::object(key, &status, target))
    }

    async fn delete(&self, key: &str) -> Result<(), Error> {
        let refused = match self.root.unlink_file_at(key.to_owned()).await {
            Ok(()) | Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => return Ok(()),
            // Linux says the first of a directory, POSIX the second.
            Err(code @ (ErrorCode::IsDirectory | ErrorCode::NotPermitted)) => code,
            Err(code) => return Err(filesystem("delete", key, code)),
        };
        match self.root.remove_directory_at(key.to_owned()).await {
            Ok(()) | Err(ErrorCode::NoEntry) => Ok(()),
            Err(ErrorCode::NotEmpty | ErrorCode::Exist) => {
                Err(error::precondition_failed(format!("cannot delete the folder {}: it isn't empty", quote(key))))
            }
            // It's no directory: the first refusal was about the file.
            Err(ErrorCode::NotDirectory) => Err(filesystem("delete", key, refused)),
            Err(code) => Err(filesystem("delete the folder", key, code)),
        }
    }

    /// Removes a temporary file. One that isn't there is removed already.
    async fn unlink(&self, path: &str) -> Result<(), Error> {
        match self.root.unlink_file_at(path.to_owned()).await {
            Ok(()) | Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => Ok(()),
            Err(code) => Err(filesystem("remove the temporary file", path, code)),
        }
    }

    /// Removes what a failed write left. The failure is what the engine must hear of, and listings
    /// leave temporary names out, so one that can't be removed isn't reported.
    async fn discard(&self, path: &str) {
        let _ = self.unlink(path).await;
    }
}

fn unknown_kind(object: &Object) -> Error {
    let kind = quote(&object.kind);
    error::unsupported(format!("{} is a {kind}, which a folder can't have", quote(&object.key)))
}
