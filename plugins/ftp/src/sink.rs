//! The server as a sink: whole files under temporary names, renamed when the server has them, and
//! folders. Parts aren't offered: servers differ in what a `STOR` behind `REST` does to the rest.

mod put;
mod remove;
mod verify;

use std::rc::Rc;

use culvert_sdk::{
    FutureReader, StreamReader,
    error::{self, quote},
    instance::Configured,
    sink::{Guest, Part, Receipt, Replace},
    temporary::Names,
    types::{Checksum, Error, Object},
};

use crate::{Ftp, SINK, session::Session, source};

/// What a sink instance has.
pub(crate) struct Sink {
    session: Rc<Session>,
    names: Names,
}

impl Guest for Ftp {
    async fn put(
        object: Object,
        data: StreamReader<u8>,
        whole: FutureReader<Result<Vec<Checksum>, Error>>,
        replace: Replace,
    ) -> Result<Object, Error> {
        let sink = SINK.with(Configured::get)?;
        match object.kind.as_str() {
            "file" => sink.put_file(object, data, whole, replace).await,
            "directory" => sink.put_directory(object, data, whole).await,
            kind => Err(error::unsupported(format!(
                "{} is a {}, which an FTP server can't be told to make",
                quote(&object.key),
                quote(kind)
            ))),
        }
    }

    async fn begin(_object: Object) -> Result<String, Error> {
        Err(no_parts())
    }

    async fn write_part(_upload: String, _part: Part, _data: StreamReader<u8>) -> Result<Receipt, Error> {
        Err(no_parts())
    }

    async fn commit(
        _upload: String,
        _object: Object,
        _receipts: Vec<Receipt>,
        _replace: Replace,
    ) -> Result<Object, Error> {
        Err(no_parts())
    }

    async fn abort(_upload: String) -> Result<(), Error> {
        Ok(())
    }

    async fn sweep(_keep: Vec<String>) -> Result<u64, Error> {
        let sink = SINK.with(Configured::get)?;
        sink.sweep().await
    }

    async fn stat(key: String) -> Result<Object, Error> {
        let sink = SINK.with(Configured::get)?;
        sink.session.run(async |control, root| source::stat(control, root, &key).await).await
    }

    async fn delete(key: String) -> Result<(), Error> {
        let sink = SINK.with(Configured::get)?;
        sink.delete(&key).await
    }
}

fn no_parts() -> Error {
    error::unsupported("an FTP server takes files as a whole, not in parts")
}

// === impl Sink ===

impl Sink {
    pub(crate) fn new(session: Rc<Session>, names: Names) -> Self {
        Self { session, names }
    }

    pub(crate) fn session(&self) -> Rc<Session> {
        Rc::clone(&self.session)
    }
}
